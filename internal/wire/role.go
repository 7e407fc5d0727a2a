package wire

import (
	"context"
	"runtime"
	"time"
)

// role says who reads. The reader goroutine does while callers share the connection, and while it is idle. A caller that
// is alone does it better: its reply wakes nobody but itself. DESIGN.md draws the changes.
type role uint8

const (
	theReader role = iota // the connection's own goroutine
	nobody                // nothing is in flight; the next caller decides
	aCaller               // the one whose call went out alone
)

const (
	// maxSingles is how many replies in a row come alone to an otherwise unused connection before the reader leaves
	// reading to callers: a change of roles costs two switches of goroutines, which that many calls win back.
	maxSingles = 64
	// manyReplies at once wake as many callers. The reader lets them run before it looks for more: most have a next command,
	// so the read finds more, and one write carries theirs (compare get64/c=64 of benchmarks/ without it).
	manyReplies = 5
)

// read is the reader goroutine. It ends when the connection dies or has been drained, and is the last of the connection's
// goroutines to end.
func (c *Conn) read() {
	for c.serve() {
		<-c.turn
	}
	c.flushers.Wait()
	close(c.ended)
	if c.opts.OnEnd != nil {
		c.opts.OnEnd()
	}
}

// serve reads until the connection has ended, or until it has left reading to callers.
func (c *Conn) serve() (retired bool) {
	for {
		dead, drained, retired := c.consider()
		switch {
		case dead: // what a caller has left in the buffer may be delivered already
			c.fail(nil)
			return false
		case drained:
			c.part()
			return false
		case retired:
			return true
		}
		if !c.step() {
			return false
		}
		if len(c.frames) >= manyReplies {
			runtime.Gosched()
		}
	}
}

// consider decides between two reads whether the reader goroutine has to close a dead or drained connection, or may leave.
func (c *Conn) consider() (dead, drained, retire bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.isDrained() {
		return c.err != nil, c.err == nil, false
	}
	// A reader that polls cannot while nothing is due; a caller will, or will call it without the runtime's help. But it has to
	// keep its own promise to write before, though there may be nothing left.
	leave := c.singles >= maxSingles || c.poll.on
	if !leave || c.socket == nil || c.queue.len() > 0 || c.unwritten {
		return false, false, false
	}
	if !c.watch.armed { // the last look is over: nothing would have the reader back
		c.poll.on = false
		return false, false, false
	}
	c.role, c.singles = nobody, 0
	return false, false, true
}

// callReader gives the role back to the reader goroutine if nobody has it. mu is held.
func (c *Conn) callReader() {
	if c.role == nobody {
		c.role = theReader
		c.turn <- struct{}{} // never waits: the goroutine took the last one before it retired
	}
}

// goAlone lets the caller that has just queued the only call of the connection write and read for itself. mu is held.
func (c *Conn) goAlone(w *Waiter) { c.role, w.reads = aCaller, c }

// exchange writes and reads for the caller that is alone, which waits with w, until its call is done or ctx is. leave must follow.
func (c *Conn) exchange(ctx context.Context, w *Waiter) {
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, c.poke)
		defer stop()
	}
	for w.left.Load() > 0 && ctx.Err() == nil && c.step() {
	}
}

// leave ends the time of a caller as the reader. Whoever came meanwhile is served by the reader goroutine, also if the caller
// went before it wrote what it had promised to.
func (c *Conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.role = nobody
	if c.unwritten && c.queue.len() == 0 { // its call was cut out: nothing is left to write
		c.unwritten, c.flushing = false, false
	}
	if c.queue.len() > 0 || c.draining || c.err != nil {
		c.callReader()
	}
}

// nothingToRead is called by whoever reads, before it waits for the socket; true means to look again. What came to a connection
// that nobody read is written only now that the socket is seen to be empty: where the peer has closed nothing is risked.
func (c *Conn) nothingToRead() (again bool) {
	if c.unwritten {
		c.unwritten = false
		c.flush(false, true)
	}
	if c.poll.on && !c.poked.Load() && c.poll.again(c.yield()) {
		return true
	}
	c.parked = time.Now()
	return false
}
