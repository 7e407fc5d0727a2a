package keyslot_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

const popped = "*2\r\n$5\r\nhello\r\n$1\r\nv"

func TestABlockingCommandDelaysNobody(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		release := make(chan struct{})
		s.lower.On("BLPOP", fakenode.Reaction{After: release, Send: popped + "\r\n"})
		s.lower.On("XREAD", fakenode.Reaction{After: release, Send: "_\r\n"})
		s.lower.On("GET", value)
		var blocked sync.WaitGroup
		for _, args := range [][]any{{"BLPOP", low, 0}, {"blpop", low, "0.0"}, {"XREAD", "BLOCK", 0, "STREAMS", low, "$"}} {
			blocked.Go(func() {
				_, err := s.client.Do(t.Context(), args...)
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		for range 10 {
			_, err := s.client.Get(t.Context(), low)
			require.NoError(t, err)
		}
		require.Equal(t, s.began, time.Now())
		conns := map[int]bool{}
		for _, r := range append(sent(s.lower, "BLPOP"), sent(s.lower, "XREAD")...) {
			require.False(t, conns[r.Conn], "each has a connection of its own")
			conns[r.Conn] = true
		}
		require.False(t, conns[sent(s.lower, "GET")[0].Conn])
		close(release)
		blocked.Wait()
	})
}

func TestXReadWithoutBlockSharesTheConnection(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("XREAD", says("_"))
		s.lower.On("GET", value)
		_, err := s.client.Do(t.Context(), "XREAD", "STREAMS", low, "0")
		require.NoError(t, err)
		_, err = s.client.Get(t.Context(), low)
		require.NoError(t, err)
		require.Equal(t, sent(s.lower, "GET")[0].Conn, sent(s.lower, "XREAD")[0].Conn)
	})
}

// Only the end of its connection keeps a blocked command from taking an element for nobody.
func TestCancellingABlockingCommandEndsItsConnectionOnly(t *testing.T) {
	story(t, keyslot.Options{RefreshAfter: -1}, func(t *testing.T, s *stage) {
		s.lower.On("GET", value)
		s.lower.On("BLPOP", stuck())
		_, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		require.EqualValues(t, 1, s.open.Load())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		_, err = s.client.Do(ctx, "BLPOP", low, 0)
		s.failsAt(t, time.Hour, err, keyslot.ErrUnknownOutcome, context.Canceled)
		synctest.Wait()
		require.EqualValues(t, 1, s.open.Load())
		s.lower.On("BLPOP", says(popped))
		for range 3 {
			_, err = s.client.Do(t.Context(), "BLPOP", low, 0)
			require.NoError(t, err)
		}
		require.EqualValues(t, 2, s.open.Load(), "one is enough for commands that follow each other")
	})
}

func TestABlockingCommandTakesItsTimeoutAndCommandTimeoutAtMost(t *testing.T) {
	story(t, keyslot.Options{CommandTimeout: time.Second}, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", stuck())
		_, err := s.client.Do(t.Context(), "BLPOP", low, 3)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.Equal(t, 4*time.Second, time.Since(s.began))
		s.began = time.Now()
		_, err = s.client.Do(within(t, 500*time.Millisecond), "BLPOP", low, 3)
		s.failsAt(t, 500*time.Millisecond, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
		s.began = time.Now()
		_, err = s.client.Do(within(t, time.Hour), "BLPOP", low, 0)
		s.failsAt(t, time.Hour, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
	})
}

func TestATimeoutThatIsNoNumberIsTheServersToRefuse(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", fakenode.Reaction{Delay: time.Second, Send: "-ERR timeout is not a float or out of range\r\n"})
		for _, timeout := range []string{"", "x", "nan", "-nan", "inf", "-inf", "-1", "1e400", "9223372036854775807"} {
			_, err := s.client.Do(t.Context(), "BLPOP", low, timeout)
			require.ErrorAs(t, err, new(keyslot.ServerError), "%q", timeout)
		}
	})
}

func TestABlockingCommandThatIsRedirectedWaitsForTheRestOfItsTime(t *testing.T) {
	for _, command := range []struct {
		args func(timeout any) []any
		at   int
		unit time.Duration
	}{
		{func(timeout any) []any { return []any{"BLPOP", low, timeout} }, 2, time.Second},
		{func(timeout any) []any {
			return []any{"XREAD", "BLOCK", timeout.(int) * 1000, "STREAMS", low, "$"}
		}, 2, time.Millisecond},
	} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			args := command.args(5)
			name := args[0].(string)
			s.lower.On(name, fakenode.Reaction{Delay: 2 * time.Second, Send: "-MOVED 866 " + upper + "\r\n"})
			s.upper.On(name, says("_"))
			_, err := s.client.Do(t.Context(), args...)
			require.NoError(t, err)
			request := sent(s.upper, name)[0]
			rest, err := strconv.ParseFloat(request.Args[command.at], 64)
			require.NoError(t, err)
			require.InDelta(t, 3*time.Second/command.unit, rest, float64(50*time.Millisecond/command.unit)+0.05)
			require.Len(t, request.Args, len(args))
		})
	}
}

// A timeout that has passed meanwhile must not become 0, which is for ever.
func TestABlockingCommandThatIsRedirectedTooLateDoesNotWaitForEver(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", fakenode.Reaction{Delay: 2 * time.Second, Send: "-MOVED 866 " + upper + "\r\n"})
		s.upper.On("BLPOP", says("_"))
		_, err := s.client.Do(t.Context(), "BLPOP", low, 1)
		require.NoError(t, err)
		require.Equal(t, "0.001", sent(s.upper, "BLPOP")[0].Args[2])
	})
}

const oneEntry = "*1\r\n*2\r\n$3\r\n7-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"

// What is added between two attempts would be missed if each began at its own $.
func TestAnXReadThatIsRedirectedGoesOnFromWhereItBegan(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const a, b, c = "{" + low + "}a", "{" + low + "}b", "{" + low + "}c"
		s.lower.On("XREVRANGE", fakenode.Reaction{Send: oneEntry}, says("*0"), says("-NOPERM no permissions to run 'xrevrange'"))
		s.lower.On("XREAD", fakenode.Reaction{Delay: time.Second, Send: "-MOVED 866 " + upper + "\r\n"})
		s.upper.On("XREAD", says("_"))
		for _, node := range []*fakenode.Node{s.lower, s.upper} { // or the two would agree that the slot is where it was
			node.On("CLUSTER SLOTS", says("-LOADING Redis is loading the dataset in memory"))
		}
		_, err := s.client.Do(t.Context(), "XREAD", "BLOCK", 0, "STREAMS", a, b, c, low, "$", "$", "$", "5-0")
		require.NoError(t, err)
		require.Equal(t, []string{"7-1", "0", "$", "5-0"}, sent(s.upper, "XREAD")[0].Args[8:])
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{upper}})

		s.upper.On("XREVRANGE", stuck())
		_, err = s.client.Timeout(time.Second).Do(t.Context(), "XREAD", "BLOCK", 5000, "STREAMS", low, "$")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.NotErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// What was popped for a reply that was lost is lost: a second pop would lose more, whatever the view promises of writes.
func TestALostBlockingCommandIsSentAgainOnlyIfItReads(t *testing.T) {
	for name, args := range map[string][]any{
		"BLPOP":      {low, 0},
		"XREADGROUP": {"GROUP", "g", "n", "BLOCK", 0, "STREAMS", low, ">"},
		"XREAD":      {"BLOCK", 0, "STREAMS", low, "5-0"},
	} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On(name, fakenode.Reaction{Delay: time.Second, End: fakenode.RST}, says("_"))
			_, err := s.client.Idempotent().Do(t.Context(), append([]any{name}, args...)...)
			if name == "XREAD" {
				require.NoError(t, err)
				require.Len(t, sent(s.lower, name), 2)
				return
			}
			s.failsAt(t, time.Second, err, keyslot.ErrUnknownOutcome)
			require.Len(t, sent(s.lower, name), 1)
		})
	}
}

func TestABlockingCommandOfSeveralSlotsIsNotSent(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		before := len(s.lower.Tape()) + len(s.upper.Tape())
		for _, args := range [][]any{
			{"BLPOP", low, up, 0}, {"BRPOP", low, up, 0}, {"BLMOVE", low, up, "LEFT", "LEFT", 0}, {"BRPOPLPUSH", low, up, 0},
			{"BLMPOP", 0, 2, low, up, "LEFT"}, {"BZPOPMIN", low, up, 0}, {"BZPOPMAX", low, up, 0}, {"BZMPOP", 0, 2, low, up, "MIN"},
			{"XREAD", "BLOCK", 0, "STREAMS", low, up, "$", "$"}, {"XREADGROUP", "GROUP", "g", "n", "BLOCK", 0, "STREAMS", low, up, ">", ">"},
		} {
			_, err := s.client.Do(t.Context(), args...)
			require.ErrorAs(t, err, new(*keyslot.ArgumentError), args[0])
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		}
		require.Len(t, append(s.lower.Tape(), s.upper.Tape()...), before)
	})
}

// A demoted primary unblocks its clients and hangs up. Nothing may be risked on that connection in between.
func TestAConnectionOnWhichACommandWasUnblockedIsNotUsedAgain(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", says("-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"), says(popped))
		_, err := s.client.Do(t.Context(), "BLPOP", low, 0)
		require.NoError(t, err)
		attempts := sent(s.lower, "BLPOP")
		require.Len(t, attempts, 2)
		require.NotEqual(t, attempts[0].Conn, attempts[1].Conn)
	})
}

// Many that block again and again keep their connections; later four are enough.
func TestConnectionsOfBlockingCommandsAreKeptWhileTheyAreUsed(t *testing.T) {
	story(t, keyslot.Options{RefreshAfter: -1}, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", fakenode.Reaction{Delay: time.Second, Send: popped + "\r\n"})
		before := s.dialsTo(lower).Load()
		for range 10 {
			var blocked sync.WaitGroup
			for range 20 {
				blocked.Go(func() {
					_, err := s.client.Do(t.Context(), "BLPOP", low, 0)
					require.NoError(t, err)
				})
			}
			blocked.Wait()
		}
		require.EqualValues(t, 20, s.dialsTo(lower).Load()-before)
		time.Sleep(9 * time.Second)
		require.EqualValues(t, 21, s.open.Load(), "and the shared one")
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 5, s.open.Load())
	})
}

// A node is dialled a few times at once. Whoever waits for that has come no further than those that dial.
func TestWhoeverWaitsForADialOfItsOwnFailsInThatPhase(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.Greet(stuck())
		var blocked sync.WaitGroup
		for range 20 {
			blocked.Go(func() {
				_, err := s.client.Do(within(t, time.Second), "BLPOP", low, 0)
				var e *keyslot.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, "dial", e.Phase)
			})
		}
		blocked.Wait()
	})
}

// After a freeze all of them are dead, and whoever finds one out does so for all.
func TestAfterAFreezeDeadConnectionsAreNotProbedOneAfterAnother(t *testing.T) {
	story(t, keyslot.Options{IdleProbe: time.Second, RefreshAfter: -1}, func(t *testing.T, s *stage) {
		release := make(chan struct{})
		s.lower.On("BLPOP", fakenode.Reaction{After: release, Send: popped + "\r\n"})
		var blocked sync.WaitGroup
		for range 4 {
			blocked.Go(func() {
				_, err := s.client.Do(t.Context(), "BLPOP", low, 0)
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		close(release)
		blocked.Wait()
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return stuck(), 1 <= r.Conn && r.Conn <= 4 })
		time.Sleep(10 * time.Minute)
		s.began = time.Now()
		_, err := s.client.Do(t.Context(), "BLPOP", low, 0)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(s.began), 750*time.Millisecond)
	})
}

// A primary whose last slot has gone is in no map, and takes up to a second to redirect what blocks there.
func TestABlockingCommandFollowsTheLastSlotOfANodeThatLeaves(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", fakenode.Reaction{Delay: 10 * time.Second, Send: "-MOVED 866 " + upper + "\r\n"})
		s.lower.On("GET", value, says("-MOVED 866 %s", upper))
		s.upper.On("BLPOP", says(popped))
		s.upper.On("GET", value)
		_, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		time.AfterFunc(9200*time.Millisecond, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{upper}})
			_, err := s.client.Get(t.Context(), low)
			require.NoError(t, err)
		})
		_, err = s.client.Do(t.Context(), "BLPOP", low, 0)
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, time.Since(s.began))
	})
}

// It may have been frozen before it left, and then it never says anything.
func TestABlockingCommandIsGivenUpWhereItsNodeHasLeftAndSaysNothing(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", stuck())
		s.lower.On("GET", says("-MOVED 866 %s", upper))
		s.upper.On("GET", value)
		time.AfterFunc(time.Second, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{upper}})
			_, err := s.client.Get(t.Context(), low)
			require.NoError(t, err)
		})
		_, err := s.client.Do(t.Context(), "BLPOP", low, 0)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.InDelta(t, 3.25, time.Since(s.began).Seconds(), 0.5)
	})
}

// Silence on its own connection says nothing of a node where a command blocks.
func TestAFrozenPrimaryWhereCommandsBlockIsLeftForItsReplica(t *testing.T) {
	failover(t, keyslot.Options{}, func(t *testing.T, s *stage, client *keyslot.Client) {
		s.lower.On("BLPOP", stuck())
		s.lower.On("XREAD", stuck())
		s.net.Node(spare).On("XREAD", says("_"))
		pop, read := make(chan error, 1), make(chan error, 1)
		go func() { // ends with the command
			_, err := client.Do(t.Context(), "BLPOP", low, 0)
			pop <- err
		}()
		go func() { // ends with the command
			_, err := client.Do(t.Context(), "XREAD", "BLOCK", 0, "STREAMS", low, "5-0")
			read <- err
		}()
		time.Sleep(time.Hour)
		s.lower.StopReading()
		time.Sleep(20 * time.Second)
		shards(s, 3, spare, lower)
		promoted := time.Now()
		require.ErrorIs(t, <-pop, keyslot.ErrUnknownOutcome, "it may have popped what is lost by now")
		require.NoError(t, <-read)
		require.Less(t, time.Since(promoted), time.Second)
		s.lower.Resume()
	})
}

// Nothing is owed on the shared connection, or it is gone, so that no silence tells of the freeze.
func TestADemotedPrimaryThatFreezesWhereACommandBlocksIsLeft(t *testing.T) {
	for name, demote := range map[string]func(t *testing.T, s *stage, client *keyslot.Client){
		"after a redirect": func(t *testing.T, s *stage, client *keyslot.Client) {
			s.lower.On("INCR", says("-MOVED 866 %s", spare))
			shards(s, 3, spare, lower)
			_, err := client.Incr(t.Context(), low)
			require.NoError(t, err)
			s.lower.StopReading()
		},
		"and is found by a dial that hangs": func(t *testing.T, s *stage, client *keyslot.Client) {
			s.lower.StopReading()
			s.lower.CutConn(sent(s.lower, "GET")[0].Conn, fakenode.RST)
			synctest.Wait()
			shards(s, 3, spare, lower)
			_, err := client.Incr(t.Context(), low)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			failover(t, keyslot.Options{DialTimeout: 8 * time.Second}, func(t *testing.T, s *stage, client *keyslot.Client) {
				s.lower.On("GET", value)
				s.lower.On("BLPOP", stuck())
				_, err := client.Get(t.Context(), low)
				require.NoError(t, err)
				var pop sync.WaitGroup
				pop.Go(func() {
					_, err := client.Do(t.Context(), "BLPOP", low, 0)
					require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
				})
				synctest.Wait()
				demote(t, s, client)
				demoted := time.Now()
				pop.Wait()
				// A look comes each 500 ms, wants 500 ms of idleness or of a dial, and silence is seen within 750 ms.
				require.LessOrEqual(t, time.Since(demoted), 1750*time.Millisecond)
				s.lower.Resume()
			})
		})
	}
}

func TestABlockingCommandFollowsItsSlot(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Replicas: 1}, keyslot.Options{})
	waitBlocked := func(moves func()) {
		t.Helper()
		owner := cluster.Owner("list").Addr
		done := make(chan error, 1)
		go func() {
			reply, err := client.Do(within(t, 20*time.Second), "BLPOP", "list", 0)
			if err == nil {
				_, err = reply.Strings()
			}
			done <- err
		}()
		require.Eventually(t, func() bool { return isBlocking(t, owner) }, 5*time.Second, time.Millisecond)
		moves()
		_, err := client.Do(t.Context(), "RPUSH", "list", "v")
		require.NoError(t, err)
		require.NoError(t, <-done)
	}
	waitBlocked(func() {
		owner := cluster.Owner("list")
		for _, shard := range cluster.Shards() {
			if shard.Primary.ID != owner.ID {
				require.NoError(t, cluster.MoveSlots(t.Context(), owner.ID, shard.Primary.ID, keyslot.Slot("list")))
				return
			}
		}
	})
	waitBlocked(func() {
		for _, shard := range cluster.Shards() {
			if shard.Primary.ID == cluster.Owner("list").ID {
				require.NoError(t, cluster.Failover(shard.Replicas[0].ID))
				return
			}
		}
	})
}

// isBlocking asks the node itself whether a client of its is blocked.
func isBlocking(t *testing.T, addr string) bool {
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("INFO clients\r\n"))
	require.NoError(t, err)
	answer := make([]byte, 4<<10)
	n, err := conn.Read(answer)
	require.NoError(t, err)
	return strings.Contains(string(answer[:n]), "blocked_clients:1\r\n")
}

// Turns end with nulls, after their time. One that comes at once is no end of a turn, and to ask again would be a loop.
func TestANullBeforeItsTimeIsTheAnswer(t *testing.T) {
	story(t, keyslot.Options{MaxConnAge: time.Hour}, func(t *testing.T, s *stage) {
		s.lower.On("BLPOP", says("_"))
		_, err := s.client.BLPop(t.Context(), 0, low)
		require.ErrorIs(t, err, keyslot.Nil)
		require.Len(t, sent(s.lower, "BLPOP"), 1)
	})
}
