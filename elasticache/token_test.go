package elasticache_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/elasticache"
)

var signedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Tokens written down once, as another program computed them from the specification.
const (
	goldenGroup = "orders/?Action=connect&User=app&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Felasticache%2Faws4_request&X-Amz-Date=20260102T030405Z" +
		"&X-Amz-Expires=900&X-Amz-SignedHeaders=host" +
		"&X-Amz-Signature=9bbda528a3d46dc55bde14db34b817435ea58c11d6882bb1a3a6b679dd3a588d"
	goldenServerless = "web-orders/?Action=connect&ResourceType=ServerlessCache&User=app&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Feu-central-1%2Felasticache%2Faws4_request&X-Amz-Date=20260102T030405Z" +
		"&X-Amz-Expires=900&X-Amz-Security-Token=IQoJb3JpZ2luX2Vj%2F%2Ba%20b%28%21%29%2A%27~%3D&X-Amz-SignedHeaders=host" +
		"&X-Amz-Signature=62fb274ed6f04c48e36fd2a09799a5af9333795c2439f92b8147d817b4873e2b"
	goldenSession = "IQoJb3JpZ2luX2Vj/+a b(!)*'~="
)

func TestTokensAreThoseWrittenDown(t *testing.T) {
	group := elasticache.IAM{User: "app", Cache: "orders", Region: "us-east-1"}
	keys := aws.Credentials{AccessKeyID: suiteKey, SecretAccessKey: suiteSecret}
	token, err := elasticache.TokenAt(t.Context(), group, keys, signedAt)
	require.NoError(t, err)
	require.Equal(t, goldenGroup, token)

	elsewhere := time.FixedZone("", -9*3600)
	token, err = elasticache.TokenAt(t.Context(), group, keys, signedAt.In(elsewhere))
	require.NoError(t, err)
	require.Equal(t, goldenGroup, token, "the local zone is nowhere in it, though it is another day there")

	serverless := elasticache.IAM{User: "app", Cache: "web-orders", Region: "eu-central-1", Serverless: true}
	keys.SessionToken = goldenSession
	token, err = elasticache.TokenAt(t.Context(), serverless, keys, signedAt)
	require.NoError(t, err)
	require.Equal(t, goldenServerless, token)
}

// accepting returns a verifier that takes what mint makes.
func accepting() verifier {
	return verifier{
		cache: "orders", region: "us-east-1", user: "app",
		sessions: func(keyID string) (session, bool) { return session{secret: suiteSecret}, keyID == suiteKey },
	}
}

// mint signs a token by the specification alone, also one that the module would never sign. change replaces parameters,
// and removes those that it makes empty.
func mint(cache, scope string, change map[string]string) string {
	param := map[string]string{
		"Action": "connect", "User": "app", "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": suiteKey + "/" + scope,
		"X-Amz-Date": "20260102T030405Z", "X-Amz-Expires": "900", "X-Amz-SignedHeaders": "host",
	}
	maps.Copy(param, change)
	r := signedRequest{
		method: "GET", path: "/", headers: []string{"host:" + cache}, amzDate: param["X-Amz-Date"], scope: scope,
	}
	for _, name := range slices.Sorted(maps.Keys(param)) {
		if param[name] != "" {
			r.query = append(r.query, name+"="+strings.ReplaceAll(url.QueryEscape(param[name]), "+", "%20"))
		}
	}
	return cache + "/?" + strings.Join(r.query, "&") + "&X-Amz-Signature=" + r.signature(suiteSecret)
}

const scope = "20260102/us-east-1/elasticache/aws4_request"

// One rule broken in each, so that the verifier that the other tests trust is known to mind it.
func TestTokensAgainstTheRulesAreRefused(t *testing.T) {
	good := mint("orders", scope, nil)
	require.Equal(t, goldenGroup, good)
	for _, test := range []struct{ rule, token, refusal string }{
		{"nothing wrong", good, ""},
		{"cache in upper case", mint("Orders", scope, nil), "for another cache"},
		{"DNS name", mint("clustercfg.orders.abc123.use1.cache.amazonaws.com", scope, nil), "for another cache"},
		{"cache exchanged after signing", strings.Replace(mint("billing", scope, nil), "billing", "orders", 1), "signature"},
		{"scheme left on", "https://" + good, "scheme"},
		{"user in upper case", mint("orders", scope, map[string]string{"User": "App"}), "another user"},
		{"another user", mint("orders", scope, map[string]string{"User": "root"}), "another user"},
		{"user exchanged after signing", strings.Replace(mint("orders", scope, map[string]string{"User": "ann"}), "ann", "app", 1), "signature"},
		{"serverless for a group", mint("orders", scope, map[string]string{"ResourceType": "ServerlessCache"}), "resource type"},
		{"901 s", mint("orders", scope, map[string]string{"X-Amz-Expires": "901"}), "900"},
		{"no end", mint("orders", scope, map[string]string{"X-Amz-Expires": ""}), "900"},
		{"another service", mint("orders", "20260102/us-east-1/memorydb/aws4_request", nil), "scope"},
		{"another Region", mint("orders", "20260102/us-west-2/elasticache/aws4_request", nil), "scope"},
		{"another day", mint("orders", "20260101/us-east-1/elasticache/aws4_request", nil), "scope"},
		{"another action", mint("orders", scope, map[string]string{"Action": "describe"}), "action"},
		{"a parameter twice", good + "&User=app", "twice"},
		{"signature of another", strings.Replace(good, "9bbda528", "9bbda529", 1), "signature"},
		{"session that is not ours", mint("orders", scope, map[string]string{"X-Amz-Security-Token": "x"}), "credentials"},
	} {
		err := accepting().verify("app", test.token, signedAt)
		if test.refusal == "" {
			require.NoError(t, err, test.rule)
			continue
		}
		require.ErrorContains(t, err, test.refusal, test.rule)
	}
	require.ErrorContains(t, accepting().verify("root", good, signedAt), "another user", "AUTH with the token of another")
}

func TestServerlessTokensSignTheirResourceType(t *testing.T) {
	serverless := accepting()
	serverless.serverless = true
	typed := mint("orders", scope, map[string]string{"ResourceType": "ServerlessCache"})
	require.NoError(t, serverless.verify("app", typed, signedAt))
	require.ErrorContains(t, serverless.verify("app", mint("orders", scope, nil), signedAt), "resource type")
	added := mint("orders", scope, nil) + "&ResourceType=ServerlessCache"
	require.ErrorContains(t, serverless.verify("app", added, signedAt), "signature", "added after signing")
}

func TestTokensAreValidForFifteenMinutes(t *testing.T) {
	token := mint("orders", scope, nil)
	for age, refusal := range map[time.Duration]string{
		-5*time.Minute - time.Second: "future",
		-5 * time.Minute:             "",
		15*time.Minute - time.Second: "",
		15 * time.Minute:             "expired",
	} {
		err := accepting().verify("app", token, signedAt.Add(age))
		if refusal == "" {
			require.NoError(t, err, age)
			continue
		}
		require.ErrorContains(t, err, refusal, age)
	}
}
