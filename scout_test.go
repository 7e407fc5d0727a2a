package keyslot_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Who serves the slots of a primary that does not: stories on three scripted nodes, spare being the replica of lower.

// owners lets every node answer for a key of the lower half as real ones do: owner has it, the others redirect there.
type owners struct{ owner atomic.Pointer[string] }

func (o *owners) take(addr string) { o.owner.Store(&addr) }

// of returns who owns a key.
func (o *owners) of(key string) string {
	if keyslot.Slot(key) < 8192 {
		return *o.owner.Load()
	}
	return upper
}

func (o *owners) answer(addr string) fakenode.Handler {
	return func(r fakenode.Request) (fakenode.Reaction, bool) {
		switch {
		case r.Name() == "ROLE" && addr == *o.owner.Load():
			return says("*3\r\n$6\r\nmaster\r\n:0\r\n*0"), true
		case r.Name() != "EXISTS":
			return fakenode.Reaction{}, false
		}
		if owner := o.of(r.Args[1]); addr != owner {
			return says("-MOVED %d %s", keyslot.Slot(r.Args[1]), owner), true
		}
		return says(":0"), true
	}
}

// witnesses runs a story like failover, on nodes that tell who owns a key; lower does, at first.
func witnesses(t *testing.T, opts keyslot.Options, tell func(t *testing.T, s *stage, o *owners, client *keyslot.Client)) {
	t.Helper()
	failover(t, opts, func(t *testing.T, s *stage, client *keyslot.Client) {
		o := new(owners)
		o.take(lower)
		s.lower.Handle(o.answer(lower))
		s.upper.Handle(o.answer(upper))
		s.spare.Handle(o.answer(spare))
		s.asked()
		tell(t, s, o, client)
	})
}

// asked returns how often a client has asked any node for the topology since it was last called.
func (s *stage) asked() int {
	asked := 0
	for _, n := range []*fakenode.Node{s.lower, s.upper, s.spare} {
		asked += len(sent(n, "CLUSTER SLOTS"))
	}
	asked, s.askedBefore = asked-s.askedBefore, asked
	return asked
}

// A machine that is gone answers no dial, not even by refusing it.
func TestAPromotedReplicaIsFoundWhileADialHangs(t *testing.T) {
	for _, after := range []time.Duration{900 * time.Millisecond, 1500 * time.Millisecond, 8 * time.Second} {
		witnesses(t, keyslot.Options{CommandTimeout: time.Minute, DialTimeout: 10 * time.Second},
			func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
				s.net.BlackHole(lower)
				s.lower.Cut(fakenode.RST)
				promoted := time.Now().Add(after)
				time.AfterFunc(after, func() { o.take(spare) })
				_, err := client.Incr(t.Context(), low)
				require.NoError(t, err)
				require.Less(t, time.Since(promoted), 250*time.Millisecond)
				require.GreaterOrEqual(t, time.Since(promoted), time.Duration(0))
				require.Zero(t, s.asked())
			})
	}
}

func TestAPromotedReplicaIsFoundWithoutAskingForTheTopology(t *testing.T) {
	witnesses(t, keyslot.Options{CommandTimeout: time.Minute}, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		s.lower.Close()
		promoted := s.began.Add(4 * time.Second)
		time.AfterFunc(4*time.Second, func() { o.take(spare) })
		_, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
		require.Less(t, time.Since(promoted), 250*time.Millisecond, "a lone caller does not depend on its own pauses")
		require.GreaterOrEqual(t, time.Since(promoted), time.Duration(0))
		require.Zero(t, s.asked())
		require.Less(t, len(sent(s.spare, "EXISTS")), 50, "paced")

		time.Sleep(missedFor + 500*time.Millisecond)
		before := len(sent(s.spare, "EXISTS"))
		time.Sleep(time.Minute)
		require.Len(t, sent(s.spare, "EXISTS"), before, "nobody misses anything")
	})
}

// missedFor is how long looks go on that nobody asks for.
const missedFor = time.Second

func TestAFrozenPrimaryIsLeftAsSoonAsItsReplicaServes(t *testing.T) {
	witnesses(t, keyslot.Options{CommandTimeout: time.Minute}, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		s.lower.On("INCR", one, stuck())
		_, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
		time.AfterFunc(4*time.Second, func() { o.take(spare) })
		_, err = client.Incr(t.Context(), low)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.InDelta(t, 4.125, time.Since(s.began).Seconds(), 0.125, "given up when its slots are gone")
		_, err = client.Incr(t.Context(), low)
		require.NoError(t, err)
		require.Zero(t, s.asked())
	})
}

// A node that was shut down behind its last slot has replicas that know no better for a while. The others do.
func TestSlotsThatWentElsewhereBeforeTheirNodeWasLostAreFound(t *testing.T) {
	witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		stale := new(owners)
		stale.take(lower)
		s.spare.Handle(stale.answer(spare))
		const heir = "10.0.0.4:6379"
		s.net.Node(heir).On("INCR", one)
		o.take(heir)
		shards(s, 3, heir)
		s.lower.Close()
		_, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(s.began), 200*time.Millisecond, "the first look after 60 ms, or the second 140 ms later")
	})
}

func TestTheTopologyIsAskedWhereNobodyMayTellOfAKey(t *testing.T) {
	witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
		for _, n := range []*fakenode.Node{s.upper, s.spare} {
			n.Handle(func(fakenode.Request) (fakenode.Reaction, bool) { return fakenode.Reaction{}, false })
			n.On("EXISTS", says("-NOPERM User ann has no permissions to access one of the keys used as arguments"))
		}
		s.lower.Close()
		time.AfterFunc(time.Second, func() { shards(s, 3, spare) })
		_, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
		require.Less(t, time.Since(s.began), 1650*time.Millisecond, "a look after 140 ms, and urgent refreshes 500 ms apart at most")
		require.NotZero(t, s.asked())
	})
}

// What a client may not ask must not keep it with a primary that is gone: others redirect to a replica that
// nobody may vouch for.
func TestAPermissionThatIsMissingKeepsNobodyWithADeadPrimary(t *testing.T) {
	const noperm = "-NOPERM User ann has no permissions to run the '%s' command"
	for name, at := range map[string][]string{
		"ROLE":                   {lower, upper, spare},
		"EXISTS, at the replica": {spare},
	} {
		t.Run(name, func(t *testing.T) {
			witnesses(t, keyslot.Options{CommandTimeout: time.Minute}, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
				refused, _, _ := strings.Cut(name, ",")
				for addr, n := range map[string]*fakenode.Node{lower: s.lower, upper: s.upper, spare: s.spare} {
					n.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
						if r.Name() == refused && slices.Contains(at, addr) {
							return says(noperm, refused), true
						}
						return o.answer(addr)(r)
					})
				}
				s.lower.Close()
				promoted := s.began.Add(4 * time.Second)
				time.AfterFunc(4*time.Second, func() {
					o.take(spare)
					shards(s, 3, spare, lower)
				})
				_, err := client.Incr(t.Context(), low)
				require.NoError(t, err)
				require.Less(t, time.Since(promoted), 2250*time.Millisecond, "fruitlessFor, and a look after 140 ms")
				require.Less(t, s.asked(), 12)
			})
		})
	}
}

// Where machines are so busy that a key takes a second, the topology of all clients would take longer.
func TestBusyNodesAreNotAskedForMore(t *testing.T) {
	witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
		for _, n := range []*fakenode.Node{s.upper, s.spare} {
			n.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				return fakenode.Reaction{Delay: time.Second, Send: "-CLUSTERDOWN The cluster is down\r\n"}, r.Name() == "EXISTS"
			})
		}
		s.lower.Close()
		_, err := client.Incr(within(t, 1500*time.Millisecond), low)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.Zero(t, s.asked())
	})
}

// A service behind a proxy may serve a read at an address that it lists as a replica's, and no write.
func TestAReplicaThatServesWithoutBeingPromotedTakesNothingOver(t *testing.T) {
	witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
		s.spare.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return says(":0"), r.Name() == "EXISTS" })
		s.lower.On("INCR", reset, one)
		_, err := client.Incr(t.Context(), low)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		time.Sleep(missedFor)
		require.Equal(t, lower, client.Topology().Shards[0].Primary.Addr())
		require.NotEmpty(t, sent(s.spare, "EXISTS"))
	})
}

// A primary that stood still while it was replaced serves for a moment when it wakes, and what it acknowledges is lost.
func TestADeposedPrimaryIsBelievedOnlyWithANewEpoch(t *testing.T) {
	witnesses(t, keyslot.Options{CommandTimeout: time.Minute}, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		s.lower.On("INCR", says("-MOVED 866 %s", spare), one)
		_, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
		o.take(lower)
		s.lower.On("CLUSTER INFO", says("$38\r\ncluster_state:ok\r\ncluster_my_epoch:2\r\n"))
		shards(s, 3, spare, lower)
		s.spare.Close()
		synctest.Wait() // until the client has noticed
		_, err = client.Incr(within(t, 3*time.Second), low)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		s.lower.On("CLUSTER INFO", says("$38\r\ncluster_state:ok\r\ncluster_my_epoch:9\r\n"))
		_, err = client.Incr(within(t, time.Second), low)
		require.NoError(t, err)
	})
}

func TestAClusterThatIsDownIsNotAskedWhoItIs(t *testing.T) {
	witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
		s.upper.On("GET", says("-CLUSTERDOWN The cluster is down"))
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				_, err := client.Get(within(t, 3*time.Second), up)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		callers.Wait()
		require.Zero(t, s.asked())
	})
}

func TestARedirectToTheReplicaIsConfirmedOnceAndLater(t *testing.T) {
	witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		s.lower.On("INCR", says("-MOVED 866 %s", spare))
		o.take(spare)
		shards(s, 3, spare, lower)
		for range 62 {
			for range 10 {
				_, err := client.Incr(t.Context(), low)
				require.NoError(t, err)
			}
			time.Sleep(time.Second)
		}
		require.Equal(t, 1, s.asked())
		require.Equal(t, uint64(3), client.Topology().Epoch)
	})
}

// A server that is slow, or holds requests back as CLIENT PAUSE does, has no time for connections.
func TestASlowNodeIsNotDialledAgainAndAgain(t *testing.T) {
	story(t, keyslot.Options{PeerTimeout: time.Minute}, func(t *testing.T, s *stage) {
		s.upper.On("HELLO", says("%%2\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:17"))
		s.upper.On("CLIENT LIST", says("$13\r\nid=17 flags=b"))
		s.upper.On("INCR", stuck())
		_, err := s.client.Incr(within(t, 20*time.Second), up)
		s.failsAt(t, 20*time.Second, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
		require.Less(t, s.dialled(t, upper), 18)
	})
}

func TestAConnectionThatSwallowsRequestsIsLeftWhereItsNodeAnswersOnAnother(t *testing.T) {
	const id = 17
	hello := fmt.Sprintf("%%2\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:%d\r\n", id)
	for name, place := range map[string]struct {
		list string // what CLIENT LIST says of the silent connection
		left bool
	}{
		"it never saw the request":   {"id=17 addr=10.0.0.9:1 flags=N db=0", true},
		"it has closed it":           {"", true},
		"it lets the request wait":   {"id=17 addr=10.0.0.9:1 flags=b db=0", false},
		"it may not tell":            {"-NOPERM no permissions", false},
		"it has just been answering": {"late", false},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{CommandTimeout: 3 * time.Second}, func(t *testing.T, s *stage) {
				s.upper.On("HELLO", fakenode.Reaction{Send: hello})
				release := make(chan struct{})
				s.upper.On("INCR", fakenode.Reaction{After: release, Send: ":1\r\n"}, one)
				list := says("$%d\r\n%s", len(place.list), place.list)
				switch place.list {
				case "late":
					list = says("$%d\r\n%s", 12, "id=17 flags=")
					time.AfterFunc(800*time.Millisecond, func() { close(release) })
				case "-NOPERM no permissions":
					list = says("%s", place.list)
				}
				s.upper.On("CLIENT LIST", list)
				_, err := s.client.Incr(t.Context(), up)
				switch {
				case place.list == "late":
					require.NoError(t, err)
				case place.left:
					require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
					require.Less(t, time.Since(s.began), time.Second)
					_, err = s.client.Incr(t.Context(), up)
					require.NoError(t, err)
				default:
					s.failsAt(t, 3*time.Second, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
				}
			})
		})
	}
}

// While commands only block, nothing but a PING proves the connection that was dialled since.
func TestAPrimaryThatIsBackIsLookedForNoLonger(t *testing.T) {
	witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		s.lower.Close()
		go func() { _, _ = client.Do(t.Context(), "BLPOP", low, 0) }() // ends with the client
		time.Sleep(300 * time.Millisecond)
		s.lower = s.net.Node(lower)
		s.lower.Handle(o.answer(lower))
		s.lower.On("BLPOP", stuck())
		time.Sleep(2*time.Second + missedFor)
		before := len(sent(s.spare, "EXISTS"))
		require.NotZero(t, before)
		time.Sleep(10 * time.Second)
		require.Len(t, sent(s.spare, "EXISTS"), before)
	})
}

// A server may have no room for one more connection, or credentials take their time, while all is well on those that there are.
func TestAPrimaryThatAnswersIsNotMissedForAnotherDial(t *testing.T) {
	for _, pause := range []time.Duration{10 * time.Millisecond, 2 * time.Second} { // between commands on its connection
		witnesses(t, keyslot.Options{DialTimeout: 10 * time.Second}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
			s.lower.On("GET", value)
			_, err := client.Get(t.Context(), low)
			require.NoError(t, err)
			s.net.BlackHole(lower)
			go func() { _, _ = client.Do(t.Context(), "BLPOP", low, 0) }() // ends with the client
			for began := time.Now(); time.Since(began) < 8*time.Second; time.Sleep(pause) {
				_, err := client.Get(t.Context(), low)
				require.NoError(t, err)
			}
			require.Empty(t, sent(s.spare, "EXISTS"))
			s.lower.On("PING", stuck())
			time.Sleep(1600 * time.Millisecond)
			require.NotEmpty(t, sent(s.spare, "EXISTS"), "its silence is noticed all the same")
		})
	}
}

// Connections are cut now and then: by a proxy, by CLIENT KILL, while a process is frozen. The next one shows that all is well.
func TestAConnectionThatIsReplacedAtOnceMakesNobodyLook(t *testing.T) {
	for _, callers := range []int{1, 50} {
		witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
			s.lower.On("GET", fakenode.Reaction{Delay: time.Millisecond, End: fakenode.RST}, value)
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					_, err := client.Get(t.Context(), low)
					require.NoError(t, err)
				})
			}
			all.Wait()
			time.Sleep(2 * missedFor)
			require.Zero(t, s.dialsTo(spare).Load())
			require.Zero(t, s.asked())
		})
	}
}

// A replica that was asked who has taken over, and says nothing, is as silent as a primary.
func TestASilentReplicaDoesNotHurryTheTopology(t *testing.T) {
	witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
		s.lower.On("INCR", reset)
		loseOne := func() {
			_, err := client.Incr(t.Context(), low)
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
			time.Sleep(2 * missedFor)
		}
		loseOne()
		require.NotEmpty(t, sent(s.spare, "EXISTS"))
		s.spare.StopReading()
		loseOne()
		time.Sleep(10 * time.Second)
		require.LessOrEqual(t, s.asked(), 14, "once a second while it is silent")
	})
}

// A node that has not heard the name of its peer redirects to "?", for the one slot that has moved.
func TestASlotThatMovedToANodeWithoutANameIsFoundInTheTopology(t *testing.T) {
	for name, ask := range map[string]func(ctx context.Context, client *keyslot.Client) error{
		"INCR": func(ctx context.Context, client *keyslot.Client) error {
			_, err := client.Incr(ctx, low)
			return err
		},
		"SSUBSCRIBE": func(ctx context.Context, client *keyslot.Client) error {
			_, err := client.SSubscribe(ctx, low)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			witnesses(t, keyslot.Options{}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
				s.lower.On(name, says("-MOVED 866 ?:6379"))
				s.upper.On("INCR", one)
				s.upper.On("SSUBSCRIBE", fakenode.Reaction{Send: push(3, "ssubscribe", low, 1)})
				s.net.Topology(3, fakenode.Shard{First: 0, Last: 865, Nodes: []string{lower, spare}},
					fakenode.Shard{First: 866, Last: 866, Nodes: []string{upper}},
					fakenode.Shard{First: 867, Last: 8191, Nodes: []string{lower, spare}},
					fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
				require.NoError(t, ask(t.Context(), client))
				require.Less(t, time.Since(s.began), 250*time.Millisecond, "a refresh, 200 ms after the first map at most")
			})
		})
	}
}

// A server that refuses one more connection says so, and goes on serving those that it has.
func TestAPrimaryThatServesIsNotMissedForAConnectionThatItRefuses(t *testing.T) {
	var log bytes.Buffer
	opts := keyslot.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	witnesses(t, opts, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
		s.lower.On("GET", value)
		_, err := client.Get(t.Context(), low)
		require.NoError(t, err)
		s.lower.Greet(fakenode.Reaction{Send: "-ERR max number of clients reached\r\n", End: fakenode.FIN})
		_, err = client.Do(within(t, 5*time.Second), "BLPOP", low, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Greater(t, s.dialsTo(lower).Load(), int32(5))
		synctest.Wait()
		require.Empty(t, sent(s.spare, "EXISTS"))
		require.Zero(t, s.asked())
		require.Empty(t, log.String())
	})
}

// Every dial takes a while, and nothing is wrong: looks for one primary must not lead to looks for those that they dial.
func TestSlowDialsDoNotLeadToMore(t *testing.T) {
	const shards, width = 64, 256
	addr := func(shard, replica int) string { return fmt.Sprintf("10.1.%d.%d:6379", replica, shard) }
	for _, delay := range []time.Duration{400 * time.Millisecond, 800 * time.Millisecond, 1500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{net: fakenode.New()}
			defer s.net.Close()
			var all []fakenode.Shard
			for i := range shards {
				shard := fakenode.Shard{First: i * width, Last: (i+1)*width - 1, Nodes: []string{addr(i, 0), addr(i, 1)}}
				all = append(all, shard)
				for _, a := range shard.Nodes {
					n := s.net.Node(a)
					n.On("HELLO", fakenode.Reaction{Delay: delay, Send: fakenode.Hello})
					n.On("GET", value)
					n.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
						if r.Name() != "EXISTS" {
							return fakenode.Reaction{}, false
						}
						slot := keyslot.Slot(r.Args[1])
						return says("-MOVED %d %s", slot, addr(int(slot)/width, 0)), true
					})
				}
			}
			s.net.Topology(1, all...)
			client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{addr(7, 1)}, Dial: s.dial})
			require.NoError(t, err)
			defer client.Close()
			_, err = client.Get(t.Context(), low)
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
			dialled := 0
			s.dials.Range(func(any, any) bool { dialled++; return true })
			require.LessOrEqual(t, dialled, 4, "the endpoint, the primary, its replica, and one more")
		})
	}
}

// With full coverage the cluster is down because of the one that is lost. Without it, another one may be down by itself.
func TestAShardThatIsDownIsLookedForThoughAnotherOneIsLost(t *testing.T) {
	const heir = "10.0.0.4:6379"
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.Node(spare).Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { // it will never be promoted
			return says("-MOVED 866 %s", lower), r.Name() == "EXISTS"
		})
		promoted := s.net.Node(heir)
		promoted.On("EXISTS", says("-CLUSTERDOWN The cluster is down"))
		promoted.On("INCR", one)
		s.upper.On("INCR", says("-CLUSTERDOWN The cluster is down"))
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower, spare}},
			fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper, heir}})
		s.refresh(t)
		s.lower.Close()
		go func() { _, _ = s.client.Get(within(t, time.Minute), low) }() // ends with the client
		time.AfterFunc(time.Second, func() {
			promoted.On("EXISTS", says(":0"))
			promoted.On("ROLE", says("*3\r\n$6\r\nmaster\r\n:0\r\n*0"))
		})
		_, err := s.client.Incr(t.Context(), up)
		require.NoError(t, err)
		require.Less(t, time.Since(s.began), 2300*time.Millisecond, "fruitlessFor, from the second look on at the latest, and a third")
	})
}
