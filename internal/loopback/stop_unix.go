//go:build unix

package loopback

import (
	"net"
	"syscall"
)

// stop ends the listening, whoever holds the socket. Linux does this; others say that there is no connection to shut down.
func stop(l *net.TCPListener) {
	sys, err := l.SyscallConn()
	if err != nil {
		return
	}
	_ = sys.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RD) }) // closing follows anyway
}
