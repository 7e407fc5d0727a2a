package wire

import "time"

// Old reports whether the connection has reached MaxAge.
func (c *Conn) Old() bool { return c.isOld(time.Now()) }

func (c *Conn) isOld(now time.Time) bool {
	return c.opts.MaxAge > 0 && passed(c.born, now) >= c.opts.MaxAge
}

// passed returns how long ago then was, by the clock that saw more of it: the monotonic clock stands still while a
// machine is suspended, the wall clock may be set back.
func passed(then, now time.Time) time.Duration {
	return max(now.Sub(then), time.Duration(now.UnixNano()-then.UnixNano()))
}

// Waits reports whether the connection may not write yet: see Follow.
func (c *Conn) Waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.follows
}

// Follow makes the connection, which nobody uses yet, the successor of before: what is sent on it is written when before
// has answered all it owes, or has died, and so cannot overtake what was sent there. The caller drains before soon.
func (c *Conn) Follow(before *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil { // the reader may have stopped waiting for flushers
		return
	}
	c.follows = true
	c.flushers.Go(func() { // ends with before, which is drained and has a watchdog; Wait waits for it
		<-before.over
		c.mu.Lock()
		defer c.mu.Unlock()
		c.follows = false
		if !c.flushing {
			c.flushing = true
			for c.writeFill(false) {
			}
		}
	})
}
