package keyslot

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

// What Trace.Called is told is gathered from calls when they have ended, and only where it is set.

const (
	// maxSteps is how many steps of one call are kept, and maxAllSteps how many of one event: what nobody serves is
	// tried a hundred times.
	maxSteps    = 8
	maxAllSteps = 32
)

// The batches that CallEvent names.
const (
	pipelineBatch    = "PIPELINE"
	transactionBatch = "MULTI"
)

// began returns the time if somebody is told of what begins now; else zero.
func (t *terms) began() (now time.Time) {
	if t.called != nil {
		now = time.Now()
	}
	return now
}

// emit completes an event and tells of it.
func (t *terms) emit(ctx context.Context, began time.Time, e CallEvent) {
	e.Start, e.Duration = began, time.Since(began)
	if ctx == nil { // for which the call has failed: who is told need not look
		ctx = context.Background()
	}
	t.called(ctx, e)
}

// execReported is exec where Trace.Called wants to know.
func (call *call) execReported(ctx context.Context) error {
	began := time.Now()
	err := call.perform(ctx)
	call.report(ctx, began, err)
	return err
}

// report tells Trace.Called of a single command that has ended with err.
func (call *call) report(ctx context.Context, began time.Time, err error) {
	if call.terms.called == nil {
		return
	}
	e := CallEvent{
		Command: call.title(), Size: 1, Slot: call.slot,
		Attempts: int(call.attempts), Redirects: call.redirects, Steps: call.steps, Err: err,
	}
	if n := call.lastNode(); n != nil {
		e.Node = n.addr()
	}
	call.terms.emit(ctx, began, e)
}

// report tells Trace.Called of a batch whose commands were queued in the flight, as calls of their own or in one transaction.
func (f *flight) report(ctx context.Context, t *terms, began time.Time, tx *call, err error) {
	if t.called == nil {
		return
	}
	e := CallEvent{Command: f.title(), Batch: pipelineBatch, Size: f.queued, Err: err}
	s := summary{slot: command.NoSlot}
	if tx != nil {
		e.Batch = transactionBatch
		s.add(tx)
	} else {
		s.addAll(f)
	}
	e.Slot, e.Attempts, e.Redirects, e.Steps = s.slot, int(s.attempts), s.redirects, s.inOrder()
	if s.node != nil {
		e.Node = s.node.addr()
	}
	t.emit(ctx, began, e)
}

// title is the name of the command as CallEvent says it.
func (call *call) title() string {
	call.identify() // it was refused, perhaps, before that
	return strings.ToUpper(call.Name())
}

// title is the name that all commands queued have; empty where they differ.
func (f *flight) title() string {
	first := f.at(0)
	for i := 1; i < f.queued; i++ {
		if call := f.at(i); call.Cmd != first.Cmd || first.Cmd == nil && call.title() != first.title() {
			return ""
		}
	}
	return first.title()
}

// lastNode returns the node that answered, or was tried last; nil if none was.
func (call *call) lastNode() *node { return cmp.Or(call.node, call.tried) }

// noteStep keeps why an attempt is to be made again, if anybody is told.
func (call *call) noteStep(reason string) {
	if call.terms.called == nil || len(call.steps) == maxSteps {
		return
	}
	call.ownTrouble()
	s := CallStep{At: time.Now(), Reason: reason}
	if call.node != nil {
		s.Node = call.node.addr()
	}
	call.steps = append(call.steps, s)
}

// summary is what became of several calls together.
type summary struct {
	calls     int
	node      *node // of all of them; else nil
	slot      int   // likewise, else NoSlot
	attempts  int32
	redirects int
	steps     []CallStep
}

// addAll adds the calls of a flight and the parts of those that were split.
func (s *summary) addAll(f *flight) {
	calls := f.lent
	if f.wait != nil { // behind those is WAIT, which the program did not queue
		calls = f.queued
	}
	for i := range calls {
		s.add(f.at(i))
	}
}

// add adds a call, unless nothing became of it: it was refused at once, or split.
func (s *summary) add(call *call) {
	if call.attempts == 0 && call.steps == nil {
		return
	}
	n := call.lastNode()
	s.calls++
	if s.calls == 1 {
		s.node, s.slot = n, call.slot
	}
	if s.node != n {
		s.node = nil
	}
	if s.slot != call.slot {
		s.slot = command.NoSlot
	}
	s.attempts += call.attempts
	s.redirects += call.redirects
	s.steps = append(s.steps, call.steps...)
}

// inOrder returns the first steps of all.
func (s *summary) inOrder() []CallStep {
	slices.SortStableFunc(s.steps, func(a, b CallStep) int { return a.At.Compare(b.At) })
	return s.steps[:min(len(s.steps), maxAllSteps)]
}

// sumUp makes what became of the parts of a split command what became of the command, for report.
func (call *call) sumUp(f *flight) {
	s := summary{}
	s.addAll(f)
	call.ownTrouble()
	call.node, call.tried, call.attempts, call.redirects, call.steps = s.node, nil, s.attempts, s.redirects, s.inOrder()
}

// follows adds what became of an earlier call for the same purpose to what became of this one, for report.
func (call *call) follows(before *summary) {
	if call.terms.called == nil {
		return
	}
	before.add(call)
	call.ownTrouble()
	call.attempts, call.redirects, call.steps = before.attempts, before.redirects, before.inOrder()
}
