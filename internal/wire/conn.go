// Package wire is one pipelined connection to one node. It knows commands as bytes and replies as frames; slots,
// redirects and retries are the business of its caller.
//
// Who may touch what: callers run Send, or Offer and Flush, and Wait; whoever finds the connection without a flusher
// writes for everybody behind it, and hands over to the flusher goroutine where a write could block; one goroutine at a
// time reads and completes calls in order, the connection's own or a caller who is alone. DESIGN.md draws the states.
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
	// ErrPeerSilent means that for PeerTimeout the peer sent no byte of the replies it owed, and took none of a request.
	ErrPeerSilent = errors.New("peer silent: no byte received while replies were due")
	// ErrPeerTrickles means that the peer began a reply, and within PeerTimeout neither ended it nor sent 64 KiB of it.
	ErrPeerTrickles = errors.New("peer too slow: a reply was begun and did not get on")
	// ErrSurplusReply means that the server sent a reply nobody asked for, so none behind it can be trusted, nor
	// the one before it.
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
	mu sync.Mutex
	// guarded by mu; first what every call changes, on as few cache lines as can be, for these move from one
	// processor to another
	role       role   // who reads
	flushing   bool   // somebody has promised to write what is in fill
	writing    bool   // a goroutine is inside Write
	follows    bool   // nothing may be written yet: see Follow
	draining   bool   // no call enters any more
	introduced bool   // the client's name and version are on their way
	fill       []byte // requests not yet offered to Write
	appended   int64  // stream offset of the end of fill
	offered    int64  // stream offset up to which bytes were given to Write
	answered   int64  // stream offset of the last answered request's end
	queue      fifo   // calls in the order of their bytes, unsent ones included
	singles    int    // replies in a row that came alone
	fence      fence
	err        error        // why the connection is dead; no call enters after it is set
	desync     *DesyncError // how replies were out of step; the reader tells OnDesync at its end
	spare      []byte       // the other half of the double buffer, nil while it is being written
	alone      *Waiter      // of the caller that reads, or will soon
	own        int64        // of all that have entered queue, those that nobody waits for: fences and introductions
	line       line         // who waits for room
	idle       idleness
	watch      watchdog
	room       int  // bytes in flight up to which Write cannot block; 0: it always may
	narrowOut  bool // see narrowWrites

	// immutable
	raw    net.Conn // closed to abandon the connection
	rw     net.Conn // raw, or TLS over it
	opts   Options
	server Server
	socket *socket // below rw; nil where nobody can look into the connection without waiting
	exact  bool    // a failed Write says how many bytes the kernel took

	poke     func()        // interrupt, made once
	recalled chan struct{} // by callReader: the reader goroutine has its role back
	born     time.Time
	over     chan struct{} // closed by die: nothing will be answered any more
	ended    chan struct{} // closed when the reader goroutine has ended, and the flusher before it
	flushers sync.WaitGroup

	written   atomic.Int64 // stream offset up to which Write has accepted bytes; counted by the flusher, looked at by the watchdog
	bytesRead atomic.Int64 // counted by whoever reads, likewise
	framed    atomic.Int64 // of those, how many belong to whole frames; likewise
	readBuf   atomic.Int64 // size of buf, likewise
	trimming  atomic.Bool  // whoever reads is to give up buf
	others    others       // noted by whoever yields
	poked     atomic.Bool  // whoever reads is to look around, and for no reply until then

	// owned by whoever reads
	unwritten bool            // the promise to flush is that of whoever reads, who does when the socket is empty
	patience  context.Context // of a caller that reads; nil where it has no end
	impatient func() bool     // stops the interruption when patience ends; nil while there is no need of one

	buf      []byte
	full     bool // the last read filled buf: there is more to come
	scanner  resp.Scanner
	frames   []int
	answers  []answer
	noticed  int64     // the last reply that OnLarge was called for, see noticeLarge
	narrowIn bool      // see narrowReads
	parked   time.Time // since when it has waited for the socket
	poll     polling
}

// Send queues calls, in order and next to each other, and returns without waiting for replies: the outcomes come
// through w, which must expect them. An error means that none of them was queued, so none can run: the connection is
// closed or draining, an idle connection failed its probe, or ctx (or the first call's Deadline) ended while the
// connection was full. The wait for room is bounded by them; the write itself never blocks a caller.
//
// Where nobody else uses the connection, the caller with a Prompt waiter of one call writes and reads in Wait; one of
// several writes here and reads them in turn in Wait. Other calls that find nobody reading are written by the reader,
// once it has seen that the peer has not closed.
func (c *Conn) Send(ctx context.Context, w *Waiter, calls []*Call) error {
	c.mu.Lock()
	if err := c.admit(ctx, w, calls); err != nil {
		c.mu.Unlock()
		return err
	}
	if flush, busy := c.take(w, calls); flush {
		if busy {
			given := [...]promise{{c, c.queue.entered}}
			c.mu.Unlock()
			letJoin(given[:])
			c.mu.Lock()
		}
		c.flush(false)
	}
	c.mu.Unlock()
	return nil
}

// Offer is Send for a caller who has calls for other connections too. It takes the calls only if they need not wait for
// room, or for a probe, and reports whether it did. Where others may be about to send, and there is little to write, it
// leaves that to Waiter.Flush, which lets them join once for all the connections. Flush must follow, before the caller
// does anything that may take long.
func (c *Conn) Offer(w *Waiter, calls []*Call) (taken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.admitNow(w, calls) {
		return false
	}
	switch flush, busy := c.take(w, calls); {
	case flush && busy && len(c.fill) <= little:
		w.unwritten = append(w.unwritten, promise{c, c.queue.entered})
	case flush:
		c.flush(false)
	}
	return true
}

// take queues calls for which there is room. It reports whether the caller is to write them, and whether others may be
// about to send too. mu is held.
func (c *Conn) take(w *Waiter, calls []*Call) (flush, busy bool) {
	busy = w.Busy || c.queue.len() > 0
	c.introduce()
	for _, call := range calls {
		call.conn, call.waiter = c, w
		call.Err, call.Sent, call.Abandoned = nil, false, false
		call.state = pending
		c.fenceIfDue(call.Commands())
		c.enqueue(call)
	}
	c.armWatchdog(calls[0].Deadline)
	flush = !c.flushing
	c.flushing = true
	if flush && c.role == nobody {
		return c.begin(w, calls[0]), false // nobody would see what comes while others join
	}
	c.callReader()
	return flush, busy
}

var asking = resp.AppendBulk(resp.AppendArray(nil, 1), "ASKING")

// enqueue appends one call's bytes to the stream. mu is held.
func (c *Conn) enqueue(call *Call) {
	before := len(c.fill)
	call.owing, call.Reply, call.Replies = int32(call.Commands()), call.Reply[:0], call.Replies[:0]
	if call.Asking {
		call.owing++
		c.fill = append(c.fill, asking...)
	}
	for i := range call.Commands() {
		c.fill = resp.Append(c.fill, call.command(i))
	}
	call.size = len(c.fill) - before
	if call.size >= Large && call.isLarge() {
		c.narrowWrites()
	}
	c.appended += int64(call.size)
	call.end = c.appended
	c.queue.push(call)
}

// giveUp abandons a call for its caller, with cause, unless it has its outcome, or gets it this moment. It
// reports whether it did.
func (c *Conn) giveUp(call *Call, cause error) bool {
	c.mu.Lock()
	if call.state != pending {
		c.mu.Unlock()
		return false
	}
	call.state = abandoned
	c.giveUpLocked(call, cause)
	drained := c.isDrained()
	c.mu.Unlock()
	if drained {
		c.poke()
	}
	return true
}

// giveUpLocked settles what is known about a call that is given up. While its bytes are still in the fill buffer they are cut
// out, which proves that it never runs; once they were offered to Write, only a failed Write could prove that. mu is held.
func (c *Conn) giveUpLocked(call *Call, cause error) {
	accepted := c.offered
	if c.err != nil && !c.writing {
		accepted = c.written.Load()
	}
	call.lose(cause, accepted)
	if c.err != nil || call.end <= c.offered {
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
		if c.queue.len() == 0 {
			c.watch.forget() // the next call may end at the same offset, and must not inherit this one's silence
		}
		c.callNext()
		return
	}
}

// Err returns why the connection can take no more calls, or nil.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal()
}

// Proven reports whether the server has answered a command: taking a connection and a handshake proves little.
func (c *Conn) Proven() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered > 0
}

// Server returns what the node said of itself in the handshake.
func (c *Conn) Server() Server { return c.server }

// Addr returns the address that was dialled.
func (c *Conn) Addr() string { return c.opts.Addr }

// InFlight returns how many commands wait for a reply, given-up ones included.
func (c *Conn) InFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue.commands
}

// Drain lets the calls in flight finish and then closes the connection; no new call enters. It does not wait.
func (c *Conn) Drain() {
	c.mu.Lock()
	c.draining = true
	c.callReader()
	c.callNext()
	drained := c.isDrained()
	c.mu.Unlock()
	if drained {
		c.poke()
	}
}

// isDrained reports whether the connection is to close and may. The reader goroutine closes it, which Drain has called;
// whoever takes the last call out without reading pokes it. mu is held.
func (c *Conn) isDrained() bool { return c.draining && c.err == nil && c.queue.len() == 0 }

// interrupt makes whoever reads look around: a read in progress, or else the next one, ends with a timeout.
func (c *Conn) interrupt() {
	c.poked.Store(true)
	_ = c.rw.SetReadDeadline(time.Unix(1, 0))
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

// Ended returns a channel that is closed when Wait would return.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// closePolitely closes a drained connection, so that the peer sees an ordinary end. Only the reader calls it: the
// close_notify of TLS may block, for 5 s at most by crypto/tls.
func (c *Conn) closePolitely() {
	c.mu.Lock()
	c.die(ErrClosed)
	c.mu.Unlock()
	_ = c.rw.Close()
}

// fail makes the connection dead with cause, unless it is already, and completes every call it still holds.
func (c *Conn) fail(cause error) {
	c.mu.Lock()
	lost := c.die(cause)
	c.mu.Unlock()
	c.bury(lost)
}

// die makes the connection dead with cause, unless it is already, and claims the calls it still holds, for bury. While
// a Write is running it leaves them to the writer, who will know how many bytes were accepted. mu is held.
func (c *Conn) die(cause error) (lost []*Call) {
	if c.err == nil {
		c.err = cause
		close(c.over)
	}
	c.callNext()
	c.callReader()
	if c.writing {
		return nil
	}
	for c.queue.len() > 0 {
		if call := c.queue.pop(); call.claim() {
			call.lose(c.err, c.written.Load())
			lost = append(lost, call)
		}
	}
	c.fill, c.spare = nil, nil
	c.watch.stop()
	return lost
}

// notOfCaller returns the error of a Read or Write as the end of a connection. One of Options.Dial may return a
// context's error: of its own, whereas to callers a context's error is the end of their patience.
func notOfCaller(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New("connection: " + err.Error())
	}
	return err
}

// bury closes a dead connection and then tells the callers: nothing of theirs is on its way any more.
func (c *Conn) bury(lost []*Call) {
	c.poked.Store(true) // a look for the reply within a read would hold up the closing
	abort(c.raw)
	for _, call := range lost {
		call.finish()
	}
}

// abort closes a connection that must not leave bytes behind: with a normal close the kernel goes on retransmitting
// what was written, and a command given up long ago could run after the network heals.
func abort(raw net.Conn) {
	if wrapped, ok := raw.(interface{ NetConn() net.Conn }); ok { // a tls.Conn, of which Close may block
		raw = wrapped.NetConn()
	}
	if tcp, ok := raw.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}
