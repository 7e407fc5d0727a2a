package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Consumers on real servers.

// ledger notes what was handled.
type ledger struct {
	mu      sync.Mutex
	entries map[string]bool // guarded by mu: by stream and id
	numbers map[string]bool // guarded by mu: by stream and number; a producer may add a number twice
	twice   []string        // guarded by mu: entries handled more than once
}

func (l *ledger) note(_ context.Context, e keyslot.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := e.Stream + " " + e.ID
	if l.entries[id] {
		l.twice = append(l.twice, id)
	}
	l.entries[id] = true
	l.numbers[e.Stream+" "+field(e, "n")] = true
	return nil
}

func (l *ledger) sums() (numbers int, twice []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.numbers), l.twice
}

// consuming is consumers of one group at work.
type consuming struct {
	client  *keyslot.Client
	streams []string
	ledger  ledger
	added   atomic.Int64
	ended   chan error
	stop    context.CancelFunc
	running int
}

// consume starts consumers of the group "g", and one producer for each stream.
func consume(t *testing.T, client *keyslot.Client, opts keyslot.ConsumerOptions, names ...string) (c *consuming, stopAdding func()) {
	ctx, stop := context.WithCancel(context.Background())
	c = &consuming{client: client, streams: opts.Streams, stop: stop, ended: make(chan error, len(names)), running: len(names)}
	c.ledger.entries, c.ledger.numbers = map[string]bool{}, map[string]bool{}
	opts.Group, opts.CreateFrom = "g", "0"
	for _, name := range names {
		opts.Name = name
		consumer, err := keyslot.NewConsumer(client, opts)
		require.NoError(t, err)
		go func() { c.ended <- consumer.Run(ctx, c.ledger.note) }() // ends with ctx; end waits for it
	}
	var producers sync.WaitGroup
	adding, stopAdd := context.WithCancel(ctx)
	for _, stream := range opts.Streams {
		producers.Go(func() { c.add(t, adding, stream) })
	}
	t.Cleanup(func() { stop(); producers.Wait(); c.end(t) })
	return c, func() { stopAdd(); producers.Wait() }
}

// add adds numbered entries. One whose outcome is unknown is added again.
func (c *consuming) add(t *testing.T, ctx context.Context, stream string) {
	for n := 0; ctx.Err() == nil; n++ {
		for {
			_, err := c.client.Do(context.Background(), "XADD", stream, "*", "n", n)
			if err == nil {
				break
			}
			if !errors.Is(err, keyslot.ErrUnknownOutcome) {
				t.Error(err)
				return
			}
		}
		c.added.Add(1)
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// goesOn waits until n more entries have been handled.
func (c *consuming) goesOn(t *testing.T, n int) {
	t.Helper()
	from, _ := c.ledger.sums()
	require.Eventually(t, func() bool { numbers, _ := c.ledger.sums(); return numbers >= from+n }, 20*time.Second, time.Millisecond)
}

// settles requires that every entry is handled, and none left pending.
func (c *consuming) settles(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
		numbers, _ := c.ledger.sums()
		pending := c.pending(t)
		if int64(numbers) == c.added.Load() && pending == 0 {
			return
		}
		require.True(t, time.Now().Before(deadline), "%d of %d handled, %d pending", numbers, c.added.Load(), pending)
	}
}

// pending returns how many entries are delivered and not acknowledged.
func (c *consuming) pending(t *testing.T) (n int64) {
	for _, stream := range c.streams {
		reply, err := c.client.Do(t.Context(), "XPENDING", stream, "g")
		require.NoError(t, err)
		summary, err := reply.Slice()
		require.NoError(t, err)
		count, err := summary[0].Int64()
		require.NoError(t, err)
		n += count
	}
	return n
}

// end stops the consumers and requires that they end well.
func (c *consuming) end(t *testing.T) {
	c.stop()
	for ; c.running > 0; c.running-- {
		require.NoError(t, <-c.ended)
	}
}

func TestAConsumerWhoseConnectionsAreKilledLosesNothing(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		c, stopAdding := consume(t, client, keyslot.ConsumerOptions{Streams: someKeys(8), AckDelay: 20 * time.Millisecond}, "one")
		c.goesOn(t, 100)
		for kill := range 100 {
			_, err := cluster.Do(t.Context(), cluster.Node(kill%3), "CLIENT", "KILL", "TYPE", "normal")
			require.NoError(t, err)
			c.goesOn(t, 20)
		}
		stopAdding()
		c.settles(t)
		numbers, twice := c.ledger.sums()
		t.Logf("%d handled, %d more than once", numbers, len(twice))
		require.Empty(t, twice, "the connections alone are lost")
	})
}

func TestConsumersFollowTheirSlots(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		c, stopAdding := consume(t, client, keyslot.ConsumerOptions{Streams: someKeys(8)}, "one", "two")
		c.goesOn(t, 500)
		_, twice := c.ledger.sums()
		require.Empty(t, twice)

		from, to := cluster.Node(0), cluster.Node(1)
		require.NoError(t, cluster.Reshard(ctx, from, to, movedSlots))
		require.NoError(t, cluster.Reshard(ctx, to, from, movedSlots))
		c.goesOn(t, 500)
		replicas, err := cluster.ReplicasOf(ctx, 0)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(ctx, replicas[0]))
		c.goesOn(t, 500)
		stopAdding()
		c.settles(t)
		numbers, twice := c.ledger.sums()
		t.Logf("%d handled, %d more than once", numbers, len(twice))
		require.Empty(t, twice)
	})
}

func TestADeletedEntryIsNotLeftPending(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		do(t, client, "XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
		for i := range 20 {
			do(t, client, "XADD", "s", fmt.Sprintf("1-%d", i+1), "n", i)
		}
		do(t, client, "XREADGROUP", "GROUP", "g", "me", "COUNT", 10, "STREAMS", "s", ">")
		do(t, client, "XREADGROUP", "GROUP", "g", "dead", "COUNT", 10, "STREAMS", "s", ">")
		for i := range 10 {
			do(t, client, "XDEL", "s", fmt.Sprintf("1-%d", 2*i+1))
		}
		var handled entries
		run(t, client, keyslot.ConsumerOptions{Streams: []string{"s"}, MinIdle: 100 * time.Millisecond, Count: 3}, handled.note)
		for _, e := range handled.become(t, 10) {
			require.EqualValues(t, 2, e.Deliveries)
		}
		noneIsPending(t, client, "s")
	})
}
