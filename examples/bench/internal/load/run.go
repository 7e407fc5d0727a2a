// Package load drives one client with one load in this process, and measures what it does and costs.
package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

const (
	// patience is how long operations that have begun may go on when the load is over. What is not answered then counts
	// as an error. Longer than the 5 s after which keyslot's default ends a call.
	patience = 6 * time.Second

	// beat is how often what workers recorded is added up.
	beat = 500 * time.Millisecond

	// connectTimeout bounds opening the client and its first operation.
	connectTimeout = 20 * time.Second

	// ballast is how much heap, never touched, the process holds, so that the garbage collector runs about as often as in
	// a service with a heap of that size, and not some hundred times a second because there is nothing else on the heap.
	ballast = 64 << 20
)

// run is one load under way.
type run struct {
	// immutable
	spec   Spec
	client client.Client
	groups []Group
	values []string // in the order of their sizes
	pace   *pacer
	meter  *meter
	tell   func(Message)

	measured atomic.Pointer[time.Time] // when measuring begins; nil while that is not known
	busy     atomic.Int64              // operations under way
	running  sync.WaitGroup
}

// Run connects the client, warms up, measures, and tells what it sees until the load is over or orders end, which ends
// it early. Its error is one that kept it from measuring; failed operations are part of the result. tell is called by
// the goroutine that measures, and must not keep it for long.
func Run(ctx context.Context, spec Spec, orders <-chan Order, tell func(Message)) error {
	held := make([]byte, ballast)
	defer runtime.KeepAlive(held)
	r := newRun(spec, tell)
	if err := r.connect(ctx); err != nil {
		return err
	}
	defer r.client.Close()
	r.drive(orders)
	return nil
}

func newRun(spec Spec, tell func(Message)) *run {
	r := &run{spec: spec, groups: spec.Groups(), values: Values(spec.Values), tell: tell}
	r.meter = newMeter(newBursts(func() time.Duration {
		if at := r.measured.Load(); at != nil {
			return time.Since(*at)
		}
		return -1
	}))
	return r
}

// drive runs the load.
func (r *run) drive(orders <-chan Order) {
	began := time.Now()
	measured := began.Add(r.spec.WarmUp)
	r.measured.Store(&measured)
	r.pace = newPacer(r.spec, began)
	for i := range r.spec.Workers {
		w := newWorker(r, i)
		r.running.Go(w.loop) // ends when the load is over and its last operation with it
	}
	r.measure(measured, orders)
}

// Values returns a value of each size, in the order of sizes. None holds what a reply could be mistaken for.
func Values(sizes []int) []string {
	var values []string
	for _, size := range slices.Sorted(slices.Values(sizes)) {
		values = append(values, strings.Repeat("v", size))
	}
	return values
}

// connect opens the client, and does one operation to learn whether it can.
func (r *run) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	opts, err := r.spec.Target.Options(ctx)
	if err != nil {
		return err
	}
	settings := client.Settings{Options: opts, ReplicaReads: r.spec.ReplicaReads, Observer: r.observer()}
	if r.spec.PerCall {
		r.client = client.PerCall(r.spec.Client, settings)
	} else if r.client, err = client.Open(ctx, r.spec.Client, settings); err != nil {
		return fmt.Errorf("%s: connecting: %w", r.spec.Client, err)
	}
	first := newWorker(r, r.spec.Workers)
	first.draw()
	if _, err := r.client.Get(ctx, first.keys[0]); err != nil && !errors.Is(err, client.ErrMissing) {
		r.client.Close()
		return fmt.Errorf("%s: first operation: %w", r.spec.Client, err)
	}
	return nil
}

// observer counts what the client tells of itself while measuring.
func (r *run) observer() client.Observer {
	m := r.meter
	return client.Observer{
		Redirected: func(ask bool) {
			word := "MOVED"
			if ask {
				word = "ASK"
			}
			if m.measuring.Load() {
				m.redirects.Add(1)
			}
			m.bursts.note(record.Redirect, word, 1)
		},
		Refreshed: func(what string) {
			if !r.spec.PerCall { // where every call asks for the map, it is no event
				m.bursts.note(record.Refresh, what, 1)
			}
		},
		Dialled: func() {
			if m.measuring.Load() {
				m.dials.Add(1)
			}
		},
	}
}

// wait waits for the workers, and returns how many operations are not answered in time.
func (r *run) wait() int64 {
	ended := make(chan struct{})
	go func() { // ends with the workers; the process ends with those that never do
		r.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return 0
	case <-time.After(patience + r.spec.Timeout):
		return r.busy.Load()
	}
}
