package wire

// keepIdle is the largest buffer, in bytes, that an idle connection keeps, of each of its kinds: one to read into, two
// to write from, and the queue.
const keepIdle = 4 << 10

// trim gives up what a burst has left behind. The watchdog calls it when it finds nothing in flight, so up to a tick
// after the last reply: soon enough for an idle connection, and seldom for a busy one, which would only need it all
// again. The connection is alive, nobody writes, and mu is held.
func (c *Conn) trim() {
	if cap(c.fill) > keepIdle {
		c.fill = nil
	}
	if cap(c.spare) > keepIdle {
		c.spare = nil
	}
	c.queue.trim()
	if c.readBuf.Load() > keepIdle && c.socket != nil { // on any other connection a passed deadline might be the end
		c.trimming.Store(true)
		c.poke()
	}
}

// trimBuf gives up the buffer to read into, if trim has asked whoever reads for it.
func (c *Conn) trimBuf() {
	if c.trimming.Swap(false) && len(c.buf) == 0 {
		c.buf = nil
		c.readBuf.Store(0)
	}
}

// trim gives up the ring of an empty queue.
func (q *fifo) trim() {
	const pointer = 8 // bytes
	if q.n == 0 && len(q.ring)*pointer > keepIdle {
		q.ring = nil
	}
}
