//go:build !unix

package wire

import "net"

func newTCPReader(net.Conn) elseReader { return nil }
