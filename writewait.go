package keyslot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// WriteAndWait runs the commands that queue puts into its pipeline, all for one slot, followed by WAIT on the same
// connection, and returns how many replicas have acknowledged them. The server waits until that many replicas have
// acknowledged or timeout is over; a part of a millisecond is rounded up. A timeout of 0 has no end: then only ctx ends
// the call. Otherwise, where ctx has no deadline, it takes timeout and Options.CommandTimeout together at most. It is
// safe for concurrent use.
//
// acked counts those replicas of the node that ran the commands which said in time that they have received them, not
// that they are on a disk. Fewer than were asked for is no error: the writes stand, and go on to the replicas. Nor is a
// write safe that all have acknowledged: a failover may still choose another replica, if not so easily. Where a
// redirect took some of the commands to another node, acked is the smaller number.
//
// The futures have the replies, as after Pipeline.Exec, and a command that fails fails as there, in a *PipelineError;
// that the commands ran and acked is not known is one too, with the failure of WAIT as its last part. Commands are
// redirected and sent again as in a pipeline, always with a WAIT behind them. Before anything is sent, one
// *PipelineError refuses all of them if one has no key, one of another slot, or waits at the server.
//
// The primary answers reads too, whatever policy a view c has.
//
// If queue fails, nothing is sent and its error is returned. It leaves Exec to WriteAndWait: the pipeline refuses that.
// The connection is borrowed from those for blocking commands.
func (c *Client) WriteAndWait(ctx context.Context, replicas int, timeout time.Duration, queue func(p *Pipeline) error) (acked int64, err error) {
	switch {
	case replicas < 0 || timeout < 0:
		return 0, misuse("WAIT", fmt.Sprintf("%d replicas and a timeout of %v: neither can be negative", replicas, timeout))
	case queue == nil:
		return 0, misuse("WAIT", "the function that queues commands is nil")
	}
	var lent struct {
		Pipeline
		own batch // apart from the pipeline's, where Exec finds nothing to send without a WAIT
	}
	p := &lent.Pipeline
	lent.own.terms = c.terms
	p.queueIn(&lent.own)
	err = queue(p)
	f := lent.own.flight
	if f == nil {
		return 0, cmp.Or(err, error(&Error{Command: "WAIT", Slot: command.NoSlot, Outcome: NotExecuted, Err: errNothingQueued}))
	}
	lent.own.flight = nil
	defer f.release()
	if err != nil {
		return 0, err
	}
	f.ordered, f.wait = p.ordered, &waiting{replicas: replicas, timeout: timeout, acked: -1}
	began := c.terms.began()
	f.execAndWait(ctx, *c.terms)
	total, failed := f.queued, f.settleEach(&p.queued)
	if f.wait.err != nil {
		failed = append(failed, command.Part{Index: total, Node: nodeOf(f.wait.err), Err: f.wait.err})
		total++
	}
	if failed != nil {
		err = command.NewPipelineError(total, failed, f.isRepeatable())
	}
	f.report(ctx, c.terms, began, nil, err)
	return max(f.wait.acked, 0), err
}

// waiting is what a flight needs to let WAIT follow its calls.
type waiting struct {
	// immutable once the flight is sent
	replicas int
	timeout  time.Duration
	until    time.Time // when the timeout is over; zero: never

	acked int64 // the smallest answer to a WAIT behind commands that ran; -1: there was no such WAIT
	err   error // why one of them has no answer
}

// errNothingQueued is no success: it would look as if no replica had acknowledged.
var errNothingQueued = errors.New("nothing was queued: queue commands, and leave Exec to WriteAndWait")

// execAndWait brings every command queued to its outcome.
func (f *flight) execAndWait(ctx context.Context, t terms) {
	now, until, err := t.enter(ctx)
	if err != nil {
		f.refuseAll(err)
		return
	}
	defer f.core.running.leave()
	f.waiter.Now = now
	t.reads = Primary // WAIT counts the replicas of the node that ran the commands
	if err := f.planForOneSlot(&t); err != nil {
		f.refuseAll(err)
		return
	}
	if w := f.wait; w.timeout == 0 {
		until = time.Time{} // for ever, where ctx does not say otherwise
	} else {
		w.until = now.Add(w.timeout)
		if !until.IsZero() {
			until = until.Add(w.timeout)
		}
	}
	f.core.run(ctx, until, f.calls, f)
}

// refuseAll ends the commands queued that have no error of their own.
func (f *flight) refuseAll(cause error) {
	e := ending{cause: cause, passes: passes(cause), calls: f.queued}
	for i := range f.queued {
		call := f.at(i)
		if call.err == nil {
			if call.err = call.check(); call.err == nil {
				call.err = e.next(call, NotExecuted)
			}
		}
	}
}

// planForOneSlot routes the commands queued to the slot of the first one's key. Those that may not be sent have their
// error, and the first of them is why the others are not sent either.
func (f *flight) planForOneSlot(t *terms) (first error) {
	slot := command.NoSlot
	for i := range f.queued {
		call := f.at(i)
		call.terms = t
		if call.err = call.planForSlotOf(slot); call.err == nil {
			slot = call.slot
			f.calls = append(f.calls, call)
		} else if first == nil {
			first = cannotBeSent(call, i)
		}
	}
	return first
}

// planForSlotOf routes a command that must have a key in slot, or in any one if that is NoSlot.
func (call *call) planForSlotOf(slot int) error {
	if err := call.check(); err != nil {
		return err
	}
	if len(call.Request.Keys()) == 0 {
		if err := call.findKeys(); err != nil {
			return err
		}
	}
	keys := call.Request.Keys()
	if len(keys) == 0 && !call.hidesKeys() {
		return call.refuse(0, call.Name()+" has no key, and what WriteAndWait runs is for one slot")
	}
	if call.terms.to == nil {
		call.terms.to = slotRoute(slotOf(call.Request.At(keys[0])))
	}
	if slot != command.NoSlot && !call.terms.core.isStandalone() {
		if k, got := call.strayKey(slot); k > 0 { // plan would speak of a view
			return call.refuse(k, elsewhereThan(call.keyAt(k), slot, got))
		}
	}
	_, err := call.plan()
	switch {
	case err != nil:
		return err
	case call.blocks:
		return call.refuse(0, call.Name()+" waits at the server and would hold up WAIT: run it by itself")
	case slot != command.NoSlot && call.slot != slot && !call.terms.core.isStandalone(): // nobody knows where the key is
		return call.refuse(0, elsewhereThan("its key", slot, call.slot))
	}
	return nil
}

func elsewhereThan(key string, slot, got int) string {
	return fmt.Sprintf("%s is in slot %d and the first one in slot %d, and WriteAndWait is for one slot: %s", key, got, slot, shareSlot)
}

// sendAndWait is send for calls that WAIT follows. It counts the replicas of its connection's last write, so they have
// one of their own, and go there in one write:
//
//	INCR a, SET a:at 7, WAIT 1 500   ->   :8, +OK, :1
//
// Calls that were redirected elsewhere go there after those that were not.
func (f *flight) sendAndWait(ctx context.Context, until time.Time, calls []*call) {
	var nodes []*node
	f.routes = f.core.routes.Load()
	for _, call := range calls {
		if _, err := f.core.aim(f.routes, call, f); err != nil {
			call.unsent(err)
		} else if !slices.Contains(nodes, call.node) {
			nodes = append(nodes, call.node)
		}
	}
	for _, n := range nodes {
		f.waitAt(ctx, until, n, calls)
	}
}

// waitAt sends those of the calls that go to n, and WAIT.
func (f *flight) waitAt(ctx context.Context, until time.Time, n *node, calls []*call) {
	f.clearAttempt()
	all := f.newBundle(nil)
	wait := f.waitCall(n, calls[0].terms)
	sent := slices.DeleteFunc(append(slices.Clone(calls), wait), func(call *call) bool { return call.node != n })
	for _, call := range sent {
		f.put(all, call, call.encoded(), until)
	}
	batches := all.batches
	w := &f.waiter
	w.Prompt = false
	w.Expect(len(batches))
	conn, err := n.sendDedicated(ctx, until, f.routes, w, batches)
	if err != nil {
		for _, b := range batches {
			b.Refuse(err)
		}
		w.Withdraw(len(batches))
	}
	w.Wait(ctx, batches)
	f.deal(sent)
	if err == nil {
		n.giveBack(conn)
	}
	ran := slices.ContainsFunc(calls, func(call *call) bool { return call.node == n && call.answered() })
	if ran {
		f.wait.note(wait)
	}
}

// waitCall returns the call of a WAIT that begins now.
func (f *flight) waitCall(n *node, t *terms) *call {
	rest := f.wait.timeout
	if !f.wait.until.IsZero() {
		rest = max(time.Until(f.wait.until), 1) // 0 would be for ever
	}
	wait := f.call()
	wait.Cmd = spec.WAIT.Command()
	wait.terms, wait.node, wait.attempts = t, n, 1
	f.begin(&wait.Request)
	wait.Request.Arg("WAIT")
	wait.Request.ArgInt(int64(f.wait.replicas))
	wait.Request.ArgMillis(rest)
	return wait
}

// note is told how a WAIT behind commands that ran has ended.
func (w *waiting) note(wait *call) {
	n, ok := resp.Int(wait.Frame)
	switch {
	case !wait.answered():
		wait.ownTrouble()
		wait.failLast(classify(wait.lastAttempt()), wait.terms.core.isClosed())
	case !ok:
		wait.err = wait.fail(Answered, errUnlike)
	}
	if w.acked < 0 || n < w.acked {
		w.acked = n
	}
	w.err = cmp.Or(w.err, wait.err)
}
