package worker

import (
	"context"
	"errors"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// call is one call of the client: its context, and when it began and returned.
type call struct {
	lane    *lane
	ctx     context.Context
	cancel  context.CancelFunc
	kind    string         // how ctx ends
	bare    chan time.Time // nil where nothing is measured; then told when a bare goroutine saw ctx end
	within  time.Duration  // from start until ctx ends, or the client's own timeout, at the earliest
	start   time.Duration  // right before ctx is made
	end     time.Duration
	sampled bool
	overran time.Duration
}

// How contexts end, in percent of all calls; the rest do not end. In a storm most are cancelled.
const (
	deadlines, cancels           = 25, 10
	stormDeadlines, stormCancels = 15, 65
	// briefly bounds the time after which a cancel, or a short deadline, comes.
	briefly = 4 * time.Millisecond
	// amply is a deadline that outlasts most faults and not all.
	amply = 3 * time.Second
	// measured is how many calls are measured at a time. When the system holds up a thread, all goroutines behind it
	// are late together; measuring all of them would count that many times.
	measured = 3
)

// call begins a call whose context may end at any moment.
func (l *lane) call() *call {
	deadline, cancel := deadlines, cancels
	if l.round.mode.CancelStorm {
		deadline, cancel = stormDeadlines, stormCancels
	}
	switch n := l.draw.IntN(100); {
	case n < deadline && n%2 == 0:
		return l.deadlineCall(l.soon())
	case n < deadline:
		return l.deadlineCall(amply)
	case n < deadline+cancel:
		c := &call{lane: l, kind: ledger.Cancelled, within: l.soon(), start: l.round.now()}
		c.ctx, c.cancel = context.WithCancel(context.Background())
		cut := time.AfterFunc(c.within, c.cancel)
		cancel := c.cancel
		c.cancel = func() { cut.Stop(); cancel() }
		return c.begin()
	}
	return l.patientCall()
}

func (l *lane) deadlineCall(within time.Duration) *call {
	c := &call{lane: l, kind: ledger.Deadline, within: within, start: l.round.now()}
	c.ctx, c.cancel = context.WithTimeout(context.Background(), within)
	return c.begin()
}

// soon draws when a context ends that ends early: on any scale from a fraction of what a command takes to several times
// as much, so that it meets commands that wait to be written, that were sent, and that are just being answered.
func (l *lane) soon() time.Duration { return l.upTo(briefly >> l.draw.IntN(8)) }

// patientCall begins a call that only CommandTimeout bounds.
func (l *lane) patientCall() *call {
	c := &call{lane: l, kind: ledger.Patient, within: l.round.timeout, start: l.round.now(), ctx: context.Background(), cancel: func() {}}
	return c.begin()
}

// begin returns c, right before the call. Beside some of those whose context ends a bare goroutine waits for the same
// context: what the machine and the runtime add to both is not the client's.
func (c *call) begin() *call {
	if c.kind != ledger.Patient && c.lane.round.measuring.Add(1) <= measured {
		c.bare = make(chan time.Time, 1)
		// Ends with the context, which returned cancels, and waits.
		go func() {
			<-c.ctx.Done()
			c.bare <- time.Now()
		}()
	}
	return c
}

// returned takes the time, right after the call.
func (c *call) returned() {
	now := time.Now()
	if c.kind != ledger.Patient {
		c.lane.round.measuring.Add(-1)
	}
	c.end = now.Sub(c.lane.round.began)
	ended := c.ctx.Err() != nil
	c.cancel()
	if c.bare != nil {
		saw := <-c.bare
		c.sampled, c.overran = ended, now.Sub(saw)
	}
}

// record writes down one operation of the call. What op does not say yet is added, by err.
func (c *call) record(op ledger.Record, err error) {
	op.Lane, op.Ctx, op.Start, op.End = c.lane.number, c.kind, c.start, c.end
	op.Bound = c.start + c.within
	op.Outcome = outcome(err)
	if err != nil {
		var words keyslot.ServerError
		errors.As(err, &words)
		op.Err, op.Got = err.Error(), string(words)
	}
	op.Aborted = errors.Is(err, keyslot.ErrTxAborted)
	if c.sampled { // once for all operations of the call
		op.Sampled, op.Overran = true, c.overran
		c.sampled = false
	}
	c.lane.round.record(op)
}

// outcome is what errors.Is says of err.
func outcome(err error) ledger.Outcome {
	refused, unknown := errors.Is(err, keyslot.ErrNotExecuted), errors.Is(err, keyslot.ErrUnknownOutcome)
	switch {
	case err == nil:
		return ledger.OK
	case refused && unknown:
		return ledger.Both
	case refused:
		return ledger.NotExecuted
	case unknown:
		return ledger.Unknown
	case errors.Is(err, keyslot.Nil):
		return ledger.Nil
	}
	return ledger.Answered
}
