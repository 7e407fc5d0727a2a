package keyslottest_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/realcluster"
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

// realRig is a cluster of redis-server processes.
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

func newRealRig(t testing.TB) *realRig {
	c := realcluster.Start(t, realcluster.Options{Engine: "redis", Primaries: 3, Replicas: 1})
	r := &realRig{t: t, nodes: map[string]realNode{}}
	for i, name := range []string{"source", "target", "other", "replica", "target-replica", "other-replica"} {
		n := c.Node(i)
		r.nodes[name] = realNode{session: connect(t, n.Addr()), address: n.Addr(), id: n.ID()}
	}
	if info := r.nodes["source"].do("INFO server"); !strings.Contains(info, "redis_version:7.0.") {
		t.Skip("skipped: the situations were recorded on redis-server 7.0, and this is another version")
	}
	return r
}

// settle waits until all nodes see the same healthy cluster and all replicas are in sync.
func (r *realRig) settle() {
	for name, n := range r.nodes {
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
	for name, n := range r.nodes {
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
	for name, n := range r.nodes {
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
