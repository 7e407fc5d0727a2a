package keyslot_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/stretchr/testify/require"
)

func TestTheEndAcknowledgesWhatWasHandled(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", says("_"), batchOf(3), stuck())
		s.lower.On("XACK", one)
		var handled entries
		opts := keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1, AckDelay: time.Hour}
		stop := run(t, s.client, opts, handled.note)
		time.Sleep(time.Minute)
		handled.become(t, 3)
		require.Empty(t, acked(s.lower))
		require.NoError(t, stop())
		require.Equal(t, []int{3}, acked(s.lower))
	})
}

func TestTheEndSaysWhatCouldNotBeAcknowledged(t *testing.T) {
	story(t, keyslot.Options{CommandTimeout: -1}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", says("_"), batchOf(3), stuck())
		s.lower.On("XACK", says("-CLUSTERDOWN The cluster is down"))
		stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1}, new(entries).note)
		time.Sleep(10 * time.Second)
		began := time.Now()
		require.ErrorContains(t, stop(), "3 entries were handled but not acknowledged")
		require.LessOrEqual(t, time.Since(began), 5*time.Second)
	})
}

// A consumer that cannot acknowledge must not hold ever more.
func TestNothingIsReadWhileAcknowledgementsDoNotPass(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		n := 0
		var mu sync.Mutex
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			mu.Lock()
			defer mu.Unlock()
			if r.Name() != "XREADGROUP" || r.Args[len(r.Args)-1] != ">" {
				return fakenode.Reaction{}, false
			}
			n++
			id := fmt.Sprintf("%d-1", n)
			next := says("%%1\r\n$5\r\n%s\r\n*1\r\n*2\r\n$%d\r\n%s\r\n*2\r\n$1\r\nf\r\n$1\r\nv", low, len(id), id)
			next.Delay = time.Millisecond // or time would stand still
			return next, true
		})
		s.lower.On("XREADGROUP", says("_"))
		s.lower.On("XACK", says("-OOM command not allowed when used memory > 'maxmemory'."))
		var handled entries
		stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1, AckCount: 5}, handled.note)
		time.Sleep(time.Minute)
		handled.become(t, 50)
		s.lower.On("XACK", one)
		time.Sleep(2 * time.Second)
		require.Greater(t, len(handled.list()), 50)
		require.NoError(t, stop())
	})
}

func TestTheEndAcknowledgesOfOtherSlotsThanTheOneThatFailed(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", says("_"), batchOf(1), stuck())
		s.lower.On("XACK", says("-NOPERM no permissions"))
		late := strings.Replace(batchOf(1).Send, "$5\r\n"+low, "$3\r\n"+up, 1)
		s.upper.On("XREADGROUP", says("_"), fakenode.Reaction{Send: late}, stuck())
		s.upper.On("XACK", one)
		consumer, err := keyslot.NewConsumer(s.client, keyslot.ConsumerOptions{Group: "g", Name: "me", Streams: []string{low, up}, MinIdle: -1})
		require.NoError(t, err)
		err = consumer.Run(t.Context(), func(_ context.Context, e keyslot.Entry) error {
			if e.Stream == up {
				time.Sleep(time.Second)
			}
			return nil
		})
		require.ErrorContains(t, err, "NOPERM")
		require.Equal(t, []int{1}, acked(s.upper))
	})
}

// However short other commands are to be, what was handled has its five seconds.
func TestTheEndWaitsOutTroubleWithTheCluster(t *testing.T) {
	for _, refusal := range []string{"-CLUSTERDOWN The cluster is down", "-MISCONF Errors writing to the AOF file"} {
		story(t, keyslot.Options{CommandTimeout: 200 * time.Millisecond}, func(t *testing.T, s *stage) {
			s.lower.On("XREADGROUP", says("_"), batchOf(1), stuck())
			back := s.began.Add(3 * time.Second)
			s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				if time.Now().Before(back) {
					return says("%s", refusal), r.Name() == "XACK"
				}
				return one, r.Name() == "XACK"
			})
			stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1}, new(entries).note)
			time.Sleep(50 * time.Millisecond)
			require.NoError(t, stop(), refusal)
		})
	}
}

func TestAnyNumberOfAcknowledgementsMayWait(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", says("_"), batchOf(1), stuck())
		s.lower.On("XACK", one)
		var handled entries
		stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1, AckCount: math.MaxInt}, handled.note)
		time.Sleep(time.Minute)
		handled.become(t, 1)
		require.NoError(t, stop())
	})
}

func TestTheEndGoesOnWithAStreamWhileAnotherOneFailsForGood(t *testing.T) {
	for range 10 { // which of the two is asked last is chance
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			const wrong, right = "{" + low + "}wrong", "{" + low + "}right"
			entry := func(stream string) string {
				return fmt.Sprintf("*2\r\n$%d\r\n%s\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n", len(stream), stream)
			}
			s.lower.On("XREADGROUP", says("_"), fakenode.Reaction{Send: "*2\r\n" + entry(wrong) + entry(right)}, stuck())
			acknowledged := false
			s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				switch {
				case r.Name() != "XACK":
					return fakenode.Reaction{}, false
				case r.Args[1] == wrong:
					return says("-WRONGTYPE no stream"), true
				case time.Since(s.began) < 2*time.Second:
					return says("-MISCONF Errors writing to the AOF file"), true
				}
				acknowledged = true
				return one, true
			})
			stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{wrong, right}, MinIdle: -1, AckDelay: 10 * time.Second},
				func(context.Context, keyslot.Entry) error { return nil })
			time.Sleep(50 * time.Millisecond)
			require.ErrorContains(t, stop(), "WRONGTYPE")
			require.True(t, acknowledged)
		})
	}
}
