package keyslot

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Replies as they stand on the wire.
var wireReplies = []struct{ info, slots string }{
	{ // RESP2, prefers IPs
		"$43\r\ncluster_state:ok\r\ncluster_current_epoch:6\r\n\r\n",
		"*2\r\n*4\r\n:0\r\n:8191\r\n*4\r\n$8\r\n10.0.0.1\r\n:7000\r\n$2\r\nid\r\n*0\r\n*4\r\n$8\r\n10.0.0.2\r\n:7000\r\n$2\r\nrp\r\n*2\r\n$8\r\nhostname\r\n$1\r\nh\r\n" +
			"*3\r\n:8192\r\n:16383\r\n*4\r\n$0\r\n\r\n:0\r\n$1\r\nb\r\n*0\r\n",
	},
	{ // RESP3, unknown-endpoint and ?
		"=20\r\ntxt:cluster_state:ok\r\n",
		"*2\r\n*4\r\n:0\r\n:99\r\n*4\r\n_\r\n:7000\r\n$1\r\na\r\n%2\r\n$2\r\nip\r\n$2\r\n::\r\n$8\r\nhostname\r\n$1\r\nh\r\n*4\r\n$1\r\n?\r\n:1\r\n$1\r\nr\r\n%0\r\n" +
			"*4\r\n:100\r\n:100\r\n*4\r\n$1\r\n?\r\n:1\r\n$1\r\nx\r\n%0\r\n*2\r\n$1\r\nr\r\n:9\r\n",
	},
	{"-NOPERM no\r\n", "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nh\r\n:6379\r\n"},
	{"$0\r\n\r\n", "*2\r\n*3\r\n:0\r\n:10\r\n*2\r\n$1\r\nh\r\n:6379\r\n*3\r\n:5\r\n:15\r\n*2\r\n$1\r\ng\r\n:6379\r\n"},
	{"+x\r\n", "-LOADING Redis is loading the dataset in memory\r\n"},
	{"+x\r\n", "*1\r\n*3\r\n:-1\r\n:16384\r\n*2\r\n$1\r\nh\r\n:65536\r\n"},
	{":1\r\n", "*0\r\n"},
}

// FuzzParseView feeds replies off the wire through parsing, choice, redirects and the public snapshot.
func FuzzParseView(f *testing.F) {
	for _, r := range wireReplies {
		for _, reply := range []string{r.info, r.slots} {
			_, err := resp.Decode([]byte(reply))
			require.NoError(f, err, "%q", reply)
		}
		f.Add([]byte(r.info), []byte(r.slots), uint16(7))
	}
	f.Fuzz(func(t *testing.T, rawInfo, rawSlots []byte, slot uint16) {
		info, err := resp.Decode(rawInfo)
		if err != nil {
			return
		}
		slots, err := resp.Decode(rawSlots)
		if err != nil {
			return
		}
		v, err := parseView(info, slots, dialed, t0)
		if err != nil {
			var wrong *TopologyError
			require.True(t, errors.As(err, &wrong), "%T", err)
			return
		}
		again, err := parseView(info, slots, dialed, t0)
		require.NoError(t, err)
		require.Equal(t, v, again, "the same reply gives the same view")
		checkLayout(t, &v.layout)
		checkMap(t, v, slot%slotCount)
	})
}

// checkMap installs v and lets redirects and a second answer meet it.
func checkMap(t *testing.T, v *view, slot uint16) {
	m, _ := choose(nil, []*view{v}, 1, false, t0)
	require.Equal(t, v.covered > 0, m != nil)
	if m == nil {
		return
	}
	targets := []Node{{Host: "new.example", Port: 1}}
	for _, n := range v.nodes[:min(len(v.nodes), 8)] {
		targets = append(targets, Node{Host: n.Host, Port: n.Port})
	}
	for i, target := range targets {
		m = m.moved(slot, target, t0.Add(time.Duration(i)*time.Second))
		require.True(t, m.primaryOf(slot).is(&target))
		checkLayout(t, &m.layout)
	}
	next, got := choose(m, []*view{v}, 1, false, t0.Add(time.Second))
	require.Equal(t, got >= tookFirst, next != nil)
	if next != nil {
		checkLayout(t, &next.layout)
		m = next
	}
	for _, s := range m.topology(t0).Shards {
		for _, r := range s.Slots {
			require.LessOrEqual(t, r.First, r.Last)
			require.Less(t, r.Last, uint16(slotCount))
		}
	}
}

// checkLayout fails unless every index of l is in range, every node can be dialled, and the count of slots is right.
func checkLayout(t *testing.T, l *layout) {
	t.Helper()
	for _, n := range l.nodes {
		if n.Host == "" || n.Host == "?" || n.Port < 1 || n.Port > 65535 {
			t.Fatalf("node %+v cannot be dialled", n)
		}
	}
	for _, s := range l.shards {
		for _, node := range append([]int{s.primary}, s.replicas...) {
			if node < -1 || node >= len(l.nodes) {
				t.Fatalf("shard %+v of %d nodes", s, len(l.nodes))
			}
		}
	}
	covered := 0
	for slot := range uint16(slotCount) {
		owner := l.owner.of(slot)
		if owner < -1 || int(owner) >= len(l.shards) {
			t.Fatalf("slot %d has owner %d of %d", slot, owner, len(l.shards))
		}
		if l.primaryOf(slot) != nil {
			covered++
		}
	}
	require.Equal(t, covered, l.covered)
}

func TestParseRepliesOffTheWire(t *testing.T) {
	r := wireReplies[0]
	info, err := resp.Decode(fmt.Appendf(nil, "$%d\r\n%s\r\n", len(clusterInfo), clusterInfo))
	require.NoError(t, err)
	slots, err := resp.Decode([]byte(r.slots))
	require.NoError(t, err)
	v, err := parseView(info, slots, dialed, t0)
	require.NoError(t, err)
	require.True(t, v.ok)
	require.EqualValues(t, 6, v.epoch)
	require.Equal(t, []*Node{
		{ID: "id", Host: "10.0.0.1", Port: 7000},
		{ID: "rp", Host: "10.0.0.2", Port: 7000, Hostname: "h"},
		{ID: "b", Host: "192.0.2.9", Port: 6379},
	}, v.nodes)
	require.Equal(t, "b", v.fromID)
}

// clusterInfo is the reply of a redis-server 7.0.15.
const clusterInfo = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\ncluster_slots_pfail:0\r\n" +
	"cluster_slots_fail:0\r\ncluster_known_nodes:6\r\ncluster_size:3\r\ncluster_current_epoch:6\r\ncluster_my_epoch:1\r\n" +
	"cluster_stats_messages_sent:0\r\ntotal_cluster_links_buffer_limit_exceeded:0\r\n"
