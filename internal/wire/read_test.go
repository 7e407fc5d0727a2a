package wire_test

import (
	"context"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

func TestRepliesAnswerCallsInOrderHoweverTheyAreCut(t *testing.T) {
	const push = ">2\r\n+invalidate\r\n*1\r\n+k\r\n"
	frames := []string{
		"+zero\r\n", "$3\r\none\r\n", "*2\r\n:1\r\n*1\r\n$-1\r\n", "%1\r\n+k\r\n#t\r\n", "-ERR four\r\n", "_\r\n",
		"|1\r\n+ttl\r\n:3\r\n+six\r\n", "$?\r\n;2\r\nse\r\n;0\r\n",
	}
	stream := push + strings.Join(frames, push+push) + push
	for piece := 1; piece <= len(stream); piece++ {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.On("GET", fakenode.Reaction{})
			last := string(request("GET", "7"))
			node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				return fakenode.Reaction{Send: stream, Piece: piece, Gap: time.Millisecond}, string(request(r.Args...)) == last
			})
			conn := connect(t, opts)
			calls := send(t, t.Context(), conn, get(len(frames))...).wait(t.Context())
			require.Equal(t, frames, replies(calls), "in pieces of %d", piece)
			synctest.Wait()
			require.NoError(t, conn.Err())
		})
	}
}

// The next caller must never get it: neither one that is there already nor one that comes just then.
func TestSurplusReplyKillsTheConnection(t *testing.T) {
	for name, surplus := range map[string]string{"reply": "+EXTRA\r\n", "error": "-ERR extra\r\n", "null": "_\r\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.Handle(echo)
				conn := connect(t, opts)
				node.Push(surplus)
				synctest.Wait()
				require.ErrorIs(t, conn.Err(), wire.ErrSurplusReply)
				_, err := try(t.Context(), conn, "GET", "a")
				require.ErrorIs(t, err, wire.ErrSurplusReply)
				require.Empty(t, commands(node), "nothing was risked on it")
			})
		})
		t.Run(name+" behind a reply", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.On("GET", fakenode.Reaction{Send: "+a\r\n" + surplus})
				conn := connect(t, opts)
				_, err := try(t.Context(), conn, "GET", "a")
				require.ErrorIs(t, err, wire.ErrSurplusReply, "nobody knows which of the two is the reply")
				require.ErrorIs(t, conn.Err(), wire.ErrSurplusReply)
			})
		})
	}
}

func TestAskingTakesAReplyOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		node.On("ASKING", fakenode.Reaction{Send: "+OK\r\n"}, fakenode.Reaction{Send: ">1\r\n+p\r\n-NOPERM asking\r\n"})
		conn := connect(t, opts)
		calls := get(4)
		calls[1].Asking, calls[2].Asking = true, true
		send(t, t.Context(), conn, calls...).wait(t.Context())
		require.Equal(t, []string{"+0\r\n", "+1\r\n", "+2\r\n", "+3\r\n"}, replies(calls))
		require.Equal(t, []string{"GET 0", "ASKING", "GET 1", "ASKING", "GET 2", "GET 3"}, commands(node))
	})
}

// Of four calls the first is answered; what comes in place of the second reply ends the connection.
func TestHostileBytesEndTheConnectionWithATypedError(t *testing.T) {
	for name, hostile := range map[string]string{
		"wrong type byte":       "hello\r\n",
		"LF without CR":         "+OK\n",
		"CR without LF":         "+OK\rx",
		"negative length":       "$-2\r\n",
		"negative count":        "*-2\r\n",
		"empty integer":         ":\r\n",
		"huge integer":          ":99999999999999999999\r\n",
		"huge bulk":             "$1099511627776\r\n",
		"largest bulk":          "$9223372036854775807\r\n",
		"more than 64 bits":     "$99999999999999999999\r\n",
		"huge array":            "*1099511627776\r\n",
		"bad end of bulk":       "$2\r\nabc\r\n",
		"endless line":          "+" + strings.Repeat("x", 64<<10+1),
		"endless error":         "-" + strings.Repeat("x", 64<<10+1),
		"nested 10^6 deep":      strings.Repeat("*1\r\n", 1_000_000),
		"chunk without stream":  ";3\r\nabc\r\n",
		"end without aggregate": ".\r\n",
		"boolean":               "#x\r\n",
		"huge push":             ">1099511627776\r\n",
		"TLS alert":             "\x15\x03\x01\x00\x02\x02\x46",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.On("GET", fakenode.Reaction{Send: "+ok\r\n"}, fakenode.Reaction{Send: hostile})
				conn := connect(t, opts)
				calls := send(t, t.Context(), conn, get(4)...).wait(t.Context())
				require.Equal(t, "+ok\r\n", string(calls[0].Reply))
				var malformed *resp.ProtocolError
				for _, call := range calls[1:] {
					require.ErrorAs(t, call.Err, &malformed)
					require.True(t, call.Sent, "it may have run")
				}
				require.ErrorAs(t, conn.Err(), &malformed)
			})
		})
	}
}

func TestConnectionLostInTheMiddleOfAReply(t *testing.T) {
	const first, second = "$5\r\nfirst\r\n", "*2\r\n$6\r\nsecond\r\n:2\r\n"
	for end, cause := range map[fakenode.End]error{fakenode.FIN: io.ErrUnexpectedEOF, fakenode.RST: syscall.ECONNRESET} {
		for k := range len(first + second) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.On("GET", fakenode.Reaction{}, fakenode.Reaction{Send: (first + second)[:k], End: end})
				conn := connect(t, opts)
				calls := send(t, t.Context(), conn, get(2)...).wait(t.Context())
				if k >= len(first) {
					require.Equal(t, first, string(calls[0].Reply))
					calls = calls[1:]
				}
				wanted := cause
				if end == fakenode.FIN && (k == 0 || k == len(first)) {
					wanted = io.EOF
				}
				for _, call := range calls {
					require.ErrorIs(t, call.Err, wanted, "after %d bytes", k)
					require.True(t, call.Sent)
					require.Empty(t, call.Reply, "never a part of a reply")
				}
			})
		}
	}
}

func TestIdleConnectionNoticesThatThePeerHasGone(t *testing.T) {
	for _, end := range []fakenode.End{fakenode.FIN, fakenode.RST} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			conn := connect(t, opts)
			node.Cut(end)
			conn.Wait()
			_, err := try(t.Context(), conn, "GET", "a")
			require.ErrorIs(t, err, conn.Err())
			require.Empty(t, commands(node))
		})
	}
}

func TestLargeRepliesAndFloodsOfPushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		large := string(resp.AppendBulk(nil, strings.Repeat("x", 5<<20)))
		flood := strings.Repeat(">1\r\n$1000\r\n"+strings.Repeat("p", 1000)+"\r\n", 3_000)
		node.On("GET", fakenode.Reaction{Send: flood + large + flood}, fakenode.Reaction{Send: "+b\r\n"})
		conn := connect(t, opts)
		reply, err := try(t.Context(), conn, "GET", "a")
		require.NoError(t, err)
		require.Equal(t, large, reply)
		reply, err = try(t.Context(), conn, "GET", "b")
		require.NoError(t, err)
		require.Equal(t, "+b\r\n", reply)
	})
}

func TestReplyBufferIsReusedByTheNextSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		conn := connect(t, opts)
		call := get(1)[0]
		send(t, context.Background(), conn, call).wait(t.Context())
		before := &call.Reply[0]
		send(t, context.Background(), conn, call).wait(t.Context())
		require.Same(t, before, &call.Reply[0])
	})
}
