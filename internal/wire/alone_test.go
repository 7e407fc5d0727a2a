package wire_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// couple is two connections that callers read for themselves.
type couple struct {
	nodes [2]*fakenode.Node
	conns [2]*wire.Conn
}

func newCouple(t *testing.T, adjust ...func(*wire.Options)) *couple {
	c := new(couple)
	for i := range c.conns {
		c.nodes[i], c.conns[i] = alone(t, adjust...)
	}
	return c
}

// answer makes a node answer GET like that, once; then it is what it was.
func (c *couple) answer(i int, reaction fakenode.Reaction) {
	c.nodes[i].Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
		c.nodes[i].Handle(echo)
		return reaction, true
	})
}

// send sends GET 0 to one and GET 1 to the other, for a caller that will wait at once.
func (c *couple) send(t *testing.T, ctx context.Context) *sending {
	s := &sending{calls: get(2), waiter: wire.Waiter{Prompt: true}}
	s.waiter.Expect(2)
	for i, conn := range c.conns {
		require.NoError(t, conn.Send(ctx, &s.waiter, s.calls[i:i+1]))
	}
	return s
}

// await waits for calls on a goroutine of its own.
func (s *sending) await(ctx context.Context) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() { // ends with the calls, which the test waits for
		defer close(ended)
		s.wait(ctx)
	}()
	synctest.Wait()
	return ended
}

func (c *couple) readers() [2]string {
	return [2]string{wire.Reader(c.conns[0]), wire.Reader(c.conns[1])}
}

// What comes between the look into the socket and the write would be seen by nobody: an end, or a reply to nothing.
// With one processor another goroutine runs only where the caller lets it.
func TestALoneCallerLetsNobodyInBetweenItsLookAndItsWrite(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		earlier := c.conns[0].Usage().Written
		var written atomic.Int64 // when another goroutine runs
		go func() { written.Store(c.conns[0].Usage().Written - earlier) }()
		s := &sending{calls: get(2), waiter: wire.Waiter{Prompt: true, Busy: true}}
		s.waiter.Expect(2)
		for i, conn := range c.conns {
			require.NoError(t, conn.Send(t.Context(), &s.waiter, s.calls[i:i+1]))
		}
		require.Equal(t, [2]string{"a caller soon", "a caller soon"}, c.readers())
		require.Equal(t, []string{"+0\r\n", "+1\r\n"}, replies(s.wait(t.Context())))
		synctest.Wait()
		require.EqualValues(t, len(s.calls[0].Request), written.Load())
	})
}

func TestALoneCallerReadsSeveralConnectionsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		c.answer(0, fakenode.Reaction{Delay: time.Second, Send: "+late\r\n"})
		s := c.send(t, t.Context())
		require.Equal(t, [2]string{"a caller soon", "a caller soon"}, c.readers())
		done := s.await(t.Context())
		require.Equal(t, [2]string{"a caller", "a caller soon"}, c.readers())
		require.Contains(t, commands(c.nodes[1]), "GET 1", "it was written before the first one was read")
		time.Sleep(tick / 2)
		synctest.Wait()
		require.Equal(t, "a caller soon", wire.Reader(c.conns[1]))
		<-done
		require.Equal(t, []string{"+late\r\n", "+1\r\n"}, replies(s.calls))

		require.Equal(t, []string{"+0\r\n", "+1\r\n"}, replies(c.send(t, t.Context()).wait(t.Context())))
	})
}

// A yield that takes long is worth its time where others have sent something meanwhile: see others.
func TestALoneCallersOwnCommandsAreNoCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		c.answer(0, fakenode.Reaction{Delay: time.Second, Send: "+late\r\n"})
		s := c.send(t, t.Context())
		done := s.await(t.Context())
		require.Zero(t, wire.Company(c.conns[0]))
		other := send(t, t.Context(), c.conns[0], get(1)...)
		require.EqualValues(t, 1, wire.Company(c.conns[0]))
		<-done
		require.Equal(t, []string{"+0\r\n"}, replies(other.wait(t.Context())))
	})
}

func TestTheConnectionsOfALoneCallerAreNobodysAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		for range 3 {
			require.Equal(t, []string{"+0\r\n", "+1\r\n"}, replies(c.send(t, t.Context()).wait(t.Context())))
			require.Equal(t, [2]string{"nobody", "nobody"}, c.readers())
		}
	})
}

// Whoever uses a connection that another caller has not come to yet is not kept waiting by what that one waits for.
func TestACallerWhoComesMeanwhileCallsTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		c.answer(0, fakenode.Reaction{Delay: time.Second, Send: "+late\r\n"})
		s := c.send(t, t.Context())
		done := s.await(t.Context())
		began := time.Now()
		mustEcho(t, c.conns[1], "mine")
		require.Zero(t, time.Since(began))
		require.Equal(t, "the reader", wire.Reader(c.conns[1]))
		<-done
		require.Equal(t, []string{"+late\r\n", "+1\r\n"}, replies(s.calls))
		require.Equal(t, "the reader", wire.Reader(c.conns[1]), "it is not the caller's any more")
	})
}

// A node that has answered is not silent because its caller waits for another one.
func TestANodeIsNotSuspectedBecauseAnotherOneIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := make(chan *wire.Conn, 100)
		c := newCouple(t, func(o *wire.Options) { o.OnSilent = func(conn *wire.Conn) { silent <- conn } })
		c.answer(0, fakenode.Reaction{Delay: 9 * time.Second, Send: "+late\r\n"})
		s := c.send(t, t.Context())
		done := s.await(t.Context())
		time.Sleep(tick + tick/2)
		require.Equal(t, [2]string{"a caller", "the reader"}, c.readers())
		<-done
		require.Equal(t, []string{"+late\r\n", "+1\r\n"}, replies(s.calls))
		for range len(silent) {
			require.Same(t, c.conns[0], <-silent)
		}
	})
}

func TestACallerThatGivesUpLeavesAllItsConnections(t *testing.T) {
	for _, slow := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			c := newCouple(t)
			c.answer(slow, fakenode.Reaction{Delay: 5 * time.Second, Send: "+late\r\n"})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			began := time.Now()
			calls := c.send(t, ctx).wait(ctx)
			require.Equal(t, 100*time.Millisecond, time.Since(began))
			require.ErrorIs(t, calls[slow].Err, context.DeadlineExceeded)
			require.True(t, calls[slow].Sent && calls[slow].Abandoned)
			require.Equal(t, "the reader", wire.Reader(c.conns[slow]))
			mustEcho(t, c.conns[1-slow], "quick")
			time.Sleep(10 * time.Second)
			mustEcho(t, c.conns[slow], "next")
		})
	}
}

// What lies in the socket already answers nobody, and on a connection that was closed nothing is risked.
func TestOfSeveralConnectionsEachIsLookedIntoBeforeItIsWritten(t *testing.T) {
	for name, spoil := range map[string]func(*fakenode.Node){
		"a stray reply": func(n *fakenode.Node) { n.Push("+EXTRA\r\n") },
		"closed":        func(n *fakenode.Node) { n.Cut(fakenode.FIN) },
		"reset":         func(n *fakenode.Node) { n.Cut(fakenode.RST) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCouple(t)
				before := len(commands(c.nodes[1]))
				spoil(c.nodes[1])
				calls := c.send(t, t.Context()).wait(t.Context())
				require.Equal(t, "+0\r\n", string(calls[0].Reply))
				require.Error(t, calls[1].Err)
				require.False(t, calls[1].Sent || calls[1].Abandoned)
				require.Len(t, commands(c.nodes[1]), before)
				require.Equal(t, "nobody", wire.Reader(c.conns[0]))
			})
		})
	}
}

// What was read beyond a reply lies within TLS, where no look into the socket finds it.
func TestWhatTLSHoldsAnswersNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, c := newAuthority(t), new(couple)
		for i := range c.conns {
			node, opts := newNode(t)
			node.UseTLS(ca.server(t, "node"))
			opts.TLS = ca.client()
			node.Handle(echo)
			c.nodes[i], c.conns[i] = node, connect(t, opts)
			leaveAlone(t, c.conns[i])
		}
		const exactly = 4<<10 - len("$4087\r\n\r\n") // is what an idle connection reads at a time
		c.answer(1, fakenode.Reaction{Send: "$4087\r\n" + strings.Repeat("x", exactly) + "\r\n+EXTRA\r\n"})
		require.NoError(t, prompt(t.Context(), c.conns[1], get(1)[0]))
		calls := c.send(t, t.Context()).wait(t.Context())
		require.Equal(t, "+0\r\n", string(calls[0].Reply))
		require.ErrorIs(t, calls[1].Err, wire.ErrSurplusReply)
	})
}

func TestAConnectionDiesBeforeItsLoneCallerComesToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		c.answer(0, fakenode.Reaction{Delay: 100 * time.Millisecond, Send: "+late\r\n"})
		c.answer(1, fakenode.Reaction{End: fakenode.RST})
		calls := c.send(t, t.Context()).wait(t.Context())
		require.Equal(t, "+late\r\n", string(calls[0].Reply))
		require.Error(t, calls[1].Err)
		require.True(t, calls[1].Sent)
		c.conns[1].Wait()
	})
}

// Of two connections the first one keeps the caller for a second, and the other one is not to wait for that.
func TestAConnectionThatItsLoneCallerHasNotComeToWaitsForNothing(t *testing.T) {
	for name, use := range map[string]func(*testing.T, *wire.Conn){
		"drained":             func(_ *testing.T, conn *wire.Conn) { conn.Drain(); <-conn.Ended() },
		"closed":              func(_ *testing.T, conn *wire.Conn) { conn.Close() },
		"asked for its room":  func(t *testing.T, conn *wire.Conn) { mustEcho(t, conn, "mine") },
		"given back and used": func(t *testing.T, conn *wire.Conn) { conn.GiveBack(errMoved); mustEcho(t, conn, "mine") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCouple(t, func(o *wire.Options) { o.MaxInFlight = 1 })
				c.answer(0, fakenode.Reaction{Delay: time.Second, Send: "+late\r\n"})
				s := c.send(t, t.Context())
				done := s.await(t.Context())
				began := time.Now()
				use(t, c.conns[1])
				require.Zero(t, time.Since(began))
				<-done
				require.Equal(t, []string{"+late\r\n"}, replies(s.calls[:1]))
			})
		})
	}
}

// By the time its first caller is done, a connection may be read by another one that is alone.
func TestALoneCallerLeavesOnlyWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		c.answer(0, fakenode.Reaction{Delay: time.Second, Send: "+late\r\n"})
		s := c.send(t, t.Context())
		first := s.await(t.Context())
		leaveAlone(t, c.conns[1])
		call, second := waiting(t, t.Context(), c.nodes[1], c.conns[1], fakenode.Reaction{Delay: 2 * time.Second, Send: "+later\r\n"})
		<-first
		require.Equal(t, "a caller", wire.Reader(c.conns[1]))
		<-second
		require.Equal(t, "+later\r\n", string(call.Reply))
	})
}

func TestADeadConnectionIsLeftAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		c.answer(0, fakenode.Reaction{End: fakenode.RST})
		c.answer(1, fakenode.Reaction{Delay: 8 * time.Second, Send: "+late\r\n"})
		s := c.send(t, t.Context())
		done, began := s.await(t.Context()), time.Now()
		<-c.conns[0].Ended()
		require.Zero(t, time.Since(began))
		<-done
		require.Error(t, s.calls[0].Err)
		require.Equal(t, "+late\r\n", string(s.calls[1].Reply))
	})
}

func TestSharedConnectionsAreReadByTheirReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCouple(t)
		s := c.send(t, t.Context())
		s.waiter.Share()
		require.Equal(t, [2]string{"the reader", "the reader"}, c.readers())
		require.Equal(t, []string{"+0\r\n", "+1\r\n"}, replies(s.wait(t.Context())))
	})
}

// Each caller sends a batch to some of three nodes at once, and gets its own replies, however long it waits.
func TestCallersOfSeveralConnectionsGetTheirOwnReplies(t *testing.T) {
	var conns [3]*wire.Conn
	for i := range conns {
		node, opts := newNode(t)
		opts.MaxInFlight = 300
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			reaction, ok := echo(r)
			if rand.IntN(50) == 0 {
				reaction.Delay = rand.N(time.Millisecond)
			}
			return reaction, ok
		})
		conns[i] = connect(t, opts)
	}
	const rounds = 3000
	var callers sync.WaitGroup
	for id := range 3 {
		callers.Go(func() {
			w := new(wire.Waiter)
			for round := range rounds >> (4 * id) { // the first one is alone at last
				several(t, conns[:], w, fmt.Sprintf("%d-%d", id, round))
			}
		})
	}
	callers.Wait()
	for _, conn := range conns {
		require.NoError(t, conn.Err())
	}
}

// several sends a batch to some of the connections, and compares what it gets.
func several(t *testing.T, conns []*wire.Conn, w *wire.Waiter, name string) {
	ctx, cancel := t.Context(), func() {}
	if rand.IntN(3) == 0 {
		ctx, cancel = context.WithTimeout(ctx, rand.N(2*time.Millisecond))
	}
	defer cancel()
	calls := make([]*wire.Call, 1+rand.IntN(len(conns)))
	w.Prompt = true
	w.Expect(len(calls))
	refused := 0
	for at := range calls {
		calls[at] = &wire.Call{Movable: rand.IntN(2) == 0}
		for part := range 1 + rand.IntN(4) {
			calls[at].Batch = append(calls[at].Batch, request("GET", fmt.Sprintf("%s-%d-%d", name, at, part)))
		}
		if err := conns[at].Send(ctx, w, calls[at:at+1]); err != nil {
			calls[at].Refuse(err)
			refused++
		}
	}
	switch rand.IntN(20) {
	case 0:
		w.Share()
	case 1:
		conns[rand.IntN(len(conns))].GiveBack(errMoved)
	}
	w.Withdraw(refused)
	w.Wait(ctx, calls)
	for at, call := range calls {
		assert.Equal(t, call.Err == nil, len(call.Replies) == len(call.Batch))
		for part, reply := range call.Replies {
			assert.Equal(t, fmt.Sprintf("+%s-%d-%d\r\n", name, at, part), string(reply))
		}
	}
}
