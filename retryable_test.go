package keyslot_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// A command may be sent again where that is safe and may help: stories on two scripted nodes (see delivery_test.go).
func TestRetryableIsWhatLackedTimeAndNothingElse(t *testing.T) {
	const down = "-CLUSTERDOWN The cluster is down\r\n"
	for _, row := range []struct {
		name, command, reply string
		retryable            bool
		outcome              error // nil: the server's answer
	}{
		{"a write refused until the deadline", "INCR", down, true, keyslot.ErrNotExecuted},
		{"a read refused until the deadline", "GET", down, true, keyslot.ErrNotExecuted},
		{"a read not answered", "GET", "", true, keyslot.ErrUnknownOutcome},
		{"a write not answered", "INCR", "", false, keyslot.ErrUnknownOutcome},
		{"a write forbidden", "INCR", "-NOPERM no permissions\r\n", false, keyslot.ErrNotExecuted},
		{"a write for another slot", "INCR", "-MOVED 1 10.0.0.9:1\r\n", false, keyslot.ErrUnknownOutcome},
		{"a write answered", "INCR", "-WRONGTYPE no number\r\n", false, nil},
		{"a command of the wrong form", "INCR too many", "", false, keyslot.ErrNotExecuted},
	} {
		t.Run(row.name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On(row.command, fakenode.Reaction{Send: row.reply})
				if row.reply == "" {
					s.lower.On(row.command, stuck())
				}
				args := []any{row.command, low}
				if row.command == "INCR too many" {
					args = []any{"INCR", low, "too", "many"}
				}
				_, err := s.client.Do(within(t, time.Second), args...)
				require.Equal(t, row.retryable, errors.Is(err, keyslot.ErrRetryable), "%v", err)
				var trail *keyslot.Error
				require.ErrorAs(t, err, &trail)
				require.Equal(t, row.retryable, trail.Retryable)
				if row.outcome != nil {
					require.ErrorIs(t, err, row.outcome)
				}
			})
		})
	}
}

func TestWhatEndsBeforeItBeginsIsRetryableUnlessTheClientIsClosed(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.client.Incr(ctx, low)
		require.ErrorIs(t, err, keyslot.ErrRetryable)
		p := s.client.Pipeline()
		p.Incr(low)
		p.Incr(up)
		require.ErrorIs(t, p.Exec(ctx), keyslot.ErrRetryable)
		require.NoError(t, s.client.Close())
		_, err = s.client.Incr(t.Context(), low)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.NotErrorIs(t, err, keyslot.ErrRetryable)
	})
}

// To try a whole pipeline again runs what has succeeded twice.
func TestAPipelineIsRetryableOnlyIfWhatSucceededMayRunTwice(t *testing.T) {
	for command, retryable := range map[string]bool{"INCR": false, "GET": true} {
		t.Run(command, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On(command, says(":1"))
				s.upper.On("INCR", says("-CLUSTERDOWN The cluster is down"))
				s.upper.On("DEL", says("-CLUSTERDOWN The cluster is down"))
				s.lower.On("DEL", says(":1"))
				p := s.client.Pipeline()
				p.Do(command, low)
				failed := p.Incr(up)
				err := p.Exec(within(t, time.Second))
				require.Equal(t, retryable, errors.Is(err, keyslot.ErrRetryable), "%v", err)
				_, err = failed.Get()
				require.ErrorIs(t, err, keyslot.ErrRetryable, "by itself")

				for client, harmless := range map[*keyslot.Client]bool{s.client: false, s.client.Idempotent(): true} {
					_, err = client.Del(within(t, time.Second), low, up)
					require.Equal(t, harmless, errors.Is(err, keyslot.ErrRetryable), "%v", err)
				}
			})
		})
	}
}

// What a watch belongs to has ended with the command: only Watch itself can be called again.
func TestNothingOfAWatchIsRetryableByItself(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("WATCH", ok)
		s.lower.On("GET", stuck())
		err := s.client.Watch(t.Context(), []string{low}, func(w *keyslot.Watched) error {
			_, err := w.Get(within(t, time.Second), low)
			return err
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, keyslot.ErrRetryable)
		s.upper.On("WATCH", stuck())
		err = s.client.Watch(within(t, time.Second), []string{up}, func(*keyslot.Watched) error { return nil })
		require.ErrorIs(t, err, keyslot.ErrRetryable)
	})
}
