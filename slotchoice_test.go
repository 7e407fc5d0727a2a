package keyslot

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// afterScaleOut is twoShards once slots 0-4095 have moved to c.
const afterScaleOut = "a:4096-8191/ra b:8192-16383/rb c:0-4095/rc"

// muchLater is when the answers of these tests are judged.
var muchLater = t0.Add(time.Second)

func epochless(v *view) *view {
	v.epoch, v.hasEpoch = 0, false
	return v
}

// viaEndpoint is an answer of a node that was asked by the configuration endpoint's name.
func viaEndpoint(v *view) *view {
	v.from = Node{Host: "clustercfg.example", Port: 6379}
	return v
}

// situation is one refresh: the installed map, the answers, and which of them must win.
type situation struct {
	name        string
	old         *slotMap
	views       []*view
	asked       int // 0: those that answered
	unreachable bool
	want        choiceReason
	owner       string // of slotA afterwards
}

func sees(from, state string, epoch uint64, shards string) *view {
	return viewOf(from, state, epoch, time.Second, shards)
}

func decide(t *testing.T, situations []situation) {
	for _, tc := range situations {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 {
				next, got := choose(tc.old, tc.views, tc.asked, tc.unreachable, muchLater)
				require.Equal(t, tc.want.String(), got.String())
				require.Equal(t, got >= tookFirst, next != nil)
				if next == nil {
					next = tc.old
				}
				if next != nil {
					require.Equal(t, tc.owner, ownerName(&next.layout, slotA))
				}
				slices.Reverse(tc.views) // answers come in any order
			}
		})
	}
}

func TestFirstMap(t *testing.T) {
	decide(t, []situation{
		{name: "partly covered",
			views: []*view{sees("a", "ok", 6, "a:0-8191")}, want: tookFirst, owner: "a"},
		{name: "the newest of two",
			views: []*view{sees("a", "ok", 6, twoShards), sees("c", "ok", 7, afterScaleOut)},
			want:  tookFirst, owner: "c"},
		{name: "from a node that is cut off, if there is no other",
			views: []*view{sees("a", "fail", 6, twoShards)}, want: tookFirst, owner: "a"},
		{name: "not from a node that is cut off",
			views: []*view{sees("a", "fail", 9, twoShards), sees("c", "ok", 7, afterScaleOut)},
			want:  tookFirst, owner: "c"},
		{name: "with an epoch rather than without",
			views: []*view{epochless(sees("a", "ok", 0, twoShards)), sees("c", "ok", 0, "c:0-8191")},
			want:  tookFirst, owner: "c"},
		{name: "the one that covers more",
			views: []*view{sees("a", "ok", 6, "a:0-8191/r1,r2,r3"), sees("c", "ok", 6, "c:0-8192")},
			want:  tookFirst, owner: "c"},
		{name: "the one two agree on",
			views: []*view{sees("a", "ok", 6, twoShards), sees("x", "ok", 6, "x:0-16383/a,b,ra,rb,y"),
				sees("b", "ok", 6, twoShards)},
			want: tookFirst, owner: "a"},
		{name: "the more recent",
			views: []*view{viewOf("c", "ok", 6, 2*time.Second, "c:0-16383"), sees("a", "ok", 6, "a:0-16383")},
			want:  tookFirst, owner: "c"},
		{name: "an empty cluster is none", views: []*view{sees("a", "fail", 0, "")}, want: keptNoAnswer},
		{name: "nobody answered", asked: 3, want: keptNoAnswer},
	})
}

func TestEpochsOrderMaps(t *testing.T) {
	decide(t, []situation{
		{name: "newer epoch", old: installed(6, twoShards),
			views: []*view{sees("c", "ok", 7, afterScaleOut)}, want: tookNewer, owner: "c"},
		{name: "newer epoch, against two that have not heard of it", old: installed(6, twoShards),
			views: []*view{sees("a", "ok", 6, twoShards), sees("b", "ok", 6, twoShards),
				sees("c", "ok", 7, afterScaleOut)},
			want: tookNewer, owner: "c"},
		{name: "older epoch from one node", old: installed(7, afterScaleOut),
			views: []*view{sees("a", "ok", 6, twoShards)}, asked: 1, want: keptOlder, owner: "c"},
		{name: "older epoch from two of three", old: installed(7, afterScaleOut),
			views: []*view{sees("a", "ok", 6, twoShards), sees("b", "ok", 6, twoShards)},
			asked: 3, want: keptOlder, owner: "c"},
		{name: "older epoch, one node asked twice is no agreement", old: installed(7, afterScaleOut),
			views: []*view{sees("a", "ok", 6, twoShards), viaEndpoint(sees("a", "ok", 6, twoShards))},
			asked: 2, want: keptOlder, owner: "c"},
		{name: "restored from a backup: older epoch, all asked agree", old: installed(7, afterScaleOut),
			views: []*view{sees("a", "ok", 2, twoShards), sees("b", "ok", 2, twoShards)},
			asked: 2, want: tookOlder, owner: "a"},
		{name: "restored from a backup: older epoch, nobody else is left", old: installed(7, afterScaleOut),
			views: []*view{viaEndpoint(sees("a", "ok", 2, twoShards))},
			asked: 4, unreachable: true, want: tookOlder, owner: "a"},
	})
}

func TestOneEpochTwoTruths(t *testing.T) {
	decide(t, []situation{
		{name: "scale-out at one epoch", old: installed(6, twoShards),
			views: []*view{sees("c", "ok", 6, afterScaleOut)}, want: tookEqual, owner: "c"},
		{name: "a lying node, against two", old: installed(6, twoShards),
			views: []*view{sees("x", "ok", 6, "x:0-16383/a,b,ra,rb,y"), sees("a", "ok", 6, twoShards),
				sees("b", "ok", 6, twoShards)},
			want: tookEqual, owner: "a"},
		{name: "a lying node, against one that confirms the map", old: installed(6, twoShards),
			views: []*view{sees("x", "ok", 6, "x:0-16383/a,b,ra,rb,y"), sees("a", "ok", 6, twoShards)},
			want:  tookEqual, owner: "a"},
		{name: "a lying node that hides slots", old: installed(6, twoShards),
			views: []*view{sees("a", "ok", 9, "a:0-99")}, asked: 3, want: keptFewerSlots, owner: "a"},
		{name: "a lying node that hides slots, and an honest one", old: installed(6, twoShards),
			views: []*view{sees("b", "ok", 9, "b:0-8191"), sees("c", "ok", 7, afterScaleOut)},
			asked: 3, want: tookNewer, owner: "c"},
		{name: "a lying node cannot lock the map with a high epoch", old: installed(1<<40, "x:0-16383/a,b,ra,rb,y"),
			views: []*view{sees("a", "ok", 6, twoShards), sees("b", "ok", 6, twoShards)},
			asked: 2, want: tookOlder, owner: "a"},
	})
}

func TestPartition(t *testing.T) {
	decide(t, []situation{
		{name: "a minority node, newer epoch by its futile elections", old: installed(6, twoShards),
			views: []*view{sees("a", "fail", 9, twoShards), sees("c", "ok", 7, afterScaleOut)},
			want:  tookNewer, owner: "c"},
		{name: "a minority node alone", old: installed(6, afterScaleOut),
			views: []*view{sees("a", "fail", 9, twoShards)}, asked: 3, want: keptFailing, owner: "c"},
		{name: "a cluster that is down for good still changes", old: installed(6, twoShards),
			views: []*view{sees("a", "fail", 7, afterScaleOut), sees("b", "fail", 7, afterScaleOut)},
			asked: 3, want: tookNewer, owner: "c"},
	})
}

func TestCoverage(t *testing.T) {
	decide(t, []situation{
		{name: "fewer slots, confirmed", old: installed(6, twoShards),
			views: []*view{sees("a", "ok", 7, "a:0-8191"), sees("ra", "ok", 7, "a:0-8191")},
			asked: 3, want: tookNewer, owner: "a"},
		{name: "fewer slots, two that differ", old: installed(6, twoShards),
			views: []*view{sees("a", "ok", 7, "a:0-8191"), sees("b", "ok", 7, "b:8192-16383")},
			want:  keptFewerSlots, owner: "a"},
		{name: "never empty", old: installed(6, twoShards),
			views: []*view{sees("a", "ok", 7, ""), sees("b", "ok", 7, "")}, unreachable: true,
			want: keptNoAnswer, owner: "a"},
		{name: "fewer slots, but of the old map nobody is left", old: installed(6, twoShards),
			views: []*view{viaEndpoint(sees("ra", "ok", 7, "ra:0-8191"))},
			asked: 5, unreachable: true, want: tookNewer, owner: "ra"},
		{name: "more slots", old: installed(6, "b:8192-16383"),
			views: []*view{sees("a", "ok", 6, twoShards)}, want: tookEqual, owner: "a"},
		{name: "a single node that loses slots has only one voice", old: installed(6, "a:0-16383"),
			views: []*view{sees("a", "ok", 6, "a:0-8191")}, asked: 1, want: tookEqual, owner: "a"},
		{name: "a node that forgot its cluster is no single-node cluster", old: installed(6, twoShards),
			views: []*view{sees("b", "ok", 9, "b:8192-16383")}, asked: 1, want: keptFewerSlots, owner: "a"},
	})
}

func TestAnotherCluster(t *testing.T) {
	decide(t, []situation{
		{name: "rebuilt behind the same name", old: installed(7, twoShards),
			views: []*view{viaEndpoint(sees("n", "ok", 1, "n:0-8191 m:8192-16383"))},
			asked: 4, want: tookStranger, owner: "n"},
		{name: "rebuilt in place: the same addresses under new ids", old: installed(7, twoShards),
			views: []*view{sees("n", "ok", 1, "n:0-8191 m:8192-16383"), sees("m", "ok", 1, "n:0-8191 m:8192-16383")},
			asked: 3, want: tookStranger, owner: "n"},
		{name: "rebuilt behind the same name, as a single node", old: installed(7, "a:0-16383"),
			views: []*view{viaEndpoint(sees("n", "ok", 1, "n:0-16383"))}, asked: 2, want: tookStranger, owner: "n"},
		{name: "an address of ours, now another cluster's, while ours answers", old: installed(6, twoShards),
			views: []*view{sees("n", "ok", 99, "n:0-16383"), sees("b", "ok", 6, twoShards)},
			want:  tookEqual, owner: "a"},
		{name: "the endpoint leads to another cluster while ours is healthy", old: installed(6, twoShards),
			views: []*view{viaEndpoint(sees("n", "ok", 99, "n:0-16383")), sees("b", "ok", 6, twoShards)},
			want:  tookEqual, owner: "a"},
		{name: "the endpoint leads to another cluster while ours is torn down", old: installed(6, twoShards),
			views: []*view{viaEndpoint(sees("n", "ok", 1, "n:0-16383")), sees("b", "fail", 6, twoShards)},
			want:  tookStranger, owner: "n"},
		{name: "an address of ours, now another cluster's, alone", old: installed(6, twoShards),
			views: []*view{sees("n", "ok", 99, "n:0-16383")}, asked: 3, want: keptForeign, owner: "a"},
	})
}

func TestNoEpochOrAlwaysTheSame(t *testing.T) {
	decide(t, []situation{
		{name: "constant epoch", old: installed(0, "a:0-16383/ra"),
			views: []*view{sees("a", "ok", 0, "a:0-16383/ra")}, asked: 1, want: tookEqual, owner: "a"},
		{name: "no epoch, one endpoint", old: firstOf(epochless(sees("a", "ok", 0, "a:0-16383/ra"))),
			views: []*view{epochless(sees("a", "ok", 0, "b:0-16383/ra"))}, asked: 1, want: tookEqual, owner: "b"},
		{name: "no epoch, agreement ranks before coverage", old: firstOf(epochless(sees("a", "ok", 0, "a:0-8191/ra"))),
			views: []*view{epochless(sees("x", "ok", 0, "x:0-16383/a")),
				epochless(sees("a", "ok", 0, "b:0-8191/ra")), epochless(sees("ra", "ok", 0, "b:0-8191/ra"))},
			want: tookEqual, owner: "b"},
		{name: "an epoch is better than none", old: firstOf(epochless(sees("a", "ok", 0, twoShards))),
			views: []*view{sees("c", "ok", 0, afterScaleOut)}, want: tookNewer, owner: "c"},
		{name: "CLUSTER INFO refused by one node", old: installed(6, twoShards),
			views: []*view{epochless(sees("c", "ok", 0, afterScaleOut))}, asked: 3, want: keptUnordered, owner: "a"},
		{name: "CLUSTER INFO refused from now on", old: installed(6, twoShards),
			views: []*view{epochless(sees("c", "ok", 0, afterScaleOut)),
				epochless(sees("a", "ok", 0, afterScaleOut))},
			want: tookEqual, owner: "c"},
	})
}

func firstOf(v *view) *slotMap {
	m, _ := choose(nil, []*view{v}, 1, false, v.at)
	return m
}

func TestChosenMapTellsWhereItIsFrom(t *testing.T) {
	m, _ := choose(installed(6, twoShards), []*view{viewOf("c", "ok", 7, time.Second, afterScaleOut)}, 1, false, muchLater)
	top := m.topology(t0.Add(4 * time.Second))
	require.Equal(t, "c.example:6379", top.Source)
	require.EqualValues(t, 7, top.Epoch)
	require.Equal(t, 3*time.Second, top.Age)
}

func TestMapKeepsItsEpochWhenTheAnswerHasNone(t *testing.T) {
	views := []*view{epochless(viewOf("a", "ok", 0, 0, afterScaleOut)), epochless(viewOf("b", "ok", 0, 0, afterScaleOut))}
	m, _ := choose(installed(6, twoShards), views, 2, false, t0)
	next, got := choose(m, []*view{viewOf("a", "ok", 5, 0, twoShards)}, 2, false, t0)
	require.Nil(t, next)
	require.Equal(t, keptOlder, got)
}

// What a MOVED said is kept at the same epoch until its owner, two nodes or five seconds say otherwise.
func TestPatchedSlotAtTheSameEpoch(t *testing.T) {
	const moved, asked, before = 1 * time.Second, 2 * time.Second, 500 * time.Millisecond
	for _, tc := range []struct {
		name  string
		views []*view
		now   time.Duration
		owner string
	}{
		{"one node has not heard of it", []*view{viewOf("b", "ok", 6, asked, twoShards)}, asked, "c"},
		{"the old owner has not either", []*view{viewOf("a", "ok", 6, asked, twoShards)}, asked, "c"},
		{"two nodes deny it",
			[]*view{viewOf("a", "ok", 6, asked, twoShards), viewOf("b", "ok", 6, asked, twoShards)}, asked, "a"},
		{"two answers of one node",
			[]*view{viewOf("b", "ok", 6, asked, twoShards), viaEndpoint(viewOf("b", "ok", 6, asked, twoShards))}, asked, "c"},
		{"two nodes that were asked before",
			[]*view{viewOf("a", "ok", 6, before, twoShards), viewOf("b", "ok", 6, before, twoShards)}, asked, "c"},
		{"its owner denies it", []*view{viewOf("c", "ok", 6, asked, twoShards)}, asked, "a"},
		{"its owner was asked before", []*view{viewOf("c", "ok", 6, before, twoShards)}, asked, "c"},
		{"five seconds passed", []*view{viewOf("b", "ok", 6, moved+patchLife, twoShards)}, moved + patchLife, "a"},
		{"a newer epoch", []*view{viewOf("b", "ok", 7, asked, twoShards)}, asked, "a"},
		{"one node confirms it",
			[]*view{viewOf("c", "ok", 6, asked, "a:0-99,101-8191/ra b:8192-16383/rb c:100")}, asked, "c"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := installed(6, twoShards).moved(slotA, nodeNamed("c"), t0.Add(moved))
			next, _ := choose(m, tc.views, len(tc.views), false, t0.Add(tc.now))
			require.NotNil(t, next)
			require.Equal(t, tc.owner, ownerName(&next.layout, slotA))
			require.Equal(t, "a", ownerName(&next.layout, slotA+1))
			require.Equal(t, slotCount, next.covered)
		})
	}
}

func TestPatchSurvivesSeveralRefreshesButNotForEver(t *testing.T) {
	m := installed(6, twoShards).moved(slotA, nodeNamed("c"), t0)
	for at := time.Duration(0); at < patchLife; at += time.Second {
		m, _ = choose(m, []*view{viewOf("b", "ok", 6, at, twoShards)}, 1, false, t0.Add(at))
		require.Equal(t, "c", ownerName(&m.layout, slotA), "after %s", at)
	}
	m, _ = choose(m, []*view{viewOf("b", "ok", 6, patchLife, twoShards)}, 1, false, t0.Add(patchLife))
	require.Equal(t, "a", ownerName(&m.layout, slotA))
	require.Empty(t, m.patches)
}

func TestFailoverHeardFromARedirectSurvivesAStaleAnswer(t *testing.T) {
	m := installed(6, twoShards).moved(slotA, nodeNamed("ra"), t0)
	next, _ := choose(m, []*view{viewOf("b", "ok", 6, time.Second, twoShards)}, 1, false, muchLater)
	require.Equal(t, "ra", ownerName(&next.layout, slotA))
	require.Equal(t, "ra", ownerName(&next.layout, 0), "the whole shard")
	require.Equal(t, []string{"a"}, replicaNames(next, slotA))
}

func TestRedirectTargetGetsItsIDFromTheNextAnswer(t *testing.T) {
	m := installed(6, twoShards).moved(slotA, nodeNamed("c"), t0)
	require.Empty(t, m.primaryOf(slotA).ID)
	next, _ := choose(m, []*view{viewOf("b", "ok", 6, time.Second, "a:0-8191/ra b:8192-16383/rb c:200")}, 1, false, muchLater)
	require.Equal(t, id("c"), next.primaryOf(slotA).ID)
	require.Len(t, next.nodes, 5, "it is not listed twice")
}

func TestNodeKeepsItsIdentityAtANewAddress(t *testing.T) {
	m := installed(6, twoShards).moved(slotA, nodeNamed("b"), t0)
	v := viewOf("a", "ok", 6, time.Second, twoShards)
	v.nodes[v.find(&Node{ID: id("b")})].Host = "10.9.9.9"
	next, _ := choose(m, []*view{v}, 1, false, muchLater)
	require.Equal(t, "10.9.9.9:6379", next.primaryOf(slotA).Addr(), "the patch follows the node")
	require.Len(t, next.nodes, 4)
}

func TestAddressTakenOverByAnotherIDIsAnotherNode(t *testing.T) {
	v, o := viewOf("a", "ok", 6, 0, twoShards), viewOf("b", "ok", 6, 0, twoShards)
	require.True(t, v.agrees(&o.layout))
	o.nodes[0].ID = id("z")
	require.False(t, v.agrees(&o.layout))
	require.Equal(t, -1, o.find(v.nodes[0]))
	require.Equal(t, 0, o.find(&Node{Host: "a.example", Port: 6379}), "without an id the address decides")
}

func TestLoadingNodeListsNoReplicas(t *testing.T) {
	const bare = "a:0-8191 b:8192-16383"
	m := installed(6, twoShards)
	loading := func(from string, at time.Duration) *view { return viewOf(from, "ok", 6, at, bare) }

	next, _ := choose(nil, []*view{loading("a", time.Second), viewOf("b", "ok", 6, 0, twoShards)}, 2, false, muchLater)
	require.Equal(t, []string{"ra"}, replicaNames(next, slotA), "the answer with replicas is preferred")

	next, _ = choose(m, []*view{loading("a", time.Second)}, 1, false, muchLater)
	require.Equal(t, []string{"ra"}, replicaNames(next, slotA), "one answer does not erase them")
	require.Equal(t, []string{"rb"}, replicaNames(next, 9000))

	gone, _ := choose(next, []*view{loading("a", 2*time.Second), loading("b", 2*time.Second)}, 2, false, t0.Add(2*time.Second))
	require.Empty(t, replicaNames(gone, slotA), "two do")

	gone, _ = choose(next, []*view{loading("a", replicaMemory)}, 1, false, t0.Add(replicaMemory))
	require.Empty(t, replicaNames(gone, slotA), "and so does a minute")

	failedOver, _ := choose(m, []*view{viewOf("b", "ok", 7, time.Second, "ra:0-8191 b:8192-16383")}, 1, false, muchLater)
	require.Empty(t, replicaNames(failedOver, slotA), "a promoted replica is nobody's replica")
	require.Equal(t, []string{"rb"}, replicaNames(failedOver, 9000))
}

func TestReplicaThatLeadsAShardByNowIsNotKeptAsReplica(t *testing.T) {
	m := installed(6, twoShards)
	next, _ := choose(m, []*view{viewOf("a", "ok", 7, time.Second, "a:0-99 ra:100-8191 b:8192-16383")}, 1, false, muchLater)
	require.Empty(t, replicaNames(next, 0))
	require.Equal(t, []string{"rb"}, replicaNames(next, 9000))
}

func TestReplicaThatVanishedIsBelieved(t *testing.T) {
	m := installed(6, "a:0-8191/r1,r2 b:8192-16383/rb")
	next, _ := choose(m, []*view{viewOf("b", "ok", 6, time.Second, "a:0-8191/r1 b:8192-16383/rb")}, 1, false, muchLater)
	require.Equal(t, []string{"r1"}, replicaNames(next, slotA))
}

func TestChooseChangesNeitherMapNorViews(t *testing.T) {
	m := installed(6, twoShards).moved(slotA, nodeNamed("c"), t0)
	v := viewOf("b", "ok", 6, time.Second, "a:0-8191 b:8192-16383")
	next, _ := choose(m, []*view{v}, 1, false, muchLater)
	require.Equal(t, "c", ownerName(&next.layout, slotA))
	require.Equal(t, "a", ownerName(&v.layout, slotA))
	require.Len(t, v.nodes, 2)
	require.Zero(t, v.replicas())
	require.Equal(t, []string{"ra"}, replicaNames(m, 0))
}

func BenchmarkChoose500Nodes(b *testing.B) {
	var views []*view
	for range 3 {
		v, err := parseView(infoReply("ok", 6), bigReply(84), dialed, t0)
		require.NoError(b, err)
		views = append(views, v)
	}
	m, _ := choose(nil, views, 3, false, t0)
	b.ReportAllocs()
	for b.Loop() {
		choose(m, views, 3, false, t0)
	}
}
