package keyslot_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// twoWrites queues writes to two keys of one slot.
func twoWrites(n **keyslot.Future[int64], set **keyslot.Future[struct{}]) func(p *keyslot.Pipeline) error {
	return func(p *keyslot.Pipeline) error {
		*n, *set = p.Incr(low), p.Set("{"+low+"}:at", "now")
		return nil
	}
}

func TestWriteAndWaitIsOneWriteOnAConnectionOfItsOwn(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", says(":8"))
		s.lower.On("SET", ok)
		s.lower.On("GET", value)
		s.lower.On("WAIT", fakenode.Reaction{Delay: 400 * time.Millisecond, Send: ":1\r\n"})
		var n *keyslot.Future[int64]
		var set *keyslot.Future[struct{}]
		for range 3 {
			s.writes.Store(0)
			acked, err := s.client.WriteAndWait(t.Context(), 2, 1500*time.Microsecond, twoWrites(&n, &set))
			require.NoError(t, err)
			require.EqualValues(t, 1, acked, "fewer than asked for is no error")
			require.EqualValues(t, 8, valueOf(t, n))
			require.NoError(t, set.Err())
		}
		require.EqualValues(t, 1, s.writes.Load())
		waits := sent(s.lower, "WAIT")
		require.Equal(t, "WAIT 2 2", names(waits)[0], "rounded up")
		_, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		for _, r := range append(sent(s.lower, "INCR"), sent(s.lower, "SET")...) {
			require.Equal(t, waits[0].Conn, r.Conn)
			require.NotEqual(t, sent(s.lower, "GET")[0].Conn, r.Conn)
		}
	})
}

// Exec would send the commands without a WAIT, and the call then say of what ran that it did not.
func TestThePipelineOfWriteAndWaitRefusesExec(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", ok)
		s.lower.On("WAIT", one)
		var refused error
		var kept *keyslot.Pipeline
		queue := func(p *keyslot.Pipeline) error {
			p.Set(low, "v")
			kept = p.Ordered()
			refused = p.Exec(t.Context())
			return refused
		}
		_, err := s.client.WriteAndWait(t.Context(), 1, time.Second, queue)
		require.Equal(t, refused, err)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.ErrorAs(t, err, new(*keyslot.ArgumentError))
		require.ErrorContains(t, err, "leave Exec out")
		require.Empty(t, sent(s.lower, "SET"))

		acked, err := s.client.WriteAndWait(t.Context(), 1, time.Second, func(p *keyslot.Pipeline) error {
			_ = queue(p)
			p.Do("SET", low, "w")
			return nil
		})
		require.NoError(t, err)
		require.EqualValues(t, 1, acked)
		require.Len(t, sent(s.lower, "SET"), 2, "with a WAIT, whatever was refused")
		require.ErrorAs(t, kept.Exec(t.Context()), new(*keyslot.ArgumentError), "later, too")
	})
}

func TestWriteAndWaitRefusesAllOrNothing(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for name, queue := range map[string]func(p *keyslot.Pipeline) keyslot.Future[keyslot.Reply]{
			"another slot":  func(p *keyslot.Pipeline) keyslot.Future[keyslot.Reply] { return *p.Do("SET", up, "v") },
			"several slots": func(p *keyslot.Pipeline) keyslot.Future[keyslot.Reply] { return *p.Do("DEL", low, up) },
			"no key":        func(p *keyslot.Pipeline) keyslot.Future[keyslot.Reply] { return *p.Do("FLUSHALL") },
			"waits":         func(p *keyslot.Pipeline) keyslot.Future[keyslot.Reply] { return *p.Do("BLPOP", low, 0) },
			"not sendable":  func(p *keyslot.Pipeline) keyslot.Future[keyslot.Reply] { return *p.Do("SET", low, time.Second) },
		} {
			var first *keyslot.Future[int64]
			_, err := s.client.WriteAndWait(t.Context(), 1, time.Second, func(p *keyslot.Pipeline) error {
				first = p.Incr(low)
				queue(p)
				return nil
			})
			require.ErrorIs(t, err, keyslot.ErrNotExecuted, name)
			require.ErrorAs(t, err, new(*keyslot.ArgumentError), name)
			require.ErrorIs(t, first.Err(), keyslot.ErrNotExecuted, name)
			if strings.HasSuffix(name, "slot") {
				require.ErrorContains(t, err, "and WriteAndWait is for one slot: give the keys a common hash tag")
			}
			require.ErrorContains(t, err, ", at index 1, cannot be sent: ", "whatever the first error is, it names the culprit")
		}
		mine := errors.New("mine")
		_, err := s.client.WriteAndWait(t.Context(), 1, time.Second, func(p *keyslot.Pipeline) error {
			p.Incr(low)
			return mine
		})
		require.Equal(t, mine, err)
		_, err = s.client.WriteAndWait(t.Context(), -1, time.Second, nil)
		refused(t, err, 0)
		_, err = s.client.WriteAndWait(t.Context(), 1, -time.Second, nil)
		refused(t, err, 0)
		_, err = s.client.WriteAndWait(t.Context(), 1, time.Second, nil)
		refused(t, err, 0)
		acked, err := s.client.WriteAndWait(t.Context(), 1, time.Second, func(*keyslot.Pipeline) error { return nil })
		require.ErrorIs(t, err, keyslot.ErrNotExecuted, "nothing was queued, and zero would look like no replica")
		require.Zero(t, acked)
		require.Empty(t, sent(s.lower, "INCR"))
	})
}

func TestWriteAndWaitFollowsRedirectsWithItsWait(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		var n *keyslot.Future[int64]
		var set *keyslot.Future[struct{}]
		s.lower.On("INCR", says("-MOVED 866 %s", upper))
		s.lower.On("SET", says("-MOVED 866 %s", upper))
		s.lower.On("WAIT", says(":5"))
		s.upper.On("INCR", one)
		s.upper.On("SET", ok)
		s.upper.On("WAIT", says(":2"))
		acked, err := s.client.WriteAndWait(t.Context(), 2, time.Second, twoWrites(&n, &set))
		require.NoError(t, err)
		require.EqualValues(t, 2, acked, "the node that refused all has nothing to acknowledge")
		require.EqualValues(t, 1, valueOf(t, n))
		require.Equal(t, []string{"INCR", "SET", "WAIT"}, commands(s.upper))
	})
}

// commands returns the names of the commands of callers that a node received.
func commands(node *fakenode.Node) (list []string) {
	for _, r := range node.Tape() {
		switch name := r.Name(); name {
		case "HELLO", "CLIENT SETINFO", "CLUSTER SLOTS", "CLUSTER INFO", "CLUSTER MYID":
		default:
			list = append(list, name)
		}
	}
	return list
}

// One key has left already: its command is asked for elsewhere, with a WAIT of its own, and the smaller number counts.
func TestWriteAndWaitOfASlotOnItsWay(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		var n *keyslot.Future[int64]
		var set *keyslot.Future[struct{}]
		s.lower.On("INCR", one)
		s.lower.On("SET", says("-ASK 866 %s", upper))
		s.lower.On("WAIT", fakenode.Reaction{Delay: 300 * time.Millisecond, Send: ":2\r\n"})
		s.upper.On("SET", ok)
		s.upper.On("WAIT", says(":1"))
		acked, err := s.client.WriteAndWait(t.Context(), 2, time.Second, twoWrites(&n, &set))
		require.NoError(t, err)
		require.EqualValues(t, 1, acked)
		require.NoError(t, set.Err())
		require.Equal(t, []string{"ASKING", "SET", "WAIT"}, commands(s.upper))
		require.Equal(t, "WAIT 2 700", names(sent(s.upper, "WAIT"))[0], "what has passed is not waited for twice")
	})
}

func TestWriteAndWaitKeepsTheOrderWhereItIsAskedTo(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", says("-TRYAGAIN Multiple keys request during rehashing of slot"), one)
		s.lower.On("SET", ok)
		s.lower.On("WAIT", one)
		var n *keyslot.Future[int64]
		acked, err := s.client.WriteAndWait(t.Context(), 1, time.Second, func(p *keyslot.Pipeline) error {
			p.Ordered()
			n = p.Incr(low)
			p.Set(low, "v")
			return nil
		})
		require.EqualValues(t, 1, acked)
		require.Error(t, err)
		require.ErrorIs(t, n.Err(), keyslot.ErrNotExecuted)
		require.Len(t, sent(s.lower, "INCR"), 1)
	})
}

func TestWriteAndWaitTellsWhatItKnows(t *testing.T) {
	for name, test := range map[string]struct {
		incr, set, wait fakenode.Reaction
		acked           int64
		parts           []int // which failed, the WAIT being the third
		is, isNot       error
	}{
		"a command fails":      {one, says("-WRONGTYPE x"), one, 1, []int{1}, nil, keyslot.ErrUnknownOutcome},
		"all are refused":      {says("-NOPERM x"), says("-NOPERM x"), one, 0, []int{0, 1}, keyslot.ErrNotExecuted, nil},
		"WAIT is refused":      {one, ok, says("-NOPERM x"), 0, []int{2}, nil, keyslot.ErrNotExecuted},
		"WAIT says nonsense":   {one, ok, ok, 0, []int{2}, nil, keyslot.ErrNotExecuted},
		"lost before WAIT":     {one, ok, reset, 0, []int{2}, keyslot.ErrUnknownOutcome, nil},
		"lost before a write":  {one, reset, one, 0, []int{1, 2}, keyslot.ErrUnknownOutcome, nil},
		"lost before anything": {reset, ok, one, 0, []int{0, 1}, keyslot.ErrUnknownOutcome, keyslot.ErrNotExecuted},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("INCR", test.incr)
				s.lower.On("SET", test.set)
				s.lower.On("WAIT", test.wait)
				var n *keyslot.Future[int64]
				var set *keyslot.Future[struct{}]
				acked, err := s.client.WriteAndWait(t.Context(), 1, time.Second, twoWrites(&n, &set))
				require.Equal(t, test.acked, acked)
				var failed *keyslot.PipelineError
				require.ErrorAs(t, err, &failed)
				var parts []int
				for _, part := range failed.Parts() {
					parts = append(parts, part.Index)
				}
				require.Equal(t, test.parts, parts)
				if test.is != nil {
					require.ErrorIs(t, err, test.is)
				}
				if test.isNot != nil {
					require.NotErrorIs(t, err, test.isNot)
				}
				require.Len(t, sent(s.lower, "INCR"), 1)
			})
		})
	}
}

func TestWriteAndWaitEndsWithItsContext(t *testing.T) {
	story(t, keyslot.Options{CommandTimeout: time.Second}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", one)
		s.lower.On("SET", ok)
		s.lower.On("WAIT", stuck())
		p := s.client.Pipeline() // its calls are used again, and what was replied to them
		for range 3 {
			p.Incr(low)
		}
		require.NoError(t, p.Exec(t.Context()))
		var n *keyslot.Future[int64]
		var set *keyslot.Future[struct{}]
		acked, err := s.client.WriteAndWait(within(t, 300*time.Millisecond), 1, 0, twoWrites(&n, &set))
		require.Zero(t, acked)
		s.failsAt(t, 300*time.Millisecond, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
		require.EqualValues(t, 1, valueOf(t, n), "the write is known")
		_, err = s.client.WriteAndWait(t.Context(), 1, 2*time.Second, twoWrites(&n, &set))
		s.failsAt(t, 3300*time.Millisecond, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)

		s.lower.On("WAIT", one)
		acked, err = s.client.WriteAndWait(t.Context(), 1, time.Second, twoWrites(&n, &set))
		require.NoError(t, err)
		require.EqualValues(t, 1, acked, "nothing is left of the earlier ones")
	})
}

func TestWriteAndWaitOnAView(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("INCR", says("-MOVED 866 %s", lower))
		s.upper.On("WAIT", one)
		incr := func(p *keyslot.Pipeline) error { p.Incr(low); return nil }
		_, err := s.client.On(keyslot.ToNode(upper)).WriteAndWait(t.Context(), 1, time.Second, incr)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.ErrorContains(t, err, "MOVED")
		_, err = s.client.On(keyslot.ToPrimaries).WriteAndWait(t.Context(), 1, time.Second, incr)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		_, err = s.client.On(keyslot.ToKey(up)).WriteAndWait(t.Context(), 1, time.Second, incr)
		require.ErrorAs(t, err, new(*keyslot.ArgumentError))
		_, err = s.client.On(keyslot.ToNode(upper)).WriteAndWait(t.Context(), 1, time.Second, func(p *keyslot.Pipeline) error {
			p.Incr(low)
			p.MSet(command.Pair{Key: up, Value: "v"})
			return nil
		})
		require.ErrorAs(t, err, new(*keyslot.ArgumentError), "one slot on one node, too")
		require.Empty(t, sent(s.lower, "INCR"))
	})
}

func TestTheLongestWaitIsNoNegativeOne(t *testing.T) {
	for timeout, milliseconds := range map[time.Duration]string{0: "0", 1: "1", 1500 * time.Microsecond: "2", math.MaxInt64: "9223372036855"} {
		story(t, keyslot.Options{CommandTimeout: -1}, func(t *testing.T, s *stage) {
			s.lower.On("SET", ok)
			s.lower.On("WAIT", one)
			_, err := s.client.WriteAndWait(t.Context(), 1, timeout, func(p *keyslot.Pipeline) error { p.Set(low, "v"); return nil })
			require.NoError(t, err)
			require.Equal(t, []string{"WAIT", "1", milliseconds}, sent(s.lower, "WAIT")[0].Args)
		})
	}
}
