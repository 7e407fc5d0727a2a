// The race detector multiplies the memory that is counted here.

//go:build !race

package keyslot_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What connections cost: a client of 500 nodes, all of them behind one listener of another process, where their memory
// and their goroutines are not counted.

const (
	manyNodes = 500
	// serveNodes in the environment makes TestServeNodes that process: "plain" or "tls".
	serveNodes = "KEYSLOT_TEST_SERVE_NODES"
)

func manyShards() (shards []fakenode.Shard) {
	for i := range manyNodes {
		first, next := i*16384/manyNodes, (i+1)*16384/manyNodes
		addr := fmt.Sprintf("10.0.%d.%d:6379", i/250, i%250)
		shards = append(shards, fakenode.Shard{First: first, Last: next - 1, Nodes: []string{addr}})
	}
	return shards
}

// keyOfEach returns a key of each shard.
func keyOfEach(shards []fakenode.Shard) []string {
	keys := make([]string, len(shards))
	for i, missing := 0, len(shards); missing > 0; i++ {
		key := fmt.Sprint(i)
		slot := int(keyslot.Slot(key))
		of, _ := slices.BinarySearchFunc(shards, slot, func(s fakenode.Shard, slot int) int { return s.Last - slot })
		if keys[of] == "" {
			keys[of] = key
			missing--
		}
	}
	return keys
}

// TestServeNodes is no test but the process with the nodes. It says where it listens, and ends with its input.
func TestServeNodes(t *testing.T) {
	mode := os.Getenv(serveNodes)
	if mode == "" {
		t.Skip("runs as a process of TestMemoryOfAClientOfManyNodes")
	}
	network := fakenode.New()
	defer network.Close()
	shards := manyShards()
	network.Topology(1, shards...)
	node := network.Node(shards[0].Nodes[0])
	node.On("GET", value)
	if mode == "tls" {
		server := httptest.NewTLSServer(nil) // for its certificate
		server.Close()
		node.UseTLS(&tls.Config{Certificates: server.TLS.Certificates})
	}
	addr, err := node.Listen()
	require.NoError(t, err)
	fmt.Println(addr)
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// startNodes runs TestServeNodes and returns where it listens.
func startNodes(t *testing.T, mode string) (addr string) {
	nodes := exec.Command(os.Args[0], "-test.run=^TestServeNodes$")
	nodes.Env = append(os.Environ(), serveNodes+"="+mode)
	stdin, err := nodes.StdinPipe()
	require.NoError(t, err)
	stdout, err := nodes.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, nodes.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = nodes.Wait()
	})
	addr, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(addr)
}

// held returns the bytes of heap and stacks in use, and the goroutines.
func held() (bytes, goroutines int) {
	runtime.GC()
	runtime.GC() // what a sync.Pool kept over the first
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapInuse + stats.StackInuse), runtime.NumGoroutine()
}

func TestMemoryOfAClientOfManyNodes(t *testing.T) {
	for mode, secure := range map[string]*tls.Config{
		"plain": nil,
		"tls":   {InsecureSkipVerify: true}, //nolint:gosec // a certificate for the test's own listener
	} {
		t.Run(mode, func(t *testing.T) {
			addr := startNodes(t, mode)
			var dials atomic.Int32
			dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
				dials.Add(1)
				var d net.Dialer
				return d.DialContext(ctx, network, addr)
			}
			shards := manyShards()
			bytes, goroutines := held()
			client := connect(t, keyslot.Options{Endpoints: shards[0].Nodes, Dial: dial, TLS: secure, IdleProbe: -1})
			for _, key := range keyOfEach(shards) {
				_, err := client.Get(t.Context(), key)
				require.NoError(t, err)
			}
			require.Equal(t, int32(manyNodes), dials.Load())
			var bytesNow, goroutinesNow int
			require.Eventually(t, func() bool { // a timer's goroutine may be on its way
				bytesNow, goroutinesNow = held()
				goroutinesNow-- // the one that asks
				return goroutinesNow-goroutines <= manyNodes
			}, 10*time.Second, 10*time.Millisecond)
			t.Logf("%d connections: %d KiB each with everything else, %d goroutines", manyNodes, (bytesNow-bytes)/manyNodes/1024, goroutinesNow-goroutines)
			if secure == nil { // crypto/tls has buffers of its own
				require.LessOrEqual(t, bytesNow-bytes, manyNodes*16<<10)
			}
		})
	}
}

// Calling Stats every second is to cost nothing that anybody would notice.
func BenchmarkStatsOf500Nodes(b *testing.B) {
	network := fakenode.New()
	defer network.Close()
	shards := manyShards()
	network.Topology(1, shards...)
	for _, shard := range shards {
		network.Node(shard.Nodes[0]).On("GET", value)
	}
	client, err := keyslot.New(b.Context(), keyslot.Options{Endpoints: shards[0].Nodes, Dial: network.Dial, IdleProbe: -1})
	require.NoError(b, err)
	defer client.Close()
	for _, key := range keyOfEach(shards) {
		_, err := client.Get(b.Context(), key)
		require.NoError(b, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		require.Len(b, client.Stats().Nodes, manyNodes)
	}
}
