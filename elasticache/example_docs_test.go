package elasticache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/elasticache"
)

// The code of docs/elasticache.md, which quotes a part of each function. Nothing listens at these names, so the
// context has ended.

func Example_configurationEndpoint() {
	connect := func(ctx context.Context) error {
		opts, err := elasticache.Options("clustercfg.orders.abc123.use1.cache.amazonaws.com:6379", nil) // or an *IAM, see below
		if err != nil {
			return err
		}
		client, err := keyslot.New(ctx, opts)
		if err != nil {
			return err
		}
		return client.Close()
	}
	fmt.Println(errors.Is(connect(ended), context.Canceled))
	// Output: true
}

func Example_login() {
	provider := role
	connect := func(ctx context.Context) error {
		iam := &elasticache.IAM{User: "app", Provider: provider} // aws.Config.Credentials of config.LoadDefaultConfig
		opts, err := elasticache.Options("clustercfg.orders.abc123.use1.cache.amazonaws.com:6379", iam)
		if err != nil {
			return err
		}
		client, err := keyslot.New(ctx, opts)
		if err != nil {
			return err
		}
		return client.Close()
	}
	fmt.Println(errors.Is(connect(ended), context.Canceled))
	// Output: true
}

func Example_lambda() {
	iam := &elasticache.IAM{User: "app", Cache: "orders", Region: "us-east-1", Provider: role}
	connect := func(ctx context.Context) error {
		opts, err := elasticache.Lambda(os.Getenv("CONFIGURATION_ENDPOINT_ADDRESS"), iam)
		if err != nil {
			return err
		}
		client, err := keyslot.New(ctx, opts) // outside the handler: nothing is dialled yet
		if err != nil {
			return err
		}
		return client.Close()
	}
	fmt.Println(connect(ended)) // the variable is not set here
	// Output: keyslot: endpoint "": empty: write host:port or redis://host:port
}

func Example_zone() {
	ctx := ended
	opts, _ := elasticache.Options("clustercfg.orders.abc123.use1.cache.amazonaws.com:6379", nil)
	if zone, err := elasticache.Zone(ctx); err == nil {
		opts.AZ = zone
	}
	fmt.Printf("%q", opts.AZ)
	// Output: ""
}

// ended is a context that has.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

var (
	quotedCode = regexp.MustCompile("(?s)```go\n(.*?)```")
	lineStart  = regexp.MustCompile(`(?m)^(.)`)
)

// What the page shows is what runs.
func TestThePageQuotesItsExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/elasticache.md")
	require.NoError(t, err)
	file, err := os.ReadFile("example_docs_test.go")
	require.NoError(t, err)
	quotes := quotedCode.FindAllStringSubmatch(string(page), -1)
	require.Len(t, quotes, 4)
	for _, quoted := range quotes {
		once := lineStart.ReplaceAllString(quoted[1], "\t$1")
		twice := lineStart.ReplaceAllString(once, "\t$1")
		require.True(t, strings.Contains(string(file), once) || strings.Contains(string(file), twice),
			"no example has these lines:\n%s", quoted[1])
	}
}
