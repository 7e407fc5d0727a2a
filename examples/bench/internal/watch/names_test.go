package watch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

func node(name string) keyslot.Node { return keyslot.Node{ID: "id of " + name, Host: name, Port: 1} }

func shard(first, last uint16, primary string, replicas ...string) keyslot.Shard {
	s := keyslot.Shard{Primary: node(primary), Slots: []keyslot.SlotRange{{First: first, Last: last}}}
	for _, r := range replicas {
		s.Replicas = append(s.Replicas, node(r))
	}
	return s
}

// after tells the shards and their primaries once the topology is this one: "shard 1 at a".
func after(n *namer, shards ...keyslot.Shard) string {
	return strings.ReplaceAll(Structure(n.ownership(keyslot.Topology{Shards: shards})), ":1", "")
}

func TestShardsKeepTheirNames(t *testing.T) {
	n := &namer{}
	require.Equal(t, "shard 1 at a", after(n, shard(0, 16383, "a", "b")))
	require.Equal(t, "shard 1 at a", after(n, shard(0, 16383, "a", "b"), keyslot.Shard{Primary: node("c")}), "no slots yet")
	redirected := shard(50, 50, "c")
	redirected.Primary.ID = ""
	require.Equal(t, "shard 1 at a, shard 2 at c", after(n, redirected, shard(0, 49, "a", "b")), "only a redirect has named it")
	require.Equal(t, "shard 1 at a, shard 2 at c", after(n, shard(0, 99, "c"), shard(100, 16383, "a", "b")))
	require.Equal(t, "shard 1 at b, shard 2 at c", after(n, shard(0, 99, "c"), shard(100, 16383, "b", "a")), "a failover")
	require.Equal(t, "shard 1 at x, shard 2 at c", after(n, shard(0, 99, "c"), shard(100, 16383, "x", "y")), "all nodes replaced")
	require.Equal(t, "shard 1 at x", after(n, shard(0, 16383, "x", "y", "c")), "a shard that is empty serves another")
	require.Equal(t, "shard 1 at c", after(n, shard(0, 16383, "c", "x", "y")))
	require.Equal(t, "shard 1 at c, shard 3 at d", after(n, shard(0, 8191, "c", "x", "y"), shard(8192, 16383, "d")))
}

func TestBriefCountsSlots(t *testing.T) {
	o := record.Ownership{Shards: []record.ShardSlots{
		{Shard: "shard 1", Ranges: [][2]uint16{{0, 9}, {20, 20}}}, {Shard: "shard 2", Ranges: [][2]uint16{{10, 19}}},
	}}
	require.Equal(t, "slots: shard 1 11, shard 2 10", Brief(o))
	require.Equal(t, "no slot has an owner", Brief(record.Ownership{}))
}
