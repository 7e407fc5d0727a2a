package keyslot

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

// Subscription receives messages, on connections of its own, until it is closed. It subscribes again by itself wherever
// a connection is lost, a slot moves or a primary is replaced, and says with a *Gap when messages may have been missed.
// Around a gap one may come twice, except of KeyspaceEvents, since the servers pass messages on to each other at their
// own pace. Otherwise a message comes once, or once for each pattern that it matches. Safe for concurrent use.
//
// Its connections are looked after while they are idle: a PING each second, or each IdleProbe if that is shorter, none
// if it is negative. One that owes an answer for PeerTimeout is given up, earlier if the cluster has replaced its node.
type Subscription struct {
	// immutable
	core  *core
	terms *terms
	kind  *subscriptionKind
	stop  context.CancelFunc
	wake  chan struct{} // tells run to look at the map and the topics
	ended chan struct{} // closed when everything has ended
	inbox inbox

	listening sync.WaitGroup // listeners

	mu sync.Mutex
	// guarded by mu
	names     map[string]*opening // what is subscribed to; nil: confirmed
	topics    map[place]*topic
	listeners map[*node]*listener
	anchor    *node     // atOne: the node
	pace      pacer     // atOne: of dials, wherever they go
	hurried   bool      // the anchor is another one because a dial took long, and has not confirmed anything yet
	agreed    time.Time // when the map was asked for by which everything had its place
	over      bool      // nothing is subscribed to any more
	err       error     // why it ended, unless by Close
}

var errZeroSubscription = errors.New("keyslot: the zero Subscription cannot be used: make one by Subscribe, PSubscribe, SSubscribe or KeyspaceEvents")

// place is one topic's key: its name, and where it belongs in a subscription to every primary.
type place struct {
	name string
	node *node // nil: where the map says
}

// Subscribe subscribes to channels, at one node: the cluster passes every message on to all of them. It returns once
// the server has confirmed them all, or an *Error when it refuses one of them or ctx ends (CommandTimeout, where ctx
// has no deadline); then nothing is left of it. The subscription does not depend on ctx later; Close ends it.
//
// Each subscription opens a connection: prefer one with many channels to many with one. It chooses its nodes itself,
// whatever policy a view c has; one with a route (On) is refused before anything is sent.
func (c *Client) Subscribe(ctx context.Context, channels ...string) (*Subscription, error) {
	return c.subscribe(ctx, &plainChannels, channels)
}

// PSubscribe is Subscribe for patterns, such as "news.*". A message that matches several comes once for each.
func (c *Client) PSubscribe(ctx context.Context, patterns ...string) (*Subscription, error) {
	return c.subscribe(ctx, &plainPatterns, patterns)
}

// SSubscribe is Subscribe for shard channels, to which SPUBLISH publishes. A shard channel belongs to a slot, as a key
// does, and its messages stay in one shard; the channels may belong to any slots, and there is one connection to each
// node that owns some of them. It follows slots that move, and failovers. Redis 7.0.
func (c *Client) SSubscribe(ctx context.Context, channels ...string) (*Subscription, error) {
	return c.subscribe(ctx, &shardChannels, channels)
}

// KeyspaceEvents subscribes to what happens to keys: to patterns such as "__keyspace@0__:user:*" (the events of some
// keys) or "__keyevent@0__:expired" (the keys of one event). Each primary tells only of its own keys, so it subscribes
// at every primary, also at those that join later, and leaves those that are none any more. Message.Keyspace reads the
// messages. It returns as Subscribe does; a pattern that begins otherwise is an *ArgumentError.
//
// The servers tell nothing unless their configuration says so: notify-keyspace-events, for example "KEA"; on
// ElastiCache it is a parameter of the parameter group. Events are as reliable as pub/sub: see Gap.
func (c *Client) KeyspaceEvents(ctx context.Context, patterns ...string) (*Subscription, error) {
	return c.subscribe(ctx, &keyspacePatterns, patterns)
}

func (c *Client) subscribe(ctx context.Context, g *subscriptionKind, names []string) (*Subscription, error) {
	if c.terms.to != nil {
		return nil, misuse(strings.ToUpper(g.subscribe), "a subscription chooses its nodes itself, and takes no route of a view: use On(nil)")
	}
	running, stop := context.WithCancel(context.Background())
	s := &Subscription{
		core: c.core, terms: c.terms, kind: g, stop: stop, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		names: map[string]*opening{}, topics: map[place]*topic{}, listeners: map[*node]*listener{},
		pace: pacer{first: minRedial, limit: maxRedial},
	}
	s.inbox.init()
	if !c.core.subscriptions.add(s) {
		stop()
		return nil, s.fail(new(opening), ErrClosed)
	}
	go s.run(running) // ends with Close, the client's too, and both wait for it
	if err := s.Add(ctx, names...); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Add subscribes to more channels, or patterns, of the same kind. It returns once the server has confirmed them all, or
// an error as Subscribe does, and then it has added none of them. Those that were subscribed to already are left as
// they are; for those that another call is adding it waits, and asks itself if that one fails.
func (s *Subscription) Add(ctx context.Context, channels ...string) error {
	if s.core == nil {
		return errZeroSubscription
	}
	if err := s.check(channels); err != nil {
		return s.fail(new(opening), err)
	}
	_, until, err := s.terms.enter(ctx)
	if err != nil {
		return s.fail(new(opening), err)
	}
	defer s.core.running.leave()
	o, ours := s.open(channels)
	for ; !ours; o, ours = s.open(channels) {
		if err := waitFor(ctx, until, o.done); err != nil {
			return s.fail(o, s.terms.named(err, until))
		}
	}
	s.wakeUp()
	if err := s.await(ctx, until, o); err != nil {
		return s.fail(o, err)
	}
	return nil
}

func (s *Subscription) check(channels []string) error {
	if len(channels) == 0 {
		return &ArgumentError{Index: 1, Reason: "the names of what to subscribe to are missing"}
	}
	for i, name := range channels {
		switch {
		case len(name) > maxArgument:
			return &ArgumentError{Index: 1 + i, Reason: "longer than 512 MiB, which is more than servers take"}
		case s.kind.where == atEach && !strings.HasPrefix(name, "__key"):
			return &ArgumentError{Index: 1 + i, Reason: "no keyspace event: their channels begin with __keyspace@ or __keyevent@"}
		}
	}
	return nil
}

// await returns nil once everything of o is confirmed, or else drops it.
func (s *Subscription) await(ctx context.Context, until time.Time, o *opening) error {
	err := s.terms.named(waitFor(ctx, until, o.done), until)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case o.resolved(): // perhaps at the moment at which the caller's patience ended
		err = o.err
	case o.last != nil:
		err = fmt.Errorf("%w; last attempt: %w", err, o.last)
	}
	if err != nil {
		s.drop(o)
	}
	return err
}

// fail is the error of an opening that came to nothing.
func (s *Subscription) fail(o *opening, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Error{
		Command: strings.ToUpper(s.kind.subscribe), Slot: command.NoSlot, Node: o.node, Attempts: o.attempts,
		Outcome: NotExecuted, Retryable: passes(cause), Err: cause,
	}
}

// Remove ends the subscription to some channels, or patterns. None of their messages arrives any more once it has
// returned; those that have arrived before can still be read. It does not block.
func (s *Subscription) Remove(channels ...string) {
	if s.core == nil {
		return
	}
	s.mu.Lock()
	for _, name := range channels {
		s.forget(name)
	}
	s.mu.Unlock()
	s.wakeUp()
}

// Messages yields what arrives, in the order of arrival for each channel, and waits for it. An error that is a *Gap
// says that messages may have been missed, and the loop goes on. Any other error is the last: ctx's, ErrClosed after
// the client was closed, or the refusal of the server that ended the subscription, an *Error. After Close it yields
// what has arrived before and ends without an error.
//
//	for message, err := range sub.Messages(ctx) {
//		var gap *keyslot.Gap
//		switch {
//		case errors.As(err, &gap):
//			reread(gap.From, gap.Channels)
//		case err != nil:
//			return err
//		default:
//			handle(message)
//		}
//	}
//
// What arrives faster than it is read is kept, 65,536 messages or what Buffer says, and of more the newest. A loop may
// end by its ctx and another one go on where it was. Several loops at once share the messages.
func (s *Subscription) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		switch {
		case s.core == nil:
			yield(Message{}, errZeroSubscription)
			return
		case ctx == nil:
			yield(Message{}, errNilContext)
			return
		}
		for {
			d, more, err := s.inbox.take(ctx)
			switch {
			case !more && err != nil:
				yield(Message{}, err)
				return
			case !more:
				return
			case d.gap != nil:
				err = d.gap
			}
			if !yield(d.Message, err) {
				return
			}
		}
	}
}

// Buffer sets how many messages are kept for a slow reader, 64 MiB of them at most: 65,536 unless it is called, best
// right after subscribing. Less than 1 counts as 1, and more than 1,048,576 as that. Of more messages the oldest are
// dropped, also where there are too many at the moment, and a Gap tells of them: nobody else waits for a slow reader.
// It does not block.
func (s *Subscription) Buffer(messages int) { s.inbox.resize(min(max(messages, 1), maxInbox)) }

// Close ends the subscription, and returns when its connections and goroutines are gone. Calling it again does nothing.
// It must not be called from a function of Options, such as Dial.
func (s *Subscription) Close() error {
	if s.core == nil {
		return errZeroSubscription
	}
	s.stop()
	<-s.ended
	return nil
}

// subscriptions are those of a client that have not ended. Safe for concurrent use.
type subscriptions struct {
	mu     sync.Mutex
	all    map[*Subscription]bool // guarded by mu
	closed bool                   // guarded by mu
}

func (r *subscriptions) add(s *Subscription) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.all[s] = true
	}
	return !r.closed
}

func (r *subscriptions) remove(s *Subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, s)
}

// wakeUp tells all of them that the map has changed.
func (r *subscriptions) wakeUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.all {
		s.wakeUp()
	}
}

// close ends all of them and waits.
func (r *subscriptions) close() {
	r.mu.Lock()
	r.closed = true
	all := make([]*Subscription, 0, len(r.all))
	for s := range r.all {
		all = append(all, s)
		s.stop()
	}
	r.mu.Unlock()
	for _, s := range all {
		<-s.ended
	}
}
