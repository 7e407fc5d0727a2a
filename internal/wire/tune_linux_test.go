package wire_test

import (
	"context"
	"math"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// dialSockets makes opts dial sockets, and returns what reads an option of the last one.
func dialSockets(t *testing.T, opts *wire.Options) (option func(level, name int) int) {
	var raw net.Conn
	opts.Dial = func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		raw, err = new(net.Dialer).DialContext(ctx, network, addr)
		return raw, err
	}
	return func(level, name int) (value int) {
		sys, err := raw.(*net.TCPConn).SyscallConn()
		require.NoError(t, err)
		require.NoError(t, sys.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, name) }))
		require.NoError(t, err)
		return value
	}
}

// What was written and is not acknowledged must not be retransmitted for minutes: the system ends such a connection by itself.
func TestTheSystemGivesAPeerUpAfterPeerTimeoutToo(t *testing.T) {
	const userTimeout = 18 // TCP_USER_TIMEOUT of linux/tcp.h
	for given, millis := range map[time.Duration]int{
		1234 * time.Millisecond:      1234,
		50 * 24 * time.Hour:          math.MaxInt32,
		10 * 365 * 24 * time.Hour:    math.MaxInt32,
		time.Duration(math.MaxInt64): math.MaxInt32,
	} {
		opts := answerer(t)
		opts.PeerTimeout = given
		option := dialSockets(t, &opts)
		connect(t, opts)
		require.Equal(t, millis, option(syscall.IPPROTO_TCP, userTimeout), given)
	}
}
