//go:build !(linux && (amd64 || arm64))

package wire

import (
	"net"
	"time"
)

func shortestTrip(*net.TCPConn) time.Duration { return 0 }
