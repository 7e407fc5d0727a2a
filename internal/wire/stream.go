package wire

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Stream is a connection on which the server speaks unasked, such as a subscriber's: its owner reads whatever comes,
// frame by frame, and tells replies from messages. It starts no goroutine. One goroutine may read while another writes.
type Stream struct {
	conn *Conn // never started: only what the handshake needs of it is used
	used int   // owned by the reader: bytes of conn.buf that were frames returned
}

// streamLimits are the usual ones, but for the depth: no message lies more than one level deep.
var streamLimits = resp.Limits{Depth: 4}

// DialStream opens a Stream as Dial opens a Conn, with the same errors. Of the options, those that speak of calls mean
// nothing to it.
func DialStream(ctx context.Context, opts Options) (*Stream, error) {
	c, err := dial(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.scanner.Limits = streamLimits
	return &Stream{conn: c}, nil
}

// Next blocks until the next frame is whole and returns it; it is valid until the next call. Any error is final, a
// *resp.ProtocolError where what comes is not RESP.
func (s *Stream) Next() ([]byte, error) {
	c := s.conn
	for {
		if s.used < len(c.buf) {
			n, err := c.scanner.Scan(c.buf[s.used:])
			if err != nil {
				return nil, err
			}
			if n > 0 {
				frame := c.buf[s.used : s.used+n : s.used+n]
				s.used += n
				return frame, nil
			}
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads once, behind what is left of the buffer.
func (s *Stream) fill() error {
	c := s.conn
	rest := copy(c.buf, c.buf[s.used:])
	c.buf, s.used = c.buf[:rest], 0
	if rest == 0 && cap(c.buf) > keepRead {
		c.buf = nil
	}
	if len(c.buf) == cap(c.buf) {
		c.growBuf()
	}
	n, err := c.rw.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	c.bytesRead.Add(int64(n))
	switch {
	case n > 0:
		return nil // an error will come again
	case errors.Is(err, io.EOF) && len(c.buf) > 0:
		return io.ErrUnexpectedEOF
	}
	return err
}

// Received returns how many bytes have come since the handshake. It does not block.
func (s *Stream) Received() int64 { return s.conn.bytesRead.Load() }

// Server returns what the node said of itself in the handshake.
func (s *Stream) Server() Server { return s.conn.server }

// Addr returns the address that was dialled.
func (s *Stream) Addr() string { return s.conn.opts.Addr }

// Old reports whether the connection has reached MaxAge. It does not block.
func (s *Stream) Old() bool { return s.conn.Old() }

// Write writes all of b, and fails when the peer does not take it within PeerTimeout. After an error the stream is useless.
func (s *Stream) Write(b []byte) error {
	c := s.conn
	if c.opts.PeerTimeout > 0 {
		if err := c.rw.SetWriteDeadline(time.Now().Add(c.opts.PeerTimeout)); err != nil {
			return err
		}
	}
	_, err := c.rw.Write(b)
	return err
}

// Abandon closes the connection at once, which ends a read or a write in progress. It does not block.
func (s *Stream) Abandon() { abort(s.conn.raw) }
