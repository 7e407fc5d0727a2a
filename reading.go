package keyslot

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// A replica that left a read unanswered is not read from for minRest, and longer each time it happens again.
	minRest = 100 * time.Millisecond
	maxRest = 5 * time.Second
	// silentRest outlasts the time until silence is noticed anew (see internal/wire), so a frozen replica rests throughout.
	silentRest = time.Second
	// dialPatience is how long a read waits for the first connection to a replica, and until a primary that is dialled
	// is missed: as long as for a silent one.
	dialPatience = 500 * time.Millisecond
	// sampleBelow is how many reads may be in flight for each of them to be timed; of more, one in sixteen is.
	sampleBelow = 4
)

var (
	errSilentReplica = errors.New("the replica stopped answering")
	errEndedIdle     = errors.New("the connection had ended before")
	errSlowReplica   = errors.New("the replica could not be connected to soon enough")
)

// reading is what a client keeps of a node for reads that a policy spreads. Its connections are apart from the node's others,
// because READONLY is for good: on the connection of a primary that is demoted, reads must be redirected, not answered.
type reading struct {
	lanes []lane // READONLY connections, each admitted by the gate

	inFlight   atomic.Int32
	latency    atomic.Int64 // moving average, ns; 0: not known
	restsUntil atomic.Int64 // see core.now; 0: it does not rest
	ills       atomic.Int32 // rests in a row
	maps       atomic.Int32 // the newest maps in a row that list it as a replica, since its last connection was lost
	refused    atomic.Pointer[string]
	upTo       atomic.Int64 // it has what its primary had at this time (see core.now); 0: not known
	lag        lagWatch     // of its own replicas
}

func (d *reading) init(n *node, retired bool) {
	d.lanes = make([]lane, len(n.lanes))
	for i := range d.lanes {
		d.lanes[i].init(n, retired)
		d.lanes[i].reading = true
	}
}

func (d *reading) lane(slot int) *lane { return &d.lanes[max(slot, 0)%len(d.lanes)] }

// rest lets the replica be left alone for a while. Of many reads that fail together the first one counts.
func (d *reading) rest(now int64) {
	until := d.restsUntil.Load()
	if until > now {
		return
	}
	pause := min(minRest<<min(d.ills.Load(), 10), maxRest)
	pause = pause/2 + rand.N(pause/2)
	if d.restsUntil.CompareAndSwap(until, now+int64(pause)) {
		d.ills.Add(1)
		d.latency.Store(0)
	}
}

// took notes how long a read took. A spike counts little, so that one pause of a collector banishes nobody; what has
// become fast again is believed soon.
func (d *reading) took(ns int64) {
	old := d.latency.Load()
	next := max(ns, 1)
	switch {
	case old == 0:
	case ns > old:
		next = old + (min(ns, 8*old)-old)/8
	default:
		next = (old + 3*next) / 4
	}
	d.latency.Store(next)
}

// begins notes an attempt of a read that a policy has spread; ends must follow.
func (call *call) begins() {
	n := call.node.reading.inFlight.Add(1)
	call.counted, call.begun = true, 0
	if n <= sampleBelow || n%16 == 0 {
		call.begun = call.terms.core.now()
	}
}

func (call *call) ends() {
	d := &call.node.reading
	d.inFlight.Add(-1)
	call.counted = false
	if call.lost != nil {
		return
	}
	if call.begun > 0 {
		d.took(call.terms.core.now() - call.begun)
	}
	if d.ills.Load() > 0 && call.answered() {
		d.ills.Store(0)
	}
}

// leaveReplica lets a read go elsewhere that a replica left unanswered, and the replica rest. A replica's word may be
// old, so its MOVED changes no map: the primary knows better.
func (c *core) leaveReplica(call *call, v verdict) pause {
	strict := call.terms.reads == Replica
	alone := strict || call.routes.primary(uint16(call.slot)) == nil // no primary takes over
	call.spurned = !strict
	n := call.node
	call.node, call.asking = nil, false
	wait := v.pause
	switch {
	case v.pause == tryAgainWait: // a key is on its way, not the replica's fault
	case v.moved && !call.routes.isOwner(v.target, n.info()): // the slot has gone elsewhere
		c.asked.redirected(c.now())
		if strict {
			wait = clusterWait
		}
	case errors.Is(call.lost, errEndedIdle): // as servers end idle connections, which says nothing of the replica
		_, _ = n.reading.lane(call.slot).small.startDial(true)
	default:
		n.reading.rest(c.now())
		via := n.reading.lane(call.slot)
		switch conn := call.via; {
		case call.lost == nil && v.refresh: // by the time it answers again, it has to show its role anew
			via.renew(conn)
		case call.sent && conn.Err() != nil:
			via.drop(conn)
		}
	}
	if alone && call.attempts > freeResends {
		wait = clusterWait
	}
	return wait
}

// isOwner reports whether to, as a redirect from the node from names it, is the primary of the slot.
func (r *routes) isOwner(to target, from Node) bool {
	owner := r.primary(to.slot)
	if owner == nil {
		return false
	}
	info, named := owner.info(), to.node(from)
	return info.is(&named)
}

// silentReplica is told for every 500 ms that a replica owes replies in silence. Who waits is served elsewhere at once.
func (c *core) silentReplica(n *node) {
	d := &n.reading
	d.restsUntil.Store(max(d.restsUntil.Load(), c.now()+int64(silentRest)))
	d.latency.Store(0)
	for i := range d.lanes {
		old := d.lanes[i].predecessor()
		held := old != nil && old.Silent()
		for _, conn := range d.lanes[i].conns(false) {
			if conn.Silent() || held && conn.Waits() {
				conn.GiveBack(errSilentReplica)
			}
		}
	}
	c.refresher.request("a replica is silent")
}

// reviewReplicas follows the change from one map to the next: who is no replica any more, or one of another shard, is
// read from no longer until it has shown its role anew. install is held.
func (c *core) reviewReplicas(old, next *routes) {
	if old != nil && len(old.shards) == len(next.shards) && len(old.shards) > 0 && &old.shards[0] == &next.shards[0] {
		return // a slot has moved, and no node has another role
	}
	for _, n := range next.nodes {
		if !n.reading.isConnected() {
			continue
		}
		if s := next.shardOfReplica(n); s == nil || old != nil && !old.related(next, s, n) {
			n.reading.dismiss()
		}
	}
}

// countMaps notes which nodes an answer of the cluster lists as replicas. install is held.
func (r *routes) countMaps() {
	listed := make(map[*node]bool)
	for _, s := range r.shards {
		for _, i := range s.replicas {
			listed[r.nodes[i]] = true
		}
	}
	for _, n := range r.nodes {
		if listed[n] {
			n.reading.maps.Add(1)
		} else {
			n.reading.maps.Store(0)
		}
	}
}

func (d *reading) isConnected() bool {
	for i := range d.lanes {
		if l := &d.lanes[i]; l.small.conn.Load() != nil || l.large.conn.Load() != nil {
			return true
		}
	}
	return false
}

// distrust forgets what was known of the replica's data: it may have lost them.
func (d *reading) distrust() {
	d.maps.Store(0)
	d.upTo.Store(0)
}

func (d *reading) dismiss() {
	d.upTo.Store(0)
	for i := range d.lanes {
		for _, conn := range d.lanes[i].conns(false) {
			d.lanes[i].renew(conn)
		}
	}
}

// shardOfReplica returns the shard of which n is a replica; nil if there is none.
func (r *routes) shardOfReplica(n *node) *shard {
	for i := range r.shards {
		for _, at := range r.shards[i].replicas {
			if r.nodes[at] == n {
				return &r.shards[i]
			}
		}
	}
	return nil
}

// related reports whether the shard s of the map next is the one that n was a replica of in r: a node of the
// old shard leads it.
func (r *routes) related(next *routes, s *shard, n *node) bool {
	before := r.shardOfReplica(n)
	if before == nil {
		return false
	}
	if s.primary < 0 || before.primary < 0 || r.nodes[before.primary] == next.nodes[s.primary] {
		return true
	}
	return slices.ContainsFunc(before.replicas, func(i int) bool { return r.nodes[i] == next.nodes[s.primary] })
}
