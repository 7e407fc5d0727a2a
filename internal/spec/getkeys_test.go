package spec_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/stretchr/testify/require"
)

// generatorSeed makes the generated calls the same in every run.
const generatorSeed = 20241

// The table finds the same keys as real servers do, in generated calls of every command that has keys.
//
// The servers are those of KEYSLOT_TEST_REDIS (host:port, several with commas), or else processes of the test's own.
func TestKeysEqualCommandGetKeys(t *testing.T) {
	if addrs := os.Getenv("KEYSLOT_TEST_REDIS"); addrs != "" {
		for addr := range strings.SplitSeq(addrs, ",") {
			t.Run(addr, func(t *testing.T) { compareWithServer(t, dial(t, "tcp", addr)) })
		}
		return
	}
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) { compareWithServer(t, startServer(t, e)) })
}

func compareWithServer(t *testing.T, server *conn) {
	const (
		leastCases = 20000
		leastMoved = 100
	)
	total := 0
	var moved []string
	for _, c := range server.keyedCommands() {
		compared := server.compare(t, c, generate(c))
		total += compared
		if shapes[c.Name] != nil {
			require.GreaterOrEqual(t, compared, leastMoved, c.Name)
			moved = append(moved, fmt.Sprintf("%s %d", c.Name, compared))
		}
	}
	t.Logf("seed %d: %d calls, of which for commands with movable keys: %s", generatorSeed, total, strings.Join(moved, ", "))
	require.GreaterOrEqual(t, total, leastCases)
	require.Len(t, moved, len(shapes))
}

// compare asks the server for the keys of all calls in one write, and returns how many answers were comparable.
func (s *conn) compare(t *testing.T, c *spec.Command, sent []words) int {
	for _, call := range sent {
		s.queue(append(words{"COMMAND", "GETKEYS"}, call...))
	}
	compared := 0
	var refused []words
	for i, reply := range s.flush(t) {
		call := sent[i]
		if quirkOf(c, call) != "" {
			continue
		}
		compared++
		at, err := c.AppendKeys(nil, call)
		switch {
		case err == nil && reply.Kind == resp.SimpleError:
			require.Fail(t, "the server finds no keys", "%q: %v, the server says %s", call, at, reply.Str)
		case err == nil:
			require.Equal(t, texts(reply.Elems), call.pick(at), "%q", call)
		case reply.Kind != resp.SimpleError:
			refused = append(refused, call)
		}
	}
	s.requireErrors(t, refused)
	return compared
}

// requireErrors runs calls that the table refuses although COMMAND GETKEYS, more tolerant than the commands themselves,
// sees keys in them.
func (s *conn) requireErrors(t *testing.T, refused []words) {
	for _, call := range refused {
		s.queue(call)
	}
	for i, reply := range s.flush(t) {
		require.Equal(t, resp.SimpleError, reply.Kind, "%q runs on the server", refused[i])
	}
}

func texts(elems []resp.Value) []string {
	all := []string{}
	for _, e := range elems {
		all = append(all, e.Str)
	}
	return all
}

// pick returns the words at these positions.
func (w words) pick(at []int) []string {
	all := []string{}
	for _, i := range at {
		all = append(all, w[i])
	}
	return all
}

// quirks are calls that COMMAND GETKEYS answers otherwise than the same server routes them in a cluster.
var quirks = []struct {
	reason   string
	commands []string
	applies  func(call words) bool // nil is always
}{
	{"channels route by slot, but are no keys", []string{"SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE", "PUBSUB SHARDNUMSUB"}, nil},
	{"without sources, GETKEYS fails instead of giving the destination", []string{"PFMERGE"},
		func(call words) bool { return len(call) == 2 }},
	{"GETKEYS gives the first STORE and the first STOREDIST; the last of all is routed", []string{"GEORADIUS", "GEORADIUSBYMEMBER"},
		func(call words) bool { return call.count("STORE")+call.count("STOREDIST") > 1 }},
	{"GETKEYS knows that argument 5 is a unit, the routing takes it for an option", []string{"GEORADIUS"},
		func(call words) bool { return call.at(5, "STORE", "STOREDIST") }},
	{"GETKEYS looks for the word STREAMS where a group or consumer may be called so", []string{"XREADGROUP"},
		func(call words) bool { return call.count("STREAMS") > 1 }},
	{"GETKEYS takes the empty argument for a key, MIGRATE itself finds no key", []string{"MIGRATE"},
		func(call words) bool { return strings.EqualFold(call[len(call)-1], "KEYS") }},
	{"redis 7.0 has no WITHSCORE", []string{"ZRANK", "ZREVRANK"},
		func(call words) bool { return len(call) > 3 }},
}

func quirkOf(c *spec.Command, call words) (reason string) {
	for _, q := range quirks {
		if slices.Contains(q.commands, c.Name) && (q.applies == nil || q.applies(call)) {
			return q.reason
		}
	}
	return ""
}

// at reports whether word i is one of these, in upper or lower case.
func (w words) at(i int, any ...string) bool {
	return i < len(w) && slices.ContainsFunc(any, func(s string) bool { return strings.EqualFold(s, w[i]) })
}

// count returns how many words of the call are this one, in upper or lower case.
func (w words) count(word string) int {
	n := 0
	for _, s := range w {
		if strings.EqualFold(s, word) {
			n++
		}
	}
	return n
}

// conn is a plain RESP2 connection to a server that the test trusts.
type conn struct {
	net     net.Conn
	out, in []byte
	queued  int
	names   map[string]bool // its commands and subcommands
}

func dial(t *testing.T, network, addr string) *conn {
	nc, err := net.DialTimeout(network, addr, 5*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(time.Minute)))
	s := &conn{net: nc, names: make(map[string]bool)}
	s.queue(words{"COMMAND", "LIST"})
	for _, name := range s.flush(t)[0].Elems {
		s.names[strings.ToUpper(strings.ReplaceAll(name.Str, "|", " "))] = true
	}
	return s
}

// keyedCommands returns the commands with keys that the server has too.
func (s *conn) keyedCommands() []*spec.Command {
	var all []*spec.Command
	for c := range spec.All() {
		if c.HasKeys() && !c.Flags.Has(spec.Container) && s.names[c.Name] {
			all = append(all, c)
		}
	}
	return all
}

func (s *conn) queue(call words) {
	s.out = resp.AppendArray(s.out, len(call))
	for _, arg := range call {
		s.out = resp.AppendBulk(s.out, arg)
	}
	s.queued++
}

// flush sends what is queued and returns the replies.
func (s *conn) flush(t *testing.T) []resp.Value {
	t.Helper()
	_, err := s.net.Write(s.out)
	require.NoError(t, err)
	s.out = s.out[:0]
	var replies []resp.Value
	var scanner resp.Scanner
	for len(replies) < s.queued {
		n, err := scanner.Scan(s.in)
		require.NoError(t, err)
		if n == 0 {
			s.in = slices.Grow(s.in, 64<<10)
			m, err := s.net.Read(s.in[len(s.in):cap(s.in)])
			require.NoError(t, err)
			s.in = s.in[:len(s.in)+m]
			continue
		}
		v, err := resp.Decode(s.in[:n])
		require.NoError(t, err)
		replies = append(replies, v)
		s.in = append(s.in[:0], s.in[n:]...)
	}
	s.queued = 0
	return replies
}

// startServer runs one server on a Unix socket, with these options besides, until the test ends.
func startServer(t *testing.T, e realcluster.Engine, options ...string) *conn {
	ctx, cancel := context.WithCancel(t.Context())
	dir, err := os.MkdirTemp("", "spec") // the name of t.TempDir may be too long for a socket
	require.NoError(t, err)
	socket := filepath.Join(dir, "socket")
	options = append([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir}, options...)
	server := e.Command(ctx, e.Server, options...)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		cancel()
		server.Wait() // its error only says that it was killed
		os.RemoveAll(dir)
	})
	require.Eventually(t, func() bool {
		nc, err := net.Dial("unix", socket)
		if err != nil {
			return false // the file exists before the server listens
		}
		return nc.Close() == nil
	}, 10*time.Second, 5*time.Millisecond)
	return dial(t, "unix", socket)
}
