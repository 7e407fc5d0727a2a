package keyslot

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// flight is several calls that run together, and what it takes to send them. It is lent by the core's pool, to one
// goroutine: a pipeline or a split command allocates nothing to send its calls once it has found a flight of its size.
type flight struct {
	core     *core
	calls    []*call // what is sent: commands that run as one, and the parts of the others
	splits   []*call // commands that run as several
	requests resp.Requests
	slabs    []*slab  // where the calls are
	lent     int      // how many of them are in use
	queued   int      // how many of those, the first ones, are the commands of a pipeline
	ordered  bool     // a call that was overtaken is not sent again
	wait     *waiting // for replicas, behind the calls; nil: not at all

	// of the attempt under way
	groups  []group
	byLane  map[*lane]int         // index into groups
	readers map[shardReader]*node // chosen for the reads that a policy spreads
	of      []int                 // by call: index into groups, -1 where it cannot be sent
	wires   []*wire.Call          // by group, in their order within it
	waiter  wire.Waiter
}

// slab is memory for the calls of flights and the replies to them. They are next to each other, and one object to
// the garbage collector: with many large batches in flight that costs less than calls pooled one by one (pipe100/c=64 of
// benchmarks/).
type slab struct {
	calls   [slabSize]call
	replies [slabSize][shortReply]byte
}

const (
	slabSize = 32
	// shortReply is the longest reply for which there is memory in the slab.
	shortReply = 96
)

func newSlab(c *core) *slab {
	s := new(slab)
	for i := range s.calls {
		s.calls[i].init(c)
		s.calls[i].wire.Reply = s.replies[i][:0:shortReply]
	}
	return s
}

// group is the calls of one attempt that share a connection.
type group struct {
	track    *track
	from, to int // in flight.wires
}

// chunk is how many calls of a flight enter a connection at once, to leave room for other callers.
const chunk = 256

func newFlight(c *core) *flight { return &flight{core: c, byLane: map[*lane]int{}} }

func (c *core) flight() *flight { return c.flights.Get().(*flight) }

// call lends an empty call, until the flight is released.
func (f *flight) call() *call {
	if f.lent == len(f.slabs)*slabSize {
		f.slabs = append(f.slabs, f.core.slabs.Get().(*slab))
	}
	f.lent++
	return f.at(f.lent - 1)
}

func (f *flight) at(i int) *call { return &f.slabs[i/slabSize].calls[i%slabSize] }

// queue lends a call for a command of a pipeline, to be encoded before the next one is lent.
func (f *flight) queue() *call {
	call := f.call()
	f.requests.Begin(&call.Request)
	f.queued++
	return call
}

// release ends the calls, and keeps the flight for another caller.
func (f *flight) release() {
	for _, s := range f.slabs {
		if s.forget(min(f.lent, slabSize)) {
			f.core.slabs.Put(s)
		} else { // a connection may yet look into the requests of what it still owes a reply
			f.requests = resp.Requests{}
		}
		f.lent -= slabSize
	}
	f.lent, f.queued, f.ordered, f.wait = 0, 0, false, nil
	f.waiter.Now = time.Time{} // a call that was sent alone has left it
	f.requests.Reset(keepRequests)
	f.calls, f.slabs, f.groups = emptied(f.calls), emptied(f.slabs), emptied(f.groups)
	f.of, f.wires, f.splits = emptied(f.of), emptied(f.wires), emptied(f.splits)
	clear(f.byLane)
	clear(f.readers)
	f.core.flights.Put(f)
}

// keepRequests is the most memory for requests that waits for the next caller.
const keepRequests = 256 << 10

// forget empties the first n calls, and reports whether all may be lent again.
func (s *slab) forget(n int) bool {
	all := true
	for i := range n {
		all = s.calls[i].forget() && all
	}
	return all
}

// emptied keeps the memory of s, unless a large batch made it large, but nothing that it refers to.
func emptied[T any](s []T) []T {
	const keep = 1024
	if cap(s) > keep {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}

// send makes one attempt of each call, one write for each connection, and returns when each has come back: with a reply,
// or with the reason why not. The calls for one connection keep their order.
func (f *flight) send(ctx context.Context, until time.Time, calls []*call) {
	w := &f.waiter
	w.Expect(len(calls))
	refused := f.arrange(until, calls)
	refused += f.sendGroups(ctx, until, w)
	w.Withdraw(refused)
	w.Wait(ctx, f.wires)
}

// arrange groups calls by connection, and starts the dials that will be needed. It returns how many cannot be sent.
func (f *flight) arrange(until time.Time, calls []*call) (refused int) {
	f.groups, f.of = f.groups[:0], f.of[:0]
	clear(f.byLane)
	clear(f.readers)
	for _, call := range calls {
		if err := f.core.aim(call, until, f); err != nil {
			unsent(&call.wire, err)
			refused++
			f.of = append(f.of, -1)
			continue
		}
		g := f.group(call.lane())
		f.groups[g].to++
		if call.large { // and all that go with it, to keep their order
			f.groups[g].track = &f.groups[g].track.lane.large
		}
		f.of = append(f.of, g)
	}
	from := 0
	for i := range f.groups {
		g := &f.groups[i]
		if g.track.conn.Load() == nil {
			_, _ = g.track.startDial() // its error comes again when the track is opened
		}
		size := g.to
		g.from, g.to = from, from
		from += size
	}
	f.wires = slices.Grow(f.wires[:0], from)[:from]
	for i, call := range calls {
		if f.of[i] >= 0 {
			g := &f.groups[f.of[i]]
			f.wires[g.to] = &call.wire
			g.to++
		}
	}
	return refused
}

// group returns the index of the group for a lane, made if need be.
func (f *flight) group(l *lane) int {
	g, ok := f.byLane[l]
	if !ok {
		g = len(f.groups)
		f.byLane[l] = g
		f.groups = append(f.groups, group{track: &l.small})
	}
	return g
}

// sendGroups sends all groups and returns how many calls could not be sent. A node that is dialled, probed or full holds up
// only its own group.
func (f *flight) sendGroups(ctx context.Context, until time.Time, w *wire.Waiter) (refused int) {
	slow := f.groups[:0]
	for _, g := range f.groups {
		n := g.to - g.from
		if conn := g.track.live(); conn != nil && n <= chunk && conn.HasRoom(w, n) {
			refused += f.sendGroup(ctx, until, w, g)
		} else {
			slow = append(slow, g)
		}
	}
	if len(slow) > 0 {
		refused += f.sendSlowly(ctx, until, w, slow)
	}
	return refused
}

// sendSlowly sends groups that may have to wait, each on a goroutine of its own but for the last.
func (f *flight) sendSlowly(ctx context.Context, until time.Time, w *wire.Waiter, groups []group) int {
	var (
		waits   sync.WaitGroup
		refused atomic.Int64
	)
	last := len(groups) - 1
	for _, g := range groups[:last] {
		waits.Go(func() { // ends with the caller's patience; this function waits for it
			refused.Add(int64(f.sendGroup(ctx, until, w, g)))
		})
	}
	refused.Add(int64(f.sendGroup(ctx, until, w, groups[last])))
	waits.Wait()
	return int(refused.Load())
}

// sendGroup sends a group in chunks, and returns how many calls could not be sent. All go where the first has gone, though by
// then the track may have another connection: those behind must not overtake.
func (f *flight) sendGroup(ctx context.Context, until time.Time, w *wire.Waiter, g group) (refused int) {
	for from := g.from; from < g.to; from += chunk {
		var err error
		if calls := f.wires[from:min(from+chunk, g.to)]; from == g.from {
			err = g.track.send(ctx, until, w, calls)
		} else {
			err = f.wires[g.from].Via().Send(ctx, w, calls)
		}
		if err != nil {
			for _, call := range f.wires[from:g.to] {
				unsent(call, err)
			}
			return g.to - from
		}
	}
	return 0
}
