package keyslot_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What was in flight at a node that lost its slots: stories on three scripted nodes.

// spare is a replica of lower.
const spare = "10.0.0.3:6379"

// failover runs a story whose client knows spare as the replica of lower.
func failover(t *testing.T, opts keyslot.Options, tell func(t *testing.T, s *stage, client *keyslot.Client)) {
	t.Helper()
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		heir := s.net.Node(spare)
		s.spare = heir
		heir.On("INCR", one)
		heir.On("GET", value)
		shards(s, 2, lower, spare)
		opts.Endpoints, opts.Dial = []string{upper}, s.dial
		client, err := keyslot.New(t.Context(), opts)
		require.NoError(t, err)
		defer client.Close()
		s.began = time.Now()
		tell(t, s, client)
	})
}

// shards sets the topology: the lower half of the slots belongs to the first of the nodes.
func shards(s *stage, epoch int, nodes ...string) {
	s.net.Topology(epoch, fakenode.Shard{First: 0, Last: 8191, Nodes: nodes}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
}

func TestAFrozenPrimaryThatLostItsSlotsIsCutOffByARefresh(t *testing.T) {
	failover(t, keyslot.Options{}, func(t *testing.T, s *stage, client *keyslot.Client) {
		s.lower.On("INCR", stuck())
		s.lower.On("BLPOP", stuck())
		time.AfterFunc(300*time.Millisecond, func() { shards(s, 3, spare, lower) })
		var callers sync.WaitGroup
		for _, command := range [][]any{{"INCR", low}, {"BLPOP", low, 0}} {
			callers.Go(func() {
				_, err := client.Do(within(t, 10*time.Second), command...)
				require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
				require.LessOrEqual(t, time.Since(s.began), time.Second, command)
				require.GreaterOrEqual(t, time.Since(s.began), 500*time.Millisecond, command)
			})
		}
		callers.Wait()
	})
}

// A connection that takes no more calls is the node's no longer, but somebody may still wait on it.
func TestWhatIsDrainedAtAFrozenPrimaryThatLostItsSlotsIsCutOffToo(t *testing.T) {
	failover(t, keyslot.Options{}, func(t *testing.T, s *stage, client *keyslot.Client) {
		s.lower.On("GET", fakenode.Reaction{Delay: 100 * time.Millisecond, Send: "-NOAUTH Authentication required.\r\n"}, value)
		s.lower.On("INCR", stuck())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := client.Get(t.Context(), low)
			require.NoError(t, err)
		})
		synctest.Wait()
		callers.Go(func() {
			_, err := client.Incr(within(t, 10*time.Second), low)
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		})
		time.Sleep(2 * time.Second)
		s.lower.StopReading()
		shards(s, 3, spare, lower)
		frozen := time.Now()
		callers.Wait()
		require.LessOrEqual(t, time.Since(frozen), time.Second, "two looks at the silence")
		s.lower.Resume()
	})
}

// A node that comes back at another address is the same one to the map. What is at the old address is given up all the same.
func TestAPrimaryThatHasANewAddressIsCutOffAtTheOldOne(t *testing.T) {
	for name, breakDown := range map[string]func(s *stage){
		"it is silent": func(s *stage) { s.lower.On("INCR", stuck()) },
		"a dial hangs": func(s *stage) {
			s.net.BlackHole(lower)
			s.lower.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			failover(t, keyslot.Options{DialTimeout: 8 * time.Second, CommandTimeout: 9 * time.Second}, func(t *testing.T, s *stage, client *keyslot.Client) {
				const moved = "10.0.0.4:6379"
				successor := s.net.Node(moved)
				successor.On("INCR", one)
				slots := fakenode.Slots(fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
				slots = strings.Replace(slots, "10.0.0.1", "10.0.0.4", 1)
				for _, node := range []*fakenode.Node{s.lower, s.upper, s.spare, successor} {
					node.On("CLUSTER SLOTS", fakenode.Reaction{Send: slots})
				}
				breakDown(s)
				_, err := client.Incr(t.Context(), low)
				if name == "it is silent" {
					require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
				} else {
					require.NoError(t, err)
				}
				require.LessOrEqual(t, time.Since(s.began), 1500*time.Millisecond)
				_, err = client.Incr(t.Context(), low)
				require.NoError(t, err)
			})
		})
	}
}

func TestAFrozenPrimaryIsCutOffByTheRedirectThatPromotesItsReplica(t *testing.T) {
	failover(t, keyslot.Options{ConnsPerNode: 2}, func(t *testing.T, s *stage, client *keyslot.Client) {
		const odd = "bar" // in slot 5061, on the other connection
		s.lower.On("INCR", stuck())
		s.lower.On("GET", says("-MOVED 5061 %s", spare))
		for _, node := range []*fakenode.Node{s.lower, s.upper} { // nothing but the redirect can tell
			node.On("CLUSTER SLOTS", says("-LOADING Redis is loading the dataset in memory"))
		}
		time.AfterFunc(time.Second, func() { _, _ = client.Get(t.Context(), odd) })
		_, err := client.Incr(t.Context(), low)
		s.failsAt(t, time.Second, err, keyslot.ErrUnknownOutcome)
		require.Len(t, sent(s.lower, "INCR"), 1)
	})
}

// The connection of low is found dead by PING, which ran while the node lost its slots: another dial there is in vain.
func TestNobodyDialsAPrimaryThatLostItsSlotsWhileAConnectionWasProbed(t *testing.T) {
	failover(t, keyslot.Options{ConnsPerNode: 2}, func(t *testing.T, s *stage, client *keyslot.Client) {
		const odd = "bar" // in slot 5061, on the other connection
		s.lower.On("GET", value, says("-MOVED 5061 %s", spare))
		s.lower.On("INCR", one)
		s.lower.On("PING", stuck())
		_, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		_, err = client.Get(t.Context(), odd) // which is not to be probed
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		s.lower.Greet(stuck())
		asked := time.Now()
		time.AfterFunc(100*time.Millisecond, func() { _, _ = client.Get(t.Context(), odd) })
		_, err = client.Incr(t.Context(), low)
		require.NoError(t, err)
		require.Equal(t, 500*time.Millisecond, time.Since(asked), "the probe")
	})
}

func TestADemotedPrimaryThatAnswersIsDrainedAndFailsNothing(t *testing.T) {
	var events seen
	failover(t, keyslot.Options{ConnsPerNode: 2, Trace: events.trace()}, func(t *testing.T, s *stage, client *keyslot.Client) {
		over := make(chan struct{})
		s.lower.On("BLPOP", fakenode.Reaction{After: over})
		s.lower.On("INCR", fakenode.Reaction{Delay: 400 * time.Millisecond, Send: ":1\r\n"})
		s.lower.On("GET", says("-MOVED 5061 %s", spare))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = client.Do(ctx, "BLPOP", low, 0) }()
		time.Sleep(time.Minute) // the wait of a blocking command is no silence
		require.Empty(t, events.since())

		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				n, err := client.Incr(t.Context(), low)
				require.NoError(t, err)
				require.Equal(t, int64(1), n)
			})
		}
		synctest.Wait()
		shards(s, 3, spare)
		_, _ = client.Get(within(t, time.Second), "bar")
		callers.Wait()
		require.Len(t, sent(s.lower, "INCR"), 10)
		time.Sleep(time.Minute)
		_, _ = client.Get(t.Context(), "bar") // the map is confirmed, which has no place for the old primary
		cancel()
		close(over)
		synctest.Wait()
		require.Equal(t, 1, s.lower.Open(), "the other client's")
	})
}

func TestSilentNodesDoNotAgreeWithAnOlderMap(t *testing.T) {
	var events seen
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const endpoint = "10.0.0.4:6379" // leads to a node that is not asked by its own address
		heir := s.net.Node(spare)
		heir.On("INCR", one)
		heir.On("GET", value)
		s.net.Node(endpoint)
		s.net.Topology(5, fakenode.Shard{First: 0, Last: 100, Nodes: []string{spare}}, fakenode.Shard{First: 101, Last: 8191, Nodes: []string{lower}},
			fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{endpoint}, Dial: s.dial, Trace: events.trace()})
		require.NoError(t, err)
		defer client.Close()
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{upper}})
		s.net.BlackHole(lower)
		s.net.BlackHole(spare)
		s.upper.On("GET", says("-CLUSTERDOWN The cluster is down"))
		_, err = client.Get(within(t, 20*time.Second), up)
		require.Error(t, err)
		require.Equal(t, uint64(5), client.Topology().Epoch)
		require.NotEmpty(t, events.since())
	})
}

func TestOneFrozenNodeDoesNotDelayWhatTheOthersSay(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.StopReading()
		s.lower.On("SET", says("-MOVED 866 %s", spare), ok)
		s.net.Node(spare).On("SET", says("-CLUSTERDOWN The cluster is down"))
		shards(s, 2, lower, spare)
		require.NoError(t, s.client.Set(t.Context(), low, "v"))
		require.Less(t, time.Since(s.began), time.Second)
		s.upper.Resume()
	})
}

// A planned failover pauses clients; the node that then answers "MOVED" was never frozen.
func TestAPauseBeforeAPlannedFailoverCutsNothingOff(t *testing.T) {
	failover(t, keyslot.Options{}, func(t *testing.T, s *stage, client *keyslot.Client) {
		release := make(chan struct{})
		first, later := says("-MOVED 866 %s", spare), says("-MOVED 866 %s", spare)
		first.After, later.Delay = release, time.Millisecond
		s.lower.On("INCR", first, later)
		var callers sync.WaitGroup
		for range 5 {
			callers.Go(func() {
				_, err := client.Incr(t.Context(), low)
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		time.Sleep(800 * time.Millisecond)
		shards(s, 3, spare, lower)
		close(release)
		callers.Wait()
	})
}

func TestTheNodeThatGaveTheFirstMapIsSuspectedLikeAnyOther(t *testing.T) {
	failover(t, keyslot.Options{CommandTimeout: time.Minute}, func(t *testing.T, s *stage, _ *keyslot.Client) {
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: s.dial})
		require.NoError(t, err)
		defer client.Close()
		s.lower.Handle(func(fakenode.Request) (fakenode.Reaction, bool) { return stuck(), true })
		s.began = time.Now()
		time.AfterFunc(2*time.Second, func() { shards(s, 3, spare, lower) })
		_, err = client.Get(t.Context(), low)
		require.NoError(t, err)
		// Up to 500 ms between two questions, and up to 200 ms that the silent node has for its answer.
		require.LessOrEqual(t, time.Since(s.began), 2700*time.Millisecond)
	})
}

func TestASlowNodeThatNeverLostASlotIsLeftInPeace(t *testing.T) {
	failover(t, keyslot.Options{}, func(t *testing.T, s *stage, client *keyslot.Client) {
		const importing = "10.0.0.4:6379"
		slow := s.net.Node(importing)
		slow.On("ASKING", ok)
		slow.On("INCR", fakenode.Reaction{Delay: 1800 * time.Millisecond, Send: ":1\r\n"})
		s.lower.On("INCR", says("-ASK 866 %s", importing))
		_, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
	})
}
