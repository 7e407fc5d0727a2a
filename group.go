package keyslot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// Without cluster mode nobody tells a topology: the client makes one of its own, of the names that it was given. Its one
// shard has all slots. A server is asked for its role, and believed for itself alone; see "Endpoint kinds" in DESIGN.md.

// role is what a server without cluster mode says of itself.
type role struct {
	known    bool
	primary  bool
	replicas int   // that are connected to it, if it is a primary
	offset   int64 // up to which it has written the stream that replicas follow
}

// replicaError is why a connection that was to lead to a primary is not used. Nothing was sent on it.
type replicaError struct{}

func (replicaError) Error() string { return "the server there is a replica" }

var errNoPrimary = errors.New("none of the endpoints leads to a primary")

// refusesCluster reports whether a server that answered so to CLUSTER SLOTS is not in cluster mode.
func refusesCluster(slots resp.Value, server wire.Server) bool {
	return isError(slots) && (strings.Contains(slots.Str, "cluster support disabled") ||
		isHidden(slots.Str) && server.Mode == "standalone")
}

// readRole reads the reply to ROLE. Where that is refused, what HELLO said has to do.
//
//   - master offset [[host port offset] ...]
//   - slave host port state offset
func readRole(v resp.Value, server wire.Server) role {
	e := v.Elems
	switch {
	case v.Kind == resp.Array && len(e) >= 3 && e[0].Str == "master":
		return role{known: true, primary: true, replicas: len(e[2].Elems), offset: e[1].Int}
	case v.Kind == resp.Array && len(e) >= 1 && e[0].Str == "slave":
		return role{known: true}
	}
	return role{known: server.Role != "", primary: server.Role == "master"}
}

// mustLead returns an error unless conn leads to a primary, as far as that can be found out: a server that does not
// tell its role refuses writes if it is none.
//
//	HELLO 3 has told, else
//	C: ROLE
//	S: * master ..  |  * slave ..  |  -NOPERM ..
func mustLead(ctx context.Context, conn *wire.Conn) error {
	said := readRole(resp.Value{}, conn.Server())
	if !said.known {
		replies, err := query(ctx, conn, "ROLE")
		if err != nil {
			return helloError(conn.Addr(), err)
		}
		said = readRole(replies[0], conn.Server())
	}
	return said.mustLead(conn.Addr())
}

func (r role) mustLead(addr string) error {
	if r.known && !r.primary {
		return helloError(addr, replicaError{})
	}
	return nil
}

// statement makes a view of what a server without cluster mode said of itself. It has no slots.
func statement(from Node, at time.Time, r role) *view {
	v := &view{from: from, at: at, role: r}
	v.kind = standalone
	return v
}

func statements(views []*view) (said []*view) {
	for _, v := range views {
		if v.kind == standalone && v.covered == 0 {
			said = append(said, v)
		}
	}
	return said
}

// group makes the map of a primary and its replicas from what servers at the endpoints have said, of which from names
// the endpoint; nil if none is a primary. All endpoints but the primary's are its replicas, whether they answered or
// not: before it is read from each has to say so itself. The reader endpoint counts as readers replicas.
func (c *core) group(said []*view, old *slotMap, readers int) *view {
	leader := elect(said, old)
	if leader == nil {
		return nil
	}
	v := &view{from: leader.from, at: leader.at, ok: true}
	v.kind, v.role, v.covered, v.owner = standalone, leader.role, slotCount, makeOwners(new([slotCount]int16))
	v.nodes = []*Node{{Host: leader.from.Host, Port: leader.from.Port}}
	for _, e := range c.endpoints {
		if n := e.node(); v.find(&n) < 0 {
			v.nodes = append(v.nodes, &n)
		}
	}
	for seat := range readers {
		n := c.reader.node()
		n.seat = seat + 1
		v.nodes = append(v.nodes, &n)
	}
	s := shard{primary: 0}
	for i := range v.nodes[1:] {
		s.replicas = append(s.replicas, i+1)
	}
	v.shards = []shard{s}
	return v
}

// elect returns the statement of the one that takes the writes. Of several primaries one was deposed and does not know
// it, or was restarted by itself: it has no replicas, or fewer. Else the one in use stays, and at the start the one
// that has written more.
func elect(said []*view, old *slotMap) (leader *view) {
	inUse := func(v *view) bool {
		owner := old.primaryOf(0)
		return owner != nil && owner.is(&v.from)
	}
	better := func(a, b *view) bool {
		switch {
		case a.role.replicas != b.role.replicas:
			return a.role.replicas > b.role.replicas
		case old != nil && inUse(a) != inUse(b):
			return inUse(a)
		}
		return a.role.offset > b.role.offset
	}
	for _, v := range said {
		leads := v.role.primary || !v.role.known && len(said) == 1
		if leads && (leader == nil || better(v, leader)) {
			leader = v
		}
	}
	return leader
}

// lead looks behind all endpoints, of which first has said that it is in no cluster. It returns the map of the group
// and the connection to its primary; or what another one knows of a cluster, in which first is merely started wrong.
// All other connections are drained.
func (c *core) lead(ctx context.Context, first finding) (finding, error) {
	found, replicas := []finding{first}, 0
	candidates, _ := c.resolver.candidates(ctx, c.endpoints)
	if len(candidates) > 1 {
		first.conn.Drain()
		found, replicas = c.survey(ctx, candidates[:min(len(candidates), askMany)])
	}
	said := make([]*view, len(found))
	for i, f := range found {
		said[i] = f.view
	}
	v := c.group(statements(said), nil, c.readers(ctx, nil))
	if i := slices.IndexFunc(said, func(v *view) bool { return v.kind != standalone }); i >= 0 {
		v = said[i]
	} else if v != nil {
		v.undisputed = len(found)+replicas == len(candidates)
	}
	leader := finding{}
	for _, f := range found {
		if v != nil && leader.conn == nil && f.view.from == v.from && f.view.role == v.role { // a name may lead to two primaries
			leader = f
		} else {
			f.conn.Drain()
		}
	}
	if v == nil {
		return leader, errNoPrimary
	}
	leader.view = v
	return leader, nil
}

// survey asks several addresses at once, over new connections. It also returns how many of those that it did not find
// were left for being replicas. A primary without replicas may be one that was restarted by itself, and the others have
// their whole time.
func (c *core) survey(ctx context.Context, candidates []candidate) (found []finding, replicas int) {
	var mu sync.Mutex // found and replicas are guarded by it
	together(ctx, len(candidates), c.opts.DialTimeout, func(ctx context.Context, i int) (enough bool) {
		f, err := c.askCandidate(ctx, candidates[i])
		mu.Lock()
		defer mu.Unlock()
		switch {
		case errors.As(err, &replicaError{}):
			replicas++
		case err == nil:
			found = append(found, f)
		}
		return err == nil && f.view.role.replicas > 0
	})
	return found, replicas
}

// readers returns how many connections the reader endpoint gets: one for each of its addresses, so that its replicas
// share the reads. Where DNS does not answer they stay as many as they are.
func (c *core) readers(ctx context.Context, old *slotMap) (n int) {
	if c.reader.host == "" {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, dnsPatience)
	defer cancel()
	addrs, err := c.resolver.resolve(ctx, c.reader.host)
	n = len(addrs)
	if err != nil && old != nil {
		n = old.seats()
	}
	return max(1, min(n, maxReplicas))
}

// seats counts the connections by the reader endpoint.
func (l *layout) seats() (n int) {
	for _, o := range l.nodes {
		if o.seat > 0 {
			n++
		}
	}
	return n
}

// learnRoles is learnAgain for a group: it asks the endpoints for their roles, over the connections that there are, or
// new ones. A primary that was deposed and does not know it serves as it always did: only its name tells, once that
// leads elsewhere.
func (c *core) learnRoles(ctx context.Context, r *routes, urgent bool) (asked int, changed bool, err error) {
	if n := r.primary(0); !urgent && c.hasMoved(ctx, n) {
		c.replaceStalled(ctx, n) // dials by the name, and leaves the connections to where it was
	}
	members := slices.DeleteFunc(slices.Clone(r.nodes), func(n *node) bool { return n.info().seat > 0 })
	views, asked, err := c.askNodes(ctx, members, askMany)
	if v := c.group(statements(views), r.slotMap, c.readers(ctx, r.slotMap)); v != nil {
		views = append(views, v)
	} else if len(views) > 0 {
		err = errNoPrimary
	}
	installed, changed, why := c.installBest(views, asked, false)
	if !installed {
		return asked, false, errors.Join(errors.New(why.String()), err)
	}
	return asked, changed, nil
}

// heed draws conclusions from an error reply of a group's server that go beyond the command.
func (c *core) heed(n *node, conn *wire.Conn, refusal string) {
	r := c.routes.Load()
	if r == nil || r.kind != standalone {
		return
	}
	switch ServerError(refusal).Code() {
	case "READONLY":
		if r.leads(n) {
			n.demoted(conn)
		}
	case "CROSSSLOT", "CLUSTERDOWN", "MOVED", "ASK":
		c.refresher.urgent("a server without cluster mode speaks of slots")
	}
}

// demoted is told that a connection of the primary leads to a replica by now. Nobody sends on it any more, nor on the
// others, if that is where they lead: the next ones are dialled by the name, and show their role first. A script may
// say READONLY at will, and must not let each call dial.
func (n *node) demoted(conn *wire.Conn) {
	if conn.Err() != nil { // whoever told it so has seen to the others
		return
	}
	for i := range n.lanes {
		if !n.lanes[i].mayRenew(conn, time.Now()) {
			return
		}
	}
	conn.Drain()
	if at := n.whereabouts.Load(); at == nil || at.addr == conn.Addr() {
		n.renew()
	}
}

// renew lets no connection of the node take new calls, those for reads from a replica apart.
func (n *node) renew() {
	for i := range n.lanes {
		for _, conn := range n.lanes[i].conns(false) {
			n.lanes[i].renew(conn)
		}
	}
	for _, conn := range n.dedicated.conns(false) {
		conn.Drain()
	}
}

// noticeMode asks for a topology where a connection shows that the node has changed its mode: a server does so only
// when it is started again, or replaced.
func (c *core) noticeMode(conn *wire.Conn) {
	r, mode := c.routes.Load(), conn.Server().Mode
	if r == nil || mode == "" || r.kind == serverless {
		return
	}
	if (mode == "cluster") != (r.kind == sharded) {
		c.refresher.request("a node has changed its mode")
	}
}
