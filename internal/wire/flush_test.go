package wire_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

var errCable = errors.New("cable cut")

// limited is a connection whose Write accepts so many more bytes and then fails, once; it would accept what comes behind.
type limited struct {
	net.Conn
	left   int
	failed bool
}

// NetConn lets the connection below be reset.
func (l *limited) NetConn() net.Conn { return l.Conn }

func (l *limited) Write(b []byte) (int, error) {
	if l.left < 0 || l.failed || len(b) <= l.left {
		l.left -= len(b)
		return l.Conn.Write(b)
	}
	n, _ := l.Conn.Write(b[:l.left])
	l.failed = true
	return n, errCable
}

// limit makes connections fail after so many bytes written behind HELLO.
func limit(opts *wire.Options, bytes int) {
	dial := opts.Dial
	opts.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &limited{Conn: conn, left: len(request("HELLO", "3")) + bytes}, err
	}
}

func TestAfterAFailedWriteItIsKnownExactlyWhatWasSent(t *testing.T) {
	calls := get(3)
	calls[1].Asking = true
	ends, end := make([]int, len(calls)), 0
	for i, call := range calls {
		if call.Asking {
			end += len(request("ASKING"))
		}
		end += len(call.Request)
		ends[i] = end
	}
	for _, together := range []bool{true, false} {
		for k := range end {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.On("GET", fakenode.Reaction{})
				node.On("ASKING", fakenode.Reaction{})
				limit(&opts, k)
				conn := connect(t, opts)
				wire.CountExactly(conn)
				if together {
					send(t, t.Context(), conn, calls...).wait(t.Context())
				} else {
					for _, call := range calls {
						if _, err := tryCall(t.Context(), conn, call); err != nil {
							call.Err = err
						}
					}
				}
				synctest.Wait()
				tape := strings.Join(commands(node), ",")
				for i, call := range calls {
					require.ErrorIs(t, call.Err, errCable, "call %d after %d bytes", i, k)
					require.Equal(t, ends[i] <= k, call.Sent, "call %d after %d bytes", i, k)
					require.Equal(t, call.Sent, strings.Contains(tape, "GET "+string(rune('0'+i))), "call %d after %d bytes", i, k)
				}
				require.Equal(t, syscall.ECONNRESET, node.Ended(0))
			})
		}
	}
}

// tryCall sends one call and does not wait for its reply longer than a millisecond unless the connection dies.
func tryCall(ctx context.Context, conn *wire.Conn, call *wire.Call) (*wire.Call, error) {
	call.Sent, call.Abandoned = false, false
	var w wire.Waiter
	w.Expect(1)
	if err := conn.Send(ctx, &w, []*wire.Call{call}); err != nil {
		return call, err
	}
	go w.Wait(ctx, []*wire.Call{call})
	synctest.Wait()
	return call, nil
}

// The client's side accepts everything; only the peer knows how far it came. Sent says that it may have run, never less.
func TestPeerThatResetsInTheMiddleOfAPipeline(t *testing.T) {
	hello, all := len(request("HELLO", "3")), len(request("GET", "0"))*5
	for k := 1; k <= all; k++ {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.Handle(echo)
			node.CutAfter(hello + k)
			conn := connect(t, opts)
			wire.CountExactly(conn)
			calls := send(t, t.Context(), conn, get(5)...).wait(t.Context())
			synctest.Wait()
			ran := len(commands(node))
			require.Equal(t, k*5/all, ran)
			for i, call := range calls {
				require.True(t, call.Err == nil || call.Sent || i >= ran, "call %d ran, after %d bytes", i, k)
				if call.Err == nil {
					require.Equal(t, "+"+string(rune('0'+i))+"\r\n", string(call.Reply))
				}
			}
			conn.Wait()
			require.Error(t, conn.Err())
		})
	}
}

func TestOnAnUnknownKindOfConnectionEveryByteOfferedCountsAsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, opts := newNode(t)
		limit(&opts, 5)
		conn := connect(t, opts)
		for _, call := range send(t, t.Context(), conn, get(2)...).wait(t.Context()) {
			require.ErrorIs(t, call.Err, errCable)
			require.True(t, call.Sent)
		}
	})
}

// What Offer has taken for several connections goes out together with what others have sent on them meanwhile.
func TestOffersAreWrittenByFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var nodes [2]*fakenode.Node
		var conns [2]*wire.Conn
		s := &sending{calls: get(2), waiter: wire.Waiter{Prompt: true, Busy: true}}
		s.waiter.Expect(2)
		for i := range conns {
			var opts wire.Options
			nodes[i], opts = newNode(t)
			nodes[i].Handle(echo)
			conns[i] = connect(t, opts)
			require.True(t, conns[i].Offer(&s.waiter, s.calls[i:i+1]))
		}
		other := send(t, t.Context(), conns[1], get(3)[2:]...)
		synctest.Wait()
		require.Empty(t, append(commands(nodes[0]), commands(nodes[1])...), "the promise to write is that of who came first")

		s.waiter.Flush()

		require.Equal(t, []string{"+0\r\n", "+1\r\n"}, replies(s.wait(t.Context())))
		require.Equal(t, []string{"+2\r\n"}, replies(other.wait(t.Context())))
		require.Equal(t, []string{"GET 1", "GET 2"}, commands(nodes[1]))
	})
}

func TestALargeOfferIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		conn := connect(t, opts)
		large := &wire.Call{Request: request("GET", strings.Repeat("k", 16<<10))}
		s := &sending{calls: []*wire.Call{large}, waiter: wire.Waiter{Prompt: true, Busy: true}}
		s.waiter.Expect(1)
		require.True(t, conn.Offer(&s.waiter, s.calls))
		synctest.Wait()
		require.Len(t, commands(node), 1)
		s.waiter.Flush()
		require.NoError(t, s.wait(t.Context())[0].Err)
	})
}

func TestOfOffersOnAConnectionThatDiesBeforeFlushNothingWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		conn := connect(t, opts)
		s := &sending{calls: get(1), waiter: wire.Waiter{Prompt: true, Busy: true}}
		s.waiter.Expect(1)
		require.True(t, conn.Offer(&s.waiter, s.calls))
		node.Cut(fakenode.RST)
		synctest.Wait()
		s.waiter.Flush()
		call := s.wait(t.Context())[0]
		require.ErrorIs(t, call.Err, syscall.ECONNRESET)
		require.False(t, call.Sent || call.Abandoned)
		require.Nil(t, offer(conn, get(1)...))
		conn.Wait()
	})
}

// blocked returns a connection whose writer is stuck in Write with one large command, at a node that has stopped reading.
func blocked(t *testing.T, adjust ...func(*wire.Options)) (*fakenode.Node, *wire.Conn, *sending) {
	node, opts := newNode(t)
	node.Handle(echo)
	node.On("SET", fakenode.Reaction{Send: "+OK\r\n"})
	for _, a := range adjust {
		a(&opts)
	}
	conn := connect(t, opts)
	node.StopReading()
	large := send(t, t.Context(), conn, set(200<<10))
	synctest.Wait()
	return node, conn, large
}

func TestCallCancelledBeforeItsWriteIsCutOut(t *testing.T) {
	for victim := range 3 {
		synctest.Test(t, func(t *testing.T) {
			node, conn, large := blocked(t)
			var sendings []*sending
			for i, call := range get(3) {
				call.Asking = i != 1
				sendings = append(sendings, send(t, t.Context(), conn, call))
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			cut := sendings[victim].wait(ctx)[0]
			require.ErrorIs(t, cut.Err, context.Canceled)
			require.False(t, cut.Sent)
			require.False(t, cut.Abandoned, "it may be sent again at once")

			node.Resume()
			large.wait(t.Context())
			for i, s := range sendings {
				if i != victim {
					require.Equal(t, []string{"+" + string(rune('0'+i)) + "\r\n"}, replies(s.wait(t.Context())))
				}
			}
			require.NotContains(t, node.Bytes(0), string(cut.Request))
			require.NoError(t, conn.Err())

			send(t, t.Context(), conn, cut).wait(t.Context())
			require.Equal(t, []string{"+" + string(rune('0'+victim)) + "\r\n"}, replies([]*wire.Call{cut}))
		})
	}
}

func TestReplyToACancelledCallIsDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			reaction, ok := echo(r)
			reaction.Delay = time.Second
			return reaction, ok
		})
		conn := connect(t, opts)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		given := send(t, ctx, conn, get(1)...).wait(ctx)[0]
		require.Equal(t, 100*time.Millisecond, time.Since(begin))
		require.ErrorIs(t, given.Err, context.DeadlineExceeded)
		require.True(t, given.Sent)
		require.True(t, given.Abandoned)

		reply, err := try(t.Context(), conn, "GET", "mine")
		require.NoError(t, err)
		require.Equal(t, "+mine\r\n", reply)
		require.Equal(t, 2*time.Second, time.Since(begin))
		require.Empty(t, given.Reply)
	})
}

func TestWaiterCountsEveryCallOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Send: "+ok\r\n"}, fakenode.Reaction{})
		conn := connect(t, opts)
		s := send(t, t.Context(), conn, get(1)...)
		synctest.Wait()
		s.waiter.Withdraw(0) // of a batch of which all could be sent
		s.wait(t.Context())

		s.waiter.Expect(1)
		require.NoError(t, conn.Send(t.Context(), &s.waiter, s.calls))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.wait(ctx)[0].Err, context.DeadlineExceeded)
	})
}

func TestCancelledBatchKeepsWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		conn := connect(t, opts)
		calls := append(get(1), set(200<<10))
		calls = append(calls, get(3)...)
		var w wire.Waiter
		w.Expect(len(calls))
		require.NoError(t, conn.Send(t.Context(), &w, calls[:1]))
		synctest.Wait()
		node.StopReading()
		require.NoError(t, conn.Send(t.Context(), &w, calls[1:2]))
		synctest.Wait()
		require.NoError(t, conn.Send(t.Context(), &w, calls[2:4]))
		w.Withdraw(1) // the last one could not be sent

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Wait(ctx, calls)
		require.Equal(t, "+0\r\n", string(calls[0].Reply))
		require.NoError(t, calls[0].Err)
		require.True(t, calls[1].Sent && calls[1].Abandoned)
		for _, cut := range calls[2:4] {
			require.ErrorIs(t, cut.Err, context.DeadlineExceeded)
			require.False(t, cut.Sent || cut.Abandoned)
		}
		require.NoError(t, calls[4].Err, "its caller knows")
		require.EqualValues(t, 4, conn.Usage().Calls, "those cut out too, for a count must not fall")
	})
}

func TestBackPressureHoldsNobodyBeyondTheirPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn, large := blocked(t, func(o *wire.Options) { o.MaxInFlight = 1 << 20 })
		begin := time.Now()
		var sendings []*sending
		value := strings.Repeat("x", 64<<10)
		for range 1 << 20 / len(value) {
			sendings = append(sendings, send(t, t.Context(), conn, &wire.Call{Request: request("SET", "k", value)}))
		}
		require.Equal(t, begin, time.Now(), "as long as there is room nobody waits")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := try(ctx, conn, "GET", "a")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin))

		var w wire.Waiter
		late := &wire.Call{Request: request("GET", "b"), Deadline: time.Now().Add(time.Second)}
		w.Expect(1)
		require.ErrorIs(t, conn.Send(context.Background(), &w, []*wire.Call{late}), context.DeadlineExceeded)
		require.Equal(t, 2*time.Second, time.Since(begin))

		node.Resume()
		reply, err := try(t.Context(), conn, "GET", "c")
		require.NoError(t, err)
		require.Equal(t, "+c\r\n", reply)
		for _, s := range append(sendings, large) {
			require.NoError(t, s.wait(t.Context())[0].Err)
		}
		require.NotContains(t, strings.Join(commands(node), ","), "GET a")
		require.NotContains(t, strings.Join(commands(node), ","), "GET b")
	})
}

// On a socket callers write themselves, but only what the kernel surely has room for.
func TestNoCallerIsStuckInWriteOnASocketThatIsFull(t *testing.T) {
	node, opts := newNode(t)
	addr, err := node.Listen()
	require.NoError(t, err)
	opts.Addr, opts.Dial, opts.MaxInFlight, opts.PeerTimeout = addr, nil, 1<<20, 5*time.Second
	conn := connect(t, opts)
	node.On("SET", fakenode.Reaction{})
	node.StopReading()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	value := strings.Repeat("x", 10<<10)
	var waiter wire.Waiter
	var sent []*wire.Call
	const most = 1 << 20
	waiter.Expect(most)
	for err == nil { // until kernels and the buffer are full: then Send looks at its context
		call := &wire.Call{Request: request("SET", "k", value)}
		if err = conn.Send(gone, &waiter, []*wire.Call{call}); err == nil {
			sent = append(sent, call)
		}
	}
	require.ErrorIs(t, err, context.Canceled)
	waiter.Withdraw(most - len(sent))
	conn.Close()
	waiter.Wait(t.Context(), sent)
	unsent := 0
	for _, call := range sent {
		require.ErrorIs(t, call.Err, wire.ErrClosed)
		if !call.Sent {
			unsent++
		}
	}
	require.NotZero(t, unsent)
	require.Less(t, unsent, len(sent))
}

func TestRoomInTheBufferIsUsedWhileTheWriterIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn, _ := blocked(t)
		// A single request beyond any limit enters an empty buffer; the next one waits until the writer takes it.
		huge := send(t, t.Context(), conn, set(2<<20))
		entered := make(chan struct{})
		call := get(1)[0]
		go func() {
			send(t, t.Context(), conn, call)
			close(entered)
		}()
		synctest.Wait()
		require.Equal(t, 2, conn.InFlight())

		node.Handle(func(fakenode.Request) (fakenode.Reaction, bool) {
			node.StopReading()
			return fakenode.Reaction{}, true
		})
		node.Resume()
		<-entered
		require.NoError(t, conn.Err())
		given, cancel := context.WithCancel(t.Context())
		cancel()
		require.True(t, huge.wait(given)[0].Abandoned, "its bytes are still being written")
	})
}

// visited makes every Write take a second, in each of the first n of which somebody else comes with a call. It
// returns the calls.
func visited(t *testing.T, raw *watched, conn *wire.Conn, n int) (calls []*wire.Call) {
	calls, left := get(n), n
	raw.onWrite = func() {
		if left--; left >= 0 {
			entered := make(chan struct{})
			go func() {
				defer close(entered)
				send(t, t.Context(), conn, calls[n-1-left])
			}()
			<-entered
		}
		time.Sleep(time.Second)
	}
	return calls
}

func TestACallerWritesTwiceAndThenLeavesTheRestToTheFlusher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		var raw watched
		raw.dialled(&opts)
		node.Handle(echo)
		conn := connect(t, opts)
		synctest.Wait()
		others := visited(t, &raw, conn, 4)
		began := time.Now()
		own := send(t, t.Context(), conn, &wire.Call{Request: request("GET", "own")})
		require.Equal(t, 2*time.Second, time.Since(began))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"+own\r\n", "+0\r\n", "+1\r\n", "+2\r\n", "+3\r\n"}, replies(append(own.calls, others...)))
	})
}

func TestALoneCallerWritesTwiceAndThenReadsItsReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var raw watched
		_, conn := alone(t, raw.dialled)
		others := visited(t, &raw, conn, 4)
		began := time.Now()
		mustEcho(t, conn, "own")
		require.Equal(t, 2*time.Second, time.Since(began))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"+0\r\n", "+1\r\n", "+2\r\n", "+3\r\n"}, replies(others))
	})
}

// The flusher of a busy connection lets them all append first. With one processor it would otherwise write each by
// itself. Now and then the scheduler has the flusher back sooner.
func TestOneWriteCarriesTheCommandsOfAllWhoAreReady(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{})
		conn := connect(t, opts)
		synctest.Wait()
		writes := wire.CountWrites(conn)
		send(t, t.Context(), conn, get(1)...) // is owed a reply from now on
		require.EqualValues(t, 1, writes.Swap(0))
		var ready sync.WaitGroup
		for _, call := range get(40) {
			ready.Go(func() { send(t, t.Context(), conn, call) })
		}
		ready.Wait()
		synctest.Wait()
		require.Len(t, commands(node), 41)
		require.LessOrEqual(t, writes.Load(), int64(8))
	})
}

// With one processor each sender runs until it lets others run: the second one joins the first, is let run once more
// because of that, and joins again. The race detector's scheduler lets the second one begin half of the time.
func TestWhoeverWritesLetsOthersJoin(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, busy := range []bool{true, false} {
		node, opts := newNode(t)
		node.Handle(echo)
		conn := connect(t, opts)
		writes := wire.CountWrites(conn)
		const rounds = 100 // the race detector has goroutines begin in any order, and in most rounds nobody joins then
		for range rounds {
			var running sync.WaitGroup
			second := func() {
				first := send(t, t.Context(), conn, get(1)...)
				runtime.Gosched()
				send(t, t.Context(), conn, get(1)...).wait(t.Context())
				first.wait(t.Context())
			}
			running.Go(second)
			running.Go(func() { // begins, as the scheduler runs the latest first
				s := &sending{calls: get(1), waiter: wire.Waiter{Busy: busy}}
				s.waiter.Expect(1)
				require.NoError(t, conn.Send(t.Context(), &s.waiter, s.calls))
				s.wait(t.Context())
			})
			running.Wait()
		}
		if busy {
			require.Less(t, writes.Load(), int64(2*rounds), "one write for most rounds")
		} else {
			require.GreaterOrEqual(t, writes.Load(), int64(2*rounds), "nobody waits who is alone")
		}
	}
}
