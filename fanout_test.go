package keyslot_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

const heir = "10.0.0.3:6379"

// succeed makes a node the primary of the upper shard.
func (s *stage) succeed(epoch int, node string) {
	s.net.Topology(epoch, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{node}})
}

func TestDoEachTellsWhatEachNodeSaid(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INFO", says("$5\r\nlower"))
		s.upper.On("INFO", says("-NOPERM no permissions"))
		replies, err := s.client.DoEach(t.Context(), "INFO", "memory")
		var parts *keyslot.PartsError
		require.ErrorAs(t, err, &parts)
		require.Equal(t, 2, parts.Total)
		require.Len(t, parts.Parts(), 1)
		require.Equal(t, upper, parts.Parts()[0].Node)
		said := map[string]keyslot.NodeReply{}
		for _, r := range replies {
			said[r.Node.Addr()] = r
		}
		require.Len(t, said, 2)
		require.NoError(t, said[lower].Err)
		require.Equal(t, "lower", said[lower].Reply.String())
		require.ErrorIs(t, said[upper].Err, keyslot.ErrNotExecuted)
		require.Equal(t, idOf(t, s.client, upper), said[upper].Node.ID)

		for name, route := range map[string]keyslot.Route{"node": keyslot.ToNode(lower), "slot": keyslot.ToKey(low)} {
			replies, err = s.client.On(route).DoEach(t.Context(), "INFO")
			require.NoError(t, err)
			require.Len(t, replies, 1, name)
			require.Equal(t, lower, replies[0].Node.Addr())
			text, err := s.client.On(route).Info(t.Context())
			require.NoError(t, err)
			require.Equal(t, "lower", text)
		}
		_, err = s.client.Info(t.Context())
		require.Contains(t, refused(t, err, 0), "Client.On(ToNode(...))")
	})
}

func TestDoEachRefusesWhatItCannotAskOfSeveralNodes(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		_, err := s.client.DoEach(t.Context(), "GET", low)
		refused(t, err, 1)
		_, err = s.client.DoEach(t.Context(), "WAIT", 1, 0)
		require.Contains(t, refused(t, err, 0), "Client.WriteAndWait")
		_, err = s.client.On(keyslot.ToNode(lower)).DoEach(t.Context(), "BLPOP", low, 0)
		refused(t, err, 0)
		_, err = s.client.DoEach(t.Context(), "INFO", time.Second)
		refused(t, err, 1)
		_, err = s.client.DoEach(nil, "INFO") //nolint:staticcheck // a nil context is refused
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.Empty(t, s.upper.Tape())
	})
}

func TestAnswersThatCannotBeJoinedAreRefused(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	for _, args := range [][]any{
		{"INFO"}, {"FUNCTION", "STATS"}, {"LATENCY", "DOCTOR"}, {"LATENCY", "LATEST"}, {"MEMORY", "STATS"}, {"MEMORY", "DOCTOR"},
	} {
		reason := refusedBeforeSending(t, cluster, client, 0, args...).Reason
		require.Contains(t, reason, "Client.DoEach")
		require.Contains(t, reason, "Client.On(ToNode(...))")
	}
	require.Contains(t, refusedBeforeSending(t, cluster, client, 0, "SCAN", 0).Reason, "Client.Scan")
	cursor := refusedBeforeSending(t, cluster, client, 0, "FT.CURSOR", "READ", "index", 1).Reason
	require.Equal(t, "FT.CURSOR walks one node at a time: use a view made by Client.On(ToNode(...))", cursor)
}

// A subscriber hears each node by itself, so that what two nodes take may overtake each other.
func TestMessagesToAChannelGoByWayOfOneNode(t *testing.T) {
	story(t, keyslot.Options{ConnsPerNode: 2}, func(t *testing.T, s *stage) {
		s.lower.On("PUBLISH", one)
		s.upper.On("PUBLISH", one)
		publish := func(channel string) {
			t.Helper()
			for range 10 {
				_, err := s.client.Publish(t.Context(), channel, "m")
				require.NoError(t, err)
			}
			p := s.client.Pipeline()
			for range 10 {
				p.Publish(channel, "m")
				p.Publish(low, "m")
			}
			require.NoError(t, p.Exec(t.Context()))
		}
		publish(up)
		require.Len(t, sent(s.lower, "PUBLISH"), 10)
		messages := sent(s.upper, "PUBLISH")
		require.Len(t, messages, 20)
		for _, m := range messages {
			require.Equal(t, []string{"PUBLISH", up, "m"}, m.Args)
			require.Equal(t, messages[0].Conn, m.Conn)
		}
		for range 10 {
			tx := s.client.Tx()
			tx.Publish(up, "m")
			_ = tx.Exec(t.Context()) // which nobody has scripted
		}
		require.Len(t, sent(s.lower, "PUBLISH"), 10)
		_, err := s.client.On(keyslot.ToKey(low)).Publish(t.Context(), up, "m")
		require.NoError(t, err)
		require.Len(t, sent(s.lower, "PUBLISH"), 11, "as the view says")

		s.upper.Close()
		synctest.Wait() // else a message may be on its way
		publish(up)
		require.Len(t, sent(s.lower, "PUBLISH"), 41, "which has subscribers too")
		require.LessOrEqual(t, time.Since(s.began), 50*time.Millisecond, "one pause after the dial that was refused")
	})
}

func TestAMessageThatANodeRefusesGoesToAnother(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("PUBLISH", says("-BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."))
		s.lower.On("PUBLISH", one)
		_, err := s.client.Publish(t.Context(), up, "m")
		require.NoError(t, err)
		require.Len(t, sent(s.upper, "PUBLISH"), 2)
	})
}

func TestAMessageThatMayHaveBeenTakenIsNotSentAgain(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("PUBLISH", reset)
		_, err := s.client.Publish(t.Context(), up, "m")
		trail := s.failsAt(t, 0, err, keyslot.ErrUnknownOutcome)
		require.Equal(t, -1, trail.Slot, "a channel is no key")
		require.Empty(t, sent(s.lower, "PUBLISH"))
	})
}

func TestRandomKeyIsNullOnlyWhereEveryPrimaryIsEmpty(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("RANDOMKEY", says("_"))
		s.upper.On("RANDOMKEY", says("$3\r\nfoo"))
		for range 20 {
			r, err := s.client.Do(t.Context(), "RANDOMKEY")
			require.NoError(t, err)
			require.Equal(t, "foo", r.String())
		}
		require.Less(t, len(sent(s.lower, "RANDOMKEY")), 20, "in random order")
		for range 20 {
			p := s.client.Pipeline()
			key := p.Do("RANDOMKEY")
			require.NoError(t, p.Exec(t.Context()))
			require.Equal(t, "foo", valueOf(t, key).String())
		}

		s.upper.On("RANDOMKEY", says("$-1"))
		asked := len(sent(s.upper, "RANDOMKEY")) + len(sent(s.lower, "RANDOMKEY"))
		r, err := s.client.Do(t.Context(), "RANDOMKEY")
		require.NoError(t, err)
		require.True(t, r.IsNil())
		require.Equal(t, asked+2, len(sent(s.upper, "RANDOMKEY"))+len(sent(s.lower, "RANDOMKEY")), "each is asked once")
		_, err = s.client.RandomKey(t.Context())
		require.Equal(t, keyslot.Nil, err)

		s.upper.Close()
		_, err = s.client.Do(within(t, time.Second), "RANDOMKEY")
		require.ErrorIs(t, err, context.DeadlineExceeded, "who knows what the other one has")
	})
}

func TestAPartForAPrimaryThatWasDemotedGoesToItsSuccessor(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		third := s.net.Node(heir)
		third.On("FLUSHALL", ok)
		s.lower.On("FLUSHALL", ok)
		s.upper.On("FLUSHALL", says("-READONLY You can't write against a read only replica."))
		s.succeed(2, heir)
		_, err := s.client.Do(t.Context(), "FLUSHALL")
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(s.began), 200*time.Millisecond, "a refresh follows the first map by as long")
		require.Len(t, sent(third, "FLUSHALL"), 1)
		require.Len(t, sent(s.lower, "FLUSHALL"), 1, "what was answered is not asked again")
	})
}

func TestAPartForAPrimaryThatDiedGoesToItsSuccessor(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.Node(heir).On("DBSIZE", says(":20"))
		s.lower.On("DBSIZE", says(":3"))
		s.upper.Close()
		time.AfterFunc(2*time.Second, func() { s.succeed(2, heir) })
		replies, err := s.client.DoEach(t.Context(), "DBSIZE")
		require.NoError(t, err)
		require.Len(t, replies, 2)
		require.Equal(t, heir, replies[1].Node.Addr())
		require.Equal(t, "20", replies[1].Reply.String())
		require.LessOrEqual(t, time.Since(s.began), 2500*time.Millisecond, "refreshes are half a second apart at most")
		require.Len(t, sent(s.lower, "DBSIZE"), 1)
	})
}

func TestAPartWhoseSlotsAreCoveredByAnotherEndsWithoutAReply(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("DBSIZE", says(":3"))
		s.upper.Close()
		time.AfterFunc(time.Second, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}})
		})
		r, err := s.client.Do(t.Context(), "DBSIZE")
		require.NoError(t, err)
		require.Equal(t, "3", r.String(), "counted once")
		require.LessOrEqual(t, time.Since(s.began), 1500*time.Millisecond, "with the next refresh")
	})
}

func TestAPartWhoseSlotsWentToSeveralNewNodesIsNotExecuted(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("FLUSHALL", ok)
		s.net.Node(heir).On("FLUSHALL", ok)
		s.net.Node("10.0.0.4:6379").On("FLUSHALL", ok)
		s.upper.Close()
		time.AfterFunc(time.Second, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}},
				fakenode.Shard{First: 8192, Last: 12000, Nodes: []string{heir}}, fakenode.Shard{First: 12001, Last: 16383, Nodes: []string{"10.0.0.4:6379"}})
		})
		_, err := s.client.Do(t.Context(), "FLUSHALL")
		var parts *keyslot.PartsError
		require.ErrorAs(t, err, &parts)
		require.Len(t, parts.Parts(), 1)
		require.ErrorIs(t, parts.Parts()[0].Err, keyslot.ErrNotExecuted)
		require.ErrorContains(t, err, "run the command again")
		require.LessOrEqual(t, time.Since(s.began), 1500*time.Millisecond, "with the next refresh")
	})
}

// A shard whose primary the cluster cannot name is not left out: the answer waits for it.
func TestAShardWithoutAKnownPrimaryIsWaitedFor(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("DBSIZE", says(":3"))
		s.upper.On("DBSIZE", says(":4"))
		s.succeed(2, "?:0")
		s.refresh(t)
		_, err := s.client.Do(within(t, time.Second), "DBSIZE")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "no node is known")
		time.AfterFunc(time.Second, func() { s.succeed(3, upper) })
		r, err := s.client.Do(t.Context(), "DBSIZE")
		require.NoError(t, err)
		require.Equal(t, "7", r.String())
		require.LessOrEqual(t, time.Since(s.began), 2500*time.Millisecond, "with the next refresh")
	})
}

func TestAFanOutWhosePartMayHaveRunIsUnknown(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("FLUSHALL", ok)
		s.upper.On("FLUSHALL", reset)
		_, err := s.client.Do(t.Context(), "FLUSHALL")
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.Len(t, sent(s.upper, "FLUSHALL"), 1)
		s.upper.On("DBSIZE", reset, says(":4"))
		s.lower.On("DBSIZE", says(":3"))
		r, err := s.client.Do(t.Context(), "DBSIZE")
		require.NoError(t, err, "what only reads is sent again")
		require.Equal(t, "7", r.String())
	})
}

func TestOneSuccessIsEnoughWhereTheTableSaysSo(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const idle = "NOTBUSY No scripts in execution right now."
		s.lower.On("SCRIPT", says("-%s", idle))
		s.upper.On("SCRIPT", ok)
		_, err := s.client.Do(t.Context(), "SCRIPT", "KILL")
		require.NoError(t, err)
		s.upper.On("SCRIPT", says("-%s", idle))
		_, err = s.client.Do(t.Context(), "SCRIPT", "KILL")
		var said keyslot.ServerError
		require.ErrorAs(t, err, &said)
		require.Equal(t, idle, string(said))
		_, err = s.client.DoEach(t.Context(), "SCRIPT", "KILL")
		require.Error(t, err, "each for itself")

		s.lower.On("SCRIPT", says("-UNKILLABLE it has written"))
		_, err = s.client.Do(t.Context(), "SCRIPT", "KILL")
		require.ErrorAs(t, err, &said)
		require.Equal(t, "UNKILLABLE", said.Code(), "what matters comes first")
		s.lower.On("SCRIPT", says("-%s", idle), says("-UNKILLABLE it has written"))
		s.upper.On("SCRIPT", ok)
		require.NoError(t, s.client.ScriptKill(t.Context()))
		require.ErrorContains(t, s.client.ScriptKill(t.Context()), "failed for 1 of 2 parts")
	})
}

// The server reads nothing of a connection while it runs a script for it.
func TestWhatEndsAScriptDoesNotWaitBehindIt(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("EVAL", stuck())
		s.lower.On("SCRIPT", ok)
		s.lower.On("FUNCTION", ok)
		s.upper.On("SCRIPT", says("-NOTBUSY No scripts in execution right now."))
		s.upper.On("FUNCTION", says("-NOTBUSY No scripts in execution right now."))
		running := make(chan error)
		go func() { // ends at its deadline
			_, err := s.client.Do(within(t, 400*time.Millisecond), "EVAL", "while true do end", 1, low)
			running <- err
		}()
		synctest.Wait()
		p := s.client.Pipeline()
		queued := p.FunctionKill()
		for _, err := range []error{
			s.client.ScriptKill(t.Context()), s.client.FunctionKill(t.Context()),
			s.client.On(keyslot.ToKey(low)).ScriptKill(t.Context()), p.Exec(t.Context()), queued.Err(),
		} {
			require.NoError(t, err)
		}
		require.Equal(t, s.began, time.Now())
		require.Len(t, sent(s.lower, "SCRIPT"), 2)
		require.ErrorIs(t, <-running, context.DeadlineExceeded)
	})
}

// They share a connection at each node, for there are only so many.
func TestAnyNumberOfKillsMayGoTogether(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("FUNCTION", ok)
		s.upper.On("FUNCTION", ok)
		before := s.dialsTo(lower).Load()
		p := s.client.Pipeline()
		for range 1025 {
			p.FunctionKill()
		}
		require.NoError(t, p.Exec(t.Context()))
		require.LessOrEqual(t, s.dialsTo(lower).Load()-before, int32(2))
	})
}
