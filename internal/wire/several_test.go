package wire_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// triple is a call of three commands, that nothing comes between.
func triple(name string) *wire.Call {
	return &wire.Call{
		Request: slices.Concat(request("GET", name+"1"), request("GET", name+"2"), request("GET", name+"3")),
		Replies: 3,
	}
}

func TestACallOfSeveralCommandsGetsAllTheirReplies(t *testing.T) {
	for _, piece := range []int{0, 1, 7} {
		node, opts := newNode(t)
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			reaction, ok := echo(r)
			reaction.Piece = piece
			return reaction, ok
		})
		conn := connect(t, opts)
		asking := triple("c")
		asking.Asking = true
		s := send(t, t.Context(), conn, get(1)[0], triple("a"), triple("b"), asking, get(2)[1])
		require.Equal(t, []string{
			"+0\r\n", "+a1\r\n+a2\r\n+a3\r\n", "+b1\r\n+b2\r\n+b3\r\n", "+c1\r\n+c2\r\n+c3\r\n", "+1\r\n",
		}, replies(s.wait(t.Context())))
		again := send(t, t.Context(), conn, s.calls[1])
		require.Equal(t, []string{"+a1\r\n+a2\r\n+a3\r\n"}, replies(again.wait(t.Context())), "its memory is used again")
		require.Contains(t, strings.Join(commands(node), ","), "ASKING,GET c1,GET c2,GET c3,GET 1")
	}
}

func TestACallOfSeveralCommandsIsNotAnsweredInPart(t *testing.T) {
	for name, part := range map[string]fakenode.Reaction{
		"lost":      {End: fakenode.RST},
		"malformed": {Send: "?\r\n"},
		"half":      {Send: "$5\r\nhal", End: fakenode.FIN},
	} {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Send: "+1\r\n"}, fakenode.Reaction{Send: "+2\r\n"}, part)
		conn := connect(t, opts)
		call := send(t, t.Context(), conn, triple("a")).wait(t.Context())[0]
		require.Error(t, call.Err, name)
		require.True(t, call.Sent, name)
	}
}

// All of its replies are thrown away, those that came before it was given up too, and none reaches the next caller.
func TestACallOfSeveralCommandsIsGivenUpAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		open := make(chan struct{})
		node.On("GET", fakenode.Reaction{Send: "+1\r\n"}, fakenode.Reaction{After: open, Send: "+2\r\n"}, fakenode.Reaction{Send: "+3\r\n"})
		conn := connect(t, opts)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		call := send(t, ctx, conn, triple("a")).wait(ctx)[0]
		require.True(t, errors.Is(call.Err, context.DeadlineExceeded) && call.Sent && call.Abandoned)
		next := send(t, t.Context(), conn, &wire.Call{Request: request("ECHO", "mine")})
		close(open)
		require.Equal(t, []string{"$4\r\nmine\r\n"}, replies(next.wait(t.Context())))
		require.NoError(t, conn.Err())
	})
}

func TestACallOfSeveralCommandsWasSentOnceItsLastByteWas(t *testing.T) {
	all := len(triple("a").Request)
	for k := range all + 1 {
		_, opts := newNode(t)
		limit(&opts, k)
		conn := connect(t, opts)
		wire.CountExactly(conn)
		call := send(t, t.Context(), conn, triple("a"), get(1)[0]).wait(t.Context())[0]
		require.Equal(t, k == all, call.Err == nil || call.Sent, "%d bytes", k)
	}
}
