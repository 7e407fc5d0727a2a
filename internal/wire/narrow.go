package wire

import (
	"net"
	"time"
)

// A server takes in one go what has arrived, writes in one go what the socket has room for, and serves nobody else
// meanwhile. The system lets buffers grow to megabytes for a large value, and where the way is short nothing but the
// buffers holds it up: each go takes milliseconds (BenchmarkSmallBesideLarge). A window carries 10 Gbit/s where a round
// trip takes no longer than shortTrip; on longer ways the system decides. Below two segments, which have 64 KiB on
// loopback, a sender would wait for delayed acknowledgements.
const (
	window    = 128 << 10
	shortTrip = 100 * time.Microsecond
)

// narrowReads bounds what may arrive before it is read, from the first large reply on. Only the reader calls it.
func (c *Conn) narrowReads() {
	if c.narrowIn {
		return
	}
	if tcp := c.near(); tcp != nil {
		c.narrowIn = true
		_ = tcp.SetReadBuffer(window)
	}
}

// narrowWrites bounds what may be under way to the server, from the first large request on. mu is held.
func (c *Conn) narrowWrites() {
	if c.narrowOut || c.writing { // who is in Write relies on the room that there was
		return
	}
	if tcp := c.near(); tcp != nil {
		c.narrowOut = true
		_ = tcp.SetWriteBuffer(window)
		c.room = c.socket.source.SendBuffer() / 2
	}
}

// near returns the socket if the way is short, and nil where nobody tells.
func (c *Conn) near() *net.TCPConn {
	tcp, ok := c.raw.(*net.TCPConn)
	if !ok {
		return nil
	}
	if trip := shortestTrip(tcp); trip == 0 || trip > shortTrip {
		return nil
	}
	return tcp
}
