package wire

import "bytes"

// Large is how many bytes make a request or a reply large: it takes a connection of 10 Gbit/s for 0.2 ms, about a round
// trip between two zones. Behind less a neighbour loses less than it would by any other arrangement.
const Large = 256 << 10

// noticeLarge calls OnLarge once for each reply that turns out to be large before it is whole: by the length that a
// string announces, or by what has arrived. A reply too short for that never delays anybody for long.
func (c *Conn) noticeLarge() {
	if len(c.buf) == 0 || c.opts.OnLarge == nil || len(c.buf)+c.scanner.Missing() < Large {
		return
	}
	c.mu.Lock()
	call := c.owed()
	if call == nil || call.isAsked() {
		c.mu.Unlock()
		return
	}
	reply := call.end - int64(call.owing) // no other has this number, as every command takes more bytes than one
	if reply == c.noticed {
		c.mu.Unlock()
		return
	}
	c.noticed = reply
	// Under the lock the call cannot be completed, and one that was given up is never used again: its request is still there.
	request := call.Request
	if request == nil {
		request = call.command(call.Commands() - int(call.owing))
	}
	request = bytes.Clone(request)
	c.mu.Unlock()
	c.narrowReads()
	c.opts.OnLarge(c, request)
}
