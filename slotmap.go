package keyslot

import (
	"slices"
	"time"
)

// layout says who owns what. It is the part that one node's answer (view) and the installed map (slotMap) share.
type layout struct {
	kind    kind
	nodes   []*Node // what they point to never changes
	shards  []shard
	owner   owners
	covered int // slots whose shard has a known primary
}

// owners is the slot table: for each slot an index into shards, -1 for nobody. It is cut in chunks so that a redirect
// copies one of them: copying the 32 KiB of a flat table took 20 us, and made garbage for every slot that moves
// (BenchmarkMoved500Nodes). Neighbours that are alike are one chunk: shards own long ranges, so what is looked up for
// random keys is a few KiB, which stay in a processor's first cache between commands (pipe100 of benchmarks/).
type owners [slotCount / chunkSlots]*[chunkSlots]int16

const chunkSlots = 256

func makeOwners(flat *[slotCount]int16) (o owners) {
	for i := range o {
		o[i] = (*[chunkSlots]int16)(flat[i*chunkSlots:])
		if i > 0 && *o[i] == *o[i-1] {
			o[i] = o[i-1]
		}
	}
	return o
}

func (o *owners) of(slot uint16) int16 { return o[slot/chunkSlots][slot%chunkSlots] }

// set changes one slot, on a copy of its chunk.
func (o *owners) set(slot uint16, shard int16) {
	chunk := *o[slot/chunkSlots]
	chunk[slot%chunkSlots] = shard
	o[slot/chunkSlots] = &chunk
}

// all yields every slot and its owner.
func (o *owners) all(yield func(slot uint16, owner int16) bool) {
	for slot := range uint16(slotCount) {
		if !yield(slot, o.of(slot)) {
			return
		}
	}
}

// shard is a primary and its replicas, as indexes into the nodes of its layout.
type shard struct {
	primary  int // -1: listed, but without an address that could be dialled
	replicas []int
}

// slotMap is the topology the client routes by. It is immutable: it is published behind an atomic pointer, and every
// change makes a new one. Callers that keep something per node find it again by Node.ID, then by address; a node that
// is listed under its id at a new address must be dialled anew.
type slotMap struct {
	layout
	epoch    uint64
	hasEpoch bool      // false: nobody told (CLUSTER INFO refused)
	source   string    // host:port of the node whose answer this is
	at       time.Time // when that answer was asked for
	// patches are the MOVED redirects applied to this answer within patchLife, oldest first, one per slot at most.
	patches []patch
	// replicasAt is when an answer last listed any replica.
	replicasAt time.Time
}

// patch remembers that a MOVED gave slot the owner it now has: at an equal epoch it outweighs an answer that may be
// older.
type patch struct {
	slot uint16
	at   time.Time
}

// patchLife is how long a MOVED outweighs answers of an equal epoch. Healthy nodes agree on a new owner within a
// fraction of a second; seconds leave room for a slow cluster bus.
const patchLife = 5 * time.Second

func (p patch) live(now time.Time) bool { return now.Sub(p.at) < patchLife }

// shardOf returns the shard that serves slot; false when nobody is known to, or slot is out of range. The shard's
// primary may be -1, its replicas still usable.
func (l *layout) shardOf(slot uint16) (*shard, bool) {
	if slot >= slotCount {
		return nil, false
	}
	owner := l.owner.of(slot)
	if owner < 0 {
		return nil, false
	}
	return &l.shards[owner], true
}

// primaryOf returns the node that owns slot, nil when that is not known.
func (l *layout) primaryOf(slot uint16) *Node {
	s, ok := l.shardOf(slot)
	if !ok || s.primary < 0 {
		return nil
	}
	return l.nodes[s.primary]
}

// moved returns the map after a MOVED at the time at: slot belongs to target, whose address must be complete (an empty
// host replaced by that of the node that redirected). It returns m itself when slot belongs to target already. A target
// that is a replica of the slot's shard means a failover, so it takes over the whole shard.
func (m *slotMap) moved(slot uint16, target Node, at time.Time) *slotMap {
	if slot >= slotCount {
		return m
	}
	if owner := m.primaryOf(slot); owner != nil && owner.is(&target) {
		return m
	}
	next := *m
	next.assign(slot, target)
	next.patches = make([]patch, 0, len(m.patches)+1)
	for _, p := range m.patches {
		if p.slot != slot && p.live(at) {
			next.patches = append(next.patches, p)
		}
	}
	next.patches = append(next.patches, patch{slot, at})
	return &next
}

// assign gives slot to target. nodes and shards may be shared with published maps: they are copied before a change.
func (l *layout) assign(slot uint16, target Node) {
	node := l.find(&target)
	if node < 0 {
		node = len(l.nodes)
		l.nodes = append(slices.Clip(l.nodes), &target)
	}
	own, led := int(l.owner.of(slot)), l.ledBy(node)
	switch {
	case led >= 0:
		l.give(slot, led)
	case own >= 0 && slices.Contains(l.shards[own].replicas, node):
		l.promote(own, node)
	default:
		// A replica owns no slot, so this node is one no longer.
		l.shards = append(withoutReplica(l.shards, node), shard{primary: node})
		l.give(slot, len(l.shards)-1)
	}
}

// give makes shards[to], which has a primary, the owner of slot.
func (l *layout) give(slot uint16, to int) {
	if l.primaryOf(slot) == nil {
		l.covered++
	}
	l.owner.set(slot, int16(to))
	// Each redirect to an unknown address may add a shard, whereas int16 and memory have an end.
	if len(l.shards) > slotCount {
		l.compact()
	}
}

// promote swaps a shard's primary for one of its replicas.
func (l *layout) promote(s, node int) {
	l.shards = slices.Clone(l.shards)
	old := l.shards[s]
	l.shards[s].primary = node
	l.shards[s].replicas = nil
	for _, r := range old.replicas {
		if r != node {
			l.shards[s].replicas = append(l.shards[s].replicas, r)
		}
	}
	if old.primary < 0 {
		l.count()
		return
	}
	l.shards[s].replicas = append(l.shards[s].replicas, old.primary)
}

// withoutReplica returns a copy of shards in which node is nobody's replica.
func withoutReplica(shards []shard, node int) []shard {
	shards = slices.Clone(shards)
	for i := range shards {
		if at := slices.Index(shards[i].replicas, node); at >= 0 {
			shards[i].replicas = slices.Delete(slices.Clone(shards[i].replicas), at, at+1)
		}
	}
	return shards
}

// compact drops the shards that own no slot, and the nodes nobody refers to any more.
func (l *layout) compact() {
	old := *l
	l.nodes, l.shards = nil, nil
	nodeAt, shardAt := map[int]int{}, map[int16]int16{}
	keep := func(node int) int {
		if node < 0 {
			return -1
		}
		at, ok := nodeAt[node]
		if !ok {
			at = len(l.nodes)
			nodeAt[node], l.nodes = at, append(l.nodes, old.nodes[node])
		}
		return at
	}
	flat := new([slotCount]int16)
	for slot, owner := range old.owner.all {
		if owner < 0 {
			flat[slot] = -1
			continue
		}
		at, ok := shardAt[owner]
		if !ok {
			kept := shard{primary: keep(old.shards[owner].primary)}
			for _, r := range old.shards[owner].replicas {
				kept.replicas = append(kept.replicas, keep(r))
			}
			at = int16(len(l.shards))
			shardAt[owner], l.shards = at, append(l.shards, kept)
		}
		flat[slot] = at
	}
	l.owner = makeOwners(flat)
}

// count sets covered.
func (l *layout) count() {
	l.covered = 0
	for _, owner := range l.owner.all {
		if owner >= 0 && l.shards[owner].primary >= 0 {
			l.covered++
		}
	}
}

// find returns the index of the node that is n: under its id if listed, else at its address; -1 if there is none.
func (l *layout) find(n *Node) int {
	byAddr := -1
	for i, o := range l.nodes {
		if o.is(n) {
			if n.ID == "" || n.ID == o.ID {
				return i
			}
			byAddr = i
		}
	}
	return byAddr
}

// ledBy returns the index of the shard whose primary is node, -1 if there is none.
func (l *layout) ledBy(node int) int {
	return slices.IndexFunc(l.shards, func(s shard) bool { return s.primary == node })
}

// agrees reports whether l and o name the same primary for every slot.
func (l *layout) agrees(o *layout) bool {
	if l.covered != o.covered || l.kind != o.kind {
		return false
	}
	same := make([]int16, len(l.shards)) // 1 + the shard of o found to be led by the same node
	for slot, a := range l.owner.all {
		b := o.owner.of(slot)
		if (a < 0) != (b < 0) {
			return false
		}
		if a < 0 || same[a] == b+1 {
			continue
		}
		p, q := l.primaryOf(slot), o.primaryOf(slot)
		if (p == nil) != (q == nil) || p != nil && !p.is(q) {
			return false
		}
		same[a] = b + 1
	}
	return true
}

// replicas counts the replicas that l lists.
func (l *layout) replicas() (n int) {
	for i := range l.shards {
		n += len(l.shards[i].replicas)
	}
	return n
}
