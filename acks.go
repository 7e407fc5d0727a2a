package keyslot

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// maxAckArgs bounds the ids in one XACK, which holds up its node meanwhile.
	maxAckArgs = 1000
	// ackBacklog is how many batches may wait for a node that is away until nothing more is read.
	ackBacklog = 10
)

// acks are the entries of one slot that a consumer has handled and the server does not know it yet. An id stays here
// until its acknowledgement was answered: XACK may be sent twice without harm. Each slot has its own, so that a node
// that is away holds up nobody else's.
type acks struct {
	// immutable
	client *Client
	group  string
	count  int
	delay  time.Duration
	some   chan struct{} // one slot: something is there
	full   chan struct{} // one slot: a batch is there
	ended  chan struct{} // closed when nothing will be added any more

	// guarded by mu
	mu      sync.Mutex
	byID    map[string]map[string]bool // by stream and id
	n       int
	flushed chan struct{} // closed, and replaced, whenever there are fewer
	err     error         // why the last flush failed
}

func newAcks(c *Consumer) *acks {
	return &acks{
		client: c.steady, group: c.opts.Group, count: min(c.opts.AckCount, math.MaxInt/ackBacklog), delay: c.opts.AckDelay,
		some: make(chan struct{}, 1), full: make(chan struct{}, 1), ended: make(chan struct{}),
		byID: map[string]map[string]bool{}, flushed: make(chan struct{}),
	}
}

func (a *acks) add(stream, id string) {
	a.mu.Lock()
	ids := a.byID[stream]
	if ids == nil {
		ids = map[string]bool{}
		a.byID[stream] = ids
	}
	if !ids[id] {
		ids[id] = true
		a.n++
	}
	full := a.n >= a.count
	a.mu.Unlock()
	signal(a.some)
	if full {
		signal(a.full)
	}
}

// of returns the ids of stream that have been handled and not acknowledged.
func (a *acks) of(stream string) map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.byID[stream])
}

// wait blocks while too many acknowledgements wait, or until ctx ends.
func (a *acks) wait(ctx context.Context) {
	for {
		a.mu.Lock()
		full, flushed := a.n >= ackBacklog*a.count, a.flushed
		a.mu.Unlock()
		if !full {
			return
		}
		select {
		case <-flushed:
		case <-ctx.Done():
			return
		}
	}
}

// run acknowledges in batches until the end, and what is left then. An error that lasts stops the consumer.
func (a *acks) run(ctx context.Context, fail func(error)) {
	retry := pacer{first: feedFirst, limit: feedLimit}
	for a.gather() {
		err := a.flush(ctx)
		switch {
		case err == nil:
			retry.reset()
		case isLasting(err):
			fail(err)
			<-a.ended
			a.finish(ctx) // of other streams, and what came meanwhile
			return
		default:
			a.sleep(retry.next())
		}
	}
	a.finish(ctx)
}

// finish acknowledges what is left at the end, again and again until ctx ends or an error lasts; left says what became of it.
func (a *acks) finish(ctx context.Context) {
	retry := pacer{first: feedFirst, limit: feedLimit}
	for {
		if err := a.flush(ctx); err == nil || isLasting(err) {
			return
		}
		if _, err := a.client.core.sleep(ctx, time.Time{}, time.Now().Add(retry.next()), nil); err != nil {
			return
		}
	}
}

// gather returns when it is time for the next batch; false at the end.
func (a *acks) gather() (more bool) {
	select {
	case <-a.some:
	case <-a.ended:
		return false
	}
	t := time.NewTimer(a.delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.full:
	case <-a.ended:
		return false
	}
	return true
}

// sleep waits for d, or for the end.
func (a *acks) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.ended:
	}
}

// flush acknowledges what is there, in one write. Of the failures it returns one that may pass, if there is one:
// another try is worth it.
func (a *acks) flush(ctx context.Context) (err error) {
	type batch struct {
		stream string
		ids    []string
		done   *Future[int64]
	}
	var batches []batch
	p := a.client.Pipeline()
	a.mu.Lock()
	for stream, ids := range a.byID {
		for chunk := range slices.Chunk(slices.Collect(maps.Keys(ids)), maxAckArgs) {
			batches = append(batches, batch{stream, chunk, p.XAck(stream, a.group, chunk...)})
		}
	}
	a.mu.Unlock()
	_ = p.Exec(ctx) // each future tells
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range batches {
		if failed := b.done.Err(); failed != nil {
			if err == nil || isLasting(err) {
				err = failed
			}
			continue
		}
		for _, id := range b.ids {
			delete(a.byID[b.stream], id)
		}
		a.n -= len(b.ids)
	}
	a.err = err
	if a.n > 0 {
		signal(a.some)
	}
	close(a.flushed)
	a.flushed = make(chan struct{})
	return err
}

// left returns how many entries were handled and have not been acknowledged, and why not.
func (a *acks) left() (n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n, a.err
}
