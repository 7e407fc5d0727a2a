package elasticache_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/elasticache"
)

// role stands for aws.Config.Credentials, which config.LoadDefaultConfig finds in the environment, a file, the
// container, the function or the instance.
var role = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}, nil
})

func ExampleOptions() {
	iam := &elasticache.IAM{User: "app", Provider: role}
	opts, err := elasticache.Options("clustercfg.orders.abc123.use1.cache.amazonaws.com:6379", iam)
	if err != nil {
		fmt.Println(err)
		return
	}
	opts.ClientName = "shop" // and whatever else the program wants; then keyslot.New(ctx, opts)
	fmt.Println(opts.Endpoints, opts.TLS != nil, opts.CommandTimeout)

	_, err = elasticache.Options("cache.internal", &elasticache.IAM{User: "app", Cache: "Orders", Provider: role})
	fmt.Println(err)
	// Output:
	// [clustercfg.orders.abc123.use1.cache.amazonaws.com:6379] true 5s
	// keyslot: IAM.Cache: "Orders" has upper-case letters; ElastiCache signs and compares ids in lower case
}

func ExampleIAM_Credentials() {
	iam := elasticache.IAM{User: "app", Cache: "orders", Region: "us-east-1", Provider: role}
	login, err := iam.Credentials()
	if err != nil {
		fmt.Println(err)
		return
	}
	opts := keyslot.Options{Endpoints: []string{"cache.internal:6379"}, Credentials: login}

	// This is what happens for each connection.
	user, token, err := opts.Credentials(context.Background(), keyslot.Node{})
	front, _, _ := strings.Cut(token, "&X-Amz")
	fmt.Println(user, front, err)
	fmt.Println(iam)
	// Output:
	// app orders/?Action=connect&User=app <nil>
	// IAM user "app" of replication group "orders" in "us-east-1"
}

func ExampleRecognize() {
	e := elasticache.Recognize("orders-x4ubek.serverless.euw1.cache.amazonaws.com:6379")
	fmt.Println(e.Kind, e.Cache, e.Region)
	fmt.Println(elasticache.Recognize("replica.orders.abc123.use1.cache.amazonaws.com").Kind)
	fmt.Println(elasticache.Recognize("localhost").Kind)
	// Output:
	// serverless orders eu-west-1
	// reader
	// unrecognized
}

func ExampleLambda() {
	opts, err := elasticache.Lambda("clustercfg.orders.abc123.use1.cache.amazonaws.com:6379", &elasticache.IAM{User: "app", Provider: role})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := keyslot.New(context.Background(), opts) // outside the handler; it dials nothing yet
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(opts.Lazy, opts.CommandTimeout)
	// Output:
	// true 2s
}

func ExampleBudget() {
	opts, err := elasticache.Lambda("clustercfg.orders.abc123.use1.cache.amazonaws.com:6379", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(elasticache.Budget{Environments: 1000, Options: opts})
	// Output:
	// 1000 environments x 1 connection to each node = 1000 of 65000: fits, up to 65000 environments
}

func ExampleZone() {
	opts, err := elasticache.Options("clustercfg.orders.abc123.use1.cache.amazonaws.com:6379", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if zone, err := elasticache.Zone(context.Background()); err == nil { // else there is no nearer replica to prefer
		opts.AZ, opts.ReadFrom = zone, keyslot.AZAffinity
	}
}
