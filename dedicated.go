package keyslot

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// maxDedicated bounds the connections to one node that blocking commands, and what else needs one for itself, may
	// hold at once; who comes then waits for one of them.
	maxDedicated = 1024
	// keepDedicated is how many of them stay open when unused. More than these are closed once they have not been used
	// for restDedicated: consumers that block a hundred times a second must not dial as often.
	keepDedicated = 4
	restDedicated = 10 * time.Second
	// dialDedicatedMax bounds the dials for them in progress, so that a black hole does not swallow one for each caller.
	dialDedicatedMax = 16
)

// dedicated are one node's connections for commands that block: each serves one call at a time, because a command that
// waits on the server would hold up every reply behind it.
type dedicated struct {
	// immutable
	permits chan struct{} // one for each connection in use
	dials   chan struct{} // one for each dial in progress

	// guarded by mu
	mu      sync.Mutex
	idle    []idleConn          // last used last
	all     map[*wire.Conn]bool // idle ones included
	retired time.Time           // when the node left, and no dial may start any more; zero: it has not
	trim    *time.Timer         // closes what is too many; nil while nothing is
}

// idleConn is a connection that nobody uses.
type idleConn struct {
	*wire.Conn
	since time.Time
}

func (d *dedicated) init(retired bool) {
	d.permits = make(chan struct{}, maxDedicated)
	d.dials = make(chan struct{}, dialDedicatedMax)
	d.all = make(map[*wire.Conn]bool)
	if retired {
		d.retired = time.Now()
	}
}

// hasLeft reports whether the node left so long ago, or before.
func (d *dedicated) hasLeft(ago time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.retired.IsZero() && time.Since(d.retired) >= ago
}

// sendDedicated runs one call, which came here by r, on a connection of its own; giveBack must follow with that
// connection. An error means that the call was not sent.
func (n *node) sendDedicated(ctx context.Context, until time.Time, r *routes, w *wire.Waiter, call []*wire.Call) (*wire.Conn, error) {
	conn, err := n.borrow(ctx, until, r)
	if err != nil {
		return nil, err
	}
	if err := conn.Send(ctx, w, call); err != nil {
		n.giveBack(conn)
		if errors.Is(err, wire.ErrProbeFailed) {
			n.dedicated.endUnused(dialPatience) // the probe's time: what has been used since is well
		}
		return nil, err
	}
	return conn, nil
}

// endUnused ends the connections that have not been used for so long. Where one did not answer its probe they are as
// dead as that one, and each would take a caller as long to find out.
func (d *dedicated) endUnused(unused time.Duration) {
	d.mu.Lock()
	ended := d.takeUnused(unused, 0)
	d.mu.Unlock()
	for _, conn := range ended {
		conn.Drain()
	}
}

// borrow returns a connection that nobody else uses, for a command that came here by r, dialled if need be, within the
// caller's patience.
func (n *node) borrow(ctx context.Context, until time.Time, r *routes) (*wire.Conn, error) {
	d := &n.dedicated
	lost := n.lostAfter(r)
	if isOver(lost) {
		return nil, errLostSlots
	}
	if err := n.acquire(ctx, until, d.permits, lost); err != nil {
		return nil, err
	}
	if conn := d.takeIdle(); conn != nil {
		return conn, nil
	}
	conn, err := n.dialDedicated(ctx, until, lost)
	if err != nil {
		<-d.permits
	}
	return conn, err
}

// takeIdle returns a live idle connection, the last one used; nil if there is none. It ends those that are too old.
func (d *dedicated) takeIdle() *wire.Conn {
	for {
		conn, usable := d.pop()
		if conn == nil || usable {
			return conn
		}
		conn.Drain()
	}
}

// pop takes the idle connection that was used last, nil if there is none, and reports whether it may be used once more.
func (d *dedicated) pop() (conn *wire.Conn, usable bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.idle) == 0 {
		return nil, false
	}
	last := len(d.idle) - 1
	conn = d.idle[last].Conn
	d.idle = slices.Delete(d.idle, last, last+1) // which clears the place
	usable = conn.Err() == nil && !conn.Old()
	if !usable {
		delete(d.all, conn)
	}
	return conn, usable
}

// acquire takes one of the permits, which are as many as the channel holds, within the caller's patience, unless the
// node loses its slots meanwhile.
func (n *node) acquire(ctx context.Context, until time.Time, permits chan<- struct{}, lost <-chan struct{}) error {
	select {
	case permits <- struct{}{}:
		return nil
	default:
	}
	ctx, cancel := untilThen(ctx, until)
	defer cancel()
	select {
	case permits <- struct{}{}:
		return nil
	case <-lost:
		return errLostSlots
	case <-n.pool.ctx.Done(): // whoever has the permits may be a function given to Watch, which Close does not end
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dialDedicated dials apart from the caller's context. If the caller gives up, or goes elsewhere because the node has
// lost its slots, the connection is kept for the next one.
func (n *node) dialDedicated(ctx context.Context, until time.Time, lost <-chan struct{}) (*wire.Conn, error) {
	var (
		conn *wire.Conn
		err  error
		done = make(chan struct{})
		gone = make(chan struct{})
	)
	if err := n.acquire(ctx, until, n.dedicated.dials, lost); err != nil {
		if isPatience(err) {
			err = &waitError{err}
		}
		return nil, err
	}
	if err := n.startDedicated(); err != nil {
		<-n.dedicated.dials
		return nil, err
	}
	go func() { // ends with the dial, within DialTimeout; pool.close waits for it
		defer n.pool.work.Done()
		conn, err = n.pool.dial(n.pool.ctx, n, purpose{blocking: true, wanted: always})
		n.redial.ended(conn, err, time.Now())
		<-n.dedicated.dials
		if err == nil {
			n.dedicated.add(conn)
		}
		select {
		case done <- struct{}{}:
		case <-gone:
			if err == nil {
				n.keep(conn)
			}
		}
	}()
	if err := waitForDial(ctx, until, done, lost); err != nil {
		close(gone)
		return nil, err
	}
	return conn, err
}

// startDedicated announces a dial, unless the node has left or its last dial failed a moment ago.
func (n *node) startDedicated() error {
	n.dedicated.mu.Lock()
	defer n.dedicated.mu.Unlock()
	if !n.dedicated.retired.IsZero() {
		return errRetired
	}
	if err := n.redial.allow(time.Now()); err != nil {
		return err
	}
	n.pool.work.Add(1) // under the lock by which close retires the node: none is added once it waits
	return nil
}

func (d *dedicated) add(conn *wire.Conn) {
	d.mu.Lock()
	d.all[conn] = true
	retired := !d.retired.IsZero()
	d.mu.Unlock()
	if retired {
		conn.Drain()
	}
}

// giveBack ends the use of a borrowed connection. One that still owes a reply, because its caller gave up, is killed:
// only that keeps a blocked command from taking an element for nobody.
func (n *node) giveBack(conn *wire.Conn) {
	if conn.InFlight() > 0 {
		conn.Abandon(errGivenUp)
	}
	n.keep(conn)
	<-n.dedicated.permits
}

// keep makes conn idle, or forgets it when it is dead or old, or the node has left.
func (n *node) keep(conn *wire.Conn) {
	d := &n.dedicated
	dead, old := conn.Err() != nil, conn.Old()
	d.mu.Lock()
	retired := !d.retired.IsZero()
	if dead || retired || old {
		delete(d.all, conn)
	} else {
		d.idle = append(d.idle, idleConn{conn, time.Now()})
		d.trimLater(restDedicated)
	}
	d.mu.Unlock()
	if dead && !errors.Is(conn.Err(), errGivenUp) { // that one tells nothing of the node
		n.lost(conn)
	}
	if retired || old {
		conn.Drain()
	}
}

// trimLater closes what is too many after d, unless that is arranged already. mu is held.
func (d *dedicated) trimLater(after time.Duration) {
	if d.trim == nil && len(d.idle) > keepDedicated {
		d.trim = time.AfterFunc(after, d.trimNow)
	}
}

// trimNow closes the connections that are too many and have not been used for restDedicated.
func (d *dedicated) trimNow() {
	d.mu.Lock()
	d.trim = nil
	surplus := d.takeUnused(restDedicated, keepDedicated)
	if len(d.idle) > keepDedicated {
		d.trimLater(restDedicated - time.Since(d.idle[0].since))
	}
	d.mu.Unlock()
	for _, conn := range surplus {
		conn.Drain()
	}
}

// takeUnused takes away the connections that have not been used for so long, but for the last few. mu is held.
func (d *dedicated) takeUnused(unused time.Duration, few int) (taken []idleConn) {
	n := 0
	for len(d.idle)-n > few && time.Since(d.idle[n].since) >= unused {
		delete(d.all, d.idle[n].Conn)
		n++
	}
	taken = slices.Clone(d.idle[:n])
	d.idle = slices.Delete(d.idle, 0, n) // which clears what is left behind
	return taken
}

// conns returns the connections, idle ones included; with retire, no new one will be made.
func (d *dedicated) conns(retire bool) []*wire.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	if retire && d.retired.IsZero() {
		d.retired = time.Now()
	}
	if retire {
		d.idle = nil
		if d.trim != nil {
			d.trim.Stop()
		}
	}
	return slices.Collect(maps.Keys(d.all))
}
