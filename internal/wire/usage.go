package wire

// Usage is what a connection has been used for since its handshake, and is at this moment.
type Usage struct {
	Calls    int64 // commands taken by Send, those given up since included; the connection's own PINGs are none
	Written  int64 // bytes accepted by Write
	Read     int64 // bytes received; TLS is not counted here, nor above
	InFlight int   // commands that wait for a reply, given-up ones and the connection's own included
	Proven   bool  // as Conn.Proven
	Silent   bool  // as Conn.Silent; never on a Blocking connection, where silence means nothing
}

// Usage returns what the connection has counted anyway. Its three counts never fall, and stand still once it has ended.
// It waits for nothing but the lock.
func (c *Conn) Usage() Usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Usage{
		Calls: c.queue.entered - c.own, Written: c.written.Load(), Read: c.bytesRead.Load(),
		InFlight: c.queue.commands, Proven: c.answered > 0, Silent: !c.opts.Blocking && c.isSilent(),
	}
}
