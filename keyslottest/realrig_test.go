package keyslottest_test

import (
	"net"
	"slices"
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

// maskNode replaces what tells a node from others in a reply. A port shows up in redirects, and as a number behind its
// host: elsewhere the same number may be a slot.
func maskNode(reply, name, addr, id string) string {
	host, port, _ := net.SplitHostPort(addr)
	reply = strings.ReplaceAll(reply, id, "<"+name+"-id>")
	reply = strings.ReplaceAll(reply, addr, host+":<"+name+">")
	return strings.ReplaceAll(reply, host+"\r\n:"+port+"\r\n", host+"\r\n:<"+name+">\r\n")
}

func TestAPortIsMaskedAndASlotOfTheSameNumberIsNot(t *testing.T) {
	reply := ":5461\r\n:10921\r\n*4\r\n$9\r\n127.0.0.1\r\n:10921\r\n$2\r\nid\r\n"
	require.Equal(t, ":5461\r\n:10921\r\n*4\r\n$9\r\n127.0.0.1\r\n:<target>\r\n$2\r\n<target-id>\r\n",
		maskNode(reply, "target", "127.0.0.1:10921", "id"))
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
	t.Cleanup(func() {
		if t.Failed() {
			r.logViews()
		}
	})
	r.settle()
	return r
}

// logViews writes down who owns what, and with which epoch, as each node sees it: a wait that never ends is explained there.
func (r *realRig) logViews() {
	for name, n := range r.nodes {
		r.t.Logf("%s sees\n%s", name, r.mask(n.do("CLUSTER NODES")))
	}
}

// settle waits until all nodes see the same healthy cluster and all replicas are in sync.
func (r *realRig) settle() {
	for name, n := range r.nodes {
		require.Eventually(r.t, func() bool {
			info, slots := n.do("CLUSTER INFO"), r.mask(n.do("CLUSTER SLOTS"))
			return strings.Contains(info, "cluster_state:ok") && slots == r.mask(r.nodes["source"].do("CLUSTER SLOTS")) &&
				strings.Count(slots, "replica-id") == 3 && !strings.Contains(n.do("ROLE"), "connect\r\n") &&
				slices.Equal(n.epochs(), r.nodes["source"].epochs())
		}, waitLimit, waitStep, name)
	}
}

// epochs returns the config epoch of every node, as n knows them. A node that is told of a slot's new owner by command
// does not know the owner's new epoch before gossip brings it. If it is the next to take the slot, it picks an epoch
// that is too low, loses the slot again to what the owner claimed before, and deletes the keys.
func (n realNode) epochs() []string {
	var known []string
	for line := range strings.Lines(n.do("CLUSTER NODES")) {
		// id address flags primary ping-sent pong-received epoch link-state slots...
		if f := strings.Fields(line); len(f) > 6 {
			known = append(known, f[0]+" "+f[6])
		}
	}
	slices.Sort(known)
	return known
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
	r.given = true
	r.give("target")
}

// give tells the primaries that slot 3300 is owner's now, and waits until all nodes know, and know its epoch. The owner
// has to be importing the slot, for only then does it raise its epoch: otherwise a claim that the last owner sends
// before it is told wins, the slot is the last owner's again for whoever heard that claim, and as nobody claims the
// slot from then on, it stays so.
func (r *realRig) give(owner string) {
	told := slices.DeleteFunc([]string{"source", "target", "other"}, func(name string) bool { return name == owner })
	for _, name := range append([]string{owner}, told...) { // each once: an owner told again drops who subscribed to the slot's channels
		r.nodes[name].do("CLUSTER SETSLOT 3300 NODE " + r.nodes[owner].id)
	}
	for name, n := range r.nodes {
		require.Eventually(r.t, func() bool {
			knows := strings.Contains(n.do("GET b"), r.nodes[owner].address) || name == owner
			return knows && slices.Equal(n.epochs(), r.nodes[owner].epochs())
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
		r.nodes["source"].want("+OK", "CLUSTER SETSLOT 3300 IMPORTING "+r.nodes["target"].id)
		r.give("source")
		r.given = false
	}
	r.settle()
}
