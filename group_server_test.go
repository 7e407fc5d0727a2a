package keyslot_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Real servers without cluster mode, behind the names that ElastiCache gives to such groups.

const (
	primaryName = "master.orders.abc123.use1.test"
	readerName  = "replica.orders.abc123.use1.test"
)

// onGroups runs a test on a primary with two replicas without cluster mode, at 10.0.0.1-3 of a town, on each engine.
func onGroups(t *testing.T, test func(t *testing.T, servers *realcluster.Cluster, w *town)) {
	t.Helper()
	realcluster.ForEach(t, func(t *testing.T, engine realcluster.Engine) {
		servers := realcluster.Start(t, realcluster.Options{Engine: engine.Name, Standalone: true, Replicas: 2})
		w := newTown()
		for i, n := range servers.Nodes() {
			w.put(fmt.Sprintf("10.0.0.%d:6379", i+1), n.Server())
		}
		w.call(primaryName, "10.0.0.1")
		w.call(readerName, "10.0.0.2", "10.0.0.3")
		test(t, servers, w)
	})
}

// handOver lets a replica take its primary's place as a planned failover does: no acknowledged write is lost.
// Connections to the old primary stay open.
func handOver(t *testing.T, servers *realcluster.Cluster, from, to *realcluster.Node) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	host, port := "127.0.0.1", to.Port()
	_, err := servers.Do(ctx, from, "FAILOVER", "TO", host, port, "TIMEOUT", "10000")
	require.NoError(t, err)
	require.NoError(t, servers.WaitRole(ctx, to, "primary"))
	require.NoError(t, servers.WaitRole(ctx, from, "replica"))
}

func TestReadsOfAGroupGoToItsReaderEndpoint(t *testing.T) {
	onGroups(t, func(t *testing.T, servers *realcluster.Cluster, w *town) {
		client := connect(t, w.options(keyslot.Options{
			Endpoints: []string{primaryName}, Reader: readerName, ReadFrom: keyslot.PreferReplica,
		}))
		topology := client.Topology()
		require.True(t, topology.Standalone)
		require.Len(t, topology.Shards, 1)
		require.Equal(t, primaryName+":6379", topology.Shards[0].Primary.Addr())
		require.Equal(t, []keyslot.SlotRange{{First: 0, Last: 16383}}, topology.Shards[0].Slots)
		require.Len(t, topology.Shards[0].Replicas, 2)

		ctx := t.Context()
		require.NoError(t, client.Set(ctx, "greeting", "hello"))
		require.NoError(t, servers.InSync(ctx, servers.Node(0), servers.Node(1), servers.Node(2)))
		reads := func(i int) int { return readsOf(t, servers, servers.Node(i)) }
		becomes(t, 20*time.Second, func() bool {
			value, err := client.Get(ctx, "greeting")
			require.NoError(t, err)
			require.Equal(t, "hello", value)
			return reads(1) > 50 && reads(2) > 50
		}, "both replicas share the reads")

		before := reads(0)
		for _, n := range servers.Nodes()[1:] {
			require.NoError(t, n.Kill())
		}
		for range 100 {
			_, err := client.Get(ctx, "greeting")
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, reads(0)-before, 100, "the primary serves where its replicas do not")
	})
}

func TestKeysOfAGroupBelongTogether(t *testing.T) {
	onGroups(t, func(t *testing.T, _ *realcluster.Cluster, w *town) {
		for name, lazy := range map[string]bool{"connected by New": false, "lazy": true} {
			t.Run(name, func(t *testing.T) {
				client := connect(t, w.options(keyslot.Options{Endpoints: []string{primaryName}, Lazy: lazy}))
				ctx := t.Context()
				tx := client.Tx()
				first, sum := tx.Set("a", "1"), tx.IncrBy("b", 2)
				require.NoError(t, tx.Exec(ctx), "one transaction over any keys")
				_, err := first.Get()
				require.NoError(t, err)
				n, err := sum.Get()
				require.NoError(t, err)
				require.NotZero(t, n)

				require.NoError(t, client.MSet(ctx, command.Pair{Key: "a", Value: "1"}, command.Pair{Key: "c", Value: "3"}))
				require.NoError(t, client.Rename(ctx, "c", "d"))
				values, err := client.On(keyslot.ToKey("a")).MGet(ctx, "a", "b", "c", "d")
				require.NoError(t, err)
				require.Equal(t, []bool{true, true, false, true}, []bool{values[0].OK, values[1].OK, values[2].OK, values[3].OK})
				r, err := client.Do(ctx, "EVAL", "return redis.call('GET', KEYS[1]) .. redis.call('GET', KEYS[2])", 2, "a", "d")
				require.NoError(t, err)
				text, err := r.Text()
				require.NoError(t, err)
				require.Equal(t, "13", text)
				_, err = client.WriteAndWait(ctx, 1, time.Second, func(p *keyslot.Pipeline) error {
					p.Set("e", "5")
					p.Set("f", "6")
					return nil
				})
				require.NoError(t, err)
				err = client.Watch(ctx, []string{"a", "d"}, func(w *keyslot.Watched) error {
					_, err := w.MGet(ctx, "a", "b", "e")
					require.NoError(t, err)
					tx := w.Tx()
					tx.Set("f", "7")
					tx.Del("a", "b", "d", "e")
					return tx.Exec(ctx)
				})
				require.NoError(t, err)
				n, err = client.Exists(ctx, "a", "b", "c", "d", "e", "f")
				require.NoError(t, err)
				require.EqualValues(t, 1, n)
			})
		}
	})
}

func TestWhatWaitsWalksAndListensNeedsNoClusterMode(t *testing.T) {
	onGroups(t, func(t *testing.T, _ *realcluster.Cluster, w *town) {
		ctx := within(t, 30*time.Second)
		client := connect(t, w.options(keyslot.Options{Endpoints: []string{primaryName}, Reader: readerName}))
		for i := range 300 {
			require.NoError(t, client.Set(ctx, fmt.Sprintf("walk:%d", i), "v"))
		}
		seen := map[string]bool{}
		for key, err := range client.Scan(ctx, "walk:*", keyslot.PageSize(50)) {
			require.NoError(t, err)
			seen[key] = true
		}
		require.Len(t, seen, 300)

		popped := make(chan error, 1)
		go func() { // ends with the push
			got, err := client.BLPop(ctx, 20*time.Second, "list:1", "list:2")
			if err == nil && got.Element != "x" {
				err = fmt.Errorf("popped %q", got.Element)
			}
			popped <- err
		}()
		_, err := client.RPush(ctx, "list:2", "x")
		require.NoError(t, err)
		require.NoError(t, <-popped)

		shard, err := client.SSubscribe(ctx, "news:1", "news:2")
		require.NoError(t, err)
		defer shard.Close()
		plain, err := client.Subscribe(ctx, "news:3")
		require.NoError(t, err)
		defer plain.Close()
		for _, test := range []struct {
			sub           *keyslot.Subscription
			name, channel string
		}{{shard, "SPUBLISH", "news:1"}, {shard, "SPUBLISH", "news:2"}, {plain, "PUBLISH", "news:3"}} {
			_, err := client.Do(ctx, test.name, test.channel, "hello")
			require.NoError(t, err)
			heard, _ := hear(t, test.sub, 1)
			require.Equal(t, []string{"hello"}, heard)
		}
	})
}

func TestAGroupIsFollowedThroughFailovers(t *testing.T) {
	onGroups(t, func(t *testing.T, servers *realcluster.Cluster, w *town) {
		client := connect(t, w.options(keyslot.Options{
			Endpoints: []string{primaryName}, Reader: readerName, CommandTimeout: 30 * time.Second,
		}))
		l := startLoad(t, client)
		l.goesOn(t, 1000)

		handOver(t, servers, servers.Node(0), servers.Node(1))
		_, err := client.Timeout(200*time.Millisecond).Incr(t.Context(), "elsewhere")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted, "while DNS still shows the demoted primary")
		w.call(primaryName, "10.0.0.1", "10.0.0.2") // and for a while, both
		w.call(readerName, "10.0.0.1", "10.0.0.3")
		l.goesOn(t, 1000)
		w.call(primaryName, "10.0.0.2")
		require.Empty(t, l.failures(), "planned: nothing fails")

		// What is acknowledged from now on, the replicas have: the primary takes no writes any more, and then dies.
		ctx := within(t, 20*time.Second)
		require.NoError(t, servers.Follow(ctx, servers.Node(1), servers.Node(2)))
		_, err = servers.Do(ctx, servers.Node(1), "CLIENT", "PAUSE", "30000", "WRITE")
		require.NoError(t, err)
		require.NoError(t, servers.InSync(ctx, servers.Node(1), servers.Node(2)))
		require.NoError(t, servers.Node(1).Kill())
		require.NoError(t, servers.Promote(ctx, servers.Node(2)))
		w.call(primaryName, "10.0.0.3")
		l.goesOn(t, 1000)
		for _, err := range l.end() {
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome, "what was not executed is retried, and succeeds in time")
		}
		l.sums(t, false)
	})
}

func TestAFrozenPrimaryIsLeftWhenItsNameLeadsElsewhere(t *testing.T) {
	onGroups(t, func(t *testing.T, servers *realcluster.Cluster, w *town) {
		client := connect(t, w.options(keyslot.Options{Endpoints: []string{primaryName}, CommandTimeout: 30 * time.Second}))
		ctx := within(t, 25*time.Second)
		popped := make(chan error, 1)
		go func() { // ends with the push
			_, err := client.BLPop(ctx, 0, "queue")
			popped <- err
		}()
		l := startLoad(t, client)
		l.goesOn(t, 500)
		require.NoError(t, servers.Node(0).Freeze())
		require.NoError(t, servers.Promote(ctx, servers.Node(1)))
		w.call(primaryName, "10.0.0.2")
		began := time.Now()
		l.goesOn(t, 500)
		require.Less(t, time.Since(began), 5*time.Second, "without waiting for PeerTimeout")
		require.ErrorIs(t, <-popped, keyslot.ErrUnknownOutcome, "what blocks there is given up")
		require.NoError(t, servers.Node(0).Thaw())
		for _, err := range l.end() {
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		}
		l.sums(t, true)
	})
}

func TestOfSeveralNodesTheOneThatLeadsTakesTheWrites(t *testing.T) {
	onGroups(t, func(t *testing.T, servers *realcluster.Cluster, w *town) {
		var endpoints []string
		for i := range 3 {
			name := fmt.Sprintf("orders-00%d.test", i+1)
			w.call(name, fmt.Sprintf("10.0.0.%d", i+1))
			endpoints = append(endpoints, name)
		}
		endpoints[0], endpoints[2] = endpoints[2], endpoints[0]
		client := connect(t, w.options(keyslot.Options{
			Endpoints: endpoints, ReadFrom: keyslot.PreferReplica, CommandTimeout: 30 * time.Second,
		}))
		leader := func() string { return client.Topology().Shards[0].Primary.Addr() }
		require.Equal(t, "orders-001.test:6379", leader())
		require.Len(t, client.Topology().Shards[0].Replicas, 2)

		l := startLoad(t, client.ReadFrom(keyslot.Primary))
		l.goesOn(t, 500)
		handOver(t, servers, servers.Node(0), servers.Node(1))
		l.goesOn(t, 500)
		require.Equal(t, "orders-002.test:6379", leader())
		require.Empty(t, l.end())
		l.sums(t, false)

		ctx := within(t, 20*time.Second)
		require.NoError(t, servers.Follow(ctx, servers.Node(1), servers.Node(0), servers.Node(2)))
		require.NoError(t, client.Set(ctx, "greeting", "hello"))
		require.NoError(t, servers.InSync(ctx, servers.Node(1), servers.Node(0), servers.Node(2)))
		becomes(t, 20*time.Second, func() bool {
			_, err := client.Get(ctx, "greeting")
			return (err == nil || errors.Is(err, keyslot.Nil)) &&
				readsOf(t, servers, servers.Node(0)) > 20 && readsOf(t, servers, servers.Node(2)) > 20
		})
	})
}

func TestAReplicaAloneIsRefusedAtTheStart(t *testing.T) {
	onGroups(t, func(t *testing.T, _ *realcluster.Cluster, w *town) {
		_, err := keyslot.New(t.Context(), w.options(keyslot.Options{Endpoints: []string{readerName}}))
		var boot *keyslot.BootstrapError
		require.ErrorAs(t, err, &boot)
		require.Contains(t, boot.Advice, "Options.Reader")
		require.ErrorContains(t, err, "the server there is a replica")
	})
}

func TestAGroupBehindTLSIsVerifiedByItsNames(t *testing.T) {
	servers := realcluster.Start(t, realcluster.Options{Standalone: true, Replicas: 1, TLS: true})
	w := newTown()
	for i, n := range servers.Nodes() {
		w.put(fmt.Sprintf("10.0.0.%d:6379", i+1), n.Server())
	}
	w.call("master."+realcluster.Domain, "10.0.0.1")
	w.call("replica."+realcluster.Domain, "10.0.0.2")
	w.call("master.elsewhere.test", "10.0.0.1")
	options := w.options(keyslot.Options{
		Endpoints: []string{"master." + realcluster.Domain}, Reader: "replica." + realcluster.Domain,
		ReadFrom: keyslot.Replica, TLS: servers.TLSConfig(),
	})
	client := connect(t, options)
	require.NoError(t, client.Set(t.Context(), "a", "1"))
	require.NoError(t, servers.InSync(t.Context(), servers.Node(0), servers.Node(1)))
	value, err := client.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "1", value)

	options.Endpoints = []string{"master.elsewhere.test"}
	_, err = keyslot.New(t.Context(), options)
	require.ErrorContains(t, err, "certificate")
}

func TestAServerThatIsStartedInAnotherModeIsStillServed(t *testing.T) {
	servers := realcluster.Start(t, realcluster.Options{Primaries: 1})
	node := servers.Node(0)
	w := newTown()
	w.put("10.0.0.1:6379", node.Server())
	w.put(node.Server(), node.Server()) // where the cluster says that it is
	w.call(primaryName, "10.0.0.1")
	client := connect(t, w.options(keyslot.Options{Endpoints: []string{primaryName}, CommandTimeout: 20 * time.Second}))
	require.False(t, client.Topology().Standalone)
	for _, test := range []struct {
		config     []string
		standalone bool
	}{{[]string{"cluster-enabled no"}, true}, {nil, false}, {[]string{"cluster-enabled no"}, true}} {
		ctx := within(t, 20*time.Second)
		require.NoError(t, node.Kill())
		require.NoError(t, node.RestartWith(ctx, test.config...))
		becomes(t, 10*time.Second, func() bool {
			_, err := client.Incr(ctx, "visits")
			require.NoError(t, err)
			return client.Topology().Standalone == test.standalone
		})
		err := client.On(keyslot.ToKey("a")).MSet(ctx, command.Pair{Key: "a", Value: "1"}, command.Pair{Key: "b", Value: "1"})
		require.Equal(t, test.standalone, err == nil, "over two slots, as one command")
	}
}
