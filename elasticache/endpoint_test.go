package elasticache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/elasticache"
)

func TestNamesTellWhatTheyLeadTo(t *testing.T) {
	for _, test := range []struct {
		name string
		want elasticache.Endpoint
	}{
		// Encryption in transit: the kind is the first label, the group one of its own.
		{"clustercfg.orders.abc123.use1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.Configuration, Cache: "orders", Region: "us-east-1"}},
		{"clustercfg.orders.abc123.usgw1.cache.amazonaws.com:6379", elasticache.Endpoint{Kind: elasticache.Configuration, Cache: "orders", Region: "us-gov-west-1"}},
		{"master.prd-0aed712a-9055.pw1qnn.apse2.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.Primary, Cache: "prd-0aed712a-9055", Region: "ap-southeast-2"}},
		{"replica.orders.abc123.mec1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.Reader, Cache: "orders", Region: "me-central-1"}},
		{"orders-0001-001.orders.abc123.euc1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.SingleNode, Cache: "orders", Region: "eu-central-1"}},
		{"orders-002.orders.abc123.cac1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.SingleNode, Cache: "orders", Region: "ca-central-1"}},
		// Without it: the kind comes last.
		{"orders.abc123.clustercfg.apne1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.Configuration, Cache: "orders", Region: "ap-northeast-1"}},
		{"orders.abc123.ng.0001.cnn1.cache.amazonaws.com.cn", elasticache.Endpoint{Kind: elasticache.Primary, Cache: "orders", Region: "cn-north-1"}},
		{"orders-ro.abc123.ng.0001.cnw1.cache.amazonaws.com.cn", elasticache.Endpoint{Kind: elasticache.Reader, Cache: "orders", Region: "cn-northwest-1"}},
		{"orders-0001-001.abc123.0001.aps1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.SingleNode, Region: "ap-south-1"}},
		{"jobs.be6b1p.0001.usgw1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.SingleNode, Region: "us-gov-west-1"}},
		// Serverless: AWS adds six characters to the name.
		{"web-orders-x4ubek.serverless.sae1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.Serverless, Cache: "web-orders", Region: "sa-east-1"}},
		{"my-cache.serverless.use1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.Serverless, Cache: "my-cache", Region: "us-east-1"}},
		// DNS does not care.
		{"ClusterCfg.Orders.ABC123.USE1.cache.amazonaws.com.", elasticache.Endpoint{Kind: elasticache.Configuration, Cache: "orders", Region: "us-east-1"}},
		// A Region named by another rule leaves the rest readable.
		{"clustercfg.orders.abc123.zzz9.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.Configuration, Cache: "orders"}},
		// Guesses: the cache may be called "web-orders", and the group "orders-ro".
		{"web-orders.serverless.use1.cache.amazonaws.com", elasticache.Endpoint{Kind: elasticache.Serverless, Cache: "web", Region: "us-east-1"}},
		// Not ours.
		{"clustercfg.orders.abc123.eusce1.cache.amazonaws.eu", elasticache.Endpoint{}},
		{"orders.abc123.cfg.use1.cache.amazonaws.com", elasticache.Endpoint{}}, // Memcached
		{"clustercfg.orders.abc123.memorydb.us-east-1.amazonaws.com", elasticache.Endpoint{}},
		{"clustercfg.orders.abc123.use1.cache.amazonaws.com.evil.example", elasticache.Endpoint{}},
		{"cache.amazonaws.com", elasticache.Endpoint{}},
		{".cache.amazonaws.com", elasticache.Endpoint{}},
		{"use1.cache.amazonaws.com", elasticache.Endpoint{}},
		{"redis.internal:6379", elasticache.Endpoint{}},
		{"10.0.0.1", elasticache.Endpoint{}},
		{"[::1]:6379", elasticache.Endpoint{}},
		{"", elasticache.Endpoint{}},
	} {
		require.Equal(t, test.want, elasticache.Recognize(test.name), test.name)
	}
}

func TestKindsHaveNames(t *testing.T) {
	require.Equal(t, "configuration", elasticache.Configuration.String())
	require.Equal(t, "serverless", elasticache.Serverless.String())
	require.Equal(t, "unrecognized", elasticache.Kind(-1).String())
	require.Equal(t, "unrecognized", elasticache.Kind(99).String())
}
