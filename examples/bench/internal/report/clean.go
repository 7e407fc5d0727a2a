package report

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// Bounds of what is drawn. A file may hold anything, and the arithmetic behind the charts must stay finite.
const (
	mostSeconds  = 1e9
	leastSeconds = 1e-6 // of a window: rates are by its length
	mostMicros   = 1e12
	mostCount    = 1e15
	lastSlot     = 16383
)

// clean returns a copy of r with no value that a chart or an average would stumble over: NaN, infinities and what is
// less than nothing become 0, windows without a length are left out, everything is in the order of time, and texts are
// free of control characters.
func clean(r record.Record) record.Record {
	r.Title, r.Command = printable(r.Title), printable(r.Command)
	r.Machine.OS, r.Machine.CPU, r.Machine.Go = printable(r.Machine.OS), printable(r.Machine.CPU), printable(r.Machine.Go)
	if math.IsNaN(r.Machine.Load) || math.IsInf(r.Machine.Load, 0) {
		r.Machine.Load = -1
	}
	r.Server.Endpoint, r.Server.Version = printable(r.Server.Endpoint), printable(r.Server.Version)
	r.Server.Where = printable(r.Server.Where)
	r.Settings = each(r.Settings, func(s *record.Setting) { s.Name, s.Value = printable(s.Name), printable(s.Value) })
	r.Runs = each(r.Runs, cleanRun)
	return r
}

// each returns a copy of values with change done to every one.
func each[T any](values []T, change func(*T)) []T {
	values = slices.Clone(values)
	for i := range values {
		change(&values[i])
	}
	return values
}

func cleanRun(r *record.Run) {
	r.Client, r.Version, r.Conns = printable(r.Client), printable(r.Version), printable(r.Conns)
	r.Warmup, r.Duration = stretch(r.Warmup), stretch(r.Duration)
	r.Reads, r.Writes = cleanLatency(r.Reads), cleanLatency(r.Writes)
	r.Errors = each(r.Errors, func(e *record.Error) { e.Text, e.Count = printable(e.Text), whole64(e.Count) })
	r.Usage.CPUPerOp = between(r.Usage.CPUPerOp, mostMicros)
	r.Usage.AllocsPerOp = between(r.Usage.AllocsPerOp, mostCount)
	r.Usage.BytesPerOp = between(r.Usage.BytesPerOp, mostCount)
	r.Windows = each(r.Windows, cleanWindow)
	r.Windows = slices.DeleteFunc(r.Windows, func(w record.Window) bool { return w.Seconds == 0 })
	slices.SortStableFunc(r.Windows, func(a, b record.Window) int { return compare(a.At, b.At) })
	r.Phases = each(r.Phases, func(p *record.Phase) {
		p.Name, p.At, p.Seconds = printable(p.Name), between(p.At, mostSeconds), stretch(p.Seconds)
		p.Reads, p.Writes, p.Errors = cleanLatency(p.Reads), cleanLatency(p.Writes), whole64(p.Errors)
	})
	slices.SortStableFunc(r.Phases, func(a, b record.Phase) int { return compare(a.At, b.At) })
	r.Events = each(r.Events, func(e *record.Event) { e.At, e.Kind, e.Text = instant(e.At), printable(e.Kind), printable(e.Text) })
	slices.SortStableFunc(r.Events, func(a, b record.Event) int { return compare(a.At, b.At) })
	r.Ownership = each(r.Ownership, cleanOwnership)
	slices.SortStableFunc(r.Ownership, func(a, b record.Ownership) int { return compare(a.At, b.At) })
}

func cleanWindow(w *record.Window) {
	w.At, w.Seconds = between(w.At, mostSeconds), stretch(w.Seconds)
	w.Reads, w.Writes = cleanLatency(w.Reads), cleanLatency(w.Writes)
	w.Errors, w.Redirects = whole64(w.Errors), whole64(w.Redirects)
	w.Shards = each(w.Shards, func(s *record.ShardRate) { s.Shard, s.Ops = printable(s.Shard), whole64(s.Ops) })
}

func cleanLatency(l record.Latency) record.Latency {
	l.Count = whole64(l.Count)
	if l.Count == 0 {
		return record.Latency{}
	}
	for _, v := range []*float64{&l.P50, &l.P90, &l.P95, &l.P99, &l.Max} {
		*v = between(*v, mostMicros)
	}
	return l
}

func cleanOwnership(o *record.Ownership) {
	o.At = max(0, instant(o.At)) // who had which slots when it began
	o.Shards = each(o.Shards, func(s *record.ShardSlots) {
		s.Shard, s.Node = printable(s.Shard), printable(s.Node)
		s.Ranges = slices.DeleteFunc(slices.Clone(s.Ranges), func(r [2]uint16) bool { return r[0] > r[1] || r[1] > lastSlot })
	})
}

// between returns a length: v, if it is one, and at most the bound.
func between(v, most float64) float64 {
	if !(v > 0) { // NaN is not
		return 0
	}
	return min(v, most)
}

// stretch returns how long something was; 0 where that is too short to be true.
func stretch(v float64) float64 {
	if v = between(v, mostSeconds); v < leastSeconds {
		return 0
	}
	return v
}

// instant returns a time, which is less than 0 where something came before the measured part of a run.
func instant(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return clamp(v, -mostSeconds, mostSeconds)
}

func whole64(n int64) int64 { return max(0, min(n, mostCount)) }

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// printable replaces what no text shows and what XML forbids: control characters, those that turn the direction of the
// text around them, and bytes that are no UTF-8.
func printable(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\uFFFE' || r == '\uFFFF':
			return '\uFFFD'
		}
		return r
	}, text)
}
