package elasticache

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	// tokenSeconds is how long a token can be used to log in, the most that ElastiCache allows: 15 minutes (ElastiCache
	// User Guide, "Authenticating with IAM").
	tokenSeconds = "900"
	// emptyPayload is the SHA-256 of no bytes.
	emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	service = "elasticache"
	scheme  = "https://"
)

// signer makes the tokens with which one user logs in to one cache. Safe for concurrent use.
type signer struct {
	// immutable
	user, cache, region string
	serverless          bool
	v4                  *v4.Signer // it keeps the key of the day
}

// token returns a password: the URL of a GET request, presigned, without its scheme. It was never meant to be fetched.
//
//	orders/?Action=connect&ResourceType=ServerlessCache&User=app&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=..
//	  &X-Amz-Date=..&X-Amz-Expires=900&X-Amz-Security-Token=..&X-Amz-SignedHeaders=host&X-Amz-Signature=..
//
// The name of the cache stands where a host would, so it is signed as the only header.
func (s *signer) token(ctx context.Context, credentials aws.Credentials, at time.Time) (string, error) {
	query := url.Values{"Action": {"connect"}, "User": {s.user}, "X-Amz-Expires": {tokenSeconds}}
	if s.serverless {
		query.Set("ResourceType", "ServerlessCache")
	}
	request := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: "https", Host: s.cache, Path: "/", RawQuery: query.Encode()},
		Header: http.Header{},
	}
	signed, _, err := s.v4.PresignHTTP(ctx, credentials, request, emptyPayload, service, s.region, at)
	return strings.TrimPrefix(signed, scheme), err
}
