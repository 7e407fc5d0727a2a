package keyslot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// together asks n times at once and returns when all have ended: within patience, and once an ask says that it is
// enough, within stragglersWait for the others.
func together(ctx context.Context, n int, patience time.Duration, ask func(ctx context.Context, i int) (enough bool)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := time.AfterFunc(patience, cancel)
	defer end.Stop()
	last := time.Now().Add(patience)
	hurry := sync.OnceFunc(func() { end.Reset(min(stragglersWait, time.Until(last))) })
	var asks sync.WaitGroup
	for i := range n {
		asks.Go(func() { // ends soon after ctx; this function waits for it
			if ask(ctx, i) {
				hurry()
			}
		})
	}
	asks.Wait()
}

// staggerMax is how long a silent candidate delays the next one; a live node answers within it from any zone of a region.
const staggerMax = 80 * time.Millisecond

// racer asks candidates in order and takes the first success. The next candidate is started when one fails, or after a
// stagger when none answers, so a black hole costs 80 ms and not a timeout.
type racer[T any] struct {
	// ask must return soon after its ctx ends. Its ctx ends with the race, so what it returns must not depend on it.
	ask     func(ctx context.Context, c candidate) (T, error)
	discard func(T)         // releases a success that came too late
	timeout time.Duration   // of one ask; those known at the start are started within it, however many they are
	more    chan candidate  // others may come here while it runs, and known ones; nil: none will
	asks    *sync.WaitGroup // the owner's, which waits for late asks once the last run has returned
}

type outcome[T any] struct {
	from  candidate
	value T
	err   error
}

// run returns the first success at once; the other asks are cancelled and end on their own. If all fail, or ctx ends,
// the error is a raceError with every failure, each naming its candidate.
func (r racer[T]) run(ctx context.Context, candidates []candidate) (T, error) {
	raceCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make(chan outcome[T]) // each ask sends one: received here, or by discardLate once the race is over
	stagger := min(staggerMax, r.timeout/time.Duration(max(1, len(candidates))))
	due := time.NewTimer(stagger)
	defer due.Stop()

	started := 0
	startNext := func() {
		if started == len(candidates) {
			return
		}
		c := candidates[started]
		started++
		due.Reset(stagger)
		r.asks.Go(func() { // ends when ask does, which is soon after raceCtx ends; the owner of asks waits for it
			askCtx, cancel := context.WithTimeout(raceCtx, r.timeout)
			defer cancel()
			value, err := r.ask(askCtx, c)
			outcomes <- outcome[T]{c, value, err}
		})
	}

	var failures raceError
	for startNext(); len(failures) < len(candidates); {
		select {
		case o := <-outcomes:
			if o.err == nil {
				r.discardLate(outcomes, started-len(failures)-1)
				return o.value, nil
			}
			failures = append(failures, o.from.wrap(o.err))
			startNext()
		case <-due.C:
			startNext()
		case c := <-r.more:
			if !slices.Contains(candidates, c) {
				candidates = append(slices.Clip(candidates), c)
				startNext()
			}
		case <-ctx.Done():
			r.discardLate(outcomes, started-len(failures))
			var none T
			return none, append(failures, ctx.Err())
		}
	}
	var none T
	return none, failures
}

// discardLate releases what the asks still running may bring.
func (r racer[T]) discardLate(outcomes <-chan outcome[T], running int) {
	if running == 0 {
		return
	}
	r.asks.Go(func() { // ends with the last ask
		for range running {
			if o := <-outcomes; o.err == nil {
				r.discard(o.value)
			}
		}
	})
}

// raceError holds why each candidate failed; errors.Is and errors.As look into all of them.
type raceError []error

// Error quotes a few failures only: with hundreds of nodes the others say the same.
func (e raceError) Error() string {
	const quoted = 3
	if len(e) == 0 {
		return "no address to try"
	}
	var b strings.Builder
	for i, err := range e[:min(quoted, len(e))] {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	if more := len(e) - quoted; more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

func (e raceError) Unwrap() []error { return e }
