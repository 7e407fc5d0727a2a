package wire

import "bytes"

// GiveBack returns the Movable calls that are unanswered, or wait for room, to their callers, with cause, so that they
// can be sent elsewhere at once. The connection lives on, and throws the replies away when they come. It does not wait.
func (c *Conn) GiveBack(cause error) {
	c.mu.Lock()
	if c.err != nil { // it is dead, and whoever ends it settles the calls
		c.mu.Unlock()
		return
	}
	var given []*Call
	for i := c.queue.len() - 1; i >= 0; i-- {
		call := c.queue.at(i)
		if !call.Movable || !call.claim() {
			continue
		}
		if call.end <= c.offered {
			call.lose(cause, c.offered)
			c.queue.replace(i, call.tombstone())
		} else {
			c.giveUpLocked(call, cause)
		}
		given = append(given, call)
	}
	c.line.giveBack(cause)
	poke := c.concernsReader(given)
	c.mu.Unlock()
	c.finishClaimed(given, poke)
}

// concernsReader reports whether whoever reads has to know that somebody else has claimed calls: one may be its own, or
// it may have nothing left to do but to close the connection. mu is held.
func (c *Conn) concernsReader(claimed []*Call) bool {
	return len(claimed) > 0 && (c.role == aCaller || c.isDrained())
}

// finishClaimed wakes the callers of calls that were claimed under mu, and whoever reads, if poke says so: see concernsReader.
func (c *Conn) finishClaimed(calls []*Call, poke bool) {
	for _, call := range calls {
		call.finish()
	}
	if poke {
		c.poke()
	}
}

// tombstone returns a call that takes this one's place in the queue: nobody waits for its reply. The connection's mu is held.
func (c *Call) tombstone() *Call {
	grave := &Call{
		Request: bytes.Clone(c.Request), Asking: c.Asking, conn: c.conn, end: c.end, size: c.size, owing: c.owing, state: abandoned,
	}
	for _, request := range c.Batch {
		grave.Batch = append(grave.Batch, bytes.Clone(request))
	}
	return grave
}
