package wire

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h: how long written data may stay unacknowledged.
const tcpUserTimeout = 18

// tune sets a new socket's options and returns the size of its send buffer in bytes, or 0 where it is not known.
func tune(raw net.Conn, peerTimeout time.Duration) (sendBuffer int) {
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return 0
	}
	sc, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	_ = sc.Control(func(fd uintptr) {
		if peerTimeout > 0 {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(peerTimeout.Milliseconds()))
		}
		if n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF); err == nil {
			sendBuffer = n
		}
	})
	return sendBuffer
}
