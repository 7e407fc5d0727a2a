package report

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// chart draws one figure of the rows of a setting: the number of goroutines to the right, a line for each client.
type chart struct {
	title       string
	value       func(Row) float64 // 0: nothing to draw
	logarithmic bool              // else from 0
}

// The picture in pixels, and the frame around the lines.
const (
	width, height                     = 390.0, 270.0
	left, right, top, bottom          = 48.0, 12.0, 30.0, 30.0
	plotWidth, plotHeight             = width - left - right, height - top - bottom
	dotRadius, lineWidth, ourLineWide = 3.5, 1.6, 3.0
)

// svg returns the chart as an SVG element.
func (c chart) svg(rows []Row, legend []key) string {
	var workers []int
	for _, r := range rows {
		if _, w := splitCell(r.Cell); !slices.Contains(workers, w) {
			workers = append(workers, w)
		}
	}
	scale := c.scale(rows)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg width="%g" height="%g" viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, height, width, height,
		html.EscapeString(c.title))
	fmt.Fprintf(&b, `<text class="title" x="%g" y="16">%s</text>`, left, html.EscapeString(c.title))
	for _, tick := range scale.ticks {
		y := scale.y(tick)
		fmt.Fprintf(&b, `<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" stroke="#e3e3e3"/>`, left, width-right, y, y)
		fmt.Fprintf(&b, `<text x="%g" y="%.1f" text-anchor="end" fill="#555">%s</text>`, left-6, y+4, short(tick))
	}
	for i, w := range workers {
		fmt.Fprintf(&b, `<text x="%.1f" y="%g" text-anchor="middle" fill="#555">c=%d</text>`, x(i, len(workers)), height-10, w)
	}
	// Ours comes first in the legend and last onto the paper.
	for i := len(legend) - 1; i >= 0; i-- {
		c.line(&b, rows, workers, legend[i], scale, dodge(i, len(legend)))
	}
	b.WriteString(`</svg>`)
	return b.String()
}

// x returns the place of the i-th of n numbers of goroutines.
func x(i, n int) float64 { return left + plotWidth*(float64(i)+0.5)/float64(n) }

// dodge moves the dots of the i-th of n clients aside, so that equal values do not hide each other.
func dodge(i, n int) float64 { return 5 * (float64(i) - float64(n-1)/2) }

// line draws what one client reached.
func (c chart) line(b *strings.Builder, rows []Row, workers []int, k key, s scale, aside float64) {
	var points, dots []string
	for _, r := range rows {
		v := c.value(r)
		if r.Client != k.Client || v <= 0 {
			continue
		}
		_, w := splitCell(r.Cell)
		px, py := x(slices.Index(workers, w), len(workers))+aside, s.y(v)
		points = append(points, fmt.Sprintf("%.1f,%.1f", px, py))
		dots = append(dots, fmt.Sprintf(`<circle cx="%.1f" cy="%.1f" r="%g" fill="%s"><title>%s, c=%d: %s</title></circle>`,
			px, py, dotRadius, k.Color, html.EscapeString(k.Client), w, short(v)))
	}
	wide := lineWidth
	if strings.HasPrefix(k.Client, ours) {
		wide = ourLineWide
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%g"/>`, strings.Join(points, " "), k.Color, wide)
	b.WriteString(strings.Join(dots, ""))
}

// scale maps values to heights.
type scale struct {
	low, high   float64
	logarithmic bool
	ticks       []float64
}

func (s scale) y(v float64) float64 {
	low, high := s.low, s.high
	if s.logarithmic {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return top + plotHeight*(1-(v-low)/(high-low))
}

// scale returns one that has room for all values of rows.
func (c chart) scale(rows []Row) scale {
	low, high := math.Inf(1), 0.0
	for _, r := range rows {
		if v := c.value(r); v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if high == 0 {
		low, high = 1, 1
	}
	if c.logarithmic {
		return logScale(low, high)
	}
	return linearScale(high)
}

// linearScale begins at 0 and has four to eight ticks.
func linearScale(high float64) scale {
	step := math.Pow(10, math.Floor(math.Log10(high)))
	for _, finer := range []float64{1, 0.5, 0.25, 0.2} {
		if high/(step*finer) >= 4 {
			step *= finer
			break
		}
	}
	s := scale{}
	for s.high < high {
		s.ticks = append(s.ticks, s.high)
		s.high += step
	}
	s.ticks = append(s.ticks, s.high)
	return s
}

// logScale begins and ends at one of 1, 2, 5, 10, 20, 50 ..., and has ticks at all between.
func logScale(low, high float64) scale {
	s := scale{logarithmic: true}
	for decade := math.Pow(10, math.Floor(math.Log10(low))); len(s.ticks) < 2 || s.high < high; decade *= 10 {
		for _, tick := range []float64{decade, 2 * decade, 5 * decade} {
			if s.high < high || len(s.ticks) < 2 {
				s.ticks = append(s.ticks, tick)
				s.high = tick
			}
			if len(s.ticks) > 1 && s.ticks[1] <= low {
				s.ticks = s.ticks[1:]
			}
		}
	}
	s.low = s.ticks[0]
	return s
}

// short spells a number with three digits, thousands as k.
func short(v float64) string {
	if v >= 10_000 {
		return fmt.Sprintf("%.3gk", v/1000)
	}
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
