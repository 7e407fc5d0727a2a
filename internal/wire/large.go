package wire

import (
	"bytes"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Large is how many bytes make a request or a reply large: it takes a connection of 10 Gbit/s for 0.2 ms, about a round trip
// between two zones. Behind less a neighbour loses less than it would by any other arrangement.
const Large = 256 << 10

// noticeLarge calls OnLarge once for each reply that turns out to be large before it is whole: by the length that a string
// announces, or by what has arrived. A reply too short for that never delays anybody for long.
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

// growBuf makes room to read into.
func (c *Conn) growBuf() {
	buf := resp.Room(grown(cap(c.buf), len(c.buf)+c.scanner.Missing()))
	c.buf = resp.Append(buf, c.buf)
	c.readBuf.Store(int64(cap(buf)))
}

// grown returns the size of the buffer that follows one of size full, for a frame that is known to take whole bytes. Whatever a
// header claims, it is at most eight times what has really arrived. Doubling up to 64 MiB would clear 128 MiB of memory and
// copy 64; this clears 73 and copies 9.
func grown(full, whole int) int {
	size := max(firstRead, 2*full)
	switch {
	case full < firstRead:
		return firstRead
	case whole > size:
		return min(whole, 8*full)
	case whole > full+full/4: // close to the end, it fits; less may be but the rest of a line
		return whole
	}
	return size
}

// ownFrame returns a frame in memory of the call's own: copied into that of old, or, where it is all that the read buffer holds
// and the buffer is too large to be kept, as it is.
func (c *Conn) ownFrame(frame, old []byte) []byte {
	if len(frame) > keepRead && len(frame) == len(c.buf) {
		c.buf = nil // what is read next goes elsewhere
		return frame
	}
	if cap(old) < len(frame) {
		old = resp.Room(len(frame)) // nothing will follow, for which Append would leave room
	}
	return resp.Append(old[:0], frame)
}
