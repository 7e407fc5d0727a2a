package keyslot

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// Dial failures of one node back off from the first to the second, full jitter, so that a dead node costs a client
	// two or three dials a second at most and a restarted one is noticed within half a second.
	minRedial = 50 * time.Millisecond
	maxRedial = 500 * time.Millisecond

	// maxDedicated bounds the connections to one node that blocking commands may hold at once.
	maxDedicated = 1024
	// keepDedicated is how many of them stay open when unused.
	keepDedicated = 4

	// keepStranger is how long a node stays connected that redirects name but no map lists: the target of a migration
	// owns no slot until its first one arrives.
	keepStranger = 30 * time.Second
)

// pool holds the nodes a client is connected to. A node leaves by being drained, never cut.
type pool struct {
	// immutable
	dial   func(ctx context.Context, n *node, blocking bool) (*wire.Conn, error)
	lanes  int
	ctx    context.Context // of dials: they belong to the client, not to the caller that caused them
	cancel context.CancelFunc
	work   sync.WaitGroup // dials in progress
	conns  sync.WaitGroup // open connections

	// guarded by mu
	mu     sync.Mutex
	nodes  map[string]*node // by dial address
	open   map[*opened]bool
	closed bool
}

// opened is one connection from its dial until its last goroutine has ended.
type opened struct {
	conn  *wire.Conn
	ended bool // guarded by pool.mu
}

// node is one server process at an address, with the connections to it.
type node struct {
	// immutable
	info Node
	pool *pool

	id       string    // guarded by pool.mu: node id, once it is known
	lastUsed time.Time // guarded by pool.mu: when a redirect last named it; zero for a node of the map

	lanes     []lane
	dedicated dedicated
	resends   limiter
}

// lane is one shared connection of a node and the dial that replaces it. A slot keeps its lane, so that commands on
// one key keep their order.
type lane struct {
	node *node // immutable
	conn atomic.Pointer[wire.Conn]

	mu      sync.Mutex
	retired bool          // guarded by mu: no dial may start
	dialing chan struct{} // guarded by mu: closed when the dial in progress has ended; nil when there is none
	err     error         // guarded by mu: why the last dial failed
	notyet  time.Time     // guarded by mu: no dial before this time
	pace    pacer         // guarded by mu
}

func newPool(lanes int, dial func(context.Context, *node, bool) (*wire.Conn, error)) *pool {
	ctx, cancel := context.WithCancel(context.Background())
	return &pool{dial: dial, lanes: lanes, ctx: ctx, cancel: cancel, nodes: map[string]*node{}, open: map[*opened]bool{}}
}

// opening announces a connection that is about to be dialled. Exactly one of opened and ended must follow, or opened and
// later ended.
func (p *pool) opening() *opened {
	p.conns.Add(1)
	return new(opened)
}

// opened notes an open connection, so that close finds it wherever it is used.
func (p *pool) opened(o *opened, conn *wire.Conn) {
	p.mu.Lock()
	o.conn = conn
	if !o.ended {
		p.open[o] = true
	}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		conn.Abandon(ErrClosed)
	}
}

// ended forgets a connection that has ended, or was not opened after all.
func (p *pool) ended(o *opened) {
	p.mu.Lock()
	o.ended = true
	delete(p.open, o)
	p.mu.Unlock()
	p.conns.Done()
}

// node returns the node at info's address, made if need be. An address that another node id has taken over is another
// node: nothing of the old one is inherited.
func (p *pool) node(info Node) *node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodeLocked(info)
}

func (p *pool) nodeLocked(info Node) *node {
	addr := info.Addr()
	if n := p.nodes[addr]; n != nil {
		if n.id == "" || info.ID == "" || n.id == info.ID {
			if info.ID != "" {
				n.id = info.ID
			}
			return n
		}
		n.retire()
	}
	n := &node{info: info, pool: p, id: info.ID, lanes: make([]lane, p.lanes)}
	for i := range n.lanes {
		n.lanes[i].node = n
		n.lanes[i].pace = pacer{first: minRedial, limit: maxRedial}
		n.lanes[i].retired = p.closed
	}
	n.dedicated.init(p.closed)
	p.nodes[addr] = n
	return n
}

// stranger is node for an address that a redirect names.
func (p *pool) stranger(info Node, now time.Time) *node {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodeLocked(info)
	n.lastUsed = now
	return n
}

// reconcile returns the nodes of a map, in its order, and drains those that it does not list.
func (p *pool) reconcile(infos []*Node, now time.Time) []*node {
	p.mu.Lock()
	defer p.mu.Unlock()
	listed := make(map[*node]bool, len(infos))
	out := make([]*node, len(infos))
	for i, info := range infos {
		out[i] = p.nodeLocked(*info)
		listed[out[i]] = true
	}
	for addr, n := range p.nodes {
		if !listed[n] && now.Sub(n.lastUsed) > keepStranger {
			n.retire()
			delete(p.nodes, addr)
		}
	}
	return out
}

// close starts no new dial, kills all connections, and waits until the dials in progress have ended. waitConns must
// follow when nobody else can dial any more.
func (p *pool) close() {
	p.cancel()
	p.mu.Lock()
	p.closed = true
	for _, n := range p.nodes {
		n.retire()
	}
	conns := make([]*wire.Conn, 0, len(p.open))
	for o := range p.open {
		conns = append(conns, o.conn)
	}
	p.mu.Unlock()
	for _, conn := range conns {
		conn.Abandon(ErrClosed)
	}
	p.work.Wait()
}

// waitConns returns when no connection is open.
func (p *pool) waitConns() { p.conns.Wait() }

// retire lets the node dial no more and drains its connections.
func (n *node) retire() { n.each((*wire.Conn).Drain, true) }

// each applies do to all connections of the node; with retire, no new one will be made.
func (n *node) each(do func(*wire.Conn), retire bool) {
	for i := range n.lanes {
		l := &n.lanes[i]
		l.mu.Lock()
		l.retired = l.retired || retire
		conn := l.conn.Load()
		l.mu.Unlock()
		if conn != nil {
			do(conn)
		}
	}
	n.dedicated.each(do, retire)
}

// lane returns the shared connection that serves slot; commands without a key share the first.
func (n *node) lane(slot int) *lane {
	if slot <= 0 {
		return &n.lanes[0]
	}
	return &n.lanes[slot%len(n.lanes)]
}

// errBackoff says that a node is not dialled just now because its last dial failed a moment ago.
type errBackoff struct{ last error }

func (e errBackoff) Error() string { return e.last.Error() }
func (e errBackoff) Unwrap() error { return e.last }

// send queues calls on the lane's connection, which it dials if need be. An error means that none was sent.
func (l *lane) send(ctx context.Context, until time.Time, w *wire.Waiter, calls []*wire.Call) error {
	for {
		conn := l.conn.Load()
		if conn == nil {
			var err error
			if conn, err = l.open(ctx, until); err != nil {
				return err
			}
		}
		err := conn.Send(ctx, w, calls)
		if err == nil || conn.Err() == nil {
			return err
		}
		// The connection was dead or draining before anything was sent on it: a new one is as good.
		l.drop(conn)
	}
}

// open waits for the lane's connection: the one that is there by now, or a dial that it starts or joins.
func (l *lane) open(ctx context.Context, until time.Time) (*wire.Conn, error) {
	dialing, err := l.startDial()
	if err != nil {
		return nil, err
	}
	if dialing != nil {
		if err := waitFor(ctx, until, dialing); err != nil {
			return nil, err
		}
	}
	if conn := l.conn.Load(); conn != nil {
		return conn, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return nil, wire.ErrClosed // drained or lost again in the meantime
	}
	return nil, l.err
}

// startDial returns a channel that is closed when the dial in progress ends; nil if there is a connection. It starts the
// dial unless one runs, or failed a moment ago.
func (l *lane) startDial() (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.conn.Load() != nil:
		return nil, nil
	case l.retired:
		return nil, errRetired
	case l.dialing != nil:
		return l.dialing, nil
	case time.Now().Before(l.notyet):
		return nil, errBackoff{l.err}
	}
	done := make(chan struct{})
	l.dialing = done
	l.node.pool.work.Add(1)
	go l.dial(done) // ends with the dial, within DialTimeout; pool.close waits for it
	return done, nil
}

func (l *lane) dial(done chan struct{}) {
	defer l.node.pool.work.Done()
	conn, err := l.node.pool.dial(l.node.pool.ctx, l.node, false)
	l.adopt(conn, err)
	close(done)
}

// adopt makes conn the lane's connection, or notes why there is none.
func (l *lane) adopt(conn *wire.Conn, err error) {
	l.mu.Lock()
	l.dialing, l.err = nil, err
	if err != nil {
		l.notyet = time.Now().Add(l.pace.next())
		l.mu.Unlock()
		return
	}
	l.pace.reset()
	retired := l.retired
	if !retired {
		l.conn.Store(conn)
	}
	l.mu.Unlock()
	if retired {
		conn.Drain()
	}
}

// drop forgets a connection that takes no more calls.
func (l *lane) drop(conn *wire.Conn) { l.conn.CompareAndSwap(conn, nil) }

// offer makes conn the lane's connection if it has none, and reports whether it did.
func (l *lane) offer(conn *wire.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.retired && l.conn.CompareAndSwap(nil, conn)
}

// trouble ranks a node for questions: 0 connected, 1 not dialled yet, 2 silent or not to be dialled just now.
func (n *node) trouble() int {
	l := n.lane(0)
	if conn := l.conn.Load(); conn != nil && conn.Err() == nil {
		if conn.Silent() {
			return 2
		}
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 2
	}
	return 1
}

// silent reports whether a connection of the node owes replies and has not sent a byte for a while.
func (n *node) silent() (silent bool) {
	n.each(func(conn *wire.Conn) { silent = silent || conn.Silent() }, false)
	return silent
}

// limiter spaces the commands that are sent to a node again: when thousands of them wait for one that is down, they come
// back as a queue and not as a wave. It delays; it never refuses.
type limiter struct {
	mu   sync.Mutex
	next time.Time // guarded by mu: when the next one may go
}

// resendsPerSecond is how many commands are sent to one node again in a second, redirects aside. A node answers at least
// ten times as many.
const resendsPerSecond = 10_000

// queue returns when a command that is due then may go.
func (l *limiter) queue(due time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next.After(due) {
		due = l.next
	}
	l.next = due.Add(time.Second / resendsPerSecond)
	return due
}

// renew drains the lane's connection, so that the next command dials anew.
func (n *node) renew() {
	n.each((*wire.Conn).Drain, false)
}

// waitFor returns nil when done is closed, or the reason why the caller may wait no longer.
func waitFor(ctx context.Context, until time.Time, done <-chan struct{}) error {
	var expired <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-expired:
		return context.DeadlineExceeded
	}
}

// isTimeout reports whether err is the caller's own end of patience.
func isTimeout(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
