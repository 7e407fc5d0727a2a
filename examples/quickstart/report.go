package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/keyslot-go/keyslot"
)

// progress shows how the load goes while it does: in one line that changes on a terminal, else in a line each second.
type progress struct {
	out   io.Writer
	live  bool
	load  *load
	start time.Time
	width int // of the line on the terminal
}

func newProgress(out io.Writer, live bool, l *load) *progress {
	return &progress{out: out, live: live, load: l, start: time.Now()}
}

// during shows the progress until run returns.
func (p *progress) during(run func() error) error {
	every := time.Second
	if p.live {
		every = 100 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	done := make(chan error, 1)
	go func() { done <- run() }() // ends with the phase, which is waited for here
	for {
		select {
		case <-tick.C:
			p.show()
		case err := <-done:
			p.show()
			return err
		}
	}
}

func (p *progress) show() {
	var commands, failed, moved, asked int64
	for i := range p.load.tallies {
		t := &p.load.tallies[i]
		commands += t.commands.Load()
		failed += t.failed.Load()
		moved += t.moved.Load()
		asked += t.asked.Load()
	}
	line := fmt.Sprintf("%5.1fs  %-6s  %9s commands  %d errors  %s MOVED  %s ASK  %d shards",
		time.Since(p.start).Seconds(), p.load.phases[p.load.current.Load()].name,
		grouped(commands), failed, grouped(moved), grouped(asked), len(p.load.client.Topology().Shards))
	if !p.live {
		fmt.Fprintln(p.out, line)
		return
	}
	fmt.Fprintf(p.out, "\r%-*s", p.width, line) // over all of the line before
	p.width = len(line)
}

func (p *progress) end() {
	if p.live {
		fmt.Fprintln(p.out)
	}
}

// isTerminal reports whether f is a terminal, or another device that nobody reads as a file.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// report is what the program ends with.
type report struct {
	load          *load
	before, after keyslot.Topology
	interrupted   bool
}

func (r *report) failed() (n int64) {
	for i := range r.load.tallies {
		n += r.load.tallies[i].failed.Load()
	}
	return n
}

// ok reports whether no command failed and all values read were the ones written.
func (r *report) ok() bool {
	return r.failed() == 0 && r.load.wrong.Load() == 0 && r.load.reads.Load() > 0
}

func (r *report) print(out io.Writer) {
	r.printPhases(out)
	r.printSlots(out)
	fmt.Fprintln(out)
	for _, text := range r.load.complaints {
		fmt.Fprintln(out, "  ", text)
	}
	if r.interrupted {
		fmt.Fprint(out, "Interrupted. ")
	}
	reads, wrong := r.load.reads.Load(), r.load.wrong.Load()
	if r.ok() {
		fmt.Fprintf(out, "OK: no command failed, and all %s values read were the ones written.\n", grouped(reads))
		return
	}
	fmt.Fprintf(out, "FAILED: %s commands failed, and %s of %s values read were not the ones written.\n",
		grouped(r.failed()), grouped(wrong), grouped(reads))
}

func (r *report) printPhases(out io.Writer) {
	t := newTable(out)
	t.row("", "commands", "errors", "MOVED", "ASK", "p50", "p95", "p99")
	for i, phase := range r.load.phases {
		var latency []time.Duration
		for _, w := range r.load.workers {
			latency = append(latency, w.latency[i]...)
		}
		slices.Sort(latency)
		n := &r.load.tallies[i]
		t.row(phase.name, grouped(n.commands.Load()), grouped(n.failed.Load()), grouped(n.moved.Load()), grouped(n.asked.Load()),
			percentile(latency, 50), percentile(latency, 95), percentile(latency, 99))
	}
	t.Flush()
}

func (r *report) printSlots(out io.Writer) {
	before, after := slotsOf(r.before), slotsOf(r.after)
	t := newTable(out)
	t.row("", "slots before", "slots after")
	for _, shard := range r.before.Shards {
		addr := shard.Primary.Addr()
		t.row(addr, grouped(before[addr]), grouped(after[addr]))
	}
	for _, shard := range r.after.Shards {
		if addr := shard.Primary.Addr(); before[addr] == 0 {
			t.row(addr, "-", grouped(after[addr]))
		}
	}
	t.Flush()
}

// slotsOf returns how many slots each primary owns.
func slotsOf(t keyslot.Topology) map[string]int64 {
	owned := map[string]int64{}
	for _, shard := range t.Shards {
		for _, run := range shard.Slots {
			owned[shard.Primary.Addr()] += int64(run.Last) - int64(run.First) + 1
		}
	}
	return owned
}

type table struct{ *tabwriter.Writer }

func newTable(out io.Writer) table {
	fmt.Fprintln(out)
	return table{tabwriter.NewWriter(out, 10, 0, 3, ' ', tabwriter.AlignRight)}
}

func (t table) row(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")+"\t") }

// percentile returns the p-th percentile of sorted durations, in milliseconds.
func percentile(sorted []time.Duration, p int) string {
	if len(sorted) == 0 {
		return "-"
	}
	d := sorted[(len(sorted)-1)*p/100]
	return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
}

// grouped writes a number as 1,234,567.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
