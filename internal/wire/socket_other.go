//go:build !unix

package wire

import "net"

func newTCPSocket(net.Conn) *socket { return nil }

func wakeMonitor() {}
