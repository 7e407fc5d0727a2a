package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
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
	go func() { done <- run() }() // ends with run, which is waited for below
	for {
		select {
		case <-tick.C:
			p.show()
		case err := <-done:
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
	rows := [][]string{{"", "commands", "errors", "MOVED", "ASK", "p50", "p95", "p99"}}
	for i, phase := range r.load.phases {
		var latency []time.Duration
		for _, w := range r.load.workers {
			latency = append(latency, w.latency[i]...)
		}
		slices.Sort(latency)
		n := &r.load.tallies[i]
		rows = append(rows, []string{
			phase.name,
			grouped(n.commands.Load()), grouped(n.failed.Load()), grouped(n.moved.Load()), grouped(n.asked.Load()),
			percentile(latency, 50), percentile(latency, 95), percentile(latency, 99),
		})
	}
	printTable(out, rows)
}

func (r *report) printSlots(out io.Writer) {
	before, after := slotsOf(r.before), slotsOf(r.after)
	primaries := slices.Sorted(maps.Keys(before))
	for _, addr := range slices.Sorted(maps.Keys(after)) { // new ones go last
		if _, known := before[addr]; !known {
			primaries = append(primaries, addr)
		}
	}
	rows := [][]string{{"slots owned by", "before", "after"}}
	for _, addr := range primaries {
		rows = append(rows, []string{addr, grouped(before[addr]), grouped(after[addr])})
	}
	printTable(out, rows)
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

// printTable sets the first column to the left and the others, which hold numbers, to the right.
func printTable(out io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	fmt.Fprintln(out)
	for _, row := range rows {
		fmt.Fprintf(out, "  %-*s", widths[0], row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(out, "  %*s", max(widths[1+i], 8), cell)
		}
		fmt.Fprintln(out)
	}
}

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
