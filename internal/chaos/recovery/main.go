package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// figure is one thing that is measured, on clusters of its own.
type figure struct {
	name    string
	about   string
	measure func(ctx context.Context, b *bench) error
}

func figures() []figure {
	return []figure{
		{"planned", "planned failover, reshard, scale-out, scale-in, rolling replacement", planned},
		{"kill", "SIGKILL of a primary", kills},
		{"stop", "SIGSTOP of a primary for 8 s, with and without full coverage", stops},
		{"blackhole", "a connection that passes nothing any more", blackHoles},
		{"addresses", "all addresses replaced behind the configuration name", addresses},
		{"freeze", "the client's process frozen for 20 s, its connections killed or black-holed", freezes},
		{"reset", "RST in the middle of replies", resets},
		{"herd", "200 clients and a failover", herds},
		{"cancel", "a storm of cancelled commands", cancelStorm},
	}
}

// bench is what the figures share: what was asked for, and what has come of it.
type bench struct {
	engine realcluster.Engine
	kills  int // how many primaries to kill
	runs   int // how often what is given as a median is run
	rate   int // commands a second
	rows   []row
}

// row is one line of the result.
type row struct {
	Figure  string   `json:"figure"`
	Measure string   `json:"measure"`
	Got     float64  `json:"got"`
	Unit    string   `json:"unit,omitempty"`
	Target  *float64 `json:"target,omitempty"` // at most; nil where there is none
	Met     bool     `json:"met"`
}

// atMost adds a row with a target.
func (b *bench) atMost(figure, measure string, got, target float64, unit string) {
	b.rows = append(b.rows, row{figure, measure, got, unit, &target, got <= target})
	b.tell()
}

// note adds a row without one.
func (b *bench) note(figure, measure string, got float64, unit string) {
	b.rows = append(b.rows, row{Figure: figure, Measure: measure, Got: got, Unit: unit, Met: true})
	b.tell()
}

// tell shows the last row as it comes, for whoever waits for the table.
func (b *bench) tell() {
	r := b.rows[len(b.rows)-1]
	fmt.Fprintf(os.Stderr, "%s  %s: %s %s\n", time.Now().Format("15:04:05"), r.Figure, r.Measure, r.value())
}

func (r row) value() string {
	return strings.TrimSpace(strings.TrimSuffix(fmt.Sprintf("%.2f", r.Got), ".00") + " " + r.Unit)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		child()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	met, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "recovery:", err)
	}
	if err != nil || !met {
		os.Exit(1)
	}
}

func run(ctx context.Context) (met bool, err error) {
	var names []string
	for _, f := range figures() {
		names = append(names, f.name)
	}
	b := new(bench)
	only := flag.String("only", "", "figures to measure, comma between them: "+strings.Join(names, ", ")+"; all by default")
	engine := flag.String("engine", "redis", "servers: redis or valkey")
	flag.IntVar(&b.kills, "kills", 20, "primaries to kill")
	flag.IntVar(&b.runs, "runs", 5, "runs of what is given as a median")
	flag.IntVar(&b.rate, "rate", 4000, "commands a second, over all clients")
	flag.Parse()
	if err := b.check(); err != nil {
		return false, err
	}
	if b.engine, err = realcluster.Find(*engine); err != nil {
		return false, err
	}
	wanted := names
	if *only != "" {
		wanted = strings.Split(*only, ",")
	}
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			return false, fmt.Errorf("there is no figure %q, only %s", name, strings.Join(names, ", "))
		}
	}
	for _, f := range figures() {
		if !slices.Contains(wanted, f.name) {
			continue
		}
		if err := f.measure(ctx, b); err != nil {
			return false, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return b.report()
}

// check refuses to measure nothing, which would meet every target.
func (b *bench) check() error {
	if min(b.kills, b.runs, b.rate) < 1 {
		return errors.New("-kills, -runs and -rate must be 1 at least: nothing would be measured, and every target met")
	}
	return nil
}

// report prints the table and the JSON line.
func (b *bench) report() (met bool, err error) {
	out := bufio.NewWriter(os.Stdout)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "figure\tmeasure\tkeyslot\ttarget\t\n")
	met = true
	for _, r := range b.rows {
		target, verdict := "", ""
		if r.Target != nil {
			target = "<= " + row{Got: *r.Target, Unit: r.Unit}.value()
		}
		if !r.Met {
			met, verdict = false, "MISSED"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.Figure, r.Measure, r.value(), target, verdict)
	}
	if err := table.Flush(); err != nil {
		return false, err
	}
	line, err := json.Marshal(map[string]any{"recovery": b.rows, "engine": b.engine.Name + " " + b.engine.Version, "met": met})
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "%s\n", line)
	return met, out.Flush()
}
