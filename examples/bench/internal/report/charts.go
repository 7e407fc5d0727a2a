package report

import (
	"fmt"
	"slices"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// How tall plots are, in pixels.
const (
	tallLatency = 190
	tallRate    = 150
	tallSlots   = 130
	tallCount   = 64
	tallLane    = 20
)

// percentiles are drawn in this order, so that the one that matters most lies on top.
var percentiles = [...]struct {
	name string
	of   func(record.Latency) float64
}{
	{"p50", func(l record.Latency) float64 { return l.P50 }},
	{"p90", func(l record.Latency) float64 { return l.P90 }},
	{"p99", func(l record.Latency) float64 { return l.P99 }},
	{"p95", func(l record.Latency) float64 { return l.P95 }},
}

// ordered are the columns and legends of percentiles.
var ordered = [...]string{"p50", "p90", "p95", "p99"}

// kind is reads or writes.
type kind struct {
	name string
	of   func(record.Window) record.Latency
}

var kinds = [...]kind{
	{"reads", func(w record.Window) record.Latency { return w.Reads }},
	{"writes", func(w record.Window) record.Latency { return w.Writes }},
}

// strips returns all charts of single series, from the top of the page down.
func (st *stage) strips() []strip {
	var strips []strip
	for _, k := range kinds {
		strips = append(strips, st.latencyStrip(k))
	}
	return append(strips, st.rateStrip(), st.shardStrip(), st.slotStrip(), st.eventStrip(),
		st.countStrip("Failed operations", "failed", st.failed, func(w record.Window) int64 { return w.Errors }),
		st.countStrip("Redirects", "redirected", st.redirects, func(w record.Window) int64 { return w.Redirects }))
}

func (st *stage) latencyStrip(k kind) strip {
	made := strip{Title: "Latency of " + k.name,
		About: "time from call to reply, by percentile of a window" + logarithmically(st.latency)}
	for _, name := range ordered {
		made.Legend = append(made.Legend, key{name, name, name})
	}
	made.Figures = st.each(func(s *series) figure {
		numbers := table{Columns: columns("time", "p50, ms", "p90, ms", "p95, ms", "p99, ms", "operations")}
		for _, w := range s.drawn {
			l := k.of(w)
			numbers.add(st.fraction(mid(w)), moment(w.At), ms(l, l.P50), ms(l, l.P90), ms(l, l.P95), ms(l, l.P99),
				count(float64(l.Count)))
		}
		return st.draw(s, tallLatency, st.latency, made.Title+", "+s.name+": "+summary(s.drawn, k), numbers, func(p *plot) {
			any := false
			p.inside(func() {
				for _, one := range percentiles {
					points := pointsOf(s.drawn, k, one.of)
					p.line(one.name, one.name, points)
					any = any || slices.ContainsFunc(points, func(at point) bool { return !at.gap })
				}
			})
			if !any {
				p.say("no " + k.name + " ended")
			}
		})
	})
	return made
}

func logarithmically(s scale) string {
	if s.logarithmic {
		return " (logarithmic)"
	}
	return ""
}

// pointsOf returns a value of each window, and a gap where nothing ended.
func pointsOf(windows []record.Window, k kind, of func(record.Latency) float64) []point {
	var points []point
	for _, w := range windows {
		l := k.of(w)
		points = append(points, point{w.At, w.Seconds, of(l), l.Count == 0})
	}
	return points
}

// summary says in words what a latency chart shows.
func summary(windows []record.Window, k kind) string {
	low, high, at := 0.0, 0.0, 0.0
	for _, w := range windows {
		l := k.of(w)
		if l.Count == 0 {
			continue
		}
		if low == 0 || l.P95 < low {
			low = l.P95
		}
		if l.P95 >= high {
			high, at = l.P95, w.At
		}
	}
	if high == 0 {
		return "nothing measured"
	}
	return fmt.Sprintf("p95 between %s and %s, highest at %s", latency(low), latency(high), moment(at))
}

func (st *stage) rateStrip() strip {
	made := strip{Title: "Throughput", About: "operations per second that ended well",
		Legend: []key{{"all", "all", "reads and writes"}, {"reads", "reads", "reads"}, {"writes", "writes", "writes"}}}
	made.Figures = st.each(func(s *series) figure {
		numbers := table{Columns: columns("time", "all per second", "reads per second", "writes per second")}
		var all, reads, writes []point
		for _, w := range s.drawn {
			if isBrief(w, s.drawn) {
				continue
			}
			r, wr := float64(w.Reads.Count)/w.Seconds, float64(w.Writes.Count)/w.Seconds
			all = append(all, point{w.At, w.Seconds, r + wr, false})
			reads, writes = append(reads, point{w.At, w.Seconds, r, false}), append(writes, point{w.At, w.Seconds, wr, false})
			numbers.add(st.fraction(mid(w)), moment(w.At), count(r+wr), count(r), count(wr))
		}
		return st.draw(s, tallRate, st.ops, made.Title+", "+s.name+": "+extremes(all), numbers, func(p *plot) {
			p.inside(func() {
				p.line("writes", "writes", writes)
				p.line("reads", "reads", reads)
				p.line("all", "all", all)
			})
			if len(all) == 0 {
				p.say("nothing measured")
			}
		})
	})
	return made
}

// extremes says in words what a throughput chart shows.
func extremes(points []point) string {
	if len(points) == 0 {
		return "nothing measured"
	}
	low, high := points[0].value, points[0].value
	for _, at := range points {
		low, high = min(low, at.value), max(high, at.value)
	}
	return fmt.Sprintf("between %s and %s operations per second", count(low), count(high))
}

// shardLegend has a colour for each shard.
func (st *stage) shardLegend() []key {
	var legend []key
	for i, name := range st.shards.names {
		legend = append(legend, key{fmt.Sprint("s", i), shade(i) + " wide", name})
	}
	return legend
}

func (st *stage) shardStrip() strip {
	made := strip{Title: "Throughput by shard", About: "operations per second, one shard on top of the other",
		Legend: st.shardLegend()}
	made.Figures = st.each(func(s *series) figure {
		numbers := table{Columns: columns(append([]string{"time"}, st.shards.names...)...)}
		stacks := make([][]box, len(st.shards.names))
		for _, w := range s.drawn {
			if isBrief(w, s.drawn) {
				continue
			}
			below, cells := 0.0, []string{moment(w.At)}
			for i, up := range st.shards.rates(w) {
				top := tallRate * (1 - st.ops.at(below+up))
				stacks[i] = append(stacks[i], box{w.At, w.At + w.Seconds, top, tallRate * (1 - st.ops.at(below))})
				below += up
				cells = append(cells, count(up))
			}
			numbers.add(st.fraction(mid(w)), cells...)
		}
		told := slices.ContainsFunc(s.drawn, func(w record.Window) bool { return len(w.Shards) > 0 })
		return st.draw(s, tallRate, st.ops, made.Title+", "+s.name+": "+s.shardSummary(), numbers, func(p *plot) {
			p.inside(func() {
				for i := range stacks {
					p.boxes(shade(i), fmt.Sprint("s", i), stacks[i])
				}
			})
			p.edges(st.behind[s])
			if !told {
				p.say("this client does not tell")
			}
		})
	})
	return made
}

// shardSummary says in words how the load was spread in the end.
func (s *series) shardSummary() string {
	for _, w := range slices.Backward(s.shown.Windows) {
		if len(w.Shards) == 0 || isBrief(w, s.shown.Windows) {
			continue
		}
		var parts []string
		for _, shard := range w.Shards {
			parts = append(parts, shard.Shard+" "+count(float64(shard.Ops)/w.Seconds))
		}
		return "at the end " + enumerate(parts) + " per second"
	}
	return "not told"
}

func (st *stage) countStrip(title, class string, value scale, of func(record.Window) int64) strip {
	made := strip{Title: title, About: "in each window"}
	made.Figures = st.each(func(s *series) figure {
		numbers := table{Columns: columns("time", title)}
		var bars []box
		total := 0.0
		for _, w := range s.drawn {
			n := float64(of(w))
			total += n
			numbers.add(st.fraction(mid(w)), moment(w.At), count(n))
			if n > 0 { // also where it is one among thousands
				bars = append(bars, box{w.At, w.At + w.Seconds, min(tallCount*(1-value.at(n)), tallCount-2), tallCount})
			}
		}
		label := fmt.Sprintf("%s, %s: %s in all", title, s.name, count(total))
		return st.draw(s, tallCount, value, label, numbers, func(p *plot) {
			p.inside(func() { p.boxes(class, class, bars) })
			if len(bars) == 0 {
				p.say("none")
			}
		})
	})
	return made
}

// overlay draws p95 of one kind of all series in one plot.
func (st *stage) overlay(k kind) strip {
	made := strip{Title: "p95 of " + k.name, About: "time from call to reply" + logarithmically(st.p95)}
	names := []string{"time"}
	for i, s := range st.all {
		made.Legend = append(made.Legend, key{fmt.Sprint("c", i), s.class(), s.name})
		names = append(names, s.name+", ms")
	}
	numbers := table{Columns: columns(names...)}
	longest := slices.MaxFunc(st.all, func(a, b *series) int { return len(a.drawn) - len(b.drawn) })
	for _, w := range longest.drawn {
		cells := []string{moment(w.At)}
		for _, s := range st.all {
			cells = append(cells, p95At(s, k, mid(w)))
		}
		numbers.add(st.fraction(mid(w)), cells...)
	}
	p := st.overlaid(k, tallLatency+30)
	made.Figures = []figure{{Picture: p, Numbers: numbers, Rows: st.together(pageLetter).tall(), Timed: true}}
	return made
}

// class is how a series is drawn beside others: the colour of its client, dashed where each call has its own connection.
func (s *series) class() string {
	if s.fresh {
		return s.hue + " dashed"
	}
	return s.hue
}

// p95At returns the cell of the window of s at a time.
func p95At(s *series, k kind, at float64) string {
	for _, w := range s.drawn {
		if w.At <= at && at < w.At+w.Seconds {
			return ms(k.of(w), k.of(w).P95)
		}
	}
	return nothing
}
