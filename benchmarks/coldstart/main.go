// Command coldstart compares what it takes clients to get from nothing to their first reply, as in a new execution
// environment of AWS Lambda: connections, TLS handshakes, time, goroutines that stay, and the size of the program.
// README.md of the benchmarks says more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

func main() {
	rounds := flag.Int("rounds", 9, "`number` of rounds; a figure is the median of all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx, *rounds, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "coldstart:", err)
		os.Exit(1)
	}
}

// setup is a cluster that clients connect to.
type setup struct {
	name   string
	shards int
	tls    bool
}

var setups = []setup{
	{"1 shard", 1, false},
	{"1 shard, TLS", 1, true},
	{"3 shards", 3, false},
	{"3 shards, TLS", 3, true},
}

// compare measures all clients on all setups and writes a table.
func compare(ctx context.Context, rounds int, out io.Writer) error {
	if rounds < 1 {
		return errors.New("-rounds must be positive")
	}
	engine, err := realcluster.Find("redis")
	if err != nil {
		return err
	}
	programs, remove, err := buildAll(ctx)
	if err != nil {
		return err
	}
	defer remove()
	fmt.Fprintf(out, "first GET of a new process, redis %s on loopback, a replica for each shard, medians of %d rounds\n",
		engine.Version, rounds)
	t := newTable(out)
	for _, s := range setups {
		fmt.Fprintln(os.Stderr, s.name, "...")
		rows, err := s.measure(ctx, engine, programs, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		t.add(s.name, rows)
	}
	return t.flush()
}
