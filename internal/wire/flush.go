package wire

import (
	"runtime"
	"time"
)

// callerRounds is how many buffers a caller writes on behalf of others before the flusher goroutine takes over, so that
// one caller does not serve everybody while its own reply waits.
const callerRounds = 2

// joinRounds is how often a flusher lets others join at most: once more only if the first time some did, for the
// replies that came meanwhile have woken more of them. A caller alone gains nothing and lets nobody.
const joinRounds = 2

// keepBuffer is the largest write buffer kept for the next burst: what a full one grows to. An idle connection gives
// it up: see trim.
const keepBuffer = 2 * maxFill

// writePiece is how many bytes go into one Write at most. The watchdog sees only whole ones: a link must take one
// within PeerTimeout, which is 9.8 kB/s at the default of 10 s. A value of 64 KiB goes with all that is around it: a
// server that has to be woken again for its last bytes answers later (set64k of benchmarks/). Beyond that, pieces of up
// to 4 MiB are equally fast on loopback.
const writePiece = 96 << 10

// flush writes what is in the fill buffer. Its caller has set c.flushing and so is the only flusher until that is
// cleared. It writes on the caller's goroutine only while Write cannot block, and hands the rest to the connection's
// own goroutine: no caller is stuck in write(2) past its context. inRead says that it is called within a read. mu is
// held, and released inside Write.
func (c *Conn) flush(inRead bool) {
	for range callerRounds {
		if !c.fits() {
			break
		}
		if !c.writeFill(inRead) {
			return
		}
	}
	if c.err != nil { // the reader may have stopped waiting for flushers
		c.flushing = false
		return
	}
	c.flushers.Add(1)
	go c.flushRest() // ends when nothing is left to write or the connection dies; Wait waits for it
}

// little is how many bytes may wait for Flush. More take the time of a write to copy, for which nobody else could write
// on the connections that are offered first, and gain less by company.
const little = 16 << 10

// promise is one to write, which a caller has given.
type promise struct {
	conn    *Conn
	entered int64 // commands that had been queued by then
}

// Flush writes what Offer has left to it. It lets others join first, on all the connections at once.
func (w *Waiter) Flush() {
	letJoin(w.unwritten)
	for _, p := range w.unwritten {
		p.conn.mu.Lock()
		p.conn.flush(false)
		p.conn.mu.Unlock()
	}
	clear(w.unwritten)
	w.unwritten = w.unwritten[:0]
}

// letJoin lets every runnable goroutine append its command first, so that one write carries them all
// (BenchmarkRoundTrip: commands per write).
func letJoin(unwritten []promise) {
	if len(unwritten) == 0 {
		return
	}
	c := unwritten[0].conn
	for round, joined := 0, int64(1); joined > 0 && round < joinRounds && !c.others.hog(c.born); round++ {
		began := time.Now()
		runtime.Gosched()
		joined = 0
		for i := range unwritten {
			joined += unwritten[i].joined()
		}
		now := time.Now()
		c.others.ran(now.Sub(began), now.Sub(c.born), joined)
	}
}

// joined returns how many commands others have queued since it was given, or last asked.
func (p *promise) joined() (commands int64) {
	p.conn.mu.Lock()
	defer p.conn.mu.Unlock()
	commands, p.entered = p.conn.queue.entered-p.entered, p.conn.queue.entered
	return commands
}

func (c *Conn) flushRest() {
	defer c.flushers.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.writeFill(false) {
	}
}

// fits reports whether the kernel's send buffer surely has room for the fill buffer: what is unanswered may still lie
// in it, and half of it is left for the kernel's bookkeeping. mu is held.
func (c *Conn) fits() bool { return c.appended-c.answered <= int64(c.room) }

// writeFill writes the fill buffer, if the connection may write yet, and reports whether there is more to write; when
// not, c.flushing is cleared. mu is held, and released inside Write.
func (c *Conn) writeFill(inRead bool) (more bool) {
	if c.err != nil || c.follows || len(c.fill) == 0 {
		c.flushing = false
		return false
	}
	out := c.fill
	c.fill, c.spare = c.spare, nil
	c.offered += int64(len(out))
	c.callNext()
	c.writing = true
	c.mu.Unlock()
	err := c.write(out)
	c.mu.Lock()
	c.writing = false
	if err != nil && !c.exact {
		c.written.Store(c.offered)
	}
	if cap(out) <= keepBuffer {
		c.spare = out[:0]
	}
	if err != nil || c.err != nil {
		// Dead before the lock is let go: behind part of a command nothing may be written.
		c.flushing = false
		lost := c.die(notOfCaller(err))
		if inRead { // to close a socket is to wait for whoever reads it
			c.flushers.Go(func() { c.bury(lost) }) // ends when the read has; Wait waits for it
			return false
		}
		c.mu.Unlock()
		c.bury(lost)
		c.mu.Lock()
		return false
	}
	c.flushing = len(c.fill) > 0
	return c.flushing
}

// write writes all of out, piece by piece, and counts what was accepted.
func (c *Conn) write(out []byte) error {
	for len(out) > 0 {
		n, err := c.rw.Write(out[:min(len(out), writePiece)])
		c.written.Add(int64(n))
		if err != nil {
			return err
		}
		out = out[n:]
	}
	return nil
}
