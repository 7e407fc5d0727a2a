package elasticache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/keyslot-go/keyslot"
)

// IAM says who logs in to which cache with the identity of AWS credentials. What Options can read from the endpoint's
// name may be left out there. Printed or logged, it shows names only.
type IAM struct {
	// Provider gives the credentials that sign, for example aws.Config.Credentials. It is asked for every connection,
	// for several at once where they are opened together; one that does not cache is better wrapped in
	// aws.NewCredentialsCache. It runs on a goroutine of its own, so one that panics ends the program, whatever its
	// callers recover. Required.
	Provider aws.CredentialsProvider `json:"-"`
	// User is the id of the ElastiCache user, in lower case. ElastiCache wants its name to be the same. Required.
	User string
	// Cache is the id of the replication group, or the name of the serverless cache, in lower case; never its DNS name.
	Cache string
	// Serverless says that Cache is a serverless cache.
	Serverless bool
	// Region is the AWS Region of the cache, such as "us-east-1".
	Region string
}

// CredentialsError says that no token could be signed: the provider failed or did not answer in time, or what it gave cannot
// sign. Nothing was sent to the node. A command that met it is not executed, and is tried again while its caller has patience.
type CredentialsError struct {
	User, Cache string
	Err         error // the provider's, or that of the context that ended
}

func (e *CredentialsError) Error() string {
	return fmt.Sprintf("elasticache: no token for user %q of %q: %v", e.User, e.Cache, e.Err)
}

// Unwrap returns the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// The reasons for which credentials are not used.
var (
	errNoKeys  = errors.New("the provider returned no keys")
	errExpired = errors.New("the provider returned credentials that have expired")
)

// Credentials returns a function for keyslot.Options.Credentials. It signs a token for each connection, keeps none, and
// returns within its context; it is safe for concurrent use, and fails with a *CredentialsError. Signing itself asks
// nobody. A wrong field is a *keyslot.OptionError, before anybody is asked for anything.
func (i IAM) Credentials() (func(context.Context, keyslot.Node) (user, password string, err error), error) {
	if err := i.check(); err != nil {
		return nil, err
	}
	provider := &asker{provider: i.Provider}
	sign := &signer{user: i.User, cache: i.Cache, region: i.Region, serverless: i.Serverless, v4: v4.NewSigner()}
	return func(ctx context.Context, _ keyslot.Node) (string, string, error) {
		token, err := newToken(ctx, provider, sign)
		if err != nil {
			return "", "", &CredentialsError{User: i.User, Cache: i.Cache, Err: err}
		}
		return i.User, token, nil
	}, nil
}

func newToken(ctx context.Context, provider *asker, sign *signer) (string, error) {
	credentials, err := provider.ask(ctx)
	if err != nil {
		return "", err
	}
	now := time.Now()
	switch {
	case !credentials.HasKeys():
		return "", errNoKeys
	case credentials.CanExpire && !now.Before(credentials.Expires):
		// A token dies with the session that signed it.
		return "", errExpired
	}
	return sign.token(ctx, credentials, now)
}

// check returns what ElastiCache would refuse without a reason, as WRONGPASS.
func (i IAM) check() error {
	for _, field := range []struct{ name, reason string }{
		{"Provider", checkProvider(i.Provider)},
		{"User", checkUser(i.User)},
		{"Cache", checkCache(i.Cache)},
		{"Region", checkRegion(i.Region)},
	} {
		if field.reason != "" {
			return &keyslot.OptionError{Option: "IAM." + field.name, Reason: field.reason}
		}
	}
	return nil
}

func checkProvider(p aws.CredentialsProvider) string {
	if p == nil {
		return "is required, for example aws.Config.Credentials"
	}
	return ""
}

func checkUser(user string) string {
	switch {
	case user == "":
		return "is required: the id of an ElastiCache user with IAM as its authentication mode"
	case user != strings.ToLower(user):
		return fmt.Sprintf("%q has upper-case letters; a user that logs in by IAM has an id in lower case", user)
	case strings.ContainsFunc(user, isNoID):
		return fmt.Sprintf("%q is no user id", user)
	}
	return ""
}

func checkCache(cache string) string {
	switch {
	case cache == "":
		return "is required where the endpoint's name does not tell it: the id of the replication group or the name of the serverless cache"
	case cache != strings.ToLower(cache):
		return fmt.Sprintf("%q has upper-case letters; ElastiCache signs and compares ids in lower case", cache)
	case strings.ContainsAny(cache, ".:/"):
		return fmt.Sprintf("%q is a DNS name; a token names the replication group or serverless cache by its id", cache)
	case strings.ContainsFunc(cache, isNoID):
		return fmt.Sprintf("%q is no id", cache)
	}
	return ""
}

func checkRegion(region string) string {
	switch {
	case region == "":
		return `is required where the endpoint's name does not tell it, such as "us-east-1"`
	case strings.ContainsFunc(region, isNoID):
		return fmt.Sprintf("%q is no AWS Region", region)
	}
	return ""
}

// isNoID reports whether a character cannot be in a lower-case id. Dots are in "default.app", a form that user ids may have.
func isNoID(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_'
}

// Format writes the names only: a provider's fields may hold secrets, and verbs such as %+v would show them.
func (i IAM) Format(f fmt.State, _ rune) {
	kind := "replication group"
	if i.Serverless {
		kind = "serverless cache"
	}
	_, _ = io.WriteString(f, fmt.Sprintf("IAM user %q of %s %q in %q", i.User, kind, i.Cache, i.Region))
}

// LogValue is what slog shows.
func (i IAM) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(i)) }
