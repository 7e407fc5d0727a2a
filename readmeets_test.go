package keyslot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// These stories are about replica reads where they meet something else.

// A replica that is behind would name an id, and XREAD at the primary return what is behind it as news.
func TestTheLastIDOfABlockingReadIsAskedAtThePrimary(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[primary].On("XREVRANGE", fakenode.Reaction{Send: "*1\r\n*2\r\n$3\r\n7-1\r\n*2\r\n+f\r\n+v\r\n"})
		f.node[primary].On("XREAD", fakenode.Reaction{Send: "*-1\r\n"})
		_, err := f.client.Do(t.Context(), "XREAD", "BLOCK", 10, "STREAMS", "key", "$")
		require.NoError(t, err)
		require.Equal(t, "7-1", sent(f.node[primary], "XREAD")[0].Args[5])
	})
}

func TestWhatHasNoKeyGoesToThePrimaryOfASlotView(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[primary].On("DBSIZE", one)
		_, err := f.client.On(keyslot.ToKey("key")).Do(t.Context(), "DBSIZE")
		require.NoError(t, err)
		require.Len(t, sent(f.node[primary], "DBSIZE"), 1)
	})
}

// Who gives a read up leaves it to a connection that hands silent replicas' reads back. The race detector watches.
func TestAReadThatWasGivenUpIsLeftToItsConnection(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", stuck())
		f.node[replica2].On("GET", stuck())
		for range 8 {
			_, _ = f.client.Get(within(t, 100*time.Millisecond), "key")
		}
		time.Sleep(3 * time.Second)
		f.node[primary].On("GET", itself(primary))
		require.Equal(t, primary, f.get(t))
	})
}
