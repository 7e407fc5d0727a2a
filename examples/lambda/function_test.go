package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// environment returns a lookup as os.Getenv is one.
func environment(of map[string]string) func(string) string {
	return func(name string) string { return of[name] }
}

func TestHandlerWritesCountsAndReads(t *testing.T) {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	require.NoError(t, err)
	defer cluster.Close()
	f, err := newFunction(environment(reach(cluster.Endpoint())))
	require.NoError(t, err)
	defer f.close()
	require.Zero(t, cluster.Stats("").Accepted, "nothing is dialled until it is used")

	for _, test := range []struct {
		request
		status int
		body   string
	}{
		{request{Key: "user:1", Value: "ann"}, 200, `{"key":"user:1","value":"ann","visits":1}`},
		{request{Key: "user:1"}, 200, `{"key":"user:1","value":"ann","visits":2}`},
		{request{Key: "user:2"}, 404, `{"error":"there is no such key"}`},
		{request{}, 400, `{"error":"key is missing"}`},
		{request{Key: "user:{1}"}, 400, `{"error":"key has braces"}`},
	} {
		got, err := f.handle(t.Context(), test.request)
		require.NoError(t, err)
		require.Equal(t, test.status, got.StatusCode)
		require.JSONEq(t, test.body, got.Body)
	}
}

// An invocation that ran into its timeout would cost the environment.
func TestHandlerEndsBeforeItsInvocation(t *testing.T) {
	cluster, err := keyslottest.Start(keyslottest.Options{Shards: 1})
	require.NoError(t, err)
	defer cluster.Close()
	f, err := newFunction(environment(reach(cluster.Endpoint())))
	require.NoError(t, err)
	defer f.close()
	thaw, err := cluster.Inject(cluster.Nodes()[0].ID, keyslottest.Fault{Stall: true})
	require.NoError(t, err)
	defer thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	_, err = f.handle(ctx, request{Key: "user:1", Value: "ann"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, ctx.Err(), "there is time left to say so")
}

func TestFunctionOfItsEnvironment(t *testing.T) {
	f, err := newFunction(environment(map[string]string{
		"CONFIGURATION_ENDPOINT_ADDRESS": "clustercfg.orders.abc123.use1.cache.amazonaws.com", "CACHE_USER": "app", "RESERVED_CONCURRENCY": "100",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
	}))
	require.NoError(t, err)
	defer f.close()
	opts := f.budget.Options
	require.Equal(t, []string{"clustercfg.orders.abc123.use1.cache.amazonaws.com:6379"}, opts.Endpoints)
	require.NotNil(t, opts.TLS)
	require.True(t, opts.Lazy)
	require.Equal(t, "100 environments x 1 connection to each node = 100 of 65000: fits, up to 65000 environments", f.budget.String())

	credentials, err := role(environment(map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"})).Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, []string{credentials.AccessKeyID, credentials.SecretAccessKey, credentials.SessionToken})

	for _, wrong := range []map[string]string{
		{},
		{"CONFIGURATION_ENDPOINT_ADDRESS": "cache.internal", "CACHE_USER": "App"},
		{"CONFIGURATION_ENDPOINT_ADDRESS": "cache.internal", "CACHE_USER": "app"},
		{"CONFIGURATION_ENDPOINT_ADDRESS": "cache.internal", "REDIS_PORT": "port"},
	} {
		_, err := newFunction(environment(wrong))
		require.Error(t, err, wrong)
	}
}

func TestResponseIsWhatAPIGatewayTakes(t *testing.T) {
	r, err := reply(200, reading{Key: "k", Value: "v", Visits: 1})
	require.NoError(t, err)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":"{\"key\":\"k\",\"value\":\"v\",\"visits\":1}"}`, string(text))
}
