package keyslot

import (
	"cmp"
	"slices"
	"time"
)

// choiceReason says what became of the answers to one refresh, and why.
type choiceReason uint8

const (
	keptNoAnswer   choiceReason = iota // no node gave a usable answer
	keptOlder                          // the answers are of an older epoch, and not everyone asked agrees
	keptUnordered                      // one answer without an epoch does not replace a map that has one
	keptFewerSlots                     // one answer alone covers fewer slots
	keptFailing                        // one node alone answered, and says its cluster state is fail
	keptForeign                        // the node asked has lost its address to a node of another cluster
	keptKind                           // a cluster is no cluster, or the other way round, and too few say so
	keptReader                         // of a serverless cache: the reader is never the primary

	tookFirst    // there was no map yet
	tookNewer    // a newer epoch
	tookEqual    // the same epoch: slots that a redirect moved meanwhile are kept
	tookOlder    // an older epoch, but all asked agree, or nobody else can be reached
	tookStranger // shares no node with the map: a cluster rebuilt behind the same name
	tookKind     // cluster mode was switched on or off
)

func (v choiceReason) String() string {
	return [...]string{
		keptNoAnswer:   "no usable answer",
		keptOlder:      "kept: the answer has an older epoch",
		keptUnordered:  "kept: the answer has no epoch and nobody confirms it",
		keptFewerSlots: "kept: the answer covers fewer slots and nobody confirms it",
		keptFailing:    "kept: the answering node sees the cluster as down and nobody confirms it",
		keptForeign:    "kept: the answering node belongs to another cluster",
		keptKind:       "kept: a node has changed its cluster mode, and too few confirm it",
		keptReader:     "kept: a serverless cache does not make its reader the primary",
		tookFirst:      "first map",
		tookNewer:      "newer epoch",
		tookEqual:      "same epoch",
		tookOlder:      "older epoch, unopposed",
		tookStranger:   "rebuilt cluster",
		tookKind:       "cluster mode switched",
	}[v]
}

// replicaMemory is how long replicas outlive an answer that lists none: a loading Valkey node leaves all of them out.
const replicaMemory = time.Minute

// choose decides which of the answers to one refresh, if any, replaces the installed map (nil: none yet). asked counts
// the nodes asked, answering or not; allUnreachable says that no node of the installed map can be reached. It returns
// nil, and the reason, to keep the installed map.
//
// An epoch orders maps, it does not lock them: a lower one wins when nobody contradicts it. The rules, and the
// situations behind them, are in DESIGN.md under "Which map wins".
func choose(installed *slotMap, views []*view, asked int, allUnreachable bool, now time.Time) (*slotMap, choiceReason) {
	c := choice{old: installed, asked: max(asked, len(views)), allUnreachable: allUnreachable, now: now}
	c.said = slices.DeleteFunc(slices.Clone(views), func(v *view) bool { return v.kind != standalone })
	c.views = slices.DeleteFunc(slices.Clone(views), func(v *view) bool { return v.covered == 0 })
	c.dropStrangers()
	why := keptNoAnswer
	for i, cand := range c.ranked() {
		got := c.judge(cand)
		if got >= tookFirst {
			return c.install(cand.view, got), got
		}
		if i == 0 {
			why = got
		}
	}
	return nil, why
}

// choice is the matter before one call of choose.
type choice struct {
	old            *slotMap
	views          []*view
	asked          int
	allUnreachable bool
	now            time.Time
	said           []*view // by which cluster mode is disabled
}

// contender is a view, and who else says the same.
type contender struct {
	*view
	answers int  // answers that agree with it, itself included
	voices  int  // distinct nodes that gave them
	asOld   bool // it agrees with the installed map
}

// dropStrangers ignores nodes of another cluster while a healthy one of ours still speaks: an address of ours may have
// been given to them.
func (c *choice) dropStrangers() {
	if c.old == nil || !slices.ContainsFunc(c.views, func(v *view) bool { return v.ok && c.related(v) }) {
		return
	}
	c.views = slices.DeleteFunc(c.views, func(v *view) bool { return !c.related(v) })
}

// related reports whether v knows a node of the installed map.
func (c *choice) related(v *view) bool {
	return slices.ContainsFunc(v.nodes, func(n *Node) bool { return c.old.find(n) >= 0 })
}

// ranked returns the views, the most credible first.
func (c *choice) ranked() []contender {
	all := make([]contender, len(c.views))
	for i, v := range c.views {
		all[i] = contender{view: v, asOld: c.old != nil && v.agrees(&c.old.layout)}
		same := func(o *view) bool { return o == v || o.agrees(&v.layout) }
		all[i].answers, all[i].voices = c.count(same)
	}
	slices.SortStableFunc(all, func(a, b contender) int {
		return cmp.Or(
			first(a.ok, b.ok),
			first(a.hasEpoch, b.hasEpoch),
			cmp.Compare(b.epoch, a.epoch),
			first(!a.hasEpoch && a.voices > 1, !b.hasEpoch && b.voices > 1), // nothing else orders them
			cmp.Compare(b.covered, a.covered),
			cmp.Compare(b.voices, a.voices),
			first(a.asOld, b.asOld),
			cmp.Compare(len(b.nodes), len(a.nodes)), // a loading node lists no replicas
			b.at.Compare(a.at),
		)
	})
	return all
}

// first orders what holds before what does not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// count returns how many answers are so, and from how many distinct nodes: the configuration endpoint may well have led
// to a node that was asked by its own address too.
func (c *choice) count(so func(*view) bool) (answers, voices int) {
	var heard []*view
	for _, v := range c.views {
		if !so(v) {
			continue
		}
		answers++
		if !slices.ContainsFunc(heard, func(o *view) bool { return o.voice() == v.voice() }) {
			heard = append(heard, v)
		}
	}
	return answers, len(heard)
}

// voice names the node that answered.
func (v *view) voice() string { return cmp.Or(v.fromID, v.from.Addr()) }

// judge decides whether v may replace the installed map.
func (c *choice) judge(v contender) choiceReason {
	switch {
	case c.old == nil:
		return tookFirst
	case (v.kind == standalone) != (c.old.kind == standalone):
		return c.judgeKind(v)
	case v.kind == standalone:
		return tookEqual
	case c.old.kind == serverless && c.isUsurper(v.view):
		return keptReader
	}
	// A cluster of one node has only one voice, which is then all there is to hear.
	alone := len(v.nodes) == 1 && len(c.old.nodes) == 1
	confirmed := v.voices > 1 || alone
	unopposed := c.allUnreachable || confirmed && v.answers == c.asked
	stranger := !c.related(v.view)
	switch {
	case stranger && v.from.ID != "" && !confirmed && !c.allUnreachable:
		return keptForeign
	case !v.ok && !confirmed && !c.allUnreachable:
		return keptFailing
	case v.covered < c.old.covered && !confirmed && !c.allUnreachable:
		return keptFewerSlots
	case stranger:
		return tookStranger
	case !v.hasEpoch && c.old.hasEpoch && !confirmed && !c.allUnreachable:
		return keptUnordered
	case v.hasEpoch && !c.old.hasEpoch, v.hasEpoch && v.epoch > c.old.epoch:
		return tookNewer
	case v.hasEpoch && v.epoch < c.old.epoch && unopposed:
		return tookOlder
	case v.hasEpoch && v.epoch < c.old.epoch:
		return keptOlder
	}
	return tookEqual
}

// judgeKind decides whether v may turn a cluster into a group without cluster mode, or the other way round. A node that
// is started with the wrong configuration must not do that to those who ask it.
//
// A cluster ends only where no node knows of it any more: all that were asked say so, or none can be reached and the
// endpoint says so; or of a single shard at least half, its primary or all behind the endpoints among them, for a primary
// that is slow to answer must not lose its shard to a replica that was started wrong. To become a cluster, the map must
// be whole, and the group's own primary tell it; or at least half of all endpoints, where the primary does not answer.
func (c *choice) judgeKind(v contender) choiceReason {
	enough := false
	primary := c.old.primaryOf(0)
	switch {
	case v.kind == standalone:
		known := slices.ContainsFunc(c.views, func(o *view) bool { return o.kind != standalone })
		own := v.undisputed || slices.ContainsFunc(statements(c.said), func(o *view) bool { return o.isAt(primary) })
		half := len(c.old.shards) == 1 && 2*len(c.said) >= c.asked
		enough = !known && (half && own || len(c.said) == c.asked || c.allUnreachable)
	case v.ok && v.covered == slotCount:
		own := slices.ContainsFunc(c.views, func(o *view) bool {
			return o.kind != standalone && o.isAt(primary) && o.agrees(&v.layout)
		})
		enough = own || len(c.said) == 0 && 2*v.voices >= c.asked
	}
	if !enough {
		return keptKind
	}
	return tookKind
}

// isAt reports whether the view came from where a node is, whatever id that has by now.
func (v *view) isAt(n *Node) bool {
	at := Node{Host: v.from.Host, Port: v.from.Port}
	return n != nil && at.is(n)
}

// isUsurper reports whether v makes a primary of what is only read from, by whatever name.
func (c *choice) isUsurper(v *view) bool {
	return slices.ContainsFunc(v.shards, func(s shard) bool {
		if s.primary < 0 {
			return false
		}
		at := c.old.find(v.nodes[s.primary])
		return at >= 0 && c.old.ledBy(at) < 0 || v.nodes[s.primary].Port == serverlessReaderPort
	})
}

// install makes a map of v.
func (c *choice) install(v *view, why choiceReason) *slotMap {
	next := &slotMap{
		layout: v.layout, epoch: v.epoch, hasEpoch: v.hasEpoch,
		source: v.from.Addr(), at: v.at, replicasAt: v.at,
	}
	if why == tookFirst || why == tookStranger || why == tookKind {
		return next
	}
	if !v.hasEpoch {
		next.epoch, next.hasEpoch = c.old.epoch, c.old.hasEpoch
	}
	if v.replicas() == 0 {
		c.keepReplicas(next)
	}
	if why == tookEqual {
		c.keepPatches(next, v)
	}
	return next
}

// keepReplicas gives the shards of next, in which nobody has a replica, those they had before: for a minute, or until
// a second node lists none.
func (c *choice) keepReplicas(next *slotMap) {
	next.replicasAt = c.old.replicasAt
	_, voices := c.count(func(v *view) bool { return v.replicas() == 0 })
	if voices > 1 || c.now.Sub(c.old.replicasAt) >= replicaMemory {
		return
	}
	next.shards = slices.Clone(next.shards)
	for i := range next.shards {
		s := &next.shards[i]
		if s.primary < 0 {
			continue
		}
		for _, n := range c.old.replicasOf(next.nodes[s.primary]) {
			if next.find(n) >= 0 {
				continue // a primary by now
			}
			next.nodes = append(slices.Clip(next.nodes), n)
			s.replicas = append(s.replicas, len(next.nodes)-1)
		}
	}
}

// replicasOf returns the replicas of the shard that primary leads.
func (l *layout) replicasOf(primary *Node) (nodes []*Node) {
	i := l.find(primary)
	if i < 0 {
		return nil
	}
	led := l.ledBy(i)
	if led < 0 {
		return nil
	}
	for _, r := range l.shards[led].replicas {
		nodes = append(nodes, l.nodes[r])
	}
	return nodes
}

// keepPatches applies to next, made of v, the redirects that v may not have heard of.
func (c *choice) keepPatches(next *slotMap, v *view) {
	for _, p := range c.old.patches {
		owner := c.old.primaryOf(p.slot)
		if owner == nil || !p.live(c.now) || c.outdated(p, owner, v) {
			continue
		}
		if now := next.primaryOf(p.slot); now == nil || !now.is(owner) {
			next.assign(p.slot, *owner)
		}
		next.patches = append(next.patches, p)
	}
}

// outdated reports whether, asked after the redirect, the owner a patch names denies it, or two nodes agree with v
// instead.
func (c *choice) outdated(p patch, owner *Node, v *view) bool {
	claimed := v.primaryOf(p.slot)
	if claimed == nil || claimed.is(owner) {
		return false
	}
	_, voices := c.count(func(o *view) bool {
		n := o.primaryOf(p.slot)
		return !o.at.Before(p.at) && n != nil && n.is(claimed)
	})
	return voices > 1 || slices.ContainsFunc(c.views, func(o *view) bool {
		self := Node{ID: o.fromID, Host: o.from.Host, Port: o.from.Port}
		n := o.primaryOf(p.slot)
		return !o.at.Before(p.at) && self.is(owner) && (n == nil || !n.is(owner))
	})
}
