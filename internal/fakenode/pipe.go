package fakenode

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipeBuffer is how many bytes one direction of a pipe holds before Write waits: less than a socket's, so that
// back-pressure needs little data.
const pipeBuffer = 64 << 10

// Pipe returns the two ends of a connection in memory, with no node at either: see pipe.
func Pipe() (client, server net.Conn) { return pipe(address("client"), address("server")) }

// pipe returns the two ends of a connection in memory. It behaves like TCP on a healthy network, and unlike net.Pipe:
// it buffers, its ends close half by half, SetLinger(0) makes Close a reset, and what was written stays readable after
// a reset. Everything blocks on a sync.Cond, so that a testing/synctest bubble sees it idle.
func pipe(client, server net.Addr) (*pipeEnd, *pipeEnd) {
	up, down := newStream(), newStream()
	return &pipeEnd{in: down, out: up, local: client, remote: server},
		&pipeEnd{in: up, out: down, local: server, remote: client}
}

// pipeEnd is one end of a pipe. It is safe for concurrent use.
type pipeEnd struct {
	in, out       *stream // immutable
	local, remote net.Addr

	mu      sync.Mutex
	discard bool // guarded by mu: Close resets
}

func (p *pipeEnd) Read(b []byte) (int, error)  { return p.in.read(b, nil) }
func (p *pipeEnd) Write(b []byte) (int, error) { return p.out.write(b) }

// ReadElse is Read, but calls empty before it waits: if that returns true, it looks again at once.
func (p *pipeEnd) ReadElse(b []byte, empty func() (again bool)) (int, error) {
	return p.in.read(b, empty)
}

// Peek reports whether there is something to read, and if not, whether the other end has closed.
func (p *pipeEnd) Peek() (unread, ended bool) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	unread = len(p.in.buf) > 0
	return unread, !unread && p.in.readErr != nil
}

// SendBuffer returns how much the other end may leave unread until Write waits.
func (p *pipeEnd) SendBuffer() int { return pipeBuffer }

// Close sends FIN, or RST after SetLinger(0).
func (p *pipeEnd) Close() error {
	p.mu.Lock()
	discard := p.discard
	p.mu.Unlock()
	if discard {
		p.in.end(net.ErrClosed, syscall.ECONNRESET)
		p.out.end(syscall.ECONNRESET, net.ErrClosed)
		return nil
	}
	p.in.end(net.ErrClosed, syscall.EPIPE)
	p.out.end(io.EOF, net.ErrClosed)
	return nil
}

// CloseWrite sends FIN and goes on reading.
func (p *pipeEnd) CloseWrite() error {
	p.out.end(io.EOF, net.ErrClosed)
	return nil
}

// SetLinger is what net.TCPConn has: with 0, Close is a reset.
func (p *pipeEnd) SetLinger(sec int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discard = sec == 0
	return nil
}

func (p *pipeEnd) LocalAddr() net.Addr  { return p.local }
func (p *pipeEnd) RemoteAddr() net.Addr { return p.remote }

func (p *pipeEnd) SetDeadline(t time.Time) error {
	p.in.readBy.set(p.in, t)
	p.out.writeBy.set(p.out, t)
	return nil
}

func (p *pipeEnd) SetReadDeadline(t time.Time) error {
	p.in.readBy.set(p.in, t)
	return nil
}

func (p *pipeEnd) SetWriteDeadline(t time.Time) error {
	p.out.writeBy.set(p.out, t)
	return nil
}

// stream is one direction of a pipe.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond

	// guarded by mu
	buf      []byte
	readErr  error // what a read returns once buf is empty
	writeErr error // what a write returns
	readBy   deadline
	writeBy  deadline
}

func newStream() *stream {
	s := new(stream)
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(b []byte, empty func() (again bool)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for asked := empty == nil; ; {
		switch {
		case errors.Is(s.readErr, net.ErrClosed):
			return 0, net.ErrClosed
		case s.readBy.passed:
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0:
			n := copy(b, s.buf)
			s.buf = append(s.buf[:0], s.buf[n:]...)
			s.changed.Broadcast()
			return n, nil
		case s.readErr != nil:
			return 0, s.readErr
		}
		if !asked {
			s.mu.Unlock()
			again := empty()
			s.mu.Lock()
			asked = !again
			continue
		}
		s.changed.Wait()
		asked = empty == nil
	}
}

// write returns exactly how many bytes the other end will be able to read.
func (s *stream) write(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.writeErr != nil:
			return n, s.writeErr
		case s.writeBy.passed:
			return n, os.ErrDeadlineExceeded
		}
		took := min(len(b)-n, pipeBuffer-len(s.buf))
		s.buf = append(s.buf, b[n:n+took]...)
		s.changed.Broadcast()
		if n += took; n == len(b) {
			return n, nil
		}
		s.changed.Wait()
	}
}

// end ends the stream for its reader and its writer. The first end counts, except that an end's own Close overrides
// what its peer did.
func (s *stream) end(readErr, writeErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readErr == nil || errors.Is(readErr, net.ErrClosed) {
		s.readErr = readErr
	}
	if s.writeErr == nil || errors.Is(writeErr, net.ErrClosed) {
		s.writeErr = writeErr
	}
	s.changed.Broadcast()
}

// deadline wakes a stream when it passes. Guarded by the stream's mu.
type deadline struct {
	timer  *time.Timer
	passed bool
}

func (d *deadline) set(s *stream, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.passed = nil, false
	switch left := time.Until(t); {
	case t.IsZero():
	case left <= 0:
		d.passed = true
	default:
		var timer *time.Timer
		timer = time.AfterFunc(left, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if d.timer == timer { // not replaced in the meantime
				d.passed = true
				s.changed.Broadcast()
			}
		})
		d.timer = timer
	}
	s.changed.Broadcast()
}
