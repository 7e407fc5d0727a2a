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
	// Run strikes, waits and undoes what it did, in ctx's time; when it returns, nothing but the cluster's own recovery
	// is left to wait for. Its error means that the harness failed, and says at what.
	Run func(ctx context.Context, s *Stage) error

	// Seamless, Answers and Hangs are terms of its rounds; see ledger.Terms. The slots where writes may be lost are
	// Stage.Lossy, which Run fills in.
	Seamless bool
	Answers  []string
	Hangs    []string
	// Expects is what all its rounds of a run together must have caused: a fault that struck nothing proves nothing.
	Expects []string
	// Dials is how many connections the client may open in one round, to all nodes, for this nemesis. Others come on
	// top: the load gives up commands that have a connection to themselves, which ends it; unless ByLoad.
	Dials int
	// ByLoad says that the load itself is the nemesis, and lasts as long as the round: there is no calm after it, and
	// it gives up nothing that has a connection to itself.
	ByLoad bool
}

// What nemeses are expected to cause: signs as ledger.Figures counts them.
const (
	moved       = "MOVED"
	ask         = "ASK"
	tryAgain    = "TRYAGAIN"
	clusterDown = "CLUSTERDOWN"
	dials       = "dials"
	failedDial  = "failed dial"
	unknown     = string(ledger.Unknown)
	broken      = ledger.Broken
	slow        = ledger.Slow
	reset       = "reset"    // connections, by Stage.reset
	stranded    = "stranded" // connections, by clientFrozen
)

// All returns every nemesis, in the order of the catalogue that README.md explains.
func All() []Nemesis {
	var all []Nemesis
	for _, family := range [][]Nemesis{slotFamily(), nodeFamily(), linkFamily(), accessFamily(), clientFamily()} {
		all = append(all, family...)
	}
	return all
}
