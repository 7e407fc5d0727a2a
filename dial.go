package keyslot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// resolveError is a name that could not be resolved.
type resolveError struct{ err error }

func (e *resolveError) Error() string { return e.err.Error() }
func (e *resolveError) Unwrap() error { return e.err }

// purpose is what a connection is dialled for.
type purpose struct {
	blocking bool        // commands that block
	wanted   func() bool // whether callers have been waiting for it; nil: nobody does
}

func always() bool { return true }

// dialNode opens a connection to a node of the map.
func (c *core) dialNode(ctx context.Context, n *node, why purpose) (*wire.Conn, error) {
	if why.wanted != nil {
		defer c.missWhileDialled(n, why.wanted)()
	}
	onSilent := c.suspect
	if why.blocking {
		onSilent = c.lookAfter
	}
	return c.connectTo(ctx, n, wire.Options{Blocking: why.blocking, OnSilent: func(conn *wire.Conn) { onSilent(n, conn) }})
}

// missWhileDialled takes a dial to a primary that lasts for what silence on a connection is: others are asked, again
// and again, who serves its slots. Callers that wait for the dial complain no more than it does. One that nobody waits
// for, such as that of a look at another shard, lets nobody down: where all dials are slow, looks would lead to looks.
// Nor is a primary missed that answers on another connection, while it has no room for one more. The function that it
// returns ends that.
func (c *core) missWhileDialled(n *node, wanted func() bool) (end func()) {
	ended := make(chan struct{})
	late := time.AfterFunc(dialPatience, func() {
		c.errands.run(func() { // ends with the dial
			for !isOver(ended) {
				if r := c.routes.Load(); wanted() && r != nil && r.leads(n) && !n.answers() {
					c.missed(n, true, "a dial takes long")
				}
				select {
				case <-ended:
					return
				case <-time.After(dialPatience):
				}
			}
		})
	})
	return func() {
		late.Stop()
		close(ended)
	}
}

// answers reports whether a shared connection of n takes calls, and is not silent. Those that have been idle for a
// while are asked for a sign of life, so that it is known the next time.
func (n *node) answers() (does bool) {
	for i := range n.lanes {
		for _, conn := range n.lanes[i].conns(false) {
			conn.Nudge(dialPatience)
			does = does || conn.Err() == nil && !conn.Silent()
		}
	}
	return does
}

// connectTo opens a connection to a node of the map, with opts for what depends on its use.
func (c *core) connectTo(ctx context.Context, n *node, opts wire.Options) (*wire.Conn, error) {
	info := n.info()
	opts.Addr = c.addrOf(info)
	opts.OnLarge = func(conn *wire.Conn, request []byte) { c.foundLarge(n, conn, request) }
	opts.OnOld = n.replace
	var conn *wire.Conn
	var err error
	if c.isStandalone() {
		conn, err = c.connectByName(ctx, n, opts)
	} else {
		conn, err = c.dial(ctx, peer{n, info}, opts)
	}
	if err == nil {
		c.noticeMode(conn)
		c.learnZone(ctx, n, conn)
	}
	return conn, err
}

// helloError is why a connection that was opened is not used: the server did not say in time what has to be known
// first, or said the wrong thing. It is a dial that failed: a bare context.DeadlineExceeded would pass for the patience
// of every caller who is told.
func helloError(addr string, err error) error {
	return &wire.DialError{Phase: wire.PhaseHello, Addr: addr, Err: err}
}

// peer is what is dialled: a node, or an address of an endpoint, where nobody knows yet which node will answer.
type peer struct {
	node *node // nil of an endpoint
	info Node
}

// dialStream opens a connection to a node for a subscription, whose it is.
func (c *core) dialStream(ctx context.Context, n *node) (stream *wire.Stream, err error) {
	defer c.missWhileDialled(n, always)()
	if c.isStandalone() {
		stream, err = c.streamByName(ctx, n)
	} else {
		stream, err = c.dialStreamAt(ctx, n, c.addrOf(n.info()))
	}
	if err == nil {
		c.pool.tallies.countStreams(n, 1)
	}
	return stream, err
}

func (c *core) dialStreamAt(ctx context.Context, n *node, addr string) (stream *wire.Stream, err error) {
	err = c.open(ctx, peer{n, n.info()}, wire.Options{Addr: addr}, func(ctx context.Context, opts wire.Options) (err error) {
		stream, err = wire.DialStream(ctx, opts)
		return err
	})
	return stream, err
}

// dial opens a connection to opts.Addr, within DialTimeout.
func (c *core) dial(ctx context.Context, to peer, opts wire.Options) (conn *wire.Conn, err error) {
	err = c.open(ctx, to, opts, func(ctx context.Context, opts wire.Options) (err error) {
		conn, err = c.dialCounted(ctx, to, opts)
		return err
	})
	return conn, err
}

// open completes opts and dials with them, within DialTimeout.
func (c *core) open(ctx context.Context, to peer, opts wire.Options, dial func(context.Context, wire.Options) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
	defer cancel()
	began := time.Now()
	err := c.complete(ctx, to.info, &opts)
	if err == nil {
		err = inServersWords(dial(ctx, opts))
	}
	c.traceDial(to, began, err)
	return err
}

// dialRefusal is the error reply by which a server refused a dial. errors.As finds it as a ServerError, too, though no
// command was answered: see replyIn.
type dialRefusal struct{ wire.Refusal }

func (e dialRefusal) Unwrap() []error { return []error{e.Refusal, ServerError(e.Refusal)} }

// inServersWords makes a dialRefusal of what a dial failed with, if it is one.
func inServersWords(err error) error {
	var dial *wire.DialError
	if errors.As(err, &dial) {
		if said, ok := dial.Err.(wire.Refusal); ok { //nolint:errorlint // Credentials may have failed with that of another client
			dial.Err = dialRefusal{said}
		}
	}
	return err
}

// dialCounted opens a connection that close waits for.
func (c *core) dialCounted(ctx context.Context, to peer, opts wire.Options) (*wire.Conn, error) {
	o := c.pool.opening()
	opts.OnDesync = func(e *wire.DesyncError) { c.traceDesync(o, to.info, e) }
	opts.OnEnd = func() { c.pool.ended(o) }
	conn, err := wire.Dial(ctx, opts)
	if err != nil {
		c.pool.ended(o)
		return nil, err
	}
	c.pool.opened(o, conn, to.node)
	return conn, nil
}

// complete adds to opts what all connections have in common. The credentials are asked for anew.
func (c *core) complete(ctx context.Context, info Node, opts *wire.Options) error {
	if c.opts.Credentials != nil {
		opts.Relogin = func(ctx context.Context) (string, string, error) { return c.opts.Credentials(ctx, info) }
		var err error
		if opts.Username, opts.Password, err = opts.Relogin(ctx); err != nil {
			return &wire.DialError{Phase: wire.PhaseAuth, Addr: opts.Addr, Err: fmt.Errorf("credentials: %w", err)}
		}
	}
	opts.Dial = c.dialName
	opts.TLS, opts.ServerName = c.opts.TLS, info.ServerName()
	opts.ClientName, opts.LibName, opts.LibVer = c.opts.ClientName, "keyslot", Version
	opts.NoPoll = c.opts.NoPoll
	opts.MaxAge = jitteredAge(c.opts.MaxConnAge)
	if opts.Blocking { // a turn that begins on it must end in time: see takeTurns
		opts.MaxAge = jitteredAge(c.opts.MaxConnAge - c.opts.MaxConnAge/4)
	}
	opts.MaxInFlight, opts.PeerTimeout, opts.IdleProbe = c.opts.MaxInFlight, c.opts.PeerTimeout, c.opts.IdleProbe
	return nil
}

// addrOf returns where to dial a node.
func (c *core) addrOf(info Node) string {
	if c.opts.MapAddr != nil {
		return c.opts.MapAddr(info)
	}
	return info.Addr()
}

// dialName resolves addr's host anew and dials its addresses, a new one whenever one fails or is slow.
func (c *core) dialName(ctx context.Context, network, addr string) (net.Conn, error) {
	to, err := readEndpoint(addr)
	if err != nil {
		return nil, err
	}
	addrs, err := c.resolver.resolve(ctx, to.host)
	if err != nil {
		return nil, &resolveError{err}
	}
	if len(addrs) == 1 {
		return c.dialIP(ctx, network, netip.AddrPortFrom(addrs[0].Unmap(), to.port))
	}
	race := racer[net.Conn]{
		ask: func(ctx context.Context, to candidate) (net.Conn, error) {
			return c.dialIP(ctx, network, to.addr)
		},
		discard: func(conn net.Conn) { _ = conn.Close() },
		timeout: c.opts.DialTimeout,
		asks:    &c.asks,
	}
	return race.run(ctx, candidatesAt(to, addrs))
}

func (c *core) dialIP(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
	if c.opts.Dial != nil {
		conn, err := c.opts.Dial(ctx, network, addr.String())
		if conn == nil && err == nil {
			err = errors.New("Options.Dial returned neither a connection nor an error")
		}
		return conn, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr.String())
}
