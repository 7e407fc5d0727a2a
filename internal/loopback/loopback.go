// Package loopback listens for the servers of tests, which stop and come back where they were.
package loopback

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Below the ports that the kernel gives to outgoing connections, which begin at 32768 on Linux and at 49152 elsewhere:
// one of these could get the port of a server that is down for the moment, and keep it from coming back.
const firstPort, lastPort = 10000, 32767

// attempts is how many ports are tried.
const attempts = 200

// Listener is a TCP listener that has stopped when Close returns. Its methods are safe for concurrent use.
type Listener struct{ *net.TCPListener }

// Listen listens at addr, host:port. Port 0 is a free one that can be listened on again later.
func Listen(addr string) (*Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if port != "0" {
		return listen(addr)
	}
	var l *Listener
	for range attempts {
		port = strconv.Itoa(firstPort + rand.IntN(lastPort-firstPort+1))
		if l, err = listen(net.JoinHostPort(host, port)); err == nil {
			break
		}
	}
	return l, err
}

func listen(addr string) (*Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Listener{l.(*net.TCPListener)}, nil
}

// Accept returns the next connection. It fails with net.ErrClosed once Close has been called.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.TCPListener.Accept()
	if errors.Is(err, syscall.EINVAL) { // Close has stopped it and is about to close it
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close stops listening: from then on dials are refused, and the port can be listened on again. Closing alone would not
// do, for a child that this process has forked holds a copy of every descriptor until it has become another program,
// and the kernel goes on to listen for it.
func (l *Listener) Close() error {
	stop(l.TCPListener)
	return l.TCPListener.Close()
}
