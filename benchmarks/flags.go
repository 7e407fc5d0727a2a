package main

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"time"
)

// options are what the command line says.
type options struct {
	quick   bool
	json    bool
	addr    string
	cells   *regexp.Regexp // nil: all
	clients *regexp.Regexp // nil: those of each cell
	rounds  int
	measure time.Duration // of each run
	warmUp  time.Duration
	profile string
}

func parseFlags(args []string) (options, error) {
	var (
		o       options
		seconds float64
		flags   = flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	)
	flags.BoolVar(&o.quick, "quick", false, "only GET of 64 B against rueidis and go-redis, in less than a minute")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	flags.StringVar(&o.addr, "addr", "", "`host:port` of a running cluster to use, instead of starting one; its keys key:* and big:* are overwritten")
	flags.Func("cells", "run only the cells whose name matches this `regexp`", pattern(&o.cells))
	flags.Func("clients", "run the clients whose name matches this `regexp`, also those that are not in a cell by default", pattern(&o.clients))
	flags.IntVar(&o.rounds, "rounds", 3, "`number` of rounds")
	flags.Float64Var(&seconds, "seconds", 0, "how long each run measures (default 2, with -quick 0.8)")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of the client to this `file`; choose one cell and one client")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if o.rounds < 1 || seconds < 0 {
		return o, errors.New("-rounds and -seconds must be positive")
	}
	o.measure, o.warmUp = 2*time.Second, 500*time.Millisecond
	if o.quick {
		o.measure, o.warmUp = 800*time.Millisecond, 200*time.Millisecond
	}
	if seconds > 0 {
		o.measure = time.Duration(seconds * float64(time.Second))
	}
	return o, nil
}

func pattern(p **regexp.Regexp) func(string) error {
	return func(s string) (err error) {
		*p, err = regexp.Compile(s)
		return err
	}
}
