// Package nemesis holds the faults of the chaos run: each does one thing to a real cluster, or to what lies between the
// cluster and its client, and undoes it.
package nemesis

import (
	"context"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// Nemesis is one kind of fault.
type Nemesis struct {
	Name string
	What string // in a few words, for the list that -h prints

	// Plan, if not nil, decides what Run needs before the load begins, and brings the cluster there: a shard that is to
	// leave has to be there first. It may change Stage.Mode.
	Plan func(ctx context.Context, s *Stage) error
	// Run strikes, waits and undoes what it did, in ctx's time; when it returns, nothing but the cluster's own recovery is
	// left to wait for. Its error means that the harness failed, and says at what.
	Run func(ctx context.Context, s *Stage) error

	// Seamless, Answers and Expects are the terms of its rounds; see ledger.Terms. The slots where writes may be lost are
	// Stage.Lossy, which Run fills in.
	Seamless bool
	Answers  []string
	Expects  []string
	// Dials is how many connections the client may open in one round, to all nodes.
	Dials int
}

// Signs that rounds are expected to show, as ledger.Signs counts them.
const (
	moved       = "MOVED"
	ask         = "ASK"
	tryAgain    = "TRYAGAIN"
	clusterDown = "CLUSTERDOWN"
	unknown     = "unknown"
	dials       = "dials"
)

// All returns every nemesis, in the order of the catalogue that README.md explains.
func All() []Nemesis {
	var all []Nemesis
	for _, family := range [][]Nemesis{slotFamily(), nodeFamily(), linkFamily(), accessFamily(), clientFamily()} {
		all = append(all, family...)
	}
	return all
}
