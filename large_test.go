package keyslot_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Which connection large values take, and who waits for them: stories on two scripted nodes (see delivery_test.go).

// slowly is a reply with a string of 1 MB that takes a second to arrive.
func slowly() fakenode.Reaction {
	return fakenode.Reaction{Send: bulk(1e6), Piece: 1e4, Gap: 10 * time.Millisecond}
}

func bulk(size int) string {
	return "$" + strconv.Itoa(size) + "\r\n" + strings.Repeat("x", size) + "\r\n"
}

// conns are the connections on which a node got each request of one name.
func conns(node *fakenode.Node, name string) (conns []int) {
	for _, r := range sent(node, name) {
		conns = append(conns, r.Conn)
	}
	return conns
}

// largeAt makes the upper node answer GET slowly for one key and at once for the others.
func (s *stage) largeAt(keys ...string) {
	s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
		if r.Name() != "GET" {
			return fakenode.Reaction{}, false
		}
		for _, key := range keys {
			if r.Args[1] == key {
				return slowly(), true
			}
		}
		return value, true
	})
}

// inBackground runs a GET that must succeed, and returns what waits for it.
func (s *stage) inBackground(t *testing.T, key string) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err := s.client.Get(t.Context(), key)
		assert.NoError(t, err)
		assert.Len(t, got, 1e6)
	}()
	time.Sleep(100 * time.Millisecond)
	return func() { <-done }
}

// quick requires that a small GET takes no time.
func (s *stage) quick(t *testing.T, key string) {
	t.Helper()
	began := time.Now()
	got, err := s.client.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "value", got)
	require.Equal(t, began, time.Now())
}

const (
	up2 = "{foo}2" // in the slot of up
	up3 = "{foo}3"
	odd = "foo5" // slot 13555, upper's too; that of up is even
)

func TestWhoComesAfterALargeReplyHasBegunDoesNotWaitForIt(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.largeAt(up)
		wait := s.inBackground(t, up)
		require.Equal(t, int32(1), s.dialsTo(upper).Load(), "a connection that nobody needs")
		s.quick(t, up2)
		s.quick(t, up2)
		wait()
		require.Equal(t, []int{0, 1, 1}, conns(s.upper, "GET"))
		require.Equal(t, int32(2), s.dialsTo(upper).Load())
	})
}

func TestARequestWithALargeReplyDisturbsNobodyTheNextTime(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.largeAt(up)
		s.inBackground(t, up)()
		s.quick(t, up2)
		for range 3 {
			wait := s.inBackground(t, up)
			s.quick(t, up2)
			wait()
		}
		require.Equal(t, []int{0, 0, 1, 0, 1, 0, 1, 0}, conns(s.upper, "GET"), "the only connection is shared while it is idle")
		s.largeAt()
		s.quick(t, up)
		s.quick(t, up)
		require.Equal(t, []int{1, 0}, conns(s.upper, "GET")[8:], "a small reply is no reason to stay")
		require.Equal(t, int32(2), s.dialsTo(upper).Load())
	})
}

func TestALargeReplyThatItsCallerGaveUpIsRemembered(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.largeAt(up)
		for range 3 {
			_, err := s.client.Get(within(t, 100*time.Millisecond), up)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			s.quick(t, up2)
		}
		time.Sleep(10 * time.Second)
		require.Equal(t, []int{0, 1, 1, 1, 0, 0}, conns(s.upper, "GET"), "as the node gets to read them")
	})
}

func TestALargeRequestHasItsOwnConnectionFromTheStart(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("GET", value)
		s.quick(t, up2)
		s.upper.On("SET", fakenode.Reaction{Delay: time.Second, Send: "+OK\r\n"})
		done := make(chan error)
		go func() { done <- s.client.Set(t.Context(), up, strings.Repeat("x", 256<<10)) }()
		time.Sleep(100 * time.Millisecond)
		s.quick(t, up2)
		require.NoError(t, <-done)
		require.Equal(t, []int{1}, conns(s.upper, "SET"))
		require.Equal(t, []int{0, 0}, conns(s.upper, "GET"))
	})
}

func TestSmallTrafficHasOneConnection(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		almost := strings.Repeat("x", 255<<10)
		s.upper.On("SET", ok)
		s.upper.On("GET", fakenode.Reaction{Send: bulk(len(almost))})
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				require.NoError(t, s.client.Set(t.Context(), up, almost))
				_, err := s.client.Get(t.Context(), up)
				require.NoError(t, err)
			})
		}
		callers.Wait()
		require.Equal(t, int32(1), s.dialsTo(upper).Load())
	})
}

func TestTheCallsOfABatchStayTogetherBehindALargeOne(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("GET", value)
		s.quick(t, up)
		s.upper.On("MSET", ok)
		pairs := []command.Pair{{Key: up, Value: "small"}, {Key: odd, Value: strings.Repeat("x", 256<<10)}, {Key: up2, Value: "small"}}
		require.NoError(t, s.client.MSet(t.Context(), pairs...))
		require.Equal(t, []int{1, 1}, conns(s.upper, "MSET"))
	})
}

func TestALaneHasTwoConnectionsHoweverManyLargeValues(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		keys := []string{up, up2, up3, "{foo}4", "{foo}5"}
		s.largeAt(keys...)
		var waits []func()
		for _, key := range keys {
			waits = append(waits, s.inBackground(t, key))
		}
		for _, wait := range waits {
			wait()
		}
		require.Equal(t, int32(2), s.dialsTo(upper).Load())
	})
}

func TestWhereBothConnectionsAreBusyTheQueueOfLargeValuesIsNotJoined(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.largeAt(up, up3)
		s.inBackground(t, up)()
		s.quick(t, up2)
		for range 3 {
			defer s.inBackground(t, up)()
		}
		s.quick(t, up2)
		defer s.inBackground(t, up3)()
		began := time.Now()
		_, err := s.client.Get(t.Context(), up2)
		require.NoError(t, err)
		require.Less(t, time.Since(began), time.Second, "behind one large value, not three")
	})
}

// A server may take no more clients: what cannot have a connection of its own shares the one that is there.
func TestALaneThatGetsNoSecondConnectionSharesTheFirst(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.largeAt(up)
		s.upper.On("SET", ok)
		s.quick(t, up2)
		s.upper.Greet(fakenode.Reaction{Send: "-ERR max number of clients reached\r\n", End: fakenode.FIN})
		require.NoError(t, s.client.Set(t.Context(), up, strings.Repeat("x", 256<<10)))
		wait := s.inBackground(t, up)
		got, err := s.client.Get(t.Context(), up2)
		require.NoError(t, err)
		require.Equal(t, "value", got)
		wait()
		s.quick(t, up2)
		require.Equal(t, []int{0, 0, 0, 0}, conns(s.upper, "GET"))
	})
}

// bothConnections makes a client use both connections to the upper node, the first for a large value that is on its way.
func (s *stage) bothConnections(t *testing.T) (wait func()) {
	s.largeAt(up)
	wait = s.inBackground(t, up)
	s.quick(t, up2)
	require.Equal(t, 2, s.upper.Open())
	return wait
}

// What a firewall has forgotten while the process was frozen swallows all that is sent, on both connections.
func TestConnectionsThatWereCutInSilenceCostTheTimeOfOneProbe(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.bothConnections(t)()
		s.quick(t, up2) // by now the large value's connection is idle
		time.Sleep(time.Minute)
		s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return stuck(), r.Conn < 2 })
		s.upper.On("GET", value)
		s.began = time.Now()
		got, err := s.client.Get(t.Context(), up2)
		require.NoError(t, err)
		require.Equal(t, "value", got)
		require.Equal(t, 500*time.Millisecond, time.Since(s.began))
		require.Equal(t, int32(3), s.dialsTo(upper).Load())
	})
}

func TestAnIdleConnectionThatHasBeenHeardOfReplacesTheOther(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.bothConnections(t)()
		s.upper.CutConn(1, fakenode.RST)
		synctest.Wait()
		s.quick(t, up2)
		require.Equal(t, []int{0, 1, 0}, conns(s.upper, "GET"))
		require.Equal(t, int32(2), s.dialsTo(upper).Load())
	})
}

func TestANodeThatLeavesIsLeftOnBothConnections(t *testing.T) {
	story(t, keyslot.Options{RefreshAfter: 150 * time.Millisecond}, func(t *testing.T, s *stage) {
		s.lower.On("GET", value)
		wait := s.bothConnections(t)
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}})
		time.Sleep(100 * time.Millisecond)
		s.quick(t, low) // which finds the map old
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, 1, s.upper.Open(), "the idle one is closed, the other drained")
		wait()
		synctest.Wait()
		require.Zero(t, s.upper.Open())
	})
}

func TestAFrozenNodeThatLostItsSlotsIsCutOffOnBothConnections(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("SET", stuck())
		s.upper.On("INCR", stuck())
		var callers sync.WaitGroup
		for _, command := range [][]any{{"SET", up, strings.Repeat("x", 256<<10)}, {"INCR", up2}} {
			callers.Go(func() {
				_, err := s.client.Do(within(t, 10*time.Second), command...)
				require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
				require.LessOrEqual(t, time.Since(s.began), time.Second, command[0])
			})
		}
		time.AfterFunc(300*time.Millisecond, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}})
		})
		callers.Wait()
		require.Zero(t, s.open.Load()-1, "but for lower's")
	})
}

func TestCloseEndsBothConnections(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.largeAt(up)
		done := make(chan error)
		go func() {
			_, err := s.client.Get(t.Context(), up)
			done <- err
		}()
		time.Sleep(100 * time.Millisecond)
		s.quick(t, up2)
		require.Equal(t, int32(3), s.open.Load())
		require.NoError(t, s.client.Close())
		require.ErrorIs(t, <-done, keyslot.ErrClosed)
		require.Zero(t, s.open.Load())
	})
}

func TestEachLaneOfANodeHasItsOwnPair(t *testing.T) {
	story(t, keyslot.Options{ConnsPerNode: 2}, func(t *testing.T, s *stage) {
		s.largeAt(up, odd)
		wait := s.inBackground(t, up)
		s.quick(t, up2)
		waitOther := s.inBackground(t, odd)
		s.quick(t, "{foo5}2")
		wait()
		waitOther()
		require.Equal(t, int32(4), s.dialsTo(upper).Load())
	})
}

// Whatever changes tracks, dies or is given up meanwhile, every caller gets the reply to its own request.
func TestLargeAndSmallInDisorder(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() != "GET" {
				return fakenode.Reaction{}, false
			}
			size, _ := strconv.Atoi(r.Args[1][len("{hello}"):])
			return fakenode.Reaction{Send: bulk(size), Delay: time.Millisecond}, true
		})
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				for range 30 {
					size := rand.IntN(100)
					if rand.IntN(4) == 0 {
						size += 300e3
					}
					got, err := s.client.Get(within(t, time.Duration(1+rand.IntN(200))*time.Millisecond), "{hello}"+strconv.Itoa(size))
					if err == nil {
						assert.Len(t, got, size)
					}
				}
			})
		}
		for range 10 {
			time.Sleep(20 * time.Millisecond)
			s.lower.Cut(fakenode.RST)
		}
		callers.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.LessOrEqual(t, s.lower.Open(), 2)
		_, err := s.client.Get(t.Context(), "{hello}5")
		require.NoError(t, err)
	})
}

// Its memory must not be that of the next pipeline while the node still owes the reply.
func TestALargeReplyThatAPipelineGaveUpIsRemembered(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			reaction := slowly()
			reaction.Delay = time.Second
			return reaction, r.Name() == "GET" && r.Args[1] == up
		})
		s.upper.On("GET", value)
		given := s.client.Pipeline()
		given.Get(up)
		given.Get(up)
		require.Error(t, given.Exec(within(t, 100*time.Millisecond)))
		next := s.client.Pipeline()
		next.Get("oof")
		next.Get("oof")
		time.Sleep(5 * time.Second)
		for range 2 {
			wait := s.inBackground(t, up)
			s.quick(t, up2)
			wait()
		}
		require.Equal(t, []int{0, 0, 0, 1, 0, 1}, conns(s.upper, "GET"))
	})
}

func TestTheOrderOfALongPipelineOutlivesAChangeOfTracks(t *testing.T) {
	story(t, keyslot.Options{MaxInFlight: 256}, func(t *testing.T, s *stage) {
		s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() == "GET" {
				return slowly(), true
			}
			return fakenode.Reaction{Delay: time.Millisecond, Send: ":1\r\n"}, r.Name() == "INCRBY"
		})
		p := s.client.Pipeline()
		p.Get(up)
		var want []string
		for i := range 1000 {
			want = append(want, strconv.Itoa(i))
			p.Do("INCRBY", up2, i)
		}
		require.NoError(t, p.Exec(t.Context()))
		var ran []string
		for _, r := range sent(s.upper, "INCRBY") {
			ran = append(ran, r.Args[2])
		}
		require.Equal(t, want, ran)
	})
}
