package wire

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Call is one command on its way: the bytes to send and a place for the reply. A Call belongs to its caller until Send
// and again once Wait has returned; in between only the connection touches it.
//
// A call that its caller gave up while the server still owes the reply (Abandoned) stays in the connection's queue, so
// that the reply is thrown away when it comes: it must never be sent again or reused, not even once the connection is
// dead.
type Call struct {
	// set by the caller before Send
	Request []byte // one encoded command, or several that nothing may come between; copied by Send
	Replies int32  // how many replies a request of several commands gets; 0 where it is one
	Asking  bool   // send ASKING in front, in the same write
	Movable bool   // GiveBack may return it unanswered

	// What whoever reads looks at, next to each other: with many calls in flight most of its time goes into fetching them.
	Reply  []byte  // the outcome: one complete frame, or Replies of them in a row; in the call's own memory, which the next Send uses again
	state  state   // guarded by conn.mu
	skip   int32   // guarded by conn.mu: replies (to ASKING, and all but the last of Replies) still to come before the last one
	end    int64   // guarded by conn.mu: where the request ends in the stream
	waiter *Waiter // set by Send
	conn   *Conn   // set by Send
	size   int     // guarded by conn.mu: bytes the request takes in the stream, ASKING included

	// the outcome without a reply, read by the caller after Wait
	Err       error // why there is none
	Sent      bool  // with Err: every byte of the request was accepted by Write, so the command may run
	Abandoned bool  // with Err: the connection may still touch the call

	Deadline time.Time // set by the caller: when to give up on behalf of one whose context has no deadline; zero: never
}

// state says who may write a call's outcome: a pending one is claimed by whoever completes it, or abandoned by its caller.
type state uint8

const (
	unsent state = iota
	pending
	claimed
	abandoned
)

// Via returns the connection that the call was last sent on.
func (c *Call) Via() *Conn { return c.conn }

// claim makes the claimant the only one that may write the call's outcome. conn.mu is held.
func (c *Call) claim() bool {
	if c.state != pending {
		return false
	}
	c.state = claimed
	return true
}

// expect prepares the call for the replies to its request, and to ASKING in front of it.
func (c *Call) expect() {
	c.skip = 0
	if c.Replies > 1 {
		c.skip, c.Reply = c.Replies-1, c.Reply[:0]
	}
	if c.Asking {
		c.skip++
	}
}

// gather takes a reply before the last one. That to ASKING is dropped (if it was refused, the command's own reply will say so),
// and so are those to a tombstone. It reports whether the reply can be the one that was due. conn.mu is held, so that nobody else
// settles the call meanwhile; what comes before the last reply is short.
func (c *Call) gather(frame []byte) (plausible bool) {
	c.skip--
	if c.skip < c.Replies-1 {
		c.Reply = append(c.Reply, frame...)
		return true
	}
	kind := resp.KindOf(frame)
	return !c.Asking || kind == resp.SimpleString || kind == resp.SimpleError || kind == resp.BulkError
}

// finish hands a claimed call back to its caller. Nothing may touch the call after it.
func (c *Call) finish() { c.waiter.done(1) }

// Waiter is what one caller waits on: all calls it sent together, over any number of connections.
// The zero Waiter is ready; it may be reused after Wait.
type Waiter struct {
	// Prompt is set by a caller that sends one call and then waits at once. On a connection that nobody else uses it writes and
	// reads for itself; until it waits nothing may be sent.
	Prompt bool
	// Now is when the caller last looked at the clock, a moment ago, for Send to see whether the process has stood still since
	// the replies that are due were asked for. Zero, which Wait leaves behind: Send looks for itself.
	Now time.Time

	left  atomic.Int32
	ready chan struct{}
	reads *Conn // set by Send: the connection that Wait reads
}

// Expect says that n more calls will be sent with this waiter. It must be called for all of them before the first Send:
// calls completed so far would end the wait.
func (w *Waiter) Expect(n int) {
	if w.ready == nil {
		w.ready = make(chan struct{}, 1)
	}
	w.left.Add(int32(n))
}

// Withdraw takes back n expected calls that Send refused.
func (w *Waiter) Withdraw(n int) { w.done(n) }

func (w *Waiter) done(n int) {
	if n > 0 && w.left.Add(int32(-n)) == 0 { // nothing must not signal a second time
		w.ready <- struct{}{}
	}
}

func (w *Waiter) now() time.Time {
	if w.Now.IsZero() {
		return time.Now()
	}
	return w.Now
}

// Wait returns when every expected call has its outcome, or soon after ctx is done: then each call still unanswered gets
// ctx's error and whether it was sent. calls are those that were expected with this waiter; withdrawn ones stay as they are.
func (w *Waiter) Wait(ctx context.Context, calls []*Call) {
	w.Now = time.Time{}
	if conn := w.reads; conn != nil {
		w.reads = nil
		conn.exchange(ctx, w)
		defer conn.leave()
	}
	if ctx.Done() == nil {
		<-w.ready
		return
	}
	select {
	case <-w.ready:
		return
	case <-ctx.Done():
	}
	given := 0
	for _, call := range slices.Backward(calls) { // if a write comes in between, the first of a batch are sent, not the last
		if call.conn != nil && call.conn.giveUp(call, ctx.Err()) {
			given++
		}
	}
	// A call that could not be given up is complete or being completed this moment. Its completer saw the given ones
	// still counted, so it signals only if this subtraction leaves it something to signal.
	if given == 0 || w.left.Add(int32(-given)) > 0 {
		<-w.ready
	}
}
