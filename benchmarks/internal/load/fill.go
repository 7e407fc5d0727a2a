package load

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
)

// fillWorkers is enough to fill a cluster in a fraction of a second.
const fillWorkers = 64

// Fill gives every key that the workloads read its value. It uses the client of spec, and nothing else of it but how to
// connect.
func Fill(ctx context.Context, spec Spec) error {
	c, err := connect(ctx, spec)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, of := range []struct {
		keys  []string
		value string
	}{{SmallKeys(), SmallValue()}, {LargeKeys(), LargeValue()}, {HugeKeys(), HugeValue()}} {
		if err := fill(ctx, c, of.keys, of.value); err != nil {
			return err
		}
	}
	return nil
}

func fill(ctx context.Context, c client.Client, keys []string, value string) error {
	var (
		running sync.WaitGroup
		next    atomic.Int64
		failed  atomic.Pointer[error]
	)
	for range fillWorkers {
		running.Go(func() { // ends with the keys, or the first error
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(keys) {
					return
				}
				if err := c.Set(ctx, keys[i], value); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
