package keyslot_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// idOf returns the id of the node at an address.
func idOf(t *testing.T, client *keyslot.Client, addr string) string {
	for _, shard := range client.Topology().Shards {
		for _, n := range append(shard.Replicas, shard.Primary) {
			if n.Addr() == addr {
				return n.ID
			}
		}
	}
	t.Fatalf("no node at %s", addr)
	return ""
}

// refused requires that a call failed for an argument at that index, and returns why.
func refused(t *testing.T, err error, index int) string {
	t.Helper()
	var argument *keyslot.ArgumentError
	require.ErrorAs(t, err, &argument)
	require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	require.Equal(t, index, argument.Index, "%v", err)
	return argument.Reason
}

func TestAViewOfASlotNeverSplits(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("MSET", ok)
		s.lower.On("DEL", says(":2"))
		view := s.client.On(keyslot.ToKey(low))
		require.NoError(t, view.MSet(t.Context(), command.Pair{Key: low, Value: "1"}, command.Pair{Key: "{" + low + "}2", Value: "2"}))
		require.Equal(t, "MSET hello 1 {hello}2 2", names(sent(s.lower, "MSET"))[0])

		_, err := view.Del(t.Context(), low, up)
		require.Contains(t, refused(t, err, 2), "slot 12182")
		p := view.Pipeline()
		n, other := p.Del(low, "{"+low+"}2"), p.Get(up)
		require.Error(t, p.Exec(t.Context()))
		require.EqualValues(t, 2, valueOf(t, n))
		refused(t, other.Err(), 1)
		_, err = s.client.On(keyslot.ToSlot(16384)).Do(t.Context(), "DBSIZE")
		refused(t, err, 0)
		require.Empty(t, sent(s.upper, "DEL"))
	})
}

func TestAViewOfASlotFollowsTheSlot(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		view := s.client.On(keyslot.ToSlot(866))
		s.lower.On("DBSIZE", says(":5"))
		r, err := view.Do(t.Context(), "DBSIZE")
		require.NoError(t, err)
		require.Equal(t, "5", r.String(), "of this node alone")

		s.net.Topology(2, fakenode.Shard{First: 0, Last: 865, Nodes: []string{lower}}, fakenode.Shard{First: 866, Last: 16383, Nodes: []string{upper}})
		s.lower.On("MODULE.SET", says("-ASK 866 %s", upper), says("-MOVED 866 %s", upper))
		s.upper.On("MODULE.SET", ok)
		s.upper.On("DBSIZE", says(":7"))
		for range 3 { // the command's key is not its first argument, which the client cannot know
			_, err = view.Do(t.Context(), "MODULE.SET", "AS", "JSON", low)
			require.NoError(t, err)
		}
		require.Len(t, sent(s.lower, "MODULE.SET"), 2)
		require.Len(t, sent(s.upper, "ASKING"), 1)
		r, err = view.Do(t.Context(), "DBSIZE")
		require.NoError(t, err)
		require.Equal(t, "7", r.String())
	})
}

// Of a module's command nobody knows which argument is a key; the view says its slot.
func TestAModulesCommandIsForTheSlotOfItsView(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		view := s.client.On(keyslot.ToKey(low))
		takesWatch(s.lower)
		s.lower.On("MODULE.SET", queued, ok)
		s.lower.On("WAIT", one)
		set := func(w *keyslot.Watched) error {
			tx := w.Tx()
			tx.Do("MODULE.SET", "AS", low)
			return tx.Exec(t.Context())
		}
		require.NoError(t, view.Watch(t.Context(), hello, set))
		_, err := view.WriteAndWait(t.Context(), 1, time.Second, func(p *keyslot.Pipeline) error {
			p.Do("MODULE.SET", "AS", low)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, sent(s.lower, "MODULE.SET"), 2)

		s.lower.On("MODULE.SET", says("-TRYAGAIN Multiple keys request during rehashing of slot"), ok)
		s.lower.On("INCR", one)
		p := view.Pipeline()
		module, _ := p.Do("MODULE.SET", "AS", low), p.Incr(low)
		require.NoError(t, p.Exec(t.Context()))
		require.True(t, module.Reordered(), "it may be of any key")

		s.lower.On("WATCH", says("-ASK 866 %s", upper))
		takesWatch(s.upper)
		require.ErrorIs(t, view.Watch(t.Context(), hello, set), keyslot.ErrTxAborted, "it may be of a key that has not arrived")
	})
}

func TestAViewOfANodeGoesNowhereElse(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, name := range []string{lower, idOf(t, s.client, lower)} {
			view := s.client.On(keyslot.ToNode(name))
			for _, redirect := range []string{"MOVED 12182 " + upper, "ASK 12182 " + upper, "READONLY You can't write against a read only replica."} {
				s.lower.On("SET", says("-%s", redirect))
				err := view.Set(t.Context(), up, "v")
				require.ErrorIs(t, err, keyslot.ErrNotExecuted)
				var said keyslot.ServerError
				require.ErrorAs(t, err, &said)
				require.Equal(t, redirect, string(said))
			}
			s.lower.On("SET", says("-LOADING Redis is loading the dataset in memory"), ok)
			p := view.Pipeline()
			p.Set(up, "v")
			require.NoError(t, p.Exec(t.Context()), "what the node refuses for the moment is tried again there")
			s.lower.On("EVAL", says("-MOVED 12182 %s", upper))
			_, err := view.Do(t.Context(), "EVAL", "return redis.call('GET', KEYS[1])", 1, up)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
			s.lower.On("MGET", says("-CROSSSLOT Keys in request don't hash to the same slot"))
			_, err = view.MGet(t.Context(), low, up)
			require.ErrorAs(t, err, new(keyslot.ServerError), "not split, but left to the server")
		}
		for _, name := range []string{"SET", "EVAL", "MGET"} {
			require.Empty(t, sent(s.upper, name))
		}
		require.Equal(t, lower, s.client.Topology().Shards[0].Primary.Addr())
		require.EqualValues(t, 8191, s.client.Topology().Shards[0].Slots[0].Last, "what the node said changes no map")
	})
}

func TestANodeThatIsNotThereIsNotReplaced(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, name := range []string{"", "nobody", "10.0.0.9:6379", "10.0.0.1", "10.0.0.1:6380", ":6379"} {
			err := s.client.On(keyslot.ToNode(name)).Ping(t.Context())
			require.ErrorIs(t, err, keyslot.ErrUnknownNode, name)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
			require.EqualError(t, err, fmt.Sprintf("keyslot: PING: no such node in the topology: %q is none of the 2 that are known [not executed]", name))
			if name == "" { // all owners
				continue
			}
			for _, err := range s.client.Scan(t.Context(), "", keyslot.OwnedBy(name)) {
				require.ErrorContains(t, err, fmt.Sprintf("%q is none of the 2", name))
				require.ErrorIs(t, err, keyslot.ErrUnknownNode)
			}
		}
		require.Empty(t, commands(s.upper))
	})
}

func TestACommandForANodeEndsWhenTheNodeHasLeft(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		view := s.client.On(keyslot.ToNode(upper))
		s.upper.Close()
		time.AfterFunc(time.Second, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}})
		})
		err := view.Ping(t.Context())
		require.ErrorContains(t, err, "not listed any more: it failed or left; last attempt: dial "+upper+": connection refused")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.NotErrorIs(t, err, keyslot.ErrRetryable)
		require.LessOrEqual(t, time.Since(s.began), 1500*time.Millisecond, "with the refresh that finds it gone")
		require.ErrorIs(t, view.Ping(t.Context()), keyslot.ErrUnknownNode)
		require.NoError(t, view.On(nil).Ping(t.Context()), "the client's own routing again")
	})
}

// The dial's time was not the caller's.
func TestANodeThatSwallowedDialsAndLeftEndedNobodysPatience(t *testing.T) {
	story(t, keyslot.Options{DialTimeout: 300 * time.Millisecond}, func(t *testing.T, s *stage) {
		s.upper.Close()
		s.net.BlackHole(upper)
		time.AfterFunc(time.Second, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}})
		})
		err := s.client.On(keyslot.ToNode(upper)).Ping(t.Context())
		require.ErrorContains(t, err, "it failed or left; last attempt: dial "+upper+": context deadline exceeded")
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, keyslot.ErrRetryable)
	})
}

func TestAViewOfSeveralNodesAsksAllOfThem(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const replica = "10.0.0.3:6379"
		third := s.net.Node(replica)
		s.withReplica(t, replica)
		for i, node := range []*fakenode.Node{s.lower, s.upper, third} {
			node.On("DBSIZE", says(":%d", i+1))
			node.On("CONFIG", ok)
		}
		sum := func(view *keyslot.Client, args ...any) string {
			r, err := view.Do(t.Context(), args...)
			require.NoError(t, err)
			return r.String()
		}
		require.Equal(t, "3", sum(s.client, "DBSIZE"))
		require.Equal(t, "3", sum(s.client.On(keyslot.ToPrimaries), "DBSIZE"))
		require.Equal(t, "6", sum(s.client.On(keyslot.ToNodes), "DBSIZE"))
		p := s.client.On(keyslot.ToNodes).Pipeline()
		size := p.Do("DBSIZE")
		require.NoError(t, p.Exec(t.Context()))
		require.Equal(t, "6", valueOf(t, size).String())

		require.NoError(t, s.client.On(keyslot.ToPrimaries).Ping(t.Context()))
		require.Empty(t, sent(third, "PING"))
		require.NoError(t, s.client.On(keyslot.ToNodes).Ping(t.Context()))
		require.Len(t, sent(third, "PING"), 1)
		require.Equal(t, "OK", sum(s.client.On(keyslot.ToPrimaries), "CONFIG", "SET", "maxmemory", 0))
		require.Empty(t, sent(third, "CONFIG"), "the view decides, not the table")
		require.Equal(t, "OK", sum(s.client, "CONFIG", "SET", "maxmemory", 0))
		require.Len(t, sent(third, "CONFIG"), 1)
	})
}

// withReplica lets the upper shard have a replica, and the client know.
func (s *stage) withReplica(t *testing.T, addr string) {
	s.net.Topology(2, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper, addr}})
	s.refresh(t)
}

// refresh lets the client ask for the topology, and returns when it has it.
func (s *stage) refresh(t *testing.T) {
	epoch := s.client.Topology().Epoch
	require.ErrorIs(t, s.client.On(keyslot.ToNode("")).Ping(t.Context()), keyslot.ErrUnknownNode)
	for s.client.Topology().Epoch == epoch {
		time.Sleep(time.Millisecond)
	}
}

func TestWhatCannotRunOnSeveralNodesIsRefused(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, view := range []*keyslot.Client{s.client.On(keyslot.ToPrimaries), s.client.On(keyslot.ToNodes)} {
			_, err := view.Get(t.Context(), low)
			require.Contains(t, refused(t, err, 1), "belongs to one node")
			_, err = view.MGet(t.Context(), low, up)
			refused(t, err, 1)
			for _, args := range [][]any{{"INFO"}, {"CONFIG", "GET", "*"}, {"RANDOMKEY"}, {"TIME"}, {"SCAN", 0}, {"MODULE.COMMAND", "x"}} {
				_, err = view.Do(t.Context(), args...)
				require.Contains(t, refused(t, err, 0), "Client.DoEach", "%v", args)
			}
		}
		require.Empty(t, s.upper.Tape())
	})
}

// A map can list a failed node at the address of its successor: one process answers there, and once.
func TestTwoNodesListedAtOneAddressAreOne(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const failed = "ffffffffffffffffffffffffffffffffffffffff"
		slots := func(r fakenode.Request) (fakenode.Reaction, bool) {
			entry := func(addr, id string) string {
				return fmt.Sprintf("*4\r\n$8\r\n%s\r\n:6379\r\n$40\r\n%s\r\n*0\r\n", addr[:8], id)
			}
			return says("*2\r\n*3\r\n:0\r\n:8191\r\n%s*4\r\n:8192\r\n:16383\r\n%s%s", entry(lower, idOf(t, s.client, lower)),
				entry(upper, idOf(t, s.client, upper)), strings.TrimSuffix(entry(lower, failed), "\r\n")), r.Name() == "CLUSTER SLOTS"
		}
		s.net.Topology(2)
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.Handle(slots)
			node.On("DBSIZE", one)
		}
		s.refresh(t)
		require.Len(t, s.client.Topology().Shards[1].Replicas, 1)
		reply, err := s.client.On(keyslot.ToNodes).Do(t.Context(), "DBSIZE")
		require.NoError(t, err)
		require.Equal(t, "2", reply.String())
		require.NoError(t, s.client.On(keyslot.ToNode(lower)).Ping(t.Context()))
		require.ErrorIs(t, s.client.On(keyslot.ToNode(failed)).Ping(t.Context()), keyslot.ErrUnknownNode)
	})
}
