package elasticache_test

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/elasticache"
)

const configuration = "clustercfg.orders.abc123.use1.cache.amazonaws.com"

func TestOptionsAreFilledIn(t *testing.T) {
	opts, err := elasticache.Options(configuration, nil)
	require.NoError(t, err)
	require.Equal(t, []string{configuration + ":6379"}, opts.Endpoints)
	require.EqualValues(t, tls.VersionTLS12, opts.TLS.MinVersion)
	require.False(t, opts.TLS.InsecureSkipVerify)
	require.Empty(t, opts.TLS.ServerName, "each node has its own")
	require.Nil(t, opts.Credentials)
	require.Equal(t, 2*time.Second, opts.DialTimeout)
	require.Equal(t, 5*time.Second, opts.CommandTimeout)
	require.Equal(t, 5*time.Second, opts.IdleProbe)
	require.Equal(t, 60*time.Second, opts.RefreshAfter)
	require.Equal(t, 1, opts.ConnsPerNode)
	require.Zero(t, opts.MaxConnAge, "only a login by IAM ends")

	opts, err = elasticache.Options("rediss://"+configuration+"?command_timeout=800ms&conns_per_node=2&lazy=true", nil)
	require.NoError(t, err)
	require.NotNil(t, opts.TLS)
	require.Equal(t, 800*time.Millisecond, opts.CommandTimeout)
	require.Equal(t, 2, opts.ConnsPerNode)
	require.True(t, opts.Lazy)

	opts, err = elasticache.Options("redis://orders.abc123.clustercfg.use1.cache.amazonaws.com", nil)
	require.NoError(t, err)
	require.Nil(t, opts.TLS, "a cluster without encryption in transit")
}

// What the name of the endpoint tells need not be said again; what it does not tell must be.
func TestOptionsReadTheEndpointsName(t *testing.T) {
	user := elasticache.IAM{Provider: fixed(), User: "app"}
	for _, test := range []struct {
		endpoint string
		iam      elasticache.IAM
		want     verifier
	}{
		{configuration, user, verifier{cache: "orders", region: "us-east-1"}},
		{"master.orders.abc123.apne1.cache.amazonaws.com:6380", user, verifier{cache: "orders", region: "ap-northeast-1"}},
		{"web-x4ubek.serverless.euw1.cache.amazonaws.com", user, verifier{cache: "web", region: "eu-west-1", serverless: true}},
		{
			"valkeys://cache.internal", elasticache.IAM{Provider: fixed(), User: "app", Cache: "web", Region: "eu-west-1", Serverless: true},
			verifier{cache: "web", region: "eu-west-1", serverless: true},
		},
		{configuration, elasticache.IAM{Provider: fixed(), User: "app", Cache: "orders"}, verifier{cache: "orders", region: "us-east-1"}},
		// Names that tell no cache, or may be read in two ways.
		{
			"orders-0001-001.abc123.0001.use1.cache.amazonaws.com", elasticache.IAM{Provider: fixed(), User: "app", Cache: "orders"},
			verifier{cache: "orders", region: "us-east-1"},
		},
		{
			"web-orders.serverless.euw1.cache.amazonaws.com", elasticache.IAM{Provider: fixed(), User: "app", Cache: "web-orders"},
			verifier{cache: "web-orders", region: "eu-west-1", serverless: true},
		},
		{
			"orders-ro.abc123.ng.0001.euw1.cache.amazonaws.com", elasticache.IAM{Provider: fixed(), User: "app", Cache: "orders-ro"},
			verifier{cache: "orders-ro", region: "eu-west-1"},
		},
		// Names that are not recognized, and contradict nothing.
		{
			"orders.internal", elasticache.IAM{Provider: fixed(), User: "app", Cache: "renamed", Region: "us-east-1"},
			verifier{cache: "renamed", region: "us-east-1"},
		},
		{
			"clustercfg.orders.abc123.eusce1.cache.amazonaws.eu", elasticache.IAM{Provider: fixed(), User: "app", Cache: "orders", Region: "eusc-de-east-1"},
			verifier{cache: "orders", region: "eusc-de-east-1"},
		},
	} {
		opts, err := elasticache.Options(test.endpoint, &test.iam)
		require.NoError(t, err, test.endpoint)
		require.Equal(t, 11*time.Hour, opts.MaxConnAge)
		user, token, err := opts.Credentials(t.Context(), keyslot.Node{})
		require.NoError(t, err)
		test.want.user = "app"
		test.want.sessions = func(string) (session, bool) { return session{secret: suiteSecret, token: suiteToken}, true }
		require.NoError(t, test.want.verify(user, token, time.Now()), test.endpoint)
		require.Equal(t, test.iam.User, "app", "what was given is not changed")
	}
}

func TestOptionsThatContradictTheEndpointAreErrors(t *testing.T) {
	for _, test := range []struct {
		endpoint, option string
		change           func(*elasticache.IAM)
	}{
		{"cache.internal", "IAM.Cache", func(i *elasticache.IAM) { i.Region = "us-east-1" }},
		{"cache.internal", "IAM.Region", func(i *elasticache.IAM) { i.Cache = "orders" }},
		{"clustercfg.orders.abc123.zzz9.cache.amazonaws.com", "IAM.Region", func(*elasticache.IAM) {}},
		{configuration, "IAM.Region", func(i *elasticache.IAM) { i.Region = "us-west-2" }},
		{configuration, "IAM.Cache", func(i *elasticache.IAM) { i.Cache = "orders-prod" }},
		{"clustercfg.orders-staging.abc123.use1.cache.amazonaws.com", "IAM.Cache", func(i *elasticache.IAM) { i.Cache = "orders-prod" }},
		{"master.orders.abc123.use1.cache.amazonaws.com", "IAM.Cache", func(i *elasticache.IAM) { i.Cache = "master" }},
		{"web-x4ubek.serverless.euw1.cache.amazonaws.com", "IAM.Cache", func(i *elasticache.IAM) { i.Cache = "orders" }},
		{"clustercfg.orders.abc123.eusce1.cache.amazonaws.eu", "IAM.Cache", func(i *elasticache.IAM) { i.Region = "eusc-de-east-1" }},
		{configuration, "IAM.Serverless", func(i *elasticache.IAM) { i.Serverless = true }},
		{configuration, "IAM.User", func(i *elasticache.IAM) { i.User = "App" }},
		{"redis://" + configuration, "TLS", func(*elasticache.IAM) {}},
		{"valkey://" + configuration, "TLS", func(*elasticache.IAM) {}},
		{"rediss://ann:secret@" + configuration, "Username", func(*elasticache.IAM) {}},
	} {
		iam := elasticache.IAM{Provider: fixed(), User: "app"}
		test.change(&iam)
		_, err := elasticache.Options(test.endpoint, &iam)
		var option *keyslot.OptionError
		require.ErrorAs(t, err, &option, test.endpoint)
		require.Equal(t, test.option, option.Option)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := elasticache.Options("http://"+configuration, nil)
	var endpoint *keyslot.EndpointError
	require.ErrorAs(t, err, &endpoint)
}
