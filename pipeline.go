package keyslot

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// group is the calls of one send that share a connection.
type group struct {
	track *track
	calls []*call
	wires []*wire.Call
}

// chunk is how many calls of a batch enter a connection at once, to leave room for other callers.
const chunk = 256

// sendMany sends calls to their nodes, one write for each connection, and returns how many could not be sent. The calls
// for one connection keep their order. A node that is dialled, probed or full holds up only its own part.
func (c *core) sendMany(ctx context.Context, until time.Time, w *wire.Waiter, calls []*call) (unsent int) {
	groups, unsent := c.byLane(until, calls)
	var (
		waits   sync.WaitGroup
		refused atomic.Int64
		ready   = groups[:0]
	)
	for _, g := range groups {
		if conn := g.track.live(); conn != nil && len(g.wires) <= chunk && conn.HasRoom(len(g.wires)) {
			ready = append(ready, g)
			continue
		}
		waits.Go(func() { // ends with the caller's patience; this function waits for it
			refused.Add(int64(g.send(ctx, until, w)))
		})
	}
	for _, g := range ready {
		unsent += g.send(ctx, until, w)
	}
	waits.Wait()
	return unsent + int(refused.Load())
}

// byLane groups calls by connection, in the order of their first call, and starts the dials that will be needed.
func (c *core) byLane(until time.Time, calls []*call) (groups []*group, unsent int) {
	index := make(map[*lane]*group, 8)
	for _, call := range calls {
		if err := c.aim(call, until); err != nil {
			call.unsent(err)
			unsent++
			continue
		}
		l := call.node.lane(call.slot)
		g := index[l]
		if g == nil {
			g = &group{track: &l.small}
			index[l] = g
			groups = append(groups, g)
		}
		if call.large { // and all that go with it, to keep their order
			g.track = &l.large
		}
		g.calls = append(g.calls, call)
		g.wires = append(g.wires, &call.wire)
	}
	for _, g := range groups {
		_, _ = g.track.startDial() // its error comes again when the track is opened
	}
	return groups, unsent
}

// send sends the group in chunks, and returns how many calls could not be sent.
func (g *group) send(ctx context.Context, until time.Time, w *wire.Waiter) (unsent int) {
	for from := 0; from < len(g.wires); from += chunk {
		to := min(from+chunk, len(g.wires))
		if err := g.track.send(ctx, until, w, g.wires[from:to]); err != nil {
			for _, call := range g.calls[from:] {
				call.unsent(err)
			}
			unsent = len(g.calls) - from
			break
		}
	}
	return unsent
}
