package wire

import "net"

// An elseReader is a connection that can tell, before a read waits, that there is nothing to read yet.
type elseReader interface {
	// ReadElse reads like Read. Each time it finds nothing it calls empty (unless that is nil), and looks again at once
	// if that returns true; otherwise it waits, and misses nothing that has arrived since it looked.
	ReadElse(b []byte, empty func() (again bool)) (int, error)
	// Peek reports whether there is something to read, and if not, whether the peer has closed. It does not wait, also
	// while somebody reads. One goroutine at a time may call it.
	Peek() (unread, ended bool)
	// SendBuffer returns how many bytes of which none is answered yet the connection holds at most, 0 if it does not know.
	SendBuffer() int
}

// socket lets the reader of a connection do something else before it waits, also from below TLS.
type socket struct {
	net.Conn
	source elseReader
	empty  func() (again bool) // owned by whoever reads
}

func (s *socket) Read(b []byte) (int, error) { return s.source.ReadElse(b, s.empty) }

// newSocket returns nil for a connection that cannot look without waiting.
func newSocket(raw net.Conn) *socket {
	if source, ok := raw.(elseReader); ok {
		return &socket{Conn: raw, source: source}
	}
	return newTCPSocket(raw)
}
