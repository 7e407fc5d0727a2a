package keyslot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// A shard channel's subscribers are counted where they are, whichever shard that is.
func TestShardChannelsAreAskedForInTheirShards(t *testing.T) {
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		cluster := realcluster.Start(t, realcluster.Options{Engine: e.Name, Primaries: 3})
		c := connect(t, keyslot.Options{Endpoints: cluster.Addrs()})
		channels := []string{"a", "b", "c"} // in the slots of three primaries
		sub, err := c.SSubscribe(t.Context(), channels...)
		require.NoError(t, err)
		t.Cleanup(func() { _ = sub.Close() })
		for _, channel := range channels {
			for range 5 { // a node that is chosen at random might be the right one
				counts, err := c.PubSubShardNumSub(t.Context(), channel)
				require.NoError(t, err)
				require.Equal(t, map[string]int64{channel: 1}, counts)
			}
		}
		all, err := c.PubSubShardChannels(t.Context(), "*")
		require.NoError(t, err)
		require.ElementsMatch(t, channels, all)
		_, err = c.PubSubShardNumSub(t.Context(), channels...)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted, "nobody has the counts of several shards")
	})
}

// What concerns the connections of one node is done at the node that the caller names, or not at all.
func TestWhatAnOperatorDoesToANodeNamesTheNode(t *testing.T) {
	_, c := begin(t, keyslottest.Options{}, keyslot.Options{})
	for name, err := range map[string]error{
		"CLIENT KILL":    failure(c.ClientKill(t.Context(), command.OfID(1))),
		"CLIENT PAUSE":   c.ClientPause(t.Context(), time.Millisecond),
		"CLIENT UNPAUSE": c.ClientUnpause(t.Context()),
		"CLIENT UNBLOCK": failure(c.ClientUnblock(t.Context(), 1)),
	} {
		require.ErrorIs(t, err, keyslot.ErrNotExecuted, name)
		require.ErrorContains(t, err, "keyslot: "+name+": "+name+" is done to one node: run it there with a view made by Client.On(ToNode(...))", name)
	}
}

func failure[T any](_ T, err error) error { return err }
