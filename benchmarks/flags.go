package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// options are what the command line says.
type options struct {
	quick   bool
	json    bool
	plot    string // file; empty: no plot
	out     string // file of the journal; empty: none
	addr    string
	cells   *regexp.Regexp // nil: all
	clients *regexp.Regexp // nil: those of each cell
	rounds  int
	measure time.Duration // of each run
	warmUp  time.Duration
	profile string
}

// How long a run may measure: what is longer than the longest is a typing error, or overflows.
const (
	shortestRun = time.Millisecond
	longestRun  = time.Hour
)

func parseFlags(args []string) (options, error) {
	var (
		o       options
		seconds float64
		flags   = flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	)
	flags.BoolVar(&o.quick, "quick", false, "only GET of 64 B against rueidis and go-redis, in less than a minute")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	flags.StringVar(&o.plot, "plot", "", "also draw charts into this HTML `file`")
	flags.StringVar(&o.out, "out", "",
		"`file` that keeps what was measured, and is continued (default benchmarks/results/full.jsonl\n"+
			"for the full run; none with -quick, -cells or -clients)")
	flags.StringVar(&o.addr, "addr", "",
		"`host:port` of a running cluster to use instead of starting one; overwrites its keys key:* and big:*,\n"+
			"and leaves out the cells that need another kind of cluster")
	flags.Func("cells", "run only the cells whose name matches this `regexp`", pattern(&o.cells))
	flags.Func("clients", "run the clients whose name matches this `regexp`, also those that are not in a cell by default",
		pattern(&o.clients))
	flags.IntVar(&o.rounds, "rounds", 0, "`number` of rounds (default 5, with -quick 3)")
	flags.Float64Var(&seconds, "seconds", 0, "how long each run measures (default 1.5, with -quick 0.8)")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of the client to this `file`; choose one cell and one client")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if o.rounds < 0 {
		return o, errors.New("-rounds must be positive")
	}
	least, most := shortestRun.Seconds(), longestRun.Seconds()
	if seconds != 0 && !(seconds >= least && seconds <= most) { // nor NaN
		return o, fmt.Errorf("-seconds %g: must be from %g to %g", seconds, least, most)
	}
	o.setLength(seconds)
	return o, o.setOut()
}

func pattern(p **regexp.Regexp) func(string) error {
	return func(s string) (err error) {
		*p, err = regexp.Compile(s)
		return err
	}
}

// setLength fills in how many rounds there are and how long their runs take. More rounds beat longer runs: what counts
// are medians of pairs. The spot check has less than a minute for its 36 runs, the full run 75 minutes for some 1,700.
func (o *options) setLength(seconds float64) {
	rounds := 5
	o.measure, o.warmUp = 1500*time.Millisecond, 500*time.Millisecond
	if o.quick {
		rounds = 3
		o.measure, o.warmUp = 800*time.Millisecond, 200*time.Millisecond
	}
	if o.rounds == 0 {
		o.rounds = rounds
	}
	if seconds > 0 {
		o.measure = time.Duration(seconds * float64(time.Second))
	}
}

// setOut gives the full run a journal.
func (o *options) setOut() error {
	if o.out != "" || o.quick || o.cells != nil || o.clients != nil {
		return nil
	}
	root, err := realcluster.RepositoryRoot()
	if err != nil {
		return fmt.Errorf("no place for the results, name one with -out: %w", err)
	}
	o.out = filepath.Join(root, "benchmarks", "results", "full.jsonl")
	return nil
}
