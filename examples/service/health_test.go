package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// ready returns what /readyz says.
func ready(t *testing.T, s *running) (status int, told readiness) {
	status, answer := s.ask("GET", "/readyz", "")
	require.NoError(t, json.Unmarshal([]byte(answer), &told), answer)
	return status, told
}

func TestReadyMeansThatEverySlotIsServed(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{Replicas: 1})
	settings := defaults()
	settings.probe = 50 * time.Millisecond // all keys are refused below
	s := start(t, cluster.Endpoint(), quick(), settings)
	status, told := ready(t, s)
	require.Equal(t, http.StatusOK, status)
	require.True(t, told.Ready)
	require.Equal(t, allSlots, told.Slots)
	require.EqualValues(t, cluster.Shards()[2].Epoch, told.Epoch)
	require.Equal(t, shard{Primary: cluster.Nodes()[0].Addr, Replicas: 1, Slots: 5461}, told.Shards[0])

	owner := cluster.Shards()[0].Primary.ID
	require.NoError(t, cluster.DeleteSlots(7, 8))
	require.Eventually(t, func() bool {
		status, told = ready(t, s)
		return status == http.StatusServiceUnavailable
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, "some slots have no primary", told.Reason)
	require.Equal(t, allSlots-2, told.Slots)
	status, _ = s.ask("GET", "/healthz", "")
	require.Equal(t, http.StatusOK, status, "alive all the same")

	require.NoError(t, cluster.AddSlots(owner, 7, 8))
	require.Eventually(t, func() bool {
		status, told = ready(t, s)
		return status == http.StatusOK
	}, 10*time.Second, time.Millisecond)
}

func TestAMapThatGrowsOldIsNotBelieved(t *testing.T) {
	t.Parallel()
	full := keyslot.Topology{Covered: allSlots, Age: time.Minute}
	require.True(t, readinessOf(full, time.Minute).Ready)
	full.Age++
	require.False(t, readinessOf(full, time.Minute).Ready)
	require.False(t, readinessOf(keyslot.Topology{}, time.Minute).Ready, "of a lazy client that has no map")
}

func TestAPrimaryThatIsGoneTakesNoServiceOutOfUse(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	settings := defaults()
	settings.deadline, settings.probe, settings.cache.patience = time.Second, 50*time.Millisecond, 50*time.Millisecond
	s := start(t, cluster.Endpoint(), quick(), settings)
	require.NoError(t, cluster.Stop(cluster.Owner(boardKey("eu")).ID))

	status, answer := s.ask("POST", "/boards/eu/scores", `{"player":"ann","points":10}`)
	require.Equal(t, http.StatusServiceUnavailable, status, answer)
	for _, path := range []string{"/healthz", "/readyz", "/products/1", "/products/2", "/products/3"} {
		status, answer = s.ask("GET", path, "")
		require.Equal(t, http.StatusOK, status, answer)
	}
}
