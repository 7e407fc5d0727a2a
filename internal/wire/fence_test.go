package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// pings counts the fences on a node's tape.
func pings(node *fakenode.Node) (n int) {
	for _, r := range node.Tape() {
		if r.Name() == "PING" {
			n++
		}
	}
	return n
}

func TestAFenceGoesAheadOfEvery257thCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		conn := connect(t, opts)
		synctest.Wait() // until the reader reads
		writes := wire.CountWrites(conn)
		for i := range 3 * 256 {
			mustEcho(t, conn, "a")
			require.Equal(t, i/256, pings(node), "call %d", i)
		}
		require.Equal(t, 2, pings(node))
		require.Equal(t, "PING", commands(node)[256], "ahead of its call")
		require.EqualValues(t, 3*256, writes.Load(), "in the same write")
	})
}

func TestAFenceGoesAheadOfTheBatchWithEvery257thCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		conn := connect(t, opts)
		for range 254 {
			mustEcho(t, conn, "a")
		}
		require.NoError(t, send(t, t.Context(), conn, triple("b")).wait(t.Context())[0].Err)
		require.Equal(t, []string{"PING", "GET b1", "GET b2", "GET b3"}, commands(node)[254:])
		for range 253 {
			mustEcho(t, conn, "a")
		}
		require.Equal(t, 1, pings(node))
		mustEcho(t, conn, "a")
		require.Equal(t, 2, pings(node), "the batch was three of 256")
	})
}

func TestAFenceGoesWithTheFirstCallAfterASecondOfUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		conn := connect(t, opts)
		for range 50 {
			mustEcho(t, conn, "a")
			time.Sleep(100 * time.Millisecond)
		}
		require.InDelta(t, 4, pings(node), 1)
		before := pings(node)
		time.Sleep(time.Hour)
		require.Equal(t, before, pings(node), "an unused connection sends nothing")
	})
}

func TestAFenceIsNoCompanyForACallerWhoIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		opts.NoPoll = true
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			reaction, ok := echo(r)
			reaction.Delay = time.Millisecond // so that the answer to a fence is read by itself
			return reaction, ok
		})
		conn := connect(t, opts)
		for range 80 {
			mustEcho(t, conn, "a")
			time.Sleep(200 * time.Millisecond)
		}
		require.Greater(t, pings(node), 5)
		require.Equal(t, "nobody", wire.Reader(conn))
	})
}

func TestBlockingCommandsHaveNoFences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(echo)
		opts.Blocking = true
		conn := connect(t, opts)
		for range 600 {
			mustEcho(t, conn, "a")
		}
		require.Zero(t, pings(node))
	})
}

// shifts are what a server, or something between, may do to the reply of one GET.
var shifts = map[string]func(reply string) string{
	"dropped":       func(string) string { return "" },
	"doubled":       func(reply string) string { return reply + reply },
	"behind a null": func(reply string) string { return "$-1\r\n" + reply },
	"behind an error": func(reply string) string {
		return "-WRONGPASS invalid username-password pair or user is disabled.\r\n" + reply
	},
}

// shiftAt lets the node answer GET with its key, but for the kth.
func shiftAt(node *fakenode.Node, k int, shift func(reply string) string) {
	seen := 0
	node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
		reaction, ok := echo(r)
		if ok {
			if seen++; seen == k {
				reaction.Send = shift(reaction.Send)
			}
		}
		return reaction, ok
	})
}

// protocols are what nodes answer to HELLO.
var protocols = map[string]string{"RESP2": "-ERR unknown command\r\n", "RESP3": fakenode.Hello}

// Whatever is in flight with it, the stream is found out by the next fence, and ends.
func TestAShiftedStreamEndsWithinOneFence(t *testing.T) {
	loads := map[string][]int{"RESP2": {10}, "RESP3": {1, 10, 64}} // the protocol makes no difference to them
	for protocol, hello := range protocols {
		for name, shift := range shifts {
			for _, inFlight := range loads[protocol] {
				for _, k := range []int{1, 256, 257, 700} {
					t.Run(fmt.Sprintf("%s/%s/%d in flight/at %d", protocol, name, inFlight, k), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							node, opts := newNode(t)
							opts.MaxInFlight = 1024
							node.On("HELLO", fakenode.Reaction{Send: hello})
							shiftAt(node, k, shift)
							var told []*wire.DesyncError
							opts.OnDesync = func(e *wire.DesyncError) { told = append(told, e) }
							sent, wrong, err := hammer(t, connect(t, opts), inFlight)
							require.LessOrEqual(t, sent, k+256+2*inFlight)
							synctest.Wait()
							require.Len(t, told, 1)
							require.ErrorIs(t, err, told[0])
							require.GreaterOrEqual(t, told[0].Suspect, wrong)
							require.Less(t, told[0].Suspect, 256+2*inFlight)
						})
					})
				}
			}
		}
	}
}

// hammer sends GETs, so many at once, until the connection is condemned. It returns how many were sent, how many were
// answered with something else than their own key, and why the connection ended. A call that is not answered is given
// up after a while.
func hammer(t *testing.T, conn *wire.Conn, inFlight int) (sent, wrong int, err error) {
	for err == nil {
		calls := make([]*wire.Call, inFlight)
		for i := range calls {
			calls[i] = &wire.Call{Request: request("GET", fmt.Sprint(sent+i))}
		}
		w := wire.Waiter{Prompt: inFlight == 1}
		w.Expect(len(calls))
		if err = conn.Send(t.Context(), &w, calls); err != nil {
			break
		}
		patience, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		w.Wait(patience, calls)
		cancel()
		for i, call := range calls {
			if call.Err == nil && string(call.Reply) != fmt.Sprintf("+%d\r\n", sent+i) {
				wrong++
			}
		}
		sent += inFlight
		synctest.Wait()
		err = conn.Err()
	}
	return sent, wrong, err
}

// What one read brings is handed out only if it holds no sign that something is wrong.
func TestRepliesReadTogetherWithTheSignAreNotHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		opts.MaxInFlight = 1024
		var nonce string
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			switch {
			case r.Name() == "PING":
				nonce = r.Args[1]
			case r.Name() == "GET" && r.Args[1] == "299": // in front of the nonce replies are missing
				replies := strings.Repeat("+x\r\n", 200) + "$13\r\n" + nonce + "\r\n" + strings.Repeat("+x\r\n", 44)
				return fakenode.Reaction{Send: replies}, true
			}
			return fakenode.Reaction{}, r.Name() != "HELLO"
		})
		conn := connect(t, opts)
		var desync *wire.DesyncError
		for i, call := range send(t, t.Context(), conn, get(300)...).wait(t.Context()) {
			require.ErrorAs(t, call.Err, &desync, "call %d", i)
			require.True(t, call.Sent)
		}
		require.ErrorIs(t, desync, wire.ErrMisplaced)
		require.Zero(t, desync.Suspect)
	})
}

func TestAFenceThatIsRefusedProvesNothing(t *testing.T) {
	for _, refusal := range []string{
		"-BUSY Redis is busy running a script.", "-LOADING Valkey is loading the dataset in memory", "-MISCONF Errors writing to the AOF file",
		"!5\r\n-WHAT", "+PONG",
	} {
		t.Run(refusal, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				shiftAt(node, 1000, shifts["doubled"])
				node.On("PING", fakenode.Reaction{Send: refusal + "\r\n"})
				conn := connect(t, opts)
				for range 999 {
					mustEcho(t, conn, "a")
				}
				require.Equal(t, 3, pings(node), "and is sent again")
				require.NoError(t, conn.Err())
			})
		})
	}
}

// Servers keep a log of what they refuse, and people look into it.
func TestAFenceThatIsForbiddenIsNotSentAgain(t *testing.T) {
	for _, refusal := range []string{"-NOPERM User app has no permissions to run the 'ping' command", "-ERR unknown command 'PING'"} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.Handle(echo)
			node.On("PING", fakenode.Reaction{Send: refusal + "\r\n"})
			conn := connect(t, opts)
			for range 1000 {
				mustEcho(t, conn, "a")
			}
			require.Equal(t, 1, pings(node))
		})
	}
}

func TestWhatStandsInAFencesPlace(t *testing.T) {
	for _, reply := range []string{"$13\r\n0123456789abc\r\n", "+OK\r\n", ":1\r\n", "_\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n", "+QUEUED\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.Handle(echo)
			node.On("PING", fakenode.Reaction{Send: reply})
			conn := connect(t, opts)
			for range 256 {
				mustEcho(t, conn, "a")
			}
			_, err := try(t.Context(), conn, "GET", "a")
			require.ErrorIs(t, err, wire.ErrMisplaced)
			var desync *wire.DesyncError
			require.ErrorAs(t, err, &desync)
			require.Equal(t, 256, desync.Suspect)
		})
	}
}

func TestANonceThatComesTwiceIsNobodysReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() != "PING" {
				return echo(r)
			}
			answer := "$13\r\n" + r.Args[1] + "\r\n"
			return fakenode.Reaction{Send: answer + answer}, true
		})
		conn := connect(t, opts)
		for range 256 {
			mustEcho(t, conn, "a")
		}
		_, err := try(t.Context(), conn, "GET", "a")
		require.ErrorIs(t, err, wire.ErrMisplaced)
	})
}

func TestAProbeIsAFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("PING", fakenode.Reaction{Send: "$5\r\nstray\r\n"})
		opts.IdleProbe = 5 * time.Second
		conn := connect(t, opts)
		time.Sleep(6 * time.Second)
		_, err := try(t.Context(), conn, "GET", "a")
		require.ErrorIs(t, err, wire.ErrMisplaced)
		require.NotContains(t, commands(node), "GET a", "nothing was risked on it")
	})
}

func TestOnlyOKAnswersAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("ASKING", fakenode.Reaction{Send: "$5\r\nvalue\r\n"})
		conn := connect(t, opts)
		calls := get(1)
		calls[0].Asking = true
		require.ErrorIs(t, send(t, t.Context(), conn, calls...).wait(t.Context())[0].Err, wire.ErrMisplaced)
	})
}

func TestACallerMayCondemnAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.On("GET", fakenode.Reaction{Send: "+mine\r\n"}, fakenode.Reaction{})
		conn := connect(t, opts)
		calls := send(t, t.Context(), conn, get(2)...)
		synctest.Wait()
		conn.Condemn(context.Canceled)
		calls.wait(t.Context())
		var desync *wire.DesyncError
		require.ErrorAs(t, calls.calls[1].Err, &desync)
		require.Equal(t, 1, desync.Suspect)
		require.ErrorIs(t, desync, context.Canceled)
	})
}

// tapped is a connection that calls after whenever bytes have been read, before anybody else knows of them.
type tapped struct {
	net.Conn
	after func()
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.after != nil {
		c.after()
	}
	return n, err
}

// A reply that was on its way when the connection was given up finds no call, which proves nothing about the others.
func TestAReplyThatMeetsTheEndOfItsConnectionIsNoSignOfDisorder(t *testing.T) {
	for name, commands := range map[string]int{"a caller reads": 1, "the reader reads": 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.Handle(echo)
				dial, tap := opts.Dial, &tapped{}
				opts.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					raw, err := dial(ctx, network, addr)
					tap.Conn = raw
					return tap, err
				}
				var told []*wire.DesyncError
				opts.OnDesync = func(e *wire.DesyncError) { told = append(told, e) }
				conn := connect(t, opts)
				cause := errors.New("given up")
				tap.after = func() { conn.Abandon(cause) }
				for _, call := range send(t, t.Context(), conn, get(commands)...).wait(t.Context()) {
					require.ErrorIs(t, call.Err, cause)
					require.True(t, call.Sent)
				}
				synctest.Wait()
				require.Empty(t, told)
				require.ErrorIs(t, conn.Err(), cause)
			})
		})
	}
}

// What is told of a connection runs a program's code, which may take long, or panic: a caller that reads is spared both.
func TestACallerThatReadsDoesNotTellOfTheEndOfItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan struct{})
		node, conn := alone(t, func(o *wire.Options) {
			o.OnDesync = func(*wire.DesyncError) { <-told }
		})
		node.Handle(func(fakenode.Request) (fakenode.Reaction, bool) { return fakenode.Reaction{Send: "+a\r\n+b\r\n"}, true })
		began := time.Now()
		_ = prompt(t.Context(), conn, get(1)[0])
		require.Zero(t, time.Since(began))
		synctest.Wait()
		close(told)
		require.ErrorAs(t, conn.Err(), new(*wire.DesyncError))
	})
}
