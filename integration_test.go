package keyslot_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// These tests run on real servers; make test fetches them.

// onEngines runs a test on a cluster of three primaries with a replica each, of every engine that is on this machine.
func onEngines(t *testing.T, opts realcluster.Options, test func(t *testing.T, cluster *realcluster.Cluster)) {
	t.Helper()
	realcluster.ForEach(t, func(t *testing.T, engine realcluster.Engine) {
		opts.Engine, opts.Primaries, opts.Replicas = engine.Name, 3, 1
		test(t, realcluster.Start(t, opts))
	})
}

func connect(t testing.TB, opts keyslot.Options) *keyslot.Client {
	t.Helper()
	client, err := keyslot.New(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// countRedirects counts the redirects that a client follows.
func countRedirects(moved, asked *atomic.Int64) *keyslot.Trace {
	return &keyslot.Trace{Redirected: func(e keyslot.RedirectEvent) {
		if e.Ask {
			asked.Add(1)
		} else {
			moved.Add(1)
		}
	}}
}

// load increments counters from many goroutines, and reads two keys of one slot at once, until it is stopped.
type load struct {
	client   *keyslot.Client
	prefix   string
	acked    [counters]atomic.Int64
	unknown  [counters]atomic.Int64
	commands atomic.Int64
	stop     context.CancelFunc
	workers  sync.WaitGroup

	mu     sync.Mutex
	failed []error // guarded by mu
}

const counters = 300

func startLoad(t *testing.T, client *keyslot.Client) *load {
	running, stop := context.WithCancel(context.Background())
	l := &load{client: client, prefix: fmt.Sprintf("load:%d:", rand.Uint32()), stop: stop}
	for range 16 {
		l.workers.Go(func() {
			for running.Err() == nil {
				l.step(rand.IntN(counters))
			}
		})
	}
	t.Cleanup(func() { l.stop(); l.workers.Wait() })
	return l
}

// key names a counter; each has its own hash tag, and a sibling in the same slot.
func (l *load) key(i int) string { return fmt.Sprintf("%s{%d}", l.prefix, i) }

func (l *load) step(i int) {
	ctx := context.Background()
	_, err := l.client.Incr(ctx, l.key(i))
	switch {
	case err == nil:
		l.acked[i].Add(1)
	case errors.Is(err, keyslot.ErrUnknownOutcome):
		l.unknown[i].Add(1)
	}
	l.note(err)
	l.note(l.client.MSet(ctx, command.Pair{Key: l.key(i) + "a", Value: "1"}, command.Pair{Key: l.key(i) + "b", Value: "1"}))
	_, err = l.client.MGet(ctx, l.key(i)+"a", l.key(i)+"b")
	l.note(err)
	_, err = l.client.MGet(ctx, l.key(i), l.key((i+1)%counters), l.key((i+2)%counters))
	l.note(err)
	l.commands.Add(4)
}

func (l *load) note(err error) {
	if err != nil {
		l.mu.Lock()
		l.failed = append(l.failed, err)
		l.mu.Unlock()
	}
}

// failures returns what has failed so far.
func (l *load) failures() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failed)
}

// end stops the load and returns its failures.
func (l *load) end() []error {
	l.stop()
	l.workers.Wait()
	return l.failures()
}

// goesOn waits until the load has run n more commands.
func (l *load) goesOn(t *testing.T, n int64) {
	t.Helper()
	from := l.commands.Load()
	require.Eventually(t, func() bool { return l.commands.Load() >= from+n }, 20*time.Second, time.Millisecond)
}

// sums checks every counter: what was acknowledged is there, and nothing ran twice. lossy allows for writes that a
// failover lost.
func (l *load) sums(t *testing.T, lossy bool) {
	t.Helper()
	for i := range counters {
		acked, unknown := l.acked[i].Load(), l.unknown[i].Load()
		r, err := l.client.Do(t.Context(), "GET", l.key(i))
		require.NoError(t, err)
		var n int64
		if !r.IsNil() {
			n, err = r.Int64()
			require.NoError(t, err)
		}
		require.LessOrEqual(t, n, acked+unknown, "counter %d ran more often than it was asked to", i)
		if !lossy {
			require.GreaterOrEqual(t, n, acked, "counter %d lost an acknowledged increment", i)
		}
	}
}

func TestCommandsReachTheirNodes(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		redirects := atomic.Int64{}
		client := connect(t, keyslot.Options{
			Endpoints: cluster.Addrs()[4:5], // a replica will do
			Trace:     &keyslot.Trace{Redirected: func(keyslot.RedirectEvent) { redirects.Add(1) }},
		})
		ctx := t.Context()

		topology := client.Topology()
		require.Equal(t, 16384, topology.Covered)
		require.Len(t, topology.Shards, 3)
		for _, shard := range topology.Shards {
			require.Len(t, shard.Replicas, 1)
		}

		var keys []string
		var pairs []command.Pair
		for i := range 1000 {
			keys = append(keys, fmt.Sprintf("key:%d", i))
			pairs = append(pairs, command.Pair{Key: keys[i], Value: fmt.Sprint(i)})
		}
		require.NoError(t, client.MSet(ctx, pairs...))
		values, err := client.MGet(ctx, append(keys, "missing", keys[7])...)
		require.NoError(t, err)
		for i := range keys {
			require.Equal(t, keyslot.Optional[string]{Value: fmt.Sprint(i), OK: true}, values[i])
		}
		require.Equal(t, keyslot.Optional[string]{}, values[1000])
		require.Equal(t, "7", values[1001].Value)

		n, err := client.Exists(ctx, keys[0], keys[0], keys[1], "missing")
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		reply, err := client.Do(ctx, "DBSIZE")
		require.NoError(t, err)
		size, err := reply.Int64()
		require.NoError(t, err)
		require.EqualValues(t, 1000, size, "DBSIZE is the sum over the shards")
		n, err = client.Del(ctx, keys...)
		require.NoError(t, err)
		require.EqualValues(t, 1000, n)
		require.Zero(t, redirects.Load(), "a fresh map needs no redirect")
	})
}

func TestReshardFailoverAndReplacementUnderLoadFailNothing(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		var moved, asked atomic.Int64
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], Trace: countRedirects(&moved, &asked)})
		l := startLoad(t, client)
		l.goesOn(t, 1000)
		from, to := cluster.Node(0), cluster.Node(1)

		require.NoError(t, cluster.Reshard(ctx, from, to, 400))
		require.NoError(t, cluster.Reshard(ctx, to, from, 400))
		t.Logf("reshard: %d commands, %d MOVED, %d ASK", l.commands.Load(), moved.Load(), asked.Load())
		require.NotZero(t, moved.Load())
		require.Empty(t, l.failures())

		replicas, err := cluster.ReplicasOf(ctx, 0)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(ctx, replicas[0]))
		l.goesOn(t, 1000)
		t.Logf("failover: %d commands, %d MOVED", l.commands.Load(), moved.Load())
		require.Empty(t, l.failures())

		successor, err := cluster.Replace(ctx, cluster.Node(2))
		require.NoError(t, err)
		l.goesOn(t, 1000)
		require.Eventually(t, func() bool { return lists(client.Topology(), successor.Addr()) }, 10*time.Second, time.Millisecond)
		t.Logf("replacement: %d commands, %d MOVED", l.commands.Load(), moved.Load())

		require.Empty(t, l.end())
		l.sums(t, false)
	})
}

func lists(topology keyslot.Topology, addr string) bool {
	for _, shard := range topology.Shards {
		for _, n := range append(shard.Replicas, shard.Primary) {
			if n.Addr() == addr {
				return true
			}
		}
	}
	return false
}

func TestKilledPrimaryIsLeftForItsReplica(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[3:], CommandTimeout: 15 * time.Second})
		l := startLoad(t, client)
		l.goesOn(t, 1000)
		require.NoError(t, cluster.Node(0).Kill())
		require.NoError(t, cluster.WaitRole(t.Context(), cluster.Node(3), "primary"))
		l.goesOn(t, 2000)
		failures := l.end()
		for _, err := range failures {
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome, "what was not executed is retried, and succeeds in time")
		}
		l.sums(t, true)
		t.Logf("%d commands, %d unknown", l.commands.Load(), len(failures))
	})
}

func TestTLSVerifiesEachNode(t *testing.T) {
	onEngines(t, realcluster.Options{TLS: true}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], TLS: cluster.TLSConfig()})
		for i := range 100 {
			require.NoError(t, client.Set(t.Context(), fmt.Sprint(i), "v"))
		}

		_, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: cluster.Addrs()[:1], TLS: &tls.Config{MinVersion: tls.VersionTLS12}})
		var boot *keyslot.BootstrapError
		require.ErrorAs(t, err, &boot)
		require.Contains(t, boot.Advice, "RootCAs")

		_, err = keyslot.New(t.Context(), keyslot.Options{Endpoints: cluster.Addrs()[:1], DialTimeout: time.Second})
		require.ErrorAs(t, err, &boot, "plain text to a TLS port")
	})
}

// loopback resolves every name to this machine.
type loopback struct{}

func (loopback) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func TestTLSVerifiesTheNamesThatNodesAnnounce(t *testing.T) {
	opts := realcluster.Options{
		TLS:      true,
		Hostname: func(i int) string { return fmt.Sprintf("node-%d.%s", i, realcluster.Domain) },
	}
	onEngines(t, opts, func(t *testing.T, cluster *realcluster.Cluster) {
		_, port, err := net.SplitHostPort(cluster.Addrs()[0])
		require.NoError(t, err)
		client := connect(t, keyslot.Options{
			Endpoints: []string{"clustercfg." + realcluster.Domain + ":" + port}, // ElastiCache's shape
			TLS:       cluster.TLSConfig(),
			Resolver:  loopback{},
		})
		for i := range 100 {
			require.NoError(t, client.Set(t.Context(), fmt.Sprint(i), "v"))
		}
		for _, shard := range client.Topology().Shards {
			require.Contains(t, shard.Primary.Host, realcluster.Domain)
			require.Equal(t, "127.0.0.1", shard.Primary.IP)
		}
	})
}

func TestPasswordsAndUsers(t *testing.T) {
	opts := realcluster.Options{
		Password: "s3cret",
		ACL: []string{
			"ann on >secret-of-ann ~app:* +@all",
			"bob on >secret-of-bob ~* +@all -cluster",
		},
	}
	onEngines(t, opts, func(t *testing.T, cluster *realcluster.Cluster) {
		endpoints := cluster.Addrs()[:1]
		client := connect(t, keyslot.Options{Endpoints: endpoints, Password: "s3cret"})
		require.NoError(t, client.Set(t.Context(), "k", "v"))

		ann := connect(t, keyslot.Options{Endpoints: endpoints, Username: "ann", Password: "secret-of-ann"})
		require.NoError(t, ann.Set(t.Context(), "app:k", "v"))
		err := ann.Set(t.Context(), "k", "v")
		var refusal keyslot.ServerError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, "NOPERM", refusal.Code())
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)

		for name, tc := range map[string]struct{ user, password, advice string }{
			"wrong password":     {"ann", "wrong-secret", "check Username"},
			"no password":        {"", "", "wants a password"},
			"no CLUSTER command": {"bob", "secret-of-bob", "permission"},
		} {
			_, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: endpoints, Username: tc.user, Password: tc.password})
			var boot *keyslot.BootstrapError
			require.ErrorAs(t, err, &boot, name)
			require.Contains(t, boot.Advice, tc.advice, name)
			require.NotContains(t, err.Error(), "secret", name)
		}
	})
}

func TestSlotIsTheServersSlot(t *testing.T) {
	engine := realcluster.Require(t, "redis")
	cluster := realcluster.Start(t, realcluster.Options{Engine: engine.Name, Primaries: 3})
	client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		key := make([]byte, random.IntN(24))
		for i := range key {
			key[i] = "{}ab\x00\xff"[random.IntN(6)]
		}
		reply, err := client.Do(t.Context(), "CLUSTER", "KEYSLOT", key)
		require.NoError(t, err)
		slot, err := reply.Int64()
		require.NoError(t, err)
		require.EqualValues(t, slot, keyslot.Slot(string(key)), "%q", key)
	}
}
