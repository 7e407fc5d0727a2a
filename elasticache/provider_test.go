package elasticache_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/elasticache"
)

// A provider that fails to come back does so once.
func TestAProviderThatGaveNoAnswerIsAskedAgain(t *testing.T) {
	for name, fail := range map[string]func(end <-chan struct{}){
		"it hangs":           func(end <-chan struct{}) { <-end },
		"its goroutine ends": func(<-chan struct{}) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				defer close(end)
				var asked atomic.Int32
				provider := func(context.Context) (aws.Credentials, error) {
					if asked.Add(1) == 1 {
						fail(end)
					}
					return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, nil
				}
				iam := elasticache.IAM{User: "app", Cache: "orders", Region: "us-east-1", Provider: aws.CredentialsProviderFunc(provider)}
				credentials, err := iam.Credentials()
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, _, err = credentials(ctx, keyslot.Node{})
				require.Error(t, err)
				time.Sleep(time.Minute)
				_, _, err = credentials(t.Context(), keyslot.Node{})
				require.NoError(t, err)
			})
		})
	}
}
