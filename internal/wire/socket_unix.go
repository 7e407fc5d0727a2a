//go:build unix

package wire

import (
	"io"
	"net"
	"os"
	"syscall"
)

// tcpReader reads a TCP socket by way of the netpoller, like net.TCPConn, and says when it finds the socket empty.
type tcpReader struct {
	sys  syscall.RawConn
	look func(fd uintptr) (done bool) // tcpReader.try, made once
	peek func(fd uintptr)             // tcpReader.tryPeek, made once

	// owned by whoever reads
	into  []byte
	empty func() (again bool)
	n     int
	err   error

	// owned by whoever peeks
	first         [1]byte
	unread, ended bool
}

// newTCPReader returns nil where raw is no TCP socket of the system's.
func newTCPReader(raw net.Conn) elseReader {
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return nil
	}
	sys, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	r := &tcpReader{sys: sys}
	r.look, r.peek = r.try, r.tryPeek
	return r
}

func (r *tcpReader) ReadElse(b []byte, empty func() (again bool)) (int, error) {
	r.into, r.empty = b, empty
	err := r.sys.Read(r.look)
	r.into, r.empty = nil, nil
	switch {
	case err != nil: // closed, or past its deadline
		return 0, err
	case r.err != nil:
		return 0, os.NewSyscallError("read", r.err)
	case r.n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// try is called by RawConn.Read, first after it has told the netpoller to note what arrives from then on.
func (r *tcpReader) try(fd uintptr) (done bool) {
	for {
		r.n, r.err = syscall.Read(int(fd), r.into)
		switch r.err {
		case nil:
			return true
		case syscall.EINTR: //nolint:errorlint // the system call's own, not wrapped
		case syscall.EAGAIN:
			if r.empty == nil || !r.empty() {
				return false
			}
		default:
			return true
		}
	}
}

func (r *tcpReader) Peek() (unread, ended bool) {
	if r.sys.Control(r.peek) != nil {
		return false, true
	}
	return r.unread, r.ended
}

func (r *tcpReader) tryPeek(fd uintptr) {
	n, _, err := syscall.Recvfrom(int(fd), r.first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	r.unread = n > 0
	r.ended = n == 0 && err == nil || err == syscall.ECONNRESET
}

func (r *tcpReader) SendBuffer() (size int) {
	_ = r.sys.Control(func(fd uintptr) {
		if n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF); err == nil {
			size = n
		}
	})
	return size
}
