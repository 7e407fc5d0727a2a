package elasticache

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TokenAt signs a token at a time that the test chooses.
func TokenAt(ctx context.Context, i IAM, credentials aws.Credentials, at time.Time) (string, error) {
	s := &signer{user: i.User, cache: i.Cache, region: i.Region, serverless: i.Serverless, v4: v4.NewSigner()}
	return s.token(ctx, credentials, at)
}
