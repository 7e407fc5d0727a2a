package main

import (
	"context"
	"sync"
	"time"
)

// flights lets one goroutine of this process work for each key, and whoever wants the same waits for its result.
type flights struct {
	limit   time.Duration // of one flight; immutable
	running sync.WaitGroup

	mu       sync.Mutex
	underway map[string]*flight // guarded by mu
}

// flight is work under way and, once landed is closed, its result.
type flight struct {
	landed chan struct{}
	value  string
	err    error
}

// work brings the value of a key. What is left to do once everybody has it, it returns.
type work func(ctx context.Context, key string) (value string, afterwards func(), err error)

func newFlights(limit time.Duration) *flights {
	return &flights{limit: limit, underway: map[string]*flight{}}
}

// join returns the flight for key, and begins one if there is none. It does not end with ctx: whoever began it may hang
// up while others wait.
func (f *flights) join(ctx context.Context, key string, do work) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if joined := f.underway[key]; joined != nil {
		return joined
	}
	begun := &flight{landed: make(chan struct{})}
	f.underway[key] = begun
	f.running.Go(func() { // ends with do, whose context ends after limit; wait waits for it
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.limit)
		defer cancel()
		value, afterwards, err := do(ctx, key)
		f.land(key, begun, value, err)
		afterwards()
	})
	return begun
}

// land ends a flight for those who wait for it. It takes nobody else aboard: who comes now may come after a write, and
// the value may be one from before it.
func (f *flights) land(key string, landing *flight, value string, err error) {
	f.mu.Lock()
	delete(f.underway, key)
	f.mu.Unlock()
	landing.value, landing.err = value, err
	close(landing.landed)
}

// result waits for the flight to land, or for ctx.
func (f *flight) result(ctx context.Context) (string, error) {
	select {
	case <-f.landed:
		return f.value, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// wait blocks until all flights have ended, with what they do afterwards. No new one may begin meanwhile.
func (f *flights) wait() { f.running.Wait() }
