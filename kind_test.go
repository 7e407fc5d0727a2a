package keyslot

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestServerlessCachesAreKnownByTheirNames(t *testing.T) {
	for name, want := range map[string]bool{
		"orders-abc123.serverless.use1.cache.amazonaws.com":     true,
		"Orders-ABC123.Serverless.APNE1.cache.amazonaws.com.":   true,
		"orders.serverless.usgw1.cache.amazonaws.com":           true,
		"orders.serverless.cnnw1.cache.amazonaws.com.cn":        true,
		"serverless.use1.cache.amazonaws.com":                   false,
		".serverless.use1.cache.amazonaws.com":                  false,
		"orders.serverless.cache.amazonaws.com":                 false,
		"orders.serverless.us-east-1.cache.amazonaws.com":       false,
		"orders.serverless.use1.cache.amazonaws.com.evil.test":  false,
		"a.orders.serverless.use1.cache.amazonaws.com":          false,
		"clustercfg.serverless.abc123.use1.cache.amazonaws.com": false,
		"orders.serverless.use1.example.com":                    false,
		"10.0.0.1":                                              false,
	} {
		require.Equal(t, want, isServerlessName(name), name)
	}
}

func TestServerlessCachesAreKnownByTheShapeOfTheirMap(t *testing.T) {
	const host = "orders-abc123.serverless.use1.cache.amazonaws.com"
	shape := func(change func(v *view)) *view {
		v := viewOf("a", "ok", 1, 0, "a:0-16383/ra")
		*v.nodes[0], *v.nodes[1] = Node{ID: id("a"), Host: host, Port: 6379}, Node{ID: id("b"), Host: host, Port: 6380}
		change(v)
		return v
	}
	require.True(t, shape(func(*view) {}).isServerless())
	for why, change := range map[string]func(*view){
		"another name":            func(v *view) { v.nodes[1].Host = "x" + host },
		"another name as IP":      func(v *view) { v.nodes[0].Host = "10.0.0.1" },
		"other ports":             func(v *view) { v.nodes[0].Port = 6378 },
		"the reader as primary":   func(v *view) { v.nodes[0].Port, v.nodes[1].Port = 6380, 6379 },
		"not all slots":           func(v *view) { v.covered-- },
		"a primary that has none": func(v *view) { v.shards[0].primary = -1 },
	} {
		require.False(t, shape(change).isServerless(), why)
	}
	v := shape(func(v *view) { v.nodes[0].Host, v.nodes[0].Hostname, v.nodes[0].IP = "10.0.0.1", host, "10.0.0.1" })
	require.True(t, v.isServerless())
	v.hideBackends()
	require.Equal(t, Node{Host: host, Port: 6379}, *v.nodes[0], "what is dialled is the name")
}

// saysOf is what a server without cluster mode says of itself.
func saysOf(name string, r role) *view {
	return statement(nodeNamed(name), t0.Add(time.Second), r)
}

// groupView is what a client makes of that.
func groupView(name string) *view {
	v := viewOf(name, "ok", 0, time.Second, name+":0-16383")
	*v.nodes[0] = nodeNamed(name)
	v.kind, v.hasEpoch, v.from, v.fromID = standalone, false, nodeNamed(name), ""
	return v
}

func TestOneConfusedNodeSwitchesNoClusterOff(t *testing.T) {
	const oneShard = "a:0-16383/ra,rb"
	confused, another, third := saysOf("ra", role{}), saysOf("a", role{}), saysOf("rb", role{})
	undisputed := groupView("p")
	undisputed.undisputed = true
	decide(t, []situation{
		{name: "others still know of the cluster", old: installed(6, oneShard), asked: 4,
			views: []*view{confused, another, groupView("p"), sees("rb", "ok", 6, oneShard)}, want: tookEqual, owner: "a"},
		{name: "others are silent", old: installed(6, oneShard), asked: 5,
			views: []*view{confused, groupView("p")}, want: keptKind, owner: "a"},
		{name: "half of a single shard says so, while its primary is slow to answer", old: installed(6, oneShard), asked: 4,
			views: []*view{confused, groupView("p")}, want: keptKind, owner: "a"},
		{name: "half of a single shard says so, its primary among them", old: installed(6, oneShard), asked: 4,
			views: []*view{another, groupView("p")}, want: tookKind, owner: "p"},
		{name: "half of a single shard says so, and all behind the endpoints", old: installed(6, oneShard), asked: 4,
			views: []*view{confused, undisputed}, want: tookKind, owner: "p"},
		{name: "all say so", old: installed(6, oneShard), asked: 4,
			views: []*view{confused, another, third, groupView("p")}, want: tookKind, owner: "p"},
		{name: "half of two shards says so", old: installed(6, twoShards), asked: 5,
			views: []*view{confused, another, third, groupView("p")}, want: keptKind, owner: "a"},
		{name: "all of two shards say so", old: installed(6, twoShards), asked: 5,
			views: []*view{confused, another, third, saysOf("b", role{}), groupView("p")}, want: tookKind, owner: "p"},
		{name: "nobody is left but the endpoint", old: installed(6, twoShards), asked: 5, unreachable: true,
			views: []*view{groupView("p")}, want: tookKind, owner: "p"},
	})
}

func TestOneConfusedNodeMakesNoCluster(t *testing.T) {
	old, _ := choose(nil, []*view{groupView("a")}, 1, false, t0)
	decide(t, []situation{
		{name: "the primary tells of a cluster", old: old, asked: 3,
			views: []*view{sees("a", "ok", 1, "a:0-16383/ra"), saysOf("ra", role{})}, want: tookKind, owner: "a"},
		{name: "of one that does not serve yet", old: old, asked: 1,
			views: []*view{sees("a", "fail", 1, "a:0-16383/ra")}, want: keptKind, owner: "a"},
		{name: "of one with a hole", old: old, asked: 1,
			views: []*view{sees("a", "ok", 1, "a:0-16382/ra")}, want: keptKind, owner: "a"},
		{name: "another node tells of one", old: old, asked: 3,
			views: []*view{sees("x", "ok", 1, "x:0-16383"), groupView("a")}, want: tookEqual, owner: "a"},
		{name: "another node tells of one, and the primary is silent", old: old, asked: 3,
			views: []*view{sees("x", "ok", 1, "x:0-16383")}, want: keptKind, owner: "a"},
		{name: "so do most", old: old, asked: 3,
			views: []*view{sees("x", "ok", 1, "x:0-16383/y"), sees("y", "ok", 1, "x:0-16383/y")}, want: tookKind, owner: "x"},
	})
}

func TestTheReaderOfAServerlessCacheLeadsNothing(t *testing.T) {
	old := installed(1, "a:0-16383/ra")
	old.kind = serverless
	backend := sees("x", "ok", 9, "x:0-16383")
	backend.nodes[0].Port, backend.from.ID, backend.fromID = serverlessReaderPort, "", ""
	decide(t, []situation{
		{name: "by whatever name", old: old, views: []*view{backend}, want: keptReader, owner: "a"},
		{name: "whatever the epoch", old: old, views: []*view{sees("a", "ok", 9, "ra:0-16383/a")}, want: keptReader, owner: "a"},
		{name: "whoever agrees", old: old, asked: 2,
			views: []*view{sees("a", "ok", 9, "ra:0-16383/a"), sees("ra", "ok", 9, "ra:0-16383/a")}, want: keptReader, owner: "a"},
	})
}

func TestOfTwoPrimariesTheOneWithReplicasLeads(t *testing.T) {
	old, _ := choose(nil, []*view{groupView("a")}, 1, false, t0)
	follows := saysOf("c", role{known: true})
	for name, test := range map[string]struct {
		a, b role
		old  *slotMap
		want string
	}{
		"one that was restarted by itself": {role{true, true, 0, 9}, role{true, true, 1, 5}, old, "b"},
		"the one in use":                   {role{true, true, 0, 1}, role{true, true, 0, 5}, old, "a"},
		"at the start, the longer history": {role{true, true, 0, 1}, role{true, true, 0, 5}, nil, "b"},
		"the only one":                     {role{known: true}, role{true, true, 0, 0}, old, "b"},
		"one that says nothing is none":    {role{}, role{true, true, 0, 0}, old, "b"},
		"none":                             {role{known: true}, role{known: true}, old, ""},
	} {
		got := ""
		if leader := elect([]*view{saysOf("a", test.a), follows, saysOf("b", test.b)}, test.old); leader != nil {
			got = leader.from.Host[:1]
		}
		require.Equal(t, test.want, got, name)
	}
	require.NotNil(t, elect([]*view{saysOf("a", role{})}, nil), "the only server, which tells nothing of itself")
}

func TestNoRedirectChangesAMapInWhichNoSlotMoves(t *testing.T) {
	for _, k := range []kind{standalone, serverless} {
		m := installed(1, "a:0-16383/ra")
		m.kind = k
		c, primary := new(core), new(node)
		c.routes.Store(&routes{slotMap: m, nodes: []*node{primary, new(node)}})
		require.Same(t, primary, c.movedTo(slotA, nodeNamed("ra")), "who was asked before the kind changed comes too late")
		require.Same(t, m, c.routes.Load().slotMap)
	}
}
