// Package wire is one pipelined connection to one node. It knows commands as bytes and replies as frames; slots,
// redirects and retries are the business of its caller.
//
// Who may touch what: callers run Send and Wait; one reader goroutine completes calls in order; whoever finds the
// connection without a flusher writes for everybody behind it, and hands over to the flusher goroutine where a write
// could block. DESIGN.md draws the states.
package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

var (
	// ErrClosed is the cause of every outcome after Close, and of a Send on a draining connection.
	ErrClosed = errors.New("connection closed")
	// ErrPeerSilent means that the peer sent no byte for PeerTimeout while it owed replies.
	ErrPeerSilent = errors.New("peer silent: no byte received while replies were due")
	// ErrSurplusReply means that the server sent a reply nobody asked for, so no later reply can be trusted.
	ErrSurplusReply = errors.New("server sent a reply that no command asked for")
	// ErrNotHello means that HELLO was answered with something that is neither its reply nor an error.
	ErrNotHello = errors.New("reply to HELLO is not a map")
	// ErrProbeFailed means that an idle connection did not answer PING, so no command was risked on it.
	ErrProbeFailed = errors.New("idle connection did not answer a probe")
)

// maxFill is how many unsent bytes a connection gathers before Send makes callers wait; a single larger request still
// goes through when the buffer is empty.
const maxFill = 1 << 20

// Conn is one connection. Its methods are safe for concurrent use.
type Conn struct {
	// immutable
	raw    net.Conn // closed to abandon the connection
	rw     net.Conn // raw, or TLS over it
	opts   Options
	server Server
	exact  bool // a failed Write says how many bytes the kernel took
	room   int  // bytes in flight up to which Write cannot block; 0: it always may

	ended     chan struct{} // closed when the reader has ended, and the flusher before it
	flushers  sync.WaitGroup
	bytesRead atomic.Int64 // counted by the reader, looked at by the watchdog

	mu sync.Mutex
	// guarded by mu
	err        error // why the connection is dead; no call enters after it is set
	draining   bool
	introduced bool   // the client's name and version are on their way
	fill       []byte // requests not yet offered to Write
	spare      []byte // the other half of the double buffer, nil while it is being written
	queue      fifo   // calls in the order of their bytes, unsent ones included
	appended   int64  // stream offset of the end of fill
	offered    int64  // stream offset up to which bytes were given to Write
	written    int64  // stream offset up to which Write has accepted bytes
	answered   int64  // stream offset of the last answered request's end
	flushing   bool   // somebody has promised to write what is in fill
	writing    bool   // that somebody is inside Write
	waiting    []chan struct{}
	idle       idleness
	watch      watchdog

	// owned by the reader
	buf     []byte
	scanner resp.Scanner
	frames  []int
	batch   []*Call
}

// Send queues calls, in order and next to each other, and returns without waiting for replies: their outcomes come
// through w, which must expect them. An error means that none of them was queued, so none can run: the connection is
// closed or draining, an idle connection failed its probe, or ctx (or the first call's Deadline) ended while the
// connection was full. The wait for room is bounded by them; the write itself never blocks a caller.
func (c *Conn) Send(ctx context.Context, w *Waiter, calls []*Call) error {
	c.mu.Lock()
	if err := c.admit(ctx, calls); err != nil {
		c.mu.Unlock()
		return err
	}
	busy := c.queue.len() > 0
	c.introduce()
	for _, call := range calls {
		call.conn, call.waiter = c, w
		call.Err, call.Sent, call.Abandoned = nil, false, false
		call.state.Store(pending)
		c.enqueue(call)
	}
	c.callNext()
	c.armWatchdog()
	flush := !c.flushing
	c.flushing = true
	c.mu.Unlock()
	if flush {
		c.flush(busy)
	}
	return nil
}

var asking = resp.AppendBulk(resp.AppendArray(nil, 1), "ASKING")

// enqueue appends one call's bytes to the stream. mu is held.
func (c *Conn) enqueue(call *Call) {
	before := len(c.fill)
	call.skip = 0
	if call.Asking {
		c.fill = append(c.fill, asking...)
		call.skip = 1
	}
	c.fill = append(c.fill, call.Request...)
	call.size = len(c.fill) - before
	c.appended += int64(call.size)
	call.end = c.appended
	c.queue.push(call)
}

// admit returns with room for calls in the queue, or with the reason why they cannot enter. mu is held, and released
// only while waiting.
func (c *Conn) admit(ctx context.Context, calls []*Call) error {
	called := false
	for {
		switch {
		case c.err != nil:
			return c.err
		case c.draining:
			return ErrClosed
		}
		c.probeIfIdle()
		if (called || len(c.waiting) == 0) && c.hasRoom(len(calls)) {
			return nil
		}
		turn := make(chan struct{})
		if called { // keeps its place: a large batch must not starve behind small ones
			c.waiting = append([]chan struct{}{turn}, c.waiting...)
		} else {
			c.waiting = append(c.waiting, turn)
		}
		c.mu.Unlock()
		err := waitTurn(ctx, turn, calls[0].Deadline)
		c.mu.Lock()
		if err != nil {
			c.leaveLine(turn)
			return err
		}
		called = true
	}
}

// hasRoom reports whether n more calls may enter. A batch larger than the limit enters an empty queue alone. mu is held.
func (c *Conn) hasRoom(n int) bool {
	if c.idle.probing {
		return false
	}
	return c.queue.len() == 0 || c.queue.len()+n <= c.opts.MaxInFlight && len(c.fill) < maxFill
}

// callNext lets the first caller in line look again. mu is held.
func (c *Conn) callNext() {
	if len(c.waiting) == 0 || c.err == nil && !c.draining && !c.hasRoom(1) {
		return
	}
	close(c.waiting[0])
	c.waiting = c.waiting[1:]
}

// leaveLine takes turn out of the line, or passes it on if it was just called. mu is held.
func (c *Conn) leaveLine(turn chan struct{}) {
	for i, t := range c.waiting {
		if t == turn {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			return
		}
	}
	c.callNext()
}

func waitTurn(ctx context.Context, turn <-chan struct{}, deadline time.Time) error {
	var expired <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-expired:
		return context.DeadlineExceeded
	}
}

// giveUp settles what is known about an abandoned call. While its bytes are still in the fill buffer they are cut out,
// which proves that it never runs; once they were offered to Write, only a failed Write could prove that.
func (c *Conn) giveUp(call *Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUpLocked(call)
}

func (c *Conn) giveUpLocked(call *Call) {
	if c.err != nil && !c.writing {
		call.Sent = call.end <= c.written
		return // settled: the queue no longer holds it
	}
	if call.end <= c.offered || c.err != nil {
		call.Sent = call.end <= c.offered
		call.Abandoned = true
		return
	}
	for i := c.queue.len() - 1; i >= 0; i-- {
		later := c.queue.at(i)
		if later != call {
			later.end -= int64(call.size)
			continue
		}
		start := int(call.end-c.offered) - call.size
		c.fill = append(c.fill[:start], c.fill[start+call.size:]...)
		c.appended -= int64(call.size)
		c.queue.remove(i)
		c.callNext()
		return
	}
}

// Err returns why the connection can take no more calls, or nil.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.draining {
		return ErrClosed
	}
	return c.err
}

// Server returns what the node said of itself in the handshake.
func (c *Conn) Server() Server { return c.server }

// InFlight returns how many calls wait for a reply, given-up ones included.
func (c *Conn) InFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue.len()
}

// Drain lets the calls in flight finish and then closes the connection; no new call enters. It does not wait.
func (c *Conn) Drain() {
	c.mu.Lock()
	c.draining = true
	empty := c.queue.len() == 0
	for len(c.waiting) > 0 {
		c.callNext()
	}
	c.mu.Unlock()
	if empty {
		c.part()
	}
}

// Abandon kills the connection now: calls in flight end with cause. It does not wait.
func (c *Conn) Abandon(cause error) { c.fail(cause) }

// Close kills the connection and waits until its goroutines have ended.
func (c *Conn) Close() {
	c.fail(ErrClosed)
	c.Wait()
}

// Wait returns when the connection's goroutines have ended, which they do soon after it died or was drained.
func (c *Conn) Wait() { <-c.ended }

// part closes a drained connection politely, so that the peer sees an ordinary end.
func (c *Conn) part() {
	c.mu.Lock()
	if c.err == nil {
		c.err = ErrClosed
	}
	c.mu.Unlock()
	// tls.Conn.Close writes close_notify and may wait 5 s for a peer that does not read.
	_ = c.rw.SetWriteDeadline(time.Now().Add(time.Second))
	_ = c.rw.Close()
}

// fail makes the connection dead with cause, unless it is already, and settles every call it still holds.
func (c *Conn) fail(cause error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = cause
	}
	c.mu.Unlock()
	abort(c.raw)
	c.settle()
}

// settle completes every call of a dead connection. While a Write is still running it leaves that to the writer, who
// will know how many bytes were accepted.
func (c *Conn) settle() {
	c.mu.Lock()
	if c.err == nil || c.writing {
		c.mu.Unlock()
		return
	}
	err, written := c.err, c.written
	lost := c.queue
	c.queue, c.fill = fifo{}, nil
	c.watch.stop()
	for len(c.waiting) > 0 {
		c.callNext()
	}
	c.mu.Unlock()
	for i := range lost.len() {
		if call := lost.at(i); call.claim() {
			call.Err, call.Sent = err, call.end <= written
			call.finish()
		}
	}
}

// abort closes a connection that must not leave bytes behind: with a normal close the kernel goes on retransmitting
// what was written, and a command given up long ago could run after the network heals.
func abort(raw net.Conn) {
	if tcp, ok := raw.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}
