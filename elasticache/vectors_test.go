package elasticache_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"
)

// AWS's test suite for Signature Version 4, as published with awslabs/aws-c-auth (tests/aws-signing-test-suite/v4): the
// vectors whose requests are of the kind of a token, a query without a body, and some that catch what verifiers get wrong.
const (
	suiteKey    = "AKIDEXAMPLE"
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	suiteToken  = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
	suiteScope  = "20150830/us-east-1/service/aws4_request"
	unreserved  = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

var suiteTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

type vector struct {
	name, method string
	query        string
	headers      string // lines of "name:value" beside host, in canonical form
	token        string // of the session
	want         string // signature in the query, X-Amz-Expires being 3600
}

var vectors = []vector{
	{name: "get-vanilla-query", method: "GET", want: "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"},
	{name: "post-vanilla", method: "POST", want: "2ce6e6d2e0cf2f9d1b55fafec88cd20574c31dc2e7631979f71ba2310083e95b"},
	{
		name: "get-vanilla-empty-query-key", method: "GET", query: "Param1=value1",
		want: "49096700cbbaa5753443850f40df10f904fc2fdb544dc9512203cc77c471a9de",
	},
	{
		name: "get-vanilla-query-order-key-case", method: "GET", query: "Param2=value2&Param1=value1",
		want: "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5",
	},
	{
		name: "get-vanilla-query-order-encoded", method: "GET", query: "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
		want: "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787",
	},
	{
		name: "get-vanilla-query-unreserved", method: "GET", query: unreserved + "=" + unreserved,
		want: "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf",
	},
	{
		name: "get-vanilla-utf8-query", method: "GET", query: "%E1%88%B4=bar",
		want: "0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600",
	},
	{
		name: "get-vanilla-with-session-token", method: "GET", token: suiteToken,
		want: "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
	},
	{
		name: "get-header-value-trim", method: "GET", headers: "my-header1:value1\nmy-header2:\"a b c\"",
		want: "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4",
	},
}

func TestTheVerifierSignsAsPublished(t *testing.T) {
	for _, v := range vectors {
		r := signedRequest{
			method: v.method, path: "/", amzDate: "20150830T123600Z", scope: suiteScope,
			headers: []string{"host:example.amazonaws.com"},
		}
		if v.headers != "" {
			r.headers = append(r.headers, strings.Split(v.headers, "\n")...)
		}
		r.query = []string{
			"X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Credential=" + suiteKey + "%2F" + strings.ReplaceAll(suiteScope, "/", "%2F"),
			"X-Amz-Date=20150830T123600Z", "X-Amz-Expires=3600",
			"X-Amz-SignedHeaders=" + strings.ReplaceAll(r.signedHeaders(), ";", "%3B"),
		}
		if v.query != "" {
			r.query = append(r.query, strings.Split(v.query, "&")...)
		}
		if v.token != "" {
			r.query = append(r.query, "X-Amz-Security-Token="+v.token)
		}
		require.Equal(t, v.want, r.signature(suiteSecret), v.name)
	}
}

// The same two with the signature in a header: X-Amz-Date is a signed header then.
func TestTheVerifierSignsHeadersAsPublished(t *testing.T) {
	r := signedRequest{
		method: "GET", path: "/", amzDate: "20150830T123600Z", scope: suiteScope,
		headers: []string{"host:example.amazonaws.com", "x-amz-date:20150830T123600Z"},
	}
	require.Equal(t, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", r.signature(suiteSecret), "get-vanilla")
	r.query = []string{"Param2=value2", "Param1=value1"}
	require.Equal(t, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", r.signature(suiteSecret),
		"get-vanilla-query-order-key-case")
}

// The library that signs tokens, at the version in go.mod.
func TestTheSignerSignsAsPublished(t *testing.T) {
	for _, v := range vectors {
		request := &http.Request{
			Method: v.method, Header: http.Header{},
			URL: &url.URL{Scheme: "https", Host: "example.amazonaws.com", Path: "/", RawQuery: v.query},
		}
		query := request.URL.Query()
		query.Set("X-Amz-Expires", "3600")
		request.URL.RawQuery = query.Encode()
		for line := range strings.Lines(v.headers) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			request.Header.Add(name, "  "+strings.ReplaceAll(value, " ", "   "))
		}
		credentials := aws.Credentials{AccessKeyID: suiteKey, SecretAccessKey: suiteSecret, SessionToken: v.token}
		signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, request, emptyHash, "service", "us-east-1", suiteTime)
		require.NoError(t, err, v.name)
		require.Contains(t, signed, "X-Amz-Signature="+v.want, v.name)
	}
}
