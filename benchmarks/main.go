// Command benchmarks compares Redis Cluster clients side by side. README.md says how it measures; -h lists the flags.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"

	"github.com/keyslot-go/keyslot/benchmarks/internal/report"
	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) == 2 {
		switch arg := os.Args[1]; arg {
		case childArg:
			return beChild()
		case servers.FakeArg, servers.ProxyArg:
			return servers.Help(arg, os.Stdin, os.Stdout)
		}
	}
	opts, err := parseFlags(os.Args[1:])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	samples, err := newSchedule(opts).run(ctx)
	if err != nil {
		return err
	}
	rows := report.Rows(samples)
	if opts.json {
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	return report.Table(os.Stdout, rows)
}
