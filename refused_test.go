package keyslot_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What a server refuses before it is asked for a command: a dial, or the topology. errors.As finds its words as those
// of any refusal, and yet no command was answered.

func TestWhatNewWasRefusedWithIsAServerError(t *testing.T) {
	for command, refusal := range map[string]string{
		"HELLO":         "WRONGPASS invalid username-password pair or user is disabled.",
		"CLUSTER SLOTS": "NOPERM User app has no permissions to run the 'cluster|slots' command",
	} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On(command, says("-%s", refusal))
			for _, lazy := range []bool{false, true} {
				client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: s.dial, Lazy: lazy})
				if lazy {
					require.NoError(t, err)
					err = client.Set(within(t, time.Second), low, "v")
					require.ErrorIs(t, err, keyslot.ErrNotExecuted)
					require.ErrorIs(t, err, keyslot.ErrRetryable)
					require.NoError(t, client.Close())
				}
				var said keyslot.ServerError
				require.ErrorAs(t, err, new(*keyslot.BootstrapError))
				require.ErrorAs(t, err, &said)
				require.Equal(t, refusal, string(said))
			}
		})
	}
}

func TestWhatALoginWasRefusedWithIsAServerErrorAndNoAnswer(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("HELLO", says(wrongpass))
		s.lower.Cut(fakenode.FIN)
		synctest.Wait()
		for name, call := range map[string]func(ctx context.Context) error{
			"alone":         func(ctx context.Context) error { return s.client.Set(ctx, low, "v") },
			"in a pipeline": func(ctx context.Context) error { p := s.client.Pipeline(); p.Set(low, "v"); return p.Exec(ctx) },
			"subscribing": func(ctx context.Context) error {
				_, err := s.client.SSubscribe(ctx, low)
				return err
			},
		} {
			err := call(within(t, time.Second))
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted, name)
			require.ErrorIs(t, err, keyslot.ErrRetryable, name)
			var said keyslot.ServerError
			require.ErrorAs(t, err, &said, name)
			require.Equal(t, wrongpass[1:], string(said), name)
		}
		err := s.client.Set(within(t, time.Second), low, "v")
		var trail *keyslot.Error
		require.ErrorAs(t, err, &trail)
		require.Equal(t, "auth", trail.Phase)
	})
}

// A server's answer ends a Consumer; a login that is refused is one more reason to wait.
func TestAConsumerWaitsForAPasswordThatWorksAgain(t *testing.T) {
	story(t, keyslot.Options{CommandTimeout: time.Second}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", says("_"), batchOf(1), stuck())
		s.lower.On("XACK", one)
		s.lower.On("HELLO", says(wrongpass))
		s.lower.Cut(fakenode.FIN)
		var handled entries
		stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1}, handled.note)
		time.Sleep(5 * time.Second)
		s.lower.On("HELLO", fakenode.Reaction{Send: fakenode.Hello})
		time.Sleep(15 * time.Second)
		require.NoError(t, stop())
		require.Len(t, handled.list(), 1)
	})
}
