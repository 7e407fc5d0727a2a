package elasticache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/elasticache"
)

func TestOptionsOfAFunction(t *testing.T) {
	opts, err := elasticache.Lambda(configuration, &elasticache.IAM{Provider: fixed(), User: "app"})
	require.NoError(t, err)
	require.True(t, opts.Lazy)
	require.Equal(t, 2*time.Second, opts.CommandTimeout)
	require.Equal(t, time.Second, opts.DialTimeout)
	require.Equal(t, time.Second, opts.IdleProbe)
	require.Equal(t, 1, opts.ConnsPerNode)
	require.Equal(t, 11*time.Hour, opts.MaxConnAge)
	require.NotNil(t, opts.TLS)
	require.NotNil(t, opts.Credentials)

	opts, err = elasticache.Lambda("redis://"+configuration+"?command_timeout=800ms&idle_probe=4s", nil)
	require.NoError(t, err)
	require.Equal(t, 800*time.Millisecond, opts.CommandTimeout, "what a URL says goes first")
	require.Equal(t, 4*time.Second, opts.IdleProbe)
	require.Nil(t, opts.TLS)

	_, err = elasticache.Lambda("http://"+configuration, nil)
	var endpoint *keyslot.EndpointError
	require.ErrorAs(t, err, &endpoint)
}

func TestBudgetOfConnections(t *testing.T) {
	cluster := keyslot.Options{Endpoints: []string{configuration + ":6379"}}
	serverless := keyslot.Options{Endpoints: []string{"web-x4ubek.serverless.euw1.cache.amazonaws.com:6379"}}
	withConns, withReads, withReplicas := cluster, serverless, cluster
	withConns.ConnsPerNode, withReads.ReadFrom, withReplicas.ReadFrom = 2, keyslot.PreferReplica, keyslot.AZAffinity
	for _, test := range []struct {
		budget elasticache.Budget
		want   string
	}{
		{elasticache.Budget{Environments: 1000, Options: cluster},
			"1000 environments x 1 connection to each node = 1000 of 65000: fits, up to 65000 environments"},
		{elasticache.Budget{Environments: 32500, Options: withConns},
			"32500 environments x 2 connections to each node = 65000 of 65000: fits, up to 32500 environments"},
		{elasticache.Budget{Environments: 20000, Options: withConns, Large: true},
			"20000 environments x 4 connections to each node = 80000 of 65000: too many, up to 16250 environments"},
		{elasticache.Budget{Environments: 1000, Options: withReplicas},
			"1000 environments x 2 connections to each node = 2000 of 65000: fits, up to 32500 environments"},
		{elasticache.Budget{Environments: 1000, Options: serverless},
			"1000 environments x 1 connection to the serverless cache = 1000 of 65000: fits, up to 65000 environments"},
		{elasticache.Budget{Environments: 40000, Options: withReads},
			"40000 environments x 2 connections to the serverless cache = 80000 of 65000: too many, up to 32500 environments"},
		{elasticache.Budget{}, "0 environments x 1 connection to each node = 0 of 65000: fits, up to 65000 environments"},
		{elasticache.Budget{Environments: -5},
			"-5 environments x 1 connection to each node = -5 of 65000: no such number, up to 65000 environments"},
		{elasticache.Budget{Environments: 1},
			"1 environment x 1 connection to each node = 1 of 65000: fits, up to 65000 environments"},
	} {
		require.Equal(t, test.want, test.budget.String())
		require.Equal(t, strings.Contains(test.want, ": fits"), test.budget.Fits())
	}
}
