package wire_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What was written and is not acknowledged must not be retransmitted for minutes: the system ends such a connection by itself.
func TestTheSystemGivesAPeerUpAfterPeerTimeoutToo(t *testing.T) {
	opts := answerer(t)
	opts.PeerTimeout = 1234 * time.Millisecond
	var raw net.Conn
	opts.Dial = func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		raw, err = new(net.Dialer).DialContext(ctx, network, addr)
		return raw, err
	}
	connect(t, opts)
	sys, err := raw.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	const userTimeout = 18 // TCP_USER_TIMEOUT of linux/tcp.h
	var got int
	require.NoError(t, sys.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout) }))
	require.NoError(t, err)
	require.Equal(t, 1234, got)
}
