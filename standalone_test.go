package keyslot_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// endpointsOf returns the addresses of all nodes.
func endpointsOf(c *keyslottest.Cluster) (addrs []string) {
	for _, n := range c.Nodes() {
		addrs = append(addrs, n.Addr)
	}
	return addrs
}

func TestAGroupInTheProcessFailsOver(t *testing.T) {
	servers, err := keyslottest.Start(keyslottest.Options{Standalone: true, Replicas: 2})
	require.NoError(t, err)
	defer servers.Close()
	client := connect(t, keyslot.Options{Endpoints: endpointsOf(servers)})
	require.True(t, client.Topology().Standalone)
	for i, replica := range servers.Shards()[0].Replicas {
		require.NoError(t, client.MSet(t.Context(), command.Pair{Key: "a", Value: fmt.Sprint(i)}, command.Pair{Key: "b", Value: "1"}))
		require.NoError(t, servers.Failover(replica.ID))
		_, err := client.Incr(t.Context(), "visits")
		require.NoError(t, err)
		require.Equal(t, replica.Addr, client.Topology().Shards[0].Primary.Addr())
	}
	values, err := client.ReadFrom(keyslot.PreferReplica).MGet(t.Context(), "a", "b", "visits")
	require.NoError(t, err)
	require.Equal(t, "112", values[0].Value+values[1].Value+values[2].Value)
	require.ErrorContains(t, client.Timeout(time.Second).On(keyslot.ToNode(servers.Shards()[0].Replicas[0].Addr)).Set(t.Context(), "a", "2"),
		"READONLY")
}

// A server without cluster mode has more databases than one, and keyslot has no use for them.
func TestSELECTIsRefusedForWhatHoldsWithoutClusterModeToo(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Standalone: true}, keyslot.Options{})
	_, err := client.Do(t.Context(), "SELECT", 1)
	require.Contains(t, refused(t, err, 0), "database 0 is the only one that keyslot uses")
	_, err = keyslot.Open(t.Context(), "redis://localhost:6379/1")
	require.ErrorContains(t, err, "keyslot uses database 0 only")
}

func ExampleOptions_reader() {
	servers, err := keyslottest.Start(keyslottest.Options{Standalone: true, Replicas: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer servers.Close()
	shard := servers.Shards()[0]
	ctx := context.Background()
	client, err := keyslot.New(ctx, keyslot.Options{
		Endpoints: []string{shard.Primary.Addr}, // master.orders.abc123.use1.cache.amazonaws.com:6379
		Reader:    shard.Replicas[0].Addr,       // replica.orders.abc123.use1.cache.amazonaws.com:6379
		ReadFrom:  keyslot.PreferReplica,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	err = client.MSet(ctx, command.Pair{Key: "ann", Value: "5"}, command.Pair{Key: "bob", Value: "7"}) // one command
	ann, _ := client.Get(ctx, "ann")
	fmt.Println(err, ann, client.Topology().Standalone)
	// Output: <nil> 5 true
}
