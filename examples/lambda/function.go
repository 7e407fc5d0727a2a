package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/elasticache"
)

const (
	// margin is what is left of an invocation when its calls end: an environment that runs into its timeout is ended,
	// and says nothing of why.
	margin = 200 * time.Millisecond
	// leave is less than a function with an internal extension has between SIGTERM and SIGKILL: 500 ms (AWS Lambda
	// Developer Guide, "Understanding the Lambda execution environment lifecycle", Shutdown phase).
	leave = 300 * time.Millisecond
	// ttl lets the example clean up behind itself.
	ttl = time.Hour
)

// function is what invocations share. It is safe for concurrent use, though an environment serves one invocation at a time.
type function struct {
	client *keyslot.Client
	budget elasticache.Budget
}

// request is the event of an invocation. Without a value the key is only read.
type request struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// response has the form that API Gateway and function URLs make an HTTP response of.
type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

// reading is the body of a response with status 200.
type reading struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Visits int64  `json:"visits"` // how often the key was asked for: a write that must not run twice
}

// newFunction makes the client that the environment variables tell of. It touches no network.
//
//	CONFIGURATION_ENDPOINT_ADDRESS  name of the configuration endpoint
//	REDIS_PORT                      its port; 6379 by default
//	CACHE_TLS                       false for a cluster without encryption in transit
//	CACHE_USER                      id of the ElastiCache user that logs in by IAM; empty: no login
//	RESERVED_CONCURRENCY            how many environments there may be; 1000 by default, the quota of an account
func newFunction(env func(string) string) (*function, error) {
	host, port := env("CONFIGURATION_ENDPOINT_ADDRESS"), env("REDIS_PORT")
	if host == "" {
		return nil, errors.New("CONFIGURATION_ENDPOINT_ADDRESS is not set")
	}
	if port == "" {
		port = "6379"
	}
	endpoint := "rediss://" + net.JoinHostPort(host, port)
	if env("CACHE_TLS") == "false" {
		endpoint = "redis://" + net.JoinHostPort(host, port)
	}
	var iam *elasticache.IAM
	if user := env("CACHE_USER"); user != "" {
		iam = &elasticache.IAM{User: user, Provider: role(env)}
	}
	opts, err := elasticache.Lambda(endpoint, iam)
	if err != nil {
		return nil, err
	}
	client, err := keyslot.New(context.Background(), opts)
	if err != nil {
		return nil, err
	}
	environments, err := strconv.Atoi(env("RESERVED_CONCURRENCY"))
	if err != nil || environments < 1 {
		environments = 1000
	}
	return &function{client: client, budget: elasticache.Budget{Environments: environments, Options: opts}}, nil
}

// role returns the credentials of the function's role. Lambda puts them into the environment, so nobody has to be asked
// for them; config.LoadDefaultConfig finds them too, and makes the program larger and its start longer.
func role(env func(string) string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: env("AWS_ACCESS_KEY_ID"), SecretAccessKey: env("AWS_SECRET_ACCESS_KEY"), SessionToken: env("AWS_SESSION_TOKEN"),
		}, nil
	})
}

// handle serves one invocation. An error makes it a failed one, of which whoever invoked it decides whether to repeat
// it: keyslot has done so already where that is safe, as long as there was time.
func (f *function) handle(ctx context.Context, r request) (response, error) {
	if r.Key == "" {
		return reply(http.StatusBadRequest, map[string]string{"error": "key is missing"})
	}
	if strings.ContainsAny(r.Key, "{}") { // of which a part would be the hash tag below
		return reply(http.StatusBadRequest, map[string]string{"error": "key has braces"})
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	if r.Value != "" {
		if err := f.client.Set(ctx, r.Key, r.Value, command.EX(ttl)); err != nil {
			return response{}, fmt.Errorf("writing: %w", err)
		}
	}
	// The hash tag keeps both keys on one node, so that a function which uses few keys needs few connections.
	visits, err := f.client.Incr(ctx, "{"+r.Key+"}:visits")
	if err != nil {
		return response{}, fmt.Errorf("counting: %w", err)
	}
	value, err := f.client.Get(ctx, r.Key)
	switch {
	case errors.Is(err, keyslot.Nil):
		return reply(http.StatusNotFound, map[string]string{"error": "there is no such key"})
	case err != nil:
		return response{}, fmt.Errorf("reading: %w", err)
	}
	return reply(http.StatusOK, reading{Key: r.Key, Value: value, Visits: visits})
}

func reply(status int, body any) (response, error) {
	text, err := json.Marshal(body)
	return response{StatusCode: status, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(text)}, err
}

// close takes leave of the servers.
func (f *function) close() {
	ctx, cancel := context.WithTimeout(context.Background(), leave)
	defer cancel()
	_ = f.client.Shutdown(ctx) // what did not end in time ends with the process
}
