package keyslot

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// routes is what commands are routed by: the slot map, and for each of its nodes the connections. It is immutable, and
// published behind core.routes; whoever installs another one holds core.install.
type routes struct {
	*slotMap
	nodes []*node // by index into slotMap.nodes
	// replaced is closed when routes with other owners are installed. Redirects of single slots hand it on.
	replaced chan struct{}
}

// primary returns the node that owns slot; nil if none is known.
func (r *routes) primary(slot uint16) *node {
	s, ok := r.shardOf(slot)
	if !ok || s.primary < 0 {
		return nil
	}
	return r.nodes[s.primary]
}

// primaries returns the primaries of all shards.
func (r *routes) primaries() []*node {
	out := make([]*node, 0, len(r.shards))
	for _, s := range r.shards {
		if s.primary >= 0 {
			out = append(out, r.nodes[s.primary])
		}
	}
	return out
}

// anyPrimary returns a random primary that is not in but; nil if there is none.
func (r *routes) anyPrimary(but ...*node) *node {
	first := rand.IntN(max(1, len(r.shards)))
	for i := range r.shards {
		s := r.shards[(first+i)%len(r.shards)]
		if s.primary >= 0 && !slices.Contains(but, r.nodes[s.primary]) {
			return r.nodes[s.primary]
		}
	}
	return nil
}

// firstSlot returns the first slot that a shard owns, or NoSlot.
func (r *routes) firstSlot(shard int) int {
	for slot, owner := range r.owner.all {
		if int(owner) == shard {
			return int(slot)
		}
	}
	return command.NoSlot
}

// outdated reports whether routes with other owners have been installed.
func (r *routes) outdated() bool { return isOver(r.replaced) }

// leads reports whether n is the primary of a shard.
func (r *routes) leads(n *node) bool { return r.shardOfPrimary(n) >= 0 }

// shardOfPrimary returns the index of the shard that n leads; -1 if there is none.
func (r *routes) shardOfPrimary(n *node) int {
	return slices.IndexFunc(r.shards, func(s shard) bool { return s.primary >= 0 && r.nodes[s.primary] == n })
}

// installBest lets choose decide, against the map in use at this moment, which of the answers replaces it, and installs
// that one. A redirect that came while the answers were on their way is thus part of the decision.
func (c *core) installBest(views []*view, asked int, unreachable bool) (installed, changed bool, why choiceReason) {
	c.install.Lock()
	old := c.routes.Load()
	var current *slotMap
	if old != nil {
		current = old.slotMap
	}
	next, why := choose(current, views, asked, unreachable, time.Now())
	if next == nil || c.isClosed() {
		if why == keptKind { // more may say so by the time of one of the next commands
			c.fresh.Store(min(c.fresh.Load(), int64(time.Since(c.born)+refreshInterval)))
		}
		c.install.Unlock()
		return false, false, why
	}
	r := &routes{slotMap: next, nodes: c.pool.reconcile(next.nodes, time.Now()), replaced: make(chan struct{})}
	changed = old == nil || !next.agrees(&old.layout) || !r.keeps(old.primaries())
	if r.kind == standalone && old != nil && changed {
		r.primaries()[0].renew() // what leads there was opened to something else, and has to show its role
	}
	if !changed {
		r.replaced = old.replaced
	}
	for _, n := range r.primaries() {
		n.beginReign()
	}
	r.countMaps()
	c.fresh.Store(int64(time.Since(c.born) + c.opts.RefreshAfter))
	c.publish(old, r)
	return true, changed, why
}

// keeps reports whether all of these nodes lead a shard. One that is listed by its id at a new address is the same to
// the map, and another one to dial.
func (r *routes) keeps(primaries []*node) bool {
	return !slices.ContainsFunc(primaries, func(n *node) bool { return !r.leads(n) })
}

// publish makes r the routes in use in place of old (nil: the first ones), lets go of install, and cuts off primaries
// that owe replies in silence and lead no shard any longer.
func (c *core) publish(old, r *routes) {
	c.reviewReplicas(old, r)
	c.routes.Store(r)
	var lost []*wire.Conn
	if old != nil && r.replaced != old.replaced {
		close(old.replaced) // behind Store: whoever is woken finds the new map
		for _, n := range old.primaries() {
			if !r.leads(n) {
				lost = append(lost, n.deposed()...)
			}
		}
	}
	c.install.Unlock()
	c.subscriptions.wakeUp()
	abandon(lost)
}

// movedTo gives a slot to the node that a MOVED names, or that serves it, and returns that node. The topology is asked
// for if that is news.
func (c *core) movedTo(slot uint16, target Node) *node {
	c.install.Lock()
	old := c.routes.Load()
	now := time.Now()
	next := old.slotMap
	if old.kind == sharded { // the map may have become one in which no slot moves
		next = old.moved(slot, target, now)
	}
	if next == old.slotMap || c.isClosed() {
		c.install.Unlock()
		return old.primary(slot)
	}
	r := &routes{slotMap: next, nodes: old.nodes, replaced: old.replaced}
	if !slices.Equal(next.nodes, old.slotMap.nodes) {
		r.nodes = c.pool.reconcile(next.nodes, now)
	}
	demoted := old.primary(slot)
	failover := demoted != nil && !r.leads(demoted) // the whole shard has moved
	if failover {
		r.replaced = make(chan struct{})
	}
	to := r.primary(slot)
	to.beginReign()
	migrating := slices.ContainsFunc(old.patches, func(p patch) bool { return p.live(now) })
	whole := failover && !migrating && c.opts.RefreshAfter > 0 // all that has changed is known: a thousand clients need not confirm it at once
	if whole {
		soon := now.Sub(c.born) + patchLife + rand.N(c.opts.RefreshAfter)
		c.fresh.Store(min(c.fresh.Load(), int64(soon)))
	}
	c.publish(old, r)
	if !whole {
		c.refresher.request("MOVED")
	}
	return to
}

// beginReign is told of a node that is new, or leads a shard of the map that is being installed.
func (n *node) beginReign() {
	if last := n.reign.Load(); last == nil || isOver(*last) {
		reign := make(chan struct{})
		n.reign.Store(&reign)
	}
}

// lostSlots reports whether the node led a shard once, and does no longer.
func (n *node) lostSlots() bool { return isOver(*n.reign.Load()) }

// lostAfter returns what is closed once the node has lost the slots that it has by r. That is nil if it has none there:
// who comes here all the same knows why, as after ASK.
func (n *node) lostAfter(r *routes) <-chan struct{} {
	if r == nil || !r.leads(n) {
		return nil
	}
	return *n.reign.Load()
}

// deposed is told that the node has lost its slots: nobody waits for a dial to it any longer. It returns the connections
// to cut off: all, if the node owes replies in silence. What a frozen primary acknowledges when it wakes is lost by then.
func (n *node) deposed() (lost []*wire.Conn) {
	if !n.lostSlots() {
		close(*n.reign.Load())
	}
	if !n.silent() {
		return nil
	}
	return n.conns(false)
}

func abandon(lost []*wire.Conn) {
	for _, conn := range lost {
		conn.Abandon(errDeposed)
	}
}

// suspect is told for every 500 ms that n owes replies in silence. Others are asked whether n still has its slots; once
// it has lost them, it is cut off.
func (c *core) suspect(n *node, conn *wire.Conn) {
	switch {
	case n.left(conn.Addr()):
		conn.Abandon(errLeft)
		return
	case n.lostSlots():
		abandon(append(n.conns(false), conn)) // which may be one that is drained, and the node's no longer
		return
	}
	c.missed(n, true, "a node is silent")
	c.doubt(n)
}

// nodeAt returns the node that an ASK names: one of the map, or one that is not listed because it owns no slot yet.
func (c *core) nodeAt(target Node) *node {
	r := c.routes.Load()
	if i := r.find(&target); i >= 0 {
		return r.nodes[i]
	}
	return c.pool.stranger(target, time.Now())
}

// noticeAge asks for a refresh when the map is older than RefreshAfter. Nothing but a command's use of the map sets it
// off, or a subscription that looks after its connection: a client without either does nothing.
func (c *core) noticeAge(now time.Time) {
	due := c.fresh.Load()
	if c.opts.RefreshAfter < 0 || int64(now.Sub(c.born)) < due {
		return
	}
	if c.fresh.CompareAndSwap(due, int64(now.Sub(c.born)+c.opts.RefreshAfter)) {
		c.refresher.request("age")
	}
}

// size is how many nodes the cluster has, as far as the client knows.
func (c *core) size() int {
	if r := c.routes.Load(); r != nil {
		return len(r.nodes)
	}
	return 1
}
