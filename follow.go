package keyslot

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

// subscriptionKind is what one kind of subscription says and hears on the wire, and where.
type subscriptionKind struct {
	subscribe, unsubscribe, message string
	fields                          int // of a message
	where                           where
}

// where says at which nodes a topic is subscribed to.
type where uint8

const (
	atOne  where = iota // any node will do
	bySlot              // the primary that owns the slot
	atEach              // every primary
)

// They are never changed.
var (
	plainChannels    = subscriptionKind{"subscribe", "unsubscribe", "message", 3, atOne}
	plainPatterns    = subscriptionKind{"psubscribe", "punsubscribe", "pmessage", 4, atOne}
	shardChannels    = subscriptionKind{"ssubscribe", "sunsubscribe", "smessage", 3, bySlot}
	keyspacePatterns = subscriptionKind{"psubscribe", "punsubscribe", "pmessage", 4, atEach}
)

const (
	// unsureFor is how much earlier than its first sign a gap may have begun: what a server had not sent yet when its
	// connection was lost, and what the new owner of a slot took before the old one knew. Both take milliseconds.
	unsureFor = time.Second
	// pushWait is how long a topic stays where the map says that it no longer belongs: the server is about to say so
	// itself, which tells more exactly since when messages are missed.
	pushWait = 200 * time.Millisecond
	// mapWait is how long a topic whose server has let it go waits for a newer map. Without one it asks there again,
	// and is redirected.
	mapWait = 20 * time.Millisecond
	// ownerWait is how soon a topic is looked at again that no known node serves.
	ownerWait = 200 * time.Millisecond
)

// topic is one channel or pattern; in a subscription to every primary, at one of them. All is guarded by
// Subscription.mu.
type topic struct {
	place
	slot  int      // or NoSlot
	first *opening // waits for the topic's first confirmation; nil: nobody does

	at        *listener // who has subscribed to it or is about to; nil: nobody
	live      bool      // the server has confirmed it there
	confirmed time.Time // when it did
	since     time.Time // since when messages may have been missed; zero: none was
	why       error     // with since

	// It is not subscribed to again before due, unless there is a map that was asked for after left, or one that names
	// another node than leftNode. leftNode is nil where due holds in any case.
	due       time.Time
	left      time.Time
	leftNode  *node
	redirects int
	pace      pacer // of refusals

	leaves  time.Time // when it leaves a listener that the map says is the wrong one; zero: it has the right one
	doubted time.Time // since when that may have been the wrong one
}

// opening is what one call of Add waits for. All but done is guarded by Subscription.mu.
type opening struct {
	names    []string // new ones
	unproven int      // topics to be confirmed
	done     chan struct{}
	err      error // why it was refused

	last     error // the last trouble, its node, and how often a server was asked
	node     string
	attempts int
}

// resolved reports whether nobody waits for an opening any more: its outcome stands. nil stands for one whose
// names are confirmed.
func (o *opening) resolved() bool { return o == nil || isOver(o.done) }

// resolve ends the wait, unless it has ended.
func (o *opening) resolve(err error) {
	if !o.resolved() {
		o.err = err
		close(o.done)
	}
}

// asking notes that a node is about to be asked. Once there is an outcome that is of no interest: the error names who refused.
func (o *opening) asking(addr string) {
	if !o.resolved() {
		o.attempts++
		o.node = addr
	}
}

// failed notes the trouble with a node.
func (o *opening) failed(addr string, err error) {
	if !o.resolved() {
		o.last, o.node = err, addr
	}
}

// open begins to subscribe to those of the names that are new. Where one of them is waited for already it does nothing
// but return the opening of that, which may come to nothing.
func (s *Subscription) open(names []string) (o *opening, ours bool) {
	o = &opening{done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		o.resolve(cmp.Or(s.err, error(unsubscribedError{})))
		return o, true
	}
	for _, name := range names {
		if other := s.names[name]; !other.resolved() {
			return other, false
		}
	}
	for _, name := range names {
		switch refused, known := s.names[name]; {
		case refused != nil: // its Add is about to drop it
			s.drop(refused)
		case known:
			continue
		}
		s.names[name] = o
		o.names = append(o.names, name)
		if s.kind.where != atEach {
			s.addTopic(place{name: name})
		}
	}
	if s.kind.where == atEach {
		s.spread(s.core.routes.Load())
	}
	if len(o.names) == 0 {
		o.resolve(nil)
	}
	return o, true
}

// drop takes back an opening that came to nothing. mu is held.
func (s *Subscription) drop(o *opening) {
	o.unproven = 0 // from here on it only falls
	for _, name := range o.names {
		if s.names[name] == o {
			s.forget(name)
		}
	}
	o.resolve(errGivenUp)
	s.wakeUp()
}

// addTopic makes a topic that nobody has subscribed to yet. mu is held.
func (s *Subscription) addTopic(p place) *topic {
	t := &topic{place: p, slot: command.NoSlot, pace: pacer{first: 50 * time.Millisecond, limit: 500 * time.Millisecond}}
	if s.kind.where == bySlot {
		t.slot = int(Slot(p.name))
	}
	if t.first = s.names[p.name]; t.first != nil {
		t.first.unproven++
	}
	s.topics[p] = t
	return t
}

// forget ends the subscription to a name. mu is held.
func (s *Subscription) forget(name string) {
	if s.kind.where != atEach {
		s.removeTopic(s.topics[place{name: name}])
	} else {
		for p, t := range s.topics {
			if p.name == name {
				s.removeTopic(t)
			}
		}
	}
	delete(s.names, name)
}

// removeTopic forgets a topic; nil stands for one that is not there. mu is held.
func (s *Subscription) removeTopic(t *topic) {
	if t == nil {
		return
	}
	s.proven(t)
	s.detach(t)
	delete(s.topics, t.place)
}

// spread gives each primary a topic for each name, and takes them from all others: a subscription to events of all
// keys. mu is held.
func (s *Subscription) spread(r *routes) {
	primaries := r.primaries()
	var gone []*topic
	missing := map[string]time.Time{} // by name: since when nothing is heard of one that is no primary any more
	for p, t := range s.topics {
		if slices.Contains(primaries, p.node) {
			continue
		}
		if first := missing[p.name]; !t.live && !t.since.IsZero() && (first.IsZero() || t.since.Before(first)) {
			missing[p.name] = t.since
		}
		gone = append(gone, t)
	}
	for name, o := range s.names {
		for _, n := range primaries {
			if s.topics[place{name, n}] != nil {
				continue
			}
			if t := s.addTopic(place{name, n}); o == nil { // what the newcomer did so far has been missed
				t.since, t.why = s.agreed.Add(-unsureFor), errNewOwner
				if since := missing[name]; !since.IsZero() && since.Before(t.since) {
					t.since = since
				}
			}
		}
	}
	for _, t := range gone { // once those in their places count: an opening must not be proven without them
		s.removeTopic(t)
	}
}

// proven counts a topic that its opening need not wait for any longer. mu is held.
func (s *Subscription) proven(t *topic) {
	o := t.first
	if o == nil {
		return
	}
	t.first = nil
	if o.unproven--; o.unproven == 0 {
		for _, name := range o.names {
			if s.names[name] == o {
				s.names[name] = nil
			}
		}
		o.resolve(nil)
	}
}

// detach takes a topic from its listener. mu is held.
func (s *Subscription) detach(t *topic) {
	if l := t.at; l != nil {
		l.release(t)
		t.at, t.live, t.leaves = nil, false, time.Time{}
	}
}

// lose notes that messages may have been missed since a moment, at the latest. mu is held.
func (s *Subscription) lose(t *topic, since time.Time, why error) {
	if !t.live {
		return
	}
	t.live = false
	t.since, t.why = later(since.Add(-unsureFor), t.confirmed), why
}

// wakeUp has run see what there is to do. It never blocks.
func (s *Subscription) wakeUp() { signal(s.wake) }

// rearmed sets a timer anew and returns its channel: nil, on which nothing comes, where wait is none.
func rearmed(timer *time.Timer, wait time.Duration) <-chan time.Time {
	timer.Stop()
	if wait <= 0 {
		return nil
	}
	timer.Reset(wait)
	return timer.C
}

// run follows the map until the subscription ends, and is the last of its goroutines to end.
func (s *Subscription) run(ctx context.Context) {
	defer close(s.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		again, homeless := s.follow(ctx, time.Now())
		if homeless {
			s.core.refresher.urgent("no node serves a channel")
		}
		select {
		case <-s.wake:
		case <-rearmed(timer, again):
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	if s.over = true; s.err == nil && s.core.isClosed() {
		s.err = ErrClosed
	}
	err := s.err
	for _, o := range s.names {
		if o != nil {
			o.resolve(cmp.Or(err, error(unsubscribedError{})))
		}
	}
	s.mu.Unlock()
	s.listening.Wait() // their context has ended
	s.core.subscriptions.remove(s)
	s.inbox.end(err)
}

// follow gives every topic to the listener of the node where the map says it belongs, and ends listeners without any.
// It returns when it has to look again though nothing changes (0: never), and whether some topic belongs nowhere.
func (s *Subscription) follow(ctx context.Context, now time.Time) (again time.Duration, homeless bool) {
	r := s.core.routes.Load()
	if r == nil { // of a Lazy client; Add waits for the first map
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kind.where == atEach {
		s.spread(r)
	}
	var (
		ask    = map[*node][]*topic{}
		homes  = map[*node]bool{}
		agreed = true
	)
	for _, t := range s.topics {
		home := s.home(r, t)
		wait := s.move(r, t, home, now)
		agreed = agreed && t.leaves.IsZero()
		switch {
		case wait > 0:
		case t.at != nil:
		case home == nil:
			homeless, wait = true, ownerWait
		default:
			ask[home] = append(ask[home], t)
		}
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
		if home != nil {
			homes[home] = true
		}
		if t.at != nil {
			homes[t.at.node] = true
		}
	}
	if agreed {
		s.agreed = r.at
	}
	s.engage(ctx, ask, homes)
	return again, homeless
}

// home returns the node that should have a topic, nil if none is known. mu is held.
func (s *Subscription) home(r *routes, t *topic) *node {
	switch s.kind.where {
	case atEach:
		return t.node
	case bySlot:
		return r.primary(uint16(t.slot))
	}
	if s.anchor == nil || !slices.Contains(r.nodes, s.anchor) || s.anchor.lostSlots() && !s.listeners[s.anchor].hears() {
		s.anchor = pickAnchor(r, s.anchor)
	}
	return s.anchor
}

// pickAnchor returns a primary that seems well, or at least another one than before.
func pickAnchor(r *routes, before *node) *node {
	nodes := r.primaries()
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	for _, n := range nodes {
		if n != before && !n.redial.failing() {
			return n
		}
	}
	for _, n := range nodes {
		if n != before {
			return n
		}
	}
	return before
}

// move lets a topic leave a listener that is not the one of its home. It returns how long the topic has to stay as
// it is. mu is held.
func (s *Subscription) move(r *routes, t *topic, home *node, now time.Time) (wait time.Duration) {
	switch {
	case t.at == nil:
		if t.due.After(now) && (t.leftNode == nil || t.leftNode == home && !r.at.After(t.left)) {
			return t.due.Sub(now)
		}
		return 0
	case home == nil: // nobody better is known
		return 0
	case t.at.node == home:
		t.leaves = time.Time{}
		return 0
	case t.live && t.leaves.IsZero():
		if t.leaves = now; !t.at.suspected {
			t.leaves = now.Add(pushWait)
		}
		if t.doubted = s.agreed; t.at.heard.Before(t.doubted) {
			t.doubted = t.at.heard
		}
	}
	if t.live && t.leaves.After(now) {
		return t.leaves.Sub(now)
	}
	s.lose(t, t.doubted, errNewOwner)
	s.detach(t)
	return 0
}

// engage gives topics to the listeners of their nodes, and ends those whose node is nobody's home. mu is held.
func (s *Subscription) engage(ctx context.Context, ask map[*node][]*topic, homes map[*node]bool) {
	for n, l := range s.listeners {
		if !homes[n] {
			l.stop()
			delete(s.listeners, n)
		}
	}
	for n, topics := range ask {
		l := s.listeners[n]
		if l == nil {
			running, stop := context.WithCancel(ctx)
			l = newListener(s, n, stop)
			s.listeners[n] = l
			s.listening.Go(func() { l.run(running) }) // ends with the subscription, or when it has no topics
		}
		for _, t := range topics {
			t.at, t.due, t.leftNode = l, time.Time{}, nil
		}
		l.take(topics)
	}
}
