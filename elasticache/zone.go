package elasticache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

const (
	// zoneTimeout bounds Zone where its context does not. The services that it asks are on the machine, and answer
	// within milliseconds; where there is none, packets to its address may vanish.
	zoneTimeout = 2 * time.Second
	// maxMetadata is more than any of the answers: that of ECS describes all containers of a task.
	maxMetadata = 1 << 20

	// lambdaAPI and lambdaToken are set in every execution environment (AWS Lambda Developer Guide, "Using the Lambda
	// metadata endpoint"), and lambdaPath is what is asked for there.
	lambdaAPI   = "AWS_LAMBDA_METADATA_API"
	lambdaToken = "AWS_LAMBDA_METADATA_TOKEN"
	lambdaPath  = "/2026-01-15/metadata/execution-environment"
	// ecsURI is set in every container (Amazon ECS Developer Guide, "Task metadata endpoint version 4").
	ecsURI = "ECS_CONTAINER_METADATA_URI_V4"
	// zoneNames is ours: see Zone.
	zoneNames = "KEYSLOT_ZONE_NAMES"
)

// ZoneError says why the Availability Zone of this process is not known.
type ZoneError struct {
	Source string // who was asked: "Lambda", "ECS" or "EC2"
	ID     string // the AZ ID, where that is all that is known
	Err    error
}

func (e *ZoneError) Error() string {
	return fmt.Sprintf("elasticache: Availability Zone by %s: %v", e.Source, e.Err)
}

// Unwrap returns the cause.
func (e *ZoneError) Unwrap() error { return e.Err }

var (
	errNoZone     = errors.New("the answer holds none")
	errNoZoneName = errors.New("it tells an AZ ID only: set " + zoneNames +
		", for example to use1-az1=us-east-1a,use1-az2=us-east-1b (aws ec2 describe-availability-zones)")
)

// Zone returns the Availability Zone that this process runs in, by the name that ElastiCache's nodes have it by
// ("us-east-1a"), for keyslot.Options.AZ. It asks who can know, which the environment tells:
//
//   - Lambda, whose metadata endpoint tells the AZ ID ("use1-az1") and not the name. What is called us-east-1a differs from
//     account to account, and only ec2:DescribeAvailabilityZones tells. So the environment variable KEYSLOT_ZONE_NAMES has to hold
//     the account's names, "use1-az1=us-east-1a,use1-az2=us-east-1b".
//   - ECS, by version 4 of its task metadata endpoint; on Fargate since platform version 1.4.0.
//   - otherwise EC2, by its instance metadata service, version 2; unless AWS_EC2_METADATA_DISABLED is true.
//
// It blocks until ctx ends, 2 s at the longest, and fails with a *ZoneError: a client does without, then. Call it once,
// before keyslot.New; no command ever waits for it. It is safe for concurrent use.
func Zone(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, zoneTimeout)
	defer cancel()
	switch {
	case os.Getenv(lambdaAPI) != "":
		return lambdaZone(ctx)
	case os.Getenv(ecsURI) != "":
		return ecsZone(ctx)
	}
	return ec2Zone(ctx)
}

// lambdaZone asks the execution environment:
//
//	C: GET /2026-01-15/metadata/execution-environment    Authorization: Bearer TOKEN
//	S: {"AvailabilityZoneID": "use1-az1"}
func lambdaZone(ctx context.Context) (string, error) {
	var said struct{ AvailabilityZoneID string }
	header := http.Header{"Authorization": {"Bearer " + os.Getenv(lambdaToken)}}
	if err := getJSON(ctx, "http://"+os.Getenv(lambdaAPI)+lambdaPath, header, &said); err != nil {
		return "", &ZoneError{Source: "Lambda", Err: err}
	}
	if said.AvailabilityZoneID == "" {
		return "", &ZoneError{Source: "Lambda", Err: errNoZone}
	}
	for pair := range strings.SplitSeq(os.Getenv(zoneNames), ",") {
		id, name, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok && id == said.AvailabilityZoneID && name != "" {
			return name, nil
		}
	}
	return "", &ZoneError{Source: "Lambda", ID: said.AvailabilityZoneID, Err: errNoZoneName}
}

// ecsZone asks for the task: {"AvailabilityZone": "us-east-1a", ...}
func ecsZone(ctx context.Context) (string, error) {
	var task struct{ AvailabilityZone string }
	if err := getJSON(ctx, os.Getenv(ecsURI)+"/task", nil, &task); err != nil {
		return "", &ZoneError{Source: "ECS", Err: err}
	}
	if task.AvailabilityZone == "" {
		return "", &ZoneError{Source: "ECS", Err: errNoZone}
	}
	return task.AvailabilityZone, nil
}

// ec2Zone asks for placement/availability-zone (Amazon EC2 User Guide, "Instance metadata categories").
func ec2Zone(ctx context.Context) (string, error) {
	once := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy, t.DisableKeepAlives = nil, true // as in getJSON: a proxy would tell the zone of its own machine
	})
	out, err := imds.New(imds.Options{HTTPClient: once}).GetMetadata(ctx, &imds.GetMetadataInput{Path: "placement/availability-zone"})
	if err != nil {
		return "", &ZoneError{Source: "EC2", Err: err}
	}
	defer out.Content.Close()
	name, err := io.ReadAll(io.LimitReader(out.Content, maxMetadata))
	if err == nil && len(name) == 0 {
		err = errNoZone
	}
	if err != nil {
		return "", &ZoneError{Source: "EC2", Err: err}
	}
	return string(name), nil
}

// getJSON reads an answer. An error never shows the header, of which the token is nobody's business.
func getJSON(ctx context.Context, url string, header http.Header, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if header != nil {
		request.Header = header
	}
	// A transport of its own, without proxy and without a connection that stays: what is asked is on this machine, and once.
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, maxMetadata)).Decode(into)
}
