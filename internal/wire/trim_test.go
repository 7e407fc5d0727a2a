package wire_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// idleBudget is what an idle connection may hold in buffers.
const idleBudget = 16 << 10

// burst lets many calls pass at once, and then fewer, whose buffers are small enough to be kept for the next ones.
func burst(t *testing.T, conn *wire.Conn) {
	t.Helper()
	for _, n := range []int{1000, 100} {
		calls := get(n)
		for _, call := range calls {
			call.Request = request("GET", strings.Repeat("k", 200))
		}
		calls[0].Request = request("ECHO", strings.Repeat("v", 20e3))
		for _, call := range send(t, t.Context(), conn, calls...).wait(t.Context()) {
			require.NoError(t, call.Err)
		}
	}
}

func TestAnIdleConnectionGivesUpWhatABurstNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Send: bulk(500)})
		opts.MaxInFlight = 4096
		conn := connect(t, opts)
		for range 3 {
			burst(t, conn)
			require.Greater(t, wire.Held(conn), idleBudget)
			time.Sleep(300 * time.Millisecond) // a tick of the watchdog
			synctest.Wait()
			require.LessOrEqual(t, wire.Held(conn), idleBudget)
		}
		conn.Drain()
		conn.Wait()
	})
}

// What the reader is woken with is a deadline, and TLS has opinions about those.
func TestAnIdleConnectionIsTrimmedUnderTLS(t *testing.T) {
	node, opts := newNode(t)
	ca := newAuthority(t)
	node.UseTLS(ca.server(t, "127.0.0.1"))
	addr, err := node.Listen()
	require.NoError(t, err)
	node.On("GET", fakenode.Reaction{Send: bulk(500)})
	opts.Addr, opts.Dial, opts.TLS, opts.MaxInFlight = addr, nil, ca.client(), 4096
	conn := connect(t, opts)
	for range 2 {
		burst(t, conn)
		require.Eventually(t, func() bool { return wire.Held(conn) <= idleBudget }, 5*time.Second, 10*time.Millisecond)
	}
}

// afterBurst returns a connection with a burst behind it, of which the last reply was late: the reader suspects the
// runtime, and has left reading to the next caller.
func afterBurst(t *testing.T, adjust ...func(*wire.Options)) (*fakenode.Node, *wire.Conn) {
	node, opts := newNode(t)
	for _, a := range adjust {
		a(&opts)
	}
	node.On("GET", fakenode.Reaction{Send: bulk(500)})
	node.On("LATE", fakenode.Reaction{Delay: 5 * time.Millisecond, Send: "+late\r\n"})
	opts.MaxInFlight = 4096
	conn := connect(t, opts)
	burst(t, conn)
	_, err := try(t.Context(), conn, "LATE")
	require.NoError(t, err)
	synctest.Wait()
	require.Greater(t, wire.Held(conn), idleBudget)
	return node, conn
}

// A reader that is called back only to leave again would neither give up its buffer nor see the connection end.
func TestAConnectionThatNobodyReadsIsTrimmedAndReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := afterBurst(t)
		require.Equal(t, "nobody", wire.Reader(conn))
		time.Sleep(3 * tick)
		require.LessOrEqual(t, wire.Held(conn), idleBudget)
		require.Equal(t, "the reader", wire.Reader(conn))
		node.Cut(fakenode.FIN)
		synctest.Wait()
		require.ErrorIs(t, conn.Err(), io.EOF)
	})
}

// The first command sets the timer, and the last one may come at any time after it: the look that follows counts
// from the last reply.
func TestTheLastLookIsATickAfterTheLastReply(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond,
		tick - 10*time.Millisecond, tick + 10*time.Millisecond, 2*tick - 10*time.Millisecond} {
		t.Run(pause.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, conn := alone(t)
				time.Sleep(pause)
				mustEcho(t, conn, "last")
				time.Sleep(tick + time.Millisecond)
				synctest.Wait()
				require.Equal(t, "the reader", wire.Reader(conn))
			})
		})
	}
}

func TestACallThatWasNeverSentDoesNotCancelTheTrim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conn := afterBurst(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		call := get(1)[0]
		require.ErrorIs(t, prompt(ctx, conn, call), context.Canceled)
		require.False(t, call.Sent || call.Abandoned, "it was cut out")
		time.Sleep(3 * tick)
		require.LessOrEqual(t, wire.Held(conn), idleBudget)
	})
}

// dawdling is a connection whose Write comes back long after the peer has the bytes.
type dawdling struct {
	inner
	after atomic.Int64 // how long, in nanoseconds
}

func (d *dawdling) Write(b []byte) (int, error) {
	n, err := d.Conn.Write(b)
	time.Sleep(time.Duration(d.after.Load()))
	return n, err
}

// dialled makes connections dawdle.
func (d *dawdling) dialled(opts *wire.Options) { d.within(d, opts) }

func TestAWriteThatEndsAfterTheLastReplyDoesNotPreventTheTrim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var raw dawdling
		_, conn := afterBurst(t, raw.dialled)
		raw.after.Store(int64(3 * tick))
		burst(t, conn)
		time.Sleep(6 * tick)
		require.LessOrEqual(t, wire.Held(conn), idleBudget)
	})
}

// parting is a connection that is drained at the very moment at which the reader, trimmed, is about to read on.
type parting struct {
	inner
	conn atomic.Pointer[wire.Conn]
}

func (p *parting) SetReadDeadline(t time.Time) error {
	if conn := p.conn.Load(); conn != nil && t.IsZero() {
		conn.Drain()
	}
	return p.Conn.SetReadDeadline(t)
}

func TestDrainIsHeardWhileTheConnectionIsTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, opts := newNode(t)
		var raw parting
		raw.within(&raw, &opts)
		conn := connect(t, opts)
		raw.conn.Store(conn)
		burst(t, conn)
		time.Sleep(300 * time.Millisecond)
		conn.Wait()
	})
}
