package keyslot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// probeEvery is how long the connection of a subscription may be silent before PING asks for a sign of life;
	// IdleProbe may ask for less. Nothing else would tell that a peer has died.
	probeEvery = time.Second
	// answerTick is how often a listener looks whether what it is owed has come.
	answerTick = 250 * time.Millisecond
	// suspectAfter is for how long nothing may come, though an answer is due, until the node is missed; from then on it
	// is missed at every look.
	suspectAfter = 500 * time.Millisecond
	// steadyAfter is how long a connection has to serve so that the next one is dialled as if nothing had ever failed.
	steadyAfter = time.Second
	// maxAskNames bounds the names in one request: servers take a million arguments, and answer each name.
	maxAskNames = 1000
)

var (
	errNewOwner  = errors.New("another node has become responsible")
	errSentAway  = errors.New("the server ended the subscription: the slot moved, or the node is no primary any more")
	errNoMessage = errors.New("the server sent what is neither a message nor an answer")
)

// listener subscribes to topics at one node and receives their messages. It dials again whenever its connection is
// lost, for as long as the map says that the topics belong there.
//
//	C: SSUBSCRIBE {a}1 {a}2
//	S: > ssubscribe {a}1 1 | > ssubscribe {a}2 2        one for each name, or
//	S: -MOVED 15495 host:port                           one error for all; -CLUSTERDOWN, -NOPERM ...
//	S: > smessage {a}1 text                             at any time
//	S: > sunsubscribe {a}1 1                            unasked: the slot has moved, or the primary is none any more
//	C: SUNSUBSCRIBE {a}2, PING
//	S: > sunsubscribe {a}2 0 | -MOVED .. | -NOSUB ..    an error where the server has just ended it unasked; NOSUB is Valkey's
//	S: +PONG | * pong ""                                the second under RESP2, once subscribed
//
// Under RESP2 all of them are arrays instead of pushes, and nothing else differs.
type listener struct {
	// immutable
	sub  *Subscription
	node *node
	addr string // of the node
	stop context.CancelFunc
	work chan struct{} // tells run that there is something to write
	pace *pacer        // guarded by sub.mu; of all listeners of a subscription that needs one node

	// guarded by sub.mu
	topics    map[string]*topic
	connected bool
	outbox    []*request // to be written
	asked     []*request // written and not answered, oldest first
	heard     time.Time  // when the last frame came
	suspected bool       // the peer owes an answer in silence: its word is not waited for any more
	proven    bool       // this connection has confirmed a topic

	gap   *Gap         // owned by the reader: what has been missed by topics confirmed since the last message
	spare *wire.Stream // owned by run: dialled to take the place of a connection that is too old
}

// request is one command on its way. Without names it is one whose answer says nothing, such as PING.
type request struct {
	command string
	names   []string
	topics  []*topic // that the names stand for; nil for an end
	done    int      // names that are answered

	// ends says that PING is sent behind it, whose answer is that to both: what comes before, an end or an error, may
	// be the answer or, where the server has ended the subscription at the same moment, the first of two.
	ends bool
}

// setInfo is what a server should know and need not understand: CLIENT SETINFO is Redis 7.2.
var setInfo = [...]string{"CLIENT SETINFO LIB-NAME keyslot", "CLIENT SETINFO LIB-VER " + Version}

func newListener(s *Subscription, n *node, stop context.CancelFunc) *listener {
	l := &listener{sub: s, node: n, addr: n.addr(), stop: stop, work: make(chan struct{}, 1), topics: map[string]*topic{}}
	if l.pace = &s.pace; s.kind.where != atOne {
		l.pace = &pacer{first: minRedial, limit: maxRedial}
	}
	return l
}

// take subscribes to topics. sub.mu is held.
func (l *listener) take(topics []*topic) {
	for _, t := range topics {
		l.topics[t.name] = t
	}
	if l.connected {
		l.ask(topics)
	}
}

// ask queues requests for topics: a server refuses those that name several slots. sub.mu is held.
func (l *listener) ask(topics []*topic) {
	bySlot := map[int][]*topic{}
	for _, t := range topics {
		bySlot[t.slot] = append(bySlot[t.slot], t)
		l.sub.names[t.name].asking(l.addr)
	}
	for _, same := range bySlot {
		for chunk := range slices.Chunk(same, maxAskNames) {
			a := &request{command: l.sub.kind.subscribe, topics: chunk}
			for _, t := range chunk {
				a.names = append(a.names, t.name)
			}
			l.outbox = append(l.outbox, a)
		}
	}
	signal(l.work)
}

// release ends the subscription to a topic. sub.mu is held.
func (l *listener) release(t *topic) {
	delete(l.topics, t.name)
	if l.connected {
		l.outbox = append(l.outbox, &request{command: l.sub.kind.unsubscribe, names: []string{t.name}, ends: true})
		signal(l.work)
	}
}

// run keeps a connection to the node until ctx ends.
func (l *listener) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		err := l.connect(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errAged) {
			l.disconnected(err)
			continue
		}
		_ = waitFor(ctx, l.lost(err, began), nil)
	}
	l.disconnected(nil)
	if l.spare != nil {
		l.hangUp(l.spare)
	}
}

// hangUp closes a connection that dial has returned.
func (l *listener) hangUp(stream *wire.Stream) {
	stream.Abandon()
	l.sub.core.pool.tallies.countStreams(l.node, -1)
}

// dial opens a connection for connect, unless there is one already, when the node may be dialled.
func (l *listener) dial(ctx context.Context) (*wire.Stream, error) {
	if spare := l.spare; spare != nil {
		l.spare = nil
		return spare, nil
	}
	if err := l.node.redial.allow(time.Now()); err != nil {
		return nil, err
	}
	late := time.AfterFunc(dialPatience, l.leaveAnchor)
	defer late.Stop()
	stream, err := l.sub.core.dialStream(ctx, l.node)
	if err != nil && ctx.Err() != nil {
		l.node.redial.withdrawn()
	} else {
		l.node.redial.ended(nil, err, time.Now())
	}
	return stream, err
}

// hears reports whether messages can come from the node; nil is nobody who listens there. sub.mu is held.
func (l *listener) hears() bool { return l != nil && l.connected && !l.suspected }

// leaveAnchor has topics that may be anywhere go to another node than the one that is being dialled. That happens once:
// where all dials take long, the next node has its time.
func (l *listener) leaveAnchor() {
	s := l.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.anchor == l.node && !l.connected && !s.hurried {
		s.hurried = true
		s.anchor = pickAnchor(s.core.routes.Load(), l.node)
		s.wakeUp()
	}
}

// connect dials and serves until the connection ends, and returns why.
func (l *listener) connect(ctx context.Context) error {
	stream, err := l.dial(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, stream.Abandon) // a write may be stuck
	defer stop()
	l.begin()
	var end error
	ended := make(chan struct{})
	go func() { // ends with the stream; this function waits for it
		end = l.read(stream)
		close(ended)
	}()
	err = l.converse(ctx, stream, ended)
	l.hangUp(stream)
	<-ended
	return cmp.Or(err, end)
}

// begin lets a new connection ask for all topics.
func (l *listener) begin() {
	s := l.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	l.connected, l.proven, l.suspected, l.heard = true, false, false, time.Now()
	for _, c := range setInfo {
		l.outbox = append(l.outbox, &request{command: c})
	}
	topics := make([]*topic, 0, len(l.topics))
	for _, t := range l.topics {
		topics = append(topics, t)
	}
	l.ask(topics)
}

// lost notes why the connection that began then has ended, or that there was none, and returns when to dial again. Its
// topics tell what they missed when they are confirmed again.
func (l *listener) lost(err error, began time.Time) (again time.Time) {
	dialled, served := l.disconnected(err)
	switch {
	case served:
		l.node.redial.served()
	case dialled:
		l.node.redial.failed(&wire.DialError{Phase: wire.PhaseHello, Addr: l.addr, Err: err}, time.Now())
	}
	if errors.As(err, &replicaError{}) || !l.node.answers() { // else there may only be no room for one more connection
		l.sub.core.missed(l.node, true, "lost a connection")
	}
	return l.again(dialled, served && time.Since(began) >= steadyAfter)
}

// again returns when to dial after a connection was lost, or could not be dialled. Topics that may be anywhere go to
// another node: at once, unless the connection was a short one, or that node is no better.
func (l *listener) again(dialled, steady bool) time.Time {
	s := l.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wakeUp()
	if steady {
		l.pace.reset()
	}
	due := time.Now().Add(l.pace.next())
	if s.anchor == l.node {
		s.anchor = pickAnchor(s.core.routes.Load(), l.node)
	}
	if s.kind.where != atOne || s.anchor == l.node {
		return due
	}
	for _, t := range l.topics {
		s.detach(t)
		if dialled && !steady || s.anchor.redial.failing() {
			t.due, t.leftNode = due, nil
		}
	}
	return due
}

// disconnected notes that the connection, if there was one, has ended, and why.
func (l *listener) disconnected(err error) (dialled, served bool) {
	s := l.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	dialled, served = l.connected, l.proven
	for _, t := range l.topics {
		s.lose(t, l.heard, err)
		s.names[t.name].failed(l.addr, err)
	}
	l.connected, l.proven, l.outbox, l.asked = false, false, nil, nil
	return dialled, served
}

// converse writes what there is to write, and looks after the peer. It returns why that has to end; nil once the
// reader has ended.
func (l *listener) converse(ctx context.Context, stream *wire.Stream, ended <-chan struct{}) error {
	var w watchdog
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		out, wait, err := l.next(&w, now, stream.Received())
		if err == nil && len(out) > 0 {
			err = stream.Write(out)
		}
		if err == nil && l.node.left(stream.Addr()) {
			err = errLeft
		}
		if err == nil && !w.owed && stream.Old() { // a dial may take long, and a silence must be noticed
			if l.spare, _ = l.dial(ctx); l.spare != nil { // otherwise the old one goes on, and it is tried again
				err = errAged
			}
		}
		if err != nil {
			return err
		}
		if l.sub.core.opts.MaxConnAge > 0 && wait == 0 {
			wait = probeEvery
		}
		select {
		case <-l.work:
		case <-rearmed(timer, wait):
			l.sub.core.noticeAge(time.Now())
		case <-ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watchdog notices a peer that has been silent for too long. Owned by run.
type watchdog struct {
	bytes  int64     // received by
	since  time.Time // then, when it last said something or owed nothing
	expect time.Time // when the next look is due
	owed   bool      // something was due then

	trickle wire.Trickle
}

// observe returns for how long nothing has come although something is due.
func (w *watchdog) observe(now time.Time, bytes int64, slept bool) time.Duration {
	if w.since.IsZero() || slept || bytes != w.bytes {
		w.since, w.bytes = now, bytes
	}
	if !w.owed {
		return 0
	}
	return now.Sub(w.since)
}

// next returns what to write, and how long to wait for the next look; 0: until there is more to write.
func (l *listener) next(w *watchdog, now time.Time, received int64) (out []byte, wait time.Duration, err error) {
	s := l.sub
	opts := &s.core.opts
	every := min(probeEvery, opts.IdleProbe)
	s.mu.Lock()
	w.owed = len(l.asked) > 0
	slept := !w.expect.IsZero() && now.Sub(w.expect) > suspectAfter // this process, and not the peer
	trickled := w.trickle.Observe(now, l.heard.UnixNano(), received, slept || !w.owed)
	silent := w.observe(now, received, slept)
	idle := now.Sub(l.heard)
	if !w.owed && len(l.outbox) == 0 && every > 0 && idle >= every {
		l.outbox = append(l.outbox, &request{command: "PING"})
	}
	if !w.owed && len(l.outbox) > 0 {
		w.since = now // nothing was owed before
	}
	out = l.flush()
	owed := len(l.asked) > 0
	l.suspected = silent >= suspectAfter
	s.mu.Unlock()

	switch {
	case silent >= opts.PeerTimeout:
		return nil, 0, wire.ErrPeerSilent
	case trickled >= opts.PeerTimeout:
		return nil, 0, wire.ErrPeerTrickles
	case silent >= suspectAfter:
		s.core.missed(l.node, true, "a node is silent")
		s.wakeUp() // it may have lost its slots
	}
	switch {
	case owed:
		wait = answerTick
	case every > 0:
		wait = max(every-idle, time.Millisecond)
	}
	w.expect = now.Add(wait)
	if wait == 0 {
		w.expect = time.Time{}
	}
	return out, wait, nil
}

// flush returns the bytes of all requests to be written, whose answers are due from now on. sub.mu is held.
func (l *listener) flush() (out []byte) {
	for _, a := range l.outbox {
		words := append(strings.Fields(a.command), a.names...)
		out = resp.AppendArray(out, len(words))
		for _, word := range words {
			out = resp.AppendBulk(out, word)
		}
		if a.ends {
			out = resp.AppendBulk(resp.AppendArray(out, 1), "PING")
		}
	}
	l.asked, l.outbox = append(l.asked, l.outbox...), nil
	return out
}

// read receives until the connection ends.
func (l *listener) read(stream *wire.Stream) error {
	defer l.tellGap()
	for {
		frame, err := stream.Next()
		if err != nil {
			return err
		}
		if err := l.receive(frame, time.Now()); err != nil {
			return err
		}
	}
}

// tellGap tells what the topics confirmed since the last message have missed. Only the reader calls it.
func (l *listener) tellGap() {
	if l.gap != nil {
		l.sub.inbox.put(delivery{gap: l.gap})
		l.gap = nil
	}
}

// strange is the error for a frame that ends the connection. What follows its first bytes may be a message.
func strange(frame []byte) error {
	const excerpt = 4
	return fmt.Errorf("%w: %q", errNoMessage, frame[:min(len(frame), excerpt)])
}
