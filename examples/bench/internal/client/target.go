package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/elasticache"
)

// PasswordVariable is the environment variable that holds the password: arguments are in the list of processes.
const PasswordVariable = "KEYSLOT_PASSWORD"

// Target is where the cluster is and how to log in. It goes from process to process without the password, which stays
// in the environment.
type Target struct {
	Endpoint string // as keyslot.Open takes it
	TLS      bool
	User     string
	IAM      bool
}

// Check returns what is wrong with the target, in one line. Nothing is resolved or dialled.
func (t Target) Check() error {
	opts, err := keyslot.ParseTarget(t.Endpoint)
	switch {
	case err != nil:
		return err
	case opts.Password != "":
		return fmt.Errorf("-endpoint holds a password: put it into %s instead", PasswordVariable)
	case t.IAM && t.User == "":
		return errors.New("-iam needs -user, the id of an ElastiCache user")
	case t.IAM && os.Getenv(PasswordVariable) != "":
		return fmt.Errorf("-iam and %s are two ways to log in: choose one", PasswordVariable)
	case t.User != "" && !t.IAM && os.Getenv(PasswordVariable) == "":
		return fmt.Errorf("-user needs its password in %s, or -iam", PasswordVariable)
	}
	return nil
}

// Options returns how to reach the target. With IAM it looks for AWS credentials where the AWS SDK does, which may ask
// the network until ctx ends.
func (t Target) Options(ctx context.Context) (keyslot.Options, error) {
	if t.IAM {
		return t.withIAM(ctx)
	}
	opts, err := keyslot.ParseTarget(t.Endpoint)
	if err != nil {
		return keyslot.Options{}, err
	}
	if t.TLS && opts.TLS == nil {
		opts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.User != "" {
		opts.Username = t.User
	}
	opts.Password = os.Getenv(PasswordVariable)
	return opts, nil
}

func (t Target) withIAM(ctx context.Context) (keyslot.Options, error) {
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return keyslot.Options{}, fmt.Errorf("AWS credentials: %w", err)
	}
	return elasticache.Options(t.Endpoint, &elasticache.IAM{User: t.User, Provider: aws.Credentials})
}

// Name returns the first host:port of the target, for people to read.
func (t Target) Name() string {
	opts, err := keyslot.ParseTarget(t.Endpoint)
	if err != nil {
		return t.Endpoint
	}
	return strings.Join(opts.Endpoints, ",")
}
