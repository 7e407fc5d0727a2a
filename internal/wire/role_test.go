package wire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// prompt sends one call and waits for it at once, as a client's callers do.
func prompt(ctx context.Context, conn *wire.Conn, call *wire.Call) error {
	w := wire.Waiter{Prompt: true}
	w.Expect(1)
	calls := []*wire.Call{call}
	if err := conn.Send(ctx, &w, calls); err != nil {
		return err
	}
	w.Wait(ctx, calls)
	return call.Err
}

// alone returns a connection that has had one caller at a time for so long that callers read for themselves.
func alone(t *testing.T, adjust ...func(*wire.Options)) (*fakenode.Node, *wire.Conn) {
	node, opts := newNode(t)
	for _, a := range adjust {
		a(&opts)
	}
	node.Handle(echo)
	conn := connect(t, opts)
	leaveAlone(t, conn)
	return node, conn
}

func leaveAlone(t *testing.T, conn *wire.Conn) {
	for range 64 + 1 { // the first reply may come together with one that was due before
		mustEcho(t, conn, "warm")
	}
	synctest.Wait()
	require.Equal(t, "nobody", wire.Reader(conn))
}

func mustEcho(t *testing.T, conn *wire.Conn, key string) {
	call := &wire.Call{Request: request("GET", key)}
	require.NoError(t, prompt(t.Context(), conn, call))
	require.Equal(t, "+"+key+"\r\n", string(call.Reply))
}

// waiting starts a call whose reply is late, and returns once its caller waits for it.
func waiting(t *testing.T, ctx context.Context, node *fakenode.Node, conn *wire.Conn, late fakenode.Reaction) (*wire.Call, <-chan struct{}) {
	node.Handle(nil)
	node.On("GET", late)
	call, done := get(1)[0], make(chan struct{})
	go func() {
		defer close(done)
		_ = prompt(ctx, conn, call)
	}()
	synctest.Wait()
	require.Equal(t, "a caller", wire.Reader(conn))
	node.Handle(echo)
	return call, done
}

func TestCallersReadForThemselvesWhileOneAtATimeComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		call, done := waiting(t, t.Context(), node, conn, fakenode.Reaction{Delay: time.Second, Send: "+late\r\n"})
		<-done
		require.Equal(t, "+late\r\n", string(call.Reply))
		require.Equal(t, "nobody", wire.Reader(conn))
	})
}

func TestTheReaderComesBackForASecondCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		call, done := waiting(t, t.Context(), node, conn, fakenode.Reaction{Delay: time.Millisecond, Send: "+late\r\n"})
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			reaction, ok := echo(r)
			reaction.Delay = time.Millisecond
			return reaction, ok
		})
		second := send(t, t.Context(), conn, get(3)[1:]...)
		require.Equal(t, "a caller", wire.Reader(conn), "the first one reads until it has its own reply")
		<-done
		require.Equal(t, "+late\r\n", string(call.Reply))
		require.Equal(t, []string{"+1\r\n", "+2\r\n"}, replies(second.wait(t.Context())))
		require.Equal(t, "the reader", wire.Reader(conn))
		leaveAlone(t, conn)
	})
}

func TestTheReaderServesCallersThatDoNotWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conn := alone(t)
		s := send(t, t.Context(), conn, get(1)...)
		require.Equal(t, "the reader", wire.Reader(conn))
		require.Equal(t, []string{"+0\r\n"}, replies(s.wait(t.Context())))
	})
}

// Nobody reads for a moment after a lone call. Soon somebody has to, or the end of the connection would go unnoticed.
func TestTheReaderComesBackToAnIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, calls := range []int{64, 3 * 64} {
			node, conn := alone(t)
			for range calls - 64 {
				mustEcho(t, conn, "more")
			}
			time.Sleep(3 * tick)
			require.Equal(t, "the reader", wire.Reader(conn), "after %d calls", calls)
			node.Cut(fakenode.FIN)
			synctest.Wait()
			require.ErrorIs(t, conn.Err(), io.EOF)
		}
	})
}

func TestNothingIsRiskedOnAConnectionThatThePeerHasClosed(t *testing.T) {
	for end, want := range map[fakenode.End]error{fakenode.FIN: io.EOF, fakenode.RST: syscall.ECONNRESET} {
		synctest.Test(t, func(t *testing.T) {
			node, conn := alone(t)
			before := len(commands(node))
			node.Cut(end)
			call := get(1)[0]
			require.ErrorIs(t, prompt(t.Context(), conn, call), want)
			require.False(t, call.Sent || call.Abandoned)
			require.Len(t, commands(node), before)
			conn.Wait()
		})
	}
}

func TestWhatArrivedBeforeALoneCallIsNotItsReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		node.Push(">1\r\n+news\r\n")
		mustEcho(t, conn, "mine")

		before := len(commands(node))
		node.Push("+EXTRA\r\n")
		call := get(1)[0]
		require.ErrorIs(t, prompt(t.Context(), conn, call), wire.ErrSurplusReply)
		require.False(t, call.Sent || call.Abandoned)
		require.Len(t, commands(node), before)
	})
}

// Cancelled with part of its reply received: the reader goes on where the caller stopped, whatever is still missing.
func TestACancelledLoneCallerLeavesTheRestOfItsReplyToTheReader(t *testing.T) {
	reply := "*2\r\n$4\r\nlate\r\n:1\r\n"
	for cut := range len(reply) {
		synctest.Test(t, func(t *testing.T) {
			node, conn := alone(t)
			late := fakenode.Reaction{Send: ">1\r\n+p\r\n" + reply, Piece: len(">1\r\n+p\r\n") + cut, Gap: time.Second}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			begin := time.Now()
			call, done := waiting(t, ctx, node, conn, late)
			<-done
			require.Equal(t, time.Second/2, time.Since(begin))
			require.ErrorIs(t, call.Err, context.DeadlineExceeded)
			require.True(t, call.Sent && call.Abandoned)
			require.Equal(t, "the reader", wire.Reader(conn))
			mustEcho(t, conn, "next")
			require.Empty(t, call.Reply)
			leaveAlone(t, conn)
			mustEcho(t, conn, "alone again")
		})
	}
}

func TestALoneCallIsCutOutIfItsCallerGoesBeforeItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		ctx, cancel := context.WithCancel(t.Context())
		first, w := get(1), wire.Waiter{Prompt: true}
		w.Expect(1)
		require.NoError(t, conn.Send(ctx, &w, first))
		second := send(t, t.Context(), conn, get(2)[1:]...) // counts on the first one's write
		cancel()
		w.Wait(ctx, first)
		require.ErrorIs(t, first[0].Err, context.Canceled)
		require.False(t, first[0].Sent || first[0].Abandoned)
		require.Equal(t, []string{"+1\r\n"}, replies(second.wait(t.Context())))
		require.NotContains(t, strings.Join(commands(node), ","), "GET 0")
	})
}

func TestALoneCallerWritesForThoseWhoComeMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		writes := len(node.Bytes(0))
		first, w := get(1), wire.Waiter{Prompt: true}
		w.Expect(1)
		require.NoError(t, conn.Send(t.Context(), &w, first))
		second := send(t, t.Context(), conn, get(3)[1:]...)
		synctest.Wait()
		require.Len(t, node.Bytes(0), writes, "the first one has promised to write")
		w.Wait(t.Context(), first)
		require.Equal(t, []string{"+0\r\n"}, replies(first))
		require.Equal(t, []string{"+1\r\n", "+2\r\n"}, replies(second.wait(t.Context())))
	})
}

func TestDeadlineOfALoneCallIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		node.Handle(nil)
		node.On("GET", fakenode.Reaction{Delay: time.Minute, Send: "+late\r\n"})
		call := get(1)[0]
		begin := time.Now()
		call.Deadline = begin.Add(time.Second)
		require.ErrorIs(t, prompt(context.Background(), conn, call), context.DeadlineExceeded)
		require.InDelta(t, time.Second, time.Since(begin), float64(tick))
		require.True(t, call.Sent && call.Abandoned)
	})
}

func TestAConnectionThatDiesUnderALoneCaller(t *testing.T) {
	for name, die := range map[string]func(*fakenode.Node, *wire.Conn){
		"closed by us": func(_ *fakenode.Node, conn *wire.Conn) { conn.Close() },
		"abandoned":    func(_ *fakenode.Node, conn *wire.Conn) { conn.Abandon(wire.ErrClosed) },
		"FIN":          func(node *fakenode.Node, _ *wire.Conn) { node.Cut(fakenode.FIN) },
		"RST":          func(node *fakenode.Node, _ *wire.Conn) { node.Cut(fakenode.RST) },
		"garbage":      func(node *fakenode.Node, _ *wire.Conn) { node.Push("?what\r\n") },
		"silence":      func(*fakenode.Node, *wire.Conn) { time.Sleep(11 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, conn := alone(t)
				call, done := waiting(t, t.Context(), node, conn, fakenode.Reaction{Delay: time.Hour})
				behind := send(t, t.Context(), conn, get(2)[1:]...)
				die(node, conn)
				<-done
				require.Error(t, call.Err)
				require.True(t, call.Sent && !call.Abandoned)
				require.Error(t, behind.wait(t.Context())[0].Err)
				require.True(t, behind.calls[0].Sent)
				conn.Wait()
				require.Error(t, conn.Err())
				require.Error(t, prompt(t.Context(), conn, get(1)[0]))
			})
		})
	}
}

func TestDrainUnderALoneCallerAndWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		call, done := waiting(t, t.Context(), node, conn, fakenode.Reaction{Delay: time.Second, Send: "+late\r\n"})
		began := time.Now()
		conn.Drain()
		<-done
		require.Equal(t, "+late\r\n", string(call.Reply))
		conn.Wait()
		synctest.Wait()
		require.Equal(t, io.EOF, node.Ended(0), "it parted in peace")
		require.Equal(t, time.Second, time.Since(began))

		node, conn = alone(t)
		conn.Drain()
		conn.Wait()
		synctest.Wait()
		require.Equal(t, io.EOF, node.Ended(0))
	})
}

// The reader of a busy process runs later than the caller that would write.
func TestTheEndOfAnIdleConnectionIsSeenBeforeTheReaderRuns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var server net.Conn
		accepted := make(chan struct{})
		go func() {
			defer close(accepted)
			server, _ = l.Accept()
			_, _ = server.Read(make([]byte, 1024))
			_, _ = server.Write([]byte(fakenode.Hello))
		}()
		conn := connect(t, wire.Options{Addr: l.Addr().String(), MaxInFlight: 64})
		<-accepted
		require.NoError(t, l.Close())
		require.NoError(t, server.Close())
		for began := time.Now(); time.Since(began) < time.Millisecond; { // without giving way
		}
		w, calls := wire.Waiter{Prompt: true}, get(1)
		w.Expect(1)
		require.ErrorIs(t, conn.Send(t.Context(), &w, calls), io.EOF)
	}
}

// Over TLS an end is announced, so it is something to read. What it is only the reader can tell, which runs later.
func TestNothingIsRiskedOnAnIdleConnectionWithSomethingUnread(t *testing.T) {
	ca := newAuthority(t)
	server := ca.server(t, "node")
	stray := func(n *fakenode.Node) { n.Push("+EXTRA\r\n") }
	for name, row := range map[string]struct {
		tls   bool
		comes func(*fakenode.Node)
		want  error // nil: any
	}{
		"a stray reply":          {false, stray, wire.ErrMisplaced},
		"a stray reply over TLS": {true, stray, wire.ErrMisplaced},
		"an end over TLS":        {true, func(n *fakenode.Node) { n.Cut(fakenode.FIN) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.Handle(echo)
				if row.tls {
					node.UseTLS(server)
					opts.TLS = ca.client()
				}
				conn, release := withALateReader(t, opts)
				row.comes(node)
				time.Sleep(time.Millisecond)
				time.AfterFunc(time.Millisecond, release)
				var w wire.Waiter
				w.Expect(1)
				err := conn.Send(t.Context(), &w, get(1))
				require.Error(t, err, "the call was not taken")
				if row.want != nil {
					require.ErrorIs(t, err, row.want)
				}
				require.NotContains(t, commands(node), "GET 0")
			})
		})
	}
}

func TestAMerePushHoldsACommandUpForOnePing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		conn, release := withALateReader(t, opts)
		node.Push(">1\r\n+news\r\n")
		time.Sleep(time.Millisecond)
		time.AfterFunc(time.Millisecond, release)
		mustEcho(t, conn, "mine")
		mustEcho(t, conn, "next")
		require.Equal(t, []string{"GET warm", "PING", "GET mine", "GET next"}, commands(node))
	})
}

// withALateReader returns a connection whose reader reads no more until it is released.
func withALateReader(t *testing.T, opts wire.Options) (conn *wire.Conn, release func()) {
	var raw watched
	raw.dialled(&opts)
	conn = connect(t, opts)
	synctest.Wait() // until the reader reads
	late := make(chan struct{})
	raw.onRead = func() { <-late }
	mustEcho(t, conn, "warm")
	synctest.Wait()
	return conn, func() { close(late) }
}

// A look into a connection that it may wait for must not be mistaken for the end of it, nor be missed: whatever the
// order of a cancel and a reply, the connection lives and everybody gets their own.
func TestLoneCallersAreCancelledAtAnyMoment(t *testing.T) {
	node, opts := newNode(t)
	addr, err := node.Listen()
	require.NoError(t, err)
	node.Handle(echo)
	opts.Addr, opts.Dial = addr, nil
	conn := connect(t, opts)
	for i := range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(i%50)*time.Microsecond, cancel)
		key := fmt.Sprint(i)
		call := &wire.Call{Request: request("GET", key)}
		if err := prompt(ctx, conn, call); err != nil {
			require.ErrorIs(t, err, context.Canceled)
			continue
		}
		require.Equal(t, "+"+key+"\r\n", string(call.Reply))
	}
	require.NoError(t, conn.Err())
}

// The reader that left has seen nothing of what came since. Who does not look for itself leaves that to it, before it writes.
func TestNothingIsRiskedUnseenByCallersThatDoNotWaitAtOnce(t *testing.T) {
	for end, want := range map[fakenode.End]error{fakenode.FIN: io.EOF, fakenode.RST: syscall.ECONNRESET} {
		synctest.Test(t, func(t *testing.T) {
			node, conn := alone(t)
			before := len(commands(node))
			node.Cut(end)
			for _, call := range send(t, t.Context(), conn, get(3)...).wait(t.Context()) {
				require.ErrorIs(t, call.Err, want)
				require.False(t, call.Sent || call.Abandoned)
			}
			require.Len(t, commands(node), before)
		})
	}
}

// Closing a socket waits for whoever reads it, so a write that fails within the read must not close it.
func TestALoneCallersWriteFails(t *testing.T) {
	var socket *net.TCPConn
	conn := connect(t, wire.Options{Addr: deaf(t), MaxInFlight: 64, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		raw, err := d.DialContext(ctx, network, addr)
		if err == nil {
			socket = raw.(*net.TCPConn)
		}
		return raw, err
	}})
	for wire.Reader(conn) != "nobody" {
		require.NoError(t, prompt(t.Context(), conn, get(1)[0]))
	}
	require.NoError(t, socket.CloseWrite())
	call, done := get(1)[0], make(chan struct{})
	go func() {
		defer close(done)
		_ = prompt(t.Context(), conn, call)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the caller waits for itself")
	}
	require.ErrorIs(t, call.Err, syscall.EPIPE)
	require.False(t, call.Sent || call.Abandoned)
}

// deaf returns the address of a server that answers whatever it reads, and does not hear when its client has no more to say.
func deaf(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	t.Cleanup(func() { <-ended })
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		defer close(ended)
		server, err := l.Accept()
		_ = l.Close()
		if err != nil {
			return
		}
		defer server.Close()
		answer, buf := fakenode.Hello, make([]byte, 1<<10)
		for {
			if _, err := server.Read(buf); err != nil {
				<-stop
				return
			}
			_, _ = server.Write([]byte(answer))
			answer = "+OK\r\n"
		}
	}()
	return l.Addr().String()
}

// What the caller had delivered when it found the bytes behind it to be wrong must not be delivered again, to the next in line.
func TestAReplyInFrontOfGarbageIsDeliveredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var raw dawdling
		node, conn := alone(t, raw.dialled)
		call, done := waiting(t, t.Context(), node, conn, fakenode.Reaction{Delay: time.Second, Send: "+mine\r\n?what\r\n"})
		raw.after.Store(int64(3 * time.Second))
		second := send(t, t.Context(), conn, get(2)[1:]...) // is in Write when the connection dies
		<-done
		require.Equal(t, "+mine\r\n", string(call.Reply))
		other := second.wait(t.Context())[0]
		require.ErrorIs(t, other.Err, conn.Err())
		require.True(t, other.Sent)
	})
}

// Two callers go before the first one has written for both.
func TestTheReaderComesBackThoughNothingWasLeftToWrite(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		for range 64 {
			mustEcho(t, conn, "more")
		}
		ctx, cancel := context.WithCancel(t.Context())
		first, w := get(1), wire.Waiter{Prompt: true}
		w.Expect(1)
		require.NoError(t, conn.Send(ctx, &w, first))
		second := send(t, ctx, conn, get(2)[1:]...)
		cancel()
		w.Wait(ctx, first)
		second.wait(ctx) // before the reader has run
		time.Sleep(3 * tick)
		node.Cut(fakenode.FIN)
		synctest.Wait()
		require.ErrorIs(t, conn.Err(), io.EOF)
	})
}

// Where every processor is busy a yield takes long, and dozens of them would hold up a caller far beyond its context.
func TestACallerThatLooksForItsReplyIsStillCancelled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	node, opts := newNode(t)
	addr, err := node.Listen()
	require.NoError(t, err)
	opts.Addr, opts.Dial = addr, nil
	conn := connect(t, opts)
	node.On("GET", fakenode.Reaction{Delay: 50 * time.Millisecond, Send: "+late\r\n"})
	require.NoError(t, prompt(t.Context(), conn, get(1)[0])) // makes the reader suspect the runtime, and leave
	require.Eventually(t, func() bool { return wire.Reader(conn) == "nobody" }, 100*time.Millisecond, time.Millisecond)
	node.On("GET", fakenode.Reaction{})
	var stopped atomic.Bool
	var hogs sync.WaitGroup
	for range 8 {
		hogs.Go(func() {
			for !stopped.Load() {
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	err = prompt(ctx, conn, get(1)[0])
	took := time.Since(began)
	stopped.Store(true)
	hogs.Wait()
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, took, 2*time.Second)
}

// Those whose replies came together send their next command before the reader reads on, so that it finds more. With one
// processor they run only if it lets them. Now and then the scheduler has the reader back sooner.
func TestTheReaderOfManyRepliesLetsTheirCallersRunFirst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const callers, rounds = 10, 20
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		received := 0
		node.Handle(func(r fakenode.Request) (reaction fakenode.Reaction, ok bool) {
			if r.Name() != "GET" {
				return reaction, false
			}
			if received++; received%callers == 0 {
				reaction.Send = strings.Repeat("+all\r\n", callers)
			}
			return reaction, true
		})
		var raw watched
		raw.dialled(&opts)
		conn := connect(t, opts)
		synctest.Wait()
		meanwhile := 0
		raw.onRead = func() {
			if conn.InFlight() == callers {
				meanwhile++
			}
		}
		var running sync.WaitGroup
		for range callers {
			running.Go(func() {
				for range rounds {
					_, err := try(t.Context(), conn, "GET", "a")
					require.NoError(t, err)
				}
			})
		}
		running.Wait()
		synctest.Wait()
		require.Greater(t, meanwhile, rounds/2)
	})
}
