package keyslot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// Watched is what Client.Watch lends to its function: a connection on which keys are being watched. Its methods read,
// at once; what Tx queues runs later, provided that no watched key has changed. Besides Do and Tx they are those of
// command.Commands, but a command that writes or may write (a script or function that is not read-only, a command that
// the table does not know), that waits at the server, or that concerns another slot or several nodes is refused before
// it is sent. It is for one goroutine at a time, and for none after the function has returned.
type Watched struct {
	commands
	session *session
}

// Watch runs fn with keys, which must be in one slot, being watched: the transaction that fn queues on w.Tx and
// executes runs only if none of them has changed since. Otherwise, and if the slot moved meanwhile, Exec fails with
// ErrTxAborted: nothing has run, and the caller calls Watch again, which reads anew. Nothing else is tried again once
// fn has begun. Watch returns what fn returns.
//
// The keys are watched on a connection of their own, until Exec or the end of fn, so fn should not take long. ctx, or
// Options.CommandTimeout where it has no deadline, bounds the time until fn begins, and each command has a ctx of its
// own. When one ends during a command the connection is closed. An error before fn has begun is an *Error and
// ErrNotExecuted. Shutdown waits for fn, so fn must not wait for Shutdown.
func (c *Client) Watch(ctx context.Context, keys []string, fn func(w *Watched) error) error {
	if fn == nil {
		return misuse("WATCH", "the function to run is nil")
	}
	s := &session{keys: slices.Clone(keys)}
	t := *c.terms
	t.idempotent, t.once, t.reads = false, true, Primary // who checks before a write has a reason; only there the keys are watched
	s.terms = &t
	defer s.end(ctx) // also where a function of Trace panics
	if err := s.begin(ctx); err != nil {
		return err
	}
	err := fn(&Watched{commands: command.New(s), session: s})
	s.returned = true
	return err
}

// Tx returns an empty transaction of the watched connection. Its Exec ends the watch, whatever its outcome, unless the
// transaction holds something that cannot be sent: only one can be executed, and nothing be read after it.
func (w *Watched) Tx() *Tx { return newTx(w.session.terms, w.session) }

// Do runs any command that reads on the watched connection, as Client.Do runs it.
func (w *Watched) Do(ctx context.Context, args ...any) (Reply, error) {
	args = marshal(args)
	call := w.session.call()
	call.encode(args)
	if err := w.session.read(ctx, call); err != nil {
		return Reply{}, err
	}
	return call.decode()
}

var (
	errWatchOver  = errors.New("the function given to Watch has returned, and with it what it was lent has ended")
	errWatchSpent = errors.New("the watch has ended with Exec: call Watch again")
	errWatchBusy  = errors.New("another command of the watched connection is under way: it is for one goroutine at a time")
	errUnwatched  = errors.New("the slot is being moved, and only watched keys are known to have arrived: watch this one too")
)

// session is a connection between WATCH and EXEC, at one node for one slot.
type session struct {
	// immutable once begin has returned
	terms  *terms
	keys   []string // being watched
	slot   int
	node   *node
	conn   *wire.Conn
	asking bool // the slot is being moved to the node, which serves it to those who ask

	// of the goroutine that runs the function
	entered  bool // end has to leave
	returned bool // the function has, and did not panic

	mu sync.Mutex
	// guarded by mu
	busy  bool          // a command is under way
	over  error         // why no command may run any more
	clean bool          // nothing is watched any more
	pause time.Duration // before Watch returns
}

// begin finds the slot's node and watches the keys. The attempt loop does it: until WATCH is answered nothing is lost
// by another attempt. end must follow.
func (s *session) begin(ctx context.Context) error {
	call := s.terms.core.begin()
	defer call.release()
	t := *s.terms
	t.idempotent, t.once = true, false // a WATCH whose connection has ended is no watch
	call.terms = &t
	call.Cmd = spec.WATCH.Command()
	call.Request.Arg("WATCH")
	for _, key := range s.keys {
		call.Request.Key(key)
	}
	began := t.began()
	err := s.watch(ctx, call)
	call.report(ctx, began, err)
	return err
}

// watch runs WATCH.
func (s *session) watch(ctx context.Context, call *call) error {
	c := call.terms.core
	if len(s.keys) == 0 {
		return call.refuse(0, "WATCH needs a key")
	}
	asleep := s.terms.wake(ctx)
	if _, err := call.plan(); err != nil {
		return err
	}
	if asleep != nil {
		return call.fail(NotExecuted, asleep)
	}
	_, until, err := call.terms.enter(ctx)
	if err != nil {
		return call.fail(NotExecuted, err)
	}
	s.entered = true
	if err := call.pinByView(); err != nil {
		return err
	}
	call.ownTrouble()
	call.blocks, call.keeps = true, true
	c.run(ctx, until, call.solo.calls[:], nil)
	if call.err != nil {
		return nothingRan(call.err)
	}
	s.slot, s.node, s.conn, s.asking = call.slot, call.node, call.borrowed, call.asking
	return nil
}

// nothingRan corrects the error of a WATCH: it may have been received, but nothing of the caller's has run.
func nothingRan(err error) error {
	var trail *Error
	if errors.As(err, &trail) {
		trail.Outcome = NotExecuted
	}
	return err
}

// end gives the connection back, clean or dead, if there is one.
func (s *session) end(ctx context.Context) {
	if s.entered {
		defer s.terms.core.running.leave()
	}
	if s.conn == nil {
		return
	}
	s.mu.Lock()
	s.over = errWatchOver
	// The function may have left a goroutine behind that is at work here.
	dead, clean, pause := s.busy || !s.returned, s.clean, s.pause
	s.mu.Unlock()
	if dead || !clean && !s.unwatch(ctx) {
		s.conn.Abandon(errGivenUp)
	}
	s.node.giveBack(s.conn)
	if pause > 0 {
		_, _ = s.terms.core.sleep(ctx, time.Time{}, time.Now().Add(pause), nil)
	}
}

// unwatch reports whether the server has forgotten the keys.
func (s *session) unwatch(ctx context.Context) bool {
	call := s.call()
	call.Request.Arg("UNWATCH")
	return ctx.Err() == nil && s.conn.Err() == nil && s.sendOnce(ctx, call) == nil
}

// Begin lends a call that runs on the watched connection.
func (s *session) Begin() *command.Call { return &s.call().Call }

func (s *session) call() *call {
	call := newCall(s.terms.core)
	call.terms = s.terms
	run := func(ctx context.Context) error { return s.read(ctx, call) }
	call.Call = command.NewCall(run, func() {}) // it is not lent again
	return call
}

// read runs a command that reads.
func (s *session) read(ctx context.Context, call *call) error {
	began := call.terms.began()
	err := s.perform(ctx, call)
	call.report(ctx, began, err)
	return err
}

func (s *session) perform(ctx context.Context, call *call) error {
	if err := call.check(); err != nil {
		return err
	}
	splits, err := call.plan()
	switch {
	case err != nil:
		return err
	case call.blocks:
		return call.refuse(0, call.Name()+" waits at the server, while keys are being watched: run it by itself")
	case call.Cmd != nil && call.Cmd.Flags.Has(spec.Write) && !call.Cmd.Repeatable(&call.Request):
		return call.refuse(0, call.Name()+" writes, and would run at once: queue it on Tx")
	case call.isOpaque():
		return call.refuse(0, call.Name()+" may write, and would run at once: queue it on Tx")
	case splits && len(call.Request.Keys()) == 0, call.seeking:
		return call.refuse(0, call.Name()+" runs on several nodes: run it on the Client")
	}
	if err := s.admits(call); err != nil {
		return err
	}
	return s.use(ctx, call, nil)
}

// isOpaque reports whether no flag says what the command does to data: the table does not know it, or it runs a script.
func (call *call) isOpaque() bool {
	return call.Cmd == nil || call.isScript() && !call.onlyReads()
}

// exec runs a transaction, after which nothing is watched any more.
func (s *session) exec(ctx context.Context, call *call) error {
	err := s.use(ctx, call, errWatchSpent)
	call.blame(err)
	return err
}

// admits refuses a planned call that cannot be served where the keys are watched.
func (s *session) admits(call *call) error {
	r := &call.Request
	unwatched := call.hidesKeys()
	everywhere := s.terms.core.isStandalone()
	for _, k := range r.Keys() {
		if slot := int(slotOf(r.At(k))); slot != s.slot && !everywhere {
			return call.refuse(k, fmt.Sprintf("%s is in slot %d and the watched keys in slot %d: %s", call.keyAt(k), slot, s.slot, shareSlot))
		}
		unwatched = unwatched || !slices.Contains(s.keys, string(r.At(k)))
	}
	if call.slot != command.NoSlot && call.slot != s.slot && !everywhere { // only its owner knows a slot's keys
		return call.refuse(0, fmt.Sprintf("it concerns slot %d and the watched keys slot %d: run it on the Client", call.slot, s.slot))
	}
	// A node that is asked takes what has not arrived for what does not exist.
	if s.asking && unwatched {
		s.slowDown(call, tryAgainWait)
		return call.fail(NotExecuted, fmt.Errorf("%w: %w", ErrTxAborted, errUnwatched))
	}
	return nil
}

// use makes the one attempt that a call has on the watched connection. Other calls are refused until it is back; after
// it as well, with spent, unless that is nil.
func (s *session) use(ctx context.Context, call *call, spent error) error {
	switch {
	case ctx == nil:
		return call.fail(NotExecuted, errNilContext)
	case ctx.Err() != nil:
		return call.fail(NotExecuted, ctx.Err())
	}
	s.mu.Lock()
	refusal := s.over
	if refusal == nil && s.busy {
		refusal = errWatchBusy
	}
	if refusal == nil {
		s.busy, s.over = true, spent
	}
	s.mu.Unlock()
	if refusal != nil {
		return call.fail(NotExecuted, refusal)
	}
	err := s.sendOnce(ctx, call)
	s.mu.Lock()
	s.busy = false
	s.clean = s.clean || err == nil && call.tx != nil && call.tx.last.fate == txRan
	s.mu.Unlock()
	return err
}

// sendOnce sends a call and judges its outcome. What could be sent again elsewhere is not, since nothing is watched there.
func (s *session) sendOnce(ctx context.Context, call *call) error {
	c, w := s.terms.core, &call.solo.waiter
	call.slot, call.node, call.asking = s.slot, s.node, s.asking
	until := s.terms.patience(ctx, time.Now())
	w.Expect(1)
	err := c.load(call, until)
	if err == nil {
		err = s.conn.Send(ctx, w, call.solo.wires[:])
	}
	call.await(ctx, err)
	if call.answered() {
		return nil
	}
	if call.solo.wire.Abandoned {
		s.conn.Abandon(errGivenUp)
	}
	v := c.verdictOn(call)
	call.failLast(v, c.isClosed())
	switch {
	case v.action == finish, c.isClosed():
		return call.err
	case v.ask: // until the slot has moved, the next watch may end in the same way
		v.pause = tryAgainWait
	case v.action == follow:
		c.redirect(call.node, v) // for the next WATCH
	}
	s.slowDown(call, v.pause)
	abort(call.err)
	return call.err
}

// abort makes the error of a call one that says to begin anew.
func abort(err error) {
	var trail *Error
	if errors.As(err, &trail) {
		trail.Err = fmt.Errorf("%w: %w", ErrTxAborted, trail.Err)
	}
}

// slowDown keeps those who begin anew at once from doing it in a hurry.
func (s *session) slowDown(call *call, p pause) {
	if p == noPause {
		return
	}
	call.ownTrouble()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause = max(s.pause, call.pacer(p).next())
}
