package keyslottest_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// situation is a story that a real cluster and keyslottest have to tell in the same bytes. The cluster has three
// shards; the nodes are called source (owner of slot 3300, where all keys tagged {b} live), target (of c), other (of a)
// and replica (source's). A line of the script is one of
//
//	source: GET {b}1     send a command and note the reply; "source/2:" uses a second connection to source
//	source> BLPOP {b}1 0 send it and do not wait for the reply
//	source<              note the reply that was not waited for
//	source.              note that source closes the connection
//	open, move KEY, finish, failover     change the topology: see rig
//	blocked N            wait until N clients of source are blocked
//
// Words are separated by single spaces; an underscore alone is an empty word, and ~ is a space
// inside a word.
type situation struct {
	name, script string
}

// rig is a cluster that the situations can be played on.
type rig interface {
	// addr is where the node with this name listens.
	addr(node string) string
	// mask replaces what differs between clusters: ports and node ids, by names.
	mask(reply string) string
	open()           // set slot 3300 migrating from source to target
	move(key string) // move a key of it
	finish()         // give the slot to target
	failover()       // make replica and source change their roles
	blocked(n int)
	// reset gives source its slot and role back and removes all keys.
	reset()
}

// play returns what a client sees in a situation, one line for every line of the script that reads something.
func play(t testing.TB, r rig, s situation, resp3 bool) string {
	var seen strings.Builder
	conns := map[string]session{}
	defer func() {
		if t.Failed() {
			t.Log("seen until then:\n" + seen.String())
		}
	}()
	for line := range strings.Lines(s.script) {
		line = strings.TrimSpace(line)
		end := strings.IndexAny(line, ":><.")
		if word := strings.Fields(line); len(word) > 0 && (end < 0 || strings.Contains(line[:end], " ")) {
			topologyStep(t, r, word)
			continue
		}
		if line == "" {
			continue
		}
		name, verb, words := line[:end], line[end], splitScript(line[end+1:])
		c, open := conns[name]
		if !open {
			node, _, _ := strings.Cut(name, "/")
			c = connect(t, r.addr(node))
			if resp3 {
				c.do("HELLO 3")
			}
			conns[name] = c
		}
		if verb == ':' || verb == '>' {
			require.NoError(t, c.send(words...), line)
		}
		if verb == '>' {
			continue
		}
		reply, err := c.reply()
		if verb == '.' {
			require.Error(t, err, line)
			reply = "EOF"
		} else {
			require.NoError(t, err, line)
		}
		fmt.Fprintf(&seen, "%s\n  %q\n", line, clientID.ReplaceAllString(r.mask(reply), "id\r\n:<client>"))
	}
	return seen.String()
}

// clientID is what no two connections have in common.
var clientID = regexp.MustCompile(`id\r\n:\d+`)

func topologyStep(t testing.TB, r rig, words []string) {
	switch words[0] {
	case "open":
		r.open()
	case "move":
		r.move(words[1])
	case "finish":
		r.finish()
	case "failover":
		r.failover()
	case "blocked":
		n := 0
		fmt.Sscan(words[1], &n)
		r.blocked(n)
	default:
		require.Fail(t, "no such step", "%q", words)
	}
}

func splitScript(command string) []string {
	words := strings.Fields(command)
	for i, w := range words {
		switch w {
		case "_":
			words[i] = ""
		case "~":
		default:
			words[i] = strings.ReplaceAll(w, "~", " ")
		}
	}
	return words
}

const recorded = "testdata/situations-redis-7.0.15.txt"

// TestSituations compares keyslottest with what a real server of version 7.0.15 answered when testdata was recorded.
func TestSituations(t *testing.T) {
	real := readRecorded(t)
	for _, s := range situations {
		for _, proto := range []string{"RESP2", "RESP3"} {
			t.Run(s.name+"/"+proto, func(t *testing.T) {
				want, found := real[s.name+"/"+proto]
				require.True(t, found, "not recorded: run TestSituationsOnRealServers with KEYSLOT_RECORD=1")
				require.Equal(t, want, play(t, newFakeRig(t), s, proto == "RESP3"))
			})
		}
	}
	require.Len(t, real, 2*len(situations), "testdata has situations that are no longer played")
}

// TestSituationsOnRealServers plays the situations on a cluster of real servers, and so proves that testdata is the
// truth. With KEYSLOT_RECORD=1 it writes testdata anew.
func TestSituationsOnRealServers(t *testing.T) {
	r := newRealRig(t)
	var transcript strings.Builder
	want := map[string]string{}
	record := os.Getenv("KEYSLOT_RECORD") != ""
	if !record {
		want = readRecorded(t)
	}
	for _, s := range situations {
		for _, proto := range []string{"RESP2", "RESP3"} {
			t.Run(s.name+"/"+proto, func(t *testing.T) {
				defer r.reset()
				seen := play(t, r, s, proto == "RESP3")
				fmt.Fprintf(&transcript, "## %s/%s\n%s", s.name, proto, seen)
				if !record {
					require.Equal(t, want[s.name+"/"+proto], seen)
				}
			})
		}
	}
	if record && !t.Failed() {
		require.NoError(t, os.WriteFile(recorded, []byte(transcript.String()), 0o644))
	}
}

func readRecorded(t testing.TB) map[string]string {
	text, err := os.ReadFile(recorded)
	require.NoError(t, err)
	seen := map[string]string{}
	for _, part := range strings.Split(string(text), "## ")[1:] {
		name, replies, _ := strings.Cut(part, "\n")
		seen[name] = replies
	}
	return seen
}

// fakeRig is keyslottest itself; every situation gets a new cluster.
type fakeRig struct {
	t         testing.TB
	cluster   *keyslottest.Cluster
	nodes     map[string]keyslottest.Node
	migration *keyslottest.Migration
}

func newFakeRig(t testing.TB) *fakeRig {
	c := start(t, keyslottest.Options{Shards: 3, Replicas: 1})
	s := c.Shards()
	return &fakeRig{t: t, cluster: c, nodes: map[string]keyslottest.Node{
		"source": s[0].Primary, "replica": s[0].Replicas[0], "target": s[1].Primary, "other": s[2].Primary,
		"target-replica": s[1].Replicas[0], "other-replica": s[2].Replicas[0],
	}}
}

func (r *fakeRig) addr(node string) string { return r.nodes[node].Addr }

func (r *fakeRig) mask(reply string) string {
	for name, n := range r.nodes {
		reply = maskNode(reply, name, n.Addr, n.ID)
	}
	return reply
}

func (r *fakeRig) open() {
	m, err := r.cluster.Migrate(3300, r.nodes["target"].ID)
	require.NoError(r.t, err)
	r.migration = m
}

func (r *fakeRig) move(key string) { require.True(r.t, r.migration.MoveKey(key), key) }
func (r *fakeRig) finish()         { require.NoError(r.t, r.migration.Finish()) }
func (r *fakeRig) failover()       { require.NoError(r.t, r.cluster.Failover(r.nodes["replica"].ID)) }
func (r *fakeRig) reset()          {}

func (r *fakeRig) blocked(n int) { waitBlocked(r.t, r.nodes["source"].Addr, n) }

func waitBlocked(t testing.TB, addr string, n int) {
	c := connect(t, addr)
	require.Eventually(t, func() bool {
		return strings.Contains(c.do("INFO clients"), fmt.Sprintf("blocked_clients:%d\r\n", n))
	}, waitLimit, waitStep)
}
