package keyslot_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

func TestAnIdempotentViewSendsAWriteAgainThatMayHaveRun(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", reset, ok)
		view := s.client.Idempotent()
		require.NoError(t, view.Set(t.Context(), low, "v"))
		require.Len(t, sent(s.lower, "SET"), 2)

		s.lower.On("SET", reset, ok)
		require.ErrorIs(t, s.client.Set(t.Context(), low, "v"), keyslot.ErrUnknownOutcome, "the client itself is as it was")

		s.lower.On("SET", reset, ok)
		p := view.Pipeline()
		p.Set(low, "v")
		require.NoError(t, p.Exec(t.Context()))
	})
}

func TestATimeoutViewBoundsCallsWithoutADeadline(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("GET", stuck())
		view := s.client.Idempotent().Timeout(300 * time.Millisecond)
		_, err := view.Get(t.Context(), low)
		s.failsAt(t, 300*time.Millisecond, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)

		_, err = view.Get(within(t, 400*time.Millisecond), low)
		s.failsAt(t, 700*time.Millisecond, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)

		_, err = view.Timeout(0).Get(t.Context(), low)
		s.failsAt(t, 5700*time.Millisecond, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
	})
}
