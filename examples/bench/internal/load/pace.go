package load

import (
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// pacer says when operations are due. Times are counted from when the load began. Safe for concurrent use.
type pacer struct {
	// immutable
	began   time.Time
	rate    float64 // operations a second; 0: closed loop
	ramp    time.Duration
	workers int

	taken   atomic.Int64 // open loop: operations that workers have taken on, or wait for
	end     atomic.Int64 // no operation is due from then on; nanoseconds
	stopped chan struct{}
	once    sync.Once // closes stopped
}

func newPacer(s Spec, began time.Time) *pacer {
	p := &pacer{began: began, rate: s.Rate, ramp: s.Ramp, workers: s.Workers, stopped: make(chan struct{})}
	p.end.Store(int64(s.WarmUp + s.Duration))
	return p
}

// now returns the time since the load began.
func (p *pacer) now() time.Duration { return time.Since(p.began) }

// stop lets no operation be due any more that is not due yet.
func (p *pacer) stop() {
	p.once.Do(func() {
		p.end.Store(min(p.end.Load(), int64(p.now())))
		close(p.stopped)
	})
}

// join blocks a worker of a closed loop until it is its turn to join, and returns whether the load still goes on.
func (p *pacer) join(worker int, timer *time.Timer) bool {
	if p.rate > 0 {
		return true // here the rate grows, and not the number of workers
	}
	return p.sleep(p.ramp*time.Duration(worker)/time.Duration(p.workers), timer)
}

// next blocks until an operation is due and returns the time from which its latency counts; ok is false when the load is over.
//
// In an open loop that is the time when it was due, if all workers were busy then: else a late reply would hide those
// that it held up (coordinated omission). A worker that had nothing to do starts when the runtime wakes it, which an
// idle process does up to 1 ms late: that is the load's own, and no client can help it.
//
// What was due before the end and finds a worker only after it is not sent any more: nobody measures what that costs,
// so a client that is too slow would seem to keep up.
func (p *pacer) next(timer *time.Timer) (from time.Duration, ok bool) {
	if p.rate == 0 {
		now := p.now()
		return now, int64(now) < p.end.Load()
	}
	due := p.due(p.taken.Add(1) - 1)
	switch now := p.now(); {
	case now < due && p.sleep(due, timer):
		return p.now(), true
	case now >= due && int64(now) < p.end.Load():
		return due, true
	}
	p.taken.Add(-1)
	return 0, false
}

// sleep blocks until a time, and returns whether that is before the end of the load. The timer is the worker's own: a
// new one for each operation would count among the allocations.
func (p *pacer) sleep(until time.Duration, timer *time.Timer) bool {
	wait := until - p.now()
	if wait <= 0 {
		return int64(until) < p.end.Load()
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
	case <-p.stopped: // where the end came while the runtime woke who had waited for something due before, this may be chosen too
	}
	return int64(until) < p.end.Load()
}

// due returns when the i-th operation is due. In the ramp the rate grows evenly, so that i = rate*t²/(2*ramp).
func (p *pacer) due(i int64) time.Duration {
	ramp := p.ramp.Seconds()
	inRamp := p.rate * ramp / 2
	at := ramp + (float64(i)-inRamp)/p.rate
	if float64(i) < inRamp {
		at = math.Sqrt(2 * ramp * float64(i) / p.rate)
	}
	return time.Duration(at * float64(time.Second))
}

// unsent returns how many operations of an open loop were due and never taken on.
func (p *pacer) unsent() int64 {
	if p.rate == 0 {
		return 0
	}
	end := time.Duration(p.end.Load())
	most := int(p.rate*end.Seconds()) + 1
	due := sort.Search(most, func(i int) bool { return p.due(int64(i)) >= end })
	return max(0, int64(due)-p.taken.Load())
}
