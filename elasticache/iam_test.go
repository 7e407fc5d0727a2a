package elasticache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/elasticache"
)

// provides is a provider made of a function.
type provides func(ctx context.Context) (aws.Credentials, error)

func (p provides) Retrieve(ctx context.Context) (aws.Credentials, error) { return p(ctx) }

// fixed returns a provider of the same credentials for ever.
func fixed() provides {
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: suiteKey, SecretAccessKey: suiteSecret, SessionToken: suiteToken}, nil
	}
}

func TestWrongUseIsToldAtConstruction(t *testing.T) {
	mustNotBeAsked := provides(func(context.Context) (aws.Credentials, error) { panic("asked") })
	right := elasticache.IAM{Provider: mustNotBeAsked, User: "app", Cache: "orders", Region: "us-east-1"}
	_, err := right.Credentials()
	require.NoError(t, err)
	for _, test := range []struct {
		change func(*elasticache.IAM)
		field  string
		reason string
	}{
		{func(i *elasticache.IAM) { i.Provider = nil }, "IAM.Provider", "required"},
		{func(i *elasticache.IAM) { i.User = "" }, "IAM.User", "required"},
		{func(i *elasticache.IAM) { i.User = "App" }, "IAM.User", "upper-case"},
		{func(i *elasticache.IAM) { i.User = "a b" }, "IAM.User", "no user id"},
		{func(i *elasticache.IAM) { i.Cache = "" }, "IAM.Cache", "required"},
		{func(i *elasticache.IAM) { i.Cache = "Orders" }, "IAM.Cache", "upper-case"},
		{func(i *elasticache.IAM) { i.Cache = "clustercfg.orders.abc123.use1.cache.amazonaws.com" }, "IAM.Cache", "DNS name"},
		{func(i *elasticache.IAM) { i.Cache = "orders:6379" }, "IAM.Cache", "DNS name"},
		{func(i *elasticache.IAM) { i.Cache = "or&ders" }, "IAM.Cache", "no id"},
		{func(i *elasticache.IAM) { i.Region = "" }, "IAM.Region", "required"},
		{func(i *elasticache.IAM) { i.Region = "us east" }, "IAM.Region", "no AWS Region"},
	} {
		wrong := right
		test.change(&wrong)
		_, err := wrong.Credentials()
		var option *keyslot.OptionError
		require.ErrorAs(t, err, &option, test.field)
		require.Equal(t, test.field, option.Option)
		require.Contains(t, option.Reason, test.reason)
	}
}

func TestCredentialsSignForTheMomentAndTheUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		login, err := elasticache.IAM{Provider: fixed(), User: "default.app", Cache: "orders", Region: "us-east-1"}.Credentials()
		require.NoError(t, err)
		v := accepting()
		v.user = "default.app"
		v.sessions = func(string) (session, bool) { return session{secret: suiteSecret, token: suiteToken}, true }

		user, first, err := login(t.Context(), keyslot.Node{})
		require.NoError(t, err)
		require.NoError(t, v.verify(user, first, time.Now()))
		time.Sleep(20 * time.Minute)
		user, second, err := login(t.Context(), keyslot.Node{})
		require.NoError(t, err)
		require.NoError(t, v.verify(user, second, time.Now()))
		require.ErrorContains(t, v.verify(user, first, time.Now()), "expired")
	})
}

func TestCredentialsThatCannotSignAreRefused(t *testing.T) {
	for name, credentials := range map[string]aws.Credentials{
		"no keys": {AccessKeyID: suiteKey},
		"expired": {AccessKeyID: suiteKey, SecretAccessKey: suiteSecret, CanExpire: true, Expires: time.Now().Add(-time.Second)},
	} {
		provider := provides(func(context.Context) (aws.Credentials, error) { return credentials, nil })
		login, err := elasticache.IAM{Provider: provider, User: "app", Cache: "orders", Region: "us-east-1"}.Credentials()
		require.NoError(t, err)
		_, token, err := login(t.Context(), keyslot.Node{})
		var failed *elasticache.CredentialsError
		require.ErrorAs(t, err, &failed, name)
		require.ErrorContains(t, err, name)
		require.Empty(t, token)
	}
}

// After a failover every node is dialled at once; a provider such as STS would throttle as many questions.
func TestDialsAtOnceShareOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		slow := provides(func(ctx context.Context) (aws.Credentials, error) {
			asked.Add(1)
			time.Sleep(time.Second)
			return fixed()(ctx)
		})
		login, err := elasticache.IAM{Provider: slow, User: "app", Cache: "orders", Region: "us-east-1"}.Credentials()
		require.NoError(t, err)
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, _, err = login(impatient, keyslot.Node{}) // who asks first and leaves takes nothing from the others
		require.ErrorIs(t, err, context.DeadlineExceeded)

		var dials sync.WaitGroup
		for range 100 {
			dials.Go(func() {
				_, token, err := login(t.Context(), keyslot.Node{})
				if err != nil || token == "" {
					t.Error(token, err)
				}
			})
		}
		dials.Wait()
		require.EqualValues(t, 1, asked.Load())
		_, _, err = login(t.Context(), keyslot.Node{})
		require.NoError(t, err)
		require.EqualValues(t, 2, asked.Load(), "nothing is kept")
	})
}

func TestAProviderThatHangsIsLeftAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		hangs := provides(func(context.Context) (aws.Credentials, error) {
			<-released
			return aws.Credentials{}, errors.New("late")
		})
		login, err := elasticache.IAM{Provider: hangs, User: "app", Cache: "orders", Region: "us-east-1"}.Credentials()
		require.NoError(t, err)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			began := time.Now()
			_, _, err := login(ctx, keyslot.Node{})
			cancel()
			var failed *elasticache.CredentialsError
			require.ErrorAs(t, err, &failed)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, 2*time.Second, time.Since(began))
		}
		close(released)
	})
}

func TestAProviderThatHeedsItsContextIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ended := make(chan time.Duration, 1)
		heeds := provides(func(ctx context.Context) (aws.Credentials, error) {
			<-ctx.Done()
			ended <- time.Since(began)
			return aws.Credentials{}, ctx.Err()
		})
		login, err := elasticache.IAM{Provider: heeds, User: "app", Cache: "orders", Region: "us-east-1"}.Credentials()
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = login(ctx, keyslot.Node{})
		require.Error(t, err)
		require.Equal(t, 30*time.Second, <-ended)
	})
}

func TestPrintingShowsNoSecrets(t *testing.T) {
	type static struct{ Value aws.Credentials } // as the SDK's StaticCredentialsProvider has it
	secrets := static{aws.Credentials{AccessKeyID: suiteKey, SecretAccessKey: suiteSecret, SessionToken: suiteToken}}
	provider := struct {
		static
		provides
	}{secrets, fixed()}
	iam := elasticache.IAM{Provider: provider, User: "app", Cache: "orders", Region: "us-east-1"}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", iam, &iam, []any{iam})
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("opened", "iam", iam, "pointer", &iam)
	slog.New(slog.NewTextHandler(&out, nil)).Info("opened", "iam", iam, "pointer", &iam)
	require.NoError(t, json.NewEncoder(&out).Encode(iam))

	require.Contains(t, out.String(), `IAM user "app" of replication group "orders" in "us-east-1"`)
	for _, secret := range []string{suiteKey, suiteSecret, suiteToken} {
		require.NotContains(t, out.String(), secret)
	}
}
