package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/output"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
	"github.com/keyslot-go/keyslot/examples/bench/internal/watch"
)

// colours tell shards apart: 256-colour codes that differ in brightness too, for those who see no hues.
var colours = [...]int{39, 214, 71, 170, 37, 203, 147, 136} // never written

// MostEvents is how many of the last events there is room for.
const MostEvents = 6

const (
	mostShards = 8 // lines
	enough     = 5 // seconds of a window that tell something
	bold       = "\x1b[1m"
	dim        = "\x1b[2m"
	red        = "\x1b[31m"
	plain      = "\x1b[0m"
)

// picture draws a state in lines of at most width columns.
func picture(s State, width int) []string {
	w := s.shown()
	lines := []string{bold + fit(s.Title, width) + plain, progress(s, width)}
	header := fmt.Sprintf("%-8s %10s %9s %9s %9s %9s %9s", "", "ops/s", "p50", "p90", "p95", "p99", "max")
	lines = append(lines, dim+fit(header, width)+plain,
		fit(latencies("reads", w.Reads, w.Seconds), width),
		fit(latencies("writes", w.Writes, w.Seconds), width),
		counters(s, width), bar(s.Owners, width))
	lines = append(lines, shards(s, width)...)
	for _, e := range s.Events[max(0, len(s.Events)-MostEvents):] {
		lines = append(lines, dim+fit(eventLine(e), width)+plain)
	}
	return lines
}

// shown is the window under way, as soon as it tells something, and the one before it until then.
func (s State) shown() record.Window {
	if s.Live.Window.Seconds < min(enough, s.Last.Seconds) {
		return s.Last
	}
	return s.Live.Window
}

// fit cuts text to width columns. All of it is ASCII but what servers say in errors.
func fit(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:max(0, width-1)]) + "~"
}

func progress(s State, width int) string {
	if !s.Measuring {
		return fit("warming up", width)
	}
	window := s.Live.Window
	elapsed := time.Duration((window.At + window.Seconds) * float64(time.Second))
	label := fmt.Sprintf(" %s of %s", clock(elapsed), clock(s.Duration))
	cells := max(0, min(60, width-len(label)))
	full := min(cells, int(float64(cells)*elapsed.Seconds()/s.Duration.Seconds()))
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full) + fit(label, width-cells)
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func latencies(name string, l record.Latency, seconds float64) string {
	rate := 0.0
	if seconds > 0 {
		rate = float64(l.Count) / seconds
	}
	return fmt.Sprintf("%-8s %10s %9s %9s %9s %9s %9s", name, output.Grouped(int64(rate)),
		output.Micros(l.P50), output.Micros(l.P90), output.Micros(l.P95), output.Micros(l.P99), output.Micros(l.Max))
}

func counters(s State, width int) string {
	text := fit(fmt.Sprintf("now %s/s   errors %s   redirects %s   above: %.1f s from %.1f s on",
		output.Grouped(int64(s.Live.Rate)), output.Grouped(s.Live.Errors), output.Grouped(s.Live.Redirects),
		s.shown().Seconds, s.shown().At), width)
	if s.Live.Errors > 0 {
		return red + text + plain
	}
	return text
}

// bar shows the slots from the first to the last, each cell in the colour of the shard that has most of it.
func bar(o record.Ownership, width int) string {
	cells := min(64, width-len("slots    "))
	var b strings.Builder
	b.WriteString(fit("slots    ", width))
	for cell := range max(0, cells) {
		first, last := slotCount*cell/cells, slotCount*(cell+1)/cells-1
		owner := mostOf(o, first, last)
		if owner < 0 {
			b.WriteString(plain + "·")
			continue
		}
		fmt.Fprintf(&b, "\x1b[38;5;%dm█", colours[owner%len(colours)])
	}
	return b.String() + plain
}

const slotCount = 16384

// mostOf returns which shard has most of a range of slots; -1: nobody has any.
func mostOf(o record.Ownership, first, last int) int {
	best, most := -1, 0
	for i, s := range o.Shards {
		n := 0
		for _, r := range s.Ranges {
			n += max(0, min(int(r[1]), last)-max(int(r[0]), first)+1)
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}

func shards(s State, width int) []string {
	var lines []string
	window := s.shown()
	for i, shard := range s.Owners.Shards {
		if i == mostShards {
			return append(lines, fit(fmt.Sprintf("and %d shards more", len(s.Owners.Shards)-i), width))
		}
		rate := 0.0
		for _, r := range window.Shards {
			if r.Shard == shard.Shard && window.Seconds > 0 {
				rate = float64(r.Ops) / window.Seconds
			}
		}
		text := fmt.Sprintf("%-8s %10s/s %6d slots  %s", shard.Shard, output.Grouped(int64(rate)), watch.Slots(shard), shard.Node)
		lines = append(lines, fmt.Sprintf("\x1b[38;5;%dm%s%s", colours[i%len(colours)], fit(text, width), plain))
	}
	return lines
}

// windowLine says when the window ended, so that times rise from line to line.
func windowLine(s State, w record.Window) string {
	return fmt.Sprintf("%7.1f s  %s/s  reads p50 %s p95 %s p99 %s  writes p50 %s p95 %s p99 %s  errors %d  redirects %d  %s",
		w.At+w.Seconds, output.Grouped(int64(float64(w.Reads.Count+w.Writes.Count)/w.Seconds)),
		output.Micros(w.Reads.P50), output.Micros(w.Reads.P95), output.Micros(w.Reads.P99),
		output.Micros(w.Writes.P50), output.Micros(w.Writes.P95), output.Micros(w.Writes.P99),
		w.Errors, w.Redirects, watch.Brief(s.Owners))
}

func eventLine(e record.Event) string {
	return fmt.Sprintf("%7.1f s  %-10s %s", e.At, e.Kind, e.Text)
}
