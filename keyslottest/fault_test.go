package keyslottest_test

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// faulty is a cluster of one node that suffers from f, and a client of it.
func faulty(t *testing.T, f keyslottest.Fault) (c *keyslottest.Cluster, s session, remove func()) {
	c = start(t, keyslottest.Options{Shards: 1})
	remove, err := c.Inject(c.Nodes()[0].ID, f)
	require.NoError(t, err)
	return c, connect(t, c.Endpoint()), remove
}

func TestFaultDelay(t *testing.T) {
	c, s, _ := faulty(t, keyslottest.Fault{Command: "get", Delay: 30 * time.Millisecond})
	begin := time.Now()
	s.want("$-1", "GET a")
	require.GreaterOrEqual(t, time.Since(begin), 30*time.Millisecond)
	remove, err := c.Inject(c.Nodes()[0].ID, keyslottest.Fault{Command: "get", Delay: time.Hour})
	require.NoError(t, err)
	remove()
	remove()
	s.want("$-1", "GET a")
}

func TestFaultDelayDoesNotHoldBackWhatWasAnsweredBefore(t *testing.T) {
	_, s, _ := faulty(t, keyslottest.Fault{Command: "GET", Delay: time.Hour})
	require.NoError(t, s.send("PING"))
	require.NoError(t, s.send("GET", "a"))
	reply, err := s.reply()
	require.NoError(t, err)
	require.Equal(t, "+PONG\r\n", reply)
}

func TestFaultStallIsAHungProcess(t *testing.T) {
	c, s, remove := faulty(t, keyslottest.Fault{Stall: true})
	require.NoError(t, s.send("INCR", "a"))
	late := connect(t, c.Endpoint()) // the kernel still accepts
	require.NoError(t, late.send("INCR", "a"))
	require.Zero(t, c.Stats("").Commands)
	remove()
	one, err := s.reply()
	require.NoError(t, err)
	two, err := late.reply()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{":1\r\n", ":2\r\n"}, []string{one, two}, "what waited in the sockets is executed")
}

func TestFaultErrorInsteadOfTheCommand(t *testing.T) {
	_, s, _ := faulty(t, keyslottest.Fault{Command: "CLUSTER SLOTS", Error: "LOADING Redis is loading the dataset in memory"})
	s.want("-LOADING Redis is loading the dataset in memory", "cluster slots")
	require.Contains(t, s.do("CLUSTER INFO"), "cluster_state:ok")
}

func TestFaultErrorSpoilsATransaction(t *testing.T) {
	_, s, _ := faulty(t, keyslottest.Fault{Command: "INCR", Times: 1, Error: "OOM command not allowed when used memory > 'maxmemory'."})
	s.want("+OK", "MULTI")
	s.want("-OOM command not allowed when used memory > 'maxmemory'.", "INCR a")
	s.want("+QUEUED", "INCR a")
	s.want("-EXECABORT Transaction discarded because of previous errors.", "EXEC")
	s.want("$-1", "GET a")
}

func TestFaultAfterAndTimes(t *testing.T) {
	_, s, _ := faulty(t, keyslottest.Fault{Command: "INCR", After: 1, Times: 2, Error: "BUSY a script runs"})
	s.want(":1", "INCR a")
	s.want("-BUSY a script runs", "INCR a")
	s.want("+PONG", "PING")
	s.want("-BUSY a script runs", "INCR a")
	s.want(":2", "INCR a")
}

func TestFaultDropReplyMovesTheLaterOnesUp(t *testing.T) {
	_, s, _ := faulty(t, keyslottest.Fault{Command: "INCR", Times: 1, DropReply: true})
	require.NoError(t, s.send("INCR", "a"))
	s.want("+PONG", "PING")
	s.want(":2", "INCR a")
}

func TestFaultNoRunSwallowsTheCommand(t *testing.T) {
	_, s, _ := faulty(t, keyslottest.Fault{Command: "INCR", Times: 1, NoRun: true})
	require.NoError(t, s.send("INCR", "a"))
	s.want("+PONG", "PING")
	s.want(":1", "INCR a")
}

func TestFaultResetAfterSomeBytes(t *testing.T) {
	for _, notRun := range []bool{false, true} {
		c, s, _ := faulty(t, keyslottest.Fault{Command: "SET", Times: 1, Reset: true, ReplyBytes: 3, NoRun: notRun})
		require.NoError(t, s.send("SET", "a", "x"))
		got, err := io.ReadAll(s.r)
		require.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
		if notRun {
			require.Empty(t, got)
			connect(t, c.Endpoint()).want("$-1", "GET a")
			continue
		}
		require.Equal(t, "+OK", string(got))
		connect(t, c.Endpoint()).want("$1\r\nx", "GET a")
	}
}

func TestFaultsAddUp(t *testing.T) {
	c, s, _ := faulty(t, keyslottest.Fault{Delay: 10 * time.Millisecond})
	_, err := c.Inject(c.Nodes()[0].ID, keyslottest.Fault{Command: "PING", Error: "ERR first", Delay: 10 * time.Millisecond})
	require.NoError(t, err)
	_, err = c.Inject(c.Nodes()[0].ID, keyslottest.Fault{Command: "PING", Error: "ERR second"})
	require.NoError(t, err)
	begin := time.Now()
	s.want("-ERR first", "PING")
	require.GreaterOrEqual(t, time.Since(begin), 20*time.Millisecond)
}

func TestFaultOfABlockingCommand(t *testing.T) {
	c, s, _ := faulty(t, keyslottest.Fault{Command: "BLPOP", DropReply: true})
	require.NoError(t, s.send("BLPOP", "a", "0"))
	waitBlocked(t, c.Endpoint(), 1)
	connect(t, c.Endpoint()).want(":1", "RPUSH a x")
	s.want("+PONG", "PING")
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1})
	_, err := c.Inject("nobody", keyslottest.Fault{})
	require.Error(t, err)
	for _, f := range []keyslottest.Fault{{After: -1}, {Times: -1}, {Delay: -1}, {ReplyBytes: -1}} {
		_, err := c.Inject(c.Nodes()[0].ID, f)
		require.Error(t, err, "%+v", f)
	}
}
