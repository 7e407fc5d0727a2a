package keyslot

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// Looks at a shard follow each other 60 to 140 ms apart: a promoted replica is found within 60 ms on average, and
	// 5,000 clients are some 50,000 EXISTS a second to a replica that serves nobody else yet. For a lost connection the
	// first one comes after 60 ms: by then most that were merely cut have been replaced.
	scoutFloor  = 60 * time.Millisecond
	scoutJitter = 80 * time.Millisecond
	// missedFor is how long a shard is looked at after a caller was last let down: longer than any pause between the
	// attempts of one caller, so that the looks do not wait for them.
	missedFor = time.Second
	// lookPatience bounds one look. The dial to a node that takes longer goes on, and the next look finds it.
	lookPatience = 300 * time.Millisecond
	// fruitlessFor is how long looks may lead to nothing conclusive until the topology is asked for instead. Where the
	// machines are busy, as in a storm, dearer questions are no help.
	fruitlessFor = 2 * time.Second
	// maxMissed is how many shards are looked at together, and maxReplicas how many replicas of each. ElastiCache has 5.
	maxMissed   = 4
	maxReplicas = 5
)

// scout finds out who serves the slots of a primary that does not, without asking anybody for the topology, which a thousand
// clients would do at the same time: it asks for a key of such a slot. The replicas of the shard serve it from the moment
// when one is promoted; they, and any other primary, redirect when the slot has gone elsewhere. Safe for concurrent use.
type scout struct {
	looks *refresher // runs core.look; its rounds are urgent ones

	mu     sync.Mutex
	missed map[*node]miss      // guarded by mu
	logged map[*node]time.Time // guarded by mu: of which the logger was told, and when they were last asked whether they serve
}

// miss says that a primary has let callers down.
type miss struct {
	at    time.Time    // when a caller was last let down
	lost  bool         // by silence or a lost connection; else it answers that it cannot serve, often because of another one
	heard time.Time    // when evidence on it was last conclusive, or it was first missed
	since time.Time    // when it was first missed, or first while none is lost that it may be waiting for
	why   string       // it was last missed
	had   []*wire.Conn // that had served by at, and may have outlasted what it is missed for
}

// evidence is what others have to say about the slots of a primary that is missed; more is better.
type evidence uint8

const (
	noReply           evidence = iota
	inconclusive               // no permission, or no connection
	unconfirmed                // another node of the shard is said to serve them, which has to say so itself
	conclusive                 // who serves them, which the map follows; or that nobody does yet
	servesRoleUnknown          // whoever was asked serves them, and may not say that it is a primary: but the map will
)

func newScout(look func(ctx context.Context, reason string, urgent bool) error, nodes func() int) *scout {
	s := &scout{looks: newRefresher(look, nodes, nil), missed: map[*node]miss{}, logged: map[*node]time.Time{}}
	s.looks.pace.floor, s.looks.pace.urgent = scoutFloor, pacer{first: scoutJitter, limit: scoutJitter}
	return s
}

// missed is told that n, where a command was sent, did not serve it; nil: the map names nobody. It never blocks. The
// topology is dear, and is asked for urgently only where nothing else can help:
//
//	who did not serve                     what is done
//	a node that has lost its slots        nothing: the map is newer than the attempt
//	a proxy                               the topology, at leisure: it does not change
//	nobody; the primary of a group        the topology, urgently; of a group, that is a few roles
//	a replica, or one that has left       the topology, at leisure: primaries serve meanwhile
//	a primary                             looks at its shard
func (c *core) missed(n *node, lost bool, reason string) { c.missedIn(0, n, lost, nil, reason) }

// cutOff is missed for a node that a connection was lost to, cut, when no other one served; nil: it could not be
// dialled. Mostly it was merely cut, and looks would be too early.
func (c *core) cutOff(n *node, cut *wire.Conn) {
	c.missedIn(scoutFloor, n, true, cut, "lost a connection")
}

// missedIn is missed with a delay before the first look.
func (c *core) missedIn(delay time.Duration, n *node, lost bool, cut *wire.Conn, reason string) {
	r := c.routes.Load()
	switch {
	case n != nil && n.lostSlots():
	case r != nil && r.kind == serverless:
		c.refresher.request(reason)
	case n == nil || r == nil || r.kind == standalone:
		c.refresher.urgent(reason)
	case !r.leads(n):
		c.refresher.request(reason)
	default:
		c.scout.note(n, lost, cut, reason)
		c.scout.looks.urgentIn(delay, reason)
	}
}

// turnedAway is missed for a node that answered. A MOVED that cannot be followed, because the node has no name for the
// new owner, is for the topology, in which others may have one: a look would ask for another key of the shard, which
// may not have moved.
func (c *core) turnedAway(n *node, said ServerError) {
	if code := said.Code(); code == "MOVED" && c.kind() == sharded {
		c.refresher.urgent(code)
	} else {
		c.missed(n, false, code)
	}
}

func (s *scout) note(n *node, lost bool, cut *wire.Conn, reason string) {
	had := []*wire.Conn{cut} // and no other one: what has served by now, while its callers come here, is newer
	if cut == nil {
		had = n.serving() // not under the lock
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	last, ok := s.missed[n]
	if !ok || now.Sub(last.at) >= missedFor {
		last = miss{heard: now, since: now}
	}
	last.at, last.lost, last.had, last.why = now, lost || last.lost, had, reason
	s.missed[n] = last
}

// serving returns the shared connections of n that have served, and are neither dead nor silent.
func (n *node) serving() (conns []*wire.Conn) {
	for i := range n.lanes {
		for _, conn := range n.lanes[i].conns(false) {
			if conn.Proven() && conn.Err() == nil && !conn.Silent() {
				conns = append(conns, conn)
			}
		}
	}
	return conns
}

// forgive forgets the primaries that were lost and have served since, on a connection that did not serve then.
func (s *scout) forgive() {
	s.mu.Lock()
	missed := maps.Clone(s.missed)
	s.mu.Unlock()
	for n, m := range missed { // not under the lock
		isOld := func(conn *wire.Conn) bool { return slices.Contains(m.had, conn) }
		if !m.lost || len(slices.DeleteFunc(n.serving(), isOld)) == 0 {
			continue
		}
		s.mu.Lock()
		if s.missed[n].at.Equal(m.at) { // else it has been missed again
			delete(s.missed, n)
		}
		s.mu.Unlock()
	}
}

// learnt notes what others had to say about n, and reports whether to ask for the topology: they will not tell, or
// cannot be reached.
func (s *scout) learnt(n *node, said evidence, now time.Time) (useless bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.missed[n]
	if ok && said == conclusive {
		m.heard = now
		s.missed[n] = m
	}
	return ok && (said == inconclusive || said == servesRoleUnknown || now.Sub(m.heard) >= fruitlessFor)
}

// logMissed logs which of the primaries that are due have been missed for a while, each once until it is found to serve.
func (s *scout) logMissed(due []*node, now time.Time, log *slog.Logger) {
	for _, n := range due {
		if reason, ok := s.news(n, now); ok {
			log.Warn("keyslot: a primary does not serve its slots, which are looked for elsewhere", "node", n.addr(), "reason", reason)
		}
	}
}

// news returns why n was last missed, if it was for a while and is not logged yet.
func (s *scout) news(n *node, now time.Time) (reason string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, missed := s.missed[n]
	_, logged := s.logged[n]
	if !m.lost { // it may have served since, which nobody notes
		now = m.at
	}
	if !missed || logged || now.Sub(m.since) < missedFor {
		return "", false
	}
	s.logged[n] = time.Time{}
	return m.why, true
}

// unserved returns which of the logged primaries have been replaced, and which are to be asked whether they serve: that
// nobody misses them any longer does not tell, for nobody may have needed them.
func (s *scout) unserved(r *routes, now time.Time) (replaced, unsure []*node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, asked := range s.logged {
		_, missed := s.missed[n]
		switch {
		case !r.leads(n):
			replaced = append(replaced, n)
		case !missed && now.Sub(asked) >= missedFor:
			s.logged[n] = now
			unsure = append(unsure, n)
		}
	}
	return replaced, unsure
}

// found logs that the slots of a logged primary are served again.
func (s *scout) found(n *node, log *slog.Logger) {
	s.mu.Lock()
	delete(s.logged, n)
	s.mu.Unlock()
	log.Info("keyslot: the slots of that primary are served again", "node", n.addr())
}

// review sees to it that the logged primaries are looked at, though nobody may miss them.
func (s *scout) review(reason string) {
	s.mu.Lock()
	some := len(s.logged) > 0
	s.mu.Unlock()
	if some {
		s.looks.urgent(reason)
	}
}

// isOver reports whether n is missed no longer.
func (m miss) isOver(r *routes, n *node, now time.Time) bool {
	return now.Sub(m.at) >= missedFor || !r.leads(n)
}

// isOneLost reports whether a primary that is missed is lost. mu is held.
func (s *scout) isOneLost(r *routes, now time.Time) bool {
	for n, m := range s.missed {
		if m.lost && !m.isOver(r, n, now) {
			return true
		}
	}
	return false
}

// due returns the primaries to look for. While one is lost, those that only cannot serve are most likely waiting for
// it, as the whole cluster does. One of them may be down by itself: due returns one of those on which there was no
// conclusive evidence for a while.
func (s *scout) due(r *routes, now time.Time) (due []*node, waiting *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	isLost := s.isOneLost(r, now)
	for n, m := range s.missed {
		switch {
		case m.isOver(r, n, now):
			delete(s.missed, n)
		case m.lost == isLost:
			due = append(due, n)
		default:
			m.since = now // the cluster comes back a moment later than the one that is lost
			s.missed[n] = m
			if now.Sub(m.heard) >= fruitlessFor {
				waiting = n
			}
		}
	}
	return due, waiting
}

// look asks who serves the slots of the primaries that are missed, and comes again until nobody misses one.
func (c *core) look(ctx context.Context, reason string, _ bool) error {
	r, now := c.routes.Load(), time.Now()
	c.scout.forgive()
	due, waiting := c.scout.due(r, now)
	c.scout.logMissed(due, now, c.opts.Logger)
	due = due[:min(len(due), maxMissed)] // a map has no order, so each has its turn
	if waiting != nil {
		due = append(due, waiting)
	}
	var looks sync.WaitGroup
	for _, n := range due {
		looks.Go(func() { // ends within lookPatience; this function waits for it
			if c.scout.learnt(n, c.lookFor(ctx, r, n), time.Now()) {
				c.refresher.urgent(reason)
			}
		})
	}
	replaced, unsure := c.scout.unserved(r, now)
	for _, n := range unsure {
		looks.Go(func() { // ends within lookPatience; this function waits for it
			if c.serves(ctx, r, n) {
				c.scout.found(n, c.opts.Logger)
			}
		})
	}
	for _, n := range replaced {
		c.scout.found(n, c.opts.Logger)
	}
	looks.Wait()
	if len(due) > 0 {
		c.scout.looks.urgent(reason)
	}
	return nil
}

// serves reports whether n answers for a key of its shard, over a connection that it has: nobody asks for a new one.
func (c *core) serves(ctx context.Context, r *routes, n *node) bool {
	conn := anyLive(n.lanes)
	key, slot, ok := r.keyOf(r.shardOfPrimary(n))
	if !ok || conn == nil || conn.Silent() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	replies, err := query(ctx, conn, "EXISTS "+key)
	if err != nil {
		return false
	}
	return !isError(replies[0]) || classify(attempt{slot: int(slot), refusal: replies[0].Str}).action == finish // as after NOPERM
}

// lookFor asks the replicas of the shard that n leads, and one other primary, for a key of the shard. It returns the
// best that any of them had to say.
func (c *core) lookFor(ctx context.Context, r *routes, n *node) evidence {
	shard := r.shardOfPrimary(n)
	key, slot, ok := r.keyOf(shard)
	if !ok {
		return inconclusive
	}
	nodes := r.witnesses(shard)
	if len(nodes) == 0 {
		return inconclusive
	}
	found := make([]evidence, len(nodes))
	together(ctx, len(nodes), lookPatience, func(ctx context.Context, i int) (enough bool) {
		found[i] = c.askOwner(ctx, r, nodes[i], key, slot)
		return found[i] >= conclusive
	})
	return slices.Max(found)
}

// witnesses returns who can tell what has become of a shard whose primary does not: its replicas, and another primary.
func (r *routes) witnesses(shard int) (nodes []*node) {
	s := r.shards[shard]
	for _, i := range rand.Perm(len(s.replicas)) {
		if len(nodes) < maxReplicas {
			nodes = append(nodes, r.nodes[s.replicas[i]])
		}
	}
	others := r.primaries()
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for _, likely := range [...]func(n *node) bool{
		func(n *node) bool { return n.readiness() == connected },
		func(n *node) bool { return n.readiness() == undialled && n.isDialled() }, // or each look would dial another one
		func(n *node) bool { return n.readiness() == undialled },
	} {
		for _, n := range others {
			if n != r.nodes[s.primary] && likely(n) {
				return append(nodes, n)
			}
		}
	}
	return nodes
}

// keyOf returns a short key of some slot of a shard; false if it has none. A shard of one slot takes a millisecond.
func (r *routes) keyOf(shard int) (key string, slot uint16, ok bool) {
	if shard < 0 || r.firstSlot(shard) < 0 {
		return "", 0, false
	}
	for i := 0; ; i++ {
		key = strconv.Itoa(i)
		if slot = Slot(key); int(r.owner.of(slot)) == shard {
			return key, slot, true
		}
	}
}

// askOwner asks a node for a key that another one should have, and lets the map follow what that tells. Nodes of the
// shard speak for themselves: that one of them has taken over is believed when it serves, for others may be behind the
// map in use; and is a primary, for a proxy may serve reads anywhere.
//
//	C: EXISTS key            | ROLE
//	S: :0                    | * master ..   the node has been promoted
//	   :0                    | -NOPERM ..    perhaps: the topology is asked for
//	   :0                    | anything else who knows
//	   -MOVED slot host:port |               to the primary: nothing new; in its shard: unconfirmed; elsewhere: the slot has gone there
//	   -CLUSTERDOWN ..       |               nobody serves it yet; LOADING and the like
//	   -NOPERM ..            |               who knows
//
// A node that has lost its slots may not know it yet, if it stood still. Its own epoch (CLUSTER INFO) is newer than the
// map if it has them back.
func (c *core) askOwner(ctx context.Context, r *routes, n *node, key string, slot uint16) evidence {
	questions := []string{"EXISTS " + key, "ROLE"}
	deposed := n.lostSlots()
	if deposed {
		questions = append(questions, "CLUSTER INFO")
	}
	conn, err := n.toAsk(ctx)
	var replies []resp.Value
	if err == nil {
		replies, err = query(ctx, conn, questions...)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return noReply
	case err != nil:
		return inconclusive
	case !isError(replies[0]):
		return c.hearOwner(r, n, slot, replies, deposed)
	}
	v := classify(attempt{slot: int(slot), refusal: replies[0].Str})
	if v.action == follow && !v.ask {
		switch to := v.target.node(n.info()); {
		case !r.inShardOf(slot, &to):
			c.movedTo(slot, to)
		case !r.primaryOf(slot).is(&to):
			return unconfirmed
		}
	}
	nameless := v.action != follow && ServerError(replies[0].Str).Code() == "MOVED"
	if v.action == finish || v.action == redial || nameless {
		return inconclusive
	}
	return conclusive
}

// hearOwner draws the conclusions of askOwner from the replies of a node that serves the key.
func (c *core) hearOwner(r *routes, n *node, slot uint16, replies []resp.Value, deposed bool) evidence {
	stale := deposed && r.hasEpoch && epochOf(replies[2]) <= r.epoch
	switch {
	case replies[0].Kind != resp.Integer:
		return inconclusive
	case slices.ContainsFunc(replies, isError):
		return servesRoleUnknown
	case !isPrimary(replies[1]) || stale:
		return inconclusive
	}
	c.movedTo(slot, n.info())
	return conclusive
}

func isPrimary(role resp.Value) bool {
	return role.Kind == resp.Array && len(role.Elems) > 0 && role.Elems[0].Str == "master"
}

// epochOf returns a node's own epoch from its CLUSTER INFO; 0 if it does not say.
func epochOf(info resp.Value) uint64 {
	text, _ := infoField(info, "cluster_my_epoch")
	epoch, _ := strconv.ParseUint(text, 10, 64)
	return epoch
}

// inShardOf reports whether n is a node of the shard that serves slot.
func (r *routes) inShardOf(slot uint16, n *Node) bool {
	s, ok := r.shardOf(slot)
	i := r.find(n)
	return ok && i >= 0 && (i == s.primary || slices.Contains(s.replicas, i))
}
