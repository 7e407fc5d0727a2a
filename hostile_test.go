package keyslot_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What a hostile server may send, as a caller sees it: stories on two scripted nodes (see delivery_test.go).
// docs/hostile.md lists all attacks, and which test is about which.

// A byte a second is no silence, and would hold up everybody for ever.
func TestAReplyThatTricklesEndsItsConnection(t *testing.T) {
	story(t, keyslot.Options{PeerTimeout: 2 * time.Second, CommandTimeout: time.Minute}, func(t *testing.T, s *stage) {
		s.upper.On("GET", value)
		s.lower.On("GET", value)
		s.lower.On("INCR", fakenode.Reaction{Send: "$10000\r\n" + strings.Repeat("x", 10_000) + "\r\n", Piece: 1, Gap: time.Second})
		var behind sync.WaitGroup
		behind.Go(func() {
			time.Sleep(time.Second)
			got, err := s.client.Get(t.Context(), low)
			require.NoError(t, err, "what only reads is sent again on another connection")
			require.Equal(t, "value", got)
		})
		_, err := s.client.Incr(t.Context(), low)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.InDelta(t, 2, time.Since(s.began).Seconds(), 0.5)
		s.quick(t, up)
		behind.Wait()
		require.Len(t, sent(s.lower, "INCR"), 1)
		time.Sleep(time.Second)
		require.Equal(t, 1, s.lower.Open())
	})
}

// Without a limit a subscription would hear nothing any more, and never say so.
func TestAMessageThatTricklesEndsItsConnection(t *testing.T) {
	listening(t, keyslot.Options{PeerTimeout: 2 * time.Second}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), up)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		s.began = time.Now()
		s.upper.On("PING", fakenode.Reaction{Send: push(3, "smessage", up, strings.Repeat("x", 1000)), Piece: 1, Gap: 100 * time.Millisecond})
		_, gaps := hear(t, sub, 1)
		require.ErrorContains(t, gaps[0], "too slow")
		require.InDelta(t, 3, time.Since(s.began).Seconds(), 1)
	})
}

func TestMalformedRepliesAreNobodysReply(t *testing.T) {
	for _, bytes := range nonsense {
		t.Run(fmt.Sprintf("%.20q", bytes), func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				bad := fakenode.Reaction{Send: bytes, End: fakenode.FIN}
				s.lower.On("INCR", bad)
				s.lower.On("GET", bad, value)
				p := s.client.Pipeline()
				visits, got := p.Incr(low), p.Get(low)
				require.Error(t, p.Exec(within(t, time.Second)))
				s.failsAt(t, 0, visits.Err(), keyslot.ErrUnknownOutcome)
				require.Equal(t, "read", s.failsAt(t, 0, visits.Err(), keyslot.ErrUnknownOutcome).Phase)
				if text, err := got.Get(); err == nil { // sent again on another connection
					require.Equal(t, "value", text)
				}
				text, err := s.client.Get(t.Context(), low)
				require.NoError(t, err)
				require.Equal(t, "value", text)
				require.Len(t, sent(s.lower, "INCR"), 1)
			})
		})
	}
}

// A length is a claim: memory follows the bytes that arrive.
func TestHugeLengthsCostNothing(t *testing.T) {
	for name, claim := range map[string]string{
		"string":           "$536870912\r\nabc",
		"array":            "*16777216\r\n:1\r\n",
		"map":              "%16777216\r\n:1\r\n",
		"push":             ">16777216\r\n:1\r\n",
		"attribute":        "|16777216\r\n:1\r\n",
		"arrays in arrays": strings.Repeat("*16777216\r\n", 32),
		"streamed string":  "$?\r\n;536870912\r\nabc",
		"over the limit":   "$536870913\r\n",
		"not even a count": "*9223372036854775807\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("GET", fakenode.Reaction{Send: claim + strings.Repeat("x", 5000)}) // more than the first read takes
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := s.client.Get(within(t, 10*time.Second), low)
				require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
				runtime.ReadMemStats(&after)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
			})
		})
	}
}

// What the server says unasked, or adds to a reply, takes no place in the queue.
func TestPushesAndAttributesAnswerNobody(t *testing.T) {
	for name, c := range map[string]struct{ before, reply string }{
		"a push":                   {">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", "$5\r\nvalue\r\n"},
		"an unknown kind":          {">3\r\n+what-is-this\r\n:1\r\n%1\r\n+a\r\n_\r\n", "$5\r\nvalue\r\n"},
		"a push of nothing":        {">0\r\n", "$5\r\nvalue\r\n"},
		"a push that is no text":   {">1\r\n:7\r\n", "$5\r\nvalue\r\n"},
		"a push with an error":     {">1\r\n-MOVED 866 10.0.0.9:1\r\n", "$5\r\nvalue\r\n"},
		"a streamed push":          {">?\r\n+x\r\n.\r\n", "$5\r\nvalue\r\n"},
		"an attribute":             {"", "|1\r\n+ttl\r\n:3\r\n$5\r\nvalue\r\n"},
		"an attribute of a push":   {"|1\r\n+ttl\r\n:3\r\n>1\r\n+x\r\n", "$5\r\nvalue\r\n"},
		"attributes of attributes": {"", "|1\r\n|1\r\n:1\r\n:2\r\n+ttl\r\n:3\r\n|0\r\n$5\r\nvalue\r\n"},
		"both":                     {">0\r\n>0\r\n", "|1\r\n+a\r\n*?\r\n.\r\n$5\r\nvalue\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("GET", fakenode.Reaction{Send: c.before + c.reply + c.before, Piece: 3, Gap: time.Millisecond}, value)
				for range 2 {
					got, err := s.client.Get(t.Context(), low)
					require.NoError(t, err)
					require.Equal(t, "value", got)
				}
				requests := sent(s.lower, "GET")
				require.Len(t, requests, 2)
				require.Equal(t, requests[0].Conn, requests[1].Conn)
			})
		})
	}
}

func TestAPushInsideAnAggregateIsItsElement(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("LRANGE", fakenode.Reaction{Send: "*2\r\n>1\r\n+p\r\n$1\r\nx\r\n"})
		r, err := s.client.Do(t.Context(), "LRANGE", low, 0, -1)
		require.NoError(t, err)
		require.Equal(t, "[[p] x]", r.String())
	})
}

// No server streams. Do reads it all the same; a typed method says what it does not know.
func TestStreamedRepliesAreReadOrRefused(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("GET", fakenode.Reaction{Send: "$?\r\n;2\r\nva\r\n;3\r\nlue\r\n;0\r\n"})
		s.lower.On("LRANGE", fakenode.Reaction{Send: "*?\r\n$1\r\na\r\n*?\r\n.\r\n.\r\n"})
		r, err := s.client.Do(t.Context(), "GET", low)
		require.NoError(t, err)
		require.Equal(t, "value", r.String())
		r, err = s.client.Do(t.Context(), "LRANGE", low, 0, -1)
		require.NoError(t, err)
		require.Equal(t, "[a []]", r.String())
		_, err = s.client.Get(t.Context(), low)
		require.ErrorAs(t, err, new(*command.TypeError))
		require.Len(t, sent(s.lower, "GET"), 2)
	})
}

// The reader goes on reading: the connection is there for the next caller, and nothing of what nobody wants is kept.
func TestAFloodOfRepliesThatNobodyWaitsForIsReadAndForgotten(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const callers = 300
		release := make(chan struct{})
		large := "$1048576\r\n" + strings.Repeat("x", 1<<20) + "\r\n"
		s.lower.On("GET", fakenode.Reaction{After: release, Send: large})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				_, err := s.client.Get(within(t, 100*time.Millisecond), fmt.Sprintf("{%s}%d", low, i))
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		all.Wait()
		s.lower.On("GET", fakenode.Reaction{Send: large}, value)
		close(release)
		synctest.Wait()
		runtime.ReadMemStats(&after)
		require.Less(t, int64(after.HeapSys)-int64(before.HeapSys), int64(64<<20), "of 300 MiB")
		got, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		require.Contains(t, []string{"value", large[10 : 10+1<<20]}, got)
	})
}

// One stray reply, whenever it comes, answers nobody.
func TestASurplusReplyReachesNoCaller(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Millisecond, time.Second, time.Minute} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On("GET", fakenode.Reaction{Send: "$5\r\nvalue\r\n+EXTRA\r\n"}, value)
			for range 3 {
				got, err := s.client.Get(t.Context(), low)
				require.NoError(t, err)
				require.Equal(t, "value", got)
				time.Sleep(pause)
			}
			requests := sent(s.lower, "GET")
			require.NotEqual(t, requests[0].Conn, requests[1].Conn, "its connection has ended")
		})
	}
}
