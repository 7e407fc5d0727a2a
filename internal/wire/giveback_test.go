package wire_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
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

// What was given back holds its room until its reply comes.
func TestWhoWaitsForRoomIsGivenBackItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		late := make(chan struct{})
		node.On("GET", fakenode.Reaction{After: late, Send: "+late\r\n"}, fakenode.Reaction{Send: "+own\r\n"})
		opts.MaxInFlight = 2
		conn := connect(t, opts)
		full := get(2)
		full[0].Movable, full[1].Movable = true, true
		sent := send(t, t.Context(), conn, full...)
		wait := func(movable ...bool) <-chan error {
			entered, calls := make(chan error, 1), get(len(movable))
			for i, m := range movable {
				calls[i].Movable = m
			}
			go func() { // ends with its turn
				var w wire.Waiter
				w.Expect(len(calls))
				entered <- conn.Send(t.Context(), &w, calls)
			}()
			synctest.Wait()
			return entered
		}
		stay, leave, partly := wait(false), wait(true, true), wait(true, false)
		conn.GiveBack(errMoved)
		sent.wait(t.Context())
		require.ErrorIs(t, <-leave, errMoved)
		synctest.Wait()
		require.Empty(t, stay)
		require.Empty(t, partly)
		close(late)
		require.NoError(t, <-stay)
		require.NoError(t, <-partly)
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

// Its caller keeps what had come and sends the rest elsewhere. What is still owed is thrown away, though it comes in
// one read with what others wait for.
func TestABatchGivenBackKeepsTheRepliesItHas(t *testing.T) {
	for name, row := range map[string]struct {
		asking string // the reply to ASKING
		first  string // the first one, which comes at once; empty: with the others
	}{"answered partly": {"+OK\r\n", "+1\r\n"}, "asked": {"+OK\r\n", ""}, "not even asked": {"", ""}} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			rest := "+OK\r\n+1\r\n$1\r\n2\r\n:3\r\n+own\r\n"[len(row.asking+row.first):]
			node.On("ASKING", fakenode.Reaction{Send: row.asking})
			node.On("GET", fakenode.Reaction{Send: row.first}, fakenode.Reaction{}, fakenode.Reaction{}, fakenode.Reaction{Send: rest}, fakenode.Reaction{Send: "+next\r\n"})
			conn := connect(t, opts)
			batch := triple("a")
			batch.Asking, batch.Movable = true, true
			s := send(t, t.Context(), conn, batch)
			synctest.Wait()
			conn.GiveBack(errMoved)
			require.ErrorIs(t, s.wait(t.Context())[0].Err, errMoved)
			require.True(t, batch.Sent && !batch.Abandoned, name)
			require.Equal(t, 3, batch.Accepted, name)
			require.Equal(t, strings.TrimSpace(row.first), answers(batch), name)
			require.Equal(t, 3-len(batch.Replies), conn.InFlight(), name)
			for _, want := range []string{"+own\r\n", "+next\r\n"} {
				reply, err := try(t.Context(), conn, "GET", "own")
				require.NoError(t, err, name)
				require.Equal(t, want, reply, name)
				require.Zero(t, conn.InFlight(), name)
			}
			require.Equal(t, strings.TrimSpace(row.first), answers(batch), name)
		})
	}
}

func TestTheReplyToTheAskingOfACallGivenBackIsStillChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("ASKING", fakenode.Reaction{Delay: time.Second, Send: ":1\r\n"})
		conn := connect(t, opts)
		batch := triple("a")
		batch.Asking, batch.Movable = true, true
		send(t, t.Context(), conn, batch)
		conn.GiveBack(errMoved)
		time.Sleep(time.Second)
		synctest.Wait()
		require.ErrorIs(t, conn.Err(), wire.ErrMisplaced)
	})
}
