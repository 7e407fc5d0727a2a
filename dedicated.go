package keyslot

import (
	"context"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// dedicated are one node's connections for commands that block: each serves one call at a time, because a command that
// waits on the server would hold up every reply behind it.
type dedicated struct {
	permits chan struct{} // one for each connection in use

	mu      sync.Mutex
	idle    []*wire.Conn        // guarded by mu; last used last
	all     map[*wire.Conn]bool // guarded by mu; idle ones included
	retired bool                // guarded by mu
}

func (d *dedicated) init(retired bool) {
	d.permits = make(chan struct{}, maxDedicated)
	d.all = make(map[*wire.Conn]bool)
	d.retired = retired
}

// sendDedicated runs one call on a connection of its own; giveBack must follow with that connection. An error means that the call
// was not sent.
func (n *node) sendDedicated(ctx context.Context, until time.Time, w *wire.Waiter, call []*wire.Call) (*wire.Conn, error) {
	for {
		conn, err := n.borrow(ctx, until)
		if err != nil {
			return nil, err
		}
		err = conn.Send(ctx, w, call)
		if err == nil {
			return conn, nil
		}
		lost := conn.Err() != nil
		n.giveBack(conn)
		if !lost {
			return nil, err
		}
	}
}

// borrow returns a connection that nobody else uses, dialled if need be, within the caller's patience.
func (n *node) borrow(ctx context.Context, until time.Time) (*wire.Conn, error) {
	d := &n.dedicated
	select {
	case d.permits <- struct{}{}:
	default:
		if err := d.waitPermit(ctx, until); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	if last := len(d.idle) - 1; last >= 0 {
		conn := d.idle[last]
		d.idle = d.idle[:last]
		d.mu.Unlock()
		return conn, nil
	}
	retired := d.retired
	d.mu.Unlock()
	if retired {
		<-d.permits
		return nil, errRetired
	}
	conn, err := n.dialDedicated(ctx, until)
	if err != nil {
		<-d.permits
	}
	return conn, err
}

func (d *dedicated) waitPermit(ctx context.Context, until time.Time) error {
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	select {
	case d.permits <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dialDedicated dials apart from the caller's context. If the caller gives up, the connection is kept for the next one.
func (n *node) dialDedicated(ctx context.Context, until time.Time) (*wire.Conn, error) {
	var (
		conn *wire.Conn
		err  error
		done = make(chan struct{})
		gone = make(chan struct{})
	)
	n.pool.work.Add(1)
	go func() { // ends with the dial, within DialTimeout; pool.close waits for it
		defer n.pool.work.Done()
		conn, err = n.pool.dial(n.pool.ctx, n, true)
		if err == nil {
			n.dedicated.add(conn)
		}
		select {
		case done <- struct{}{}:
		case <-gone:
			if err == nil {
				n.dedicated.keep(conn)
			}
		}
	}()
	if err := waitFor(ctx, until, done); err != nil {
		close(gone)
		return nil, err
	}
	return conn, err
}

func (d *dedicated) add(conn *wire.Conn) {
	d.mu.Lock()
	d.all[conn] = true
	retired := d.retired
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
	n.dedicated.keep(conn)
	<-n.dedicated.permits
}

// keep makes conn idle, or forgets it when it is dead or there are enough.
func (d *dedicated) keep(conn *wire.Conn) {
	d.mu.Lock()
	surplus := d.retired || len(d.idle) >= keepDedicated
	if surplus || conn.Err() != nil {
		delete(d.all, conn)
	} else {
		d.idle = append(d.idle, conn)
	}
	d.mu.Unlock()
	if surplus {
		conn.Drain()
	}
}

func (d *dedicated) each(do func(*wire.Conn), retire bool) {
	d.mu.Lock()
	d.retired = d.retired || retire
	if retire {
		d.idle = nil
	}
	conns := make([]*wire.Conn, 0, len(d.all))
	for conn := range d.all {
		conns = append(conns, conn)
	}
	d.mu.Unlock()
	for _, conn := range conns {
		do(conn)
	}
}
