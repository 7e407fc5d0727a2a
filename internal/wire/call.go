package wire

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Call is what is sent at once and waited for as a whole, a command or a batch of them: the bytes to send and a place
// for the replies. A Call belongs to its caller until Send, or Offer, and again once Wait has returned; in between only
// the connection touches it.
//
// A call that its caller gave up while the server still owes a reply (Abandoned) stays in the connection's queue, so
// that the reply is thrown away when it comes: neither it nor its requests may ever be used again, not even once the
// connection is dead.
type Call struct {
	// set by the caller before it is sent
	Request []byte   // one encoded command; copied when it is sent
	Batch   [][]byte // or several, that nothing comes between; likewise. Request, if any, is only what OnLarge is told then
	Asking  bool     // send ASKING in front, in the same write
	Movable bool     // GiveBack may return it unanswered, or unsent

	// What whoever reads looks at, next to each other: with many calls in flight most of its time goes into fetching them.
	Reply  []byte  // the outcome: one complete frame; in the call's own memory, which is used again when it is next sent
	state  state   // guarded by conn.mu
	owing  int32   // guarded by conn.mu: replies still to come, that to ASKING included
	end    int64   // guarded by conn.mu: where the request ends in the stream
	waiter *Waiter // set when it is sent
	conn   *Conn   // set when it is sent
	size   int     // guarded by conn.mu: bytes the request takes in the stream, ASKING included

	// Replies is the outcome of a Batch: a frame for each of its commands; with Err for the first of them, as many as
	// had been answered. Up to OwnReply bytes they are in memory of Reply.
	Replies [][]byte

	// the outcome without a reply, read by the caller after Wait
	Err       error // why there is none
	Sent      bool  // with Err: every byte of the request was accepted by Write, so the command may run
	Accepted  int   // with Err, of a Batch: how many commands were accepted whole, and so may run
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

// Commands returns how many commands the call is.
func (c *Call) Commands() int {
	if c.Batch == nil {
		return 1
	}
	return len(c.Batch)
}

// isLarge reports whether one of its commands is.
func (c *Call) isLarge() bool {
	for i := range c.Commands() {
		if len(c.command(i)) >= Large {
			return true
		}
	}
	return false
}

// command returns the encoded command at index.
func (c *Call) command(index int) []byte {
	if c.Batch == nil {
		return c.Request
	}
	return c.Batch[index]
}

// length returns how many bytes the commands are.
func (c *Call) length() (bytes int) {
	for i := range c.Commands() {
		bytes += len(c.command(i))
	}
	return bytes
}

// commandsOwed returns how many of the commands have no reply yet. conn.mu is held.
func (c *Call) commandsOwed() int { return min(int(c.owing), c.Commands()) }

// isAsked reports whether the reply that is due is that to ASKING. conn.mu is held.
func (c *Call) isAsked() bool { return int(c.owing) > c.Commands() }

// isOfAsking reports whether frame can be the reply to ASKING. If that was refused, the command's own reply will say so.
func isOfAsking(frame []byte) bool {
	return resp.KindOf(frame) == resp.SimpleString || resp.IsError(frame)
}

// lose settles a call without a reply, or a batch without all of them: cause is why, and accepted up to where Write has
// taken the stream. conn.mu is held.
func (c *Call) lose(cause error, accepted int64) {
	c.Err, c.Sent = cause, c.end <= accepted
	c.Accepted = 0
	for rest := accepted - c.end + int64(c.length()); c.Accepted < c.Commands(); c.Accepted++ {
		rest -= int64(len(c.command(c.Accepted)))
		if rest < 0 {
			break
		}
	}
}

const (
	// OwnReply is the longest reply of a batch, in bytes, that shares memory with others: whoever keeps a longer one
	// keeps nothing else, and has it without another copy (mget4k and pipe4k of benchmarks/).
	OwnReply = 2 << 10
	// replyBlock is the most memory that such replies share, of which no more than keptAtOnce is left unused.
	replyBlock = 64 << 10
	keptAtOnce = 16 << 10
)

// gather keeps replies to the next commands of a batch: they end at ends in buf, and the first one begins at from.
func (c *Call) gather(conn *Conn, buf []byte, from int, ends []int) {
	for len(ends) > 0 {
		n := short(from, ends)
		if n == 0 {
			n = 1
			c.Replies = append(c.Replies, conn.ownFrame(buf[from:ends[0]:ends[0]], nil))
		} else {
			c.keep(buf, from, ends[:n])
		}
		from, ends = ends[n-1], ends[n:]
	}
}

// short returns how many of the frames, the first ones, share memory and are copied at once.
func short(from int, ends []int) (n int) {
	first := from
	for ; n < len(ends) && ends[n]-from <= OwnReply && ends[n]-first <= keptAtOnce; n++ {
		from = ends[n]
	}
	return n
}

// keep copies replies into the call's memory. Those that no longer fit begin new memory; the old stays with the replies in it.
func (c *Call) keep(buf []byte, from int, ends []int) {
	size := ends[len(ends)-1] - from
	if size > cap(c.Reply)-len(c.Reply) {
		c.Reply = resp.Room(max(size, min(2*cap(c.Reply), replyBlock), 1<<10))
	}
	moved := len(c.Reply) - from
	c.Reply = append(c.Reply, buf[from:from+size]...)
	for _, end := range ends {
		c.Replies = append(c.Replies, c.Reply[from+moved:end+moved:end+moved])
		from = end
	}
}

// Refuse gives a call that no connection has taken the outcome that it was not sent, and why.
func (c *Call) Refuse(why error) {
	c.conn, c.Err, c.Sent, c.Accepted, c.Replies = nil, why, false, 0, c.Replies[:0]
}

// finish hands a claimed call back to its caller. Nothing may touch the call after it.
func (c *Call) finish() { c.waiter.done(1) }

// Waiter is what one caller waits on: all calls it sent together, over any number of connections.
// The zero Waiter is ready; it may be reused after Wait.
type Waiter struct {
	// Prompt is set by a caller that waits at once when it has sent its calls. It reads connections that nobody else
	// uses for itself. A single call may be written only in Wait: the caller must send nothing else in between.
	Prompt bool
	// Busy is set by a caller that is not the only one, until its next Wait: others may be about to send on the
	// connection too, so Send and Flush let them join before they write, as where replies are due. A caller that reads
	// for itself lets nobody.
	Busy bool
	// Now is when the caller last looked at the clock, a moment ago, for Send and Offer to see whether the process has
	// stood still since the replies that are due were asked for. Zero, which Wait leaves behind: they look for themselves.
	Now time.Time

	left    atomic.Int32
	ready   chan struct{}
	several bool    // more than one call is expected: all are written before one is read
	reads   []*Call // set by Send and Offer: Wait reads their connections

	unwritten []promise // given by Offer, for Flush to keep
}

// Expect says that n more calls will be sent with this waiter. It must be called for all of them before the first is
// sent: calls completed so far would end the wait.
func (w *Waiter) Expect(n int) {
	if w.ready == nil {
		w.ready = make(chan struct{}, 1)
	}
	w.several = n > 1
	w.left.Add(int32(n))
}

// Withdraw takes back n expected calls that were not sent.
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
	w.Now, w.Busy = time.Time{}, false
	if len(w.reads) > 0 {
		w.read(ctx)
		defer w.returnRoles()
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
