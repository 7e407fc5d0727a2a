package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// Who may not do what is asked for may not in a second either: no Retry-After asks anybody to repeat it.
func TestAPermanentRefusalIsNoInvitationToRepeat(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	settings := defaults()
	settings.deadline = 300 * time.Millisecond
	s := start(t, cluster.Endpoint(), quick(), settings)
	refused := keyslottest.Fault{Command: "EVALSHA", Error: "NOPERM User app has no permissions to run the 'evalsha' command"}
	_, err := cluster.Inject(cluster.Owner(boardKey("eu")).ID, refused)
	require.NoError(t, err)
	status, answer := s.ask("POST", "/boards/eu/scores", `{"player":"ann","points":5}`)
	require.Equal(t, 500, status, answer)
	require.Contains(t, answer, "would not help")
	require.NotContains(t, answer, "Retry-After")
}
