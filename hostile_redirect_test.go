package keyslot_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Redirects that lead nowhere, for ever, or where a script wants the client to go (see docs/hostile.md).

// nowhere is an address that only a forged redirect names.
const nowhere = "10.0.0.9:1"

func (s *stage) dialled(t *testing.T, addr string) int {
	t.Helper()
	return int(s.dialsTo(addr).Load())
}

func TestRedirectsToNonsenseLeadNowhere(t *testing.T) {
	for _, text := range []string{
		"", " ", " 866", " 866 ", " 866 10.0.0.9", " 866 10.0.0.9:", " 866 10.0.0.9:65536", " 866 10.0.0.9:-1", " 866 10.0.0.9:1 x",
		"  866 10.0.0.9:1", " 0866 10.0.0.9:1", " +866 10.0.0.9:1", " 16384 10.0.0.9:1", " 99999999999999999999 10.0.0.9:1",
		" 866 [10.0.0.9]:1", " 866 user@10.0.0.9:1", " 866 10.0.0.9/x:1", " 866 10.0.0.9\r\n:1", " 866 \x00:1", " 1 10.0.0.9:1",
	} {
		for _, code := range []string{"MOVED", "ASK"} {
			t.Run(fmt.Sprintf("%q", code+text), func(t *testing.T) {
				story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
					s.lower.On("SET", fakenode.Reaction{Send: fmt.Sprintf("!%d\r\n%s\r\n", len(code+text), code+text)})
					err := s.client.Set(t.Context(), low, "v")
					require.ErrorAs(t, err, new(keyslot.ServerError), "in the server's words")
					require.Equal(t, s.began, time.Now(), "at once")
					require.Len(t, sent(s.lower, "SET"), 1)
					require.Zero(t, s.dialled(t, nowhere))
				})
			})
		}
	}
}

// Each node is sure that the other one has the slot.
func TestLoopsOfMovedAndAskArePaced(t *testing.T) {
	for _, codes := range [][2]string{{"MOVED", "ASK"}, {"ASK", "MOVED"}} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On("SET", says("-%s 866 %s", codes[0], upper))
			s.upper.On("SET", says("-%s 866 %s", codes[1], lower))
			err := s.client.Set(within(t, 3*time.Second), low, "v")
			trail := s.failsAt(t, 3*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded, keyslot.ErrRetryable)
			require.Greater(t, trail.Redirects, 10)
			require.Less(t, trail.Redirects, 200)
		})
	}
}

func TestMovedToItselfForEverIsPaced(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-MOVED 866 %s", lower))
		err := s.client.Set(within(t, 3*time.Second), low, "v")
		s.failsAt(t, 3*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		require.Less(t, len(sent(s.lower, "SET")), 40)
		require.Less(t, s.dialled(t, lower), 50)
	})
}

// Each of many callers finds the connection no better than the one before.
func TestRefusalsThatOutliveTheirConnectionRenewItSeldom(t *testing.T) {
	for _, refusal := range []string{"-MOVED 866 " + lower, "-NOAUTH Authentication required."} {
		t.Run(refusal, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("SET", fakenode.Reaction{Delay: time.Millisecond, Send: refusal + "\r\n"})
				ctx := within(t, 3*time.Second)
				var callers sync.WaitGroup
				for range 100 {
					callers.Go(func() { require.ErrorIs(t, s.client.Set(ctx, low, "v"), context.DeadlineExceeded) })
				}
				callers.Wait()
				require.Less(t, s.dialled(t, lower), 40)
			})
		})
	}
}

// A node that invents addresses costs a few dials a second, and no memory.
func TestRedirectsToEndlessAddressesAreBounded(t *testing.T) {
	for _, code := range []string{"MOVED", "ASK"} {
		t.Run(code, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				var invented atomic.Int32
				s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
					n := invented.Add(1)
					return says("-%s 866 10.%d.%d.1:6379", code, 1+n/250, n%250), r.Name() == "SET"
				})
				err := s.client.Set(within(t, 20*time.Second), low, "v")
				s.failsAt(t, 20*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
				dials := 0
				s.dials.Range(func(_, n any) bool { dials += int(n.(*atomic.Int32).Load()); return true })
				require.Less(t, dials, 200)
				nodes := 0
				for _, shard := range s.client.Topology().Shards {
					nodes += 1 + len(shard.Replicas)
				}
				require.Less(t, nodes, 100)
				got := s.client.Topology().Covered
				require.Equal(t, 16384, got)
			})
		})
	}
}

// A script chooses its words; nothing but a direct reply that names the slot of its key sends anybody anywhere.
func TestForgedRedirectsAreNotFollowed(t *testing.T) {
	const forged = "-MOVED 866 " + nowhere + "\r\n"
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, command := range []string{"EVAL", "EVALSHA", "EVAL_RO", "FCALL", "FCALL_RO"} {
			for _, code := range []string{"MOVED", "ASK"} {
				s.lower.On(command, says("-%s 1 %s", code, nowhere))
				_, err := s.client.Do(t.Context(), command, "x", 1, low)
				require.ErrorIs(t, err, keyslot.ErrUnknownOutcome, command)
				require.ErrorIs(t, err, keyslot.ServerError(code+" 1 "+nowhere))
			}
		}
		s.lower.On("EVAL", fakenode.Reaction{Send: "*2\r\n" + forged + "*1\r\n" + forged})
		r, err := s.client.Do(t.Context(), "EVAL", "x", 1, low)
		require.NoError(t, err, "an error inside a reply is the caller's")
		elements, err := r.Slice()
		require.NoError(t, err)
		require.EqualError(t, elements[0].Err(), "MOVED 866 "+nowhere)

		s.lower.On("MULTI", ok)
		s.lower.On("EVAL", says("+QUEUED"))
		s.lower.On("EXEC", fakenode.Reaction{Send: "*1\r\n" + forged})
		tx := s.client.Tx()
		element := tx.Do("EVAL", "x", 1, low)
		require.ErrorAs(t, tx.Exec(t.Context()), new(*keyslot.PipelineError))
		require.ErrorAs(t, element.Err(), new(keyslot.ServerError))

		s.lower.On("MGET", fakenode.Reaction{Send: "*1\r\n" + forged})
		_, err = s.client.MGet(t.Context(), low)
		require.Error(t, err)
		require.Zero(t, s.dialled(t, nowhere))
		require.Equal(t, s.began, time.Now())
	})
}
