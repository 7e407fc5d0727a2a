package keyslot

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// keepStranger is how long a node survives maps that do not list it after a redirect has named it: the target of a
	// migration owns no slot until its first one arrives. Without a new map it stays.
	keepStranger = 30 * time.Second
	// maxStrangers bounds them, whatever a node may invent.
	maxStrangers = 64
)

// pool holds the nodes a client is connected to. One that leaves is drained; only what blocks there, or owes replies in
// silence, is cut off: see lookAfter and deposed.
type pool struct {
	// immutable
	dial       func(ctx context.Context, n *node, why purpose) (*wire.Conn, error)
	dialReader func(ctx context.Context, n *node) (*wire.Conn, error)
	lanes      int
	ctx        context.Context // of dials: they belong to the client, not to the caller that caused them
	cancel     context.CancelFunc
	work       sync.WaitGroup // dials in progress
	conns      sync.WaitGroup // open connections
	tallies    tallies

	// guarded by mu
	mu     sync.Mutex
	nodes  map[spot]*node // by the address that the cluster names
	open   map[*openConn]bool
	closed bool
}

// node is one server process at an address, with the connections to it.
type node struct {
	// immutable
	pool  *pool
	at    spot
	lanes []lane

	known       atomic.Pointer[Node]          // what is known of it; replaced when a map tells more
	lastUsed    time.Time                     // guarded by pool.mu: when a redirect last named it; zero for a node of the map
	reign       atomic.Pointer[chan struct{}] // closed when it loses its slots; replaced when it has some again
	dedicated   dedicated
	reading     reading
	doubted     atomic.Bool                 // it is being found out whether a silent connection or the node is to blame
	doubts      seldom                      // for whoever has set doubted
	saidZone    atomic.Pointer[string]      // its availability zone by its own words; nil: not asked
	whereabouts atomic.Pointer[whereabouts] // of the primary of a group without cluster mode; nil: not found yet
	redial      dialPace
	resends     limiter

	tally *tally // guarded by tallies.mu: where it is counted; nil: elsewhere
	gone  bool   // guarded by tallies.mu: it has left
}

func newPool(lanes int, dial func(context.Context, *node, purpose) (*wire.Conn, error)) *pool {
	ctx, cancel := context.WithCancel(context.Background())
	p := &pool{
		dial: dial, lanes: lanes, ctx: ctx, cancel: cancel,
		nodes: map[spot]*node{}, open: map[*openConn]bool{},
	}
	p.tallies.init()
	return p
}

func (n *node) info() Node   { return *n.known.Load() }
func (n *node) addr() string { return n.at.addr }

// spot is where a node is: identity for those that have no id, or share one address with another.
type spot struct {
	addr string // host:port, as the cluster names it
	seat int    // see Node
}

func (n *Node) spot() spot { return spot{n.Addr(), n.seat} }

// nodeAt returns the node at info's address, made if need be. An address that another node id has taken over is another
// node: nothing of the old one is inherited. mu is held.
func (p *pool) nodeAt(info Node) *node {
	addr := info.spot()
	if n := p.nodes[addr]; n != nil {
		known := n.known.Load()
		switch {
		case info.ID == "", *known == info:
			return n
		case known.ID == "", known.ID == info.ID:
			n.known.Store(&info)
			p.tallies.arrive(n)
			return n
		}
		n.retire()
	}
	n := &node{pool: p, at: addr, lanes: make([]lane, p.lanes)}
	n.known.Store(&info)
	n.beginReign()
	n.redial.pace = pacer{first: minRedial, limit: maxRedial}
	n.redial.login = pacer{first: minLogin, limit: maxLogin}
	n.doubts.pace = pacer{first: minDoubt, limit: maxDoubt}
	for i := range n.lanes {
		n.lanes[i].init(n, p.closed)
	}
	n.dedicated.init(p.closed)
	n.reading.init(n, p.closed)
	p.nodes[addr] = n
	p.tallies.arrive(n)
	return n
}

// remove drains a node and forgets it. mu is held.
func (p *pool) remove(n *node, now time.Time) {
	n.retire()
	delete(p.nodes, n.at)
	p.tallies.leave(n, now)
}

// stranger returns the node at an address that a redirect names and no map lists.
func (p *pool) stranger(info Node, now time.Time) *node {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodeAt(info)
	n.lastUsed = now
	strangers := 0
	oldest := n
	for _, o := range p.nodes {
		if !o.lastUsed.IsZero() {
			strangers++
			if o.lastUsed.Before(oldest.lastUsed) {
				oldest = o
			}
		}
	}
	if strangers > maxStrangers {
		p.remove(oldest, now)
	}
	return n
}

// reconcile returns the nodes of a map, in its order, and drains those that it does not list.
func (p *pool) reconcile(infos []*Node, now time.Time) []*node {
	p.mu.Lock()
	defer p.mu.Unlock()
	byAddr := make(map[spot]*node, len(infos))
	out := make([]*node, len(infos))
	for i, info := range infos {
		addr := info.spot()
		// A map may list two ids at one address, a failed node and its successor: one process answers there.
		if byAddr[addr] == nil {
			byAddr[addr] = p.nodeAt(*info)
			byAddr[addr].lastUsed = time.Time{}
		}
		out[i] = byAddr[addr]
	}
	for addr, n := range p.nodes {
		if byAddr[addr] == nil && now.Sub(n.lastUsed) > keepStranger {
			p.remove(n, now)
		}
	}
	return out
}

// retire lets the node dial no more and drains its connections.
func (n *node) retire() {
	for _, conn := range n.conns(true) {
		conn.Drain()
	}
}

// conns returns all connections of the node; with retire, no new one will be made.
func (n *node) conns(retire bool) (conns []*wire.Conn) {
	for i := range n.lanes {
		conns = append(conns, n.lanes[i].conns(retire)...)
		conns = append(conns, n.reading.lanes[i].conns(retire)...)
	}
	return append(conns, n.dedicated.conns(retire)...)
}

// silent reports whether a shared connection of the node owes replies and has not received a byte for a while.
func (n *node) silent() bool {
	for i := range n.lanes {
		for _, conn := range n.lanes[i].conns(false) {
			if conn.Silent() {
				return true
			}
		}
	}
	return false
}

// readiness is how likely a node is to answer a question soon; less is better.
type readiness int

const (
	connected readiness = iota
	undialled
	failing // silent, or its last dial failed
)

func (n *node) readiness() readiness {
	if conn := n.lane(0).small.live(); conn != nil {
		if conn.Silent() {
			return failing
		}
		return connected
	}
	if n.redial.failing() {
		return failing
	}
	return undialled
}

// openConn is one connection from its dial until its last goroutine has ended.
type openConn struct {
	conn  *wire.Conn
	ended bool // guarded by pool.mu

	of        *tally     // guarded by tallies.mu: where it is counted; nil: elsewhere
	accounted wire.Usage // guarded by tallies.mu: what is counted already
}

// opening announces a connection that is about to be dialled. ended must follow, and opened before it if the dial
// succeeds.
func (p *pool) opening() *openConn {
	p.conns.Add(1)
	return new(openConn)
}

// opened notes an open connection to n, or to nobody knows which node, so that close finds it wherever it is used.
func (p *pool) opened(o *openConn, conn *wire.Conn, n *node) {
	p.mu.Lock()
	o.conn = conn
	p.tallies.account(o, n)
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
func (p *pool) ended(o *openConn) {
	p.mu.Lock()
	o.ended = true
	delete(p.open, o)
	if o.conn != nil {
		p.tallies.account(o, nil)
	}
	p.mu.Unlock()
	p.conns.Done()
}

// adopt notes that conn, over which a topology came, is n's from now on.
func (p *pool) adopt(conn *wire.Conn, n *node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for o := range p.open {
		if o.conn == conn {
			p.tallies.account(o, n)
		}
	}
}

// drainPatience is how long Shutdown waits for connections to end in order once no command is under way: what they may
// still owe is nobody's.
const drainPatience = 200 * time.Millisecond

// drain starts no new dial and drains all connections. It returns when they have ended, or with ctx, or after
// drainPatience: whoever is drained takes leave, of which TLS has a form, and whoever is killed resets its connection,
// which servers log.
func (p *pool) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	for _, conn := range p.retireAll(false) {
		conn.Drain()
		select {
		case <-conn.Ended():
		case <-ctx.Done():
		}
	}
}

// retireAll lets all nodes dial no more and drains their connections. It returns those that are open, wherever they are used.
func (p *pool) retireAll(closed bool) []*wire.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = p.closed || closed
	for _, n := range p.nodes {
		n.retire()
	}
	conns := make([]*wire.Conn, 0, len(p.open))
	for o := range p.open {
		conns = append(conns, o.conn)
	}
	return conns
}

// close starts no new dial, kills all connections, and waits until the dials in progress have ended. waitConns must
// follow when nobody else can dial any more.
func (p *pool) close() {
	p.cancel()
	for _, conn := range p.retireAll(true) {
		conn.Abandon(ErrClosed)
	}
	p.work.Wait()
}

// waitConns returns when no connection is open.
func (p *pool) waitConns() { p.conns.Wait() }
