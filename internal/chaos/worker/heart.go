package worker

import (
	"context"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// heart notes when a goroutine without any duties runs: a call that returns late meanwhile is not late because the
// process stood still.
type heart struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	beats   []time.Duration // owned by the goroutine, until it has ended
}

// startHeart counts from began.
func startHeart(began time.Time) *heart {
	ctx, stop := context.WithCancel(context.Background())
	h := &heart{stop: stop}
	// Ends with end, which cancels ctx and waits.
	h.running.Go(func() {
		tick := time.NewTicker(ledger.BeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				h.beats = append(h.beats, time.Since(began))
			}
		}
	})
	return h
}

// end returns when it has beaten.
func (h *heart) end() []time.Duration {
	h.stop()
	h.running.Wait()
	return h.beats
}
