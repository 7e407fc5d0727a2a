package differential_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/differential"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// rounds are how often each command is run with each protocol, on each engine, each time with other arguments.
const rounds = 40

// fewest is how often each option must have been given in all.
const fewest = 3

// often makes a server look every 2 ms, in place of every 100, whether a blocking command's timeout has passed.
const often = "hz 500"

// unexercised says why a method is not run.
var unexercised = map[string]string{
	"ACLDelUser": "alters ACLs", "ACLSetUser": "alters ACLs",
	"ConfigRewrite": "alters the configuration", "ConfigSet": "alters the configuration",
}

// loose are methods whose reply depends on the server's own memory, or on what a cluster denies (SORT with BY turns a
// sorted set into another encoding): it is read, but not compared.
var loose = words(`Dump FunctionDump MemoryUsage ObjectEncoding ScriptExists SlowLogLen XAdd XInfoConsumers
	XInfoStreamFull XPendingRange`)

// drawn are methods whose reply is random: of a list only the length is compared.
var drawn = words(`ACLGenPass HRandField HRandFieldCount HRandFieldWithValues RandomKey SPop SPopCount SRandMember SRandMemberCount
	ZRandMember ZRandMemberCount ZRandMemberWithScores`)

// timed are methods whose reply depends on the time: it is compared to within a minute, in the unit of an integer reply.
var timed = map[string]int64{
	"ExpireTime": 60, "ObjectIdleTime": 60, "PExpireTime": 60_000, "PTTL": 60_000, "TTL": 60, "Time": 60,
}

// excused says why the servers of this test never answer a method but with an error.
var excused = map[string]string{
	"SetIfEq": "newer than the servers", "SetIfEqBytes": "newer than the servers",
	"BitOpAndOr": "newer than the servers", "BitOpDiff": "newer than the servers",
	"BitOpDiff1": "newer than the servers", "BitOpOne": "newer than the servers", "SortGet": notInACluster, "SortROGet": notInACluster,
	"ZRankWithScore": "newer than Redis 7.0", "ZRevRankWithScore": "newer than Redis 7.0",
	"ScriptKill": "no script runs", "FunctionKill": "no function runs",
	"FunctionStats": eachItsOwn, "Info": eachItsOwn, "LatencyLatest": eachItsOwn, "LatencyHistory": eachItsOwn, "MemoryStats": eachItsOwn,
	"ClientKill": eachItsOwn, "ClientPause": eachItsOwn, "ClientUnblock": eachItsOwn, "ClientUnpause": eachItsOwn,
	"ClientList": eachItsOwn, "ClusterMyID": eachItsOwn, "ClusterMyShardID": eachItsOwn,
	"PubSubChannels": eachItsOwn, "PubSubNumPat": eachItsOwn, "PubSubNumSub": eachItsOwn,
}

// notInACluster is what older servers say of an option that they know only outside a cluster.
const notInACluster = "denied in Cluster mode"

const eachItsOwn = "refused for a cluster, where each node has an answer of its own"

// uncompared are methods whose outcome depends on the node that answers.
var uncompared = words(`ClientKill ClientPause ClientUnblock ClientUnpause ScriptShow Info LatencyLatest LatencyHistory
	MemoryStats FunctionStats SlowLogGet ClientList PubSubChannels PubSubNumPat PubSubNumSub`)

// last are methods that leave the two sides with different keys, or without any: nothing is compared behind them.
var last = words(`ClientPause FlushAll FlushDB FunctionFlush ScriptFlush SortStore SPop SPopCount XAdd`)

// unordered are methods whose reply is in no order.
var unordered = words(`ACLCat ACLCatCommands ConfigGet FunctionList Keys SDiff SInter SMembers Sort SortRO SUnion`)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// What a client of a cluster returns, typed or by Do, by RESP2 or RESP3, is what the typed method makes of one server's reply.
func TestEveryCommandSaysWhatOneServerSays(t *testing.T) {
	realcluster.ForEach(t, func(t *testing.T, engine realcluster.Engine) {
		cluster := realcluster.Start(t, realcluster.Options{Engine: engine.Name, Primaries: 3, Config: []string{often}})
		server := startPlain(t, engine)
		d := &duel{cluster: cluster, given: map[string]int{}, run: map[string]int{}, differed: map[string]bool{},
			answered: map[string]int{}, said: map[string]string{}, byRESP3: map[uint64]any{}}
		for _, proto := range []int{3, 2} {
			d.begin(t, server, proto)
			for round := range rounds {
				d.round(t, uint64(round))
			}
		}
		d.report(t)
	})
}

// duel runs the same calls on two sides.
type duel struct {
	cluster  *realcluster.Cluster
	client   *keyslot.Client
	plain    *differential.Plain
	guess    differential.Guess
	given    map[string]int    // options
	run      map[string]int    // methods
	answered map[string]int    // how often a method was answered with something else than an error
	said     map[string]string // the last error of a method
	differed map[string]bool
	byRESP3  map[uint64]any // results of typed methods, by the seed of their arguments
}

func (d *duel) begin(t *testing.T, server string, proto int) {
	opts := keyslot.Options{Endpoints: d.cluster.Addrs()[:1]}
	if proto == 2 {
		opts.Dial = dialRESP2
	}
	var err error
	d.client, err = keyslot.New(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { d.client.Close() })
	conn, err := net.Dial("unix", server)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	d.plain, err = differential.NewPlain(conn, proto)
	require.NoError(t, err)
}

// round runs every method once, on servers that hold the same.
func (d *duel) round(t *testing.T, seed uint64) {
	d.seed(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	order := slices.Clone(differential.Calls)
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	slices.SortStableFunc(order, func(a, b differential.Call) int { return cmp.Compare(rank(a), rank(b)) })
	d.guess.Options = d.given
	for i := range order {
		call := &order[i]
		if unexercised[call.Method] == "" {
			d.run[call.Method]++
			d.compare(t, call, rng.Uint64(), rng.IntN(3) == 0)
		}
	}
}

func rank(c differential.Call) int {
	if last[c.Method] {
		return 1
	}
	return 0
}

func (d *duel) seed(t *testing.T) {
	ctx := t.Context()
	require.NoError(t, d.client.FlushAll(ctx))
	require.NoError(t, d.client.FunctionFlush(ctx))
	require.NoError(t, d.client.ScriptFlush(ctx))
	for _, args := range [][]string{{"FLUSHALL"}, {"FUNCTION", "FLUSH"}, {"SCRIPT", "FLUSH"}} {
		require.NoError(t, d.plain.Do(args...))
	}
	p := d.client.Pipeline()
	_, err := d.client.FunctionLoad(ctx, differential.Library)
	require.NoError(t, err)
	require.NoError(t, d.plain.Do("FUNCTION", "LOAD", differential.Library))
	for _, args := range differential.Seed() {
		require.NoError(t, d.plain.Do(args...))
		p.Do(anys(args)...)
	}
	require.NoError(t, p.Exec(ctx))
	dump, err := d.client.Do(ctx, "DUMP", differential.Tag+"hash1")
	require.NoError(t, err)
	d.guess.Dump = dump.String()
	library, err := d.client.FunctionDump(ctx)
	require.NoError(t, err)
	d.guess.Functions = string(library)
}

// compare runs one call on both sides, on the cluster by Do where byDo says so.
func (d *duel) compare(t *testing.T, call *differential.Call, seed uint64, byDo bool) {
	ctx := t.Context()
	d.plain.Args = nil
	d.guess.Begin(call, seed)
	want, wantErr := call.Run(ctx, command.New(d.plain), &d.guess)
	args := slices.Clone(d.plain.Args)
	byDo = byDo && args != nil
	var got any
	var err error
	if byDo {
		var whole resp.Value
		if wantErr = asServerError(wantErr); wantErr == nil {
			whole, wantErr = resp.Decode(d.plain.Frame)
		}
		want = command.NewReply(whole)
		got, err = d.client.Do(ctx, anys(args)...)
	} else {
		d.guess.Options = map[string]int{} // given once already
		d.guess.Begin(call, seed)
		got, err = call.Run(ctx, d.commands(), &d.guess)
		d.guess.Options = d.given
	}
	if err == nil || errors.Is(err, keyslot.Nil) {
		d.answered[call.Method]++
	} else if !errors.As(err, new(*keyslot.ArgumentError)) {
		d.said[call.Method] = err.Error()
	}
	switch {
	case call.Group == "cluster" || uncompared[call.Method]: // the plain server is none
	case err != nil && strings.Contains(err.Error(), notInACluster):
	case !sameError(wantErr, err):
		d.differ(t, call, args, wantErr, err)
	case wantErr == nil && err == nil && !loose[call.Method]:
		if !same(call, want, got) {
			d.differ(t, call, args, want, got)
		}
		d.sameByRESP2(t, call, seed, want)
	}
}

// sameByRESP2 requires that a typed method returns the same by RESP2 as before by RESP3.
func (d *duel) sameByRESP2(t *testing.T, call *differential.Call, seed uint64, result any) {
	if _, ok := result.(command.Reply); ok {
		return
	}
	if before, ok := d.byRESP3[seed]; ok && !same(call, before, result) {
		d.differ(t, call, d.plain.Args, before, result)
	}
	d.byRESP3[seed] = result
}

// differ reports the first difference of each method: those behind it may be its consequence.
func (d *duel) differ(t *testing.T, call *differential.Call, args []string, plain, cluster any) {
	if !d.differed[call.Method] {
		t.Errorf("%s %q\n\tone server: %#v\n\tcluster:    %#v", call.Method, args, plain, cluster)
	}
	d.differed[call.Method] = true
}

// commands are the typed commands that the client embeds, by a name that nobody outside can spell.
func (d *duel) commands() command.Commands {
	field := reflect.ValueOf(d.client).Elem().FieldByName("commands")
	return *(*command.Commands)(unsafe.Pointer(field.UnsafeAddr()))
}

// sameError reports whether two errors say the same: the server's words, or that there is nothing. What the client
// refuses itself is an error on a server too.
func sameError(plain, client error) bool {
	var refused *keyslot.ArgumentError
	if errors.As(client, &refused) {
		return plain != nil
	}
	return errors.Is(plain, keyslot.Nil) == errors.Is(client, keyslot.Nil) && wordsOf(plain) == wordsOf(client)
}

// wordsOf are a server's words, without the arguments that it quotes after a name that it does not know.
func wordsOf(err error) string {
	if err == nil {
		return ""
	}
	var server keyslot.ServerError
	var typed *command.TypeError
	switch {
	case errors.As(err, &server):
		text, _, _ := strings.Cut(string(server), ", with args beginning with:")
		return text
	case errors.As(err, &typed):
		return typed.Error()
	case errors.Is(err, keyslot.Nil):
		return ""
	}
	return err.Error()
}

func asServerError(err error) error {
	var server keyslot.ServerError
	if errors.As(err, &server) {
		return server
	}
	return nil
}

// same reports whether two results say the same, as far as the method says the same twice.
func same(call *differential.Call, one, another any) bool {
	if minute := timed[call.Method]; minute > 0 {
		return near(minute, one, another)
	}
	return assert.ObjectsAreEqual(comparable(call, one), comparable(call, another))
}

// near reports whether two times or durations, or the integers that they are by Do, are less than a minute apart. What
// stands for none, null or negative, is the same only as itself.
func near(minute int64, one, another any) bool {
	switch a := one.(type) {
	case time.Time:
		b, ok := another.(time.Time)
		return ok && a.IsZero() == b.IsZero() && a.Sub(b).Abs() < time.Minute
	case time.Duration:
		b, ok := another.(time.Duration)
		return ok && (a == b || min(a, b) >= 0 && (a-b).Abs() < time.Minute)
	case command.Reply:
		b, ok := another.(command.Reply)
		if !ok || assert.ObjectsAreEqual(a, b) {
			return ok
		}
		x, errX := firstInt(a)
		y, errY := firstInt(b)
		return errX == nil && errY == nil && min(x, y) >= 0 && max(x-y, y-x) < minute
	}
	return false
}

// firstInt returns an integer reply, or the first of several.
func firstInt(r command.Reply) (int64, error) {
	if elems, err := r.Slice(); err == nil && len(elems) > 0 {
		r = elems[0]
	}
	return r.Int64()
}

// sizeOf is the length of a list, or else only the type of a result.
func sizeOf(result any) any {
	if r, ok := result.(command.Reply); ok {
		if elems, err := r.Slice(); err == nil {
			return len(elems)
		}
		return r.IsNil()
	}
	if v := reflect.ValueOf(result); v.Kind() == reflect.Slice {
		return v.Len()
	}
	return reflect.TypeOf(result)
}

// comparable is a result without what may differ: the order of what has none, and what is random.
func comparable(call *differential.Call, result any) any {
	if drawn[call.Method] {
		return sizeOf(result)
	}
	if !unordered[call.Method] {
		return result
	}
	if r, ok := result.(command.Reply); ok {
		elems, err := r.Slice()
		if err != nil {
			return result
		}
		result = elems
	}
	v := reflect.ValueOf(result)
	if v.Kind() != reflect.Slice {
		return result
	}
	lines := make([]string, v.Len())
	for i := range lines {
		lines[i] = fmt.Sprint(v.Index(i))
	}
	slices.Sort(lines)
	return lines
}

// report requires that every method and every option was given often enough, and prints what was not.
func (d *duel) report(t *testing.T) {
	for _, call := range differential.Calls {
		if reason := unexercised[call.Method]; reason != "" {
			t.Logf("not exercised: %s (%s)", call.Method, reason)
		} else {
			require.GreaterOrEqual(t, d.run[call.Method], fewest, call.Method)
		}
		if d.run[call.Method] > 0 && d.answered[call.Method] == 0 {
			d.onlyErrors(t, call.Method)
		}
	}
	for _, option := range differential.Options {
		require.GreaterOrEqual(t, d.given[option], fewest, option)
	}
	t.Logf("%d methods and %d options on %s %s", len(d.run), len(d.given), d.cluster.Engine.Name, d.cluster.Engine.Version)
}

// onlyErrors prints why a method was never answered, which is no test of it unless the server is too old for it.
func (d *duel) onlyErrors(t *testing.T, method string) {
	said := d.said[method]
	if excused[method] == "" && !strings.Contains(said, "unknown command") && !strings.Contains(said, "unknown subcommand") {
		t.Errorf("%s was answered with errors only, the last one being %s", method, said)
	}
	t.Logf("errors only: %s: %s", method, said)
}

func anys(args []string) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		out[i] = arg
	}
	return out
}

// startPlain starts one server without a cluster, and returns the path of its socket.
func startPlain(t *testing.T, engine realcluster.Engine) string {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	server := engine.Command(t.Context(), engine.Server, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir, "--hz", "500")
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return socket
}

// dialRESP2 dials servers that seem to know no HELLO.
func dialRESP2(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	return withoutHello{conn}, err
}

type withoutHello struct{ net.Conn }

func (c withoutHello) Write(b []byte) (int, error) {
	return c.Conn.Write(bytes.Replace(b, []byte("\r\nHELLO\r\n"), []byte("\r\nHELL0\r\n"), 1))
}
