package keyslot

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// Doubts about one node follow each other with such pauses: a server that is slow, or holds requests back, is slower
// for the dials of a thousand clients.
const (
	minDoubt = 2 * time.Second
	maxDoubt = 10 * time.Second
)

// afterWord is how long a connection may still take to be heard of, once its server has said that it owes nothing on
// it: what the server had sent just before may be on its way.
const afterWord = 100 * time.Millisecond

// doubt is told for every 500 ms that n owes replies in silence. The node may be well, and only the way of its
// connection be cut, as by a firewall that has forgotten it: then a new connection is answered at once.
func (c *core) doubt(n *node) {
	kind := c.kind()
	asks := n.hasSilent() && kind != serverless // a proxy's servers know nothing of each other's connections
	if !asks && kind != standalone || n.doubted.Swap(true) {
		return
	}
	asks = asks && n.doubts.allows(time.Now())
	if !asks && kind != standalone {
		n.doubted.Store(false)
		return
	}
	c.errands.run(func() { // ends within DialTimeout and afterWord; close waits for it
		defer n.doubted.Store(false)
		if asks || c.leadsElsewhere(c.pool.ctx, n) {
			c.replaceStalled(c.pool.ctx, n)
		}
	})
}

// hasSilent reports whether a shared connection of n is silent that its server can be asked about.
func (n *node) hasSilent() bool {
	for i := range n.lanes {
		for _, conn := range n.lanes[i].conns(false) {
			if conn.Server().ID != 0 && conn.Silent() {
				return true
			}
		}
	}
	return false
}

// replaceStalled gives up the connections of n that swallow what is sent, in favour of a new one.
func (c *core) replaceStalled(ctx context.Context, n *node) {
	fresh, err := c.dialNode(ctx, n, purpose{})
	if err != nil {
		return // the node is silent, not the connection
	}
	used := false
	for i := range n.lanes {
		for _, t := range n.lanes[i].tracks() {
			conn := t.conn.Load()
			if conn == nil || !c.swallows(ctx, conn, fresh) {
				continue
			}
			conn.Abandon(errSwallowed)
			t.lane.drop(conn)
			used = used || t.offer(fresh)
		}
		if old := n.lanes[i].predecessor(); old != nil && c.swallows(ctx, old, fresh) {
			old.Abandon(errSwallowed) // its successor waits for it
		}
	}
	if !used && !n.lane(0).small.offer(fresh) {
		fresh.Drain()
	}
}

// swallows asks, on another connection, what the server has to do on a silent one. A server that is busy does not
// answer before it has taken up what came on the silent one. So what it does not know of was lost on the way.
//
//	C: CLIENT LIST ID 17
//	S: id=17 ... flags=N ...   it waits for requests
//	   id=17 ... flags=b ...   it lets the request wait: CLIENT PAUSE, or a module
//	   (empty)                 it has closed the connection
//	   -NOPERM ..              nobody knows
func (c *core) swallows(ctx context.Context, conn, fresh *wire.Conn) bool {
	id := conn.Server().ID
	if id == 0 || !conn.Silent() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.DialTimeout)
	defer cancel()
	replies, err := query(ctx, fresh, fmt.Sprintf("CLIENT LIST ID %d", id))
	if err != nil || replies[0].Kind != resp.BulkString && replies[0].Kind != resp.Verbatim {
		return false
	}
	_, flags, _ := strings.Cut(replies[0].Str, " flags=")
	flags, _, _ = strings.Cut(flags, " ")
	if strings.Contains(flags, "b") {
		return false
	}
	select {
	case <-time.After(afterWord):
	case <-ctx.Done():
	}
	return conn.Silent()
}
