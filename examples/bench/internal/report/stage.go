package report

import (
	"html/template"
	"slices"
	"strconv"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// stage is what the charts of a page share: one time axis, and one scale for each kind of chart, so that clients can be
// compared by eye.
type stage struct {
	all       []*series
	shards    shardNames
	time      scale
	latency   scale
	p95       scale
	ops       scale
	failed    scale
	redirects scale
	behind    map[*series]happenings
	tall      int // rows of names above every plot
}

// strip is a kind of chart, drawn for each series.
type strip struct {
	Title   string
	About   string // what the vertical axis shows
	Legend  []key
	Figures []figure
}

// key is an entry of a legend.
type key struct {
	Key   string // of the curves that it hides
	Class string
	Name  string
}

// figure is a chart and its numbers.
type figure struct {
	Caption string
	Picture template.HTML
	Numbers table
	Rows    int  // of names above the plot
	Timed   bool // the rows of Numbers are times
}

func newStage(all []*series) *stage {
	st := &stage{all: all, shards: newShardNames(all), behind: map[*series]happenings{}}
	long, ops, failed, redirects := 0.0, 0.0, 0.0, 0.0
	var every, p95 []float64
	for _, s := range all {
		long = max(long, length(s.shown))
		for _, w := range s.drawn {
			for _, l := range []record.Latency{w.Reads, w.Writes} {
				every = append(every, l.P50, l.P90, l.P95, l.P99)
				p95 = append(p95, l.P95)
			}
			if !isBrief(w, s.drawn) {
				ops = max(ops, perSecond(w))
			}
			failed, redirects = max(failed, float64(w.Errors)), max(redirects, float64(w.Redirects))
		}
	}
	if long == 0 {
		long = 1
	}
	st.time = timeScale(long)
	st.latency, st.p95 = latencyScale(every), latencyScale(p95)
	st.ops = whole(ops, manyTicks)
	st.failed, st.redirects = whole(failed, fewTicks), whole(redirects, fewTicks)
	for _, s := range all {
		h := newHappenings(s.spans, changes(s.shown), pageLetter, st.time)
		st.behind[s] = h
		st.tall = max(st.tall, h.tall())
	}
	return st
}

// changes returns when the topology became another.
func changes(run record.Run) []float64 {
	var at []float64
	for _, e := range run.Events {
		if e.Kind == record.Topology {
			at = append(at, e.At)
		}
	}
	return at
}

// isBrief reports whether a window is so much shorter than the first that its rate says nothing: an interrupt may come
// right after the end of a window, and what had begun by then belongs to the next one, whenever it ends.
func isBrief(w record.Window, among []record.Window) bool { return w.Seconds < among[0].Seconds/4 }

// perSecond returns the operations of a window that ended well, by second.
func perSecond(w record.Window) float64 {
	return (float64(w.Reads.Count) + float64(w.Writes.Count)) / w.Seconds
}

// draw makes a figure of one series: draw gets the plot with its frame and what happened, and fills in the curves.
func (st *stage) draw(s *series, height float64, value scale, label string, numbers table, draw func(*plot)) figure {
	p := &plot{height: height, time: st.time, value: value}
	p.open(label)
	p.frame()
	p.happenings(st.behind[s])
	draw(p)
	p.close()
	caption := s.name
	if len(st.all) == 1 {
		caption = ""
	}
	return figure{
		Caption: caption,
		Picture: template.HTML(p.String()), // made of numbers, our own words and escaped ones
		Numbers: numbers,
		Rows:    st.tall,
		Timed:   true,
	}
}

// each makes a figure for each series.
func (st *stage) each(draw func(*series) figure) []figure {
	var figures []figure
	for _, s := range st.all {
		figures = append(figures, draw(s))
	}
	return figures
}

// together returns what happened in all series at once: each experiment from the first beginning to the last end.
func (st *stage) together(letter float64) happenings {
	var spans []span
	for _, s := range st.all {
		nth := map[string]int{}
		for _, one := range s.spans {
			nth[one.name]++
			seen := 0
			at := slices.IndexFunc(spans, func(have span) bool {
				if have.name == one.name {
					seen++
				}
				return have.name == one.name && seen == nth[one.name]
			})
			if at < 0 {
				spans = append(spans, one)
				continue
			}
			spans[at].from, spans[at].to = min(spans[at].from, one.from), max(spans[at].to, one.to)
		}
	}
	slices.SortStableFunc(spans, func(a, b span) int { return compare(a.from, b.from) })
	return newHappenings(spans, nil, letter, st.time)
}

// mid returns the time that a window's percentiles stand for.
func mid(w record.Window) float64 { return w.At + w.Seconds/2 }

// fraction is where a time is on the axis, for the row of a table that belongs there.
func (st *stage) fraction(t float64) string {
	return strconv.FormatFloat(st.time.at(t), 'f', 4, 64)
}
