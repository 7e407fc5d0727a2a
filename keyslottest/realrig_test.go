package keyslottest_test

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	waitLimit = 20 * time.Second
	waitStep  = 5 * time.Millisecond
)

// maskNode replaces what tells a node from others in a reply. A port shows up in redirects, and as a number.
func maskNode(reply, name, addr, id string) string {
	_, port, _ := net.SplitHostPort(addr)
	reply = strings.ReplaceAll(reply, id, "<"+name+"-id>")
	reply = strings.ReplaceAll(reply, addr, "127.0.0.1:<"+name+">")
	return strings.ReplaceAll(reply, ":"+port+"\r\n", ":<"+name+">\r\n")
}

// realRig is six redis-server processes.
type realRig struct {
	t     testing.TB
	nodes map[string]realNode
	swaps int  // failovers so far
	given bool // slot 3300 is at target
}

type realNode struct {
	session
	address, id string
}

// realNames are the nodes in order of creation; each replica follows its primary.
var realNames = []string{"source", "replica", "target", "target-replica", "other", "other-replica"}

func newRealRig(t testing.TB) *realRig {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("skipped: no redis-server in PATH")
	}
	r := &realRig{t: t, nodes: map[string]realNode{}}
	for _, name := range realNames {
		r.nodes[name] = startServer(t, binary)
	}
	for i, name := range []string{"source", "target", "other"} {
		r.nodes[name].want("+OK", fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
		r.nodes[name].want("+OK", fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", (i*16384)/3, (i+1)*16384/3-1))
	}
	for i, name := range realNames {
		n := r.nodes[name]
		if i == 0 {
			continue
		}
		host, port, _ := net.SplitHostPort(n.address)
		r.nodes["source"].want("+OK", "CLUSTER MEET "+host+" "+port)
	}
	for i := 1; i < len(realNames); i += 2 {
		primary, replica := r.nodes[realNames[i-1]], r.nodes[realNames[i]]
		require.Eventually(t, func() bool {
			return strings.HasPrefix(replica.do("CLUSTER REPLICATE "+primary.id), "+OK")
		}, waitLimit, waitStep)
	}
	r.settle()
	return r
}

func startServer(t testing.TB, binary string) realNode {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	require.NoError(t, l.Close())
	p, err := strconv.Atoi(port)
	require.NoError(t, err)
	cmd := exec.Command(binary, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--dir", t.TempDir(),
		"--cluster-node-timeout", "5000", "--save", "", "--cluster-port", strconv.Itoa(busPort(p)),
		"--repl-diskless-sync-delay", "0")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address := "127.0.0.1:" + port
	require.Eventually(t, func() bool {
		nc, err := net.Dial("tcp", address)
		if err == nil {
			nc.Close()
		}
		return err == nil
	}, waitLimit, waitStep)
	n := realNode{session: connect(t, address), address: address}
	n.id = strings.Split(n.do("CLUSTER MYID"), "\r\n")[1]
	return n
}

// busPort keeps the second port of a server inside the legal range.
func busPort(port int) int {
	if port > 55535 {
		return port - 10000
	}
	return port + 10000
}

// settle waits until all nodes see the same healthy cluster and all replicas are in sync.
func (r *realRig) settle() {
	for _, name := range realNames {
		n := r.nodes[name]
		require.Eventually(r.t, func() bool {
			info, slots := n.do("CLUSTER INFO"), r.mask(n.do("CLUSTER SLOTS"))
			return strings.Contains(info, "cluster_state:ok") && slots == r.mask(r.nodes["source"].do("CLUSTER SLOTS")) &&
				strings.Count(slots, "replica-id") == 3 && !strings.Contains(n.do("ROLE"), "connect\r\n")
		}, waitLimit, waitStep, name)
	}
}

func (r *realRig) addr(node string) string { return r.nodes[node].address }

func (r *realRig) mask(reply string) string {
	for name, n := range r.nodes {
		reply = maskNode(reply, name, n.address, n.id)
	}
	return reply
}

func (r *realRig) open() {
	r.nodes["target"].want("+OK", "CLUSTER SETSLOT 3300 IMPORTING "+r.nodes["source"].id)
	r.nodes["source"].want("+OK", "CLUSTER SETSLOT 3300 MIGRATING "+r.nodes["target"].id)
}

func (r *realRig) move(key string) {
	host, port, _ := net.SplitHostPort(r.nodes["target"].address)
	r.nodes["source"].want("+OK", "MIGRATE "+host+" "+port+" "+key+" 0 5000")
}

func (r *realRig) finish() {
	r.give("target")
	r.given = true
}

func (r *realRig) give(owner string) {
	for _, name := range []string{owner, "source", "target", "other"} {
		r.nodes[name].do("CLUSTER SETSLOT 3300 NODE " + r.nodes[owner].id)
	}
	for _, name := range realNames {
		n := r.nodes[name]
		require.Eventually(r.t, func() bool {
			return strings.Contains(n.do("GET b"), r.nodes[owner].address) || name == owner
		}, waitLimit, waitStep, name)
	}
}

func (r *realRig) failover() {
	r.swaps++
	to, from := "replica", "source"
	if r.swaps%2 == 0 {
		to, from = from, to
	}
	// TAKEOVER asks nobody: the others would not vote for two failovers of one shard in a row.
	r.nodes[to].want("+OK", "CLUSTER FAILOVER TAKEOVER")
	for _, name := range realNames {
		n := r.nodes[name]
		require.Eventually(r.t, func() bool {
			return strings.Contains(n.do("GET b"), r.nodes[to].address) || name == to && strings.Contains(n.do("ROLE"), "master")
		}, waitLimit, waitStep, name)
	}
	require.Eventually(r.t, func() bool { return strings.Contains(r.nodes[from].do("ROLE"), "connected\r\n") }, waitLimit, waitStep)
}

func (r *realRig) blocked(n int) { waitBlocked(r.t, r.nodes["source"].address, n) }

func (r *realRig) reset() {
	if r.swaps%2 != 0 {
		r.failover()
	}
	for _, name := range []string{"source", "target", "other"} {
		r.nodes[name].do("CLUSTER SETSLOT 3300 STABLE")
		r.nodes[name].want("+OK", "FLUSHALL")
		r.nodes[name].want("+OK", "SCRIPT FLUSH")
	}
	if r.given {
		r.give("source")
		r.given = false
	}
	r.settle()
}
