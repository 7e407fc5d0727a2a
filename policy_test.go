package keyslot_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// policyRow is one call of a command that has a policy, its arguments divided by single spaces.
type policyRow struct {
	call string
	// then is asked afterwards of each node that the call concerns, and says is what each answers, or with a ~ in front a part
	// of it. Without then, says is the reply itself. Without either, what each node says to the same call by itself decides.
	then, says string
	differs    bool // two answers of one node differ
}

const (
	slowScript = "local\tx=0\nfor\ti=1,3e6\tdo\tx=x+1\tend\nreturn\t1" // a few ms
	digest     = "930269f31393d0be681588b6ab08dccee7d6bb67"            // of return(1)
	library    = "#!lua\tname=mylib\nredis.register_function('f',function()\treturn\t1\tend)"
	dump       = "$DUMP" // stands for what FUNCTION DUMP said after FUNCTION LOAD
)

// policyRows are run in this order. The keys a to f are in six slots of three shards.
var policyRows = []policyRow{
	{call: "MSET a 0 b 2 c 3 d 4 {a}x 9 e 5 f 6 a 1", says: "OK"},
	{call: "MGET f a missing a b {a}x e a", says: "6\n1\n\n1\n2\n9\n5\n1"},
	{call: "EXISTS a b a missing {a}x", says: "4"}, {call: "TOUCH {a}x a a missing b", says: "4"},
	{call: "DBSIZE"}, {call: "KEYS *"}, {call: "KEYS missing*"},
	{call: "DEL a a {a}x b missing", says: "3"}, {call: "UNLINK c c d missing", says: "2"},

	{call: "INFO server", differs: true}, {call: "MEMORY STATS", differs: true}, {call: "MEMORY MALLOC-STATS", differs: true},
	{call: "MEMORY DOCTOR"}, {call: "MEMORY PURGE"}, {call: "CONFIG RESETSTAT"}, {call: "CONFIG REWRITE"},
	{call: "CONFIG SET slowlog-log-slower-than 0", then: "CONFIG GET slowlog-log-slower-than", says: "~\n0"},
	{call: "CONFIG SET slowlog-log-slower-than -1", then: "CONFIG GET slowlog-log-slower-than", says: "~\n-1"},
	{call: "SLOWLOG LEN"}, {call: "SLOWLOG GET 2"}, {call: "SLOWLOG RESET", then: "SLOWLOG LEN", says: "0"},
	{call: "CONFIG SET latency-monitor-threshold 1", then: "EVAL " + slowScript + " 0", says: "1"},
	{call: "CONFIG SET latency-monitor-threshold 0", then: "LATENCY LATEST", says: "~command"},
	{call: "LATENCY LATEST"}, {call: "LATENCY HISTORY command"}, {call: "LATENCY HISTOGRAM set"},
	{call: "LATENCY GRAPH command", differs: true}, {call: "LATENCY DOCTOR", differs: true},
	{call: "LATENCY RESET command", then: "LATENCY HISTORY command"},

	{call: "PUBSUB SHARDCHANNELS *"}, {call: "CLIENT PAUSE 1 WRITE"}, {call: "CLIENT UNPAUSE"}, {call: "CLIENT UNBLOCK 999999"},
	{call: "CLIENT KILL ID 999999"}, {call: "CLIENT LIST", differs: true}, {call: "CLIENT INFO", differs: true},
	{call: "CLIENT ID", differs: true}, {call: "CLIENT GETREDIR"}, {call: "CLIENT TRACKINGINFO", differs: true},
	{call: "PUBSUB CHANNELS *"}, {call: "PUBSUB NUMPAT"}, {call: "PUBSUB NUMSUB news"}, {call: "ACL LOG"},
	{call: "ROLE", differs: true}, {call: "LASTSAVE"}, {call: "MODULE LIST"}, {call: "CLUSTER LINKS", differs: true},
	{call: "CLUSTER MYID"},

	{call: "ACL SETUSER ann on >pw", then: "ACL GETUSER ann", says: "~on"},
	{call: "ACL DELUSER ann", then: "ACL GETUSER ann", says: "null"}, {call: "ACL SAVE"},

	{call: "SCRIPT LOAD return(1)", then: "SCRIPT EXISTS " + digest, says: "1"},
	{call: "SCRIPT EXISTS " + digest + " 0000000000000000000000000000000000000000"},
	{call: "SCRIPT KILL"}, {call: "SCRIPT FLUSH", then: "SCRIPT EXISTS " + digest, says: "0"},
	{call: "FUNCTION LOAD " + library, then: "FUNCTION LIST", says: "~mylib"}, {call: "FUNCTION STATS"}, {call: "FUNCTION KILL"},
	{call: "FUNCTION DELETE mylib", then: "FUNCTION LIST"}, {call: "FUNCTION RESTORE " + dump, then: "FUNCTION LIST", says: "~mylib"},
	{call: "FUNCTION FLUSH", then: "FUNCTION LIST"},

	{call: "FLUSHDB", then: "DBSIZE", says: "0"}, {call: "FLUSHALL", then: "DBSIZE", says: "0"},
}

// otherwiseTested have a policy, and no row: they have tests of their own, as those of ofOneNode, or neither server knows them.
var otherwiseTested = strings.Split("RANDOMKEY,SCAN,COMMANDLOG GET,COMMANDLOG LEN,COMMANDLOG RESET,CLUSTER SLOT-STATS,CLUSTERSCAN,FT.CURSOR", ",")

func TestEveryCommandThatHasAPolicy(t *testing.T) {
	tested := slices.Concat(otherwiseTested, ofOneNode)
	for _, row := range policyRows {
		tested = append(tested, row.command().Name)
	}
	for cmd := range spec.All() {
		if (cmd.Request != spec.RequestDefault || cmd.Response != spec.ResponseDefault) && cmd.Refuse == "" && cmd.Name != "PING" {
			require.Contains(t, tested, cmd.Name)
		}
	}
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		w := &policyWalk{T: t, cluster: cluster, client: connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})}
		for _, row := range policyRows {
			w.run(row)
		}
	})
}

// policyWalk runs the rows on one cluster.
type policyWalk struct {
	*testing.T
	cluster *realcluster.Cluster
	client  *keyslot.Client
	dump    string // what FUNCTION DUMP says while there is a library
}

// words are a call as the table looks it up.
type words []string

func (w words) Len() int        { return len(w) }
func (w words) At(i int) []byte { return []byte(w[i]) }

func (r *policyRow) command() *spec.Command {
	cmd, ok := spec.Lookup(words(strings.Split(r.call, " ")))
	if !ok {
		panic(r.call)
	}
	return cmd
}

func (w *policyWalk) run(row policyRow) {
	args := strings.Split(row.call, " ")
	if last := len(args) - 1; args[last] == dump {
		args[last] = w.dump
	}
	cmd := row.command()
	switch {
	case row.then != "":
		_, err := w.client.Do(w.Context(), anys(args)...)
		require.NoError(w, err, row.call)
		for _, n := range w.concerned(cmd) {
			w.says(row, w.ask(n, strings.Split(row.then, " ")...).text)
		}
		if cmd.Name == "FUNCTION LOAD" {
			w.dump = w.ask(w.cluster.Node(0), "FUNCTION", "DUMP").text
		}
	case row.says != "":
		reply, err := w.client.Do(w.Context(), anys(args)...)
		require.NoError(w, err, row.call)
		require.Equal(w, row.says, textOf(reply), row.call)
	case cmd.Response == spec.ResponseSpecial:
		w.apart(row, cmd, args)
	default:
		w.together(row, cmd, args)
	}
}

func (w *policyWalk) says(row policyRow, text string) {
	if part, ok := strings.CutPrefix(row.says, "~"); ok {
		require.Contains(w, text, part, row.call)
		return
	}
	require.Equal(w, row.says, text, row.call)
}

// apart runs a command whose replies cannot be joined.
func (w *policyWalk) apart(row policyRow, cmd *spec.Command, args []string) {
	_, err := w.client.Do(w.Context(), anys(args)...)
	require.Contains(w, refused(w.T, err, 0), "Client.DoEach")
	replies, err := w.client.DoEach(w.Context(), anys(args)...)
	require.NoError(w, err, row.call)
	nodes := w.concerned(cmd)
	require.Len(w, replies, len(nodes), row.call)
	for _, r := range replies {
		at := slices.IndexFunc(nodes, func(n *realcluster.Node) bool { return n.ID() == r.Node.ID })
		require.GreaterOrEqual(w, at, 0, row.call)
		require.NoError(w, r.Err)
		one, err := w.client.On(keyslot.ToNode(r.Node.ID)).Do(w.Context(), anys(args)...)
		require.NoError(w, err)
		want := w.ask(nodes[at], args...).text
		if row.differs {
			require.NotEmpty(w, textOf(r.Reply), row.call)
			require.NotEmpty(w, textOf(one), row.call)
			continue
		}
		require.Equal(w, want, textOf(r.Reply), row.call)
		require.Equal(w, want, textOf(one), row.call)
	}
}

// together runs a command whose replies are joined, and compares the reply with what the nodes say one by one.
func (w *policyWalk) together(row policyRow, cmd *spec.Command, args []string) {
	var said []answer
	for _, n := range w.concerned(cmd) {
		said = append(said, w.ask(n, args...))
	}
	reply, err := w.client.Do(w.Context(), anys(args)...)
	if said[0].err != "" {
		var parts *keyslot.PartsError
		require.ErrorAs(w, err, &parts, row.call)
		require.Len(w, parts.Parts(), len(said), row.call)
		for _, part := range parts.Parts() {
			var text keyslot.ServerError
			require.ErrorAs(w, part.Err, &text)
			require.Equal(w, said[0].err, string(text), row.call)
		}
		return
	}
	require.NoError(w, err, row.call)
	got := strings.Split(textOf(reply), "\n")
	want := joinedByHand(cmd.Response, said)
	if cmd.Response == spec.ResponseDefault {
		got, want = unordered(got), unordered(want)
	}
	require.Equal(w, want, got, row.call)
}

func joinedByHand(policy spec.ResponsePolicy, said []answer) []string {
	lines := strings.Split(said[0].text, "\n")
	for _, a := range said[1:] {
		more := strings.Split(a.text, "\n")
		switch policy {
		case spec.ResponseDefault:
			lines = append(lines, more...)
		case spec.ResponseSum:
			n, _ := strconv.Atoi(lines[0])
			m, _ := strconv.Atoi(more[0])
			lines[0] = strconv.Itoa(n + m)
		case spec.ResponseAnd:
			for i := range lines {
				lines[i] = min(lines[i], more[i])
			}
		}
	}
	return lines
}

// unordered sorts lines, without those of empty replies.
func unordered(lines []string) []string {
	slices.Sort(lines)
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// concerned returns the nodes that a command's request policy names.
func (w *policyWalk) concerned(cmd *spec.Command) (nodes []*realcluster.Node) {
	if cmd.Request == spec.RequestAllNodes {
		return w.cluster.Nodes()
	}
	for _, n := range w.cluster.Nodes() {
		if role, err := n.Role(w.Context()); err == nil && role == "primary" {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// answer is what one node said, over a connection of the test's own.
type answer struct{ text, err string }

func (w *policyWalk) ask(n *realcluster.Node, args ...string) answer {
	text, err := w.cluster.Do(w.Context(), n, args...)
	var said realcluster.ServerError
	switch {
	case errors.Is(err, realcluster.ErrNil):
		return answer{text: "null"}
	case errors.As(err, &said):
		return answer{err: string(said)}
	}
	require.NoError(w, err)
	return answer{text: text}
}

func anys(args []string) (out []any) {
	for _, arg := range args {
		out = append(out, arg)
	}
	return out
}

// textOf returns a reply as realcluster tells it.
func textOf(r keyslot.Reply) string {
	elems, err := r.Slice()
	if err != nil {
		text, _ := r.Text()
		return text
	}
	var lines []string
	for _, e := range elems {
		lines = append(lines, textOf(e))
	}
	return strings.Join(lines, "\n")
}

// What waits behind a script on its connection is not read before the script ends.
func TestAScriptIsKilledOnWhicheverNodeItRunsWhoeverRunsIt(t *testing.T) {
	onEngines(t, realcluster.Options{Config: []string{"busy-reply-threshold 10"}}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		const endless = "#!lua name=l\nredis.register_function('endless', function() while true do end end)"
		_, err := client.FunctionLoad(t.Context(), endless)
		require.NoError(t, err)
		var notBusy keyslot.ServerError
		require.ErrorAs(t, client.ScriptKill(t.Context()), &notBusy)
		require.Equal(t, "NOTBUSY", notBusy.Code())
		atOne := client.On(keyslot.ToKey(up))
		for name, row := range map[string]struct {
			run  []any
			kill func() error
		}{
			"script":           {[]any{"EVAL", "while true do end", 1, up}, func() error { return client.ScriptKill(t.Context()) }},
			"script, one node": {[]any{"EVAL", "while true do end", 1, up}, func() error { return atOne.ScriptKill(t.Context()) }},
			"function":         {[]any{"FCALL", "endless", 1, up}, func() error { return client.FunctionKill(t.Context()) }},
			"in a pipeline": {[]any{"EVAL", "while true do end", 1, up}, func() error {
				p := client.Pipeline()
				p.ScriptKill()
				return p.Exec(t.Context())
			}},
		} {
			ended := make(chan error, 1)
			go func() { // ends when it is killed
				_, err := client.Do(within(t, time.Minute), row.run...)
				ended <- err
			}()
			require.Eventually(t, func() bool { return row.kill() == nil }, 20*time.Second, 10*time.Millisecond, name)
			require.ErrorContains(t, <-ended, "killed by user", name)
		}
	})
}

func TestRandomKeyFindsTheOnlyKeyOfARealCluster(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		for i := range 5 {
			reply, err := client.Do(t.Context(), "RANDOMKEY")
			require.NoError(t, err)
			require.True(t, reply.IsNil())
			key := fmt.Sprint("key:", i)
			require.NoError(t, client.Set(t.Context(), key, "v"))
			reply, err = client.Do(t.Context(), "RANDOMKEY")
			require.NoError(t, err)
			require.Equal(t, key, reply.String())
			_, err = client.Del(t.Context(), key)
			require.NoError(t, err)
		}
	})
}

func TestReplicasOfARealClusterAcknowledge(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		write := func(p *keyslot.Pipeline) error { p.Incr(low); return nil }
		acked, err := client.WriteAndWait(t.Context(), 1, 5*time.Second, write)
		require.NoError(t, err)
		require.EqualValues(t, 1, acked)
		replicas, err := cluster.ReplicasOf(t.Context(), 866)
		require.NoError(t, err)
		require.NoError(t, replicas[0].Freeze())
		acked, err = client.WriteAndWait(t.Context(), 1, 100*time.Millisecond, write)
		require.NoError(t, err)
		require.Zero(t, acked, "nobody has said so in time")
		require.NoError(t, replicas[0].Thaw())
		acked, err = client.WriteAndWait(t.Context(), 1, 5*time.Second, write)
		require.NoError(t, err)
		require.EqualValues(t, 1, acked)

		require.NoError(t, cluster.Failover(t.Context(), replicas[0]))
		acked, err = client.WriteAndWait(t.Context(), 1, 5*time.Second, write)
		require.NoError(t, err, "MOVED takes it to the promoted replica")
		require.EqualValues(t, 1, acked)
		n, err := client.Incr(t.Context(), low)
		require.NoError(t, err)
		require.EqualValues(t, 5, n, "each ran once")
	})
}
