package wire

import (
	"math"
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h: how long written data may stay unacknowledged.
const tcpUserTimeout = 18

// tune sets a new socket's options.
func tune(raw net.Conn, peerTimeout time.Duration) {
	tcp, ok := raw.(*net.TCPConn)
	if !ok || peerTimeout <= 0 {
		return
	}
	sys, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	millis := min(peerTimeout.Milliseconds(), math.MaxInt32) // which is what the system takes; more would be cut to anything
	_ = sys.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(millis))
	})
}
