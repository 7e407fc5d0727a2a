package wire_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
)

var errMoved = errors.New("moved")

func TestCallsGivenBackCanBeSentElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		late := make(chan struct{})
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			reaction, ok := echo(r)
			reaction.After = late
			return reaction, ok
		})
		conn := connect(t, opts)
		other := connect(t, opts)
		calls := get(3)
		calls[0].Movable, calls[2].Movable = true, true
		s := send(t, t.Context(), conn, calls...)
		synctest.Wait()
		conn.GiveBack(errMoved)
		for _, call := range []int{0, 2} {
			require.ErrorIs(t, calls[call].Err, errMoved)
			require.True(t, calls[call].Sent)
			require.False(t, calls[call].Abandoned, "the connection has forgotten it")
		}

		again := send(t, t.Context(), other, calls[0], calls[2])
		close(late)
		require.Equal(t, []string{"+0\r\n", "+2\r\n"}, replies(again.wait(t.Context())))
		require.Equal(t, []string{"+1\r\n"}, replies(s.wait(t.Context())[1:2]), "who stays has its own reply")
		reply, err := try(t.Context(), conn, "GET", "own")
		require.NoError(t, err)
		require.Equal(t, "+own\r\n", reply, "and nobody has another's")
	})
}

func TestAnUnsentCallIsGivenBackUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn, large := blocked(t)
		call := get(1)[0]
		call.Movable = true
		s := send(t, t.Context(), conn, call)
		conn.GiveBack(errMoved)
		s.wait(t.Context())
		require.ErrorIs(t, call.Err, errMoved)
		require.False(t, call.Sent || call.Abandoned)
		node.Resume()
		large.wait(t.Context())
		require.NotContains(t, commands(node), "GET 0")
	})
}

// A caller that is alone reads for itself: it has to be woken.
func TestACallerThatReadsForItselfIsGivenBackItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn := alone(t)
		node.Handle(nil)
		node.On("GET", fakenode.Reaction{Delay: time.Minute, Send: "+late\r\n"}, fakenode.Reaction{Send: "+own\r\n"})
		time.AfterFunc(400*time.Millisecond, func() { conn.GiveBack(errMoved) })
		began := time.Now()
		call := get(1)[0]
		call.Movable = true
		require.ErrorIs(t, prompt(t.Context(), conn, call), errMoved)
		require.Equal(t, 400*time.Millisecond, time.Since(began))
	})
}
