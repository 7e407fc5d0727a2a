package spec_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/stretchr/testify/require"
)

// The table finds the keys that a cluster routes by, which are not always those of COMMAND GETKEYS. The server is a
// cluster that is down because nobody owns one slot: it runs no command with a key, but says CROSSSLOT before
// CLUSTERDOWN when the keys it sees are of two slots.
func TestCrossSlotAgreesWithCluster(t *testing.T) {
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		server := startServer(t, e, "--port", freePort(t), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
			"--cluster-port", freePort(t), "--cluster-allow-pubsubshard-when-down", "no")
		server.queue(words{"CLUSTER", "ADDSLOTSRANGE", "0", "16382"}) // no generated word has the last slot
		require.Equal(t, "OK", server.flush(t)[0].Str)

		crossing, single := 0, 0
		for _, c := range server.keyedCommands() {
			if c.Name == "SUNSUBSCRIBE" || c.Name == "PUBSUB SHARDNUMSUB" {
				continue // is answered by any node: for each channel, of what it knows
			}
			crossed, calm := server.compareRouting(t, c, generate(c))
			crossing, single = crossing+crossed, single+calm
		}
		t.Logf("seed %d: %d calls with keys of several slots, %d with keys of one", generatorSeed, crossing, single)
		require.Greater(t, crossing, 1000)
		require.Greater(t, single, 1000)
	})
}

// compareRouting runs the calls in which the table sees keys, and returns how many had keys of several slots or of one.
func (s *conn) compareRouting(t *testing.T, c *spec.Command, calls []words) (crossing, single int) {
	var sent []words
	var slots []map[string]bool
	for _, call := range calls {
		at, err := c.AppendKeys(nil, call)
		if err != nil || len(at) == 0 {
			continue
		}
		sent = append(sent, call)
		slots = append(slots, s.slots(t, call.pick(at)))
	}
	for _, call := range sent {
		s.queue(call)
	}
	for i, reply := range s.flush(t) {
		require.Equal(t, resp.SimpleError, reply.Kind, "%q ran", sent[i])
		switch code, _, _ := strings.Cut(reply.Str, " "); {
		case strings.Contains(reply.Str, "wrong number of arguments"): // an older server's
		case len(slots[i]) > 1:
			crossing++
			require.Equal(t, "CROSSSLOT", code, "%q: %s", sent[i], reply.Str)
		default:
			single++
			require.Equal(t, "CLUSTERDOWN", code, "%q: %s", sent[i], reply.Str)
		}
	}
	return crossing, single
}

// slots returns the set of the slots of the keys, as the server computes them.
func (s *conn) slots(t *testing.T, keys []string) map[string]bool {
	for _, key := range keys {
		s.queue(words{"CLUSTER", "KEYSLOT", key})
	}
	set := make(map[string]bool)
	for _, reply := range s.flush(t) {
		set[strconv.FormatInt(reply.Int, 10)] = true
	}
	return set
}

// freePort returns a loopback port that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}
