package keyslot_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// own answers GET with its key, but for the one that shift is about.
func own(shifted string, shift func(reply string) string) fakenode.Handler {
	return func(r fakenode.Request) (fakenode.Reaction, bool) {
		if r.Name() != "GET" {
			return fakenode.Reaction{}, false
		}
		reply := fmt.Sprintf("$%d\r\n%s\r\n", len(r.Args[1]), r.Args[1])
		if r.Args[1] == shifted {
			reply = shift(reply)
		}
		return fakenode.Reaction{Send: reply}, true
	}
}

// A server that leaves out one reply, as some do with that to a refused AUTH, gives every caller the reply of the next.
func TestAConnectionOutOfStepIsFoundOutAndReplaced(t *testing.T) {
	var events collected[keyslot.DesyncEvent]
	var retries collected[keyslot.RetryEvent]
	var log bytes.Buffer
	opts := keyslot.Options{
		Trace: &keyslot.Trace{Desynced: events.add, Retried: retries.add}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	story(t, opts, func(t *testing.T, s *stage) {
		key := func(i int) string { return fmt.Sprintf("{%s}%d", low, i) }
		s.lower.Handle(own(key(100), func(string) string { return "" }))
		p := s.client.Pipeline()
		for i := range 101 {
			p.Get(key(i))
		}
		require.Error(t, p.Exec(within(t, time.Millisecond)), "the last one has no reply")
		wrong := 0
		for i := range 400 {
			got, err := s.client.Get(within(t, time.Millisecond), key(1000+i))
			if err == nil && got != key(1000+i) {
				wrong++
			}
			synctest.Wait()
		}
		told := events.take()
		require.Len(t, told, 1)
		require.Equal(t, lower, told[0].Node)
		require.GreaterOrEqual(t, told[0].Suspect, wrong)
		require.Contains(t, log.String(), "out of step")
		require.Equal(t, "desync", retries.take()[0].Reason, "the read in flight then")
		require.EqualValues(t, 2, s.dialsTo(lower).Load())
		got, err := s.client.Get(t.Context(), key(1))
		require.NoError(t, err)
		require.Equal(t, key(1), got)
	})
}

func TestAWriteOnAConnectionOutOfStepIsUnknown(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", says(":1\r\n:2"))
		_, err := s.client.Incr(t.Context(), low)
		s.failsAt(t, 0, err, keyslot.ErrUnknownOutcome)
		require.Len(t, sent(s.lower, "INCR"), 1)
	})
}

func TestReadsFromReplicasHaveFences(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.Replica}, []string{primary, replica1}, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.shares(t, 600)
		require.Len(t, sent(f.node[replica1], "PING"), 2)
	})
}
