package load

import (
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// phaseBefore is the phase before anything is done to the cluster.
const phaseBefore = "before"

// shortest is how long a phase is at least.
const shortest = 100 * time.Millisecond

// timeline cuts what the workers record into windows and phases. It is for the goroutine that measures.
type timeline struct {
	run   *run
	began time.Time // time 0

	fresh, window, phase, total *sums
	windowAt, phaseAt           time.Duration // when they began
	phaseName                   string
	redirects                   int64 // before the window
	errors                      int64 // of the run
	told                        time.Duration
	toldOperations              int64 // at the last beat
}

func newTimeline(r *run, began time.Time) *timeline {
	return &timeline{
		run: r, began: began, phaseName: phaseBefore,
		fresh: newSums(), window: newSums(), phase: newSums(), total: newSums(),
	}
}

// measure follows the load until it is over, or orders end, and tells the result.
func (r *run) measure(measured time.Time, orders <-chan Order) {
	t := newTimeline(r, measured)
	stopped := t.heed(time.After(time.Until(measured)), orders)
	t.began = time.Now()
	if !stopped {
		t.began = measured
	}
	r.meter.measuring.Store(true)
	before := takeUsage()
	r.tell(Message{Began: &t.began})
	for !stopped {
		now := time.Since(t.began)
		if now >= r.spec.Duration {
			break
		}
		stopped = t.heed(time.After(t.nextCut(now)-now), orders)
		t.cut(time.Since(t.began))
	}
	t.finish(before)
}

// heed does what orders say until the alarm; stopped says that they have ended.
func (t *timeline) heed(alarm <-chan time.Time, orders <-chan Order) (stopped bool) {
	for {
		select {
		case <-alarm:
			return false
		case order, more := <-orders:
			switch {
			case !more:
				return true
			case order.Owners != nil:
				t.run.meter.setOwners(*order.Owners)
			case order.Phase != "":
				t.endPhase(time.Since(t.began))
				t.phaseName = order.Phase
			}
		}
	}
}

// nextCut returns when to add up next: at the next beat, or the end of the window or the run, if that is sooner.
func (t *timeline) nextCut(now time.Duration) time.Duration {
	next := now.Truncate(beat) + beat
	return min(next, t.windowAt+t.run.spec.Window, t.run.spec.Duration)
}

// cut adds up what happened until now, and ends the window if it is over.
func (t *timeline) cut(now time.Duration) {
	t.collect()
	for _, e := range t.run.meter.bursts.over(false) {
		t.run.tell(Message{Event: &e})
	}
	if now < t.run.spec.Duration && now-t.windowAt >= t.run.spec.Window {
		t.endWindow(t.windowAt + t.run.spec.Window)
	}
	t.live(now)
}

func (t *timeline) collect() {
	t.run.meter.collect(t.fresh)
	t.window.add(t.fresh)
	t.phase.add(t.fresh)
	t.total.add(t.fresh)
	t.errors += t.fresh.errors
}

// seconds are to the millisecond: more digits would only be noise to who reads them.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// describe returns the window so far.
func (t *timeline) describe(end time.Duration) record.Window {
	return record.Window{
		At: seconds(t.windowAt), Seconds: seconds(end - t.windowAt),
		Reads: latency(t.window.reads), Writes: latency(t.window.writes),
		Errors: t.window.errors, Redirects: t.run.meter.redirects.Load() - t.redirects,
		Shards: t.run.meter.rates(t.window),
	}
}

func (t *timeline) endWindow(end time.Duration) {
	w := t.describe(end)
	t.run.tell(Message{Window: &w})
	t.redirects += w.Redirects
	t.window.reset()
	t.windowAt = end
}

func (t *timeline) endPhase(end time.Duration) {
	if end-t.phaseAt < shortest {
		return // of the warm-up, or no phase of its own between two experiments: what it holds belongs to the next
	}
	t.collect()
	t.run.tell(Message{Phase: &record.Phase{
		Name: t.phaseName, At: seconds(t.phaseAt), Seconds: seconds(end - t.phaseAt),
		Reads: latency(t.phase.reads), Writes: latency(t.phase.writes), Errors: t.phase.errors,
	}})
	t.phase.reset()
	t.phaseAt = end
}

func (t *timeline) live(now time.Duration) {
	operations := t.total.operations()
	if past := now - t.told; past > 0 {
		t.run.tell(Message{Live: &Live{
			Window: t.describe(now), Rate: float64(operations-t.toldOperations) / past.Seconds(),
			Errors: t.errors, Redirects: t.run.meter.redirects.Load(),
		}})
	}
	t.told, t.toldOperations = now, operations
}

// finish ends the load. What it cost is read at once; operations that have begun are waited for, and belong to the last
// window whenever they end.
func (t *timeline) finish(before usage) {
	r := t.run
	r.pace.stop()
	end := max(min(time.Since(t.began), r.spec.Duration), time.Millisecond)
	used := takeUsage().since(before)
	dials, conns := r.meter.dials.Load(), countConns()
	unanswered := r.wait()
	t.collect()
	cost := used.by(t.total.operations() + t.total.errors) // those that failed have cost something too
	cost.Dials, cost.Conns = dials, conns
	t.abandon(unanswered, "no answer when the run was over")
	t.abandon(r.pace.unsent(), NeverSent)
	for t.windowAt+r.spec.Window < end { // where this goroutine has had no processor for so long, the first one has it all
		t.endWindow(t.windowAt + r.spec.Window)
	}
	t.endWindow(end)
	t.endPhase(max(end, t.phaseAt+shortest))
	for _, e := range r.meter.bursts.over(true) {
		r.tell(Message{Event: &e})
	}
	r.tell(Message{Result: &Result{
		Duration: seconds(end), Reads: latency(t.total.reads), Writes: latency(t.total.writes), Errors: r.meter.errors(),
		Usage: cost,
	}})
}

// NeverSent is the error of operations of an open loop that no worker took on before the end: the client was too slow,
// or the machine was busy with something else just then.
const NeverSent = "due, but never sent: the client was too far behind"

// abandon counts operations that never ended as errors of the last window.
func (t *timeline) abandon(n int64, text string) {
	if n == 0 {
		return
	}
	t.run.meter.fail(text, n)
	t.window.errors += n
	t.phase.errors += n
	t.total.errors += n
	t.errors += n
}
