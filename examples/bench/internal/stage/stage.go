// Package stage is the cluster under load: one that is started here, of servers or in this process, or somebody else's.
// It does to the cluster what an experiment asks for.
package stage

import (
	"context"
	"fmt"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// Experiment is what can be done to a cluster under load.
type Experiment string

// The experiments.
const (
	ScaleOut Experiment = "scale-out" // one more shard, with its share of the slots
	ScaleIn  Experiment = "scale-in"  // one shard less
	Failover Experiment = "failover"  // a replica takes over, planned
	Kill     Experiment = "kill"      // a primary dies
)

// Stage is a cluster. Its methods are for one goroutine at a time.
type Stage interface {
	// Target is how to reach it.
	Target() client.Target
	// Where says what it consists of, in a few words.
	Where() string
	// Do does an experiment and returns when it is over, or ctx is.
	Do(ctx context.Context, e Experiment, s Scene) error
	// Close ends what was started for it.
	Close()
}

// Scene is what an experiment sees of the run, and how it shows what it does.
type Scene struct {
	Note   func(text string) // puts a line on the timeline
	Tell   func(text string) // tells the person in front of the terminal
	Owners func() record.Ownership
	Until  func(ctx context.Context, wanted func(record.Ownership) bool) error
}

// Options describe a cluster to start.
type Options struct {
	Shards, Replicas int
}

func (o Options) String() string { return count(o.Shards, "shard") + withReplicas(o.Replicas) }

func withReplicas(n int) string {
	if n == 0 {
		return " without replicas"
	}
	return " with " + count(n, "replica") + " each"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
