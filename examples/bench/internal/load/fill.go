package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot"
)

const (
	// fillWorkers is enough to fill a cluster in a fraction of a second, and batch keeps what one of them sends small.
	fillWorkers = 8
	batch       = 200

	// removeTimeout bounds how long the end of a benchmark takes.
	removeTimeout = 30 * time.Second
)

// Fill writes every key of the spec once.
func (s Spec) Fill(ctx context.Context, c *keyslot.Client) error {
	values := Values(s.Values)
	return s.each(ctx, c, func(p *keyslot.Pipeline, i int, key string) { p.Set(key, values[i%len(values)]) })
}

// Remove deletes every key of the spec. It outlives ctx, but not for longer than half a minute.
func (s Spec) Remove(ctx context.Context, c *keyslot.Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	return s.each(ctx, c, func(p *keyslot.Pipeline, _ int, key string) { p.Del(key) })
}

// each queues a command for every key of the spec and runs all of them in pipelines.
func (s Spec) each(ctx context.Context, c *keyslot.Client, queue func(p *keyslot.Pipeline, i int, key string)) error {
	var keys []string
	for _, g := range s.Groups() {
		keys = append(keys, g.Keys...)
	}
	work := make(chan []string)
	errs := make([]error, fillWorkers)
	var running sync.WaitGroup
	for n := range fillWorkers {
		running.Go(func() { // ends when work is closed; after an error it only drains it
			for some := range work {
				if errs[n] != nil {
					continue
				}
				p := c.Pipeline()
				for i, key := range some {
					queue(p, i, key)
				}
				errs[n] = p.Exec(ctx)
			}
		})
	}
	for some := range slices.Chunk(keys, batch) {
		work <- some
	}
	close(work)
	running.Wait()
	return errors.Join(errs...)
}
