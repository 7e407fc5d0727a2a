package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// Stories of subscribers on scripted nodes.

// push is a frame that a server sends a subscriber: a push, or an array under RESP2. The last field of a
// confirmation is a number.
func push(proto int, fields ...any) string {
	frame := resp.AppendPush(nil, len(fields))
	if proto == 2 {
		frame = resp.AppendArray(nil, len(fields))
	}
	for _, field := range fields {
		if n, ok := field.(int); ok {
			frame = resp.AppendInt(frame, int64(n))
		} else {
			frame = resp.AppendBulk(frame, fmt.Sprint(field))
		}
	}
	return string(frame)
}

// isSubscription reports whether a request begins or ends a subscription.
func isSubscription(r fakenode.Request) bool { return strings.HasSuffix(r.Name(), "SUBSCRIBE") }

// confirm is the answer to a request that begins or ends subscriptions.
func confirm(proto int, r fakenode.Request) fakenode.Reaction {
	var all strings.Builder
	for i, name := range r.Args[1:] {
		all.WriteString(push(proto, strings.ToLower(r.Args[0]), name, i+1))
	}
	return fakenode.Reaction{Send: all.String()}
}

// confirms lets a node take every subscription.
func confirms(node *fakenode.Node) {
	node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return confirm(3, r), isSubscription(r) })
}

// listening runs a story whose nodes take every subscription.
func listening(t *testing.T, opts keyslot.Options, tell func(t *testing.T, s *stage)) {
	t.Helper()
	story(t, opts, func(t *testing.T, s *stage) {
		confirms(s.lower)
		confirms(s.upper)
		tell(t, s)
	})
}

// hear returns the next n things that a subscription yields: the payload of a message, or the gap.
func hear(t *testing.T, sub *keyslot.Subscription, n int) (heard []string, gaps []*keyslot.Gap) {
	t.Helper()
	for m, err := range sub.Messages(within(t, time.Minute)) {
		var gap *keyslot.Gap
		switch {
		case errors.As(err, &gap):
			gaps = append(gaps, gap)
			slices.Sort(gap.Channels)
			heard = append(heard, "gap "+strings.Join(gap.Channels, " "))
		case err != nil:
			t.Fatal(err)
		default:
			heard = append(heard, m.Payload)
		}
		if len(heard) == n {
			break
		}
	}
	return heard, gaps
}

func says3(node *fakenode.Node, channel, payload string) {
	node.Push(push(3, "smessage", channel, payload))
}

func TestSSubscribeSplitsBySlotAndReturnsOnceAllAreConfirmed(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		confirms(s.lower)
		s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			late := confirm(3, r)
			late.Delay = 400 * time.Millisecond
			return late, isSubscription(r)
		})
		sub, err := s.client.SSubscribe(t.Context(), low, "{"+low+"}2", "bar", up)
		require.NoError(t, err)
		require.Equal(t, 400*time.Millisecond, time.Since(s.began))
		asked := sent(s.lower, "SSUBSCRIBE")
		require.Len(t, asked, 2, "one for each slot")
		require.Equal(t, 3+2, len(asked[0].Args)+len(asked[1].Args))
		require.Equal(t, []string{"ssubscribe", up}, sent(s.upper, "SSUBSCRIBE")[0].Args)

		says3(s.lower, low, "one")
		for m, err := range sub.Messages(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, keyslot.Message{Channel: low, Payload: "one", Node: lower}, m)
			break
		}
		require.NoError(t, sub.Close())
		synctest.Wait()
		require.EqualValues(t, 1, s.open.Load(), "its connections are gone, and the client's own is not")
	})
}

func TestASubscriptionThatIsRefusedLeavesNothing(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Handle(nil)
		s.upper.On("SSUBSCRIBE", says("-NOPERM no permissions"))
		_, err := s.client.SSubscribe(t.Context(), low, up)
		trail := s.failsAt(t, 0, err, keyslot.ErrNotExecuted)
		require.Equal(t, upper, trail.Node)
		require.ErrorAs(t, err, new(keyslot.ServerError))
		synctest.Wait()
		require.EqualValues(t, 1, s.open.Load(), "the client's own")

		s.upper.On("SSUBSCRIBE", says("-CLUSTERDOWN The cluster is down"))
		_, err = s.client.SSubscribe(within(t, time.Second), low, up)
		s.failsAt(t, time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		require.ErrorContains(t, err, "CLUSTERDOWN")
		synctest.Wait()
		require.EqualValues(t, 2, s.open.Load(), "the client's own, for it has asked for a map")

		for _, names := range [][]string{nil, {"news"}} {
			_, err = s.client.KeyspaceEvents(t.Context(), names...)
			require.ErrorAs(t, err, new(*keyslot.ArgumentError))
		}
	})
}

func TestAChannelIsSubscribedWhereMovedSays(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.Handle(nil)
		s.lower.On("SSUBSCRIBE", says("-MOVED 866 %s", upper))
		sub, err := s.client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		require.Zero(t, time.Since(s.began))
		says3(s.upper, low, "one")
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"one"}, heard)
	})
}

// A channel that is confirmed twice must not count for one that is not confirmed at all.
func TestAConnectionLostWhileSubscribingConfirmsNothingTwice(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Handle(nil)
		s.upper.On("SSUBSCRIBE", stuck())
		time.AfterFunc(time.Second, func() { s.lower.Cut(fakenode.RST) })
		_, err := s.client.SSubscribe(within(t, 3*time.Second), low, up)
		s.failsAt(t, 3*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		require.Len(t, sent(s.lower, "SSUBSCRIBE"), 2)
	})
}

// The server ends the subscription itself when the slot has left it.
func TestASlotThatMovesIsFollowedAndLeavesAGap(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), low, up)
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		says3(s.lower, low, "before")
		s.lower.Handle(nil)
		s.lower.On("SSUBSCRIBE", says("-MOVED 866 %s", upper))
		s.lower.Push(push(3, "sunsubscribe", low, 0))
		pushed := time.Now()
		heard, gaps := hear(t, sub, 2)
		require.Equal(t, []string{"before", "gap " + low}, heard)
		require.Equal(t, pushed.Add(-time.Second), gaps[0].From)
		require.LessOrEqual(t, gaps[0].To.Sub(pushed), 100*time.Millisecond)
		says3(s.upper, low, "after")
		says3(s.lower, low, "from the wrong node")
		says3(s.upper, up, "not concerned")
		heard, _ = hear(t, sub, 2)
		require.Equal(t, []string{"after", "not concerned"}, heard)
	})
}

func TestALostConnectionLeavesAGapBetweenTheMessages(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), low, "{"+low+"}2", up)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		says3(s.lower, low, "before")
		synctest.Wait()
		cut := time.Now()
		s.lower.Cut(fakenode.RST)
		heard, gaps := hear(t, sub, 2)
		require.Equal(t, []string{"before", "gap " + low + " {" + low + "}2"}, heard, "one gap for both")
		require.Equal(t, cut.Add(-time.Second), gaps[0].From)
		require.LessOrEqual(t, gaps[0].To.Sub(cut), 50*time.Millisecond)
		require.ErrorContains(t, gaps[0], "messages of 2 channels may have been missed")
		says3(s.lower, low, "after")
		heard, _ = hear(t, sub, 1)
		require.Equal(t, []string{"after"}, heard)
	})
}

func TestAGapComesBeforeTheFirstMessageBehindIt(t *testing.T) {
	const sibling = "{" + low + "}2"
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), low, sibling)
		require.NoError(t, err)
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			if !isSubscription(r) {
				return fakenode.Reaction{}, false
			}
			first, second := r.Args[1], r.Args[2]
			return fakenode.Reaction{Send: push(3, "smessage", first, "not subscribed yet") + push(3, "ssubscribe", first, 1) +
				push(3, "smessage", first, "after") + push(3, "ssubscribe", second, 2)}, true
		})
		s.lower.Cut(fakenode.RST)
		heard, gaps := hear(t, sub, 3)
		require.Equal(t, "after", heard[1])
		require.ElementsMatch(t, []string{low, sibling}, append(gaps[0].Channels, gaps[1].Channels...))
	})
}

// Commands may learn of a new owner before the old one ends the subscription, which then tells more exactly what was missed.
func TestTheServersWordIsWaitedForWhenTheMapHasChanged(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		s.lower.On("GET", says("-MOVED 866 %s", upper))
		s.upper.On("GET", value)
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{upper}})
		_, err = s.client.Get(t.Context(), low)
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		says3(s.lower, low, "served to the last")
		s.lower.Push(push(3, "sunsubscribe", low, 0))
		pushed := time.Now()
		heard, gaps := hear(t, sub, 2)
		require.Equal(t, []string{"served to the last", "gap " + low}, heard)
		require.Equal(t, pushed.Add(-time.Second), gaps[0].From)
		require.Len(t, sent(s.upper, "SSUBSCRIBE"), 1)
	})
}

func TestAConfirmationOfAnotherChannelConfirmsNothing(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.Handle(nil)
		s.lower.On("SSUBSCRIBE", fakenode.Reaction{Send: push(3, "ssubscribe", up, 1)})
		_, err := s.client.SSubscribe(within(t, time.Second), low)
		s.failsAt(t, time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
	})
}

func TestAPrimaryThatFallsSilentIsLeftForItsSuccessor(t *testing.T) {
	failover(t, keyslot.Options{}, func(t *testing.T, s *stage, client *keyslot.Client) {
		heir := s.net.Node(spare)
		confirms(s.lower)
		confirms(heir)
		sub, err := client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		s.lower.StopReading()
		frozen := time.Now()
		time.AfterFunc(3*time.Second, func() { shards(s, 3, spare, lower) })
		_, gaps := hear(t, sub, 1)
		require.InDelta(t, 3.5, gaps[0].To.Sub(frozen).Seconds(), 0.5, "within a second of the new map")
		require.False(t, gaps[0].From.After(frozen))
		require.Less(t, frozen.Sub(gaps[0].From), 3*time.Second)
		says3(heir, low, "after")
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"after"}, heard)
		s.lower.Resume()
	})
}

func TestASilentNodeWithoutSuccessorIsDialledAnew(t *testing.T) {
	listening(t, keyslot.Options{PeerTimeout: 2 * time.Second}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), up)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		s.upper.On("PING", stuck())
		_, gaps := hear(t, sub, 1)
		require.InDelta(t, 2.6, time.Since(s.began.Add(time.Minute)).Seconds(), 0.7, "up to a second until PING, and PeerTimeout")
		require.ErrorContains(t, gaps[0], "silent")
	})
}

func TestAnIdleSubscriptionAsksForASignOfLife(t *testing.T) {
	for name, tc := range map[string]struct {
		probe time.Duration
		pings int
	}{"by itself": {0, 60}, "as often as the client": {500 * time.Millisecond, 120}, "never": {-1, 0}} {
		t.Run(name, func(t *testing.T) {
			listening(t, keyslot.Options{IdleProbe: tc.probe}, func(t *testing.T, s *stage) {
				_, err := s.client.Subscribe(t.Context(), "news")
				require.NoError(t, err)
				time.Sleep(time.Minute)
				require.InDelta(t, tc.pings, len(sent(s.lower, "PING"))+len(sent(s.upper, "PING")), float64(tc.pings)/4)
			})
		})
	}
}

func TestASlowReaderLosesTheOldestAndDelaysNobody(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		slow, err := s.client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		slow.Buffer(10)
		quick, err := s.client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		for i := range 25 {
			says3(s.lower, low, fmt.Sprint(i))
			heard, _ := hear(t, quick, 1)
			require.Equal(t, []string{fmt.Sprint(i)}, heard)
		}
		synctest.Wait()
		heard, gaps := hear(t, slow, 11)
		require.Equal(t, "gap "+low+" 15 16 17 18 19 20 21 22 23 24", strings.Join(heard, " "))
		require.Equal(t, 15, gaps[0].Dropped)

		s.lower.Cut(fakenode.RST) // a gap that is dropped is part of the one in front
		hear(t, quick, 1)
		time.Sleep(time.Second)
		for i := range 12 {
			says3(s.lower, low, fmt.Sprint(i))
		}
		synctest.Wait()
		heard, gaps = hear(t, slow, 11)
		require.Equal(t, "gap "+low+" 2 3 4 5 6 7 8 9 10 11", strings.Join(heard, " "))
		require.Equal(t, 2, gaps[0].Dropped)
		require.True(t, gaps[0].From.Before(gaps[0].To.Add(-time.Second)))
	})
}

func TestABurstIsKeptForTheReader(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		const burst = 20_000
		s.lower.Push(strings.Repeat(push(3, "smessage", low, "text"), burst))
		synctest.Wait()
		_, gaps := hear(t, sub, burst)
		require.Empty(t, gaps)
	})
}

func TestTheBufferOfASubscriptionChangesAtAnyTime(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		for i := range 5 {
			says3(s.lower, low, fmt.Sprint(i))
		}
		synctest.Wait()
		sub.Buffer(3)
		heard, gaps := hear(t, sub, 2)
		require.Equal(t, []string{"gap " + low, "2"}, heard)
		require.Equal(t, 2, gaps[0].Dropped)
		sub.Buffer(-1) // counts as 1
		heard, _ = hear(t, sub, 2)
		require.Equal(t, []string{"gap " + low, "4"}, heard)
		sub.Buffer(math.MaxInt)
		for i := range 2000 {
			says3(s.lower, low, fmt.Sprint(i))
		}
		synctest.Wait()
		_, gaps = hear(t, sub, 2000)
		require.Empty(t, gaps)
	})
}

func TestASubscriptionUnderRESP2(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.On("HELLO", says("-ERR unknown command 'HELLO'"))
			node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				if r.Name() == "PING" && time.Since(s.began) > time.Second {
					return fakenode.Reaction{Send: push(2, "pong", "")}, true
				}
				return confirm(2, r), isSubscription(r)
			})
		}
		sub, err := s.client.SSubscribe(t.Context(), up)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		s.upper.Push(push(2, "smessage", up, "one"))
		s.upper.Push(push(2, "sunsubscribe", up, 0))
		heard, _ := hear(t, sub, 2)
		require.Equal(t, []string{"one", "gap " + up}, heard)
		require.Greater(t, len(sent(s.upper, "PING")), 50)
		asked := sent(s.upper, "SSUBSCRIBE")
		require.Len(t, asked, 2)
		require.Equal(t, asked[0].Conn, asked[1].Conn, "nothing was taken amiss")
	})
}

func TestFramesThatAreNoMessagesEndTheConnectionAndNotTheSubscription(t *testing.T) {
	for _, bytes := range []string{
		">1\r\n+smessage\r\n", push(3, "smessage", up), push(3, "smessage", up, "a", "b"), push(3, "pmessage", up, up, "a"),
		push(3, "invalidate", up), push(3, "ssubscribe", up, 1), ">3\r\n+smessage\r\n*1\r\n+a\r\n+b\r\n",
		">2\r\n>2\r\n>2\r\n>2\r\n>2\r\n>2\r\n+a\r\n+b\r\n", "+PONG\r\n", "-ERR what\r\n", ":1\r\n", "%1\r\n+a\r\n+b\r\n", "nonsense\r\n",
		">999999999999\r\n", "$999999999\r\nx", "_\r\n", "*-1\r\n", "*0\r\n", ">?\r\n",
	} {
		t.Run(fmt.Sprintf("%q", bytes), func(t *testing.T) {
			listening(t, keyslot.Options{PeerTimeout: time.Second}, func(t *testing.T, s *stage) {
				sub, err := s.client.SSubscribe(t.Context(), up)
				require.NoError(t, err)
				s.upper.Push(bytes)
				heard, _ := hear(t, sub, 1)
				require.Equal(t, []string{"gap " + up}, heard)
				says3(s.upper, up, "after")
				heard, _ = hear(t, sub, 1)
				require.Equal(t, []string{"after"}, heard)
			})
		})
	}
}

func TestANodeThatAlwaysSendsNonsenseIsNotDialledInALoop(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		_, err := s.client.SSubscribe(t.Context(), up)
		require.NoError(t, err)
		s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			return fakenode.Reaction{Send: confirm(3, r).Send + "+surplus\r\n"}, isSubscription(r)
		})
		s.upper.Cut(fakenode.RST)
		time.Sleep(time.Minute)
		require.Less(t, len(sent(s.upper, "SSUBSCRIBE")), 400)
	})
}

func TestRemovedChannelsAreSilentAndAddedOnesAreConfirmed(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		require.NoError(t, sub.Add(t.Context(), up, low))
		sub.Remove(low)
		says3(s.lower, low, "too late")
		says3(s.upper, up, "one")
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"one"}, heard)
		synctest.Wait()
		require.Equal(t, 1, s.lower.Open(), "no connection to a node without channels")

		s.upper.Handle(nil)
		s.upper.On("SSUBSCRIBE", says("-NOPERM no permissions"))
		require.ErrorIs(t, sub.Add(t.Context(), "{foo}2", low), keyslot.ErrNotExecuted)
		says3(s.lower, low, "too late")
		synctest.Wait()
		says3(s.upper, up, "two")
		heard, _ = hear(t, sub, 1)
		require.Equal(t, []string{"two"}, heard, "what was there before is there still")
	})
}

func TestASubscriptionEndsAsItIsTold(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		var subs [3]*keyslot.Subscription
		for i := range subs {
			var err error
			subs[i], err = s.client.SSubscribe(t.Context(), up)
			require.NoError(t, err)
		}
		says3(s.upper, up, "last")
		synctest.Wait()
		ends := func(sub *keyslot.Subscription) (heard []string, last error) {
			for m, err := range sub.Messages(within(t, time.Minute)) {
				if last = err; err == nil {
					heard = append(heard, m.Payload)
				}
			}
			return heard, last
		}
		require.NoError(t, subs[0].Close())
		heard, err := ends(subs[0])
		require.NoError(t, err)
		require.Equal(t, []string{"last"}, heard)
		err = subs[0].Add(t.Context(), low)
		require.ErrorIs(t, err, keyslot.ErrClosed)
		require.EqualError(t, err, "keyslot: SSUBSCRIBE: subscription closed [not executed]")

		s.upper.Handle(nil)
		s.upper.On("SSUBSCRIBE", says("-NOPERM no permissions"))
		s.upper.Push(push(3, "sunsubscribe", up, 0))
		_, err = ends(subs[1])
		require.ErrorAs(t, err, new(keyslot.ServerError), "a server that refuses for good")
		require.ErrorAs(t, subs[1].Add(t.Context(), low), new(keyslot.ServerError))

		last, err := s.client.SSubscribe(t.Context(), low)
		require.NoError(t, err)
		require.NoError(t, s.client.Close())
		_, err = ends(last)
		require.ErrorIs(t, err, keyslot.ErrClosed)
		require.ErrorIs(t, last.Add(t.Context(), low), keyslot.ErrClosed)
		_, err = s.client.Subscribe(t.Context(), "news")
		require.ErrorIs(t, err, keyslot.ErrClosed)
		_, err = ends(last)
		require.ErrorIs(t, err, keyslot.ErrClosed)
	})
}

func TestAPlainSubscriptionGoesToAnotherNode(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.PSubscribe(t.Context(), "n*")
		require.NoError(t, err)
		first, second := s.lower, s.upper
		if len(sent(first, "PSUBSCRIBE")) == 0 {
			first, second = second, first
		}
		first.Close()
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"gap n*"}, heard)
		second.Push(push(3, "pmessage", "n*", "news", "hello"))
		for m, err := range sub.Messages(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, "n* news hello", m.Pattern+" "+m.Channel+" "+m.Payload)
			break
		}
	})
}

func TestKeyspaceEventsAreSubscribedToAtEveryPrimary(t *testing.T) {
	const pattern = "__keyspace@0__:*"
	listening(t, keyslot.Options{RefreshAfter: time.Second}, func(t *testing.T, s *stage) {
		heir := s.net.Node(spare)
		confirms(heir)
		sub, err := s.client.KeyspaceEvents(t.Context(), pattern)
		require.NoError(t, err)
		s.upper.Push(push(3, "pmessage", pattern, "__keyspace@0__:foo", "set"))
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"set"}, heard)

		shards(s, 2, spare) // in the place of lower
		changed := time.Now()
		_, gaps := hear(t, sub, 1)
		require.Equal(t, spare, gaps[0].Node)
		require.False(t, gaps[0].From.After(changed))
		require.Less(t, gaps[0].To.Sub(changed), 3*time.Second, "the age of a map, and the pause between two refreshes")
		s.lower.Push(push(3, "pmessage", pattern, "__keyspace@0__:x", "of a node that is no primary"))
		heir.Push(push(3, "pmessage", pattern, "__keyspace@0__:{a}", "del"))
		for m, err := range sub.Messages(t.Context()) {
			require.NoError(t, err)
			event, ok := m.Keyspace()
			require.True(t, ok)
			require.Equal(t, keyslot.KeyspaceEvent{Key: "{a}", Event: "del"}, event)
			break
		}
	})
}

// The successor's gap begins where nothing was heard any more of the one that is gone, not with the map that says so.
func TestTheGapOfAPrimaryThatDiedIsToldByItsSuccessor(t *testing.T) {
	const pattern = "__keyspace@0__:*"
	listening(t, keyslot.Options{RefreshAfter: time.Second}, func(t *testing.T, s *stage) {
		confirms(s.net.Node(spare))
		sub, err := s.client.KeyspaceEvents(t.Context(), pattern)
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		s.upper.Close()
		died := time.Now()
		time.AfterFunc(4*time.Second, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{spare}})
		})
		_, gaps := hear(t, sub, 1)
		require.Equal(t, spare, gaps[0].Node)
		require.False(t, gaps[0].From.After(died))
		require.GreaterOrEqual(t, gaps[0].To.Sub(died), 4*time.Second)
		require.LessOrEqual(t, gaps[0].To.Sub(died), 4500*time.Millisecond, "up to 500 ms between two refreshes")
	})
}

func TestKeyspaceMessages(t *testing.T) {
	for channel, want := range map[string]keyslot.KeyspaceEvent{
		"__keyspace@0__:a:__:b": {Key: "a:__:b", Event: "payload"},
		"__keyspace@15__:":      {DB: 15, Event: "payload"},
		"__keyevent@0__:del":    {Key: "payload", Event: "del"},
		"__keyspace@0__a":       {},
		"__keyspace@-1__:a":     {},
		"__keyspace@a__:a":      {},
		"0__:a":                 {},
		"news":                  {},
	} {
		event, ok := keyslot.Message{Channel: channel, Payload: "payload"}.Keyspace()
		require.Equal(t, want, event, channel)
		require.Equal(t, want != keyslot.KeyspaceEvent{}, ok, channel)
	}
}
