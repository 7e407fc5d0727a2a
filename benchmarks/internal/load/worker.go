package load

import (
	"context"
	"runtime"
	"time"
)

// worker is one goroutine of the load. Nobody else touches its fields until it has ended.
type worker struct {
	run   *run
	index int
	pick  picker

	took         histogram
	errors       uint64
	warmUpErrors uint64
	firstError   error
}

// loop does operations until the load is stopped.
func (w *worker) loop(ctx context.Context) {
	if w.run.spec.Context == Cancellable {
		cancellable, cancel := context.WithCancel(ctx)
		defer cancel()
		ctx = cancellable
	}
	pace := w.run.pace(w.index)
	now := w.run.now()
	for {
		start := pace.wait(now)
		err := w.run.op(ctx, w.run.client, w.run.data, &w.pick)
		now = w.run.now() // and where the next operation begins: at 512 goroutines every look at the clock shows in the figures
		switch w.run.phase.Load() {
		case warming:
			w.fail(&w.warmUpErrors, err)
		case measuring:
			w.record(now-start, err)
		case stopped:
			return
		}
	}
}

func (w *worker) record(took time.Duration, err error) {
	if err == nil {
		w.took.record(took)
		return
	}
	w.fail(&w.errors, err)
}

// fail counts an error among those of a phase; nil is none.
func (w *worker) fail(count *uint64, err error) {
	if err == nil {
		return
	}
	*count++
	if w.firstError == nil {
		w.firstError = err
	}
}

// now is the time since the load began.
func (r *run) now() time.Duration { return time.Since(r.began) }

// pacer spreads the operations of one worker evenly over time.
type pacer struct {
	run      *run
	next     time.Duration // since the load began
	interval time.Duration // 0: no pause
}

// pace returns the pacer of the worker at index; the workers take turns.
func (r *run) pace(index int) pacer {
	if r.spec.Rate == 0 {
		return pacer{}
	}
	turn := time.Second / time.Duration(r.spec.Rate)
	return pacer{run: r, next: turn * time.Duration(index), interval: turn * time.Duration(r.spec.Workers)}
}

// wait blocks until the next operation is due, and returns from when on it counts. A worker that is late, because a
// reply was, does not wait until it has caught up, and its operations count from when they were due: else a late reply
// would hide those that it held up (coordinated omission). A worker that had nothing to do starts when the runtime
// wakes it, which an idle process does up to 1 ms late: that is the load's own, and no client can help it.
func (p *pacer) wait(now time.Duration) (start time.Duration) {
	if p.interval == 0 {
		return now
	}
	due := p.next
	p.next = due + p.interval
	if now > due {
		return due
	}
	time.Sleep(due - now)
	return p.run.now()
}

// burst is how long a burner computes until it yields.
const burst = 50 * time.Microsecond

// burn keeps the run queue from ever being empty.
func (r *run) burn() {
	for r.phase.Load() != stopped {
		for start := time.Now(); time.Since(start) < burst; {
		}
		runtime.Gosched()
	}
}

// hog keeps a processor until the runtime takes it away.
func (r *run) hog() {
	for r.phase.Load() != stopped {
	}
}
