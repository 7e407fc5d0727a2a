package keyslot

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Replies, built as the codec would hand them over.

func bulk(s string) resp.Value           { return resp.Value{Kind: resp.BulkString, Str: s} }
func number(n int) resp.Value            { return resp.Value{Kind: resp.Integer, Int: int64(n)} }
func list(e ...resp.Value) resp.Value    { return resp.Value{Kind: resp.Array, Elems: e} }
func errorReply(s string) resp.Value     { return resp.Value{Kind: resp.SimpleError, Str: s} }
func mapping(e ...resp.Value) resp.Value { return resp.Value{Kind: resp.Map, Elems: e} }

var null = resp.Value{Kind: resp.Null}

// id makes the 40 hex digits of a node id from its short name.
func id(name string) string { return fmt.Sprintf("%040x", name) }

func infoReply(state string, epoch uint64) resp.Value {
	return bulk(fmt.Sprintf("cluster_state:%s\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:%d\r\n"+
		"cluster_my_epoch:1\r\n", state, epoch))
}

var (
	t0     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	dialed = Node{Host: "192.0.2.9", Port: 6379}
)

func TestParseNodeShapes(t *testing.T) {
	ip, hostname, zone := bulk("ip"), bulk("hostname"), bulk("availability-zone")
	for _, tc := range []struct {
		name     string
		endpoint resp.Value
		port     int
		metadata []resp.Value
		want     Node
	}{
		{"an IP", bulk("10.0.0.1"), 7000, nil, Node{Host: "10.0.0.1", Port: 7000}},
		{"an IP, hostname announced", bulk("10.0.0.1"), 7000, []resp.Value{hostname, bulk("a.example")},
			Node{Host: "10.0.0.1", Port: 7000, Hostname: "a.example"}},
		{"an IP, empty hostname (ElastiCache)", bulk("10.0.0.1"), 7000, []resp.Value{hostname, bulk("")},
			Node{Host: "10.0.0.1", Port: 7000}},
		{"an IPv6", bulk("2001:db8::1"), 7000, nil, Node{Host: "2001:db8::1", Port: 7000}},
		{"empty: the host of the connection", bulk(""), 7000, nil, Node{Host: "192.0.2.9", Port: 7000}},
		{"NULL: the host of the connection", null, 7000, []resp.Value{ip, bulk("10.0.0.1"), hostname, bulk("a.example")},
			Node{Host: "192.0.2.9", Port: 7000, Hostname: "a.example", IP: "10.0.0.1"}},
		{"a hostname", bulk("a.example"), 7000, []resp.Value{ip, bulk("10.0.0.1")},
			Node{Host: "a.example", Port: 7000, IP: "10.0.0.1"}},
		{"a hostname, IP unknown", bulk("a.example"), 7000, []resp.Value{ip, bulk("")}, Node{Host: "a.example", Port: 7000}},
		{"a hostname wanted but not announced", bulk("?"), 7000, []resp.Value{ip, bulk("10.0.0.1")},
			Node{Host: "10.0.0.1", Port: 7000, IP: "10.0.0.1"}},
		{"port 0: the port of the connection", bulk("10.0.0.1"), 0, nil, Node{Host: "10.0.0.1", Port: 6379}},
		{"Valkey 9.1 names the zone, a later server more", bulk("10.0.0.1"), 7000,
			[]resp.Value{bulk("shard"), list(bulk("x")), zone, bulk("use1-az1"), ip, null, hostname, bulk("a.example")},
			Node{Host: "10.0.0.1", Port: 7000, Hostname: "a.example", AZ: "use1-az1"}},
		{"a lone key at the end", bulk("10.0.0.1"), 7000, []resp.Value{hostname}, Node{Host: "10.0.0.1", Port: 7000}},
	} {
		for form, metadata := range map[string]resp.Value{"RESP2": list(tc.metadata...), "RESP3": mapping(tc.metadata...)} {
			t.Run(tc.name+"/"+form, func(t *testing.T) {
				node := list(tc.endpoint, number(tc.port), bulk(id("a")), metadata, bulk("a later server's element"))
				v, err := parseView(infoReply("ok", 6), list(list(number(0), number(16383), node)), dialed, t0)
				require.NoError(t, err)
				tc.want.ID = id("a")
				require.Equal(t, []*Node{&tc.want}, v.nodes)
				require.Equal(t, slotCount, v.covered)
			})
		}
	}
}

func TestParseOldServersWithoutIDOrMetadata(t *testing.T) {
	v, err := parseView(infoReply("ok", 1), list(
		list(number(0), number(8191), list(bulk("10.0.0.1"), number(7000)), list(bulk("10.0.0.2"), number(7000))),
		list(number(8192), number(16383), list(bulk("10.0.0.3"), number(7000), bulk(id("c")))),
	), dialed, t0)
	require.NoError(t, err)
	require.Equal(t, []*Node{
		{Host: "10.0.0.1", Port: 7000}, {Host: "10.0.0.2", Port: 7000}, {ID: id("c"), Host: "10.0.0.3", Port: 7000},
	}, v.nodes)
}

func TestParseJoinsTheRangesOfAShardInAnyOrder(t *testing.T) {
	a, b, r := listed("a"), listed("b"), listed("r")
	v, err := parseView(infoReply("ok", 6), list(
		list(number(12000), number(16383), a, r),
		list(number(0), number(99), a, r),
		list(number(100), number(11999), b),
	), dialed, t0)
	require.NoError(t, err)
	require.Len(t, v.shards, 2)
	require.Len(t, v.nodes, 3)
	require.Equal(t, "b", ownerName(&v.layout, 100))
	require.Equal(t, "a", ownerName(&v.layout, 99))
	require.Equal(t, "a", ownerName(&v.layout, 16383))
	require.Zero(t, v.overlaps)
}

func TestParseTakesANodeThatIsPrimaryHereAndReplicaThere(t *testing.T) {
	v, err := parseView(infoReply("ok", 6), list(
		list(number(0), number(99), listed("a"), listed("b")),
		list(number(100), number(199), listed("b"), listed("a")),
	), dialed, t0)
	require.NoError(t, err)
	require.Len(t, v.nodes, 2)
	require.Equal(t, []shard{{primary: 0, replicas: []int{1}}, {primary: 1, replicas: []int{0}}}, v.shards)
}

func TestParseOverlapLastListedWins(t *testing.T) {
	v, err := parseView(infoReply("ok", 6), list(
		list(number(0), number(99), listed("a")), list(number(90), number(109), listed("b")),
	), dialed, t0)
	require.NoError(t, err)
	require.Equal(t, "b", ownerName(&v.layout, 90))
	require.Equal(t, 10, v.overlaps)
	require.Equal(t, 110, v.covered)
}

func TestParseSkipsANodeWithoutAddressButNotItsShard(t *testing.T) {
	lost := list(bulk("?"), number(7000), bulk(id("lost")), list(bulk("ip"), bulk("")))
	v, err := parseView(infoReply("ok", 6), list(
		list(number(0), number(99), listed("a"), lost, listed("r")),
		list(number(100), number(199), lost, listed("s")),
		list(number(200), number(299), lost, listed("s")),
	), dialed, t0)
	require.NoError(t, err)
	require.Equal(t, 1, v.skipped)
	require.Equal(t, 100, v.covered, "slots without a usable primary do not count")

	s, ok := v.shardOf(0)
	require.True(t, ok)
	require.Equal(t, shard{primary: 0, replicas: []int{1}}, *s)

	s, ok = v.shardOf(250)
	require.True(t, ok, "reads may still go to the replica")
	require.Equal(t, shard{primary: -1, replicas: []int{2}}, *s)
	require.Nil(t, v.primaryOf(250))
	require.Len(t, v.shards, 2, "ranges of one lost primary are one shard")
}

func TestParseInfo(t *testing.T) {
	everything := list(list(number(0), number(16383), listed("a")))
	for _, tc := range []struct {
		name     string
		info     resp.Value
		ok       bool
		epoch    uint64
		hasEpoch bool
	}{
		{"healthy", infoReply("ok", 6), true, 6, true},
		{"verbatim (RESP3)", resp.Value{Kind: resp.Verbatim, Str: infoReply("ok", 6).Str}, true, 6, true},
		{"failing", infoReply("fail", 7), false, 7, true},
		{"refused by an ACL", errorReply("NOPERM this user has no permissions to run the 'cluster|info' command"), true, 0, false},
		{"tells nothing", bulk("cluster_slots_ok:16384\r\n"), true, 0, false},
		{"epoch out of range", bulk("cluster_current_epoch:99999999999999999999\r\n"), true, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := parseView(tc.info, everything, dialed, t0)
			require.NoError(t, err)
			require.Equal(t, tc.ok, v.ok)
			require.Equal(t, tc.epoch, v.epoch)
			require.Equal(t, tc.hasEpoch, v.hasEpoch)
		})
	}
}

func TestParseRefusesNonsense(t *testing.T) {
	a := listed("a")
	rng := func(e ...resp.Value) resp.Value { return list(list(e...)) }
	var ranges, nodes []resp.Value
	for range slotCount + 1 {
		ranges = append(ranges, list(number(0), number(0), a))
	}
	for range 2000 {
		nodes = append(nodes, a)
	}
	all := list(number(0), number(16383), a)
	for name, slots := range map[string]resp.Value{
		"not an array":           bulk("OK"),
		"NULL":                   null,
		"a range that is a map":  list(mapping(number(0), number(1), a)),
		"a range without end":    rng(number(0)),
		"a range of text":        rng(bulk("0"), bulk("1"), a),
		"a range without node":   rng(number(0), number(1)),
		"negative start":         rng(number(-1), number(1), a),
		"end beyond the slots":   rng(number(0), number(16384), a),
		"start behind end":       rng(number(2), number(1), a),
		"a node that is text":    rng(number(0), number(1), bulk("10.0.0.1:7000")),
		"a node without port":    rng(number(0), number(1), list(bulk("10.0.0.1"))),
		"a port of text":         rng(number(0), number(1), list(bulk("10.0.0.1"), bulk("7000"))),
		"a port too high":        rng(number(0), number(1), list(bulk("10.0.0.1"), number(65536))),
		"a negative port":        rng(number(0), number(1), list(bulk("10.0.0.1"), number(-1))),
		"a replica's port":       rng(number(0), number(1), a, list(bulk("10.0.0.1"), number(70000))),
		"a host with a newline":  rng(number(0), number(1), list(bulk("10.0.0.1\r\n"), number(7000), bulk(id("x")))),
		"a host of 1 KiB":        rng(number(0), number(1), list(bulk(strings.Repeat("x", 1024)), number(7000))),
		"an id of 1 KiB":         rng(number(0), number(1), list(bulk("h"), number(7000), bulk(strings.Repeat("x", 1024)))),
		"more ranges than slots": list(ranges...),
		"too many nodes":         rng(append([]resp.Value{number(0), number(1)}, nodes...)...),
		"all slots three times":  list(all, all, all),
		"a standalone server":    errorReply("ERR This instance has cluster support disabled"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseView(infoReply("ok", 6), slots, dialed, t0)
			var wrong *TopologyError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, "192.0.2.9:6379", wrong.Node)
			require.NotEmpty(t, wrong.Reason)
			require.Equal(t, slots.Kind == resp.SimpleError, wrong.Reply != "")
			require.Less(t, len(err.Error()), 400)
		})
	}
	_, err := parseView(number(1), list(all), dialed, t0)
	require.ErrorContains(t, err, "CLUSTER INFO is not a text")
}

// However they are spread over ranges, and whether they can be dialled or not: a reply of 19 MB once made a million nodes.
func TestAMapOfMoreNodesThanAnyClusterHasIsRefused(t *testing.T) {
	for name, host := range map[string]string{"nodes": "10.0.0.1", "without an address": "?"} {
		for _, nodes := range []int{maxNodes, maxNodes + 1} {
			var ranges []resp.Value
			for i := range nodes {
				if i%512 == 0 {
					ranges = append(ranges, list(number(i), number(i)))
				}
				last := &ranges[len(ranges)-1]
				last.Elems = append(last.Elems, list(bulk(host), number(7000), bulk(fmt.Sprint("id", i))))
			}
			v, err := parseView(infoReply("ok", 6), list(ranges...), dialed, t0)
			if nodes > maxNodes {
				require.ErrorAs(t, err, new(*TopologyError), name)
				continue
			}
			require.NoError(t, err, name)
			require.Equal(t, nodes, len(v.nodes)+v.skipped, name)
		}
	}
}

// Few nodes, each a replica of many shards: a reply of 70 MB once made a map of 35.
func TestAMapThatListsItsNodesAsReplicasTooOftenIsRefused(t *testing.T) {
	parse := func(shards, replicas, rangesEach int) error {
		node := func(i int) resp.Value { return list(bulk("10.0.0.1"), number(7000), bulk(fmt.Sprint("id", i))) }
		var ranges []resp.Value
		for i := range shards * rangesEach {
			elems := []resp.Value{number(i), number(i), node(i % shards)}
			for j := range replicas {
				elems = append(elems, node(shards+j))
			}
			ranges = append(ranges, list(elems...))
		}
		_, err := parseView(infoReply("ok", 6), list(ranges...), dialed, t0)
		return err
	}
	require.NoError(t, parse(4, maxNodes/4-8, 1))
	require.NoError(t, parse(4, maxNodes/4-8, 16), "a server repeats them for each range of a shard")
	require.ErrorAs(t, parse(8, maxNodes/4-8, 1), new(*TopologyError))
}

func TestParseIgnoresWhatLaterServersAppendToARange(t *testing.T) {
	v, err := parseView(infoReply("ok", 6), list(
		list(number(0), number(1), listed("a"), mapping(bulk("a"), bulk("b")), list(bulk("a"), bulk("b")), null, number(5)),
	), dialed, t0)
	require.NoError(t, err)
	require.Len(t, v.nodes, 1)
}

func TestParseListsEachReplicaOnce(t *testing.T) {
	v, err := parseView(infoReply("ok", 6), list(
		list(number(0), number(1), listed("a"), listed("r"), listed("a"), listed("r")),
	), dialed, t0)
	require.NoError(t, err)
	require.Equal(t, []shard{{primary: 0, replicas: []int{1}}}, v.shards)
}

func TestParseHoldsNoMemoryOfTheReply(t *testing.T) {
	host := strings.Repeat("h", 8)
	v, err := parseView(infoReply("ok", 6), list(list(number(0), number(1), list(bulk(host), number(1)))), dialed, t0)
	require.NoError(t, err)
	require.NotSame(t, unsafe.StringData(host), unsafe.StringData(v.nodes[0].Host))
}

func TestParseEmptyClusterIsNoError(t *testing.T) {
	v, err := parseView(infoReply("fail", 0), list(), dialed, t0)
	require.NoError(t, err)
	require.Zero(t, v.covered)
	_, ok := v.shardOf(0)
	require.False(t, ok)
}

func TestParseStandInHostKeepsTheNameToVerify(t *testing.T) {
	endpoint := Node{Host: "192.0.2.9", Port: 6379, Hostname: "clustercfg.example"}
	v, err := parseView(infoReply("ok", 6), list(list(number(0), number(1), list(null, number(6380), bulk(id("a"))))), endpoint, t0)
	require.NoError(t, err)
	require.Equal(t, "192.0.2.9:6380", v.nodes[0].Addr())
	require.Equal(t, "clustercfg.example", v.nodes[0].ServerName())
}

func TestParseTellsWhichNodeAnswered(t *testing.T) {
	a := list(bulk("a.example"), number(6379), bulk(id("a")), list(bulk("ip"), bulk("10.0.0.1")))
	b := list(bulk("b.example"), number(6379), bulk(id("b")), list(bulk("ip"), bulk("10.0.0.2")))
	proxied := func(name string) resp.Value { return list(null, number(6379), bulk(id(name))) }
	for _, tc := range []struct {
		name string
		from Node
		a, b resp.Value
		want string
	}{
		{"by its preferred host", Node{Host: "b.example", Port: 6379}, a, b, id("b")},
		{"by its IP", Node{Host: "10.0.0.1", Port: 6379}, a, b, id("a")},
		{"by a name nobody announces", Node{Host: "clustercfg.example", Port: 6379}, a, b, ""},
		{"by an id that moved", Node{ID: id("a"), Host: "10.9.9.9", Port: 6379}, a, b, id("a")},
		{"the address is another node's now", Node{ID: id("a"), Host: "10.0.0.2", Port: 6379}, a, b, id("b")},
		{"the id is no longer listed", Node{ID: id("z"), Host: "10.9.9.9", Port: 6379}, a, b, ""},
		{"all behind one proxy address", Node{ID: id("b"), Host: "192.0.2.9", Port: 6379}, proxied("a"), proxied("b"), id("b")},
		{"all behind one proxy address, id unknown", dialed, proxied("a"), proxied("b"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := parseView(infoReply("ok", 6), list(
				list(number(0), number(8191), tc.a), list(number(8192), number(16383), tc.b)), tc.from, t0)
			require.NoError(t, err)
			require.Equal(t, tc.want, v.fromID)
		})
	}
}

// listed is how CLUSTER SLOTS lists the node of that short name, at the address hostOf(name).
func listed(name string) resp.Value {
	return list(bulk(hostOf(name)), number(6379), bulk(id(name)), list())
}

func hostOf(name string) string { return name + ".example" }

// ownerName returns the short name of the primary that owns slot, "" if nobody does.
func ownerName(l *layout, slot uint16) string {
	n := l.primaryOf(slot)
	if n == nil {
		return ""
	}
	return strings.TrimSuffix(n.Host, ".example")
}

// bigReply is CLUSTER SLOTS of 500 nodes, 84 shards of 6, in so many ranges.
func bigReply(ranges int) resp.Value {
	const shards = 84
	var reply resp.Value
	reply.Kind = resp.Array
	node := func(i int) resp.Value {
		ip := fmt.Sprintf("10.0.%d.%d", i/250, i%250)
		return list(bulk(ip), number(6379), bulk(fmt.Sprintf("%040x", i)),
			list(bulk("hostname"), bulk(fmt.Sprintf("node-%04d.my-cluster.abc123.use1.cache.amazonaws.com", i))))
	}
	for r := range ranges {
		e := []resp.Value{number(r * slotCount / ranges), number((r+1)*slotCount/ranges - 1)}
		for i := range 6 {
			if n := (r%shards)*6 + i; n < 500 {
				e = append(e, node(n))
			}
		}
		reply.Elems = append(reply.Elems, list(e...))
	}
	return reply
}

func TestMapOf500NodesRetainsLittle(t *testing.T) {
	before := heap()
	v, err := parseView(infoReply("ok", 6), bigReply(1000), dialed, t0)
	require.NoError(t, err)
	require.Len(t, v.nodes, 500)
	m, _ := choose(nil, []*view{v}, 1, false, t0)
	v = nil
	retained := heap() - before
	t.Logf("%d bytes", retained)
	require.Less(t, retained, int64(300<<10))
	runtime.KeepAlive(m)
	runtime.KeepAlive(v)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func BenchmarkParse500Nodes(b *testing.B)   { benchmarkParse(b, 84) }
func BenchmarkParseFragmented(b *testing.B) { benchmarkParse(b, slotCount) }

func benchmarkParse(b *testing.B, ranges int) {
	info, slots := infoReply("ok", 6), bigReply(ranges)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseView(info, slots, dialed, t0); err != nil {
			b.Fatal(err)
		}
	}
}
