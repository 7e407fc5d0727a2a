package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestCountsAndSaysWhetherItDid(t *testing.T) {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	require.NoError(t, err)
	defer cluster.Close()
	client, err := keyslot.Open(t.Context(), cluster.Endpoint())
	require.NoError(t, err)
	defer client.Close()

	visit := func() (status int, body string) {
		w := httptest.NewRecorder()
		handler(client).ServeHTTP(w, httptest.NewRequest("GET", "/count/home", nil))
		return w.Code, w.Body.String()
	}
	for _, tc := range []struct {
		fault  keyslottest.Fault
		status int
		body   string
	}{
		{keyslottest.Fault{}, 200, "1\n"},
		{keyslottest.Fault{Command: "INCR", Error: "OOM command not allowed"}, 503, "not counted, try again\n"},
		{keyslottest.Fault{Command: "INCR", Reset: true}, 500, "perhaps counted\n"},
		{keyslottest.Fault{}, 200, "3\n"},
	} {
		remove, err := cluster.Inject(cluster.Owner("visits:home").ID, tc.fault)
		require.NoError(t, err)
		status, body := visit()
		remove()
		require.Equal(t, tc.status, status)
		require.Equal(t, tc.body, body)
	}
}

func TestStopsWithItsContext(t *testing.T) {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	require.NoError(t, err)
	defer cluster.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- serve(ctx, cluster.Endpoint(), listener) }() // ends with stop

	answer, err := http.Get("http://" + listener.Addr().String() + "/count/home")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	stop()
	require.NoError(t, <-ended)
	require.Eventually(t, func() bool { return cluster.Stats("").Conns == 0 }, 5*time.Second, time.Millisecond)
}
