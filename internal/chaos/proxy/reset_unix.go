//go:build unix

package proxy

import (
	"net"
	"syscall"
)

// wasReset reports whether the peer has reset the connection, which a Read tells only behind everything that came before.
func wasReset(conn *net.TCPConn) (reset bool) {
	sys, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	err = sys.Control(func(fd uintptr) {
		pending, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		reset = err != nil || pending != 0
	})
	return reset || err != nil
}
