package wire_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// tick is how exact the watchdog is.
const tick = 250 * time.Millisecond

func TestDeadlineOfACallWithoutContextIsKeptByTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn, large := blocked(t)
		begin := time.Now()
		calls := get(3)
		for i, after := range []time.Duration{time.Second, 3 * time.Second, time.Hour} {
			calls[i].Deadline = begin.Add(after)
		}
		for i, after := range []time.Duration{time.Second, 3 * time.Second} {
			send(t, context.Background(), conn, calls[i]).wait(context.Background())
			require.ErrorIs(t, calls[i].Err, context.DeadlineExceeded)
			require.False(t, calls[i].Sent || calls[i].Abandoned, "it was cut out")
			require.InDelta(t, after, time.Since(begin), float64(tick))
		}
		node.Resume()
		send(t, context.Background(), conn, calls[2]).wait(context.Background())
		require.NoError(t, calls[2].Err)
		large.wait(t.Context())
		require.NotContains(t, strings.Join(commands(node), ","), "GET 0")

		node.Handle(nil)
		node.On("GET", fakenode.Reaction{Delay: 2 * time.Second, Send: "+late\r\n"}, fakenode.Reaction{Send: "+own\r\n"})
		sent := get(1)[0]
		sent.Deadline = time.Now().Add(time.Second)
		send(t, context.Background(), conn, sent).wait(context.Background())
		require.ErrorIs(t, sent.Err, context.DeadlineExceeded)
		require.True(t, sent.Sent && sent.Abandoned)
		reply, err := try(context.Background(), conn, "GET", "a")
		require.NoError(t, err)
		require.Equal(t, "+own\r\n", reply)
	})
}

func TestCallGivenUpByItsCallerIsNotGivenUpAgainAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Delay: 2 * time.Second, Send: "+late\r\n"}, fakenode.Reaction{Send: "+own\r\n"})
		conn := connect(t, opts)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		call := get(1)[0]
		call.Deadline = time.Now().Add(time.Second)
		s := send(t, t.Context(), conn, call)
		synctest.Wait()
		s.wait(ctx)
		time.Sleep(1500 * time.Millisecond)
		require.ErrorIs(t, call.Err, context.Canceled)

		next := get(1)
		s.waiter.Expect(1) // a second completion of the first call would count for this one
		require.NoError(t, conn.Send(t.Context(), &s.waiter, next))
		s.waiter.Wait(t.Context(), next)
		require.Equal(t, []string{"+own\r\n"}, replies(next))
	})
}

func TestSilentPeerIsDeadAfterPeerTimeoutAndSuspectedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		begin := time.Now()
		suspected := make(chan time.Duration, 10)
		opts.PeerTimeout = 2 * time.Second
		opts.OnSilent = func(*wire.Conn) { suspected <- time.Since(begin) }
		conn := connect(t, opts)
		_, err := try(t.Context(), conn, "GET", "a")
		require.NoError(t, err)
		time.Sleep(time.Minute) // nothing is owed: silence is no sign

		begin = time.Now()
		node.StopReading()
		node.On("GET", fakenode.Reaction{})
		node.Handle(nil)
		owed := send(t, t.Context(), conn, get(2)...)
		time.Sleep(499 * time.Millisecond)
		require.False(t, conn.Silent())
		time.Sleep(tick)
		require.True(t, conn.Silent())
		for _, call := range owed.wait(t.Context()) {
			require.ErrorIs(t, call.Err, wire.ErrPeerSilent)
			require.True(t, call.Sent)
		}
		require.InDelta(t, 2*time.Second, time.Since(begin), float64(tick))
		synctest.Wait()
		require.Len(t, suspected, 3, "every 500 ms until it is dead")
		for _, at := range []time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond} {
			require.InDelta(t, at, <-suspected, float64(tick))
		}
		require.False(t, conn.Silent(), "it is dead now")
	})
}

func TestPeerThatSendsAnythingIsAlive(t *testing.T) {
	for name, reaction := range map[string]fakenode.Reaction{
		"short replies byte by byte": {Send: strings.Repeat(">1\r\n+p\r\n", 10) + "+x\r\n", Piece: 1, Gap: 200 * time.Millisecond},
		"a long reply in pieces":     {Send: "$655360\r\n" + strings.Repeat("x", 655360) + "\r\n", Piece: 65536, Gap: 1600 * time.Millisecond},
		"pushes":                     {Send: strings.Repeat(">1\r\n+p\r\n", 10) + "+x\r\n", Piece: 8, Gap: 1900 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.On("GET", reaction)
				opts.PeerTimeout = 2 * time.Second
				conn := connect(t, opts)
				begin := time.Now()
				_, err := try(t.Context(), conn, "GET", "a")
				require.NoError(t, err)
				require.Greater(t, time.Since(begin), 15*time.Second)
			})
		})
	}
}

// It is never silent, and would hold up everybody behind it for ever.
func TestPeerThatTricklesAReplyIsDead(t *testing.T) {
	for name, blocking := range map[string]bool{"ordinary": false, "blocking": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.On("GET", fakenode.Reaction{Send: "+ok\r\n$65536\r\n" + strings.Repeat("x", 65536), Piece: 1, Gap: time.Second})
				opts.PeerTimeout, opts.Blocking = 5*time.Second, blocking
				begin := time.Now()
				calls := send(t, t.Context(), connect(t, opts), get(3)...).wait(t.Context())
				require.Equal(t, "+ok\r\n", string(calls[0].Reply), "each reply has its own time")
				require.InDelta(t, 10*time.Second, time.Since(begin), float64(time.Second))
				for _, call := range calls[1:] {
					require.ErrorIs(t, call.Err, wire.ErrPeerTrickles)
					require.True(t, call.Sent)
				}
			})
		})
	}
}

func TestWithoutPeerTimeoutSilenceKillsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Delay: time.Hour, Send: "+ok\r\n"})
		opts.PeerTimeout = 0
		_, err := try(t.Context(), connect(t, opts), "GET", "a")
		require.NoError(t, err)
	})
}

func TestPeerThatAnswersOthersIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Delay: 1500 * time.Millisecond, Send: "+ok\r\n"})
		opts.PeerTimeout = 2 * time.Second
		conn := connect(t, opts)
		for _, call := range send(t, t.Context(), conn, get(10)...).wait(t.Context()) {
			require.NoError(t, call.Err, "the last one is old, but never the oldest for long")
		}
	})
}

// uploading returns a connection with a request on its way for which the node takes 25 s.
func uploading(t *testing.T) (*fakenode.Node, *sending) {
	node, opts := newNode(t)
	node.On("SET", fakenode.Reaction{Send: "+OK\r\n"})
	node.ReadEvery(time.Second)
	return node, send(t, t.Context(), connect(t, opts), set(25*16<<10))
}

func TestPeerThatTakesALongRequestSlowlyIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, upload := uploading(t)
		begin := time.Now()
		require.Equal(t, []string{"+OK\r\n"}, replies(upload.wait(t.Context())))
		require.Greater(t, time.Since(begin), 20*time.Second)
	})
}

func TestPeerThatStopsInTheMiddleOfARequestIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, upload := uploading(t)
		time.Sleep(14 * time.Second)
		node.StopReading()
		begin := time.Now()
		call := upload.wait(t.Context())[0]
		require.ErrorIs(t, call.Err, wire.ErrPeerSilent)
		piece := 6 * time.Second // 96 KiB: for that long nothing was seen to pass before, either
		require.Greater(t, time.Since(begin), 10*time.Second-piece)
		require.Less(t, time.Since(begin), 10*time.Second+2*tick)
	})
}

func TestAFrozenPeerIsNotAliveBecauseItsSocketTakesMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{})
		conn := connect(t, opts)
		node.StopReading()
		begin := time.Now()
		owed := send(t, t.Context(), conn, get(1)...)
		for range 50 {
			time.Sleep(190 * time.Millisecond)
			send(t, t.Context(), conn, get(1)...)
		}
		require.ErrorIs(t, owed.wait(t.Context())[0].Err, wire.ErrPeerSilent)
		require.InDelta(t, 10*time.Second, time.Since(begin), float64(tick))
	})
}

// A young command must not die of an old silence.
func TestSilenceCountsFromWhenSomethingIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Send: "+ok\r\n"}, fakenode.Reaction{Delay: 1900 * time.Millisecond, Send: "+ok\r\n"})
		opts.PeerTimeout = 2 * time.Second
		conn := connect(t, opts)
		for range 5 {
			_, err := try(t.Context(), conn, "GET", "a")
			require.NoError(t, err)
			time.Sleep(1900 * time.Millisecond)
		}
	})
}

func TestEverySilenceIsReportedEvery500ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{})
		var suspected atomic.Int32
		opts.OnSilent = func(*wire.Conn) { suspected.Add(1) }
		conn := connect(t, opts)
		send(t, t.Context(), conn, get(1)...)
		for range 3 {
			suspected.Store(0)
			time.Sleep(1200 * time.Millisecond)
			require.EqualValues(t, 2, suspected.Load())
			node.Push(">1\r\n+alive\r\n")
			time.Sleep(tick + time.Millisecond)
			require.False(t, conn.Silent())
		}
	})
}

func TestBlockingCommandsMayTakeForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("BLPOP", fakenode.Reaction{Delay: time.Hour, Send: "_\r\n"})
		var told atomic.Int32
		opts.Blocking, opts.OnSilent = true, func(*wire.Conn) { told.Add(1) }
		conn := connect(t, opts)
		reply, err := try(t.Context(), conn, "BLPOP", "k", "0")
		require.NoError(t, err)
		require.Equal(t, "_\r\n", reply)
		require.InDelta(t, 2*3600, told.Load(), 1, "the node may be looked after meanwhile")
	})
}

func TestLateTickMeansThatThisProcessSlept(t *testing.T) {
	require.Equal(t,
		[]time.Duration{tick, 2 * tick, 0, tick, 3 * tick, 0, tick},
		wire.Silence(tick, tick, time.Hour, tick, 2*tick, 2*tick+1, tick))
}

func TestIdleConnectionIsProbedBeforeACommandIsRisked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		for _, alive := range []string{"+PONG\r\n", "-LOADING Redis is loading the dataset in memory\r\n"} {
			node.On("PING", fakenode.Reaction{Delay: 400 * time.Millisecond, Send: alive})
			opts.IdleProbe = 5 * time.Second
			conn := connect(t, opts)
			time.Sleep(4999 * time.Millisecond)
			_, err := try(t.Context(), conn, "GET", "young")
			require.NoError(t, err)

			time.Sleep(5 * time.Second)
			begin := len(commands(node))
			callers := make(chan error)
			for range 3 {
				go func() {
					_, err := try(t.Context(), conn, "GET", "old")
					callers <- err
				}()
			}
			hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, err = try(hurried, conn, "GET", "hurried")
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, []string{"PING"}, commands(node)[begin:], "nobody enters before the answer")
			for range 3 {
				require.NoError(t, <-callers)
			}
			require.Equal(t, []string{"PING", "GET old", "GET old", "GET old"}, commands(node)[begin:])
		}
	})
}

// A process that was frozen with a call in flight finds out whether the connection is still there before it risks another one.
func TestAConnectionIsProbedAfterAFreezeThoughItOwesReplies(t *testing.T) {
	for name, late := range map[string]string{"alive": "+late\r\n", "gone": ""} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.On("SLOW", fakenode.Reaction{Delay: tick + 100*time.Millisecond, Send: late})
			if name == "gone" {
				node.On("PING", fakenode.Reaction{})
			}
			opts.IdleProbe, opts.PeerTimeout = 5*time.Second, time.Minute
			conn := connect(t, opts)
			owed := make(chan error, 1)
			go func() {
				_, err := try(t.Context(), conn, "SLOW")
				owed <- err
			}()
			synctest.Wait()
			wire.Freeze(conn, 5*time.Second)
			time.Sleep(tick)
			synctest.Wait()
			begin := time.Now()
			hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := try(hurried, conn, "GET", "a")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotContains(t, commands(node), "GET a", "nobody enters before the answer")
			if name == "alive" {
				require.NoError(t, <-owed)
				_, err := try(t.Context(), conn, "SLOW")
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, <-owed, wire.ErrProbeFailed)
			require.LessOrEqual(t, time.Since(begin), 500*time.Millisecond)
		})
	}
}

func TestBusyConnectionHasNotBeenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Delay: 9 * time.Second, Send: "+ok\r\n"})
		opts.IdleProbe = 5 * time.Second
		conn := connect(t, opts)
		synctest.Wait() // until the reader reads
		writes := wire.CountWrites(conn)
		for range 3 {
			_, err := try(t.Context(), conn, "GET", "a")
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		require.EqualValues(t, 3, writes.Load(), "no PING goes ahead and waits")
	})
}

func TestIdleConnectionThatDoesNotAnswerIsGivenUpUnused(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.On("PING", fakenode.Reaction{})
			opts.IdleProbe, opts.Blocking = 5*time.Second, blocking
			conn := connect(t, opts)
			time.Sleep(6 * time.Second)
			begin := time.Now()
			callers := make(chan error)
			for range 3 {
				go func() {
					_, err := try(t.Context(), conn, "GET", "a")
					callers <- err
				}()
			}
			for range 3 {
				require.ErrorIs(t, <-callers, wire.ErrProbeFailed)
			}
			require.InDelta(t, 500*time.Millisecond, time.Since(begin), float64(tick))
			require.Equal(t, []string{"PING"}, commands(node))
		})
	}
}

// The last replies lay in its socket when the process went on.
func TestAConnectionIsProbedAfterAFreezeThoughAllIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		node.On("PING", fakenode.Reaction{})
		opts.IdleProbe, opts.PeerTimeout = 5*time.Second, time.Minute
		conn := connect(t, opts)
		_, err := try(t.Context(), conn, "GET", "a")
		require.NoError(t, err)
		wire.Freeze(conn, 5*time.Second)
		time.Sleep(tick)
		synctest.Wait()
		begin := time.Now()
		_, err = try(t.Context(), conn, "GET", "b")
		require.ErrorIs(t, err, wire.ErrProbeFailed)
		require.LessOrEqual(t, time.Since(begin), 500*time.Millisecond)
		require.NotContains(t, commands(node), "GET b", "nobody enters before the answer")
	})
}

// The tick that was due while the process slept comes after the command, and finds all well.
func TestAnIdleConnectionIsProbedOnceAfterAFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		opts.IdleProbe = 5 * time.Second
		conn := connect(t, opts)
		mustEcho(t, conn, "a")
		wire.Freeze(conn, 5*time.Second)
		mustEcho(t, conn, "b")
		time.Sleep(2 * tick)
		require.Equal(t, []string{"GET a", "PING", "GET b"}, commands(node))
	})
}

// The monotonic clock stands still meanwhile, so that a slow command looks like a peer that did not answer the probe.
func TestASlowReplyIsWaitedForAfterTheMachineWasSuspended(t *testing.T) {
	for name, ahead := range map[string]bool{"the tick probes": false, "a command ahead of the tick probes": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.Handle(echo)
				node.On("SLOW", fakenode.Reaction{Delay: 900 * time.Millisecond, Send: "+late\r\n"})
				opts.IdleProbe = 5 * time.Second
				conn := connect(t, opts)
				owed := send(t, t.Context(), conn, &wire.Call{Request: request("SLOW")})
				time.Sleep(600 * time.Millisecond)
				wire.Suspend(conn, 5*time.Second)
				if ahead {
					mustEcho(t, conn, "a")
				}
				require.Equal(t, []string{"+late\r\n"}, replies(owed.wait(t.Context())))
				mustEcho(t, conn, "b")
				require.Equal(t, 1, pings(node))
			})
		})
	}
}

func TestIdleConnectionThatWasResetMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("PING", fakenode.Reaction{End: fakenode.RST})
		opts.IdleProbe = 5 * time.Second
		conn := connect(t, opts)
		time.Sleep(6 * time.Second)
		_, err := try(t.Context(), conn, "GET", "a")
		require.ErrorIs(t, err, conn.Err())
		require.Equal(t, []string{"PING"}, commands(node))
	})
}

func TestUnusedConnectionHasNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		opts.PeerTimeout = time.Second
		opts.OnSilent = func(*wire.Conn) { t.Error("nothing is owed") }
		conn := connect(t, opts)
		_, err := try(t.Context(), conn, "GET", "a")
		require.NoError(t, err)
		time.Sleep(24 * time.Hour)
		require.NoError(t, conn.Err())
	})
}

func TestAnIdleConnectionIsNudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		var suspected atomic.Int32
		opts.OnSilent = func(*wire.Conn) { suspected.Add(1) }
		conn := connect(t, opts)
		conn.Nudge(time.Second)
		time.Sleep(time.Second)
		conn.Nudge(time.Second)
		conn.Nudge(time.Second)
		time.Sleep(time.Second)
		require.Zero(t, suspected.Load())
		require.Len(t, node.Tape(), 2, "HELLO and PING")

		node.On("PING", fakenode.Reaction{})
		conn.Nudge(time.Second)
		time.Sleep(600 * time.Millisecond)
		require.EqualValues(t, 1, suspected.Load())
		require.ErrorIs(t, conn.Err(), wire.ErrProbeFailed)
		conn.Nudge(0)
	})
}

// The answer to a fence may have lain in the socket with the rest.
func TestAFenceSentBeforeAFreezeProvesNothingAfterIt(t *testing.T) {
	for name, gone := range map[string]bool{"alive": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				opts.MaxInFlight, opts.IdleProbe, opts.PeerTimeout = 1024, 5*time.Second, time.Minute
				fences := 0
				node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
					if r.Name() != "PING" {
						return echo(r)
					}
					if fences++; fences == 1 {
						return fakenode.Reaction{Delay: tick + 50*time.Millisecond, Send: "$13\r\n" + r.Args[1] + "\r\n"}, true
					}
					return fakenode.Reaction{}, gone
				})
				conn := connect(t, opts)
				calls := send(t, t.Context(), conn, get(257)...)
				synctest.Wait()
				wire.Freeze(conn, 5*time.Second)
				calls.wait(t.Context())
				require.NoError(t, calls.calls[256].Err)
				_, err := try(t.Context(), conn, "GET", "b")
				require.Equal(t, 2, pings(node))
				if gone {
					require.ErrorIs(t, err, wire.ErrProbeFailed)
					require.NotContains(t, commands(node), "GET b", "nobody enters before the answer")
					return
				}
				require.NoError(t, err)
			})
		})
	}
}

// A tick that is late by less than a silence that counts is no freeze, whatever IdleProbe says.
func TestALateTickIsNoFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("SLOW", fakenode.Reaction{Delay: 3 * time.Second, Send: "+late\r\n"})
		opts.IdleProbe = 20 * time.Millisecond
		conn := connect(t, opts)
		owed := send(t, t.Context(), conn, &wire.Call{Request: request("SLOW")})
		synctest.Wait()
		wire.Freeze(conn, 50*time.Millisecond)
		require.NoError(t, owed.wait(t.Context())[0].Err)
	})
}

// The tick that is late because of a freeze is told no sooner than the process goes on; a command may be there before it.
func TestTheFirstCommandAfterAFreezeIsNotAheadOfTheTick(t *testing.T) {
	for _, now := range []func() time.Time{time.Now, func() time.Time { return time.Time{} }} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.Handle(echo)
			node.On("SLOW", fakenode.Reaction{Delay: 100 * time.Millisecond, Send: "+late\r\n"})
			opts.IdleProbe = 5 * time.Second
			conn := connect(t, opts)
			owed := send(t, t.Context(), conn, &wire.Call{Request: request("SLOW")})
			synctest.Wait()
			wire.Freeze(conn, 6*time.Second)

			calls := get(1)
			first := wire.Waiter{Now: now()}
			first.Expect(1)
			require.NoError(t, conn.Send(t.Context(), &first, calls))
			first.Wait(t.Context(), calls)
			require.NoError(t, calls[0].Err)
			require.NoError(t, owed.wait(t.Context())[0].Err)
			time.Sleep(time.Second)
			require.Equal(t, []string{"SLOW", "PING", "GET 0"}, commands(node), "and one probe is enough")
		})
	}
}
