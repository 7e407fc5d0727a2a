package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// A slow server looks like a busy process at first. Looking for its replies must not become a habit.
func TestPollingInVainBecomesRare(t *testing.T) {
	require.Equal(t, 1000, wire.Polls(1000, true, true), "it finds replies")
	require.Equal(t, 1000, wire.Polls(1000, false, false), "nobody else wants to run, so it costs next to nothing")
	require.Less(t, wire.Polls(10_000, true, false), 25, "others run, and no reply has come")
}

func TestAReaderThatMayNotPollNeverDoes(t *testing.T) {
	require.True(t, wire.PollsAfter(time.Second, wire.Options{}), "woken late, it no longer relies on the runtime")
	require.False(t, wire.PollsAfter(time.Second, wire.Options{NoPoll: true}))
}
