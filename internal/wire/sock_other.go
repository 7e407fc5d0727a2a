//go:build !linux

package wire

import (
	"net"
	"time"
)

// tune reports an unknown send buffer: every write is then made by the connection's own goroutine.
func tune(net.Conn, time.Duration) (sendBuffer int) { return 0 }
