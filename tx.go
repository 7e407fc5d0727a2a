package keyslot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// Tx collects commands for one slot and runs them as one transaction, MULTI to EXEC: all or none, with no command of
// anybody else in between. It is made by Client.Tx or Watched.Tx, for one goroutine at a time; what it offers besides
// Exec and Do are the methods of command.Queued.
//
//	tx := client.Tx()
//	from, to := tx.Do("DECRBY", "{bank}ann", 5), tx.Do("INCRBY", "{bank}bob", 5)
//	err := tx.Exec(ctx)
//
// There is no rollback: a command that fails while the transaction runs, on a value of the wrong type for instance,
// leaves those around it done. The user needs permission for MULTI: see Exec.
type Tx struct {
	queued
	batch   batch
	session *session // of Client.Watch; nil where the transaction goes over the shared connection
}

// Tx returns an empty transaction. It costs next to nothing: make one for each use, or use one again after Exec.
func (c *Client) Tx() *Tx { return newTx(c.terms, nil) }

func newTx(t *terms, s *session) *Tx {
	tx := &Tx{batch: batch{terms: t}, session: s}
	tx.queued = command.NewQueued(&tx.batch)
	return tx
}

// Do queues any command, as Client.Do runs it. An argument that cannot be sent is the future's error, and keeps the
// transaction from being sent.
func (t *Tx) Do(args ...any) *Future[Reply] { return t.batch.do(&t.queued, args) }

// Exec runs the commands queued since the last Exec as one transaction, and returns when its outcome is known, or soon
// after ctx is done; a ctx without a deadline is bounded by Options.CommandTimeout. It returns nil if all of them
// succeeded. Nil is no failure.
//
// An *Error means that the transaction as a whole failed; every future has an error then, too. Whatever cannot be sent
// is found before anything is: keys of several slots, commands that wait at the server, that run on several nodes, or
// that no transaction may hold, and a transaction without commands. Where the server refuses one of the commands, or
// the slot has moved, nothing has run, and the whole is sent again by the rules for a single command. Sent and
// unanswered, its outcome is unknown; only a transaction that reads, or one of an Idempotent view, is sent again then.
//
// A user who lacks the permission for MULTI has no transactions: the server refuses that word and takes the commands
// behind it, which came in the same write, for single ones. They may have run one by one then, and the outcome is
// unknown. Permit +multi and +exec.
//
// A *PipelineError means that the transaction has run and the listed commands failed in it.
func (t *Tx) Exec(ctx context.Context) error {
	f := t.batch.flight
	if f == nil {
		return &Error{Command: "EXEC", Slot: command.NoSlot, Outcome: NotExecuted, Err: errEmptyTx}
	}
	t.batch.flight = nil
	defer f.release()
	began := t.batch.terms.began()
	asleep := t.batch.terms.wake(ctx)
	call := t.batch.terms.begin()
	defer f.releaseTx(call)
	err := t.perform(ctx, f, call, asleep)
	err = cmp.Or(err, f.settle(&t.queued))
	f.report(ctx, call.terms, began, call, err)
	return err
}

// perform runs the queued commands as one transaction, the call. An error is that of all of them. asleep is why a Lazy
// client has no map yet.
func (t *Tx) perform(ctx context.Context, f *flight, call *call, asleep error) error {
	err := f.transact(call, t.session)
	if err == nil && asleep != nil {
		err = call.fail(NotExecuted, asleep)
	}
	if err == nil {
		err = t.run(ctx, call)
	}
	if err == nil {
		err = call.tx.distribute(call)
	}
	if err != nil {
		for i := range f.queued {
			f.at(i).err = cmp.Or(f.at(i).err, err)
		}
	}
	return err
}

var (
	errEmptyTx = errors.New("the transaction has no commands: queue some before Exec")
	errNotATx  = errors.New("the replies to a transaction are not those of one, so no reply of their connection can be trusted")
)

// run brings a transaction to its outcome.
func (t *Tx) run(ctx context.Context, call *call) error {
	if t.session != nil {
		return t.session.exec(ctx, call)
	}
	c := call.terms.core
	now, until, err := call.terms.enter(ctx)
	if err != nil {
		return call.fail(NotExecuted, err)
	}
	defer c.running.leave()
	call.solo.waiter.Now = now
	if err := call.pinByView(); err != nil {
		return err
	}
	c.run(ctx, until, call.solo.calls[:], nil)
	call.blame(call.err)
	return call.err
}

// transaction is the commands of a flight as one call: MULTI, the commands, EXEC.
type transaction struct {
	flight *flight
	reads  bool // all commands do nothing but read
	last   txReply
}

// transact makes call a transaction of the queued commands. An error means that one of them cannot be sent, so none is.
func (f *flight) transact(call *call, s *session) error {
	call.Request.Arg("EXEC") // for its name: what is sent is built below
	call.ownTrouble()
	tx := &transaction{flight: f, reads: true}
	call.tx = tx
	var first error
	for i := range f.queued {
		part := f.at(i)
		part.err = part.checkQueued(call.slot)
		if part.err == nil && s != nil {
			part.err = s.admits(part)
		}
		if part.err != nil && first == nil {
			first = cannotBeSent(part, i)
		}
		if call.slot == command.NoSlot {
			call.slot = part.slot
		}
		tx.reads = tx.reads && part.Cmd != nil && part.Cmd.Repeatable(&part.Request)
	}
	if first != nil {
		return call.fail(NotExecuted, first)
	}
	batch, size := append(make([][]byte, 0, f.queued+2), multi), len(multi)+len(exec)
	for i := range f.queued {
		batch = append(batch, f.at(i).Request.Frame())
		size += len(batch[i+1])
	}
	batch = append(batch, exec)
	// Copied, for the connection may look into it when the flight's memory is somebody else's.
	request := make([]byte, 0, size)
	for i, one := range batch {
		from := len(request)
		request = resp.Append(request, one)
		batch[i] = request[from:]
	}
	call.solo.wire.Request = request // by which it is remembered if the reply is large
	call.solo.wire.Batch = batch
	return nil
}

// cannotBeSent is what a queued command that has an error means for those around it.
func cannotBeSent(call *call, index int) error {
	return fmt.Errorf("%s, at index %d, cannot be sent: %w", call.Name(), index, errors.Unwrap(call.err))
}

var (
	multi = resp.AppendBulk(resp.AppendArray(nil, 1), "MULTI")
	exec  = resp.AppendBulk(resp.AppendArray(nil, 1), "EXEC")
)

// checkQueued refuses what cannot be part of a transaction in slot, which may be any if it is NoSlot.
func (call *call) checkQueued(slot int) error {
	if err := call.check(); err != nil {
		return err
	}
	if call.Cmd != nil && call.Cmd.Flags.Has(spec.NoMulti) {
		return call.refuse(0, call.Name()+" is not allowed in a transaction: run it by itself")
	}
	splits, err := call.plan()
	keys := call.Request.Keys()
	switch {
	case err != nil:
		return err
	case call.blocks:
		return call.refuse(0, call.Name()+" would not wait in a transaction: run it by itself")
	case splits && len(keys) == 0, call.seeking:
		return call.refuse(0, call.Name()+" runs on several nodes, a transaction on one: run it by itself")
	case call.terms.core.isStandalone():
		return nil
	case splits && slot == command.NoSlot:
		slot = int(slotOf(call.Request.At(keys[0])))
	}
	if k, got := call.strayKey(slot); k > 0 && slot != command.NoSlot {
		return call.refuse(k, fmt.Sprintf("%s is in slot %d and the transaction in slot %d: %s", call.keyAt(k), got, slot, shareSlot))
	}
	if len(keys) == 0 && slot != command.NoSlot && call.slot != command.NoSlot && call.slot != slot {
		return call.refuse(0, fmt.Sprintf("it concerns slot %d and the transaction slot %d", call.slot, slot))
	}
	return nil
}

// releaseTx ends a call that was a transaction, of which the commands were parts.
func (f *flight) releaseTx(call *call) {
	for i := range f.queued {
		f.at(i).Frame = nil // it is memory of call
	}
	if out := &call.solo.wire; !out.Abandoned {
		out.Request, out.Batch, out.Replies = nil, nil, nil
	}
	call.release()
}

// blame says in the error of a transaction which command the server refused, if that is why it failed.
func (call *call) blame(err error) {
	tx := call.tx
	var trail *Error
	if tx.last.refusal == "" || tx.last.by > tx.flight.queued || call.lost != nil || isPatience(err) || !errors.As(err, &trail) {
		return
	}
	what := "MULTI was refused"
	switch {
	case tx.last.by > 0:
		what = call.asker().Name() + " was refused"
	case tx.last.fate == txUnsure:
		what += ", and the commands may have run one by one"
	}
	trail.Err = fmt.Errorf("%s: %w", what, trail.Err)
}

// asker returns the command that the last answer was for: of a transaction, the one that was refused.
func (call *call) asker() *call {
	if tx := call.tx; tx != nil && tx.last.by > 0 && tx.last.by <= tx.flight.queued {
		return tx.flight.at(tx.last.by - 1)
	}
	return call
}

// distribute gives the commands of a transaction that was answered their parts of the reply. It fails where the
// transaction did not run as one.
func (tx *transaction) distribute(call *call) error {
	last := &tx.last
	elems, ok := resp.Open(last.exec)
	switch {
	case last.fate == txUnsure:
		err := call.fail(Unknown, call.asker().serverError(last.refusal))
		call.blame(err)
		return err
	case last.fate == txRan && resp.KindOf(last.exec) == resp.Null:
		return call.fail(NotExecuted, ErrTxAborted)
	case last.fate != txRan || !ok || elems.Left() != tx.flight.queued:
		call.via.Condemn(errNotATx)
		return call.fail(Unknown, errNotATx)
	}
	for i := range tx.flight.queued {
		part := tx.flight.at(i)
		part.node, part.attempts = call.node, call.attempts
		frame, ok := elems.Next()
		if ok && !resp.IsError(frame) {
			part.Frame = frame
			continue
		}
		text, _ := resp.Payload(frame)
		part.err = part.fail(part.judgeRefusal(frame).executed, part.serverError(refusalText(text)))
	}
	return nil
}

// judgeRefusal tells what an error reply means for a command that may not be sent again by itself.
func (call *call) judgeRefusal(reply []byte) verdict {
	text, _ := resp.Payload(reply)
	return classify(attempt{slot: command.NoSlot, script: call.isScript(), reads: call.onlyReads(), refusal: string(text)})
}

// txReply is what a server said to MULTI, the commands and EXEC.
//
//	+OK      +QUEUED +QUEUED   *2 ..., or null    it ran, or not because a watched key had changed
//	+OK      +QUEUED -MOVED    -EXECABORT         nothing ran, for one was refused
//	+OK      +QUEUED +QUEUED   -MOVED, -EXECABORT nothing ran, for EXEC was refused
//	+OK      +QUEUED +QUEUED   -ERR ...           who knows: something between here and the server may say so of a lost connection
//	-NOPERM  :1      $5 value  -ERR, -NOPERM      MULTI was refused: each ran by itself
type txReply struct {
	fate    txFate
	exec    []byte // the reply to EXEC
	refusal string // the first error
	by      int    // which reply that was: 0 is MULTI's, the last EXEC's
}

// txFate is what became of a transaction.
type txFate uint8

const (
	txRan     txFate = iota // or a watched key had changed
	txRefused               // nothing ran, and nothing will
	txUnsure                // commands have run, or may have: MULTI was refused, or EXEC failed in words that prove nothing
	txStrange               // these are not the replies to a transaction
)

// read finds out what became of a transaction that got its replies.
func (tx *transaction) read(frames [][]byte) txFate {
	n := tx.flight.queued
	tx.last = txReply{exec: frames[n+1]}
	begun, multiFailed := tx.note(0, frames[0], "OK")
	orderly, refused := true, true // each command was queued or refused; each was refused
	for i, frame := range frames[1 : n+1] {
		queued, failed := tx.note(i+1, frame, "QUEUED")
		orderly = orderly && (queued || failed)
		refused = refused && failed && tx.flight.at(i).judgeRefusal(frame).executed == NotExecuted
	}
	last := &tx.last
	_, execFailed := tx.note(n+1, last.exec, "")
	switch {
	case last.refusal == "" && begun && orderly:
		last.fate = txRan
	case execFailed && (begun && orderly && isExecRefusal(last.exec) || multiFailed && refused):
		last.fate = txRefused
	case execFailed && (begun && orderly || multiFailed):
		last.fate = txUnsure
	default:
		last.fate = txStrange
	}
	return last.fate
}

// isExecRefusal reports whether an error reply to EXEC proves that nothing ran. Whether a redirect does is
// judged with the slot.
func isExecRefusal(reply []byte) bool {
	text, _ := resp.Payload(reply)
	switch code, _, _ := strings.Cut(string(text), " "); code {
	case "EXECABORT", "MOVED", "ASK":
		return true
	}
	return classify(attempt{slot: command.NoSlot, refusal: string(text)}).executed == NotExecuted
}

// note reports whether reply number i is the text that it should be, and whether it is an error. The first error is the
// reason for those behind it.
func (tx *transaction) note(i int, frame []byte, want string) (asWanted, failed bool) {
	text, _ := resp.Payload(frame)
	if !resp.IsError(frame) {
		return resp.KindOf(frame) == resp.SimpleString && string(text) == want, false
	}
	if tx.last.refusal == "" {
		reason, _ := strings.CutPrefix(refusalText(text), "EXECABORT Transaction discarded because of: ")
		tx.last.refusal, tx.last.by = strings.TrimPrefix(reason, "-"), i
	}
	return false, true
}
