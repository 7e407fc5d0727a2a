package keyslot

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// Replicas in use are asked how far they are four times within MaxLag, so that a healthy one is never doubted.
	minLagPoll = 100 * time.Millisecond
	maxLagPoll = 5 * time.Second
	// lagPatience bounds one round of questions: who does not answer in time is not known to be up to date.
	lagPatience = 500 * time.Millisecond
	// recentOffsets are kept as they come, and as many older ones, evenly over MaxLag.
	recentOffsets = 50
)

// lagWatch is what a primary's offset was, and when: a replica that has come to an offset has everything that its
// primary had by then. INFO's age of the link would not tell: an idle primary is silent for 10 s.
type lagWatch struct {
	polling atomic.Bool
	nextAt  atomic.Int64 // when the next round is due: see core.now

	mu      sync.Mutex
	samples []offsetAt // guarded by mu; oldest first
}

type offsetAt struct{ offset, at int64 }

// note keeps the offset that the primary had reached at a time, and none that are older than limit but one. One that is
// left out makes a replica seem further behind, never less.
func (l *lagWatch) note(s offsetAt, limit time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.samples); n > 0 && s.offset < l.samples[n-1].offset {
		l.samples = nil // it began anew
	}
	for len(l.samples) > 1 && l.samples[1].at < s.at-int64(limit) {
		l.samples = l.samples[1:]
	}
	l.samples = append(l.samples, s)
	if i := len(l.samples) - 1 - recentOffsets; i > 0 && l.samples[i].at-l.samples[i-1].at < int64(limit)/recentOffsets {
		l.samples = slices.Delete(l.samples, i, i+1)
	}
}

// reached returns the last known moment whose writes a replica at offset has all; 0 if none is known.
func (l *lagWatch) reached(offset int64) (at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.samples {
		if s.offset <= offset {
			at = s.at
		}
	}
	return at
}

// isFresh reports whether a replica is known to be behind by no more than MaxLag.
func (p *pick) isFresh(n *node) bool {
	limit := p.core.opts.MaxLag
	if limit == 0 {
		return true
	}
	upTo := n.reading.upTo.Load()
	return upTo > 0 && p.core.now()-upTo <= int64(limit)
}

// watchLag asks a shard how far its replicas are, if that is due. Nothing but a read sets it off.
func (c *core) watchLag(r *routes, s *shard) {
	if c.opts.MaxLag == 0 || s.primary < 0 {
		return
	}
	primary := r.nodes[s.primary]
	w := &primary.reading.lag
	now := c.now()
	if now < w.nextAt.Load() || !w.polling.CompareAndSwap(false, true) {
		return
	}
	w.nextAt.Store(now + int64(min(max(c.opts.MaxLag/4, minLagPoll), maxLagPoll)))
	replicas := make([]*node, len(s.replicas))
	for i, at := range s.replicas {
		replicas[i] = r.nodes[at]
	}
	started := c.errands.run(func() { // ends within lagPatience; close waits for it
		defer w.polling.Store(false)
		c.askLag(primary, replicas)
	})
	if !started {
		w.polling.Store(false)
	}
}

// askLag asks a primary and those of its replicas that are connected for their offsets.
func (c *core) askLag(primary *node, replicas []*node) {
	ctx, cancel := context.WithTimeout(c.pool.ctx, lagPatience)
	defer cancel()
	w := &primary.reading.lag
	now := c.now() // the offset in the answer is that of a later moment
	conn, err := primary.toAsk(ctx)
	if err != nil {
		return
	}
	offset, ok := askOffset(ctx, conn, "master_repl_offset")
	if !ok {
		return
	}
	w.note(offsetAt{offset, now}, c.opts.MaxLag)
	var asks sync.WaitGroup
	for _, n := range replicas {
		if conn := anyLive(n.reading.lanes); conn != nil {
			asks.Go(func() { // ends within lagPatience; this function waits for it
				if offset, ok := askOffset(ctx, conn, "slave_repl_offset"); ok {
					n.reading.upTo.Store(max(n.reading.upTo.Load(), w.reached(offset)))
				}
			})
		}
	}
	asks.Wait()
}

// askOffset returns a number that INFO replication tells under name.
func askOffset(ctx context.Context, conn *wire.Conn, name string) (offset int64, ok bool) {
	replies, err := query(ctx, conn, "INFO replication")
	if err != nil {
		return 0, false
	}
	text, ok := infoField(replies[0], name)
	if !ok {
		return 0, false
	}
	offset, err = strconv.ParseInt(text, 10, 64)
	return offset, err == nil
}
