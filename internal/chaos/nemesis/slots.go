package nemesis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// slotFamily moves slots between primaries, or takes one from all of them.
func slotFamily() []Nemesis {
	return []Nemesis{
		{
			Name: "reshard", What: "slots move from one primary to another and back, key by key",
			Plan: planReshard, Run: reshard,
			Seamless: true, Expects: []string{ask, tryAgain, moved}, Dials: 20,
		},
		{
			Name: "scale-out", What: "a shard joins and takes slots",
			Plan: planScaleOut, Run: scaleOut,
			Seamless: true, Expects: []string{moved, dials}, Dials: 20,
		},
		{
			Name: "scale-in", What: "a shard hands over its slots and is shut down right after the last of them",
			Plan: planScaleIn, Run: scaleIn,
			Seamless: true, Expects: []string{moved}, Dials: 20,
		},
		{
			Name: "slot-unassigned", What: "a slot belongs to nobody for a while, so the cluster is down",
			Run:     unassign,
			Expects: []string{clusterDown}, Dials: 20,
		},
	}
}

// How many slots a round moves, of one primary or of each: half of the load goes to them.
const (
	reshardSlots = 4
	scaleSlots   = 2
)

// planReshard draws neighbouring slots of one primary.
func planReshard(ctx context.Context, s *Stage) error {
	from, err := s.primary(ctx)
	if err != nil {
		return err
	}
	ranges, err := s.ranges(ctx, from)
	if err != nil {
		return err
	}
	s.focus(s.inOne(ranges, reshardSlots))
	return nil
}

// inOne draws up to n neighbouring slots of one of the ranges.
func (s *Stage) inOne(ranges []ledger.SlotRange, n int) []int {
	r := ranges[s.Rand.IntN(len(ranges))]
	n = min(n, int(r.Last-r.First)+1)
	first := int(r.First) + s.Rand.IntN(int(r.Last-r.First)+2-n)
	slots := make([]int, n)
	for i := range slots {
		slots[i] = first + i
	}
	return slots
}

// focus makes the slots those that will be moved, and brings the load there.
func (s *Stage) focus(slots []int) {
	s.plan.slots = append(s.plan.slots, slots...)
	s.Mode.Focus = append(s.Mode.Focus, ledger.SlotRange{First: uint16(slots[0]), Last: uint16(slots[len(slots)-1])})
}

func reshard(ctx context.Context, s *Stage) error {
	owners, err := s.Cluster.Owners(ctx)
	if err != nil {
		return err
	}
	from := owners[s.plan.slots[0]]
	to := from
	for to == from {
		if to, err = s.primary(ctx); err != nil {
			return err
		}
	}
	each := s.between(100*time.Millisecond, 500*time.Millisecond)
	s.note("slots %d-%d, %v each", s.plan.slots[0], s.plan.slots[len(s.plan.slots)-1], each)
	for _, slot := range s.plan.slots {
		if err := s.Cluster.MoveSlot(ctx, slot, from, to, each); err != nil {
			return err
		}
	}
	for _, slot := range s.plan.slots {
		if err := s.Cluster.MoveSlot(ctx, slot, to, from, each); err != nil {
			return err
		}
	}
	return nil
}

// planScaleOut draws a few slots of every primary, and remembers whose they are.
func planScaleOut(ctx context.Context, s *Stage) error {
	primaries, err := s.primaries(ctx)
	if err != nil {
		return err
	}
	for _, n := range primaries {
		ranges, err := s.ranges(ctx, n)
		if err != nil {
			return err
		}
		s.focus(s.inOne(ranges, scaleSlots))
	}
	s.plan.owners, err = s.Cluster.Owners(ctx)
	return err
}

func scaleOut(ctx context.Context, s *Stage) error {
	if err := s.join(ctx, slotTime); err != nil {
		return err
	}
	if err := realcluster.Wait(ctx, s.between(200*time.Millisecond, time.Second)); err != nil {
		return err
	}
	return s.leave(ctx, slotTime)
}

func planScaleIn(ctx context.Context, s *Stage) error {
	if err := planScaleOut(ctx, s); err != nil {
		return err
	}
	return s.join(ctx, 0)
}

func scaleIn(ctx context.Context, s *Stage) error {
	return s.leave(ctx, s.between(0, slotTime))
}

// slotTime is about how long each slot of a shard that comes or goes is on its way.
const slotTime = 150 * time.Millisecond

// join adds a primary and gives it the planned slots.
func (s *Stage) join(ctx context.Context, each time.Duration) error {
	added, err := s.Cluster.AddPrimary(ctx)
	if err != nil {
		return err
	}
	s.plan.node = added
	s.note("%d slots", len(s.plan.slots))
	for _, slot := range s.plan.slots {
		if err := s.Cluster.MoveSlot(ctx, slot, s.plan.owners[slot], added, each); err != nil {
			return err
		}
	}
	return nil
}

// leave gives the slots back and shuts the node down at once, while clients still have it in their maps.
func (s *Stage) leave(ctx context.Context, each time.Duration) error {
	for _, slot := range s.plan.slots {
		if err := s.Cluster.MoveSlot(ctx, slot, s.plan.node, s.plan.owners[slot], each); err != nil {
			return err
		}
	}
	if err := s.plan.node.Shutdown(); err != nil {
		return err
	}
	// Nodes that are told by gossip still list it for a moment.
	return realcluster.Until(ctx, func() error { return s.Cluster.Remove(ctx, s.plan.node) })
}

// unassign takes one slot from its owner everywhere: without full coverage the whole cluster refuses.
func unassign(ctx context.Context, s *Stage) (err error) {
	slot := s.Rand.IntN(1 << 14)
	owners, err := s.Cluster.Owners(ctx)
	if err != nil {
		return err
	}
	owner, number := owners[slot], strconv.Itoa(slot)
	lasts := s.between(500*time.Millisecond, 2*time.Second)
	s.note("slot %d for %v", slot, lasts)
	// The owner first: as long as it claims the slot, the others take its word for it.
	if err := s.tell(ctx, owner, "CLUSTER", "DELSLOTS", number); err != nil {
		return err
	}
	err = s.everyNode(func(n *realcluster.Node) error {
		if n == owner {
			return nil
		}
		return s.tell(ctx, n, "CLUSTER", "DELSLOTS", number)
	})
	if err == nil {
		err = realcluster.Wait(ctx, lasts)
	}
	ctx, cancel := undoing(ctx)
	defer cancel()
	if back := s.tell(ctx, owner, "CLUSTER", "ADDSLOTS", number); back != nil {
		return fmt.Errorf("giving slot %d back to %s: %w", slot, owner, back)
	}
	return err
}
