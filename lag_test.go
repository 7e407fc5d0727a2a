package keyslot_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// tellsOffset lets a node tell an offset in INFO, and returns the offset.
func (f *flock) tellsOffset(addr, field string) *atomic.Int64 {
	offset := new(atomic.Int64)
	offset.Store(1000)
	f.node[addr].Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
		info := fmt.Sprintf("# Replication\r\n%s:%d\r\n", field, offset.Load())
		return fakenode.Reaction{Send: fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)}, r.Name() == "INFO"
	})
	return offset
}

func TestAReplicaThatIsTooFarBehindIsNotReadFrom(t *testing.T) {
	var written, applied *atomic.Int64
	set := func(f *flock) {
		written, applied = f.tellsOffset(primary, "master_repl_offset"), f.tellsOffset(replica1, "slave_repl_offset")
	}
	opts := keyslot.Options{ReadFrom: keyslot.PreferReplica, MaxLag: 2 * time.Second}
	readStory(t, opts, three[:2], set, func(t *testing.T, f *flock) {
		lag := func() time.Duration { return f.client.Topology().Shards[0].Lag[0] }
		goOn := func(d time.Duration) (who map[string]int) {
			who = map[string]int{}
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				who[f.get(t)]++
			}
			return who
		}
		require.Equal(t, time.Duration(-1), lag())
		f.warm(t)
		require.Equal(t, primary, f.get(t), "nobody knows yet how far it is")
		goOn(time.Second)
		require.Len(t, goOn(time.Minute), 1, "an idle primary's replica is not behind")
		require.LessOrEqual(t, lag(), 600*time.Millisecond)

		written.Add(1)
		who := goOn(2 * time.Second)
		require.Positive(t, who[replica1])
		who = goOn(time.Minute)
		require.Zero(t, who[replica1])
		require.Greater(t, lag(), time.Minute)

		applied.Add(1)
		goOn(time.Second)
		require.Zero(t, goOn(time.Minute)[primary])

		polls := len(sent(f.node[primary], "INFO"))
		time.Sleep(time.Hour)
		require.Len(t, sent(f.node[primary], "INFO"), polls, "nobody reads, nobody asks")
		require.Equal(t, primary, f.get(t), "what was known is too old")
	})
}

// Keys of one connection may be all that is read.
func TestLagIsMeasuredOnWhicheverConnectionAReplicaHas(t *testing.T) {
	set := func(f *flock) {
		f.tellsOffset(primary, "master_repl_offset")
		f.tellsOffset(replica1, "slave_repl_offset")
	}
	opts := keyslot.Options{ReadFrom: keyslot.PreferReplica, MaxLag: 2 * time.Second, ConnsPerNode: 2}
	for _, key := range []string{"hello", "bar"} { // in slots 866 and 5061
		readStory(t, opts, three[:2], set, func(t *testing.T, f *flock) {
			who := map[string]int{}
			for range 60 {
				node, err := f.client.Get(t.Context(), key)
				require.NoError(t, err)
				who[node]++
				time.Sleep(50 * time.Millisecond)
			}
			require.Greater(t, who[replica1], 30, key)
		})
	}
}

func TestStrictReadsWithinALagWaitUntilItIsKnown(t *testing.T) {
	set := func(f *flock) {
		f.tellsOffset(primary, "master_repl_offset")
		f.tellsOffset(replica1, "slave_repl_offset")
	}
	readStory(t, keyslot.Options{ReadFrom: keyslot.Replica, MaxLag: time.Second}, three[:2], set, func(t *testing.T, f *flock) {
		require.Equal(t, replica1, f.get(t))
		require.NotEmpty(t, sent(f.node[replica1], "INFO"))
		require.Less(t, time.Since(f.began), 3*time.Second) // two rounds of questions and the pauses between attempts
		require.Empty(t, sent(f.node[primary], "GET"))
	})
}

func TestServersTellHowFarTheyAre(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], ReadFrom: keyslot.Replica, MaxLag: time.Second})
		for i := range 200 {
			require.NoError(t, client.Set(t.Context(), readKey(i), "v"))
			_, err := client.Exists(t.Context(), readKey(i))
			require.NoError(t, err)
		}
		for _, shard := range client.Topology().Shards {
			require.Greater(t, shard.Lag[0], time.Duration(0))
			require.Less(t, shard.Lag[0], 2*time.Second)
		}
	})
}
