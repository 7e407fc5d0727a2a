package keyslot_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// counter lets a node count INCRs.
func counter(n *atomic.Int64) fakenode.Handler {
	return func(r fakenode.Request) (fakenode.Reaction, bool) {
		if r.Name() != "INCR" {
			return fakenode.Reaction{}, false
		}
		return fakenode.Reaction{Send: ":" + strconv.FormatInt(n.Add(1), 10) + "\r\n"}, true
	}
}

// Whoever reads at that moment, the reader of a shared connection or nobody after a lone caller, the end of the
// connection is seen before the write, so every write is known not to have run and is sent again.
func TestWritesOnConnectionsThatTheServerHasJustClosed(t *testing.T) {
	for name, calls := range map[string]int{"each time": 1, "after a while of one caller": 70} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				var ran atomic.Int64
				s.lower.Handle(counter(&ran))
				for want := range int64(1000) {
					if want%int64(calls) == 0 {
						s.lower.Cut(fakenode.FIN)
						time.Sleep(time.Millisecond)
					}
					n, err := s.client.Incr(t.Context(), low)
					require.NoError(t, err)
					require.Equal(t, want+1, n)
				}
				require.EqualValues(t, 1000, ran.Load())
			})
		})
	}
}

// The same on sockets, where the reader may run later than the caller.
func TestWritesOnSocketsThatTheServerHasJustClosed(t *testing.T) {
	client, node := onSocket(t)
	var ran atomic.Int64
	node.Handle(counter(&ran))
	for want := range int64(1000) {
		node.Cut(fakenode.FIN)
		<-time.After(time.Millisecond)
		n, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
		require.Equal(t, want+1, n)
	}
	require.EqualValues(t, 1000, ran.Load())
}
