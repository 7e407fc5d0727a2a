package stage

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// owners are shards of one slot each: "a" has slot 0, and so on.
func owners(nodes ...string) record.Ownership {
	var o record.Ownership
	for i, node := range nodes {
		o.Shards = append(o.Shards, record.ShardSlots{
			Shard: "shard " + string(rune('1'+i)), Node: node, Ranges: [][2]uint16{{uint16(i), uint16(i)}},
		})
	}
	return o
}

// The commands are those of the AWS CLI Command Reference, elasticache.
func TestTheCommandForElastiCacheIsShown(t *testing.T) {
	s := remote{client.Target{Endpoint: "clustercfg.orders.abc123.use1.cache.amazonaws.com:6379"}}
	for e, want := range map[Experiment]string{
		ScaleOut: "aws elasticache modify-replication-group-shard-configuration --replication-group-id orders " +
			"--node-group-count 3 --apply-immediately --region us-east-1",
		ScaleIn: "aws elasticache modify-replication-group-shard-configuration --replication-group-id orders " +
			"--node-group-count 1 --apply-immediately --node-groups-to-remove 0002 --region us-east-1",
		Failover: "aws elasticache test-failover --replication-group-id orders --node-group-id 0001 --region us-east-1",
		Kill:     "aws elasticache test-failover --replication-group-id orders --node-group-id 0001 --region us-east-1",
	} {
		require.Contains(t, s.instructions(e, owners("a", "b")), want)
	}
	require.Equal(t, "ElastiCache, us-east-1", s.Where())
	elsewhere := remote{client.Target{Endpoint: "127.0.0.1:7000"}}
	require.Contains(t, elsewhere.instructions(ScaleOut, owners("a")), "redis-cli --cluster add-node NEW:PORT 127.0.0.1:7000")
}

func TestAChangeThatWasWaitedForIsSeen(t *testing.T) {
	two := owners("a", "b")
	moved := owners("a", "b")
	moved.Shards[0].Ranges[0][1] = 5
	for _, tc := range []struct {
		e    Experiment
		now  record.Ownership
		want bool
	}{
		{ScaleOut, two, false}, {ScaleOut, moved, false}, {ScaleOut, owners("a", "b", "c"), true},
		{ScaleIn, two, false}, {ScaleIn, moved, true}, {ScaleIn, owners("a"), true},
		{Failover, two, false}, {Failover, moved, false}, {Failover, owners("a", "x"), true},
		{Kill, owners("x", "b"), true},
	} {
		require.Equal(t, tc.want, begun(tc.e, two, tc.now), "%s %v", tc.e, tc.now)
	}
	require.True(t, Restored(two, moved))
	require.False(t, Restored(two, owners("a")))
}
