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

// handOver lets a second connection follow the first one, which owes a reply that comes as late says.
func handOver(t *testing.T, late fakenode.Reaction, adjust ...func(*wire.Options)) (*fakenode.Node, *sending, *wire.Conn) {
	node, opts := newNode(t)
	for _, a := range adjust {
		a(&opts)
	}
	old, next := connect(t, opts), connect(t, opts)
	node.On("GET", late, fakenode.Reaction{Send: "+next\r\n"})
	owed := send(t, t.Context(), old, get(1)...)
	synctest.Wait()
	next.Follow(old)
	old.Drain()
	return node, owed, next
}

func TestASuccessorWritesWhenItsPredecessorIsDone(t *testing.T) {
	for name, late := range map[string]fakenode.Reaction{
		"answered": {Delay: time.Second, Send: "+old\r\n"},
		"reset":    {Delay: time.Second, End: fakenode.RST},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, owed, next := handOver(t, late)
				begin := time.Now()
				later := send(t, t.Context(), next, get(3)...)
				time.Sleep(999 * time.Millisecond)
				require.Len(t, commands(node), 1, "nothing overtakes")
				require.Equal(t, []string{"+next\r\n", "+next\r\n", "+next\r\n"}, replies(later.wait(t.Context())))
				require.Equal(t, time.Second, time.Since(begin))
				require.Equal(t, name == "answered", owed.wait(t.Context())[0].Err == nil)
			})
		})
	}
}

func TestASuccessorOfAnIdleConnectionWritesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		old, next := connect(t, opts), connect(t, opts)
		next.Follow(old)
		old.Drain()
		begin := time.Now()
		mustEcho(t, next, "a")
		require.Equal(t, begin, time.Now())
		leaveAlone(t, next)
	})
}

// While it has nothing to write it is neither silent nor idle, however long that takes.
func TestASuccessorWaitsLongerThanAPeerMayBeSilent(t *testing.T) {
	const push = ">1\r\n+p\r\n" // signs of life
	slow := fakenode.Reaction{Send: strings.Repeat(push, 25) + "+old\r\n", Piece: len(push), Gap: 400 * time.Millisecond}
	probing := func(o *wire.Options) {
		o.PeerTimeout, o.IdleProbe = time.Second, time.Second
		o.OnSilent = func(*wire.Conn) { t.Error("nobody is silent") }
	}
	synctest.Test(t, func(t *testing.T) {
		node, owed, next := handOver(t, slow, probing)
		time.Sleep(5 * time.Second)
		later := send(t, t.Context(), next, get(1)...)
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		given := send(t, hurried, next, &wire.Call{Request: request("GET", "given up")}).wait(hurried)[0]
		require.ErrorIs(t, given.Err, context.DeadlineExceeded)
		require.False(t, given.Sent)
		require.Equal(t, []string{"+next\r\n"}, replies(later.wait(t.Context())))
		require.NoError(t, owed.wait(t.Context())[0].Err)
		require.Equal(t, []string{"GET 0", "GET 0"}, commands(node))
	})
}

func TestASuccessorThatDiesLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, owed, next := handOver(t, fakenode.Reaction{Delay: time.Second, Send: "+old\r\n"})
		later := send(t, t.Context(), next, get(1)...)
		next.Close()
		require.ErrorIs(t, later.wait(t.Context())[0].Err, wire.ErrClosed)
		require.False(t, later.calls[0].Sent)
		require.NoError(t, owed.wait(t.Context())[0].Err)
	})
}

func TestAnOldConnectionIsToldOfWhileItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		var told atomic.Int32
		opts.MaxAge, opts.OnOld = time.Minute, func(*wire.Conn) { told.Add(1) }
		conn := connect(t, opts)
		for range 59 {
			mustEcho(t, conn, "a")
			time.Sleep(time.Second)
		}
		require.Zero(t, told.Load())
		require.False(t, conn.Old())
		time.Sleep(time.Hour)
		require.Zero(t, told.Load(), "an unused connection has no timer")
		require.True(t, conn.Old())
		for range 4 {
			mustEcho(t, conn, "a")
			time.Sleep(tick + time.Millisecond)
		}
		require.EqualValues(t, 4, told.Load())
		conn.Drain()
	})
}
