// Quickstart shows what keyslot is for: many goroutines write and read through one client while a shard is added to the
// cluster and slots move to it, and no command fails.
//
//	go run ./examples/quickstart                                  # needs only Go: starts a cluster of its own
//	KEYSLOT_ENDPOINT=host:port go run ./examples/quickstart       # on yours, without moving anything
//
// KEYSLOT_ENDPOINT may be a URL, such as rediss://user:password@host:6379. The keys have a prefix of their own and are
// removed at the end.
//
// The exit status is 0 only if no command failed and every value read was the one written.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

type config struct {
	Target  string        // the cluster; empty: one in this process
	Prefix  string        // of every key
	Workers int           // goroutines
	Keys    int           // of each goroutine
	Pace    time.Duration // a goroutine starts a round of commands so often
	Steady  time.Duration // how long a phase lasts in which no slot moves
	Step    time.Duration // how long each stage of the first migration lasts; more than the 200 ms a TRYAGAIN may wait
	Pause   time.Duration // before each slot and key that moves after it
	Live    bool          // the output is a terminal: one line shows the progress
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // the first Ctrl-C ends the load and shows the report, a second one kills
	os.Exit(run(ctx, config{
		Target:  os.Getenv("KEYSLOT_ENDPOINT"),
		Prefix:  "quickstart:" + rand.Text()[:8] + ":",
		Workers: 32,
		Keys:    128,
		Pace:    20 * time.Millisecond,
		Steady:  3 * time.Second,
		Step:    250 * time.Millisecond,
		Pause:   time.Millisecond,
		Live:    isTerminal(os.Stdout),
	}, os.Stdout, os.Stderr))
}

// run returns the exit status.
func run(ctx context.Context, cfg config, stdout, stderr io.Writer) int {
	report, err := demonstrate(ctx, cfg, stdout)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	report.print(stdout)
	if report.ok() {
		return 0
	}
	return 1
}

// demonstrate runs the load through all phases of the story. The error says why there was none.
func demonstrate(ctx context.Context, cfg config, stdout io.Writer) (*report, error) {
	phases := []phase{{"steady", wait(4 * cfg.Steady)}}
	if cfg.Target == "" {
		cluster, err := keyslottest.Start(keyslottest.Options{Shards: 3, StepPause: cfg.Pause})
		if err != nil {
			return nil, err
		}
		defer cluster.Close()
		cfg.Target = cluster.Endpoint() // one address is all that a client has to know
		phases = []phase{{"before", wait(cfg.Steady)}, {"during", reshard(cluster, cfg)}, {"after", wait(cfg.Steady)}}
	}

	load := newLoad(cfg, phases)
	opts, err := keyslot.ParseTarget(cfg.Target)
	if err != nil {
		return nil, err
	}
	opts.ClientName = "quickstart"
	opts.RefreshAfter = time.Second // so that the report knows of slots that moved while nobody used them
	opts.Trace = &keyslot.Trace{Redirected: load.redirected}
	client, err := keyslot.New(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer client.Close()

	report := &report{load: load, before: client.Topology()}
	fmt.Fprintf(stdout, "%d goroutines write and read %s keys through one client of %d shards, found at %s\n\n",
		cfg.Workers, grouped(int64(len(load.keys()))), len(report.before.Shards), report.before.Source)
	stop := load.start(ctx, client)
	err = load.play(ctx, newProgress(stdout, cfg.Live, load))
	stop()
	if report.interrupted = ctx.Err() != nil; err != nil && !report.interrupted {
		return nil, err
	}
	report.after = client.Topology()

	// Ctrl-C has ended the load only: what was written is still checked, and removed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	load.verify(ctx)
	load.remove(ctx)
	return report, nil
}
