//go:build linux && (amd64 || arm64)

package wire_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// overLoopback is a connection to a node by way of a socket, whose buffers it returns.
func overLoopback(t *testing.T) (node *fakenode.Node, conn *wire.Conn, buffers func() socketBuffers) {
	node, opts := newNode(t)
	node.On("SET", fakenode.Reaction{Send: "+OK\r\n"})
	addr, err := node.Listen()
	require.NoError(t, err)
	opts.Addr, opts.MaxInFlight, opts.OnLarge = addr, 1<<20, func(*wire.Conn, []byte) {}
	option := dialSockets(t, &opts)
	for conn = connect(t, opts); !wire.IsNear(conn); conn = connect(t, opts) {
		t.Log("the host is so busy that loopback takes long")
	}
	return node, conn, func() socketBuffers {
		return socketBuffers{option(syscall.SOL_SOCKET, syscall.SO_RCVBUF), option(syscall.SOL_SOCKET, syscall.SO_SNDBUF)}
	}
}

type socketBuffers struct{ receive, send int }

// narrow is what Linux makes of a window: twice as much, for its bookkeeping (socket(7)).
const narrow = 2 * wire.Window

func TestALargeValueNarrowsTheWayItGoes(t *testing.T) {
	for name, row := range map[string]struct {
		call    *wire.Call
		reply   int // of GET
		in, out bool
	}{
		"a large request":         {call: set(wire.Large), out: true},
		"a small one":             {call: set(wire.Large / 2)},
		"small ones together":     {call: &wire.Call{Batch: slices.Repeat([][]byte{set(wire.Large / 4).Request}, 5)}},
		"a large one among small": {call: &wire.Call{Batch: [][]byte{set(1).Request, set(wire.Large).Request}}, out: true},
		"a large reply":           {call: get(1)[0], reply: wire.Large, in: true},
		"a small reply":           {call: get(1)[0], reply: wire.Large / 2},
	} {
		t.Run(name, func(t *testing.T) {
			node, conn, buffers := overLoopback(t)
			node.On("GET", fakenode.Reaction{Send: bulk(row.reply)})
			require.NoError(t, send(t, t.Context(), conn, row.call).wait(t.Context())[0].Err)
			require.Equal(t, row.in, buffers().receive == narrow)
			require.Equal(t, row.out, buffers().send == narrow)
		})
	}
}

// A caller in Write relies on the room that there was when it began: a buffer that shrinks would hold it there.
func TestAConnectionIsNotNarrowedWhileSomebodyWrites(t *testing.T) {
	node, conn, buffers := overLoopback(t)
	node.StopReading()
	batch := slices.Repeat([][]byte{set(wire.Large / 4).Request}, 128) // more than sockets take unread
	stuck := send(t, t.Context(), conn, &wire.Call{Batch: batch})
	require.Eventually(t, func() bool { return wire.IsWriting(conn) }, 5*time.Second, time.Millisecond)
	behind := send(t, t.Context(), conn, set(wire.Large))
	require.NotEqual(t, narrow, buffers().send)
	node.Resume()
	for _, sent := range []*sending{stuck, behind, send(t, t.Context(), conn, set(wire.Large))} {
		require.NoError(t, sent.wait(t.Context())[0].Err)
	}
	later := send(t, t.Context(), conn, set(wire.Large))
	require.NoError(t, later.wait(t.Context())[0].Err)
	require.Equal(t, narrow, buffers().send)
}
