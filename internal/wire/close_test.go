package wire_test

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

func TestDrainFinishesWhatIsInFlightAndEndsPolitely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Delay: time.Second, Send: "+ok\r\n"})
		ended := 0
		opts.OnEnd = func() { ended++ }
		opts.MaxInFlight = 2
		conn := connect(t, opts)
		owed := send(t, t.Context(), conn, get(2)...)
		waiting := make(chan error)
		go func() {
			_, err := try(t.Context(), conn, "GET", "waiting")
			waiting <- err
		}()
		synctest.Wait()

		conn.Drain()
		conn.Drain()
		require.ErrorIs(t, <-waiting, wire.ErrClosed)
		_, err := try(t.Context(), conn, "GET", "late")
		require.ErrorIs(t, err, wire.ErrClosed)
		require.ErrorIs(t, conn.Err(), wire.ErrClosed)
		require.Equal(t, []string{"+ok\r\n", "+ok\r\n"}, replies(owed.wait(t.Context())))
		conn.Wait()
		synctest.Wait()
		require.Equal(t, io.EOF, node.Ended(0))
		require.Equal(t, 1, ended)
		require.Equal(t, []string{"GET 0", "GET 1"}, commands(node))
	})
}

func TestDrainOfAnUnusedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		opts.LibName, opts.LibVer = "keyslot", "1"
		conn := connect(t, opts)
		conn.Drain()
		conn.Wait()
		synctest.Wait()
		require.Equal(t, io.EOF, node.Ended(0))
	})
}

func TestDrainedConnectionEndsAlsoWhenItsLastCallIsCutOut(t *testing.T) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, cutOut := range map[string]func(*wire.Conn, *sending){
		"given up":          func(_ *wire.Conn, s *sending) { s.wait(gone) },
		"given back":        func(conn *wire.Conn, _ *sending) { conn.GiveBack(errMoved) },
		"past its deadline": func(*wire.Conn, *sending) { time.Sleep(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				before, conn := connect(t, opts), connect(t, opts)
				defer before.Close()
				conn.Follow(before) // so nothing is written
				call := get(1)[0]
				call.Movable, call.Deadline = true, time.Now().Add(time.Second)
				s := send(t, t.Context(), conn, call)
				synctest.Wait() // until the reader reads
				conn.Drain()
				cutOut(conn, s)
				synctest.Wait()
				require.Equal(t, io.EOF, node.Ended(1))
				require.Error(t, call.Err)
				require.False(t, call.Sent)
			})
		})
	}
}

func TestDrainWaitsForAbandonedReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Delay: time.Second, Send: "+late\r\n"})
		conn := connect(t, opts)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		send(t, ctx, conn, get(1)...).wait(ctx)
		begin := time.Now()
		conn.Drain()
		conn.Wait()
		require.Equal(t, 999*time.Millisecond, time.Since(begin))
	})
}

func TestDrainOfAPeerThatHangsEndsByTheWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{})
		conn := connect(t, opts)
		owed := send(t, t.Context(), conn, get(1)...)
		conn.Drain()
		require.ErrorIs(t, owed.wait(t.Context())[0].Err, wire.ErrPeerSilent)
		conn.Wait()
	})
}

func TestCloseSettlesEverythingAtOnce(t *testing.T) {
	errFenced := errors.New("fenced")
	for name, end := range map[string]func(*wire.Conn){
		"close":   (*wire.Conn).Close,
		"abandon": func(c *wire.Conn) { c.Abandon(errFenced) },
	} {
		cause := map[string]error{"close": wire.ErrClosed, "abandon": errFenced}[name]
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := 0
				node, conn, large := blocked(t, func(o *wire.Options) {
					o.MaxInFlight = 4
					o.OnEnd = func() { ended++ }
				})
				wire.CountExactly(conn)
				unsent := send(t, t.Context(), conn, get(3)...)
				waiting := make(chan error)
				go func() {
					_, err := try(t.Context(), conn, "GET", "waiting")
					waiting <- err
				}()
				given, cancel := context.WithCancel(t.Context())
				cancel()
				synctest.Wait()
				begin := time.Now()
				end(conn)
				for _, call := range append(unsent.wait(given), large.wait(given)...) {
					if !call.Abandoned {
						require.True(t, errors.Is(call.Err, cause) || errors.Is(call.Err, context.Canceled), "%v", call.Err)
					}
					require.False(t, call.Sent && len(call.Request) < 100, "what lay behind the stuck write was not sent")
				}
				require.ErrorIs(t, <-waiting, cause)
				conn.Wait()
				require.Equal(t, begin, time.Now())
				require.ErrorIs(t, conn.Err(), cause)
				end(conn)
				node.Resume()
				synctest.Wait()
				require.Equal(t, 1, ended)
				require.Equal(t, syscall.ECONNRESET, node.Ended(0))
				require.Empty(t, commands(node), "a command without its last byte does not run")
			})
		})
	}
}

func TestConnectionThatDiesWhileItsWriterIsStuckTellsWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conn, large := blocked(t, func(o *wire.Options) { o.PeerTimeout = time.Second })
		wire.CountExactly(conn)
		behind := send(t, t.Context(), conn, get(2)...)
		for _, call := range append(large.wait(t.Context()), behind.wait(t.Context())...) {
			require.ErrorIs(t, call.Err, wire.ErrPeerSilent)
			require.False(t, call.Sent, "not even the first was accepted whole")
		}
	})
}
