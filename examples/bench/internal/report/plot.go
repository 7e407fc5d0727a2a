package report

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// plot draws one chart with time to the right. Places to the right are percentages and curves stretch, so a chart is as
// wide as the screen lets it be while words and strokes keep their size.
type plot struct {
	strings.Builder
	height float64 // pixels
	time   scale
	value  scale
}

const (
	breadth  = 1000.0 // of the inner drawing, whatever the pixels
	nameTall = 13.0   // pixels for a row of names above a plot
	tightest = 0.4    // percent between two marks; closer ones are one
)

// open begins the picture; label is read to those who do not see it.
func (p *plot) open(label string) {
	fmt.Fprintf(p, `<svg class="plot" role="img" aria-label="%s" width="100%%" height="%s">`, escape(label), pixels(p.height))
}

func (p *plot) close() { p.WriteString(`</svg>`) }

// frame draws the area, and the ticks with their words outside it.
func (p *plot) frame() {
	fmt.Fprintf(p, `<rect class="face" width="100%%" height="%s"/>`, pixels(p.height))
	for _, tick := range p.value.ticks {
		p.row(p.up(tick), p.value.spell(tick))
	}
	for _, tick := range p.time.ticks {
		x := p.percent(tick)
		fmt.Fprintf(p, `<line class="notch" x1="%s" x2="%s" y1="%s" y2="%s"/>`, x, x, pixels(p.height), pixels(p.height+4))
		fmt.Fprintf(p, `<text class="tick" x="%s" y="%s" text-anchor="middle">%s</text>`, x, pixels(p.height+16),
			p.time.spell(tick))
	}
}

// row draws a line of the grid and its word.
func (p *plot) row(y float64, word string) {
	fmt.Fprintf(p, `<line class="grid" x1="0" x2="100%%" y1="%s" y2="%s"/>`, pixels(y), pixels(y))
	fmt.Fprintf(p, `<text class="tick" x="-8" y="%s" dy=".33em" text-anchor="end">%s</text>`, pixels(y), escape(word))
}

// happenings shades what was tested, with names above, and marks when the topology changed.
func (p *plot) happenings(h happenings) {
	for i, s := range h.spans {
		if s.from > p.time.high || s.to < 0 {
			continue
		}
		x := 100 * p.time.at(s.from)
		wide := max(100*p.time.at(s.to)-x, tightest)
		fmt.Fprintf(p, `<rect class="span" x="%s%%" y="0" width="%s%%" height="%s"/>`, hundredths(x),
			hundredths(min(wide, 100-x+tightest)), pixels(p.height))
		fmt.Fprintf(p, `<line class="begin" x1="%s%%" x2="%s%%" y1="0" y2="%s"/>`, hundredths(x), hundredths(x), pixels(p.height))
		if row := h.rows[i]; row >= 0 {
			anchor := "start"
			if h.leans(i, p.time) {
				anchor, x = "end", 100
			}
			fmt.Fprintf(p, `<text class="name" x="%s%%" y="%s" text-anchor="%s">%s</text>`, hundredths(x),
				pixels(-6-nameTall*float64(row)), anchor, escape(shorten(s.name)))
		}
	}
	last := -tightest
	for _, t := range h.changes {
		if at := 100 * p.time.at(t); t > 0 && t <= p.time.high && at-last >= tightest {
			last = at
			x := p.percent(t)
			fmt.Fprintf(p, `<line class="mark" x1="%s" x2="%s" y1="0" y2="%s"/>`, x, x, pixels(p.height))
		}
	}
}

// edges shows the experiments again where a chart fills its area and hides them.
func (p *plot) edges(h happenings) {
	for _, s := range h.spans {
		for _, t := range []float64{s.from, s.to} {
			if t >= 0 && t <= p.time.high {
				x := p.percent(t)
				fmt.Fprintf(p, `<line class="edge" x1="%s" x2="%s" y1="0" y2="%s"/>`, x, x, pixels(p.height))
			}
		}
	}
}

// say writes a few words into the middle of a plot that has nothing to show.
func (p *plot) say(words string) {
	fmt.Fprintf(p, `<text class="none" x="50%%" y="%s" dy=".33em" text-anchor="middle">%s</text>`, pixels(p.height/2),
		escape(words))
}

// inside draws curves, which stretch.
func (p *plot) inside(draw func()) {
	fmt.Fprintf(p, `<svg class="data" viewBox="0 0 %g %s" preserveAspectRatio="none" width="100%%" height="%s" overflow="visible">`,
		breadth, pixels(p.height), pixels(p.height))
	draw()
	p.WriteString(`</svg>`)
}

// point is a value of a time, which lasted so many seconds, or a gap.
type point struct {
	at, long, value float64
	gap             bool
}

// line draws a curve through the middles of points; one between two gaps is drawn as long as it lasted.
func (p *plot) line(class, key string, points []point) {
	var d strings.Builder
	for i, one := range points {
		alone := (i == 0 || points[i-1].gap) && (i+1 == len(points) || points[i+1].gap)
		y := pixels(p.up(one.value))
		switch {
		case one.gap:
		case alone:
			fmt.Fprintf(&d, "M%s %sH%s", p.x(one.at), y, p.x(one.at+one.long))
		case i > 0 && !points[i-1].gap:
			fmt.Fprintf(&d, "L%s %s", p.x(one.at+one.long/2), y)
		default:
			fmt.Fprintf(&d, "M%s %s", p.x(one.at+one.long/2), y)
		}
	}
	if d.Len() > 0 {
		fmt.Fprintf(p, `<path class="line %s" data-k="%s" d="%s"/>`, class, key, d.String())
	}
}

// box is a rectangle between two times and two heights in pixels.
type box struct{ from, to, top, bottom float64 }

// boxes draws rectangles of one colour.
func (p *plot) boxes(class, key string, all []box) {
	var d strings.Builder
	for _, b := range all {
		if b.bottom > b.top && b.to > b.from {
			fmt.Fprintf(&d, "M%s %sH%sV%sH%sZ", p.x(b.from), pixels(b.top), p.x(b.to), pixels(b.bottom), p.x(b.from))
		}
	}
	if d.Len() > 0 {
		fmt.Fprintf(p, `<path class="area %s" data-k="%s" d="%s"/>`, class, key, d.String())
	}
}

// up returns how many pixels below the top a value is.
func (p *plot) up(v float64) float64 { return p.height * (1 - p.value.at(v)) }

func (p *plot) x(t float64) string { return pixels(breadth * p.time.at(t)) }

func (p *plot) percent(t float64) string { return hundredths(100*p.time.at(t)) + "%" }

// happenings are what all charts of a run show behind their curves.
type happenings struct {
	spans   []span
	rows    []int // of the name of each span, from the plot upwards; negative: no room
	changes []float64
	letter  float64 // how much of the narrowest plot one takes, in percent
}

const (
	pageLetter = 2.6 // of a plot on a screen of 360 pixels
	mostRows   = 3   // of names
)

// newHappenings finds rows for names such that none covers another on the narrowest screen.
func newHappenings(spans []span, changes []float64, letter float64, time scale) happenings {
	h := happenings{spans: spans, changes: changes, rows: make([]int, len(spans)), letter: letter}
	var ends [mostRows]float64 // of the last name in each row
	for i, s := range spans {
		from, to := h.extent(i, time)
		h.rows[i] = -1
		if s.from > time.high || s.to < 0 {
			continue
		}
		for row, end := range ends {
			if from >= end {
				h.rows[i], ends[row] = row, to+letter
				break
			}
		}
	}
	return h
}

// extent returns from where to where the name of a span reaches, in percent of the narrowest plot.
func (h happenings) extent(i int, time scale) (from, to float64) {
	wide := h.letter * float64(len([]rune(shorten(h.spans[i].name))))
	from = 100 * time.at(h.spans[i].from)
	if from+wide > 100 {
		return 100 - wide, 100
	}
	return from, from + wide
}

// leans reports whether a name has to end with the plot, for it does not fit to the right of where it began.
func (h happenings) leans(i int, time scale) bool {
	from, _ := h.extent(i, time)
	return from < 100*time.at(h.spans[i].from)
}

// tall returns how many rows of names there are.
func (h happenings) tall() int {
	tall := 0
	for _, row := range h.rows {
		tall = max(tall, row+1)
	}
	return tall
}

// pixels spells a length with one digit behind the point.
func pixels(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64) // +0: no "-0"
}

// hundredths spells a percentage, fine enough for the widest screen.
func hundredths(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100+0, 'f', -1, 64)
}

// escape makes text fit for an attribute and for a text node, of HTML and of XML.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
