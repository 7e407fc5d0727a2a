package keyslot_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// Subscriptions to a whole cluster in this process, in both versions of the protocol, while it changes.

func subscribing(t *testing.T, story func(t *testing.T, cluster *keyslottest.Cluster, client *keyslot.Client)) {
	for name, resp2 := range map[string]bool{"RESP2": true, "RESP3": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, client := begin(t, keyslottest.Options{Replicas: 1, RESP2Only: resp2}, keyslot.Options{})
			story(t, cluster, client)
		})
	}
}

// hears publishes on channel, where somebody is subscribed to it, and returns the gaps that sub tells of before it
// has the message.
func hears(t *testing.T, client *keyslot.Client, sub *keyslot.Subscription, command, channel string) (gaps []*keyslot.Gap) {
	t.Helper()
	text := rand.Text()
	_, err := client.Do(t.Context(), command, channel, text)
	require.NoError(t, err)
	for {
		heard, missed := hear(t, sub, 1)
		if gaps = append(gaps, missed...); heard[0] == text {
			return gaps
		}
	}
}

// subscribersAt waits until the node has so many subscribers.
func subscribersAt(t *testing.T, cluster *keyslottest.Cluster, node keyslottest.Node, count int) {
	t.Helper()
	becomes(t, time.Minute, func() bool { return cluster.Stats(node.ID).Subscribers == count })
}

func TestShardChannelsFollowASlotAndAFailover(t *testing.T) {
	subscribing(t, func(t *testing.T, cluster *keyslottest.Cluster, client *keyslot.Client) {
		const channel = "orders"
		sub, err := client.SSubscribe(t.Context(), channel)
		require.NoError(t, err)
		defer sub.Close()
		require.Empty(t, hears(t, client, sub, "SPUBLISH", channel))

		source, target := cluster.Owner(channel), other(cluster, channel)
		m, err := cluster.Migrate(keyslot.Slot(channel), target.ID)
		require.NoError(t, err)
		require.Empty(t, hears(t, client, sub, "SPUBLISH", channel), "the source has it until the end")
		require.NoError(t, m.Finish())
		subscribersAt(t, cluster, target, 1)
		require.Len(t, hears(t, client, sub, "SPUBLISH", channel), 1)
		subscribersAt(t, cluster, source, 0)

		replica := shardOf(cluster, channel).Replicas[0]
		require.NoError(t, cluster.Failover(replica.ID))
		subscribersAt(t, cluster, replica, 1) // perhaps by way of the old primary, which takes subscribers as a replica
		require.NotEmpty(t, hears(t, client, sub, "SPUBLISH", channel))

		require.NoError(t, cluster.Stop(replica.ID))
		require.NoError(t, cluster.Failover(target.ID))
		subscribersAt(t, cluster, target, 1)
		require.NotEmpty(t, hears(t, client, sub, "SPUBLISH", channel))
	})
}

func TestChannelsAndPatternsOutliveTheirNode(t *testing.T) {
	subscribing(t, func(t *testing.T, cluster *keyslottest.Cluster, client *keyslot.Client) {
		for _, subscribe := range []func() (*keyslot.Subscription, error){
			func() (*keyslot.Subscription, error) { return client.Subscribe(t.Context(), "news") },
			func() (*keyslot.Subscription, error) { return client.PSubscribe(t.Context(), "n?ws") },
		} {
			sub, err := subscribe()
			require.NoError(t, err)
			require.Empty(t, hears(t, client, sub, "PUBLISH", "news"))
			require.NoError(t, cluster.MoveSlots(t.Context(), cluster.Owner("a").ID, other(cluster, "a").ID, keyslot.Slot("a")))
			require.Empty(t, hears(t, client, sub, "PUBLISH", "news"), "slots are nothing to it")

			at := subscribed(t, cluster)
			require.NoError(t, cluster.Stop(at.ID))
			if at.Primary {
				require.NoError(t, cluster.Failover(replicaOf(cluster, at)))
			}
			becomes(t, time.Minute, func() bool { return cluster.Stats("").Subscribers == 1 })
			require.Len(t, hears(t, client, sub, "PUBLISH", "news"), 1)
			require.NoError(t, cluster.Restart(at.ID))
			require.NoError(t, sub.Close())
			becomes(t, time.Minute, func() bool { return cluster.Stats("").Subscribers == 0 })
		}
	})
}

func shardOf(cluster *keyslottest.Cluster, key string) keyslottest.Shard {
	for _, s := range cluster.Shards() {
		if s.Primary.ID == cluster.Owner(key).ID {
			return s
		}
	}
	panic("no shard owns " + key)
}

func replicaOf(cluster *keyslottest.Cluster, primary keyslottest.Node) (id string) {
	for _, s := range cluster.Shards() {
		if s.ID == primary.ShardID {
			id = s.Replicas[0].ID
		}
	}
	return id
}

// subscribed is the node with a subscriber.
func subscribed(t *testing.T, cluster *keyslottest.Cluster) keyslottest.Node {
	t.Helper()
	for _, n := range cluster.Nodes() {
		if cluster.Stats(n.ID).Subscribers > 0 {
			return n
		}
	}
	require.Fail(t, "nobody has a subscriber")
	return keyslottest.Node{}
}
