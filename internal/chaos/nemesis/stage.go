package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/chaos/names"
	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
	"github.com/keyslot-go/keyslot/internal/chaos/worker"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Stage is what a nemesis acts on, for one round. It is for one goroutine.
type Stage struct {
	Cluster *realcluster.Cluster
	Net     Net
	Client  Client
	Access  Access
	Rand    *rand.Rand // decides everything that is not the nemesis's to decide
	Round   int

	Mode  worker.Mode        // of the load; Plan may change it
	Lossy []ledger.SlotRange // where acknowledged writes may be lost; Run adds to it
	Bare  *ledger.Bare       // beside the load, where Run expects losses; who runs the round stops it
	Note  string             // what was drawn, for the line of the round
	Signs ledger.Signs       // what Run itself has done: reset, stranded

	plan plan
}

// How the client under test is set up, as far as a nemesis has to outlast it.
const (
	PeerTimeout = 2 * time.Second
	IdleProbe   = 2 * time.Second
)

// plan is what Plan decided for Run.
type plan struct {
	slots  []int               // to be moved
	node   *realcluster.Node   // to be emptied, or struck
	owners []*realcluster.Node // by slot, before anything was moved
}

// Net is what lies between the client and the nodes.
type Net interface {
	// Front returns what stands in front of n.
	Front(n *realcluster.Node) *proxy.Front
	// Readdress puts every node behind a new front at another address, ends the old ones by RST, lets the configuration
	// name lead to the new ones, and returns once the nodes tell them.
	Readdress(ctx context.Context) error
	// Names is where the client's lookups end.
	Names() *names.Server
}

// Client is the process with the client under test.
type Client interface {
	// Freeze stops the process where it is, Thaw lets it go on.
	Freeze() error
	Thaw() error
}

// Access is who may log in.
type Access interface {
	// User is the user that the client logs in as, and Password its password on a server that was just started.
	User() string
	Password() string
	// Give makes the client log in with password from now on.
	Give(ctx context.Context, password string) error
}

// undoTime is how long a nemesis has to undo what it did, even when its own time is over.
const undoTime = 30 * time.Second

// undoing returns a context for undoing, which outlives ctx.
func undoing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoTime)
}

// between draws a duration.
func (s *Stage) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.Rand.Int64N(int64(high-low)+1)).Round(time.Millisecond)
}

// oneIn draws true in one of n cases.
func (s *Stage) oneIn(n int) bool { return s.Rand.IntN(n) == 0 }

// reset ends the client's connections to n by RST.
func (s *Stage) reset(n *realcluster.Node) { s.Signs[reset] += s.Net.Front(n).Reset() }

// note adds to the line of the round.
func (s *Stage) note(format string, args ...any) {
	if s.Note != "" {
		s.Note += ", "
	}
	s.Note += fmt.Sprintf(format, args...)
}

// primaries returns the primaries that own slots, in the order of their first one, which does not depend on when the
// nodes were started.
func (s *Stage) primaries(ctx context.Context) ([]*realcluster.Node, error) {
	owners, err := s.Cluster.Owners(ctx)
	if err != nil {
		return nil, err
	}
	var primaries []*realcluster.Node
	seen := map[*realcluster.Node]bool{nil: true}
	for _, owner := range owners {
		if !seen[owner] {
			seen[owner] = true
			primaries = append(primaries, owner)
		}
	}
	return primaries, nil
}

// primary draws one of them.
func (s *Stage) primary(ctx context.Context) (*realcluster.Node, error) {
	primaries, err := s.primaries(ctx)
	if err != nil {
		return nil, err
	}
	if len(primaries) == 0 {
		return nil, errors.New("no slot has an owner")
	}
	return primaries[s.Rand.IntN(len(primaries))], nil
}

// shard draws a primary and one of its replicas.
func (s *Stage) shard(ctx context.Context) (primary, replica *realcluster.Node, err error) {
	primary, err = s.primary(ctx)
	if err != nil {
		return nil, nil, err
	}
	ranges, err := s.ranges(ctx, primary)
	if err != nil {
		return nil, nil, err
	}
	replicas, err := s.Cluster.ReplicasOf(ctx, int(ranges[0].First))
	if err != nil {
		return nil, nil, err
	}
	if len(replicas) == 0 {
		return nil, nil, fmt.Errorf("%s has no replica", primary)
	}
	return primary, replicas[s.Rand.IntN(len(replicas))], nil
}

// ranges returns the slots that n owns.
func (s *Stage) ranges(ctx context.Context, n *realcluster.Node) ([]ledger.SlotRange, error) {
	owners, err := s.Cluster.Owners(ctx)
	if err != nil {
		return nil, err
	}
	var ranges []ledger.SlotRange
	for slot, owner := range owners {
		if owner != n {
			continue
		}
		if last := len(ranges) - 1; last >= 0 && int(ranges[last].Last)+1 == slot {
			ranges[last].Last++
			continue
		}
		ranges = append(ranges, ledger.SlotRange{First: uint16(slot), Last: uint16(slot)})
	}
	if len(ranges) == 0 {
		return nil, fmt.Errorf("%s owns no slot", n)
	}
	return ranges, nil
}

// everyNode does the same to all nodes that can answer, one after the other.
func (s *Stage) everyNode(do func(n *realcluster.Node) error) error {
	var errs []error
	for _, n := range s.Cluster.Live() {
		errs = append(errs, do(n))
	}
	return errors.Join(errs...)
}

// tell sends one command to n and drops the reply.
func (s *Stage) tell(ctx context.Context, n *realcluster.Node, args ...string) error {
	_, err := s.Cluster.Do(ctx, n, args...)
	return err
}
