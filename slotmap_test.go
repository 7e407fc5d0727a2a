package keyslot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// viewOf writes down a view: "a:0-8191/r1,r2 b:8192-16383", as told by the node of that name.
func viewOf(from, state string, epoch uint64, at time.Duration, shards string) *view {
	v := &view{
		from: Node{ID: id(from), Host: hostOf(from), Port: 6379}, fromID: id(from), at: t0.Add(at),
		ok: state == "ok", epoch: epoch, hasEpoch: true,
	}
	var owner [slotCount]int16
	for i := range owner {
		owner[i] = -1
	}
	index := map[string]int{}
	node := func(name string) int {
		if _, ok := index[name]; !ok {
			index[name] = len(v.nodes)
			v.nodes = append(v.nodes, &Node{ID: id(name), Host: hostOf(name), Port: 6379})
		}
		return index[name]
	}
	for _, text := range strings.Fields(shards) {
		primary, rest, _ := strings.Cut(text, ":")
		ranges, replicas, _ := strings.Cut(rest, "/")
		s := shard{primary: node(primary)}
		for _, name := range strings.FieldsFunc(replicas, func(r rune) bool { return r == ',' }) {
			s.replicas = append(s.replicas, node(name))
		}
		for _, r := range strings.Split(ranges, ",") {
			var first, last int
			if n, _ := fmt.Sscanf(r, "%d-%d", &first, &last); n == 1 {
				last = first
			}
			for slot := first; slot <= last; slot++ {
				owner[slot] = int16(len(v.shards))
			}
		}
		v.shards = append(v.shards, s)
	}
	v.owner = makeOwners(&owner)
	v.count()
	return v
}

// installed is the map made of one healthy answer.
func installed(epoch uint64, shards string) *slotMap {
	m, _ := choose(nil, []*view{viewOf("a", "ok", epoch, 0, shards)}, 1, false, t0)
	return m
}

const (
	twoShards = "a:0-8191/ra b:8192-16383/rb"
	slotA     = 100 // a's in twoShards
)

func nodeNamed(name string) Node { return Node{Host: hostOf(name), Port: 6379} }

func replicaNames(m *slotMap, slot uint16) (names []string) {
	s, ok := m.shardOf(slot)
	if !ok {
		return nil
	}
	for _, r := range s.replicas {
		names = append(names, strings.TrimSuffix(m.nodes[r].Host, ".example"))
	}
	return names
}

func TestMovedGivesOneSlotToAKnownPrimary(t *testing.T) {
	m := installed(6, twoShards)
	next := m.moved(slotA, nodeNamed("b"), t0)
	require.Equal(t, "b", ownerName(&next.layout, slotA))
	require.Equal(t, "a", ownerName(&next.layout, slotA+1))
	require.Equal(t, "a", ownerName(&m.layout, slotA), "the published map does not change")
	require.Len(t, next.nodes, 4)
	require.Equal(t, slotCount, next.covered)
}

func TestMovedChangesNoneOfTheSlotsThatShareAChunk(t *testing.T) {
	m := installed(6, "a:0-5460 b:5461-10922 c:10923-16383")
	chunks := map[any]bool{}
	for _, chunk := range m.owner {
		chunks[chunk] = true
	}
	require.Len(t, chunks, 5) // that of each shard, and those where one shard ends

	next := m.moved(300, nodeNamed("c"), t0)
	for slot := range uint16(slotCount) {
		want := m.primaryOf(slot)
		if slot == 300 {
			want = m.primaryOf(16383)
		}
		require.Same(t, want, next.primaryOf(slot), slot)
	}
}

func TestMovedFindsTheTargetByAnyOfItsNames(t *testing.T) {
	m := installed(6, twoShards)
	m.nodes[m.find(&Node{ID: id("b")})].IP = "10.0.0.2"
	next := m.moved(slotA, Node{Host: "10.0.0.2", Port: 6379}, t0)
	require.Equal(t, "b", ownerName(&next.layout, slotA))
	next = m.moved(slotA, Node{Host: "10.0.0.2", Port: 6380}, t0)
	require.Len(t, next.nodes, 5, "another port is another node")
	m.nodes[m.find(&Node{ID: id("b")})].Hostname = "b.internal"
	next = m.moved(slotA, Node{Host: "b.internal", Port: 6379}, t0)
	require.Equal(t, "b", ownerName(&next.layout, slotA))
}

func TestNodeIdentityIsSymmetric(t *testing.T) {
	announced := &Node{ID: id("a"), Host: "a.example", Port: 6379, IP: "10.0.0.1"}
	for _, tc := range []struct {
		other Node
		same  bool
	}{
		{Node{Host: "10.0.0.1", Port: 6379}, true},
		{Node{ID: id("a"), Host: "10.9.9.9", Port: 7000}, true},
		{Node{ID: id("b"), Host: "a.example", Port: 6379}, false},
		{Node{Host: "10.0.0.1", Port: 7000}, false},
		{Node{Port: 6379}, false},
	} {
		require.Equal(t, tc.same, announced.is(&tc.other), "%+v", tc.other)
		require.Equal(t, tc.same, tc.other.is(announced), "%+v", tc.other)
	}
}

func TestMovedToTheOwnerChangesNothing(t *testing.T) {
	m := installed(6, twoShards)
	require.Same(t, m, m.moved(slotA, nodeNamed("a"), t0))
	require.Same(t, m, m.moved(slotCount, nodeNamed("b"), t0), "no such slot")
}

func TestMovedToAReplicaSwapsTheWholeShard(t *testing.T) {
	m := installed(6, "a:0-8191/r1,r2 b:8192-16383")
	next := m.moved(slotA, nodeNamed("r1"), t0)
	require.Equal(t, "r1", ownerName(&next.layout, slotA))
	require.Equal(t, "r1", ownerName(&next.layout, 8191))
	require.Equal(t, []string{"r2", "a"}, replicaNames(next, slotA))
	require.Equal(t, []string{"r1", "r2"}, replicaNames(m, slotA), "the published map does not change")
	require.Same(t, next, next.moved(slotA+1, nodeNamed("r1"), t0), "the other slots need no redirect")
}

func TestMovedToAReplicaOfAnotherShardMakesItAPrimary(t *testing.T) {
	m := installed(6, twoShards)
	next := m.moved(slotA, nodeNamed("rb"), t0)
	require.Equal(t, "rb", ownerName(&next.layout, slotA))
	require.Equal(t, "b", ownerName(&next.layout, 9000))
	require.Empty(t, replicaNames(next, 9000))
	require.Equal(t, []string{"rb"}, replicaNames(m, 9000), "the published map does not change")
}

func TestMovedToAnUnknownNodeAddsIt(t *testing.T) {
	m := installed(6, "a:0-8191")
	next := m.moved(16000, nodeNamed("new"), t0).moved(16001, nodeNamed("new"), t0)
	require.Equal(t, "new", ownerName(&next.layout, 16001))
	require.Len(t, next.nodes, 2)
	require.Len(t, next.shards, 2)
	require.Equal(t, 8194, next.covered)
}

func TestMovedToTheReplicaOfALostPrimary(t *testing.T) {
	m := installed(6, twoShards)
	m.shards[0].primary = -1
	m.count()
	require.Equal(t, 8192, m.covered)
	next := m.moved(slotA, nodeNamed("ra"), t0)
	require.Equal(t, "ra", ownerName(&next.layout, 0))
	require.Equal(t, slotCount, next.covered)
	require.Empty(t, replicaNames(next, 0))
}

func TestMovedTwiceFromOneMapDoesNotMix(t *testing.T) {
	m := installed(6, twoShards).moved(1, nodeNamed("x"), t0)
	left, right := m.moved(2, nodeNamed("left"), t0), m.moved(3, nodeNamed("right"), t0)
	require.Equal(t, "left", ownerName(&left.layout, 2))
	require.Equal(t, "right", ownerName(&right.layout, 3))
	require.Equal(t, "a", ownerName(&left.layout, 3))
}

// A server that redirects to ever new addresses must not grow the map for ever, nor past its index type.
func TestMovedToEndlessAddressesStaysBounded(t *testing.T) {
	m := installed(6, twoShards)
	for i := range slotCount {
		m.nodes = append(m.nodes, &Node{Host: fmt.Sprintf("old%d", i), Port: 6379})
		m.shards = append(m.shards, shard{primary: len(m.nodes) - 1})
	}
	for i := range 100 {
		m = m.moved(uint16(i), Node{Host: fmt.Sprintf("h%d", i), Port: 6379}, t0)
		require.Equal(t, fmt.Sprintf("h%d", i), m.primaryOf(uint16(i)).Host)
	}
	require.Len(t, m.shards, 102)
	require.Len(t, m.nodes, 104)
	require.Equal(t, "a", ownerName(&m.layout, slotA))
	require.Equal(t, []string{"rb"}, replicaNames(m, 9000))
}

func TestMovedForgetsOldPatches(t *testing.T) {
	m := installed(6, twoShards)
	for i := range 100 {
		m = m.moved(uint16(i), nodeNamed("b"), t0.Add(time.Duration(i)*time.Second))
	}
	require.LessOrEqual(t, len(m.patches), 5)

	back := m.moved(99, nodeNamed("a"), t0.Add(99*time.Second))
	require.Len(t, back.patches, len(m.patches), "one per slot")
}

func TestTopologyIsACopyInSlotOrder(t *testing.T) {
	m := installed(6, "b:8192-16383/rb a:0-99,200-8190/ra").moved(100, nodeNamed("new"), t0)
	top := m.topology(t0.Add(3 * time.Second))
	at := func(name string) Node { return Node{ID: id(name), Host: hostOf(name), Port: 6379} }
	require.Equal(t, Topology{
		Shards: []Shard{
			{Primary: at("a"), Replicas: []Node{at("ra")}, Slots: []SlotRange{{0, 99}, {200, 8190}}},
			{Primary: nodeNamed("new"), Slots: []SlotRange{{100, 100}}},
			{Primary: at("b"), Replicas: []Node{at("rb")}, Slots: []SlotRange{{8192, 16383}}},
		},
		Epoch: 6, Age: 3 * time.Second, Source: "a.example:6379", Covered: 16284,
	}, top)
	top.Shards[0].Replicas[0] = Node{}
	require.Equal(t, []string{"ra"}, replicaNames(m, 0))
}

func TestNodeAddressAndNameToVerify(t *testing.T) {
	require.Equal(t, "[2001:db8::1]:6379", Node{Host: "2001:db8::1", Port: 6379}.Addr())
	require.Equal(t, "10.0.0.1", Node{Host: "10.0.0.1"}.ServerName())
	require.Equal(t, "a.example", Node{Host: "10.0.0.1", Hostname: "a.example"}.ServerName())
}

func BenchmarkMoved500Nodes(b *testing.B) {
	v, err := parseView(infoReply("ok", 6), bigReply(84), dialed, t0)
	require.NoError(b, err)
	m, _ := choose(nil, []*view{v}, 1, false, t0)
	for _, bench := range []struct {
		name   string
		target Node
	}{
		{"primary", Node{Host: "10.0.1.242", Port: 6379}}, // node 492, the 83rd primary
		{"replica", Node{Host: "10.0.0.5", Port: 6379}},
		{"unknown", Node{Host: "10.9.9.9", Port: 6379}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if m.moved(0, bench.target, t0) == m {
					b.Fatal("unchanged")
				}
			}
		})
	}
}
