package keyslot

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// What becomes of the connections of a node that serve one call at a time.

// A connection is 10 KiB and more, and 1024 of them may have been in use once.
func TestConnectionsThatHaveEndedAreNotKeptInMemory(t *testing.T) {
	aCore(t, func(t *testing.T, c *core, _ *fakenode.Node) {
		n := c.routes.Load().nodes[0]
		borrowed := make([]*wire.Conn, keepDedicated+3)
		all := make([]weak.Pointer[wire.Conn], len(borrowed))
		for i := range borrowed {
			conn, err := n.borrow(t.Context(), time.Time{}, nil)
			require.NoError(t, err)
			borrowed[i], all[i] = conn, weak.Make(conn)
		}
		for _, conn := range borrowed {
			n.giveBack(conn)
		}
		last, err := n.borrow(t.Context(), time.Time{}, nil)
		require.NoError(t, err)
		last.Abandon(errGivenUp)
		n.giveBack(last)
		clear(borrowed)
		time.Sleep(restDedicated)
		synctest.Wait()
		runtime.GC()
		for i, conn := range all {
			kept := i >= 2 && i < len(all)-1 // two were trimmed, and the last one was given up
			require.Equal(t, kept, conn.Value() != nil, i)
		}
	})
}
