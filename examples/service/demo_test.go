package main

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// runOn runs the program until the test ends.
func runOn(t *testing.T, target string) (s *running, stdout string) {
	t.Helper()
	var out lockedBuffer
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", target, &out, slog.New(slog.DiscardHandler)) }() // ends with stop
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		require.NoError(t, <-ended)
	})
	line := regexp.MustCompile(`curl (\S+)/readyz`)
	require.Eventually(t, func() bool { return line.MatchString(out.String()) }, 10*time.Second, time.Millisecond)
	url := "http://" + line.FindStringSubmatch(out.String())[1]
	return &running{url: url, http: &http.Client{Transport: transport}}, out.String()
}

func TestWithoutAnEndpointItRunsOnAClusterOfItsOwn(t *testing.T) {
	t.Parallel()
	s, stdout := runOn(t, "")
	require.Contains(t, stdout, "in memory only")
	_, before := ready(t, s)
	for _, change := range []string{"/demo/grow", "/demo/failover"} {
		status, answer := s.ask("POST", change, "")
		require.Equal(t, http.StatusOK, status, answer)
		status, answer = s.ask("POST", "/boards/eu/scores", `{"player":"ann","points":10}`)
		require.Equal(t, http.StatusOK, status, answer)
	}
	require.Eventually(t, func() bool {
		_, now := ready(t, s)
		return len(now.Shards) == 4 && now.Shards[0].Primary != before.Shards[0].Primary
	}, 30*time.Second, 10*time.Millisecond)
}

func TestOnAGivenEndpointNobodyPlaysWithTheCluster(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	s, stdout := runOn(t, "redis://"+cluster.Endpoint())
	require.NotContains(t, stdout, "in memory")
	status, _ := s.ask("GET", "/readyz", "")
	require.Equal(t, http.StatusOK, status)
	status, _ = s.ask("POST", "/demo/failover", "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestAnEndpointThatIsNoneIsSaid(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"127.0.0.1:1", "http://127.0.0.1:6379"} {
		var stdout lockedBuffer
		err := run(t.Context(), "127.0.0.1:0", target, &stdout, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "keyslot: ")
		require.Empty(t, stdout.String())
	}
}
