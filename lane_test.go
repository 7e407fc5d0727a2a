package keyslot_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// How often a node is dialled: stories on two scripted nodes (see delivery_test.go).

// crowd lets callers run one command each for so long, and returns when the last has its outcome.
func (s *stage) crowd(t *testing.T, callers int, patience time.Duration, args ...any) {
	t.Helper()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			_, err := s.client.Do(within(t, patience), args...)
			require.Error(t, err)
		})
	}
	all.Wait()
}

// sharedAndDedicated are commands for the two kinds of connections.
var sharedAndDedicated = [][]any{{"GET", up}, {"BLPOP", up, 0}}

func TestADeadNodeIsDialledAFewTimesASecondForAllItsCallers(t *testing.T) {
	for _, command := range sharedAndDedicated {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.upper.Close()
			s.crowd(t, 1000, 5*time.Second, command...)
			require.Greater(t, s.dialsTo(upper).Load(), int32(5), command)
			require.Less(t, s.dialsTo(upper).Load(), int32(80), command)
		})
	}
}

func TestAServerThatHangsUpAfterHelloIsNotDialledInALoop(t *testing.T) {
	for _, command := range sharedAndDedicated {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.upper.On("HELLO", greets(fakenode.FIN))
			s.crowd(t, 300, 5*time.Second, command...)
			require.Less(t, s.dialsTo(upper).Load(), int32(120), command)
		})
	}
}

func TestABlackHoleSwallowsAFewDialsAndNotOneForEachCaller(t *testing.T) {
	for _, command := range sharedAndDedicated {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.net.BlackHole(upper)
			s.crowd(t, 1000, 10*time.Second, command...)
			require.Less(t, s.dialsTo(upper).Load(), int32(32), command)
		})
	}
}

func TestEveryBlockingCommandOfAHealthyNodeGetsItsConnection(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Close()
		s.crowd(t, 10, 3*time.Second, "BLPOP", up, 0)
		back := s.net.Node(upper)
		back.On("BLPOP", stuck())
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		for range 500 {
			go func() { _, _ = s.client.Do(ctx, "BLPOP", up, 0) }()
		}
		time.Sleep(time.Second)
		require.Len(t, sent(back, "BLPOP"), 500, "the first connection that works ends the dead node's pace")
		cancel()
	})
}

// That it serves on the connections that it has says nothing of new ones.
func TestANodeWithoutRoomIsDialledAFewTimesASecondThoughItServes(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("GET", value)
		_, err := s.client.Get(t.Context(), up)
		require.NoError(t, err)
		s.upper.Greet(noRoom)
		before := s.dialsTo(upper).Load()
		s.crowd(t, 1000, 5*time.Second, "BLPOP", up, 0)
		require.Less(t, s.dialsTo(upper).Load()-before, int32(80))
	})
}

// A command that blocks for ever is never answered, but its connection is introduced ahead of it, and that is.
func TestAnOldFailureIsForgottenOnceACommandBlocks(t *testing.T) {
	var retried atomic.Int32
	trace := &keyslot.Trace{Retried: func(keyslot.RetryEvent) { retried.Add(1) }}
	story(t, keyslot.Options{Trace: trace}, func(t *testing.T, s *stage) {
		s.upper.On("GET", value)
		s.upper.On("BLPOP", stuck())
		_, err := s.client.Get(t.Context(), up)
		require.NoError(t, err)
		s.upper.Greet(noRoom)
		s.crowd(t, 1, 300*time.Millisecond, "BLPOP", up, 0)
		s.upper.Greet(fakenode.Reaction{Delay: 10 * time.Millisecond})
		time.Sleep(time.Minute)
		retried.Store(0)
		block := func() { _, _ = s.client.Do(t.Context(), "BLPOP", up, 0) } // ends with the client
		go block()
		time.Sleep(20 * time.Millisecond)
		for range 16 {
			go block()
		}
		time.Sleep(20 * time.Millisecond)
		require.Len(t, sent(s.upper, "BLPOP"), 17)
		require.Zero(t, retried.Load())
	})
}

func TestAConnectionThatServedIsReplacedAtOnce(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Close()
		_, err := s.client.Get(within(t, 3*time.Second), up)
		require.Error(t, err)
		back := s.net.Node(upper)
		back.On("GET", value)
		_, err = s.client.Get(t.Context(), up)
		require.NoError(t, err)
		s.began = time.Now()
		for range 10 {
			back.Cut(fakenode.RST)
			synctest.Wait()
			_, err = s.client.Get(t.Context(), up)
			require.NoError(t, err)
		}
		require.Equal(t, s.began, time.Now(), "without a pause")
	})
}

// laneKeys returns keys of upper's for each of three lanes.
func laneKeys() []string {
	keys := make([]string, 3)
	for i := range 100 {
		if key := fmt.Sprint(i); keyslot.Slot(key) >= 8192 {
			keys[keyslot.Slot(key)%3] = key
		}
	}
	return keys
}

// sideBySide requires that a minute later node is dialled for all keys at once, and nobody is told an old error.
func (s *stage) sideBySide(t *testing.T, node *fakenode.Node, retried *atomic.Int32, keys ...string) {
	t.Helper()
	time.Sleep(time.Minute)
	retried.Store(0)
	node.On("HELLO", fakenode.Reaction{Delay: 10 * time.Millisecond, Send: fakenode.Hello})
	s.began = time.Now()
	var callers sync.WaitGroup
	for _, key := range keys {
		callers.Go(func() {
			_, err := s.client.Get(t.Context(), key)
			assert.NoError(t, err)
		})
	}
	callers.Wait()
	require.Equal(t, 10*time.Millisecond, time.Since(s.began))
	require.Zero(t, retried.Load())
}

// A node that was down once is dialled side by side for all its lanes as soon as one of them has served.
func TestAnOldFailureIsForgottenOnceItsNodeServes(t *testing.T) {
	lanes := laneKeys()
	var retried atomic.Int32
	trace := &keyslot.Trace{Retried: func(keyslot.RetryEvent) { retried.Add(1) }}
	story(t, keyslot.Options{ConnsPerNode: 3, Trace: trace}, func(t *testing.T, s *stage) {
		s.upper.Close()
		_, err := s.client.Get(within(t, 3*time.Second), lanes[0])
		require.Error(t, err)
		back := s.net.Node(upper)
		back.On("GET", value)
		_, err = s.client.Get(t.Context(), lanes[0])
		require.NoError(t, err)
		s.sideBySide(t, back, &retried, lanes[1:]...)
	})
}

// The failure is a connection that swallowed its first request, and the one that serves was made to find that out.
func TestAnOldFailureIsForgottenWhateverTheConnectionThatServesWasMadeFor(t *testing.T) {
	lanes := laneKeys()
	var retried atomic.Int32
	trace := &keyslot.Trace{Retried: func(keyslot.RetryEvent) { retried.Add(1) }}
	story(t, keyslot.Options{ConnsPerNode: 3, Trace: trace}, func(t *testing.T, s *stage) {
		s.upper.On("HELLO", fakenode.Reaction{Send: "%2\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:17\r\n"})
		s.upper.On("CLIENT LIST", says("$%d\r\n%s", 13, "id=17 flags=N"))
		s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return stuck(), r.Conn == 0 && r.Name() != "HELLO" })
		_, err := s.client.Incr(t.Context(), lanes[0])
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.Equal(t, int32(2), s.dialsTo(upper).Load())
		s.upper.On("GET", value)
		_, err = s.client.Get(t.Context(), lanes[0])
		require.NoError(t, err)
		s.sideBySide(t, s.upper, &retried, lanes[1:]...)
	})
}

func TestACommandThatBlocksAtANodeThatWasDownOnceLooksForNobody(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Close()
		s.crowd(t, 1, 3*time.Second, "BLPOP", up, 0)
		s.net.Node(upper).On("BLPOP", stuck())
		go func() { _, _ = s.client.Do(t.Context(), "BLPOP", up, 0) }()
		time.Sleep(10 * time.Second)
		before := len(sent(s.lower, "EXISTS"))
		time.Sleep(time.Minute)
		require.Len(t, sent(s.lower, "EXISTS"), before)
	})
}

func TestNoAuthForHundredsOfCallersMakesOneNewConnection(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Conn == 0 {
				return fakenode.Reaction{Delay: time.Millisecond, Send: "-NOAUTH Authentication required.\r\n"}, r.Name() == "GET"
			}
			return value, r.Name() == "GET"
		})
		var callers sync.WaitGroup
		for range 500 {
			callers.Go(func() {
				_, err := s.client.Get(t.Context(), low)
				require.NoError(t, err)
			})
		}
		callers.Wait()
		require.Equal(t, int32(2), s.dialsTo(lower).Load())
	})
}

func TestAPartGoesOutAtOnceWhateverHoldsUpTheOthers(t *testing.T) {
	for name, hold := range map[string]func(t *testing.T, s *stage){
		"a black hole": func(_ *testing.T, s *stage) { s.net.BlackHole(upper) },
		"a connection that has just died": func(t *testing.T, s *stage) {
			s.upper.On("GET", value)
			_, err := s.client.Get(t.Context(), up)
			require.NoError(t, err)
			s.net.BlackHole(upper)
			s.upper.Cut(fakenode.RST)
		},
		"a full connection": func(t *testing.T, s *stage) {
			s.upper.On("GET", stuck())
			for range 2 {
				go func() { _, _ = s.client.Get(within(t, 3*time.Second), up) }()
			}
			synctest.Wait()
		},
		"an idle connection that does not answer its probe": func(t *testing.T, s *stage) {
			s.upper.On("GET", value)
			_, err := s.client.Get(t.Context(), up)
			require.NoError(t, err)
			time.Sleep(time.Minute)
			s.upper.On("PING", stuck())
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{MaxInFlight: 2}, func(t *testing.T, s *stage) {
				s.lower.On("DEL", one)
				s.lower.On("GET", value)
				hold(t, s)
				_, err := s.client.Get(t.Context(), low) // its own probe, if one is due, is not what this is about
				require.NoError(t, err)
				go func() { _, _ = s.client.Del(within(t, time.Second), up, low) }()
				synctest.Wait()
				require.Len(t, sent(s.lower, "DEL"), 1)
			})
		})
	}
}

func TestADialThatHangsDoesNotHoldUpAnotherDial(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const third = "10.0.0.3:6379"
		last := s.net.Node(third)
		last.On("DEL", one)
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{third}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: s.net.Dial})
		require.NoError(t, err)
		defer client.Close()
		s.net.BlackHole(upper)
		go func() { _, _ = client.Del(within(t, time.Second), up, low) }()
		synctest.Wait()
		require.Len(t, sent(last, "DEL"), 1)
	})
}

func TestCallersThatWaitGoOnWhenANewMapComes(t *testing.T) {
	for name, fail := range map[string]func(s *stage){
		"for a dead node":      func(s *stage) { s.upper.Close() },
		"for a broken cluster": func(s *stage) { s.upper.On("SET", says("-CLUSTERDOWN The cluster is down")) },
	} {
		t.Run(name, func(t *testing.T) {
			var learnt atomic.Pointer[time.Time]
			trace := &keyslot.Trace{Refreshed: func(e keyslot.RefreshEvent) {
				if e.Changed {
					now := time.Now()
					learnt.Store(&now)
				}
			}}
			story(t, keyslot.Options{Trace: trace}, func(t *testing.T, s *stage) {
				fail(s)
				s.lower.On("SET", ok)
				var callers sync.WaitGroup
				var served [50]time.Time
				for i := range served {
					callers.Go(func() {
						assert.NoError(t, s.client.Set(t.Context(), up, "v"))
						served[i] = time.Now()
					})
				}
				time.Sleep(1900 * time.Millisecond)
				s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}})
				callers.Wait()
				synctest.Wait()
				for _, at := range served {
					require.Equal(t, *learnt.Load(), at)
				}
				require.Less(t, time.Since(s.began), (1900+140+500)*time.Millisecond, "a look, and a refresh at its pace")
			})
		})
	}
}
