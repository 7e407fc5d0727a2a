//go:build !linux

package wire

import (
	"net"
	"time"
)

func tune(net.Conn, time.Duration) {}
