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
	groups   []group
	slow     []group               // those that may have to wait
	byLane   map[*lane]int         // index into groups
	readers  map[shardReader]*node // chosen for the reads that a policy spreads
	aims     []aim                 // by call
	parts    []*call               // by group, in their order within it
	commands [][]byte              // their requests; batches are made of it
	batches  []*wire.Call          // what is sent: those of the first attempt, of the one under way, and spare ones
	kept     int                   // how many were the first attempt's
	used     int                   // how many are in use
	owed     bool                  // a connection may yet look into the requests of what it still owes a reply
	waiter   wire.Waiter
}

// slab is memory for the calls of flights. They are next to each other, and one object to the garbage collector: with many large
// batches in flight that costs less than calls pooled one by one (pipe100/c=64 of benchmarks/).
type slab struct{ calls [slabSize]call }

const slabSize = 32

func newSlab(c *core) *slab {
	s := new(slab)
	for i := range s.calls {
		s.calls[i].init(c)
	}
	return s
}

// group is the calls of one attempt that share a connection.
type group struct {
	track       *track
	from, to    int // in flight.parts
	first, next int // in flight.batches
	dealt       int // outcomes of the first batch that their calls have; when that is all of them it is the next one's turn
}

// aim is where a call goes, and what goes there.
type aim struct {
	group   int // index into flight.groups; -1: it cannot be sent
	request []byte
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
		s.forget(min(f.lent, slabSize))
		f.core.slabs.Put(s)
		f.lent -= slabSize
	}
	if f.owed {
		f.requests = resp.Requests{}
	}
	f.requests.Reset(keepRequests)
	for _, b := range f.batches {
		b.Batch, b.Replies = nil, emptied(b.Replies)
	}
	f.waiter.Now = time.Time{} // a pipeline of which nothing was sent has left it
	f.lent, f.queued, f.kept, f.used, f.owed, f.ordered, f.wait = 0, 0, 0, 0, false, false, nil
	f.calls, f.slabs, f.groups, f.slow = emptied(f.calls), emptied(f.slabs), emptied(f.groups), emptied(f.slow)
	f.aims, f.parts, f.commands, f.splits = emptied(f.aims), emptied(f.parts), emptied(f.commands), emptied(f.splits)
	if len(f.batches) > keepBatches {
		f.batches = nil
	}
	clear(f.byLane)
	clear(f.readers)
	f.core.flights.Put(f)
}

const (
	keepRequests = 256 << 10 // bytes of requests, at most, that wait for the next caller
	keepBatches  = 64        // batches, with a block of replies each
)

// forget empties the first n calls.
func (s *slab) forget(n int) {
	for i := range n {
		s.calls[i].forget()
	}
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
// or with the reason why not. The calls for one connection keep their order. It reports whether all have replies that need no
// judgement.
func (f *flight) send(ctx context.Context, until time.Time, calls []*call) (plain bool) {
	f.arrange(until, calls)
	if batches := f.batches[f.kept:f.used]; len(batches) > 0 {
		w := &f.waiter
		w.Prompt, w.Busy = true, f.core.running.crowded()
		w.Expect(len(batches))
		w.Withdraw(f.sendGroups(ctx, until, w))
		w.Wait(ctx, batches)
	}
	f.waiter.Now = time.Time{} // by the next attempt it is long ago, and no Wait may have seen it
	return f.deal(calls) == len(calls)
}

// arrange groups calls by connection, makes batches of them, and starts the dials that will be needed. What cannot be sent has its
// error.
func (f *flight) arrange(until time.Time, calls []*call) {
	f.groups, f.aims, f.used = f.groups[:0], f.aims[:0], f.kept
	clear(f.byLane)
	clear(f.readers)
	for _, call := range calls {
		request, err := f.core.aim(call, f)
		if err != nil {
			call.unsent(err)
			f.aims = append(f.aims, aim{group: -1})
			continue
		}
		g := f.group(call.lane())
		f.groups[g].to++
		if call.large { // and all that go with it, to keep their order
			f.groups[g].track = &f.groups[g].track.lane.large
		}
		f.aims = append(f.aims, aim{g, request})
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
	f.parts = slices.Grow(f.parts[:0], from)[:from]
	f.commands = slices.Grow(f.commands[:0], from)[:from]
	for i, call := range calls {
		if a := &f.aims[i]; a.group >= 0 {
			g := &f.groups[a.group]
			f.parts[g.to], f.commands[g.to] = call, a.request
			g.to++
		}
	}
	for i := range f.groups {
		f.pack(&f.groups[i], until)
	}
}

// group returns the index of the group for a lane, made if need be.
func (f *flight) group(l *lane) int {
	const few = 8 // are found faster by looking at each
	if len(f.groups) <= few {
		for i := range f.groups {
			if f.groups[i].track.lane == l {
				return i
			}
		}
	} else if g, ok := f.byLane[l]; ok {
		return g
	}
	f.groups = append(f.groups, group{track: &l.small})
	f.byLane[l] = len(f.groups) - 1
	return len(f.groups) - 1
}

// pack makes batches of a group.
func (f *flight) pack(g *group, until time.Time) {
	g.first = f.used
	for from := g.from; from < g.to; {
		first := f.parts[from]
		to := from + 1
		for to < min(g.to, from+chunk) && first.fits(f.parts[to]) {
			to++
		}
		if f.used == len(f.batches) {
			f.batches = append(f.batches, new(wire.Call))
		}
		b := f.batches[f.used]
		f.used++
		b.Batch, b.Asking, b.Movable, b.Deadline = f.commands[from:to:to], first.asking, first.isMovable(), until
		from = to
	}
	g.next = f.used
}

// fits reports whether another call may be in a batch with this one.
func (call *call) fits(other *call) bool {
	return !call.asking && !other.asking && call.isMovable() == other.isMovable()
}

// deal gives each of calls, whose aims are those of the flight, its own outcome, and returns how many have a reply that needs no
// judgement. It goes as the calls lie in memory, and not batch by batch: most of its time is waiting for them, unless the processor
// sees what is next (pipe100/c=512 of benchmarks/).
func (f *flight) deal(calls []*call) (plain int) {
	for i, call := range calls {
		if f.aims[i].group < 0 {
			continue
		}
		b, at := f.outcome(&f.groups[f.aims[i].group])
		switch {
		case at >= len(b.Replies):
			call.unanswered(b.Err, at < b.Accepted, b.Via())
		case call.replied(b.Replies[at], b.Via()):
			plain++
		}
	}
	for i, b := range f.batches[f.kept:f.used] {
		if f.kept > 0 { // the batch is used again by the next attempt, and the replies are not to be overwritten
			b.Reply, b.Replies = nil, nil
		}
		if b.Abandoned {
			f.batches[f.kept+i] = new(wire.Call)
			f.commands, f.owed = nil, true
		}
	}
	if f.kept == 0 {
		f.kept = f.used
	}
	return plain
}

// outcome returns where the outcome of the group's next call is: in which batch, and whose of its commands.
func (f *flight) outcome(g *group) (b *wire.Call, at int) {
	if g.dealt == len(f.batches[g.first].Batch) {
		g.first, g.dealt = g.first+1, 0
	}
	g.dealt++
	return f.batches[g.first], g.dealt - 1
}

// turns is at how many nodes a flight lets others join where nothing is due. In a process that has more to compute than processors
// each turn of the others takes long, and a flight takes one after the other.
const turns = 4

// sendGroups sends all groups and returns how many batches could not be sent. A node that is dialled, probed or full holds up
// only its own group.
func (f *flight) sendGroups(ctx context.Context, until time.Time, w *wire.Waiter) (refused int) {
	f.slow = f.slow[:0]
	for i, g := range f.groups {
		w.Busy = w.Busy && i < turns
		n := g.to - g.from
		if conn := g.track.live(); conn != nil && n <= chunk && conn.HasRoom(w, n) {
			refused += f.sendGroup(ctx, until, w, g)
		} else {
			f.slow = append(f.slow, g)
		}
	}
	if len(f.slow) > 0 {
		w.Share()
		refused += f.sendSlowly(ctx, until, w, f.slow)
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

// sendGroup sends a group in chunks, and returns how many batches could not be sent. All go where the first has gone, though by
// then the track may have another connection: those behind must not overtake.
func (f *flight) sendGroup(ctx context.Context, until time.Time, w *wire.Waiter, g group) (refused int) {
	rest := f.batches[g.first:g.next]
	for first := rest[0]; len(rest) > 0; {
		n := fill(rest)
		var err error
		if rest[0] == first {
			err = g.track.send(ctx, until, w, rest[:n])
		} else {
			err = first.Via().Send(ctx, w, rest[:n])
		}
		if err != nil {
			for _, b := range rest {
				b.Refuse(err)
			}
			return len(rest)
		}
		rest = rest[n:]
	}
	return 0
}

// fill returns how many of the batches, one at least, make a chunk.
func fill(batches []*wire.Call) (n int) {
	for commands := 0; n < len(batches); n++ {
		commands += batches[n].Commands()
		if n > 0 && commands > chunk {
			break
		}
	}
	return n
}
