package keyslot

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// resolveError is a name that could not be resolved.
type resolveError struct{ err error }

func (e *resolveError) Error() string { return e.err.Error() }
func (e *resolveError) Unwrap() error { return e.err }

// dialNode opens a connection to a node of the map.
func (c *core) dialNode(ctx context.Context, n *node, blocking bool) (*wire.Conn, error) {
	info := n.info()
	addr := info.Addr()
	if c.opts.MapAddr != nil {
		addr = c.opts.MapAddr(info)
	}
	return c.dial(ctx, info, addr, blocking)
}

// dial opens a connection to addr, within DialTimeout. The credentials are asked for anew.
func (c *core) dial(ctx context.Context, info Node, addr string, blocking bool) (*wire.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
	defer cancel()
	user, password := c.opts.Username, c.opts.Password
	if c.opts.Credentials != nil {
		var err error
		if user, password, err = c.opts.Credentials(ctx, info); err != nil {
			return nil, &wire.DialError{Phase: wire.PhaseAuth, Addr: addr, Err: fmt.Errorf("credentials: %w", err)}
		}
	}
	o := c.pool.opening()
	conn, err := wire.Dial(ctx, wire.Options{
		Addr: addr, ServerName: info.ServerName(), TLS: c.opts.TLS, Dial: c.dialName,
		Username: user, Password: password, ClientName: c.opts.ClientName, LibName: "keyslot", LibVer: Version,
		MaxInFlight: c.opts.MaxInFlight, PeerTimeout: c.opts.PeerTimeout, IdleProbe: c.opts.IdleProbe,
		Blocking: blocking,
		OnSilent: func() { c.refresher.urgent("a node is silent") },
		OnEnd:    func() { c.pool.ended(o) },
	})
	if err != nil {
		c.pool.ended(o)
		return nil, err
	}
	c.pool.opened(o, conn)
	return conn, nil
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
	candidates := make([]candidate, len(addrs))
	for i, a := range addrs {
		candidates[i] = candidate{endpoint: to, addr: netip.AddrPortFrom(a.Unmap(), to.port)}
	}
	race := racer[net.Conn]{
		ask: func(ctx context.Context, to candidate) (net.Conn, error) {
			return c.dialIP(ctx, network, to.addr)
		},
		discard: func(conn net.Conn) { _ = conn.Close() },
		timeout: c.opts.DialTimeout,
		asks:    &c.asks,
	}
	return race.run(ctx, candidates)
}

func (c *core) dialIP(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
	if c.opts.Dial != nil {
		return c.opts.Dial(ctx, network, addr.String())
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr.String())
}
