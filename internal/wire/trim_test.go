package wire_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// idleBudget is what an idle connection may hold in buffers.
const idleBudget = 16 << 10

// burst lets many calls pass at once, and then fewer, whose buffers are small enough to be kept for the next ones.
func burst(t *testing.T, conn *wire.Conn) {
	t.Helper()
	for _, n := range []int{2000, 100} {
		calls := get(n)
		for _, call := range calls {
			call.Request = request("GET", strings.Repeat("k", 200))
		}
		calls[0].Request = request("ECHO", strings.Repeat("v", 20e3))
		for _, call := range send(t, t.Context(), conn, calls...).wait(t.Context()) {
			require.NoError(t, call.Err)
		}
	}
}

func TestAnIdleConnectionGivesUpWhatABurstNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Send: bulk(500)})
		opts.MaxInFlight = 4096
		conn := connect(t, opts)
		wire.CountExactly(conn)
		for range 3 {
			burst(t, conn)
			require.Greater(t, wire.Held(conn), idleBudget)
			time.Sleep(300 * time.Millisecond) // a tick of the watchdog
			synctest.Wait()
			require.LessOrEqual(t, wire.Held(conn), idleBudget)
		}
		conn.Drain()
		conn.Wait()
	})
}

// What the reader is woken with is a deadline, and TLS has opinions about those.
func TestAnIdleConnectionIsTrimmedUnderTLS(t *testing.T) {
	node, opts := newNode(t)
	ca := newAuthority(t)
	node.UseTLS(ca.server(t, "127.0.0.1"))
	addr, err := node.Listen()
	require.NoError(t, err)
	node.On("GET", fakenode.Reaction{Send: bulk(500)})
	opts.Addr, opts.Dial, opts.TLS, opts.MaxInFlight = addr, nil, ca.client(), 4096
	conn := connect(t, opts)
	for range 3 {
		burst(t, conn)
		require.Eventually(t, func() bool { return wire.Held(conn) <= idleBudget }, 5*time.Second, 10*time.Millisecond)
	}
}

// parting is a connection that is drained at the very moment at which the reader, trimmed, is about to read on.
type parting struct {
	net.Conn
	looker
	conn atomic.Pointer[wire.Conn]
}

// looker is what a connection in memory can do and a socket can.
type looker interface {
	ReadElse(b []byte, empty func() (again bool)) (int, error)
	Ended() bool
	SendBuffer() int
}

func (p *parting) SetReadDeadline(t time.Time) error {
	if conn := p.conn.Load(); conn != nil && t.IsZero() {
		conn.Drain()
	}
	return p.Conn.SetReadDeadline(t)
}

func TestDrainIsHeardWhileTheConnectionIsTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, opts := newNode(t)
		var raw parting
		dial := opts.Dial
		opts.Dial = func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			raw.Conn, err = dial(ctx, network, addr)
			raw.looker = raw.Conn.(looker)
			return &raw, err
		}
		conn := connect(t, opts)
		wire.CountExactly(conn)
		raw.conn.Store(conn)
		burst(t, conn)
		time.Sleep(300 * time.Millisecond)
		conn.Wait()
	})
}
