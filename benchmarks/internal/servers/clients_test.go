package servers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

func TestEveryClientDoesEveryWorkload(t *testing.T) {
	addrs, err := servers.ServeFake(3)
	require.NoError(t, err)
	for _, name := range client.Names() {
		for _, workload := range load.Workloads() {
			t.Run(name+"/"+workload, func(t *testing.T) {
				runOne(t, load.Spec{Client: name, Workload: workload, Addrs: addrs[:1]})
			})
		}
	}
}

func TestEveryClientReachesRealNodesOverTLS(t *testing.T) {
	cluster := realcluster.Start(t, realcluster.Options{TLS: true})
	ca, err := cluster.Authority()
	require.NoError(t, err)
	spec := load.Spec{Client: "keyslot", Workload: "get64", Addrs: cluster.Addrs()[:1], CA: string(ca)}
	require.NoError(t, load.Fill(t.Context(), spec))
	for _, name := range client.Names() {
		t.Run(name, func(t *testing.T) {
			spec.Client = name
			runOne(t, spec)
		})
	}
}

// Nothing is started for who has a cluster, and an error must not say so.
func TestAClusterThatCannotBeReachedIsNamed(t *testing.T) {
	for _, kind := range []servers.Kind{servers.Plain, servers.TLS} {
		_, err := servers.Start(t.Context(), kind, "127.0.0.1:1")
		require.ErrorContains(t, err, "using the cluster at 127.0.0.1:1: ")
		require.NotContains(t, err.Error(), "starting")
	}
}

// One node alone is the endpoint, whose connection a client may keep for its commands; of two the other one is told.
func TestEveryClientTakesADetour(t *testing.T) {
	for nodes := 1; nodes <= 2; nodes++ {
		addrs, err := servers.ServeFake(nodes)
		require.NoError(t, err)
		detours, err := servers.ServeProxies(addrs)
		require.NoError(t, err)
		by := map[string]string{}
		for i, addr := range addrs {
			by[addr] = detours[i]
		}
		for _, name := range client.Names() {
			t.Run(fmt.Sprintf("%s/%d", name, nodes), func(t *testing.T) {
				result := runOne(t, load.Spec{Client: name, Workload: "get64", Addrs: addrs[:1], Detour: by})
				if result.Unsupported == "" {
					require.GreaterOrEqual(t, result.P50, float64(servers.Delay/time.Microsecond), "the proxy was not on the way")
				}
			})
		}
	}
}

// runOne runs a load just long enough to see that it works, which on a busy machine is a little longer.
func runOne(t *testing.T, spec load.Spec) load.Result {
	t.Helper()
	var result load.Result
	for spec.Workers, spec.Measure = 2, 10*time.Millisecond; spec.Measure < 10*time.Second; spec.Measure *= 10 {
		var err error
		result, err = load.Run(spec)
		require.NoError(t, err)
		require.Zero(t, result.Errors, result.FirstError)
		if result.OpsPerSecond > 0 || result.Unsupported != "" {
			break
		}
	}
	if result.Unsupported != "" {
		t.Log("n/a: " + result.Unsupported)
		return result
	}
	require.Positive(t, result.OpsPerSecond)
	require.Positive(t, result.P50)
	require.GreaterOrEqual(t, result.P999, result.P50)
	require.NotZero(t, result.Conns)
	return result
}

func TestFillSaysWhyItCannot(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	addrs, err := servers.ServeFake(1)
	require.NoError(t, err)
	require.Error(t, load.Fill(ctx, load.Spec{Client: "keyslot", Addrs: addrs}))
	require.ErrorContains(t, load.Fill(t.Context(), load.Spec{Client: "nobody", Addrs: addrs}), `no client "nobody"`)
}
