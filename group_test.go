package keyslot_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Stories of scripted servers without cluster mode, and of the time that it takes to follow them.

// lone is a server that knows nothing of clusters.
type lone struct {
	*fakenode.Node
	addr    string
	replica atomic.Bool
	hides   atomic.Bool // ROLE and INFO, from its users
	frozen  atomic.Bool // takes connections, and answers nothing
}

func newLone(net *fakenode.Net, addr string, replica bool) *lone {
	l := &lone{Node: net.Node(addr), addr: addr}
	l.replica.Store(replica)
	l.Handle(l.answer)
	return l
}

func (l *lone) answer(r fakenode.Request) (fakenode.Reaction, bool) {
	if l.frozen.Load() {
		return stuck(), true
	}
	replica := l.replica.Load()
	role, described := "master", "*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n"
	if replica {
		role, described = "replica", fakenode.Connected
	}
	switch r.Name() {
	case "HELLO":
		return says("%%3\r\n$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$%d\r\n%s", len(role), role), true
	case "ROLE", "INFO":
		if l.hides.Load() {
			return says("-NOPERM User default has no permissions to run the '%s' command", r.Name()), true
		}
		return fakenode.Reaction{Send: described}, true
	case "SET":
		if replica {
			return says("-READONLY You can't write against a read only replica."), true
		}
		return ok, true
	case "GET": // tells who has answered
		return says("$%d\r\n%s", len(l.addr), l.addr), true
	case "PING", "CLIENT SETINFO":
		return fakenode.Reaction{}, false
	}
	return says("-ERR This instance has cluster support disabled"), true
}

// group is a primary at 10.0.0.1 and a replica at 10.0.0.2, and the names of both.
type group struct {
	*town
	net             *fakenode.Net
	primary, reader *lone
}

func groupStory(t *testing.T, tell func(t *testing.T, g *group)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &group{town: newTown(), net: fakenode.New()}
		defer g.net.Close()
		g.connect = g.net.Dial
		g.primary, g.reader = newLone(g.net, "10.0.0.1:6379", false), newLone(g.net, "10.0.0.2:6379", true)
		for i := range 9 {
			addr := fmt.Sprintf("10.0.0.%d:6379", i+1)
			g.put(addr, addr)
		}
		g.call(primaryName, "10.0.0.1")
		g.call(readerName, "10.0.0.2")
		tell(t, g)
	})
}

// open makes a client of the group that ends with the story.
func (g *group) open(t *testing.T, opts keyslot.Options) *keyslot.Client {
	t.Helper()
	opts.Endpoints, opts.Reader = []string{primaryName}, readerName
	client, err := keyslot.New(t.Context(), g.options(opts))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func TestAWriteWaitsUntilItsNameLeadsToThePrimary(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		client := g.open(t, keyslot.Options{})
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		g.primary.replica.Store(true)
		g.reader.replica.Store(false)
		began := time.Now()
		time.AfterFunc(2*time.Second, func() { g.call(primaryName, "10.0.0.2") })
		require.NoError(t, client.Set(t.Context(), "a", "2"))
		// Up to 500 ms each: how long a lookup counts, between two dials, and between two attempts.
		require.LessOrEqual(t, time.Since(began), 3500*time.Millisecond)
		require.Len(t, sent(g.primary.Node, "SET"), 2, "the demoted primary got it once")
		require.Len(t, sent(g.reader.Node, "SET"), 1)
		require.LessOrEqual(t, len(sent(g.primary.Node, "HELLO")), 15, "and was not dialled in a hurry")
		value, err := client.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "10.0.0.2:6379", value)
	})
}

func TestAReplicaAmongTheAddressesIsPassedOver(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		g.put("10.0.0.8:6379", "") // swallows dials
		g.call(primaryName, "10.0.0.2", "10.0.0.8", "10.0.0.9", "10.0.0.1")
		client := g.open(t, keyslot.Options{DialTimeout: time.Second})
		for range 5 {
			require.NoError(t, client.Set(t.Context(), "a", "1"))
			g.primary.Cut(fakenode.RST)
			synctest.Wait()
		}
		require.Len(t, sent(g.primary.Node, "SET"), 5)
		require.Empty(t, sent(g.reader.Node, "SET"), "who is no primary is told nothing")
	})
}

func TestAMemberOfAClusterThatIsStartedWrongMisleadsNobodyAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := fakenode.New()
		defer net.Close()
		net.Topology(1, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
		net.Node(lower)
		newLone(net, upper, false)
		w := newTown()
		w.connect = net.Dial
		w.put(lower, lower)
		w.put(upper, upper)
		w.call(configName, "10.0.0.1", "10.0.0.2")
		for range 10 { // whoever answers first
			client, err := keyslot.New(t.Context(), w.options(keyslot.Options{Endpoints: []string{configName}}))
			require.NoError(t, err)
			require.False(t, client.Topology().Standalone)
			require.NoError(t, client.Close())
		}
	})
}

func TestAPrimaryThatIsSlowAtTheStartLosesNothingToOneStartedWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := fakenode.New()
		defer net.Close()
		shard := fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower, upper}}
		net.Topology(1, shard)
		net.Node(lower).On("CLUSTER SLOTS", fakenode.Reaction{Send: fakenode.Slots(shard), Delay: 400 * time.Millisecond})
		newLone(net, upper, false)
		w := newTown()
		w.connect = net.Dial
		w.put(lower, lower)
		w.put(upper, upper)
		w.call(configName, "10.0.0.1", "10.0.0.2")
		client, err := keyslot.New(t.Context(), w.options(keyslot.Options{Endpoints: []string{configName}}))
		require.NoError(t, err)
		defer client.Close()
		require.False(t, client.Topology().Standalone)
	})
}

func TestOfTwoPrimariesBehindOneNameTheOneThatLeadsIsUsed(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		g.reader.replica.Store(false)
		g.reader.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() == "ROLE" {
				return says("*3\r\n$6\r\nmaster\r\n:7\r\n*1\r\n*3\r\n$8\r\n10.0.0.3\r\n$4\r\n6379\r\n$1\r\n7"), true
			}
			return g.reader.answer(r)
		})
		g.call(primaryName, "10.0.0.1", "10.0.0.2")
		for range 20 { // whoever answers first
			client, err := keyslot.New(t.Context(), g.options(keyslot.Options{Endpoints: []string{primaryName}}))
			require.NoError(t, err)
			require.NoError(t, client.Set(t.Context(), "a", "1"))
			require.NoError(t, client.Close())
		}
		require.Empty(t, sent(g.primary.Node, "SET"), "the other one has a replica")
	})
}

func TestADeposedPrimaryThatAnswersOnIsLeftOnceItsNameLeadsElsewhere(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		client := g.open(t, keyslot.Options{RefreshAfter: 10 * time.Second})
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		g.reader.replica.Store(false) // nobody has told the primary
		g.call(primaryName, "10.0.0.2")
		for range 20 {
			time.Sleep(time.Second)
			require.NoError(t, client.Set(t.Context(), "a", "2"))
			synctest.Wait()
		}
		require.LessOrEqual(t, len(sent(g.primary.Node, "SET")), 12, "what it acknowledges is lost")
		require.GreaterOrEqual(t, len(sent(g.reader.Node, "SET")), 9)
		require.LessOrEqual(t, len(sent(g.reader.Node, "HELLO")), 2)

		g.call(primaryName, "10.0.0.9") // where nobody is
		for range 20 {
			time.Sleep(time.Second)
			require.NoError(t, client.Set(t.Context(), "a", "3"), "what works is not given up for what does not")
			synctest.Wait()
		}
	})
}

func TestDNSThatForgetsTheReadersTakesNoneAway(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		newLone(g.net, "10.0.0.3:6379", true)
		g.call(readerName, "10.0.0.2", "10.0.0.3")
		client := g.open(t, keyslot.Options{RefreshAfter: time.Second})
		require.Len(t, client.Topology().Shards[0].Replicas, 2)
		g.call(readerName)
		for range 5 {
			time.Sleep(3 * time.Second)
			require.NoError(t, client.Set(t.Context(), "a", "1"))
			synctest.Wait()
			require.Len(t, client.Topology().Shards[0].Replicas, 2)
		}
		g.call(readerName, "10.0.0.3")
		time.Sleep(3 * time.Second)
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		synctest.Wait()
		require.Len(t, client.Topology().Shards[0].Replicas, 1)
	})
}

func TestAScriptThatSaysREADONLYMakesNobodyDial(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		g.primary.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() == "EVAL" {
				return says("-READONLY until tomorrow"), true
			}
			return g.primary.answer(r)
		})
		client := g.open(t, keyslot.Options{})
		for range 100 {
			_, err := client.Do(t.Context(), "EVAL", "return tomorrow()", 1, "a")
			require.ErrorContains(t, err, "READONLY")
		}
		require.Less(t, len(sent(g.primary.Node, "HELLO")), 5)
	})
}

func TestALazyClientWaitsNoLongerForATransactionThanForACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown()
		w.put("10.0.0.1:6379", "") // swallows dials
		w.call(primaryName, "10.0.0.1")
		client, err := keyslot.New(t.Context(), w.options(keyslot.Options{
			Endpoints: []string{primaryName}, Lazy: true, CommandTimeout: 3 * time.Second,
		}))
		require.NoError(t, err)
		defer client.Close()
		for name, run := range map[string]func() error{
			"a command": func() error { return client.Set(t.Context(), "a", "1") },
			"a transaction": func() error {
				tx := client.Tx()
				tx.Set("a", "1")
				return tx.Exec(t.Context())
			},
			"a watch": func() error {
				return client.Watch(t.Context(), []string{"a"}, func(*keyslot.Watched) error { return nil })
			},
		} {
			began := time.Now()
			require.ErrorIs(t, run(), keyslot.ErrNotExecuted, name)
			require.LessOrEqual(t, time.Since(began), 3*time.Second, name)
		}
	})
}

func TestTheReaderThatLeadsToAPrimaryAnswersReadsOnly(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		client := g.open(t, keyslot.Options{ReadFrom: keyslot.PreferReplica})
		g.reader.replica.Store(false)
		for range 20 {
			value, err := client.Get(t.Context(), "a")
			require.NoError(t, err)
			if value == g.reader.addr {
				break
			}
			time.Sleep(time.Second)
		}
		g.primary.Close()
		err := client.Timeout(3*time.Second).Set(t.Context(), "a", "1")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted, "it is not what the primary endpoint leads to")
		require.Empty(t, sent(g.reader.Node, "SET"))
		value, err := client.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, g.reader.addr, value)
	})
}

func TestWhereNobodyTellsTheRoleHelloDoes(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		g.primary.hides.Store(true)
		g.reader.hides.Store(true)
		g.call(primaryName, "10.0.0.2", "10.0.0.1")
		client := g.open(t, keyslot.Options{ReadFrom: keyslot.PreferReplica})
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		require.Eventually(t, func() bool {
			value, err := client.Get(t.Context(), "a")
			return err == nil && value == g.reader.addr
		}, 5*time.Second, 100*time.Millisecond)
	})
}

func TestASilentPrimaryIsLeftOnceDNSHasMoved(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		client := g.open(t, keyslot.Options{CommandTimeout: 20 * time.Second})
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		g.primary.frozen.Store(true)
		g.reader.replica.Store(false)
		time.AfterFunc(2*time.Second, func() { g.call(primaryName, "10.0.0.2") })
		began := time.Now()
		written := make(chan error, 1)
		go func() { written <- client.Set(t.Context(), "a", "2") }()
		synctest.Wait()
		value, err := client.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, g.reader.addr, value)
		require.Less(t, time.Since(began), 3500*time.Millisecond, "not PeerTimeout")
		require.ErrorIs(t, <-written, keyslot.ErrUnknownOutcome, "a frozen server may yet run it")
	})
}

func TestWhatAFrozenPrimaryOwesIsGivenUpOnceAnotherIsFound(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		g.reader.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() == "BLPOP" {
				return says("*2\r\n$1\r\nq\r\n$1\r\nx"), true
			}
			return g.reader.answer(r)
		})
		client := g.open(t, keyslot.Options{CommandTimeout: 20 * time.Second})
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		time.Sleep(time.Second) // so that DNS may be asked again
		g.primary.frozen.Store(true)
		g.reader.replica.Store(false)
		began := time.Now()
		written := make(chan error, 1)
		go func() { written <- client.Set(t.Context(), "a", "2") }()
		synctest.Wait()
		g.call(primaryName, "10.0.0.2")
		_, err := client.BLPop(t.Context(), 0, "q") // on a connection of its own, before anybody is suspected
		require.NoError(t, err)
		require.Less(t, time.Since(began), 500*time.Millisecond)
		require.ErrorIs(t, <-written, keyslot.ErrUnknownOutcome, "whatever it says when it wakes is lost")
		require.Less(t, time.Since(began), 2*time.Second)
	})
}

func TestCommandsOfAGroupThatOvertakeEachOtherSaySo(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		refused := false
		g.primary.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			switch {
			case r.Name() == "SET" && !refused:
				refused = true
				return says("-LOADING the server is loading the dataset in memory"), true
			case r.Name() == "MGET":
				return says("*2\r\n_\r\n_"), true
			}
			return g.primary.answer(r)
		})
		p := g.open(t, keyslot.Options{}).Pipeline()
		set, read := p.Set(up, "v"), p.MGet(low, up) // of two slots
		require.NoError(t, p.Exec(t.Context()))
		require.NoError(t, set.Err())
		require.True(t, set.Reordered())
		require.False(t, read.Reordered())
	})
}

// allowSubscriptions lets both servers confirm a subscription to news.
func (g *group) allowSubscriptions() {
	for _, l := range []*lone{g.primary, g.reader} {
		l.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() == "SUBSCRIBE" {
				return says(">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1"), true
			}
			return l.answer(r)
		})
	}
}

func TestASubscriberFollowsTheNameOfThePrimary(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		g.allowSubscriptions()
		client := g.open(t, keyslot.Options{})
		sub, err := client.Subscribe(t.Context(), "news")
		require.NoError(t, err)
		g.primary.replica.Store(true) // it lives on, and tells what its primary is told
		g.reader.replica.Store(false)
		g.call(primaryName, "10.0.0.2")
		began := time.Now()
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		// Up to 500 ms each: how long a lookup counts, between two dials, and between two attempts.
		require.LessOrEqual(t, time.Since(began), 1500*time.Millisecond)
		began = time.Now()
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"gap news"}, heard)
		// Up to a second until the listener looks, and 50 ms until it dials.
		require.LessOrEqual(t, time.Since(began), 1050*time.Millisecond)
		g.reader.Push(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n")
		heard, _ = hear(t, sub, 1)
		require.Equal(t, []string{"hi"}, heard)
	})
}

func TestAnIdleGroupIsLeftAlone(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		client := g.open(t, keyslot.Options{ReadFrom: keyslot.PreferReplica})
		_, err := client.Get(t.Context(), "a")
		require.NoError(t, err)
		time.Sleep(time.Second)
		before := len(g.primary.Tape()) + len(g.reader.Tape())
		time.Sleep(time.Hour)
		require.Equal(t, before, len(g.primary.Tape())+len(g.reader.Tape()))
	})
}

// What the client has to the server outlives its demotion, and answers. A subscription dials anew, and finds a replica.
func TestASubscriberThatIsCutOffLooksForThePrimaryThoughItsServerAnswers(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		g.allowSubscriptions()
		client := g.open(t, keyslot.Options{})
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		sub, err := client.Subscribe(t.Context(), "news")
		require.NoError(t, err)
		subscribed := sent(g.primary.Node, "SUBSCRIBE")[0].Conn
		g.primary.replica.Store(true)
		g.reader.replica.Store(false)
		g.call(primaryName, "10.0.0.2")
		g.primary.CutConn(subscribed, fakenode.RST)
		began := time.Now()
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"gap news"}, heard)
		// Up to 500 ms each: how long a lookup counts, between two dials, and between two attempts of a subscription.
		require.LessOrEqual(t, time.Since(began), 1500*time.Millisecond)
	})
}

// The machine of the primary is gone: whatever is sent there is swallowed, dials too. The dials that hang are joined by
// others once the name has moved.
func TestDialsThatHangAreOvertakenOnceTheNameHasMoved(t *testing.T) {
	groupStory(t, func(t *testing.T, g *group) {
		g.allowSubscriptions()
		client := g.open(t, keyslot.Options{DialTimeout: 20 * time.Second, CommandTimeout: 25 * time.Second})
		require.NoError(t, client.Set(t.Context(), "a", "1"))
		g.put(g.primary.addr, "")
		g.primary.Cut(fakenode.RST)
		synctest.Wait()
		const moves = 10 * time.Second
		time.AfterFunc(moves, func() {
			g.reader.replica.Store(false)
			g.call(primaryName, "10.0.0.2")
		})
		began := time.Now()
		var calls sync.WaitGroup
		for _, call := range []func() error{
			func() error { return client.Set(t.Context(), "a", "2") },
			func() error { _, err := client.Subscribe(t.Context(), "news"); return err },
		} {
			calls.Go(func() {
				require.NoError(t, call())
				// Up to 500 ms each: how long a lookup counts, and until the next one.
				require.LessOrEqual(t, time.Since(began), moves+time.Second)
			})
		}
		calls.Wait()
	})
}
