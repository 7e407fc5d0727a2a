// Command benchmarks compares Redis Cluster clients side by side. README.md says how it measures; -h lists the flags.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/keyslot-go/keyslot/benchmarks/internal/journal"
	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
)

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && isChild(args[0]) {
		return beChild(args[0])
	}
	opts, err := parseFlags(args)
	if err != nil {
		return err
	}
	// An interrupt ends the run; what was measured is in the journal.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return compare(ctx, opts)
}

// compare measures what the options ask for, and reports it.
func compare(ctx context.Context, opts options) error {
	kept, err := openJournal(opts)
	if err != nil {
		return err
	}
	defer kept.Close()
	todo, err := newSchedule(opts, kept, os.Stderr)
	if err != nil {
		return err
	}
	if err := todo.run(ctx); err != nil {
		if ctx.Err() != nil && opts.out != "" {
			return errors.New("interrupted; the same command goes on from here")
		}
		return err
	}
	return publish(opts, report.New(describe(opts, kept.Builds()), inMatrixOrder(kept.Samples())))
}

func openJournal(opts options) (*journal.Journal, error) {
	session, err := newSession(opts)
	if err != nil {
		return nil, err
	}
	if opts.out == "" {
		return journal.New(session), nil
	}
	kept, err := journal.Open(opts.out, session)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "results are kept in %s, which has %d; delete it to measure anew\n", opts.out, len(kept.Samples()))
	return kept, nil
}

// publish prints the report, and then draws it where that is asked for: a file that cannot be written costs no results.
func publish(opts options, r report.Report) error {
	if err := show(opts, r); err != nil || opts.plot == "" {
		return err
	}
	drawn, err := r.HTML()
	if err != nil {
		return err
	}
	return os.WriteFile(opts.plot, drawn, 0o644)
}

func show(opts options, r report.Report) error {
	if !opts.json {
		return r.Table(os.Stdout)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false) // bounds hold < and >
	return out.Encode(r)
}
