//go:build unix

package wire

import (
	"io"
	"net"
	"os"
	"syscall"
)

// tcpSocket reads and writes a TCP socket by way of the netpoller, like net.TCPConn, and says when it finds the socket empty.
// Its system calls do not wait, so that they can be made without the runtime's help where they are quicker then: see receive.
type tcpSocket struct {
	*net.TCPConn
	sys   syscall.RawConn
	look  func(fd uintptr) (done bool) // tcpSocket.tryRead, made once
	offer func(fd uintptr) (done bool) // tcpSocket.tryWrite, made once
	peek  func(fd uintptr)             // tcpSocket.tryPeek, made once

	// owned by whoever reads
	into  []byte
	empty func() (again bool)
	n     int
	err   error

	// owned by whoever writes
	out     []byte
	taken   int
	refused error

	// owned by whoever peeks
	first         [1]byte
	unread, ended bool
}

// newTCPSocket returns nil where raw is no TCP socket of the system's.
func newTCPSocket(raw net.Conn) *socket {
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return nil
	}
	sys, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	s := &tcpSocket{TCPConn: tcp, sys: sys}
	s.look, s.offer, s.peek = s.tryRead, s.tryWrite, s.tryPeek
	return &socket{Conn: s, source: s}
}

func (s *tcpSocket) ReadElse(b []byte, empty func() (again bool)) (int, error) {
	s.into, s.empty = b, empty
	err := s.sys.Read(s.look)
	s.into, s.empty = nil, nil
	switch {
	case err != nil: // closed, or past its deadline
		return 0, err
	case s.err != nil:
		return 0, os.NewSyscallError("read", s.err)
	case s.n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return s.n, nil
}

// tryRead is called by RawConn.Read, first after it has told the netpoller to note what arrives from then on.
func (s *tcpSocket) tryRead(fd uintptr) (done bool) {
	for {
		s.n, s.err = receive(fd, s.into)
		switch s.err {
		case nil:
			return true
		case syscall.EINTR: //nolint:errorlint // the system call's own, not wrapped
		case syscall.EAGAIN:
			if s.empty == nil || !s.empty() {
				return false
			}
		default:
			return true
		}
	}
}

// Write leaves to net.TCPConn what the kernel does not take at once.
func (s *tcpSocket) Write(b []byte) (int, error) {
	s.out, s.taken, s.refused = b, 0, nil
	_ = s.sys.Write(s.offer) // a socket that is closed, or past its deadline, will say so again
	s.out = nil
	switch {
	case s.refused != nil:
		return 0, os.NewSyscallError("write", s.refused)
	case s.taken == len(b):
		return len(b), nil
	}
	n, err := s.TCPConn.Write(b[s.taken:])
	return s.taken + n, err
}

// tryWrite is called by RawConn.Write, and does not want to be called again.
func (s *tcpSocket) tryWrite(fd uintptr) (done bool) {
	switch n, err := transmit(fd, s.out); err {
	case nil:
		s.taken = n
	case syscall.EAGAIN, syscall.EINTR: //nolint:errorlint // the system call's own, not wrapped
	default:
		s.refused = err
	}
	return true
}

func (s *tcpSocket) Peek() (unread, ended bool) {
	if s.sys.Control(s.peek) != nil {
		return false, true
	}
	return s.unread, s.ended
}

func (s *tcpSocket) tryPeek(fd uintptr) {
	n, err := peek(fd, s.first[:])
	s.unread = n > 0
	s.ended = n == 0 && err == nil || err == syscall.ECONNRESET //nolint:errorlint // the system call's own
}

func (s *tcpSocket) SendBuffer() (size int) {
	_ = s.sys.Control(func(fd uintptr) {
		if n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF); err == nil {
			size = n
		}
	})
	return size
}
