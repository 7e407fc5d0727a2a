package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Reads from the replicas of real servers, while what happens to clusters happens to this one.

const readKeys = 400

func readKey(i int) string { return fmt.Sprintf("read:{%d}", i%readKeys) }

// readers read keys that exist, one by one, by pipeline and across slots, until they are stopped.
type readers struct {
	client        *keyslot.Client
	stop          atomic.Bool
	workers       sync.WaitGroup
	reads         atomic.Int64
	missing       atomic.Int64 // keys that were said not to exist
	slowest       atomic.Int64
	mu            sync.Mutex
	failed, wrong []error // guarded by mu
}

// startReaders writes the keys, waits until the replicas have them, and reads.
func startReaders(t *testing.T, cluster *realcluster.Cluster, client *keyslot.Client) *readers {
	t.Helper()
	pairs := make([]command.Pair, readKeys)
	for i := range pairs {
		pairs[i] = command.Pair{Key: readKey(i), Value: strconv.Itoa(i)}
	}
	require.NoError(t, client.MSet(t.Context(), pairs...))
	require.NoError(t, cluster.WaitHealthy(t.Context()))
	r := &readers{client: client.ReadFrom(keyslot.PreferReplica)}
	for i := range 8 {
		r.workers.Go(func() {
			for ; !r.stop.Load(); i += 7 {
				began := time.Now()
				r.step(i)
				r.took(time.Since(began))
			}
		})
	}
	t.Cleanup(r.end)
	return r
}

func (r *readers) end() {
	r.stop.Store(true)
	r.workers.Wait()
}

func (r *readers) took(d time.Duration) {
	for {
		slowest := r.slowest.Load()
		if int64(d) <= slowest || r.slowest.CompareAndSwap(slowest, int64(d)) {
			return
		}
	}
}

func (r *readers) step(i int) {
	ctx := context.Background()
	value, err := r.client.Get(ctx, readKey(i))
	r.note(i, value, err)
	values, err := r.client.MGet(ctx, readKey(i+1), readKey(i+2), readKey(i+3))
	for k := range 3 {
		if err != nil {
			r.note(i, "", err)
			break
		}
		var absent error
		if !values[k].OK {
			absent = keyslot.Nil
		}
		r.note(i+1+k, values[k].Value, absent)
	}
	p := r.client.Pipeline()
	one, another := p.Get(readKey(i+4)), p.Get(readKey(i+5))
	_ = p.Exec(ctx)
	for k, f := range []*keyslot.Future[string]{one, another} {
		value, err := f.Get()
		r.note(i+4+k, value, err)
	}
}

func (r *readers) note(i int, value string, err error) {
	r.reads.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, keyslot.Nil):
		r.missing.Add(1)
	case err != nil:
		r.failed = append(r.failed, err)
	case value != strconv.Itoa(i%readKeys):
		r.wrong = append(r.wrong, fmt.Errorf("%s is %q", readKey(i), value))
	}
}

// goOn waits until n more reads are done, all of which must have been good, and returns what the slowest step took.
func (r *readers) goOn(t *testing.T, n int64, what string) time.Duration {
	t.Helper()
	from := r.reads.Load()
	require.Eventually(t, func() bool { return r.reads.Load() >= from+n }, 30*time.Second, time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(t, r.failed, what)
	require.Empty(t, r.wrong, what)
	slowest := time.Duration(r.slowest.Swap(0))
	t.Logf("%s: %d reads, %d missing, the slowest step took %v", what, r.reads.Load(), r.missing.Load(), slowest)
	return slowest
}

var callsOf = regexp.MustCompile(`cmdstat_m?get:calls=(\d+)`)

// readsOf returns how many reads a node has run.
func readsOf(t *testing.T, cluster *realcluster.Cluster, n *realcluster.Node) (total int) {
	t.Helper()
	info, err := cluster.Do(t.Context(), n, "INFO", "commandstats")
	require.NoError(t, err)
	for _, match := range callsOf.FindAllStringSubmatch(info, -1) {
		calls, err := strconv.Atoi(match[1])
		require.NoError(t, err)
		total += calls
	}
	return total
}

func TestReadsFromReplicasOutlastWhatHappensToClusters(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		const patience = 15 * time.Second
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], CommandTimeout: patience})
		r := startReaders(t, cluster, client)
		r.goOn(t, 5000, "at rest")
		require.Zero(t, r.missing.Load())
		var onPrimaries, onReplicas int
		for i := range 3 {
			onPrimaries += readsOf(t, cluster, cluster.Node(i))
			onReplicas += readsOf(t, cluster, cluster.Node(i+3))
		}
		t.Logf("%d commands on primaries, %d on replicas", onPrimaries, onReplicas)
		require.Greater(t, onReplicas, 20*onPrimaries)

		replicas, err := cluster.ReplicasOf(ctx, 0)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(ctx, replicas[0]))
		r.goOn(t, 3000, "failover")
		require.Zero(t, r.missing.Load())

		require.NoError(t, cluster.Reshard(ctx, cluster.Node(1), cluster.Node(2), 300))
		r.goOn(t, 3000, "reshard")
		if cluster.Engine.Name == "valkey" { // a Redis 7 replica does not know what has moved: see ReadPolicy
			require.Zero(t, r.missing.Load())
		}
		missing := r.missing.Load()

		require.NoError(t, cluster.Node(4).Freeze())
		slowest := r.goOn(t, 3000, "a frozen replica")
		require.Less(t, slowest, patience, "nobody waits for it as long as for a node that has nobody beside it")
		require.NoError(t, cluster.Node(4).Thaw())
		require.NoError(t, cluster.Node(5).Kill())
		r.goOn(t, 3000, "a killed replica")
		require.NoError(t, cluster.Node(5).Restart(ctx))
		r.goOn(t, 3000, "a restarted replica")
		require.NoError(t, cluster.WaitHealthy(ctx))
		require.NoError(t, cluster.Node(2).Kill())
		require.NoError(t, cluster.WaitRole(ctx, cluster.Node(5), "primary"))
		r.goOn(t, 3000, "a killed primary")
		require.Equal(t, missing, r.missing.Load())
	})
}

// A restarted replica has nothing, and says so to whoever asks, until it has heard from its primary.
func TestARestartedReplicaIsNotBelieved(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[2:3]})
		read := client.ReadFrom(keyslot.PreferReplica)
		primary, err := cluster.Primary(ctx, int(keyslot.Slot("key")))
		require.NoError(t, err)
		replicas, err := cluster.ReplicasOf(ctx, int(keyslot.Slot("key")))
		require.NoError(t, err)
		require.NoError(t, client.Set(ctx, "key", "value"))

		require.NoError(t, primary.Freeze())
		require.NoError(t, replicas[0].Kill())
		require.NoError(t, replicas[0].Restart(ctx))
		for until := time.Now().Add(time.Second); time.Now().Before(until); {
			_, err := read.Get(within(t, 100*time.Millisecond), "key")
			require.Error(t, err)
			require.NotErrorIs(t, err, keyslot.Nil)
		}
		require.NoError(t, primary.Thaw())
		value, err := read.Get(ctx, "key")
		require.NoError(t, err)
		require.Equal(t, "value", value)
	})
}

// Servers that are told their zone tell it: Valkey 8 in INFO.
func TestServersTellTheirZone(t *testing.T) {
	engine := realcluster.Require(t, "valkey")
	cluster := realcluster.Start(t, realcluster.Options{Engine: engine.Name, Primaries: 3, Replicas: 1, Config: []string{"availability-zone use1-az1"}})
	client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], AZ: "use1-az1", ReadFrom: keyslot.AZAffinity})
	for i := range 100 {
		_, err := client.Get(t.Context(), readKey(i))
		require.ErrorIs(t, err, keyslot.Nil)
	}
	require.Eventually(t, func() bool {
		_, err := client.Get(t.Context(), readKey(0))
		return errors.Is(err, keyslot.Nil) && client.Topology().Shards[0].Replicas[0].AZ == "use1-az1"
	}, 5*time.Second, time.Millisecond)
}
