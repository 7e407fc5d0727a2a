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
	more     []*resp.Requests // what does not fit there
	into     *resp.Requests   // the one of them that has room
	slabs    []*slab          // where the calls are
	lent     int              // how many of them are in use
	queued   int              // how many of those, the first ones, are the commands of a pipeline
	ordered  bool             // a call that was overtaken is not sent again
	wait     *waiting         // for replicas, behind the calls; nil: not at all

	// of the attempt under way
	routes  *routes
	bundles []bundle
	slow    []bundle              // those that may have to wait
	byLane  map[*lane]int         // index into bundles
	readers map[shardReader]*node // chosen for the reads that a policy spreads
	places  []batchPos            // by index in the calls of the attempt: arrange appends one for each, deal reads them
	batches []*wire.Call          // what is sent: those of the first attempt, then of the one under way
	kept    int                   // how many were the first attempt's, whose replies stay in them until release; see deal
	used    int                   // how many are in use
	owed    bool                  // a connection may yet look into the requests of what it still owes a reply
	waiter  wire.Waiter
}

// slab is memory for the calls of flights. They are next to each other, and one object to the garbage collector: with
// many large batches in flight that costs less than calls pooled one by one (pipe100/c=64 of benchmarks/).
type slab struct{ calls [slabSize]call }

const slabSize = 32

func newSlab(c *core) *slab {
	s := new(slab)
	for i := range s.calls {
		s.calls[i].init(c)
	}
	return s
}

// bundle is what goes over one connection in one attempt.
type bundle struct {
	track   *track       // nil: a connection of its own
	apart   *node        // to this node
	batches []*wire.Call // in the order of their commands
	size    int          // how many commands they are
}

// batchPos is where a call's request is, and its outcome will be.
type batchPos struct {
	batch *wire.Call // nil: it cannot be sent
	index int        // in the batch
}

// chunk is how many calls of a flight enter a connection at once, to leave room for other callers.
const chunk = 256

func newFlight(c *core) *flight {
	f := &flight{core: c, byLane: map[*lane]int{}}
	f.into = &f.requests
	return f
}

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
	f.begin(&call.Request)
	f.queued++
	return call
}

// begin makes r an empty request, to be written before the next one is begun.
func (f *flight) begin(r *resp.Request) {
	if f.into.Size() > fullRequests {
		f.into = f.core.requests.Get().(*resp.Requests)
		f.more = append(f.more, f.into)
	}
	f.into.Begin(r)
}

// release ends the calls, and keeps the flight, and all that it was lent, for other callers.
func (f *flight) release() {
	for _, s := range f.slabs {
		s.forget(min(f.lent, slabSize))
		f.core.slabs.Put(s)
		f.lent -= slabSize
	}
	f.releaseRequests()
	f.releaseBatches()
	f.bundles = f.bundles[:cap(f.bundles)] // those of an earlier attempt, too
	for i := range f.bundles {
		if to := &f.bundles[i]; len(to.batches) > 0 {
			*to = bundle{batches: emptied(to.batches)}
		}
	}
	f.routes = nil
	f.waiter.Now = time.Time{} // a pipeline of which nothing was sent has left it
	f.lent, f.queued, f.kept, f.used, f.owed, f.ordered, f.wait = 0, 0, 0, 0, false, false, nil
	f.calls, f.splits, f.slabs = emptied(f.calls), emptied(f.splits), emptied(f.slabs)
	f.bundles, f.slow, f.places = f.bundles[:0], emptied(f.slow), emptied(f.places)
	clear(f.byLane)
	clear(f.readers)
	f.core.flights.Put(f)
}

// releaseRequests keeps the memory for requests that belongs to the flight, and gives back the rest.
func (f *flight) releaseRequests() {
	if f.owed {
		f.requests, f.more = resp.Requests{}, nil
	}
	f.requests.Reset(keepRequests)
	for _, r := range f.more {
		r.Reset(keepRequests)
		f.core.requests.Put(r)
	}
	f.more, f.into = emptied(f.more), &f.requests
}

// releaseBatches keeps the batches of a few nodes, and gives back the rest.
func (f *flight) releaseBatches() {
	for i, b := range f.batches {
		if len(b.Batch) > 0 { // it was used
			b.Batch, b.Replies = emptied(b.Batch), emptied(b.Replies[:cap(b.Replies)])
		}
		if i >= keepBatches {
			*b = wire.Call{Batch: b.Batch, Reply: b.Reply, Replies: b.Replies}
			f.core.batches.Put(b)
		}
	}
	f.batches = cut(f.batches, keepBatches)
}

// cut returns the first n of s, at most, and forgets the others.
func cut[T any](s []T, n int) []T {
	if len(s) > n {
		clear(s[n:])
		s = s[:n]
	}
	return s
}

const (
	fullRequests = 32 << 10  // bytes of a piece of requests that is followed by another one: to let it grow would copy it
	keepRequests = 256 << 10 // bytes of such memory, at most, that wait for the next caller: a value may be large
	keepCalls    = 16 << 10  // calls or keys, in each list of them
	keepBatches  = 8         // that stay with their flight, as many as a few nodes need; the others are lent one by one
)

// forget empties the first n calls.
func (s *slab) forget(n int) {
	for i := range n {
		s.calls[i].forget()
		s.calls[i].Request = resp.Request{} // whose memory was the flight's
	}
}

// emptied returns s without elements, and with nothing behind its end that would keep memory alive: only this function
// and cut make such a slice shorter. Memory beyond keepCalls, which a large batch needed, is dropped.
func emptied[T any](s []T) []T {
	if cap(s) > keepCalls {
		return nil
	}
	clear(s)
	return s[:0]
}

// send makes one attempt of each call, one write for each connection, and returns when each has come back: with a
// reply, or with the reason why not. The calls for one connection keep their order. It reports whether all have replies
// that need no judgement.
func (f *flight) send(ctx context.Context, until time.Time, calls []*call) (plain bool) {
	f.arrange(until, calls)
	if batches := f.batches[f.kept:f.used]; len(batches) > 0 {
		w := &f.waiter
		w.Prompt, w.Busy = true, f.core.running.crowded()
		w.Expect(len(batches))
		refused := f.sendBundles(ctx, until, w)
		w.Withdraw(refused)
		w.Wait(ctx, batches)
		f.giveBack()
	}
	f.waiter.Now = time.Time{} // by the next attempt it is long ago, and no Wait may have seen it
	return f.deal(calls) == len(calls)
}

// arrange makes batches of calls, by connection, and starts the dials that will be needed. What cannot be sent has its error.
func (f *flight) arrange(until time.Time, calls []*call) {
	f.clearAttempt()
	clear(f.byLane)
	clear(f.readers)
	f.places = slices.Grow(f.places, len(calls))
	f.routes = f.core.routes.Load() // once: by another map, a later call of a slot would overtake an earlier one
	for _, call := range calls {
		request, err := f.core.aim(f.routes, call, f)
		if err != nil {
			call.unsent(err)
			f.places = append(f.places, batchPos{})
			continue
		}
		if call.apart {
			f.put(f.bundleApart(call.node), call, request, until)
			continue
		}
		to := f.bundle(call.lane())
		if call.large { // and all that go with it, to keep their order
			to.track = &to.track.lane.large
		}
		f.put(to, call, request, until)
	}
	for i := range f.bundles {
		if track := f.bundles[i].track; track != nil && track.conn.Load() == nil {
			_, _ = track.startDial(true) // its error comes again when the track is opened
		}
	}
}

// clearAttempt forgets what the attempt before was made of.
func (f *flight) clearAttempt() {
	f.bundles, f.places, f.used = f.bundles[:0], emptied(f.places), f.kept
}

// bundle returns the bundle for a lane, made if need be. It is valid until the next one is made.
func (f *flight) bundle(l *lane) *bundle {
	const few = 8 // are found faster by looking at each
	if len(f.bundles) <= few {
		for i := range f.bundles {
			if t := f.bundles[i].track; t != nil && t.lane == l {
				return &f.bundles[i]
			}
		}
	} else if i, ok := f.byLane[l]; ok {
		return &f.bundles[i]
	}
	f.byLane[l] = len(f.bundles)
	return f.newBundle(&l.small)
}

// bundleApart returns the bundle for a connection of its own to n, made if need be. It is valid until the next one is made.
func (f *flight) bundleApart(n *node) *bundle {
	for i := range f.bundles {
		if f.bundles[i].apart == n {
			return &f.bundles[i]
		}
	}
	to := f.newBundle(nil)
	to.apart = n
	return to
}

// newBundle returns an empty bundle, with the memory of one that was in its place before. It is valid until the
// next one is made.
func (f *flight) newBundle(t *track) *bundle {
	n := len(f.bundles)
	f.bundles = slices.Grow(f.bundles, 1)[:n+1]
	to := &f.bundles[n]
	to.track, to.apart, to.batches, to.size = t, nil, emptied(to.batches), 0
	return to
}

// put makes a call's request the last one of a bundle.
func (f *flight) put(to *bundle, call *call, request []byte, until time.Time) {
	b := to.last()
	if b == nil || len(b.Batch) == chunk || b.Asking || call.asking || b.Movable != call.isMovable() {
		b = f.newBatch()
		b.Asking, b.Movable, b.Deadline = call.asking, call.isMovable(), until
		to.batches = append(to.batches, b)
	}
	f.places = append(f.places, batchPos{b, len(b.Batch)})
	b.Batch = append(b.Batch, request)
	to.size++
}

// last returns the last batch, nil if there is none.
func (b *bundle) last() *wire.Call {
	if len(b.batches) == 0 {
		return nil
	}
	return b.batches[len(b.batches)-1]
}

// newBatch returns an empty batch.
func (f *flight) newBatch() *wire.Call {
	if f.used == len(f.batches) {
		f.batches = append(f.batches, f.core.batches.Get().(*wire.Call))
	}
	b := f.batches[f.used]
	b.Batch = emptied(b.Batch)
	f.used++
	return b
}

// deal gives each of calls, whose aims are those of the flight, its own outcome, and returns how many have a reply that
// needs no judgement. It goes as the calls lie in memory, and not batch by batch: most of its time is waiting for them,
// unless the processor sees what is next (pipe100/c=512 of benchmarks/).
func (f *flight) deal(calls []*call) (plain int) {
	var lost losses
	for i, call := range calls {
		switch b, at := f.places[i].batch, f.places[i].index; {
		case b == nil:
		case at >= len(b.Replies):
			lost.take(call, b, at < b.Accepted)
		case call.replied(b.Replies[at], len(b.Replies[at]) > wire.OwnReply, b.Via()):
			plain++
		}
	}
	for i, b := range f.batches[f.kept:f.used] {
		if f.kept > 0 { // not the first attempt's: the next one uses the batch again, and is not to overwrite the replies
			b.Reply, b.Replies = nil, nil
		}
		if b.Abandoned {
			f.batches[f.kept+i] = new(wire.Call)
			f.owed = true
		}
	}
	if f.kept == 0 {
		f.kept = f.used
	}
	return plain
}

// losses are the batches of an attempt that did not bring all replies, with what their calls have in common: first
// those that were not sent whole, then those that were.
type losses map[*wire.Call]*[2]trouble

// take notes why a call of batch b had no reply, and whether it was sent whole.
func (l *losses) take(call *call, b *wire.Call, sent bool) {
	if *l == nil {
		*l = losses{}
	}
	both := (*l)[b]
	if both == nil {
		why := call.terms.named(b.Err, b.Deadline)
		both = &[2]trouble{newLoss(b, why, false), newLoss(b, why, true)}
		(*l)[b] = both
	}
	shared := &both[0]
	if sent {
		shared = &both[1]
	}
	if call.troubled {
		call.unanswered(shared.lost, sent, shared.via)
		call.ending = shared.ending
	} else {
		call.Frame, call.trouble = nil, shared
	}
	shared.ending.calls++
}

func newLoss(b *wire.Call, why error, sent bool) trouble {
	return trouble{lost: why, sent: sent, via: b.Via(), ending: &ending{
		cause: why, phase: phaseOf(why, sent), passes: passes(why), patience: isPatience(why),
	}}
}

// sendBundles sends all bundles and returns how many batches could not be sent. A node that is dialled, probed or full
// holds up only its own bundle.
func (f *flight) sendBundles(ctx context.Context, until time.Time, w *wire.Waiter) (refused int) {
	f.slow = emptied(f.slow)
	for _, to := range f.bundles {
		if conn := to.live(); conn == nil || to.size > chunk || !conn.Offer(w, to.batches) {
			f.slow = append(f.slow, to)
		}
	}
	w.Flush()
	if len(f.slow) == 0 {
		return 0
	}
	w.Share()
	return f.sendSlowly(ctx, until, w, f.slow)
}

// sendSlowly sends bundles that may have to wait, each on a goroutine of its own but for the last.
func (f *flight) sendSlowly(ctx context.Context, until time.Time, w *wire.Waiter, bundles []bundle) int {
	var (
		waits   sync.WaitGroup
		refused atomic.Int64
	)
	last := len(bundles) - 1
	for _, to := range bundles[:last] {
		waits.Go(func() { // ends with the caller's patience; this function waits for it
			refused.Add(int64(f.sendBundle(ctx, until, w, to)))
		})
	}
	refused.Add(int64(f.sendBundle(ctx, until, w, bundles[last])))
	waits.Wait()
	return int(refused.Load())
}

// sendBundle sends a bundle in chunks, and returns how many batches could not be sent. All go where the first has gone,
// though by then the track may have another connection: those behind must not overtake.
func (f *flight) sendBundle(ctx context.Context, until time.Time, w *wire.Waiter, to bundle) (refused int) {
	rest := to.batches
	for first := rest[0]; len(rest) > 0; {
		n := fill(rest)
		var err error
		switch {
		case rest[0] != first:
			err = first.Via().Send(ctx, w, rest[:n])
		case to.apart != nil:
			_, err = to.apart.sendDedicated(ctx, until, f.routes, w, rest[:n])
		default:
			err = to.track.send(ctx, until, f.routes, w, rest[:n])
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

// live returns the connection that is there for the bundle; nil if there is none, or is yet to be borrowed.
func (b *bundle) live() *wire.Conn {
	if b.track == nil {
		return nil
	}
	return b.track.live()
}

// giveBack ends the use of connections that were borrowed.
func (f *flight) giveBack() {
	for i := range f.bundles {
		if to := &f.bundles[i]; to.apart != nil && to.batches[0].Via() != nil {
			to.apart.giveBack(to.batches[0].Via())
		}
	}
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
