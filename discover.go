package keyslot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// askCount is how many nodes of the map a refresh asks, unless nobody waits for it and the first one confirms the
	// map: enough to find a liar by.
	askCount = 3
	// askMany is how many it asks when none of those answered, replicas too, before it says that no node can be reached.
	askMany = 32
	// stragglersWait is how much longer than the first answer the others may take: one frozen node must not delay the
	// news that the others have of it.
	stragglersWait = 200 * time.Millisecond
	// confirmPatience is how long one node may take to confirm the map before others are asked. Nobody waits for it.
	confirmPatience = time.Second
)

// refresh learns the topology anew. The refresher runs it, one at a time.
func (c *core) refresh(ctx context.Context, reason string, urgent bool) error {
	event := RefreshEvent{Reason: reason}
	if r := c.routes.Load(); r == nil {
		event.Asked, event.Changed, event.Err = c.learnFirst(ctx)
	} else {
		event.Asked, event.Changed, event.Err = c.learnAgain(ctx, r, urgent)
	}
	c.scout.review(reason)
	c.pool.tallies.countRefresh(reason, event.Err != nil)
	if c.opts.Trace.Refreshed != nil {
		c.opts.Trace.Refreshed(event)
	}
	return event.Err
}

// learnAgain asks for the map that follows r:
//
//  1. one primary, if nobody waits: mostly it knows no other map;
//  2. a few primaries;
//  3. if these lead to no map that can be used, because nobody answered, the answers were turned down, or they come from a part of
//     the cluster that sees it as down: the endpoints; and if nobody answered, all nodes meanwhile.
//
// What has come by then is judged together.
func (c *core) learnAgain(ctx context.Context, r *routes, urgent bool) (asked int, changed bool, err error) {
	switch {
	case r.kind == standalone:
		return c.learnRoles(ctx, r, urgent)
	case !urgent && c.confirmed(ctx, r):
		return 1, false, nil
	}
	views, asked, err := c.askNodes(ctx, r.primaries(), askCount)
	changed, settled := c.take(views, asked)
	if settled {
		return asked, changed, nil
	}
	meanwhile, hurry := context.WithCancel(ctx)
	defer hurry()
	endpoints := c.beginEndpoints(ctx, hurry)
	defer endpoints.end()
	if len(statements(views)) == len(views) { // nobody answers, or knows of the cluster
		views, asked, err = c.askNodes(meanwhile, slices.Clone(r.nodes), askMany)
		if changed, settled = c.take(views, asked); settled {
			return asked, changed, nil
		}
	}
	<-endpoints.done
	asked++ // the endpoints have one voice, however many addresses they have
	switch {
	case endpoints.err == nil:
	case len(views) > 0: // answers came, and the map in use is at least as good
		return asked, changed, nil
	default:
		return asked, false, errors.Join(errors.New(keptNoAnswer.String()), err, endpoints.err)
	}
	var refused *TopologyError // an answer, if a useless one
	unreachable := len(views) == 0 && !errors.As(err, &refused)
	_, again, _ := c.installBest(append(views, endpoints.found.view), asked, unreachable)
	return asked, changed || again, nil
}

// take installs the best of what nodes of the map have answered, and reports whether nobody else has to be asked.
func (c *core) take(views []*view, asked int) (changed, settled bool) {
	installed, changed, _ := c.installBest(views, asked, false)
	return changed, installed && slices.ContainsFunc(views, func(v *view) bool { return v.ok })
}

// confirmed asks one node and reports whether it knows no other map than the one in use: then there is nobody else to
// ask. Most refreshes end so, those that a failover sets off in every client among them.
func (c *core) confirmed(ctx context.Context, r *routes) bool {
	ctx, cancel := context.WithTimeout(ctx, confirmPatience)
	defer cancel()
	views, _, _ := c.askNodes(ctx, r.primaries(), 1)
	if len(views) == 0 || !views[0].ok || !views[0].agrees(&r.layout) {
		return false
	}
	if views[0].replicas() == 0 && r.replicas() > 0 { // a loading node says so too
		return false
	}
	installed, _, _ := c.installBest(views, 1, false)
	return installed
}

// askNodes asks up to limit of the nodes at once, over the connections they have or new ones, those that promise
// an answer first.
func (c *core) askNodes(ctx context.Context, nodes []*node, limit int) (views []*view, asked int, err error) {
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	slices.SortStableFunc(nodes, func(a, b *node) int { return cmp.Compare(a.readiness(), b.readiness()) })
	nodes = nodes[:min(limit, len(nodes))]
	found := make([]*view, len(nodes))
	failed := make([]error, len(nodes))
	together(ctx, len(nodes), c.opts.DialTimeout, func(ctx context.Context, i int) (enough bool) {
		found[i], failed[i] = c.askNode(ctx, nodes[i])
		return failed[i] == nil
	})
	views = slices.DeleteFunc(found, func(v *view) bool { return v == nil })
	return views, len(nodes), errors.Join(failed...)
}

func (c *core) askNode(ctx context.Context, n *node) (*view, error) {
	at := time.Now()
	conn, err := n.toAsk(ctx)
	switch {
	case errors.As(err, &replicaError{}) && len(c.endpoints) > 1:
		return statement(n.info(), at, role{known: true}), nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", n.addr(), err)
	}
	v, err := ask(ctx, conn, n.info())
	if err == nil && v.kind == standalone && v.role.known && !v.role.primary {
		c.heed(n, conn, "READONLY")
	}
	return v, err
}

// finding is what a node said of the topology, and the connection that it said it on.
type finding struct {
	view  *view
	conn  *wire.Conn
	owner *atomic.Pointer[node] // whose connection conn is; set by reuse
	zone  *string               // of the node, if it was asked for
}

// askEndpoints asks endpoints, resolved anew, until one address gives a usable map, or says that there is none to be given.
func (c *core) askEndpoints(ctx context.Context, endpoints []endpoint) (first finding, asked int, err error) {
	candidates, err := c.resolver.candidates(ctx, endpoints)
	if err != nil {
		return finding{}, 0, &resolveError{err}
	}
	race := racer[finding]{
		ask:     c.askCandidate,
		discard: func(f finding) { f.conn.Drain() },
		timeout: c.opts.DialTimeout,
		asks:    &c.asks,
	}
	first, err = race.run(ctx, candidates)
	return first, len(candidates), err
}

// asking is askEndpoints under way, beside questions to nodes.
type asking struct {
	core   *core
	cancel context.CancelFunc
	hurry  *time.Timer

	// written before done is closed, immutable from then on
	found finding
	err   error
	done  chan struct{}
}

// beginEndpoints asks the endpoints; end must follow. Once they have led to a map, those who are asked at the same time
// may take stragglersWait more, as where one of several nodes has answered: then hurry is called.
func (c *core) beginEndpoints(ctx context.Context, hurry func()) *asking {
	ctx, cancel := context.WithCancel(ctx)
	a := &asking{core: c, cancel: cancel, hurry: time.AfterFunc(math.MaxInt64, hurry), done: make(chan struct{})}
	go func() { // ends with the answer, or soon after end, which waits for it
		defer close(a.done)
		a.found, _, a.err = c.askEndpoints(ctx, c.endpoints)
		if a.err == nil && a.found.view.kind == standalone {
			a.found, a.err = c.lead(ctx, a.found)
		}
		if a.err == nil {
			a.hurry.Reset(stragglersWait)
		}
	}()
	return a
}

// end gives up what has not been answered, and leaves the connection that an answer came over to its node.
func (a *asking) end() {
	a.cancel()
	<-a.done
	a.hurry.Stop()
	if a.err == nil {
		a.core.reuse(a.found)
	}
}

// emptyCluster is the reason of a TopologyError.
const emptyCluster = "the cluster serves no slots yet"

func (c *core) askCandidate(ctx context.Context, from candidate) (f finding, err error) {
	s := c.first.begin(from, c.routes.Load() == nil)
	if err = c.logins.allow(from.addr, time.Now()); err == nil {
		f, err = c.askAt(ctx, from, s.enter)
	}
	s.end(err)
	return f, err
}

func (c *core) askAt(ctx context.Context, from candidate, enter func(wire.Phase)) (finding, error) {
	info := Node{Host: from.addr.Addr().String(), Port: int(from.addr.Port())}
	if host := from.endpoint.host; host != info.Host {
		info.Hostname = host
	}
	owner := new(atomic.Pointer[node])
	tell := func(what func(n *node)) {
		if n := owner.Load(); n != nil {
			what(n)
		}
	}
	conn, err := c.dial(ctx, peer{info: info}, wire.Options{
		Addr:     from.addr.String(),
		OnPhase:  enter,
		OnSilent: func(conn *wire.Conn) { tell(func(n *node) { c.suspect(n, conn) }) },
		OnLarge:  func(conn *wire.Conn, request []byte) { tell(func(n *node) { c.foundLarge(n, conn, request) }) },
		OnOld:    func(conn *wire.Conn) { tell(func(n *node) { n.replace(conn) }) },
	})
	c.logins.ended(from.addr, err, time.Now())
	if err != nil {
		return finding{}, err
	}
	enter("")
	v, err := ask(ctx, conn, info)
	switch {
	case err != nil:
	case v.kind == standalone:
		v.from = from.endpoint.node() // the name is what lasts
		if len(c.endpoints) == 1 {
			err = v.role.mustLead(conn.Addr())
		}
	case v.covered == 0:
		err = &TopologyError{Node: info.Addr(), Reason: emptyCluster}
	}
	if err != nil {
		conn.Drain()
		return finding{}, err
	}
	f := finding{view: v, conn: conn, owner: owner}
	if c.opts.AZ != "" {
		if az, ok := c.askZone(ctx, conn); ok {
			f.zone = &az
		}
	}
	return f, nil
}

// reuse gives the connection that a topology came over to the node it leads to, if that node has none.
func (c *core) reuse(f finding) {
	if r := c.routes.Load(); r != nil { // nil: closed meanwhile
		for i, n := range r.slotMap.nodes {
			if !f.isFrom(r, n) {
				continue
			}
			f.owner.Store(r.nodes[i])
			if f.zone != nil {
				r.nodes[i].saidZone.Store(f.zone)
			}
			if r.nodes[i].lane(0).small.offer(f.conn) {
				c.pool.adopt(f.conn, r.nodes[i])
				if r.kind == standalone {
					r.nodes[i].foundAt(f.conn.Addr(), nil)
				}
				return
			}
		}
	}
	f.conn.Drain()
}

// isFrom reports whether f was said by n. Where nodes have no ids, their names count.
func (f finding) isFrom(r *routes, n *Node) bool {
	if r.kind == sharded {
		return f.view.fromID != "" && n.ID == f.view.fromID
	}
	return n.is(&f.view.from)
}

// ask asks one node for the topology, in one write.
//
//	C: CLUSTER MYID | CLUSTER INFO | CLUSTER SLOTS | ROLE, unless HELLO said that this is a cluster
//	S: $ id         | $ text       | * of ranges        each may be an error: refused by an ACL, loading, no cluster
func ask(ctx context.Context, conn *wire.Conn, from Node) (*view, error) {
	at := time.Now()
	questions := []string{"CLUSTER MYID", "CLUSTER INFO", "CLUSTER SLOTS"}
	if conn.Server().Mode != "cluster" {
		questions = append(questions, "ROLE")
	}
	replies, err := query(ctx, conn, questions...)
	if err != nil {
		return nil, err
	}
	if refusesCluster(replies[2], conn.Server()) {
		var said resp.Value
		if len(replies) > 3 {
			said = replies[3]
		}
		return statement(from, at, readRole(said, conn.Server())), nil
	}
	if id := replies[0]; id.Kind == resp.BulkString {
		from.ID = id.Str
	}
	return parseView(replies[1], replies[2], from, at)
}

// askRefresh asks for a new map because of what an attempt came back with. A caller that waits for it is urgent.
func (c *core) askRefresh(call *call, v verdict) {
	switch {
	case call.readonly, errors.Is(call.lost, errNoReplica): // the primary serves it meanwhile; under Replica many would ask
		c.refresher.request("a replica did not answer")
	case call.lost != nil && call.node != nil && call.hadItsOwn() && call.node.answers(): // what has frozen does not answer the PING
	case call.lost != nil && call.isOutlived():
	case call.lost != nil:
		c.cutOff(call.node, call.via)
	case v.action == follow: // movedTo asks, if that is news
	default:
		c.turnedAway(call.node, ServerError(call.refusal))
	}
}

// hadItsOwn reports whether what the attempt lost, or did not get, was a connection of its own, which says nothing of those
// that others share: the server may have no room for one more. That a name leads to a replica by now concerns all of them.
func (call *call) hadItsOwn() bool {
	return (call.blocks || call.apart) && !errors.As(call.lost, &replicaError{})
}

// isOutlived reports whether the node serves on a shared connection, though that of the attempt was lost: it was only
// cut, and maybe another call has seen to the next one.
func (call *call) isOutlived() bool {
	return call.via != nil && slices.ContainsFunc(call.node.serving(), func(conn *wire.Conn) bool { return conn != call.via })
}
