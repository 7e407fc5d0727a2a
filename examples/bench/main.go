// Command bench is the benchmark harness: it puts a cluster under load, scales it out and in, or lets its primaries
// fail, and shows what callers of this client and of others notice. README.md says how to run it and how it measures;
// -h lists the flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/keyslot-go/keyslot/examples/bench/internal/live"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // nothing was measured, or not all of it
	exitUsage  = 2
	exitKilled = 130 // by a second interrupt, as a shell has it
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == childArg {
		os.Exit(beChild(os.Stdin, os.Stdout, os.Stderr))
	}
	leave := inOneDirectory()
	interrupted, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		<-signals
		stop()
		<-signals
		if term.IsTerminal(int(os.Stderr.Fd())) {
			fmt.Fprint(os.Stderr, live.ShowCursor)
		}
		fmt.Fprintln(os.Stderr, "bench: stopped at once; keys may remain")
		leave()
		os.Exit(exitKilled)
	}()
	status := run(interrupted, os.Args[1:], os.Stdout, os.Stderr)
	leave()
	os.Exit(status)
}

// inOneDirectory lets this process, and the servers that it starts, put temporary files into a directory of their own,
// which leave removes: after a second interrupt nobody else does.
func inOneDirectory() (leave func()) {
	dir, err := os.MkdirTemp("", "keyslot-bench-")
	if err != nil {
		return func() {} // whoever needs a directory will say so
	}
	_ = os.Setenv("TMPDIR", dir) // fails for odd names only
	return func() { _ = os.RemoveAll(dir) }
}

// run is the program. The first interrupt ends interrupted, and with it the load: what was measured is still shown.
func run(interrupted context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage(stdout)
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v (-h lists the flags)\n", err)
		return exitUsage
	}
	b := newBench(opts, args, stdout, stderr)
	err = b.measureAll(interrupted)
	if shown := b.publish(); err == nil {
		err = shown
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	return exitOK
}
