package keyslot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// Whoever has no subscription yet may end one all the same.
func TestTheZeroSubscriptionIsRefusedWithoutAPanic(t *testing.T) {
	var s keyslot.Subscription
	s.Remove("news")
	s.Buffer(10)
	require.ErrorContains(t, s.Add(t.Context(), "news"), "zero Subscription")
	require.ErrorContains(t, s.Close(), "zero Subscription")
}

// A time has no one form in commands, whichever way it comes.
func TestDoSendsNoTime(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	now := time.Now()
	for _, at := range []any{now, &now, (*time.Time)(nil)} {
		wrong := refusedBeforeSending(t, cluster, client, 2, "SET", "key", at)
		require.Contains(t, wrong.Reason, "UnixMilli()")
	}
}
