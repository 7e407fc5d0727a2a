package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/late"
	"github.com/keyslot-go/keyslot/internal/chaos/nemesis"
	"github.com/keyslot-go/keyslot/internal/chaos/worker"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Exit statuses.
const (
	exitOK      = 0
	exitBroken  = 1 // keyslot broke a promise, or a nemesis caused nothing
	exitUsage   = 2
	exitHarness = 3 // a cluster did not start or heal, or there is no server: nothing is known of keyslot
)

// Each makes this program another process of a run.
const (
	workerFlag = "-worker"
	lateFlag   = "-late-client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// flags are what the command line says.
type flags struct {
	seed     uint64
	seconds  int
	rounds   int
	from     int
	engine   string
	only     string
	json     bool
	keep     string
	strict   bool
	selftest bool
}

func command(ctx context.Context, args []string, out, errs io.Writer) int {
	if len(args) == 1 {
		if part := other(args[0]); part != nil {
			if err := part(ctx, os.Stdin, out); err != nil {
				fmt.Fprintln(errs, args[0], err)
				return exitHarness
			}
			return exitOK
		}
	}
	var f flags
	set := flag.NewFlagSet("chaos", flag.ContinueOnError)
	set.SetOutput(errs)
	set.Uint64Var(&f.seed, "seed", 0, "decides everything that is drawn; 0 draws the seed too")
	set.IntVar(&f.seconds, "seconds", 600, "no round begins later; each takes some 5 to 20 s")
	set.IntVar(&f.rounds, "rounds", 0, "number of rounds at most; 0: as many as begin in time")
	set.IntVar(&f.from, "from", 0, "number of the first round, to see one again")
	set.StringVar(&f.engine, "engine", "", "redis or valkey; both by default, as far as they are here")
	set.StringVar(&f.only, "only", "", "names of nemeses with commas between them; all by default")
	set.BoolVar(&f.json, "json", false, "print the JSON line alone on standard output, and the rest on standard error")
	set.StringVar(&f.keep, "keep", "", "directory to leave the records of all rounds in")
	set.BoolVar(&f.strict, "strict", false, "end with the first round that breaks something")
	set.BoolVar(&f.selftest, "selftest", false, "build clients that are broken in known ways, and see that each is caught")
	set.Usage = func() {
		fmt.Fprintf(errs, "Usage: go run ./internal/chaos [flags]\n")
		set.PrintDefaults()
		fmt.Fprintln(errs, "Nemeses:")
		for _, n := range nemesis.All() {
			fmt.Fprintf(errs, "  %-24s %s\n", n.Name, n.What)
		}
	}
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil || set.NArg() > 0:
		return exitUsage
	}
	if f.seed == 0 {
		f.seed = 1 + rand.Uint64N(1<<32-1)
	}
	if f.selftest {
		return selftest(ctx, f, out)
	}
	return chaos(ctx, f, out, errs)
}

// other returns what a run's other processes do.
func other(name string) func(context.Context, io.Reader, io.Writer) error {
	switch name {
	case workerFlag:
		return worker.Main
	case lateFlag:
		return late.Client
	}
	return nil
}

// chaos runs all rounds and prints what came of them.
func chaos(ctx context.Context, f flags, out, errs io.Writer) int {
	p, err := f.plan(errs)
	if err != nil {
		fmt.Fprintln(errs, "chaos:", err)
		return exitHarness
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(errs, "chaos:", err)
		return exitHarness
	}
	text := out
	if f.json {
		text = errs
	}
	fmt.Fprintf(text, "seed %d, for %d s, in some %d rounds; to repeat: go run ./internal/chaos %s\n",
		f.seed, f.seconds, f.estimate(), f)
	r := run{
		plan: p, from: f.from, rounds: f.rounds, lasts: time.Duration(f.seconds) * time.Second, strict: f.strict,
		self: self, keep: f.keep, late: f.only == "", log: text, report: newReport(f.seed),
	}
	if err := r.all(ctx); err != nil {
		r.report.Harness, r.report.OK = err.Error(), false
	}
	r.report.table(text)
	r.report.violations(text)
	if err := r.report.line(out); err != nil {
		fmt.Fprintln(errs, "chaos:", err)
		return exitHarness
	}
	switch {
	case len(r.report.Violations) > 0:
		return exitBroken
	case r.report.Harness != "":
		fmt.Fprintln(errs, "chaos: the harness failed:", r.report.Harness)
		return exitHarness
	}
	return exitOK
}

// roundTime is about how long a round takes, clusters included.
const roundTime = 11 * time.Second

func (f flags) estimate() int {
	rounds := 1 + int(time.Duration(f.seconds)*time.Second/roundTime)
	if f.rounds > 0 {
		rounds = min(rounds, f.rounds)
	}
	return rounds
}

// String returns the flags that repeat the run.
func (f flags) String() string {
	s := fmt.Sprintf("-seed %d -seconds %d", f.seed, f.seconds)
	if f.rounds > 0 {
		s += fmt.Sprintf(" -rounds %d", f.rounds)
	}
	if f.from > 0 {
		s += fmt.Sprintf(" -from %d", f.from)
	}
	if f.engine != "" {
		s += " -engine " + f.engine
	}
	if f.only != "" {
		s += " -only " + f.only
	}
	return s
}

// plan returns what to run, on the servers that are here. It says on notes which are not.
func (f flags) plan(notes io.Writer) (plan, error) {
	p := plan{seed: f.seed}
	for _, name := range realcluster.Names() {
		if f.engine != "" && f.engine != name {
			continue
		}
		engine, err := realcluster.Find(name)
		if err != nil {
			fmt.Fprintf(notes, "skipped: %v\n", err)
			continue
		}
		for _, resp := range []int{2, 3} {
			p.setups = append(p.setups, setup{engine, resp, false}, setup{engine, resp, true})
		}
	}
	if len(p.setups) == 0 {
		return p, fmt.Errorf("no server to run on (`make test` fetches servers where it can)")
	}
	known := map[string]nemesis.Nemesis{}
	for _, n := range nemesis.All() {
		known[n.Name] = n
	}
	if f.only == "" {
		p.nemeses = nemesis.All()
		return p, nil
	}
	for name := range strings.SplitSeq(f.only, ",") {
		n, ok := known[name]
		if !ok {
			return p, fmt.Errorf("there is no nemesis %q; -h lists them", name)
		}
		p.nemeses = append(p.nemeses, n)
	}
	return p, nil
}
