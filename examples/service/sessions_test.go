package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// login returns the header of a new session.
func login(t *testing.T, s *running, user string) (header string) {
	t.Helper()
	status, answer := s.ask("POST", "/session", `{"user":"`+user+`"}`)
	require.Equal(t, http.StatusCreated, status, answer)
	token := strings.TrimSuffix(strings.TrimPrefix(answer, `{"token":"`), "\"}\n")
	require.Len(t, token, 26)
	return "Authorization: Bearer " + token
}

func TestASessionLivesAsLongAsItIsUsed(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{ManualClock: true})
	s := start(t, cluster.Endpoint(), quick(), defaults())
	ann := login(t, s, "ann")

	for _, use := range []struct{ method, path, body string }{
		{"GET", "/session", ""},
		{"PUT", "/session", `{"basket":[7]}`},
		{"POST", "/session/extend", ""},
	} {
		cluster.AdvanceClock(20 * time.Minute) // of 30
		status, answer := s.ask(use.method, use.path, use.body, ann)
		require.Less(t, status, 300, answer)
	}
	cluster.AdvanceClock(29 * time.Minute)
	status, answer := s.ask("GET", "/session", "", ann)
	require.Equal(t, http.StatusOK, status)
	require.Regexp(t, `^{"user":"ann","created":"[^"]+","data":{"basket":\[7\]}}`, answer)
	cluster.AdvanceClock(31 * time.Minute)
	status, _ = s.ask("GET", "/session", "", ann)
	require.Equal(t, http.StatusNotFound, status)
}

func TestWhatHasEndedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	s := start(t, cluster.Endpoint(), quick(), defaults())
	ann, bob := login(t, s, "ann"), login(t, s, "bob")
	status, _ := s.ask("DELETE", "/session", "", ann)
	require.Equal(t, http.StatusNoContent, status)

	for _, use := range []string{"GET /session", "PUT /session", "POST /session/extend"} {
		method, path, _ := strings.Cut(use, " ")
		status, answer := s.ask(method, path, `{}`, ann)
		require.Equal(t, http.StatusNotFound, status, "%s: %s", use, answer)
	}
	keys, err := s.client.Do(t.Context(), "DBSIZE")
	require.NoError(t, err)
	left, err := keys.Int64()
	require.NoError(t, err)
	require.EqualValues(t, 2, left, "bob's")
	status, _ = s.ask("GET", "/session", "", bob)
	require.Equal(t, http.StatusOK, status)
}
