package elasticache_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What follows is Signature Version 4 as the IAM User Guide has it ("Create a signed AWS API request"), and the rules
// of ElastiCache's tokens. It shares nothing with the signer under test.

// signedRequest is what a signature covers, and whose.
type signedRequest struct {
	method, path string
	query        []string // name=value, percent-encoded, without the signature
	headers      []string // name:value in canonical form, sorted
	amzDate      string   // 20150830T123600Z
	scope        string   // 20150830/us-east-1/service/aws4_request
}

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// canonical is step 1. The query is sorted by name, then by value, each encoded: "a" comes before "a-b", though "a="
// comes behind it.
func (r signedRequest) canonical() string {
	query := slices.Clone(r.query)
	slices.SortFunc(query, func(a, b string) int {
		nameA, valueA, _ := strings.Cut(a, "=")
		nameB, valueB, _ := strings.Cut(b, "=")
		if nameA != nameB {
			return strings.Compare(nameA, nameB)
		}
		return strings.Compare(valueA, valueB)
	})
	return strings.Join([]string{
		r.method, r.path, strings.Join(query, "&"), strings.Join(r.headers, "\n") + "\n", r.signedHeaders(), emptyHash,
	}, "\n")
}

func (r signedRequest) signedHeaders() string {
	names := make([]string, len(r.headers))
	for i, h := range r.headers {
		names[i], _, _ = strings.Cut(h, ":")
	}
	return strings.Join(names, ";")
}

// signature is steps 2 to 4.
func (r signedRequest) signature(secret string) string {
	hashed := sha256.Sum256([]byte(r.canonical()))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", r.amzDate, r.scope, hex.EncodeToString(hashed[:])}, "\n")
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(r.scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, toSign))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// session is one set of credentials as its issuer knows it.
type session struct {
	secret, token string
	expires       time.Time
}

// verifier decides about tokens as the service does. It is read-only once in use.
type verifier struct {
	cache, region, user string
	serverless          bool
	sessions            func(keyID string) (session, bool)
}

// tolerance is how far a token may be signed in the future: the five minutes of the IAM User Guide.
const tolerance = 5 * time.Minute

// verify returns why a login is refused.
func (v verifier) verify(user, token string, now time.Time) error {
	name, raw, found := strings.Cut(token, "/?")
	if !found || strings.Contains(name, "://") {
		return errors.New("not a request without its scheme")
	}
	if name != v.cache {
		return fmt.Errorf("for another cache: %q", name)
	}
	all := strings.Split(raw, "&")
	param, err := decoded(all)
	if err != nil {
		return err
	}
	if err := v.checkAction(user, param); err != nil {
		return err
	}
	keyID, scope, _ := strings.Cut(param["X-Amz-Credential"], "/")
	issued, known := v.sessions(keyID)
	if !known || issued.token != param["X-Amz-Security-Token"] {
		return errors.New("unknown credentials")
	}
	if err := v.checkTime(param, scope, issued, now); err != nil {
		return err
	}
	signed := signedRequest{
		method: "GET", path: "/", headers: []string{"host:" + name}, amzDate: param["X-Amz-Date"], scope: scope,
		query: slices.DeleteFunc(all, func(p string) bool { return strings.HasPrefix(p, "X-Amz-Signature=") }),
	}
	if param["X-Amz-SignedHeaders"] != signed.signedHeaders() {
		return errors.New("signs other headers than host")
	}
	if !hmac.Equal([]byte(param["X-Amz-Signature"]), []byte(signed.signature(issued.secret))) {
		return errors.New("the signature does not match")
	}
	return nil
}

// decoded returns the parameters by name, each of which may come once.
func decoded(query []string) (map[string]string, error) {
	param := map[string]string{}
	for _, p := range query {
		name, value, _ := strings.Cut(p, "=")
		plain, err := url.PathUnescape(value)
		if err != nil {
			return nil, err
		}
		if _, twice := param[name]; twice {
			return nil, fmt.Errorf("%s comes twice", name)
		}
		param[name] = plain
	}
	return param, nil
}

func (v verifier) checkAction(user string, param map[string]string) error {
	resource := ""
	if v.serverless {
		resource = "ServerlessCache"
	}
	switch {
	case param["Action"] != "connect":
		return errors.New("another action")
	case user != v.user || param["User"] != v.user:
		return errors.New("for another user")
	case param["ResourceType"] != resource:
		return fmt.Errorf("resource type %q instead of %q", param["ResourceType"], resource)
	case param["X-Amz-Algorithm"] != "AWS4-HMAC-SHA256":
		return errors.New("another algorithm")
	}
	return nil
}

func (v verifier) checkTime(param map[string]string, scope string, issued session, now time.Time) error {
	date, err := time.Parse("20060102T150405Z", param["X-Amz-Date"])
	if err != nil {
		return err
	}
	seconds, err := strconv.Atoi(param["X-Amz-Expires"])
	switch {
	case err != nil || seconds < 1 || seconds > 900:
		return errors.New("valid for longer than 900 s")
	case scope != date.Format("20060102")+"/"+v.region+"/elasticache/aws4_request":
		return fmt.Errorf("another scope: %s", scope)
	case date.After(now.Add(tolerance)):
		return errors.New("signed in the future")
	case !now.Before(date.Add(time.Duration(seconds) * time.Second)):
		return errors.New("expired")
	case !issued.expires.IsZero() && !now.Before(issued.expires):
		return errors.New("the session has expired")
	}
	return nil
}
