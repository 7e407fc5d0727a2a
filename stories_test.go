package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// Stories on a whole cluster in this process.

// other returns the primary of a shard that does not own key.
func other(cluster *keyslottest.Cluster, key string) keyslottest.Node {
	for _, shard := range cluster.Shards() {
		if shard.Primary.ID != cluster.Owner(key).ID {
			return shard.Primary
		}
	}
	panic("one shard only")
}

// A slot moves key by key, as a reshard does, and every step is served.
func TestAMigrationStepByStep(t *testing.T) {
	var events seen
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{Trace: events.trace()})
	ctx := t.Context()
	a, b, c := "{user}a", "{user}b", "{user}c"
	for _, key := range []string{a, b} {
		require.NoError(t, client.Set(ctx, key, key))
	}
	before := client.Topology().Epoch
	source, target := cluster.Owner(a), other(cluster, a)
	m, err := cluster.Migrate(keyslot.Slot(a), target.ID)
	require.NoError(t, err)

	require.True(t, m.MoveKey(a))
	got, err := client.Get(ctx, a) // ASK
	require.NoError(t, err)
	require.Equal(t, a, got)
	require.NoError(t, client.Set(ctx, c, c), "a new key is made at the target")
	require.EqualValues(t, 2, cluster.Stats(source.ID).Ask)
	require.Zero(t, cluster.Stats("").Moved)
	require.Empty(t, events.since(), "ASK asks for no refresh")

	time.AfterFunc(100*time.Millisecond, func() { m.MoveKey(b) })
	vals, err := client.MGet(ctx, a, b) // TRYAGAIN until b has moved too
	require.NoError(t, err)
	require.Equal(t, b, vals[1].Value)

	require.NoError(t, m.Finish())
	for range 10 {
		got, err = client.Get(ctx, b)
		require.NoError(t, err)
		require.Equal(t, b, got)
	}
	require.EqualValues(t, 1, cluster.Stats(source.ID).Moved, "MOVED patches at once")
	require.Eventually(t, func() bool { return client.Topology().Epoch > before }, 5*time.Second, time.Millisecond, "and asks for a refresh")
}

// counts increments counters until it is stopped, and knows what they must hold then.
type counts struct {
	client  *keyslot.Client
	stop    atomic.Bool
	workers sync.WaitGroup
	acked   [64]atomic.Int64
	unknown [64]atomic.Int64
	refused atomic.Int64

	mu     sync.Mutex
	errors []error // guarded by mu
}

func count(t *testing.T, client *keyslot.Client) *counts {
	c := &counts{client: client}
	t.Cleanup(c.end)
	for worker := range 8 {
		c.workers.Go(func() {
			for i := worker; !c.stop.Load(); i++ {
				_, err := client.Incr(context.Background(), fmt.Sprint("counter:", i%64))
				switch {
				case err == nil:
					c.acked[i%64].Add(1)
					continue
				case errors.Is(err, keyslot.ErrClosed):
					return
				case errors.Is(err, keyslot.ErrUnknownOutcome):
					c.unknown[i%64].Add(1)
				default:
					c.refused.Add(1)
				}
				c.mu.Lock()
				c.errors = append(c.errors, err)
				c.mu.Unlock()
			}
		})
	}
	return c
}

func (c *counts) end() {
	c.stop.Store(true)
	c.workers.Wait()
}

// goOn waits until all workers have counted n more.
func (c *counts) goOn(t *testing.T, n int64) {
	t.Helper()
	total := func() (total int64) {
		for i := range c.acked {
			total += c.acked[i].Load()
		}
		return total
	}
	from := total()
	require.Eventually(t, func() bool { return total() >= from+n }, 20*time.Second, time.Millisecond)
}

// check stops the workers and compares: each counter holds what was acknowledged, and at most what may have run besides.
func (c *counts) check(t *testing.T) {
	t.Helper()
	c.end()
	for i := range c.acked {
		got, err := c.client.Do(t.Context(), "GET", fmt.Sprint("counter:", i))
		require.NoError(t, err)
		n, err := got.Int64()
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, c.acked[i].Load())
		require.LessOrEqual(t, n, c.acked[i].Load()+c.unknown[i].Load())
	}
}

func TestPlannedChangesUnderLoadFailNothingAndRunNothingTwice(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Replicas: 1, StepPause: 20 * time.Microsecond}, keyslot.Options{})
	load := count(t, client)
	load.goOn(t, 500)
	_, err := cluster.AddShard()
	require.NoError(t, err)
	require.NoError(t, cluster.Rebalance(t.Context()))
	load.goOn(t, 500)
	for _, shard := range cluster.Shards() {
		require.NoError(t, cluster.Failover(shard.Replicas[0].ID))
		load.goOn(t, 500)
	}
	require.NoError(t, cluster.RemoveShard(t.Context(), cluster.Shards()[0].Primary.ID))
	load.goOn(t, 500)
	load.check(t)
	require.Empty(t, load.errors)
}

func TestLostConnectionsUnderLoadRunNothingTwice(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	load := count(t, client)
	for round := range 30 {
		node := cluster.Nodes()[round%3]
		remove, err := cluster.Inject(node.ID, keyslottest.Fault{Command: "INCR", Times: 1, Reset: true, NoRun: round%2 == 0, ReplyBytes: round % 4})
		require.NoError(t, err)
		load.goOn(t, 100)
		remove()
	}
	load.check(t)
	require.NotEmpty(t, load.errors)
	require.Zero(t, load.refused.Load(), "what was not sent is sent again")
}

// Close may come at any moment of any command; every caller is told the truth, and nothing is left.
func TestCloseDuringEverything(t *testing.T) {
	for _, lazy := range []bool{true, false} {
		for round := range 20 {
			closeDuringEverything(t, lazy, time.Duration(round)*200*time.Microsecond)
		}
	}
}

// closeDuringEverything closes a client after so long, while forty callers do four kinds of things.
func closeDuringEverything(t *testing.T, lazy bool, after time.Duration) {
	t.Helper()
	var open atomic.Int32
	cluster, err := keyslottest.Start(keyslottest.Options{Replicas: 1})
	require.NoError(t, err)
	defer cluster.Close()
	client, err := keyslot.New(t.Context(), keyslot.Options{
		Endpoints: []string{cluster.Endpoint()}, Lazy: lazy,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, addr)
			if err == nil {
				open.Add(1)
				return &closeCounted{TCPConn: conn.(*net.TCPConn), open: &open}, nil
			}
			return nil, err
		},
	})
	require.NoError(t, err)
	var callers sync.WaitGroup
	defer callers.Wait()
	defer client.Close()
	for i := range 40 {
		callers.Go(func() { // ends with the client
			key := fmt.Sprint("key:", i)
			var err error
			for err == nil {
				switch i % 4 {
				case 0:
					err = client.Set(t.Context(), key, "v")
				case 1:
					_, err = client.Do(t.Context(), "BLPOP", key, 0)
				case 2:
					_, err = client.MGet(t.Context(), "a", "b", "c", key)
				case 3:
					_, err = client.Do(t.Context(), "DBSIZE")
				}
			}
			assert.ErrorIs(t, err, keyslot.ErrClosed)
			assert.True(t, errors.Is(err, keyslot.ErrNotExecuted) || errors.Is(err, keyslot.ErrUnknownOutcome) ||
				errors.As(err, new(*keyslot.PartsError)), "%v", err)
		})
	}
	<-time.After(after)
	require.NoError(t, client.Close())
	require.Zero(t, open.Load(), "when Close returns, every connection is closed")
	callers.Wait()
	require.NoError(t, cluster.Close())
}

type closeCounted struct {
	*net.TCPConn
	open   *atomic.Int32
	closed atomic.Bool
}

func (c *closeCounted) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.TCPConn.Close()
}

func TestHowNodesNameThemselvesDoesNotMatter(t *testing.T) {
	for _, announce := range []keyslottest.Announce{
		keyslottest.AnnounceIP, keyslottest.AnnounceHostname, keyslottest.AnnounceNoHostname, keyslottest.AnnounceEmpty, keyslottest.AnnounceUnknown,
	} {
		for _, resp2 := range []bool{false, true} {
			cluster, client := begin(t, keyslottest.Options{Announce: announce, RESP2Only: resp2}, keyslot.Options{})
			ctx := t.Context()
			key := "key"
			require.NoError(t, client.Set(ctx, key, "v"))
			m, err := cluster.Migrate(keyslot.Slot(key), other(cluster, key).ID)
			require.NoError(t, err)
			if announce != keyslottest.AnnounceNoHostname { // nobody can follow an ASK to "?"; the map knows only after the end
				require.True(t, m.MoveKey(key))
				got, err := client.Get(ctx, key)
				require.NoError(t, err, "%v", announce)
				require.Equal(t, "v", got)
			}
			require.NoError(t, m.Finish())
			got, err := client.Get(ctx, key)
			require.NoError(t, err, "%v", announce)
			require.Equal(t, "v", got)
			vals, err := client.MGet(ctx, "a", key, "b")
			require.NoError(t, err)
			require.Equal(t, "v", vals[1].Value)
			require.False(t, vals[0].OK)
			_, err = client.Get(ctx, "missing")
			require.ErrorIs(t, err, keyslot.Nil)
		}
	}
}

func TestAFrozenPrimaryIsLeftSoonAfterItsReplicaHasTakenOver(t *testing.T) {
	cluster := keyslottest.Run(t, keyslottest.Options{Replicas: 1})
	client := connect(t, keyslot.Options{Endpoints: []string{cluster.Endpoint()}, CommandTimeout: 30 * time.Second})
	require.NoError(t, client.Set(t.Context(), "k", "v"))
	frozen := cluster.Owner("k").ID
	heir := cluster.Shards()[slices.IndexFunc(cluster.Shards(), func(s keyslottest.Shard) bool { return s.Primary.ID == frozen })].Replicas[0].ID
	thaw, err := cluster.Inject(frozen, keyslottest.Fault{Stall: true})
	require.NoError(t, err)
	defer thaw()

	read := make(chan error, 1)
	go func() {
		_, err := client.Get(context.Background(), "k")
		read <- err
	}()
	becomes(t, 10*time.Second, func() bool { // the first suspicions find nothing new: it sends whoever asks to the frozen node
		require.Empty(t, read, "nobody else has the slots yet")
		return cluster.Stats(heir).Moved >= 2
	})
	require.NoError(t, cluster.Failover(heir))
	select {
	case err := <-read:
		require.NoError(t, err)
	case <-time.After(5 * time.Second):
		require.Fail(t, "the read still waits for the frozen node")
	}
}
