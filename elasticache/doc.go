// Package elasticache makes keyslot at home on Amazon ElastiCache for Valkey and Redis OSS: it logs in with IAM,
// chooses the settings that AWS recommends, for services and for functions on Lambda, finds out the Availability Zone
// of this process, and reads from an endpoint's name what it leads to.
//
//	cfg, err := config.LoadDefaultConfig(ctx) // github.com/aws/aws-sdk-go-v2/config
//	opts, err := elasticache.Options("clustercfg.orders.abc123.use1.cache.amazonaws.com:6379",
//		&elasticache.IAM{User: "app", Provider: cfg.Credentials})
//	client, err := keyslot.New(ctx, opts)
//
// # Logging in
//
// IAM authentication needs Valkey 7.2 or Redis OSS 7.0, TLS, an ElastiCache user whose authentication mode is IAM and whose
// name is its id, and a policy that allows elasticache:Connect on both the cache and the user. The password is a token: a
// request signed with the AWS credentials (Signature Version 4), valid for 15 minutes and only needed while logging in.
//
// A token is signed for each connection at the moment it is opened. None is kept, so none can be too old, and none
// outlives the session whose credentials signed it. The provider is asked each time too. While it fails, what is
// connected goes on, and only dials fail, with a *CredentialsError and within their time; they are repeated at least
// twice a second while commands wait.
//
// ElastiCache ends a connection 12 hours after its login. Connections are never logged in anew, since AUTH between the
// commands of others is not safe everywhere. Options sets keyslot.Options.MaxConnAge instead: what is in use is replaced
// by a new connection in time, and no command fails. What is idle is ended by the server, and dialled when it is needed.
//
// A token is refused as WRONGPASS, without a reason. What can be checked beforehand is an error of Options: ids in
// upper case, a DNS name instead of an id, a missing Region. What remains is usually the policy, the user's mode or
// group, or the clock. Tokens carry the time in UTC whatever the local zone is. A clock that is slow by more than 15
// minutes makes tokens that have expired when they arrive. AWS states five minutes for most requests (IAM User Guide,
// "Signing AWS API requests") and no number for ElastiCache: rely on no more than these five, in both directions.
//
// Neither tokens nor credentials are ever logged or part of an error, and printing an IAM shows names only.
//
// # Tested how
//
// No test reaches AWS. Tokens are checked by a verifier written from the specification, which is checked itself against
// the published test vectors, as the signer is; a simulated cache uses it for days of simulated time.
package elasticache
