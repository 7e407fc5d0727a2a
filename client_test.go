package keyslot_test

import (
	"context"
	"errors"
	"net"
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

// Where commands go, and go next: stories on two scripted nodes (see delivery_test.go).

// seen records what a client tells its Trace.
type seen struct {
	mu        sync.Mutex
	redirects []keyslot.RedirectEvent // guarded by mu
	refreshes []keyslot.RefreshEvent  // guarded by mu
}

func (s *seen) trace() *keyslot.Trace {
	return &keyslot.Trace{
		Redirected: func(e keyslot.RedirectEvent) { s.mu.Lock(); defer s.mu.Unlock(); s.redirects = append(s.redirects, e) },
		Refreshed:  func(e keyslot.RefreshEvent) { s.mu.Lock(); defer s.mu.Unlock(); s.refreshes = append(s.refreshes, e) },
	}
}

// since returns the reasons of the refreshes after the first, which is New's.
func (s *seen) since() (reasons []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.refreshes[1:] {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}

func names(requests []fakenode.Request) (names []string) {
	for _, r := range requests {
		names = append(names, strings.Join(r.Args, " "))
	}
	return names
}

func TestAskIsFollowedOnceAndChangesNothing(t *testing.T) {
	var events seen
	story(t, keyslot.Options{Trace: events.trace()}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-ASK 866 %s", upper), ok)
		s.upper.On("SET", ok)
		before := s.client.Topology()
		require.NoError(t, s.client.Set(t.Context(), low, "1"))
		require.NoError(t, s.client.Set(t.Context(), low, "2"))
		synctest.Wait()
		require.Equal(t, []string{"SET hello 1", "SET hello 2"}, names(sent(s.lower, "SET")))
		tape := names(s.upper.Tape())
		require.Equal(t, []string{"ASKING", "SET hello 1"}, tape[len(tape)-2:])
		after := s.client.Topology()
		before.Age, after.Age = 0, 0
		require.Equal(t, before, after)
		require.Empty(t, events.since())
		require.Equal(t, []keyslot.RedirectEvent{{Slot: 866, Ask: true, From: lower, To: upper}}, events.redirects)
		require.Equal(t, s.began, time.Now(), "without a pause")
	})
}

// Nothing but a new map lets a node go that no map lists: an idle client has no timers.
func TestANodeThatOnlyAnAskHasNamedStaysUntilTheNextMap(t *testing.T) {
	story(t, keyslot.Options{RefreshAfter: -1}, func(t *testing.T, s *stage) {
		target := s.net.Node(spare)
		target.On("SET", ok)
		s.lower.On("SET", says("-ASK 866 %s", spare), ok)
		require.NoError(t, s.client.Set(t.Context(), low, "1"))
		for range 10 {
			time.Sleep(time.Minute)
			require.NoError(t, s.client.Set(t.Context(), low, "2"))
		}
		require.Equal(t, 1, target.Open())

		const fourth = "10.0.0.4:6379"
		s.net.Node(fourth).On("SET", ok)
		s.upper.On("SET", says("-MOVED %d %s", keyslot.Slot(up), fourth))
		require.NoError(t, s.client.Set(t.Context(), up, "3"))
		synctest.Wait()
		require.Zero(t, target.Open())
	})
}

func TestMovedPatchesItsSlotAtOnceAndRefreshesOnce(t *testing.T) {
	var events seen
	story(t, keyslot.Options{Trace: events.trace()}, func(t *testing.T, s *stage) {
		s.lower.On("GET", says("-MOVED 866 %s", upper))
		s.upper.On("GET", value)
		s.upper.On("CLUSTER SLOTS", says("-LOADING Redis is loading the dataset in memory")) // the new owner would know
		for range 10 {
			got, err := s.client.Get(t.Context(), low)
			require.NoError(t, err)
			require.Equal(t, "value", got)
		}
		require.Equal(t, s.began, time.Now(), "without a pause")
		synctest.Wait()
		require.Len(t, sent(s.lower, "GET"), 1)
		require.Len(t, sent(s.upper, "GET"), 10)
		require.Equal(t, []string{"MOVED"}, events.since(), "the answer of the same epoch does not undo the patch")
	})
}

// What a refresh learns was asked before a redirect that arrives meanwhile, and must not undo it.
func TestMovedDuringARefreshIsKept(t *testing.T) {
	story(t, keyslot.Options{ConnsPerNode: 2, RefreshAfter: time.Minute, IdleProbe: -1}, func(t *testing.T, s *stage) {
		const odd = "bar" // in slot 5061, which does not share the connection that topologies are asked on
		s.lower.On("GET", value, says("-MOVED 5061 %s", upper))
		s.upper.On("GET", value)
		answer := make(chan struct{})
		var asked atomic.Int32
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				switch r.Name() {
				case "CLUSTER MYID":
					return fakenode.Reaction{After: answer, Send: "$2\r\nid\r\n"}, true
				case "CLUSTER SLOTS": // the refresh that the redirect asks for learns nothing
					return says("-LOADING Redis is loading the dataset in memory"), asked.Add(1) > 1
				}
				return fakenode.Reaction{}, false
			})
		}
		time.Sleep(time.Hour)
		_, err := s.client.Get(t.Context(), odd) // asks for a refresh, because of the map's age
		require.NoError(t, err)
		time.Sleep(time.Millisecond)
		_, err = s.client.Get(t.Context(), odd) // is redirected
		require.NoError(t, err)
		time.Sleep(time.Millisecond)
		close(answer)
		synctest.Wait()
		_, err = s.client.Get(t.Context(), odd)
		require.NoError(t, err)
		require.Len(t, sent(s.lower, "GET"), 2)
	})
}

func TestTryAgainAfterAskWaitsAtTheSameNode(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		tryAgain := says("-TRYAGAIN Multiple keys request during rehashing of slot")
		s.lower.On("MSET", says("-ASK 866 %s", upper))
		s.upper.On("MSET", tryAgain, tryAgain, tryAgain, ok)
		_, err := s.client.Do(t.Context(), "MSET", "{hello}a", 1, "{hello}b", 2)
		require.NoError(t, err)
		require.Len(t, sent(s.lower, "MSET"), 1)
		require.Len(t, sent(s.upper, "MSET"), 4)
		require.Len(t, sent(s.upper, "ASKING"), 4, "an ASK stays one")
		require.LessOrEqual(t, time.Since(s.began), (5+10+20)*time.Millisecond, "three pauses")
	})
}

// The node is shut down once its last slot has left: nothing may be risked on it that is known to be elsewhere.
func TestTryAgainGoesWhereTheSlotHasGone(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("MSET", says("-TRYAGAIN Multiple keys request during rehashing of slot"))
		s.upper.On("MSET", ok)
		waiting := make(chan error, 1)
		go func() {
			_, err := s.client.Do(t.Context(), "MSET", "{hello}a", 1, "{hello}b", 2)
			waiting <- err
		}()
		time.Sleep(time.Second)
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 865, Nodes: []string{lower}}, fakenode.Shard{First: 866, Last: 16383, Nodes: []string{upper}})
		s.lower.On("GET", says("-MOVED 866 %s", upper))
		s.upper.On("GET", value)
		_, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		before := len(sent(s.lower, "MSET"))
		require.Greater(t, before, 1)
		require.NoError(t, <-waiting)
		require.Len(t, sent(s.lower, "MSET"), before)
		require.Len(t, sent(s.upper, "MSET"), 1)
		require.Empty(t, sent(s.upper, "ASKING"))
	})
}

func TestTwoNodesThatPointAtEachOtherArePaced(t *testing.T) {
	for _, code := range []string{"MOVED", "ASK"} {
		t.Run(code, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("SET", says("-%s 866 %s", code, upper))
				s.upper.On("SET", says("-%s 866 %s", code, lower))
				err := s.client.Set(within(t, 3*time.Second), low, "v")
				trail := s.failsAt(t, 3*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
				require.ErrorAs(t, err, new(keyslot.ServerError))
				require.Greater(t, trail.Redirects, 10)
				require.Less(t, trail.Redirects, 200)
				require.Equal(t, trail.Attempts, len(sent(s.lower, "SET"))+len(sent(s.upper, "SET")))
			})
		})
	}
}

// Behind the address is another server by now, which calls the address its own but not the slot.
func TestMovedToItselfRenewsTheConnection(t *testing.T) {
	for _, target := range []string{lower, ":6379", ":0"} {
		t.Run(target, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("SET", says("-MOVED 866 %s", target), ok)
				require.NoError(t, s.client.Set(t.Context(), low, "v"))
				requests := sent(s.lower, "SET")
				require.Len(t, requests, 2)
				require.NotEqual(t, requests[0].Conn, requests[1].Conn)
				synctest.Wait()
				require.LessOrEqual(t, time.Since(s.began), 50*time.Millisecond, "a pause")
			})
		})
	}
}

func TestMovedToAReplicaSwapsTheShard(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower, upper}})
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: s.net.Dial})
		require.NoError(t, err)
		defer client.Close()
		s.lower.On("GET", says("-MOVED 866 %s", upper))
		s.upper.On("GET", value)
		for _, node := range []*fakenode.Node{s.lower, s.upper} { // nothing but the redirect can tell
			node.On("CLUSTER SLOTS", says("-LOADING Redis is loading the dataset in memory"))
		}
		for _, key := range []string{low, up, "bar", "a", "b"} {
			_, err := client.Get(t.Context(), key)
			require.NoError(t, err)
		}
		require.Len(t, sent(s.lower, "GET"), 1, "the other slots of the shard went with the first")
	})
}

func TestNoAuthOnALiveConnectionRenewsIt(t *testing.T) {
	story(t, keyslot.Options{Username: "app", Password: "secret"}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-NOAUTH Authentication required."), ok)
		require.NoError(t, s.client.Set(t.Context(), low, "v"))
		requests := sent(s.lower, "SET")
		require.Len(t, requests, 2)
		require.NotEqual(t, requests[0].Conn, requests[1].Conn)
		require.Empty(t, sent(s.lower, "AUTH"), "never on a live connection")
		require.Equal(t, s.began, time.Now(), "without a pause")
		synctest.Wait()
		require.Equal(t, 1, s.lower.Open(), "the old one is drained")
	})
}

func TestNoAuthEachTimeIsPacedAndNotExecuted(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-NOAUTH Authentication required."))
		err := s.client.Set(within(t, 2*time.Second), low, "v")
		s.failsAt(t, 2*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		require.ErrorAs(t, err, new(keyslot.ServerError))
		require.Less(t, len(sent(s.lower, "SET")), 40)
	})
}

// A script may return any text, and with it send the client, and the next command, to any address.
func TestScriptsCannotForgeARedirect(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, text := range []string{"MOVED 1 10.0.0.9:1", "ASK 1 10.0.0.9:1", "ASK", "MOVED", "MOVED 866 10.0.0.9", "MOVED 866 [::1]:1"} {
			s.lower.On("EVAL", says("-%s", text))
			_, err := s.client.Do(t.Context(), "EVAL", "return {err=ARGV[1]}", 1, low, text)
			s.failsAt(t, 0, err, keyslot.ErrUnknownOutcome, keyslot.ServerError(text))
		}
		require.Len(t, sent(s.lower, "EVAL"), 6)
	})
}

func TestTheMapIsRefreshedByAgeWhenItIsUsed(t *testing.T) {
	var events seen
	story(t, keyslot.Options{Trace: events.trace(), RefreshAfter: 10 * time.Second, IdleProbe: -1}, func(t *testing.T, s *stage) {
		s.lower.On("GET", value)
		time.Sleep(time.Hour)
		require.Empty(t, events.since(), "a client without traffic does nothing")
		for range 100 {
			_, err := s.client.Get(t.Context(), low)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Equal(t, []string{"age"}, events.since())
		time.Sleep(9 * time.Second)
		_, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, events.since(), 1)
	})
}

func TestCredentialsAreAskedForEachConnection(t *testing.T) {
	var asked atomic.Int32
	credentials := func(_ context.Context, node keyslot.Node) (user, password string, err error) {
		if asked.Add(1) == 3 {
			return "", "", errors.New("the token service is down")
		}
		return "iam", "token-of-" + node.Addr(), nil
	}
	story(t, keyslot.Options{Credentials: credentials}, func(t *testing.T, s *stage) {
		s.lower.On("SET", ok)
		s.upper.On("SET", ok)
		require.NoError(t, s.client.Set(t.Context(), low, "v"))
		require.NoError(t, s.client.Set(t.Context(), up, "v"))
		require.Equal(t, []string{"HELLO 3 AUTH iam token-of-" + upper}, names(sent(s.upper, "HELLO")))
		s.upper.Cut(fakenode.FIN)
		synctest.Wait()
		require.NoError(t, s.client.Set(t.Context(), up, "v"), "a service that fails once is asked again")
		require.EqualValues(t, 4, asked.Load())
	})
}

func TestMapAddrSaysWhereToDial(t *testing.T) {
	bastion := func(node keyslot.Node) string {
		if node.Addr() == "192.168.7.7:7000" {
			return upper
		}
		return node.Addr()
	}
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.Topology(1, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{"192.168.7.7:7000"}})
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: s.net.Dial, MapAddr: bastion})
		require.NoError(t, err)
		defer client.Close()
		s.upper.On("SET", ok)
		require.NoError(t, client.Set(t.Context(), low, "v"))
	})
}

func TestLazyTellsNewsErrorsAtTheFirstCommand(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		var dials atomic.Int32
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return s.net.Dial(ctx, network, addr)
		}
		lazy, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{"10.0.0.3:6379"}, Dial: dial, Lazy: true})
		require.NoError(t, err)
		defer lazy.Close()
		time.Sleep(time.Minute)
		require.Zero(t, dials.Load())
		require.Equal(t, keyslot.Topology{}, lazy.Topology())

		err = lazy.Set(t.Context(), low, "v")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		var bootstrap *keyslot.BootstrapError
		require.ErrorAs(t, err, &bootstrap)
		for _, err := range lazy.Scan(t.Context(), "") {
			require.ErrorAs(t, err, &bootstrap)
			require.ErrorIs(t, err, keyslot.ErrRetryable, "as of any command")
		}
		_, err = lazy.Subscribe(t.Context(), low)
		require.ErrorIs(t, err, keyslot.ErrRetryable)
		_, err = keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{"10.0.0.3:6379"}, Dial: dial})
		require.ErrorAs(t, err, &bootstrap)

		late := s.net.Node("10.0.0.3:6379")
		s.lower.On("SET", ok)
		require.NoError(t, lazy.Set(t.Context(), low, "v"), "works once the cluster is there")
		require.Empty(t, sent(late, "SET"))
	})
}

func TestNewIsBoundedByCommandTimeoutAndItsContext(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.BlackHole("10.0.0.3:6379")
		opts := keyslot.Options{Endpoints: []string{"10.0.0.3:6379"}, Dial: s.net.Dial, CommandTimeout: time.Second}
		for _, bound := range []func() context.Context{t.Context, func() context.Context { return within(t, time.Second) }} {
			s.began = time.Now()
			_, err := keyslot.New(bound(), opts)
			require.Equal(t, time.Second, time.Since(s.began))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorAs(t, err, new(*keyslot.BootstrapError))
		}
	})
}

func TestTheDiscoveryConnectionIsKept(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.Topology(1, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{upper}})
		before := len(sent(s.upper, "HELLO"))
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{upper}, Dial: s.net.Dial})
		require.NoError(t, err)
		defer client.Close()
		s.upper.On("GET", value)
		_, err = client.Get(t.Context(), low)
		require.NoError(t, err)
		require.Len(t, sent(s.upper, "HELLO"), before+1, "one dial for New and the first command")
	})
}

func TestNewDialsNothingButTheEndpoint(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		time.Sleep(time.Minute)
		require.Empty(t, s.upper.Tape())
		require.Len(t, sent(s.lower, "HELLO"), 1)
	})
}

// Whatever waits, Close ends it at once, and says what is known.
func TestCloseEndsEveryWait(t *testing.T) {
	waits := map[string]struct {
		set     func(s *stage)
		outcome error
	}{
		"dialling":  {func(s *stage) { s.net.BlackHole(upper) }, keyslot.ErrNotExecuted},
		"handshake": {func(s *stage) { s.upper.On("HELLO", stuck()) }, keyslot.ErrNotExecuted},
		"backing off": {func(s *stage) {
			s.upper.On("BLPOP", says("-CLUSTERDOWN The cluster is down"))
			s.upper.On("SET", says("-CLUSTERDOWN The cluster is down"))
		}, keyslot.ErrNotExecuted},
		"reply": {func(s *stage) { s.upper.On("SET", stuck()); s.upper.On("BLPOP", stuck()) }, keyslot.ErrUnknownOutcome},
	}
	commands := map[string][]any{"shared": {"SET", up, "v"}, "blocking": {"BLPOP", up, 0}}
	for name, wait := range waits {
		for kind, command := range commands {
			t.Run(name+"/"+kind, func(t *testing.T) {
				story(t, keyslot.Options{CommandTimeout: -1}, func(t *testing.T, s *stage) {
					wait.set(s)
					var callers sync.WaitGroup
					for range 20 {
						callers.Go(func() {
							_, err := s.client.Do(t.Context(), command...)
							require.ErrorIs(t, err, keyslot.ErrClosed)
							require.ErrorIs(t, err, wait.outcome)
						})
					}
					time.Sleep(800 * time.Millisecond)
					before := time.Now()
					require.NoError(t, s.client.Close())
					callers.Wait()
					require.Equal(t, before, time.Now())
					require.Zero(t, s.open.Load())
				})
			})
		}
	}
}

func TestShutdownLetsCommandsFinish(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("INCR", fakenode.Reaction{Delay: time.Second, Send: ":1\r\n"})
		var callers sync.WaitGroup
		callers.Go(func() {
			n, err := s.client.Incr(t.Context(), up)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		})
		synctest.Wait()
		for range 2 { // several may wait at once
			callers.Go(func() { require.NoError(t, s.client.Shutdown(t.Context())) })
		}
		synctest.Wait()
		_, err := s.client.Get(t.Context(), low)
		require.ErrorIs(t, err, keyslot.ErrClosed, "new commands are refused meanwhile")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		callers.Wait()
		require.Equal(t, time.Second, time.Since(s.began))
	})
}

func TestShutdownCutsOffWhatTakesTooLong(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("INCR", stuck())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := s.client.Incr(t.Context(), up)
			require.ErrorIs(t, err, keyslot.ErrClosed)
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		})
		synctest.Wait()
		require.ErrorIs(t, s.client.Shutdown(within(t, time.Second)), context.DeadlineExceeded)
		callers.Wait()
		require.Equal(t, time.Second, time.Since(s.began))
	})
}

func TestShutdownOfAnIdleClientCutsNothingOffThoughItsContextHasEnded(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 30 { // which of two is noticed first is random
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			_, err := s.client.Incr(ended, low)
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, s.client.Shutdown(ended))
		})
	}
}

func TestOptionsThatCannotWorkAreNamed(t *testing.T) {
	for field, opts := range map[string]keyslot.Options{
		"ConnsPerNode": {ConnsPerNode: -1}, "MaxInFlight": {MaxInFlight: 1 << 30}, "DialTimeout": {DialTimeout: -1},
		"PeerTimeout": {PeerTimeout: -time.Second}, "ClientName": {ClientName: "two words"}, "Username": {Username: "app"},
	} {
		opts.Endpoints = []string{lower}
		_, err := keyslot.New(t.Context(), opts)
		var refused *keyslot.OptionError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, field, refused.Option)
	}
	for _, endpoints := range [][]string{nil, {}, {""}, {"h:0"}, {"h:65536"}, {"redis://h"}, {"h", "a b"}} {
		_, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: endpoints})
		require.ErrorAs(t, err, new(*keyslot.EndpointError), "%v", endpoints)
	}
	for _, target := range []string{"", "http://h", "redis://", "redis://h:x", "redis://h/7", "redis://h?nonsense=1"} {
		_, err := keyslot.Open(t.Context(), target)
		require.ErrorAs(t, err, new(*keyslot.EndpointError), target)
	}
}
