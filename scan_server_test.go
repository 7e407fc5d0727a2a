package keyslot_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// fill sets the keys prefix0, prefix1 ... and returns them.
func fill(t *testing.T, client *keyslot.Client, prefix string, n int) (keys []string) {
	t.Helper()
	pairs := make([]command.Pair, n)
	for i := range pairs {
		pairs[i] = command.Pair{Key: fmt.Sprint(prefix, i), Value: "v"}
		keys = append(keys, pairs[i].Key)
	}
	require.NoError(t, client.MSet(t.Context(), pairs...))
	return keys
}

// scanned runs a scan and returns how often it yielded each key.
func scanned(t *testing.T, client *keyslot.Client, match string, opts ...keyslot.ScanOption) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for key, err := range client.Scan(t.Context(), match, opts...) {
		require.NoError(t, err)
		seen[key]++
	}
	return seen
}

// missing returns the keys that were not seen.
func missing(keys []string, seen map[string]int) (missed []string) {
	for _, key := range keys {
		if seen[key] == 0 {
			missed = append(missed, key)
		}
	}
	return missed
}

// rest is how long slots stay where they are between two moves.
const rest = 3 * time.Second

// mover moves slots between primaries, from one to the next and back again, until it is stopped.
type mover struct {
	rounds atomic.Int32 // that have ended
	stop   func()

	mu     sync.Mutex
	failed error // guarded by mu: why the last round that failed did
}

func moves(t *testing.T, cluster *realcluster.Cluster, slots int) *mover {
	ctx, cancel := context.WithCancel(context.Background())
	m := new(mover)
	var moving sync.WaitGroup
	moving.Go(func() { // ends when it is stopped
		for i := 0; ctx.Err() == nil; i++ {
			m.note(move(ctx, cluster, i, slots))
			select { // a scan never ends while a slot moves more often than one walk takes
			case <-ctx.Done():
			case <-time.After(rest):
			}
		}
	})
	m.stop = sync.OnceFunc(func() { cancel(); moving.Wait() })
	t.Cleanup(m.stop)
	return m
}

// move is round i: slots go from one primary to another.
func move(ctx context.Context, cluster *realcluster.Cluster, i, slots int) error {
	from, err := cluster.Primary(ctx, i%3*5461)
	if err != nil {
		return err
	}
	to, err := cluster.Primary(ctx, (i+1)%3*5461+5000)
	if err != nil {
		return err
	}
	if to == from {
		return fmt.Errorf("%s has both slots", from)
	}
	return cluster.Reshard(ctx, from, to, slots)
}

func (m *mover) note(err error) {
	if err == nil {
		m.rounds.Add(1)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = err
}

// lastFailure returns why the last round that failed did; nil if none has.
func (m *mover) lastFailure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

func TestScanSeesEveryKeyThatStaysWhileSlotsMoveAndAPrimaryFailsOver(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], CommandTimeout: time.Minute})
		keys := fill(t, client, "key:", 20_000)
		replicas, err := cluster.ReplicasOf(t.Context(), 16000)
		require.NoError(t, err)
		mover := moves(t, cluster, 60)
		for last, deadline := false, time.Now().Add(3*time.Minute); !last; {
			last = mover.rounds.Load() >= 2 // a failover may leave a slot half migrated, for an operator to mend
			begun, from := time.Now(), mover.rounds.Load()
			require.True(t, last || begun.Before(deadline), "%d reshards ended, the last one that failed: %v", from, mover.lastFailure())
			seen := map[string]int{}
			yielded := 0
			for key, err := range client.Scan(t.Context(), "", keyslot.PageSize(20)) {
				require.NoError(t, err)
				seen[key]++
				if yielded++; yielded == 10_000 && last {
					_, err := cluster.Do(t.Context(), replicas[0], "CLUSTER", "FAILOVER")
					require.NoError(t, err)
				}
			}
			require.Empty(t, missing(keys, seen))
			t.Logf("%d keys yielded %d times in %v, %d reshards ended", len(seen), yielded, time.Since(begun), mover.rounds.Load()-from)
		}
		mover.stop()
		require.Empty(t, missing(keys, scanned(t, client, "", keyslot.PageSize(100))))
	})
}

// allOf returns what a sequence yields.
func allOf[T any](t *testing.T, of iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for one, err := range of {
		require.NoError(t, err)
		all = append(all, one)
	}
	return all
}

// Without RESP3 a score is text.
func TestScansOfServersWithoutRESP3(t *testing.T) {
	opts := realcluster.Options{Config: []string{`rename-command HELLO ""`}}
	onEngines(t, opts, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		keys := fill(t, client, "key:", 2_000)
		require.Empty(t, missing(keys, scanned(t, client, "key:*", keyslot.PageSize(100))))
		for _, args := range [][]any{{"HSET", "hash", "name", "ann"}, {"SADD", "set", "red"}, {"ZADD", "zset", 7.5, "ann"}} {
			_, err := client.Do(ctx, args...)
			require.NoError(t, err)
		}
		require.Equal(t, []command.Field{{Name: "name", Value: "ann"}}, allOf(t, client.HScan(ctx, "hash", "")))
		require.Equal(t, []string{"red"}, allOf(t, client.SScan(ctx, "set", "")))
		require.Equal(t, []command.Scored{{Member: "ann", Score: 7.5}}, allOf(t, client.ZScan(ctx, "zset", "")))
	})
}
