package keyslot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// Failed dials of one node back off from the first to the second, full jitter, whatever the connection was for: a
	// dead node costs a client a few dials a second, and a restarted one is noticed within half a second.
	minRedial = 50 * time.Millisecond
	maxRedial = 500 * time.Millisecond
	// A login that is refused is not tried in a hurry: servers and their keepers count such attempts.
	minLogin = time.Second
	maxLogin = 10 * time.Second
	// Connections that take no more calls because of what came on them, such as NOAUTH, follow each other with such
	// pauses: where a new one is no better, each of a thousand callers would see to another.
	minRenewal = 100 * time.Millisecond
	maxRenewal = time.Second
)

// lane is the shared connections for one share of a node's slots. A slot keeps its lane, so that commands on one key
// keep their order; see large.go for what leaves the small track.
type lane struct {
	// immutable
	node    *node
	reading bool // its connections are READONLY, for reads from a replica

	small track // what is not known to be large
	large track // no connection until something is

	mu        sync.Mutex
	retired   bool       // guarded by mu: no dial may start
	replacing bool       // guarded by mu: a successor is being dialled
	leaving   *wire.Conn // guarded by mu: it has a successor, and may still owe replies
	notyet    time.Time  // guarded by mu: no successor is dialled before this time, for the replica was unfit
	renewals  seldom     // guarded by mu
}

// track is one shared connection of a lane and the dial that replaces it.
type track struct {
	lane *lane // immutable
	conn atomic.Pointer[wire.Conn]

	// guarded by lane.mu
	dialing chan struct{} // closed when the dial in progress has ended; nil when there is none
	began   time.Time     // when that dial did
	wanted  bool          // callers wait for it, or have
	err     error         // why the last dial failed
}

func (l *lane) init(n *node, retired bool) {
	l.node, l.retired = n, retired
	l.small.lane, l.large.lane = l, l
	l.renewals.pace = pacer{first: minRenewal, limit: maxRenewal}
}

// lane returns what serves slot; commands without a key share the first.
func (n *node) lane(slot int) *lane {
	if len(n.lanes) == 1 { // as by default, and a batch asks a hundred times
		return &n.lanes[0]
	}
	return &n.lanes[max(slot, 0)%len(n.lanes)]
}

// track returns what serves requests of one size.
func (l *lane) track(large bool) *track {
	if large {
		return &l.large
	}
	return &l.small
}

func (l *lane) tracks() [2]*track { return [2]*track{&l.small, &l.large} }

// other returns the lane's other track.
func (t *track) other() *track {
	if t == &t.lane.small {
		return &t.lane.large
	}
	return &t.lane.small
}

// send queues calls, which came here by r, on the track's connection, which it dials if need be. An error means that
// none was sent.
func (t *track) send(ctx context.Context, until time.Time, r *routes, w *wire.Waiter, calls []*wire.Call) (err error) {
	for range 2 {
		conn := t.conn.Load()
		if conn == nil {
			if conn, err = t.open(ctx, until, r); err != nil {
				return err
			}
		}
		err = conn.Send(ctx, w, calls)
		if err == nil || conn.Err() == nil {
			return err
		}
		// The connection was dead or draining before anything was sent on it: a new one is as good, once. For a read
		// another node is better.
		t.lane.drop(conn)
		if t.lane.reading && t.conn.Load() == nil {
			if !errors.Is(err, wire.ErrProbeFailed) {
				err = fmt.Errorf("%w: %w", errEndedIdle, err)
			}
			return err
		}
	}
	return err
}

// live returns the track's connection, or nil where it has none that takes calls.
func (t *track) live() *wire.Conn {
	conn := t.conn.Load()
	if conn != nil && conn.Err() != nil {
		t.lane.drop(conn)
		return nil
	}
	return conn
}

// anyLive returns a connection of lanes that takes calls; nil if there is none. Slots keep their lanes, so any one of
// them may be the only one in use.
func anyLive(lanes []lane) *wire.Conn {
	for i := range lanes {
		if conn := lanes[i].small.live(); conn != nil {
			return conn
		}
	}
	return nil
}

// open waits for a live connection: the one that is there by now, or a dial that it starts or joins. Where that fails,
// the lane's other connection is better than none. It is for a command that came here by r, so that the node is missed
// while the dial lasts, until it has lost its slots; nil: nobody waits for it.
func (t *track) open(ctx context.Context, until time.Time, r *routes) (*wire.Conn, error) {
	lost := t.lane.node.lostAfter(r)
	if isOver(lost) {
		return nil, errLostSlots
	}
	dialing, err := t.startDial(r != nil)
	if dialing != nil {
		if err := t.lane.await(ctx, until, dialing, lost); err != nil {
			return nil, err
		}
	}
	for _, from := range [...]*track{t, t.other()} {
		if conn := from.live(); conn != nil {
			return conn, nil
		}
	}
	if err != nil {
		return nil, err
	}
	t.lane.mu.Lock()
	defer t.lane.mu.Unlock()
	if t.err == nil {
		return nil, wire.ErrClosed // drained or lost again in the meantime
	}
	return nil, t.err
}

// await waits for a dial, until lost. A read does not wait for a replica any longer than for a silent one.
func (l *lane) await(ctx context.Context, until time.Time, done, lost <-chan struct{}) error {
	soon := until
	if l.reading {
		soon = time.Now().Add(dialPatience)
		if !until.IsZero() && until.Before(soon) {
			soon = until
		}
	}
	err := waitForDial(ctx, soon, done, lost)
	if err != nil && ctx.Err() == nil && !soon.Equal(until) {
		return errSlowReplica
	}
	return err
}

// startDial returns a channel that is closed when the dial in progress ends; nil if there is a live connection. It
// starts the dial unless one runs, or failed a moment ago.
func (t *track) startDial(wanted bool) (<-chan struct{}, error) {
	if t.live() != nil {
		return nil, nil
	}
	l := t.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case t.conn.Load() != nil: // dialled or offered meanwhile
		return nil, nil
	case l.retired:
		return nil, errRetired
	case t.dialing != nil:
		t.wanted = t.wanted || wanted
		return t.dialing, nil
	case t == &l.small && l.merge():
		return nil, nil
	}
	if err := l.node.redial.allow(time.Now()); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	t.dialing, t.began, t.wanted = done, time.Now(), wanted
	l.node.pool.work.Add(1)
	go t.dial(done) // ends with the dial, within DialTimeout; pool.close waits for it
	return done, nil
}

func (t *track) dial(done chan struct{}) {
	l := t.lane
	defer l.node.pool.work.Done()
	conn, err := l.connect(t.isWanted)
	l.node.redial.ended(conn, exceptUnfit(err), time.Now())
	l.mu.Lock()
	surplus := err == nil && (l.retired || !t.conn.CompareAndSwap(nil, conn))
	if t.dialing == done { // otherwise nobody waits any more
		t.release(err)
	}
	l.mu.Unlock()
	if surplus {
		conn.Drain()
	}
}

// connect dials the connection that a track needs; see purpose for wanted.
func (l *lane) connect(wanted func() bool) (*wire.Conn, error) {
	p := l.node.pool
	if l.reading {
		return p.dialReader(p.ctx, l.node)
	}
	return p.dial(p.ctx, l.node, purpose{wanted: wanted})
}

func (t *track) isWanted() bool {
	t.lane.mu.Lock()
	defer t.lane.mu.Unlock()
	return t.wanted
}

// hangs reports whether a dial is in progress that has lasted for what silence on a connection is.
func (t *track) hangs() bool {
	t.lane.mu.Lock()
	defer t.lane.mu.Unlock()
	return t.dialing != nil && time.Since(t.began) >= dialPatience
}

// isDialled reports whether a connection to ask the node something on is being dialled.
func (n *node) isDialled() bool {
	l := n.lane(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.small.dialing != nil
}

// toAsk returns a connection to ask the node something on that no caller waits for.
func (n *node) toAsk(ctx context.Context) (*wire.Conn, error) {
	return n.lane(0).small.open(ctx, time.Time{}, nil)
}

// offer makes conn the track's connection if it has none, and reports whether it did. Nobody waits for a dial then.
func (t *track) offer(conn *wire.Conn) bool {
	t.lane.mu.Lock()
	defer t.lane.mu.Unlock()
	offered := !t.lane.retired && t.conn.CompareAndSwap(nil, conn)
	if offered {
		t.release(nil)
		t.lane.node.redial.ended(conn, nil, time.Now())
	}
	return offered
}

// release lets those go on who wait for a dial in progress, and tells them why there is no connection; nil: there is
// one. lane.mu is held.
func (t *track) release(err error) {
	if t.err = err; t.dialing != nil {
		close(t.dialing)
		t.dialing = nil
	}
}

// conns returns the lane's connections; with retire, no new one will be made.
func (l *lane) conns(retire bool) (conns []*wire.Conn) {
	l.mu.Lock() // so that none changes its track meanwhile
	defer l.mu.Unlock()
	l.retired = l.retired || retire
	for _, t := range l.tracks() {
		if conn := t.conn.Load(); conn != nil {
			conns = append(conns, conn)
		}
	}
	if l.leaving != nil {
		conns = append(conns, l.leaving)
	}
	return conns
}

// forget lets the lane have conn no longer, and reports whether it had it.
func (l *lane) forget(conn *wire.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.small.conn.CompareAndSwap(conn, nil) || l.large.conn.CompareAndSwap(conn, nil)
}

// drop forgets a connection that takes no more calls. Where it did not answer its probe, what the lane has besides may
// have been cut with it, and is to answer one too before anybody is sent there instead: see merge.
func (l *lane) drop(conn *wire.Conn) {
	if errors.Is(conn.Err(), wire.ErrProbeFailed) {
		for _, sibling := range l.conns(false) {
			sibling.Nudge(dialPatience) // the probe's time: what has been heard of since is well
		}
	}
	if l.forget(conn) {
		if l.reading {
			l.node.reading.distrust()
		}
		l.node.lost(conn)
	}
}

// renew drains conn and forgets it, if it is still the lane's, so that the next command dials anew.
func (l *lane) renew(conn *wire.Conn) {
	l.forget(conn)
	conn.Drain()
}

// mayRenew reports whether a refusal that came on conn is worth a new connection: not if conn itself has only just
// followed one that was given up so.
func (l *lane) mayRenew(conn *wire.Conn, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := l.small.conn.Load() == conn || l.large.conn.Load() == conn
	return !current || l.renewals.allows(now)
}

// lost notes the end of a connection. One that never answered a command is as good as a failed dial: a server that
// takes connections only to hang up must not be dialled in a loop. One that did says nothing of the next.
func (n *node) lost(conn *wire.Conn) {
	if !conn.Proven() {
		n.redial.failed(&wire.DialError{Phase: wire.PhaseHello, Addr: n.addr(), Err: conn.Err()}, time.Now())
	}
}
