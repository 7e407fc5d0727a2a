package keyslot

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// The nodes of a group without cluster mode are names, and what a name leads to changes. So each dial resolves it anew
// and tries all addresses, until one leads to a server of the role that it is dialled for.

// whereabouts is where a name led when a primary was last found behind it.
type whereabouts struct {
	addr   string       // host:port of the primary
	listed []netip.Addr // all addresses of the name then; nil: not known
}

// left reports whether the primary is at another address than this one by now, which the name does not list any longer.
func (n *node) left(addr string) bool {
	at := n.whereabouts.Load()
	if at == nil || at.addr == addr {
		return false
	}
	old, err := netip.ParseAddrPort(addr)
	return err == nil && !slices.Contains(at.listed, old.Addr())
}

// foundAt notes where a dial has found the primary. Connections to where it was before are given up; at once where they
// owe replies in silence, or a command blocks, for whatever such a server acknowledges when it wakes is lost.
func (n *node) foundAt(addr string, listed []netip.Addr) {
	if old := n.whereabouts.Swap(&whereabouts{addr, listed}); old == nil || old.addr == addr {
		return
	}
	n.saidZone.Store(nil) // that of the server before
	for i := range n.lanes {
		l := &n.lanes[i]
		for _, conn := range l.conns(false) {
			if !n.left(conn.Addr()) {
				continue
			}
			l.renew(conn)
			if conn.Silent() {
				conn.Abandon(errLeft)
			}
		}
	}
	for _, conn := range n.dedicated.conns(false) {
		if n.left(conn.Addr()) {
			conn.Abandon(errLeft)
		}
	}
}

// byName dials the addresses behind the name of a node of a group, until one leads to where it should: to the primary,
// if that is what the node is to be.
func byName[T interface{ Addr() string }](
	ctx context.Context, c *core, n *node,
	dial func(ctx context.Context, addr string) (T, error), mustLead func(context.Context, T) error, discard func(T),
) (conn T, err error) {
	candidates, err := c.addressesOf(ctx, n)
	if err != nil {
		return conn, err
	}
	leads := func() bool { return c.routes.Load().leads(n) } // by the time that the dial has ended
	race := racer[T]{
		ask: func(ctx context.Context, to candidate) (T, error) {
			conn, err := dial(ctx, to.addr.String())
			if err == nil && leads() {
				if err = mustLead(ctx, conn); err != nil {
					discard(conn)
				}
			}
			return conn, err
		},
		discard: discard,
		timeout: c.opts.DialTimeout,
		more:    make(chan candidate),
		asks:    &c.asks,
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.lookOut(ctx, n, race.more)()
	if conn, err = race.run(ctx, candidates); err == nil && leads() {
		var listed []netip.Addr
		for _, to := range candidates {
			listed = append(listed, to.addr.Addr())
		}
		if !slices.ContainsFunc(candidates, func(to candidate) bool { return to.addr.String() == conn.Addr() }) {
			listed = nil // the name has led elsewhere since
		}
		n.foundAt(conn.Addr(), listed)
	}
	return conn, err
}

// lookOut tells a dial that lasts of the addresses that the name has by then: the one that it was begun with may be a
// machine that is gone, and swallow it. Each has DialTimeout for itself. The function that it returns ends that, as ctx
// does.
func (c *core) lookOut(ctx context.Context, n *node, more chan<- candidate) (end func() bool) {
	if n.info().seat > 0 { // which has one address, whatever the name gets
		return func() bool { return false }
	}
	return time.AfterFunc(lookupEvery, func() {
		c.errands.run(func() { // ends with ctx, or after DialTimeout
			ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
			defer cancel()
			for ctx.Err() == nil {
				found, _ := c.addressesOf(ctx, n)
				for _, to := range found {
					select {
					case more <- to:
					case <-ctx.Done():
					}
				}
				_ = waitFor(ctx, time.Now().Add(lookupEvery), nil)
			}
		})
	}).Stop
}

// connectByName opens a connection to a node of a group.
func (c *core) connectByName(ctx context.Context, n *node, opts wire.Options) (*wire.Conn, error) {
	dial := func(ctx context.Context, addr string) (*wire.Conn, error) {
		opts := opts
		opts.Addr = addr
		return c.dial(ctx, peer{n, n.info()}, opts)
	}
	return byName(ctx, c, n, dial, mustLead, (*wire.Conn).Drain)
}

// streamByName is connectByName for a subscription.
func (c *core) streamByName(ctx context.Context, n *node) (*wire.Stream, error) {
	dial := func(ctx context.Context, addr string) (*wire.Stream, error) { return c.dialStreamAt(ctx, n, addr) }
	return byName(ctx, c, n, dial, streamMustLead, (*wire.Stream).Abandon)
}

// streamMustLead is mustLead for a connection whose owner reads it.
func streamMustLead(ctx context.Context, stream *wire.Stream) error {
	said := readRole(resp.Value{}, stream.Server())
	if !said.known {
		reply, err := streamRole(ctx, stream)
		if err != nil {
			return helloError(stream.Addr(), err)
		}
		said = readRole(reply, stream.Server())
	}
	return said.mustLead(stream.Addr())
}

func streamRole(ctx context.Context, stream *wire.Stream) (reply resp.Value, err error) {
	stop := context.AfterFunc(ctx, stream.Abandon)
	defer stop()
	if err := stream.Write(resp.AppendBulk(resp.AppendArray(nil, 1), "ROLE")); err != nil {
		return reply, err
	}
	frame, err := stream.Next()
	if err != nil {
		return reply, err
	}
	return resp.Decode(frame)
}

// addressesOf returns where a node of a group may be dialled: at all addresses of its name, or, of several connections
// by one reader endpoint, at one that no other has.
func (c *core) addressesOf(ctx context.Context, n *node) ([]candidate, error) {
	info := n.info()
	to, err := readEndpoint(c.addrOf(info))
	if err != nil {
		return nil, &wire.DialError{Phase: wire.PhaseDial, Addr: c.addrOf(info), Err: err}
	}
	addrs, err := c.resolver.resolve(ctx, to.host)
	if err != nil {
		return nil, &wire.DialError{Phase: wire.PhaseDial, Addr: to.String(), Err: &resolveError{err}}
	}
	if info.seat > 0 {
		addr, ok := c.seats.take(n, c.routes.Load().nodes, addrs)
		if !ok {
			return nil, &unfitError{n.addr(), "each of its addresses has a connection already"}
		}
		addrs = []netip.Addr{addr}
	}
	return candidatesAt(to, addrs), nil
}

// leadsElsewhere reports whether the name of a primary has another address than the one where that was found.
func (c *core) leadsElsewhere(ctx context.Context, n *node) bool {
	candidates, err := c.addressesOf(ctx, n)
	at := n.whereabouts.Load()
	return err == nil && at != nil && slices.ContainsFunc(candidates, func(to candidate) bool { return to.addr.String() != at.addr })
}

// hasMoved reports whether the name of a primary has addresses, but not the one where that was found.
func (c *core) hasMoved(ctx context.Context, n *node) bool {
	candidates, err := c.addressesOf(ctx, n)
	at := n.whereabouts.Load()
	return err == nil && at != nil && !slices.ContainsFunc(candidates, func(to candidate) bool { return to.addr.String() == at.addr })
}

// seats are the connections by the reader endpoint: each keeps to an address of its own, so that the replicas behind
// the name share the reads. Safe for concurrent use.
type seats struct {
	mu   sync.Mutex
	held map[*node]netip.Addr // guarded by mu
}

// take returns the address of a seat; false if the others have all. It stays where it is while the name has that
// address, unless nothing can be reached there and another address is free.
func (s *seats) take(n *node, all []*node, addrs []netip.Addr) (addr netip.Addr, ok bool) {
	failing := n.redial.failing()
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := map[netip.Addr]bool{}
	for other, held := range s.held {
		switch {
		case !slices.Contains(all, other):
			delete(s.held, other)
		case other != n:
			taken[held] = true
		}
	}
	last, ok := s.held[n]
	ok = ok && slices.Contains(addrs, last) && !taken[last]
	if ok && !failing {
		return last, true
	}
	for _, a := range addrs {
		if !taken[a] && a != last {
			s.held[n] = a
			n.saidZone.Store(nil) // that of the server before
			return a, true
		}
	}
	return last, ok
}
