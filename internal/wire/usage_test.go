package wire_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
)

func TestUsageCountsCallsAndNotTheConnectionsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Send: "+ok\r\n"})
		opts.LibName, opts.LibVer, opts.MaxInFlight = "keyslot", "0", 1024
		conn := connect(t, opts)
		require.Zero(t, conn.Usage())
		all := send(t, t.Context(), conn, get(700)...) // with fences among them, and an introduction in front
		all.waiter.Wait(t.Context(), all.calls)
		used := conn.Usage()
		require.EqualValues(t, 700, used.Calls)
		require.Zero(t, used.InFlight)
		require.True(t, used.Proven)
		require.Greater(t, used.Written, int64(700*len(request("GET", "0"))))
		require.GreaterOrEqual(t, used.Read, int64(700*len("+ok\r\n")))
		time.Sleep(time.Second) // by then it is trimmed
		require.Equal(t, used, conn.Usage())
	})
}

// A count that fell would look like a restart to whoever takes the difference.
func TestUsageNeverFalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{})
		conn := connect(t, opts)
		ctx, cancel := context.WithCancel(t.Context())
		owed := send(t, ctx, conn, get(3)...)
		synctest.Wait()
		require.EqualValues(t, 3, conn.Usage().Calls)
		require.Equal(t, 3, conn.Usage().InFlight)
		cancel()
		owed.waiter.Wait(ctx, owed.calls)
		require.EqualValues(t, 3, conn.Usage().Calls)
		time.Sleep(600 * time.Millisecond)
		require.True(t, conn.Usage().Silent)
		used := conn.Usage()
		conn.Close()
		require.EqualValues(t, 3, conn.Usage().Calls)
		require.Zero(t, conn.Usage().InFlight)
		require.False(t, conn.Usage().Silent)
		require.GreaterOrEqual(t, conn.Usage().Written, used.Written)
	})
}
