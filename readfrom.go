package keyslot

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// ReadPolicy says which nodes answer the reads of a client or a view: the commands that the command table calls
// read-only, with a key, EVAL_RO and FCALL_RO among them, but for those whose answer is a node's own, such as OBJECT
// IDLETIME and TOUCH. Everything else goes to primaries, and so does what blocks or walks by cursor.
//
// A replica is behind its primary, mostly by milliseconds, so it may answer with what a key held before. It is read from
// only once it has said that it is connected to its primary. What it leaves unanswered, because it is gone, loading, cut
// off from its primary, or silent for 500 ms, goes to the primary in the same call, or under Replica to another replica
// or, after a pause, the same one; and the replica rests, for up to 0.1 s the first time and up to 5 s later.
//
// Before Valkey 8, a replica answers that a key does not exist which a migration has moved already. So reads of a slot
// go to primaries under every policy for 30 s after an ASK for it; and for 30 s after any redirect, what a replica
// answers as if a key did not exist is asked of the primary again, except under Replica. Keys that move before the
// first redirect is seen, such as those of the first slot of several, may still seem not to exist.
type ReadPolicy uint8

const (
	// Primary reads from primaries: the default, and the only policy under which a read sees every write before it.
	Primary ReadPolicy = iota
	// PreferReplica reads from replicas, and from the primary of a shard that has none to read from.
	PreferReplica
	// Replica reads from replicas only. Where a shard has none to read from, a call waits for one as long as it may.
	Replica
	// AZAffinity reads from the replicas in the client's own availability zone (Options.AZ), else from the primary if
	// that is there, else from other replicas, and at last from the primary. A zone's replica that takes more than 5 ms
	// and eight times as long as another node is passed over until it has recovered. One read in 256 goes to any
	// replica, or to the primary if that is there, to know how the others are. Without a known zone it is PreferReplica.
	AZAffinity
	// Any reads from primaries and replicas alike: of two drawn at random, from the one that promises the shorter wait,
	// by its latency and what is in flight there, or from either where they differ by less than a factor of two. The
	// fastest node is not favoured further; nodes near by are what AZAffinity is for.
	Any
)

func (p ReadPolicy) String() string {
	names := [...]string{"Primary", "PreferReplica", "Replica", "AZAffinity", "Any"}
	if int(p) >= len(names) {
		return "ReadPolicy(" + strconv.Itoa(int(p)) + ")"
	}
	return names[p]
}

// ReadFrom returns a view of the client whose reads go where policy says; an unknown policy is Primary. Reads of one slot
// keep no order with each other, nor with the writes of the same pipeline; an ordered pipeline reads from primaries. The
// view shares everything with the client, costs one small allocation, and is made to be kept. ReadFrom does not block.
func (c *Client) ReadFrom(policy ReadPolicy) *Client {
	t := *c.terms
	t.reads = policy
	if policy > Any {
		t.reads = Primary
	}
	if t.reads != Primary {
		c.core.spreads.Store(true)
	}
	return c.on(t)
}

// tier is some of a shard's nodes. A read goes to the first tier of its policy that has a node for it.
type tier struct{ replicas, primary, near bool }

var tiers = [...][]tier{
	PreferReplica: {{replicas: true}, {primary: true}},
	Replica:       {{replicas: true}},
	AZAffinity:    {{replicas: true, near: true}, {primary: true, near: true}, {replicas: true}, {primary: true}},
	Any:           {{replicas: true, primary: true}},
}

var errNoReplica = errors.New("the shard has no replica to read from")

// spreads reports whether a read policy decides where the call goes. A cursor of HSCAN and its like means something
// only on the node that gave it, so they stay with the primary.
func (call *call) spreads() bool {
	return call.terms.reads != Primary && call.Cmd != nil && call.Cmd.ReplicaSafe() && !call.blocks &&
		!strings.HasSuffix(call.Cmd.Name, "SCAN") && len(call.Request.Keys()) > 0
}

// routeRead finds the node for a call that spreads. Calls of one flight (nil: none) to one shard go to one node, so
// that they share a write.
func (c *core) routeRead(r *routes, call *call, f *flight) error {
	s, ok := r.shardOf(uint16(call.slot))
	if !ok {
		return errNoOwner
	}
	policy := call.terms.reads
	key := shardReader{s, policy, call.slot % c.opts.ConnsPerNode}
	spurned := call.spurned && policy != Replica
	call.spurned = false
	if s.primary >= 0 && (spurned || c.asked.lately(uint16(call.slot), c)) {
		call.node = r.nodes[s.primary]
		return nil
	}
	c.watchLag(r, s)
	n := f.readerOf(key)
	if n == nil {
		p := pick{core: c, routes: r, shard: s, slot: call.slot}
		if n = p.choose(policy); n == nil {
			return errNoReplica
		}
		f.keepReader(key, n)
	}
	call.node, call.readonly = n, s.primary < 0 || r.nodes[s.primary] != n
	// Where there is nobody else to ask, a slow answer is better than none.
	call.movable = policy != Replica || call.attempts == 0 && len(s.replicas) > 1
	call.begins()
	return nil
}

// shardReader is a key of flight.readers.
type shardReader struct {
	shard  *shard
	policy ReadPolicy
	lane   int // of the node's: one to a replica may be there, and another one not yet
}

func (f *flight) readerOf(key shardReader) *node {
	if f == nil {
		return nil
	}
	return f.readers[key]
}

func (f *flight) keepReader(key shardReader, n *node) {
	if f == nil {
		return
	}
	if f.readers == nil {
		f.readers = map[shardReader]*node{}
	}
	f.readers[key] = n
}

const (
	// maxCandidates bounds the nodes compared for one read; an ElastiCache shard has five replicas at most.
	maxCandidates = 8
	// One read in exploreEach goes to any node that might be as good, so that it is noticed when a slow or a distant
	// one has become better.
	exploreEach = 256
	// Costs within this factor count as equal: latencies that differ by noise must not send all reads to one node.
	sameCost = 2
	// A replica of the own zone is left when it takes longer than sickLatency and sickFactor times as long as another node.
	sickLatency = int64(5 * time.Millisecond)
	sickFactor  = 8
)

// pick is the choice of a node for one read.
type pick struct {
	core   *core
	routes *routes
	shard  *shard
	slot   int
	now    int64 // see core.now; 0: not asked yet

	fit       [maxCandidates]*node
	found     int
	undialled *node // the first choice of those without a connection
}

// choose returns the node to read from; nil if there is none. It dials those that it would rather read from without
// waiting for them: meanwhile another node serves, if it is connected.
func (p *pick) choose(policy ReadPolicy) *node {
	if rand.Uint32()%exploreEach == 0 {
		if p.gather(tier{replicas: true, primary: p.triesPrimary(policy)}); p.found > 0 {
			return p.fit[rand.IntN(p.found)]
		}
	}
	for _, t := range tiers[policy] {
		if t.near && p.core.opts.AZ == "" {
			continue
		}
		if p.gather(t); p.found == 0 {
			continue
		}
		if n := p.better(); !t.near || !p.ails(n) {
			return n
		}
	}
	switch {
	case p.undialled != nil:
		return p.undialled
	case policy != Replica && p.shard.primary >= 0:
		return p.routes.nodes[p.shard.primary]
	}
	return p.anyReplica()
}

// triesPrimary reports whether the policy does not leave the primary for the end.
func (p *pick) triesPrimary(policy ReadPolicy) bool {
	az := p.core.opts.AZ
	return policy == Any ||
		policy == AZAffinity && az != "" && p.shard.primary >= 0 && p.routes.nodes[p.shard.primary].zone() == az
}

// gather finds the nodes of a tier that can be sent a read at once.
func (p *pick) gather(t tier) {
	p.found = 0
	if t.replicas {
		for _, i := range p.shard.replicas {
			n := p.routes.nodes[i]
			p.consider(n, n.reading.lane(p.slot), t)
		}
	}
	if t.primary && p.shard.primary >= 0 {
		n := p.routes.nodes[p.shard.primary]
		p.consider(n, n.lane(p.slot), t)
	}
}

// consider adds a node to those that can be sent a read at once, by the lane that leads there. A node without a
// connection is dialled, but for a primary that is there for the end: whoever is sent to it does that.
func (p *pick) consider(n *node, via *lane, t tier) {
	if p.found == maxCandidates || p.isResting(n) {
		return
	}
	if az := n.zone(); t.near && az != p.core.opts.AZ {
		if az == "" && n.saidZone.Load() == nil && via.small.conn.Load() == nil {
			p.dials(via) // its zone may turn out to be this one
		}
		return
	}
	last := t.primary && !t.replicas && !t.near
	switch {
	case n.reading.inFlight.Load() >= int32(p.core.opts.MaxInFlight):
	case via.small.conn.Load() != nil && via.reading && !p.isFresh(n):
	case via.small.conn.Load() != nil:
		p.fit[p.found] = n
		p.found++
	case last || p.dials(via):
		if p.undialled == nil && (!via.reading || p.core.opts.MaxLag == 0) {
			p.undialled = n
		}
	}
}

func (p *pick) isResting(n *node) bool {
	until := n.reading.restsUntil.Load()
	if until == 0 {
		return false
	}
	if p.now == 0 {
		p.now = p.core.now()
	}
	return p.now < until || !n.reading.restsUntil.CompareAndSwap(until, 0)
}

// dials reports whether a node is being dialled, which it starts. Nobody waits for that yet.
func (p *pick) dials(via *lane) bool {
	_, err := via.small.startDial(false)
	if err != nil {
		via.node.reading.rest(p.core.now())
	}
	return err == nil
}

// better returns one of the nodes found, by the power of two choices: of two drawn at random the one that promises the
// shorter wait, by its latency and what is in flight. So no node is swamped because it looked best to everybody at once.
func (p *pick) better() *node {
	if p.found == 1 {
		return p.fit[0]
	}
	i := rand.IntN(p.found)
	j := (i + 1 + rand.IntN(p.found-1)) % p.found
	a, b := &p.fit[i].reading, &p.fit[j].reading
	costA, costB := uint64(a.inFlight.Load()+1), uint64(b.inFlight.Load()+1)
	if la, lb := a.latency.Load(), b.latency.Load(); la > 0 && lb > 0 {
		costA *= uint64(la)
		costB *= uint64(lb)
	}
	if costA > sameCost*costB {
		return p.fit[j]
	}
	return p.fit[i]
}

// ails reports whether n, in the own zone, is so slow that nodes in other zones are better.
func (p *pick) ails(n *node) bool {
	took := n.reading.latency.Load()
	if took < sickLatency {
		return false
	}
	for _, i := range p.shard.replicas {
		other := p.routes.nodes[i]
		// One that has not been timed yet is worth a try.
		untried := other.reading.latency.Load() == 0 && other.reading.lane(p.slot).small.conn.Load() != nil
		if other != n && (untried || p.isFaster(other, took)) {
			return true
		}
	}
	return p.shard.primary >= 0 && p.isFaster(p.routes.nodes[p.shard.primary], took)
}

// isFaster reports whether a node is known to answer in a fraction of the time.
func (p *pick) isFaster(n *node, took int64) bool {
	theirs := n.reading.latency.Load()
	return theirs > 0 && took > sickFactor*theirs && !p.isResting(n)
}

// anyReplica is for a read that nobody else could answer: a resting replica may be up again.
func (p *pick) anyReplica() *node {
	if len(p.shard.replicas) == 0 {
		return nil
	}
	n := p.routes.nodes[p.shard.replicas[rand.IntN(len(p.shard.replicas))]]
	if !p.isFresh(n) {
		return nil
	}
	return n
}
