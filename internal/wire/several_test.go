package wire_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// triple is a batch of three commands, that nothing comes between.
func triple(name string) *wire.Call {
	return &wire.Call{Batch: [][]byte{request("GET", name+"1"), request("GET", name+"2"), request("GET", name+"3")}}
}

// answers are the replies to the commands of a batch that were answered.
func answers(batch *wire.Call) string {
	var all []string
	for _, reply := range batch.Replies {
		all = append(all, strings.TrimSpace(string(reply)))
	}
	return strings.Join(all, " ")
}

func TestABatchGetsAReplyForEachOfItsCommands(t *testing.T) {
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
		calls := send(t, t.Context(), conn, get(1)[0], triple("a"), triple("b"), asking, get(2)[1]).wait(t.Context())
		require.Equal(t, []string{"+0\r\n", "+1\r\n"}, replies([]*wire.Call{calls[0], calls[4]}))
		for i, want := range []string{"+a1 +a2 +a3", "+b1 +b2 +b3", "+c1 +c2 +c3"} {
			require.NoError(t, calls[1+i].Err)
			require.Equal(t, want, answers(calls[1+i]))
		}
		require.Equal(t, "+a1 +a2 +a3", answers(send(t, t.Context(), conn, calls[1]).wait(t.Context())[0]), "its memory is used again")
		require.Contains(t, strings.Join(commands(node), ","), "ASKING,GET c1,GET c2,GET c3,GET 1")
	}
}

// What the connection loses after two replies is the third one only.
func TestABatchThatLosesItsConnectionKeepsTheRepliesItHas(t *testing.T) {
	for name, part := range map[string]fakenode.Reaction{
		"lost":      {End: fakenode.RST},
		"malformed": {Send: "?\r\n"},
		"half":      {Send: "$5\r\nhal", End: fakenode.FIN},
	} {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Send: "+1\r\n"}, fakenode.Reaction{Send: ">1\r\n+push\r\n+2\r\n"}, part)
		call := send(t, t.Context(), connect(t, opts), triple("a")).wait(t.Context())[0]
		require.Error(t, call.Err, name)
		require.True(t, call.Sent, name)
		require.Equal(t, 3, call.Accepted, name)
		require.Equal(t, "+1 +2", answers(call), name)
	}
}

// The caller has what had come by then. What comes later is thrown away, and none of it reaches the next caller.
func TestABatchThatIsGivenUpKeepsTheRepliesItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		open := make(chan struct{})
		node.On("GET", fakenode.Reaction{Send: "+1\r\n"}, fakenode.Reaction{After: open, Send: "+2\r\n"}, fakenode.Reaction{Send: "+3\r\n"})
		conn := connect(t, opts)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		call := send(t, ctx, conn, triple("a")).wait(ctx)[0]
		require.ErrorIs(t, call.Err, context.DeadlineExceeded)
		require.True(t, call.Sent && call.Abandoned)
		require.Equal(t, 3, call.Accepted)
		require.Equal(t, "+1", answers(call))
		next := send(t, t.Context(), conn, &wire.Call{Request: request("ECHO", "mine")})
		close(open)
		require.Equal(t, []string{"$4\r\nmine\r\n"}, replies(next.wait(t.Context())))
		require.Equal(t, "+1", answers(call), "it is the caller's")
		require.NoError(t, conn.Err())
	})
}

// Wherever in its replies a batch is given up that its caller reads for itself: the reader reads the rest.
func TestALoneCallersBatchIsGivenUpAtAnyByte(t *testing.T) {
	const whole = "+a1\r\n+a2\r\n+a3\r\n"
	for cut := 1; cut < len(whole); cut++ {
		synctest.Test(t, func(t *testing.T) {
			node, conn := alone(t)
			node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				switch r.Args[1] {
				case "a1", "a2":
					return fakenode.Reaction{}, true
				case "a3":
					return fakenode.Reaction{Send: whole, Piece: cut, Gap: time.Second}, true
				}
				return echo(r)
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			batch := triple("a")
			require.ErrorIs(t, prompt(ctx, conn, batch), context.DeadlineExceeded)
			require.True(t, batch.Sent && batch.Abandoned)
			had := answers(batch)
			require.Equal(t, []string{"", "+a1", "+a1 +a2"}[cut/len("+a1\r\n")], had)
			mustEcho(t, conn, "next")
			require.Equal(t, had, answers(batch), "it is the caller's")
			leaveAlone(t, conn)
		})
	}
}

// Exactly those commands may run of which every byte was accepted.
func TestABatchSaysWhichOfItsCommandsWereSent(t *testing.T) {
	for _, asking := range []bool{false, true} {
		whole := triple("a")
		whole.Asking = asking
		var ends []int
		sent := 0
		if asking {
			sent = len(request("ASKING"))
		}
		for _, command := range whole.Batch {
			sent += len(command)
			ends = append(ends, sent)
		}
		batch := &wire.Call{Batch: whole.Batch, Asking: asking}
		for k := sent; k >= 0; k-- {
			node, opts := newNode(t)
			node.On("GET", fakenode.Reaction{}, fakenode.Reaction{}, fakenode.Reaction{})
			limit(&opts, k)
			conn := connect(t, opts)
			wire.CountExactly(conn)
			call := send(t, t.Context(), conn, batch, get(1)[0]).wait(t.Context())[0]
			accepted, _ := slices.BinarySearchFunc(ends, k, func(end, k int) int { return end - k - 1 })
			require.Error(t, call.Err)
			require.Equal(t, accepted, call.Accepted, "%d bytes", k)
			require.Equal(t, accepted == 3, call.Sent, "%d bytes", k)
		}
	}
}

// ofSizes is a batch that sized answers with lines of so many bytes, and these lines.
func ofSizes(sizes ...int) (batch *wire.Call, lines []string) {
	batch = new(wire.Call)
	for i, size := range sizes {
		batch.Batch = append(batch.Batch, request("GET", strconv.Itoa(i), strconv.Itoa(size)))
		lines = append(lines, "+"+strings.Repeat(string(rune('a'+i%26)), size-len("+\r\n"))+"\r\n")
	}
	return batch, lines
}

// sized answers what ofSizes asks for, line by line, or all of it at once behind the last request.
func sized(node *fakenode.Node, lines []string, atOnce bool) {
	node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
		if r.Name() != "GET" {
			return fakenode.Reaction{}, false
		}
		i, _ := strconv.Atoi(r.Args[1])
		switch {
		case !atOnce:
			return fakenode.Reaction{Delay: time.Microsecond, Send: lines[i]}, true
		case i == len(lines)-1:
			return fakenode.Reaction{Send: strings.Join(lines, "")}, true
		}
		return fakenode.Reaction{}, true
	})
}

// Whoever keeps a long reply keeps nothing else with it, and whoever keeps a short one little else. That memory is used again.
func TestShortRepliesOfABatchShareMemory(t *testing.T) {
	const most = wire.OwnReply
	many := slices.Repeat([]int{1000}, 200)
	for name, row := range map[string]struct {
		sizes  []int
		shared int // bytes in the memory that came last; -1: as it happens
	}{
		"short ones":                   {[]int{600, 300}, 900},
		"a long one between":           {[]int{600, most + 1, 300}, 900},
		"the longest":                  {[]int{most}, most},
		"more than that":               {[]int{most + 1}, 0},
		"the longest behind":           {[]int{300, most}, -1},
		"a long one behind":            {[]int{300, most + 1}, 300},
		"many":                         {many, -1},
		"more than a lock is held for": {slices.Repeat([]int{20}, 600), -1},
		"many, and a long":             {append(slices.Clone(many[:40]), most+1, 300), -1},
	} {
		for _, atOnce := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				opts.MaxInFlight = len(row.sizes)
				conn := connect(t, opts)
				batch, lines := ofSizes(row.sizes...)
				sized(node, lines, atOnce)
				for range 3 { // by then the read buffer holds it all
					send(t, t.Context(), conn, batch).wait(t.Context())
					require.NoError(t, batch.Err)
					var got []string
					for _, reply := range batch.Replies {
						got = append(got, string(reply))
					}
					require.True(t, slices.Equal(lines, got), name)
					require.LessOrEqual(t, cap(batch.Reply), 64<<10, name)
					if row.shared >= 0 {
						require.Equal(t, row.shared, len(batch.Reply), name)
					}
				}
			})
		}
	}
}

func TestAppendingToAReplyOfABatchReachesNoOther(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			batch, lines := ofSizes(10, 10, 10)
			sized(node, lines, atOnce)
			send(t, t.Context(), connect(t, opts), batch).wait(t.Context())
			for i, reply := range batch.Replies {
				require.Equal(t, lines[i], string(reply))
				_ = append(reply, "overwritten"...)
			}
		})
	}
}

// A batch counts for as many as it has commands: for who may enter, and in what is told of the connection.
func TestTheCommandsOfABatchAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Delay: time.Second, Send: "+ok\r\n"})
		opts.MaxInFlight = 4
		conn := connect(t, opts)
		first := send(t, t.Context(), conn, triple("a"))
		require.Equal(t, 3, conn.InFlight())
		require.Nil(t, offer(conn, get(2)...))
		began := time.Now()
		second := send(t, t.Context(), conn, triple("b"))
		require.Equal(t, 2*time.Second, time.Since(began), "it had to wait for as many replies")
		third := send(t, t.Context(), conn, get(1)...)
		require.Equal(t, conn.InFlight(), conn.Usage().InFlight)
		for _, s := range []*sending{first, second, third} {
			require.NoError(t, s.wait(t.Context())[0].Err)
		}
		require.Zero(t, conn.InFlight())
		offer(conn, get(4)...).wait(t.Context())
		require.EqualValues(t, 11, conn.Usage().Calls)
	})
}

func TestABatchThatIsGivenUpBeforeItsWriteIsCutOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, conn, large := blocked(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		call := send(t, t.Context(), conn, triple("a")).wait(ctx)[0]
		require.ErrorIs(t, call.Err, context.Canceled)
		require.Zero(t, call.Accepted)
		require.False(t, call.Sent || call.Abandoned)
		require.Equal(t, 1, conn.InFlight())
		node.Resume()
		require.NoError(t, large.wait(t.Context())[0].Err)
		require.NotContains(t, strings.Join(commands(node), ","), "GET")
	})
}

// To a caller that is alone it makes no difference how many commands it sends.
func TestABatchIsNoCompanyForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		opts.NoPoll = true
		conn := connect(t, opts)
		for range 80 {
			require.NoError(t, prompt(t.Context(), conn, triple("a")))
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, "nobody", wire.Reader(conn))
	})
}

// Of what one read brings, only that in front of a good fence is handed out where something is wrong behind it.
func TestABatchThatIsReadTogetherWithTheSignGetsNothing(t *testing.T) {
	for name, row := range map[string]struct {
		replies string
		nonces  int // behind them
	}{
		"answered whole":  {"+b1\r\n+b2\r\n+b3\r\n+surplus\r\n", 0},
		"answered partly": {"+b1\r\n", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			opts.MaxInFlight = 1024
			nonce := ""
			node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				switch {
				case r.Name() == "PING":
					nonce = "$13\r\n" + r.Args[1] + "\r\n"
				case r.Name() == "GET" && r.Args[1] == "b3":
					return fakenode.Reaction{Send: "+a1\r\n+a2\r\n+a3\r\n" + nonce + row.replies + strings.Repeat(nonce, row.nonces)}, true
				case r.Name() == "GET" && len(r.Args[1]) == 1:
					return echo(r)
				}
				return fakenode.Reaction{}, r.Name() != "HELLO"
			})
			conn := connect(t, opts)
			for range 253 {
				mustEcho(t, conn, "x")
			}
			calls := send(t, t.Context(), conn, triple("a"), triple("b")).wait(t.Context()) // the fence is between them
			require.NoError(t, calls[0].Err, name)
			require.Equal(t, "+a1 +a2 +a3", answers(calls[0]), name)
			require.ErrorAs(t, calls[1].Err, new(*wire.DesyncError), name)
			require.True(t, calls[1].Sent, name)
			require.Empty(t, answers(calls[1]), name)
		})
	}
}

// The room of a command is free when it is answered, not when all of its batch are.
func TestABatchMakesRoomReplyByReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		opts.MaxInFlight = 4
		open := make(chan struct{})
		node.On("GET", fakenode.Reaction{Send: "+1\r\n"}, fakenode.Reaction{Send: "+2\r\n"}, fakenode.Reaction{After: open, Send: "+3\r\n"})
		conn := connect(t, opts)
		batch := triple("a")
		batch.Asking = true
		first := send(t, t.Context(), conn, batch)
		synctest.Wait()
		require.Equal(t, 1, conn.InFlight())
		second := send(t, t.Context(), conn, triple("b"))
		require.Equal(t, 4, conn.InFlight())
		node.Handle(echo)
		close(open)
		require.Equal(t, "+1 +2 +3", answers(first.wait(t.Context())[0]))
		require.Equal(t, "+b1 +b2 +b3", answers(second.wait(t.Context())[0]))
		require.Zero(t, conn.InFlight())
	})
}
