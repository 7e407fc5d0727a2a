package elasticache_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/elasticache"
)

// The stand-ins answer as the services' documentation says they do.

func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	for _, name := range []string{"AWS_LAMBDA_METADATA_API", "ECS_CONTAINER_METADATA_URI_V4", "AWS_EC2_METADATA_DISABLED", "KEYSLOT_ZONE_NAMES"} {
		t.Setenv(name, "")
	}
	return server
}

func onLambda(t *testing.T, answer string) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/2026-01-15/metadata/execution-environment" || r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, answer)
	})
	t.Setenv("AWS_LAMBDA_METADATA_API", strings.TrimPrefix(server.URL, "http://"))
	t.Setenv("AWS_LAMBDA_METADATA_TOKEN", "secret")
}

func TestZoneOnLambdaIsNamedByTheEnvironment(t *testing.T) {
	onLambda(t, `{"AvailabilityZoneID": "use1-az2"}`)
	t.Setenv("KEYSLOT_ZONE_NAMES", "use1-az1=us-east-1d, use1-az2=us-east-1a")
	zone, err := elasticache.Zone(t.Context())
	require.NoError(t, err)
	require.Equal(t, "us-east-1a", zone)
}

// An AZ ID is no name, and guessing one would prefer another zone's replicas.
func TestZoneOnLambdaWithoutNamesIsUnknown(t *testing.T) {
	onLambda(t, `{"AvailabilityZoneID": "use1-az2"}`)
	for _, names := range []string{"", "use1-az1=us-east-1a", "use1-az2=", "nonsense"} {
		t.Setenv("KEYSLOT_ZONE_NAMES", names)
		_, err := elasticache.Zone(t.Context())
		var unknown *elasticache.ZoneError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, "use1-az2", unknown.ID)
		require.ErrorContains(t, err, "KEYSLOT_ZONE_NAMES")
	}
}

func TestZoneOfAnECSTask(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/v4/1f1a7d/task", r.URL.Path)
		fmt.Fprint(w, `{"Cluster":"default","LaunchType":"FARGATE","AvailabilityZone":"us-west-2b","Containers":[{"Name":"web"}]}`)
	})
	t.Setenv("ECS_CONTAINER_METADATA_URI_V4", server.URL+"/v4/1f1a7d")
	zone, err := elasticache.Zone(t.Context())
	require.NoError(t, err)
	require.Equal(t, "us-west-2b", zone)
}

// Version 2 of the instance metadata service wants a token, which a PUT gives.
func TestZoneOfAnInstance(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
			fmt.Fprint(w, "token")
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/latest/meta-data/placement/availability-zone":
			fmt.Fprint(w, "eu-west-1c")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)
	zone, err := elasticache.Zone(t.Context())
	require.NoError(t, err)
	require.Equal(t, "eu-west-1c", zone)
}

// A proxy would ask the service of its own machine, and see the token. Package net/http reads its variables once in a process.
func TestZoneAsksNoProxy(t *testing.T) {
	const within = "KEYSLOT_TEST_WITHIN_PROXY"
	if os.Getenv(within) == "" {
		proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("a proxy was asked for %s", r.URL)
		}))
		defer proxy.Close()
		alone := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		alone.Env = append(os.Environ(), within+"=1", "HTTP_PROXY="+proxy.URL)
		out, err := alone.CombinedOutput()
		require.NoError(t, err, string(out))
		return
	}
	serve(t, nil)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.1") // nobody's address (RFC 5737)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := elasticache.Zone(ctx)
	require.Error(t, err)
}

func TestZoneThatNobodyTells(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"status":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"no JSON":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"no zone":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") },
		"too long": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"a":"`+strings.Repeat("x", 2<<20)+`"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, answer)
			for variable, source := range map[string]string{"AWS_LAMBDA_METADATA_API": "Lambda", "ECS_CONTAINER_METADATA_URI_V4": "ECS"} {
				t.Setenv("AWS_LAMBDA_METADATA_API", "")
				t.Setenv("AWS_LAMBDA_METADATA_TOKEN", "secret")
				t.Setenv("ECS_CONTAINER_METADATA_URI_V4", "")
				t.Setenv(variable, server.URL)
				if source == "Lambda" {
					t.Setenv(variable, strings.TrimPrefix(server.URL, "http://"))
				}
				_, err := elasticache.Zone(t.Context())
				var unknown *elasticache.ZoneError
				require.ErrorAs(t, err, &unknown)
				require.Equal(t, source, unknown.Source)
				require.NotContains(t, err.Error(), "secret")
			}
		})
	}
	serve(t, nil)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	_, err := elasticache.Zone(t.Context())
	var unknown *elasticache.ZoneError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "EC2", unknown.Source)
}

// Who is asked may not answer at all.
func TestZoneWaitsNoLongerThanItsContext(t *testing.T) {
	released := make(chan struct{})
	server := serve(t, func(http.ResponseWriter, *http.Request) { <-released })
	t.Cleanup(func() { close(released) }) // before the server closes, which waits
	for variable, value := range map[string]string{
		"AWS_LAMBDA_METADATA_API": strings.TrimPrefix(server.URL, "http://"), "ECS_CONTAINER_METADATA_URI_V4": server.URL,
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL,
	} {
		t.Setenv("AWS_LAMBDA_METADATA_API", "")
		t.Setenv("ECS_CONTAINER_METADATA_URI_V4", "")
		t.Setenv(variable, value)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began := time.Now()
		_, err := elasticache.Zone(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(began), 2*time.Second)
	}
}
