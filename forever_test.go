package keyslot_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Never is spelled math.MaxInt64 by many.
func TestTheLongestDurationsMeanNever(t *testing.T) {
	const never = time.Duration(math.MaxInt64)
	var events seen
	opts := keyslot.Options{
		DialTimeout: never, CommandTimeout: never, PeerTimeout: never, IdleProbe: never, MaxConnAge: never, RefreshAfter: never,
		MaxLag: never, Trace: events.trace(),
	}
	set := func(f *flock) { // the map comes when the client is not quite new
		f.node[primary].On("CLUSTER INFO", fakenode.Reaction{Delay: time.Millisecond, Send: "$18\r\ncluster_state:ok\r\n\r\n"})
	}
	readStory(t, opts, three, set, func(t *testing.T, f *flock) {
		f.node[primary].On("BLPOP", fakenode.Reaction{Delay: time.Minute, Send: "_\r\n"})
		_, err := f.client.BLPop(context.Background(), never, "key") // a null before its time, in which there was no turn
		require.ErrorIs(t, err, keyslot.Nil)
		require.Equal(t, time.Minute, time.Since(f.began))
		for range 100 {
			require.Equal(t, primary, f.get(t))
			time.Sleep(time.Minute)
		}
		require.Empty(t, events.since())
		require.EqualValues(t, 2, f.dialsTo(primary).Load(), "nothing is too old")
		f.node[primary].On("GET", fakenode.Reaction{Delay: time.Minute, Send: itself(primary).Send})
		require.Equal(t, primary, f.get(t), "nor too slow")
	})
}
