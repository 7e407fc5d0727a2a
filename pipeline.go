package keyslot

import (
	"context"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// group is the calls of one send that share a connection.
type group struct {
	lane  *lane
	calls []*call
	wires []*wire.Call
}

// sendMany sends calls to their nodes, one write for each connection, and returns how many could not be sent. The calls
// for one connection keep their order.
func (c *core) sendMany(ctx context.Context, until time.Time, w *wire.Waiter, calls []*call) (unsent int) {
	groups, unsent := c.byLane(until, calls)
	// Whoever has to be dialled is dialled now, all at once, and waited for last: a dead node holds up nobody else.
	var dialling []*group
	for _, g := range groups {
		if g.lane.conn.Load() == nil {
			dialling = append(dialling, g)
			continue
		}
		unsent += g.send(ctx, until, w)
	}
	for _, g := range dialling {
		unsent += g.send(ctx, until, w)
	}
	return unsent
}

// byLane groups calls by connection, in the order of their first call, and starts the dials that will be needed.
func (c *core) byLane(until time.Time, calls []*call) (groups []*group, unsent int) {
	index := make(map[*lane]*group, 8)
	for _, call := range calls {
		if err := c.route(call); err != nil {
			call.unsent(err)
			unsent++
			continue
		}
		call.attempts++
		call.wire.Request, call.wire.Asking, call.wire.Deadline = call.Request.Frame(), call.asking, until
		l := call.node.lane(call.slot)
		g := index[l]
		if g == nil {
			g = &group{lane: l}
			index[l] = g
			groups = append(groups, g)
			_, _ = l.startDial() // its error comes again when the lane is opened
		}
		g.calls = append(g.calls, call)
		g.wires = append(g.wires, &call.wire)
	}
	return groups, unsent
}

// send sends the group in chunks that leave room for other callers, and returns how many calls could not be sent.
func (g *group) send(ctx context.Context, until time.Time, w *wire.Waiter) (unsent int) {
	const chunk = 256
	for from := 0; from < len(g.wires); from += chunk {
		to := min(from+chunk, len(g.wires))
		if err := g.lane.send(ctx, until, w, g.wires[from:to]); err != nil {
			for _, call := range g.calls[from:] {
				call.unsent(err)
			}
			unsent = len(g.calls) - from
			break
		}
	}
	return unsent
}
