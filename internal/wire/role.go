package wire

import (
	"context"
	"net"
	"runtime"
	"time"
)

// role says who reads. The reader goroutine does while callers share the connection, and while it is idle. A caller
// that is alone does it better: its reply wakes nobody but itself. DESIGN.md draws the changes.
type role uint8

const (
	theReader   role = iota // the connection's own goroutine
	nobody                  // nothing is in flight; the next caller decides
	aCaller                 // the one whose call went out alone
	aCallerSoon             // the same, who reads other connections first; whoever comes meanwhile calls the reader
)

const (
	// maxSingles is how many replies in a row come alone to an otherwise unused connection before the reader leaves
	// reading to callers: a change of roles costs two switches of goroutines, which that many calls win back.
	maxSingles = 64
	// manyReplies at once wake as many callers. The reader lets them run before it looks for more: most have a next
	// command, so the read finds more, and one write carries theirs (compare get64/c=64 of benchmarks/ without it).
	manyReplies = 5
)

// read is the reader goroutine. It ends when the connection dies or has been drained, and is the last of the
// connection's goroutines to end.
func (c *Conn) read() {
	for c.serve() {
		<-c.recalled
	}
	c.flushers.Wait()
	c.buf = nil // calls that were sent on the connection, and are kept to be sent on others, refer to it
	c.tellDesync()
	close(c.ended)
	if c.opts.OnEnd != nil {
		c.opts.OnEnd()
	}
}

// tellDesync says that the connection has ended because its replies were out of step. It is the reader's to say, and
// the end of all else: it runs a program's code, which may panic, and a caller that reads for itself may survive that.
func (c *Conn) tellDesync() {
	c.mu.Lock()
	desync := c.desync
	c.mu.Unlock()
	if desync != nil && c.opts.OnDesync != nil {
		c.opts.OnDesync(desync)
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
			c.closePolitely()
			return false
		case retired:
			return true
		}
		if !c.step() {
			return false
		}
		if len(c.answers) >= manyReplies && !c.others.hog(c.born) {
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
	// A reader that polls cannot while nothing is due; a caller will, or will call it without the runtime's help. But
	// it has to keep its own promise to write before, though there may be nothing left.
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

// callReader gives the role back to the reader goroutine if nobody has it, or will only soon. mu is held.
func (c *Conn) callReader() {
	if c.role == nobody || c.role == aCallerSoon {
		c.role, c.alone = theReader, nil
		c.recalled <- struct{}{} // never waits: the goroutine took the last one before it retired
	}
}

// begin decides who reads, where somebody has queued a call and nobody does. Nor has anybody seen what came meanwhile,
// so whoever reads looks before anything is written. It reports whether the caller is to write at once. mu is held.
func (c *Conn) begin(w *Waiter, call *Call) (flush bool) {
	if w.Prompt && c.fits() {
		switch {
		case !w.several:
			c.role, c.alone, w.reads = aCaller, w, append(w.reads, call)
		case c.isQuiet():
			c.role, c.alone, w.reads = aCallerSoon, w, append(w.reads, call)
			return true
		}
	}
	c.unwritten = true
	c.callReader()
	return false
}

// isQuiet reports whether a look into the socket has shown that there is nothing to read. What TLS has read and not yet
// handed on cannot be seen from there.
func (c *Conn) isQuiet() bool {
	if c.rw != net.Conn(c.socket) {
		return false
	}
	unread, ended := c.socket.source.Peek()
	return !unread && !ended
}

// read reads the connections that are left to the caller that waits with w, one after the other, until its calls there
// are done or ctx is. returnRoles must follow.
func (w *Waiter) read(ctx context.Context) {
	for _, call := range w.reads {
		if c := call.conn; c.takeRole(w) {
			c.exchange(ctx, call)
			if ctx.Err() == nil { // else the role is returned once the call has been given up, which may cut it out
				c.returnRole(w)
			}
		}
	}
}

// Share leaves all connections to their readers, and lets nobody join: the caller may have to wait before it
// has sent its calls.
func (w *Waiter) Share() {
	w.Prompt, w.Busy = false, false
	w.returnRoles()
}

// returnRoles leaves the connections that w has read, or has not come to.
func (w *Waiter) returnRoles() {
	for _, call := range w.reads {
		call.conn.returnRole(w)
	}
	clear(w.reads)
	w.reads = w.reads[:0]
}

// takeRole makes the caller that waits with w the one that reads, unless the reader goroutine was called meanwhile.
func (c *Conn) takeRole(w *Waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alone == w {
		c.role = aCaller
		c.poll.entered = c.queue.entered // its own are no company
	}
	return c.alone == w
}

// exchange writes and reads for the caller that is alone until its call is done, or ctx is, or the connection is dead.
// What Send has left unwritten goes out within the first read, once that has found the socket empty:
//
//	step -> socket.Read -> tcpSocket.tryRead: nothing -> nothingToRead -> flush -> Write
//	        (waits for the socket)   tryRead: a reply -> consume -> deliver -> Call.finish
func (c *Conn) exchange(ctx context.Context, call *Call) {
	if ctx.Done() != nil {
		c.patience = ctx
		defer c.stopInterrupt()
	}
	for c.owes(call) && ctx.Err() == nil && c.step() {
	}
}

// stopInterrupt ends what exchange and nothingToRead have begun for a caller whose patience may end.
func (c *Conn) stopInterrupt() {
	if c.impatient != nil {
		c.impatient()
	}
	c.patience, c.impatient = nil, nil
}

// owes reports whether the call has no outcome yet.
func (c *Conn) owes(call *Call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return call.state == pending
}

// returnRole ends the time of a caller as the reader. Whoever came meanwhile is served by the reader goroutine, also if
// the caller went before it wrote what it had promised to.
func (c *Conn) returnRole(w *Waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alone != w {
		return
	}
	c.role, c.alone = nobody, nil
	if c.unwritten && c.queue.len() == 0 { // its call was cut out: nothing is left to write
		c.unwritten, c.flushing = false, false
	}
	if c.queue.len() > 0 || c.draining || c.err != nil {
		c.callReader()
	}
}

// nothingToRead is called by whoever reads, before it waits for the socket; true means to look again. What came to a
// connection that nobody read is written only now that the socket is seen to be empty: where the peer has closed
// nothing is risked.
func (c *Conn) nothingToRead() (again bool) {
	if c.unwritten {
		c.unwritten = false
		c.mu.Lock()
		c.flush(true)
		c.mu.Unlock()
		if c.poll.on { // where processors are short, the server may have run, and answered, within the write
			return true
		}
	}
	if c.patience != nil && c.impatient == nil {
		c.impatient = context.AfterFunc(c.patience, c.poke)
	}
	if c.poll.on && !c.poked.Load() && c.lookAgain() {
		return true
	}
	c.parked = time.Now()
	return false
}
