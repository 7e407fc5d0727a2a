package keyslot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// routes is what a command is routed by: the slot map, and for each of its nodes the connections. Immutable.
type routes struct {
	*slotMap
	nodes []*node // by index into slotMap.nodes
}

// primary returns the node that owns slot; nil if none is known.
func (r *routes) primary(slot uint16) *node {
	s, ok := r.shardOf(slot)
	if !ok || s.primary < 0 {
		return nil
	}
	return r.nodes[s.primary]
}

// primaries returns the primaries of all shards.
func (r *routes) primaries() []*node {
	out := make([]*node, 0, len(r.shards))
	for _, s := range r.shards {
		if s.primary >= 0 {
			out = append(out, r.nodes[s.primary])
		}
	}
	return out
}

// anyPrimary returns some primary; nil if none is known.
func (r *routes) anyPrimary() *node {
	first := rand.IntN(max(1, len(r.shards)))
	for i := range r.shards {
		if s := r.shards[(first+i)%len(r.shards)]; s.primary >= 0 {
			return r.nodes[s.primary]
		}
	}
	return nil
}

// BootstrapError says why New, or the first command of a Lazy client, found no cluster behind the endpoints.
type BootstrapError struct {
	Endpoints []string
	Advice    string // what to do, where the cause tells
	Err       error  // what each address answered
}

func (e *BootstrapError) Error() string {
	advice := ""
	if e.Advice != "" {
		advice = " (" + e.Advice + ")"
	}
	return fmt.Sprintf("keyslot: no usable cluster behind %s: %v%s", strings.Join(e.Endpoints, ", "), e.Err, advice)
}

// Unwrap returns what each address answered.
func (e *BootstrapError) Unwrap() error { return e.Err }

// connect is ready for New.
func (c *core) connect(ctx context.Context) error {
	if ctx == nil {
		return c.bootstrapError(errNilContext)
	}
	return c.ready(ctx, c.patience(ctx, time.Now()))
}

// ready returns when there is a map to route by. Only a Lazy client's first commands wait for it.
func (c *core) ready(ctx context.Context, until time.Time) error {
	if c.routes.Load() != nil {
		return nil
	}
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	// The work is shared by all who wait and outlives each of them.
	err := ctx.Err()
	if err == nil {
		err = c.refresher.wait(ctx, "first map")
	}
	var told *BootstrapError
	switch {
	case c.routes.Load() != nil:
		return nil
	case errors.As(err, &told), errors.Is(err, ErrClosed):
		return err
	}
	return c.bootstrapError(err)
}

// bootstrapError adds what to do, where the cause tells.
func (c *core) bootstrapError(cause error) error {
	e := &BootstrapError{Endpoints: c.opts.Endpoints, Err: cause}
	text := cause.Error()
	for _, a := range advice {
		if strings.Contains(text, a.symptom) {
			e.Advice = a.advice
			break
		}
	}
	return e
}

// advice is what to do about the usual causes, by a text that their errors hold.
var advice = []struct{ symptom, advice string }{
	{"cluster support disabled", "the server is not in cluster mode; keyslot needs cluster mode enabled"},
	{"WRONGPASS", "check Username and Password"},
	{"NOAUTH", "the server wants a password: set Username and Password, or Credentials"},
	{"NOPERM", "the user needs permission for CLUSTER SLOTS: +cluster|slots +cluster|info +cluster|myid"},
	{"first record does not look like a TLS handshake", "the server speaks no TLS: use redis:// or leave Options.TLS nil"},
	{"certificate", "the server's certificate does not verify: set Options.TLS with its RootCAs and ServerName"},
	{"serves no slots", "the cluster is empty: assign slots first, with redis-cli --cluster create"},
	{"no such host", "check the name of the endpoint"},
	{"connection refused", "nothing listens there: check host and port"},
	// A server that wants TLS hangs up on plaintext, answers with an alert, or waits for more.
	{"EOF", "the server hung up: use rediss:// or set Options.TLS if it wants TLS"},
	{"connection reset", "the server hung up: use rediss:// or set Options.TLS if it wants TLS"},
	{"resp: ", "what answers there speaks no RESP: check host and port, and use rediss:// or set Options.TLS if it wants TLS"},
	{"deadline exceeded", "no answer: check host, port and firewall, and use rediss:// or set Options.TLS if it wants TLS"},
}

// refresh learns the topology anew. The refresher runs it, one at a time.
func (c *core) refresh(ctx context.Context, reason string) error {
	installed := c.routes.Load()
	var err error
	event := RefreshEvent{Reason: reason}
	if installed == nil {
		event.Asked, event.Changed, err = c.learnFirst(ctx)
	} else {
		event.Asked, event.Changed, err = c.learnAgain(ctx, installed)
	}
	if c.opts.Trace.Refreshed != nil {
		event.Err = err
		c.opts.Trace.Refreshed(event)
	}
	return err
}

// told is what a node said of the topology, and the connection that it said it on.
type told struct {
	view *view
	conn *wire.Conn
}

// learnFirst installs the first usable map that an endpoint gives.
func (c *core) learnFirst(ctx context.Context) (asked int, changed bool, err error) {
	first, asked, err := c.askEndpoints(ctx)
	if err != nil {
		return asked, false, c.bootstrapError(err)
	}
	next, why := choose(nil, []*view{first.view}, 1, true, time.Now())
	if next == nil {
		first.conn.Drain()
		return asked, false, c.bootstrapError(errors.New(why.String()))
	}
	c.publish(next)
	c.keep(first)
	return asked, true, nil
}

// learnAgain asks a few nodes of the installed map, and the endpoints where that leads to no new map that everybody can
// use: because nobody answered, or the answers were turned down.
func (c *core) learnAgain(ctx context.Context, installed *routes) (asked int, changed bool, err error) {
	views, asked, err := c.askNodes(ctx, installed)
	unreachable := len(views) == 0
	next, why := choose(installed.slotMap, views, asked, false, time.Now())
	if next == nil || !views[0].ok {
		endpoint, n, eerr := c.askEndpoints(ctx)
		asked += n
		if eerr != nil {
			err = errors.Join(err, eerr)
		} else {
			defer c.keep(endpoint)
			views = append(views, endpoint.view)
			next, why = choose(installed.slotMap, views, len(views), unreachable, time.Now())
		}
	}
	if next == nil {
		if len(views) > 0 {
			return asked, false, nil // answers came, and the map in use is at least as good
		}
		return asked, false, errors.Join(errors.New(why.String()), err)
	}
	c.publish(next)
	return asked, !next.agrees(&installed.layout), nil
}

// askCount is how many nodes of the map a refresh asks: enough to find a liar by.
const askCount = 3

// askNodes asks a few primaries at once, over the connections they have or new ones.
func (c *core) askNodes(ctx context.Context, r *routes) (views []*view, asked int, err error) {
	nodes := r.primaries()
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	slices.SortStableFunc(nodes, func(a, b *node) int { return cmp.Compare(a.trouble(), b.trouble()) })
	nodes = nodes[:min(askCount, len(nodes))]
	found := make([]*view, len(nodes))
	failed := make([]error, len(nodes))
	var asks sync.WaitGroup
	for i, n := range nodes {
		asks.Go(func() { // ends within DialTimeout; this function waits for it
			found[i], failed[i] = c.askNode(ctx, n)
		})
	}
	asks.Wait()
	views = slices.DeleteFunc(found, func(v *view) bool { return v == nil })
	return views, len(nodes), errors.Join(failed...)
}

func (c *core) askNode(ctx context.Context, n *node) (*view, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
	defer cancel()
	conn, err := n.lane(0).open(ctx, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.info.Addr(), err)
	}
	return ask(ctx, conn, n.info)
}

// askEndpoints asks the endpoints, resolved anew, until one address gives a usable map.
func (c *core) askEndpoints(ctx context.Context) (told, int, error) {
	candidates, err := c.resolver.candidates(ctx, c.endpoints)
	if err != nil {
		return told{}, 0, &resolveError{err}
	}
	race := racer[told]{
		ask:     c.askCandidate,
		discard: func(t told) { t.conn.Drain() },
		timeout: c.opts.DialTimeout,
		asks:    &c.asks,
	}
	t, err := race.run(ctx, candidates)
	return t, len(candidates), err
}

func (c *core) askCandidate(ctx context.Context, from candidate) (told, error) {
	info := Node{Host: from.addr.Addr().String(), Port: int(from.addr.Port())}
	if host := from.endpoint.host; host != info.Host {
		info.Hostname = host
	}
	conn, err := c.dial(ctx, info, from.addr.String(), false)
	if err != nil {
		return told{}, err
	}
	v, err := ask(ctx, conn, info)
	if err == nil && v.covered == 0 {
		err = &TopologyError{Node: info.Addr(), Reason: "the cluster serves no slots yet"}
	}
	if err != nil {
		conn.Drain()
		return told{}, err
	}
	return told{v, conn}, nil
}

// ask asks one node for the topology, in one write.
//
//	C: CLUSTER MYID | CLUSTER INFO | CLUSTER SLOTS
func ask(ctx context.Context, conn *wire.Conn, from Node) (*view, error) {
	var (
		w     wire.Waiter
		calls []*wire.Call
		at    = time.Now()
	)
	for _, sub := range []string{"MYID", "INFO", "SLOTS"} {
		request := resp.AppendBulk(resp.AppendBulk(resp.AppendArray(nil, 2), "CLUSTER"), sub)
		calls = append(calls, &wire.Call{Request: request})
	}
	w.Expect(len(calls))
	if err := conn.Send(ctx, &w, calls); err != nil {
		return nil, err
	}
	w.Wait(ctx, calls)
	var replies [3]resp.Value
	for i, call := range calls {
		if call.Err != nil {
			return nil, call.Err
		}
		var err error
		if replies[i], err = resp.Decode(call.Reply); err != nil {
			return nil, err
		}
	}
	if id := replies[0]; id.Kind == resp.BulkString {
		from.ID = id.Str
	}
	return parseView(replies[1], replies[2], from, at)
}

// publish installs a map. Nodes that it no longer lists are drained. A node that lost its slots while it owed replies in
// silence is cut off: what a frozen primary acknowledges when it wakes is lost by then.
func (c *core) publish(next *slotMap) {
	c.install.Lock()
	defer c.install.Unlock()
	if c.isClosed() {
		return
	}
	old := c.routes.Load()
	r := &routes{slotMap: next, nodes: c.pool.reconcile(next.nodes, time.Now())}
	c.routes.Store(r)
	c.fresh.Store(int64(time.Since(c.born) + c.opts.RefreshAfter))
	if old == nil {
		return
	}
	if !next.agrees(&old.layout) {
		close(c.changed)
		c.changed = make(chan struct{})
	}
	serving := make(map[*node]bool, len(r.shards))
	for _, n := range r.primaries() {
		serving[n] = true
	}
	for _, n := range old.primaries() {
		if !serving[n] && n.silent() {
			n.each(func(conn *wire.Conn) { conn.Abandon(errFenced) }, false)
		}
	}
}

// movedTo gives a slot to the node that a MOVED names, and returns that node.
func (c *core) movedTo(slot uint16, target Node) *node {
	c.install.Lock()
	defer c.install.Unlock()
	old := c.routes.Load()
	now := time.Now()
	next := old.moved(slot, target, now)
	if next == old.slotMap {
		return old.primary(slot)
	}
	r := &routes{slotMap: next, nodes: old.nodes}
	if !slices.Equal(next.nodes, old.slotMap.nodes) {
		r.nodes = c.pool.reconcile(next.nodes, now)
	}
	if !c.isClosed() {
		c.routes.Store(r)
	}
	return r.primary(slot)
}

// noticeAge asks for a refresh when the map is older than RefreshAfter. Nothing but a command's use of the map sets it off:
// a client without traffic does nothing.
func (c *core) noticeAge(now time.Time) {
	due := c.fresh.Load()
	if c.opts.RefreshAfter < 0 || int64(now.Sub(c.born)) < due {
		return
	}
	if c.fresh.CompareAndSwap(due, int64(now.Sub(c.born)+c.opts.RefreshAfter)) {
		c.refresher.request("age")
	}
}

// nodeAt returns the node that an ASK names: one of the map, or one that is not listed because it owns no slot yet.
func (c *core) nodeAt(target Node) *node {
	r := c.routes.Load()
	for i := range r.slotMap.nodes {
		if r.slotMap.nodes[i].is(&target) {
			return r.nodes[i]
		}
	}
	return c.pool.stranger(target, time.Now())
}

// keep gives the connection that a topology came over to the node it leads to, if that node has none.
func (c *core) keep(t told) {
	if r := c.routes.Load(); r != nil && t.view.fromID != "" { // nil: closed meanwhile
		for i, n := range r.slotMap.nodes {
			if n.ID == t.view.fromID && r.nodes[i].lane(0).offer(t.conn) {
				return
			}
		}
	}
	t.conn.Drain()
}

// askRefresh asks for a new map because of what an attempt came back with. A caller that waits for it is urgent.
func (c *core) askRefresh(call *call, v verdict) {
	switch {
	case call.refusal == "":
		c.refresher.urgent("lost a connection")
	case v.action == follow:
		c.refresher.request("MOVED")
	default:
		code := ServerError(call.refusal).Code()
		c.refresher.urgent(code)
	}
}

// size is how many nodes the cluster has, as far as the client knows.
func (c *core) size() int {
	if r := c.routes.Load(); r != nil {
		return len(r.nodes)
	}
	return 1
}

// resolveError is a name that could not be resolved.
type resolveError struct{ err error }

func (e *resolveError) Error() string { return e.err.Error() }
func (e *resolveError) Unwrap() error { return e.err }

// dialNode opens a connection to a node of the map.
func (c *core) dialNode(ctx context.Context, n *node, blocking bool) (*wire.Conn, error) {
	addr := n.info.Addr()
	if c.opts.MapAddr != nil {
		addr = c.opts.MapAddr(n.info)
	}
	return c.dial(ctx, n.info, addr, blocking)
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
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	e, err := readEndpoint(addr)
	if err != nil {
		return nil, err
	}
	addrs, err := c.resolver.resolve(ctx, host)
	if err != nil {
		return nil, &resolveError{err}
	}
	if len(addrs) == 1 {
		return c.dialIP(ctx, network, net.JoinHostPort(addrs[0].Unmap().String(), port))
	}
	candidates := make([]candidate, len(addrs))
	for i, a := range addrs {
		candidates[i] = candidate{endpoint: e, addr: netip.AddrPortFrom(a.Unmap(), e.port)}
	}
	race := racer[net.Conn]{
		ask: func(ctx context.Context, to candidate) (net.Conn, error) {
			return c.dialIP(ctx, network, to.addr.String())
		},
		discard: func(conn net.Conn) { _ = conn.Close() },
		timeout: c.opts.DialTimeout,
		asks:    &c.asks,
	}
	return race.run(ctx, candidates)
}

func (c *core) dialIP(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.opts.Dial != nil {
		return c.opts.Dial(ctx, network, addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}
