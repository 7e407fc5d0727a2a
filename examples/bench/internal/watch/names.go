package watch

import (
	"fmt"
	"maps"
	"slices"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// namer gives shards short names that they keep, whoever is their primary and whatever slots they have. A topology
// names nodes only.
type namer struct {
	shards []*named // in the order of their names; those that have gone too
}

type named struct {
	name  string
	nodes map[string]bool // identities of those last seen in it
	slots []keyslot.SlotRange
}

// ownership returns who has which slots, in the order of names. Shards without slots are left out.
func (n *namer) ownership(t keyslot.Topology) record.Ownership {
	var o record.Ownership
	of := n.match(t.Shards)
	for i, s := range t.Shards {
		if of[i] == nil {
			continue
		}
		shard := record.ShardSlots{Shard: of[i].name, Node: s.Primary.Addr()}
		for _, r := range s.Slots {
			shard.Ranges = append(shard.Ranges, [2]uint16{r.First, r.Last})
		}
		o.Shards = append(o.Shards, shard)
	}
	slices.SortFunc(o.Shards, func(a, b record.ShardSlots) int {
		return slices.IndexFunc(n.shards, is(a.Shard)) - slices.IndexFunc(n.shards, is(b.Shard))
	})
	return o
}

func is(name string) func(*named) bool { return func(s *named) bool { return s.name == name } }

// match finds the shard that each of these was before: the one that had its primary, or one of its nodes, or else, for
// nodes that were all replaced, its first slot. What was none before is new.
func (n *namer) match(shards []keyslot.Shard) []*named {
	of := make([]*named, len(shards))
	taken := map[*named]bool{}
	for _, alike := range []func(*named, keyslot.Shard) bool{
		func(was *named, s keyslot.Shard) bool { return was.has(s.Primary) },
		func(was *named, s keyslot.Shard) bool { return slices.ContainsFunc(s.Replicas, was.has) },
		func(was *named, s keyslot.Shard) bool { return was.had(s.Slots[0].First) },
	} {
		for i, s := range shards {
			at := -1
			if of[i] == nil && len(s.Slots) > 0 {
				at = slices.IndexFunc(n.shards, func(was *named) bool { return !taken[was] && alike(was, s) })
			}
			if at >= 0 {
				of[i] = n.shards[at]
				taken[of[i]] = true
			}
		}
	}
	for _, was := range n.shards {
		was.slots = nil
	}
	for i, s := range shards {
		if len(s.Slots) > 0 {
			of[i] = n.remember(of[i], s)
		}
	}
	return of
}

// remember notes what s is now; a nil was is a new shard.
func (n *namer) remember(was *named, s keyslot.Shard) *named {
	if was == nil {
		was = &named{name: fmt.Sprintf("shard %d", len(n.shards)+1)}
		n.shards = append(n.shards, was)
	}
	nodes := map[string]bool{}
	for _, n := range append([]keyslot.Node{s.Primary}, s.Replicas...) {
		for _, id := range identities(n) {
			nodes[id] = true
		}
	}
	for _, other := range n.shards { // a node of a shard that was emptied may serve another one now
		maps.DeleteFunc(other.nodes, func(id string, _ bool) bool { return nodes[id] })
	}
	was.nodes, was.slots = nodes, s.Slots
	return was
}

func (s *named) has(n keyslot.Node) bool {
	return slices.ContainsFunc(identities(n), func(id string) bool { return s.nodes[id] })
}

func (s *named) had(slot uint16) bool {
	return slices.ContainsFunc(s.slots, func(r keyslot.SlotRange) bool { return r.First <= slot && slot <= r.Last })
}

// identities are by what a node is known: its id, and its address, for the target of a redirect has no id yet.
func identities(n keyslot.Node) []string {
	if n.ID == "" {
		return []string{n.Addr()}
	}
	return []string{n.ID, n.Addr()}
}
