package keyslottest_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestZeroOptionsAreThreePrimaries(t *testing.T) {
	c := start(t, keyslottest.Options{})
	shards := c.Shards()
	require.Len(t, shards, 3)
	require.Equal(t, []keyslottest.SlotRange{{First: 0, Last: 5460}}, shards[0].Slots)
	require.Equal(t, []keyslottest.SlotRange{{First: 5461, Last: 10921}}, shards[1].Slots)
	require.Equal(t, []keyslottest.SlotRange{{First: 10922, Last: 16383}}, shards[2].Slots)
	require.Len(t, c.Nodes(), 3)
	require.Equal(t, c.Nodes()[0].Addr, c.Endpoint())
	connect(t, c.Endpoint()).want("+PONG", "PING")
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, opts := range []keyslottest.Options{
		{Shards: -1}, {Shards: 1001}, {Shards: 500, Replicas: 2}, {Replicas: -1}, {Announce: 9}, {StepPause: -1},
	} {
		_, err := keyslottest.Start(opts)
		require.Error(t, err, "%+v", opts)
	}
}

func TestEveryNodeHasItsOwnShareOfTheKeys(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 3})
	total := 0
	for i := range 300 {
		key := fmt.Sprint("key:", i)
		connect(t, c.Owner(key).Addr).want("+OK", "SET "+key+" x")
	}
	for _, n := range c.Nodes() {
		s := connect(t, n.Addr)
		var size int
		fmt.Sscanf(s.do("DBSIZE"), ":%d", &size)
		require.Positive(t, size)
		require.Len(t, scanAll(s), size)
		require.Contains(t, s.do("INFO keyspace"), fmt.Sprintf("db0:keys=%d,", size))
		total += size
	}
	require.Equal(t, 300, total)
}

func scanAll(s session) map[string]bool {
	keys, cursor := map[string]bool{}, "0"
	for {
		// *2  $n  <cursor>  *k  $n <key> ...
		lines := strings.Split(s.do("SCAN "+cursor+" MATCH key:* COUNT 7"), "\r\n")
		for i := 5; i < len(lines); i += 2 {
			require.False(s.t, keys[lines[i]], "%s came twice", lines[i])
			keys[lines[i]] = true
		}
		if cursor = lines[2]; cursor == "0" {
			return keys
		}
	}
}

func TestPasswordIsAskedFor(t *testing.T) {
	c := start(t, keyslottest.Options{Password: "secret"})
	s := connect(t, c.Endpoint())
	s.want("-NOAUTH Authentication required.", "PING")
	s.want("-ERR unknown command 'NOSUCH', with args beginning with: ", "NOSUCH")
	s.want("-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option "+
		"can be used to authenticate the client and select the RESP protocol version at the same time", "HELLO 3")
	s.want("-WRONGPASS invalid username-password pair or user is disabled.", "HELLO 3 AUTH default bad")
	s.want("-WRONGPASS invalid username-password pair or user is disabled.", "AUTH nobody secret")
	s.want("+OK", "AUTH secret")
	s.want("+PONG", "PING")
	s.want("-WRONGPASS invalid username-password pair or user is disabled.", "AUTH bad")
	s.want("+PONG", "PING")
	s.want("+RESET", "RESET")
	s.want("-NOAUTH Authentication required.", "PING")
	require.Contains(t, s.do("HELLO 3 AUTH default secret SETNAME me"), "%7\r\n$6\r\nserver\r\n")
	s.want("$2\r\nme", "CLIENT GETNAME")
}

func TestUserAndPassword(t *testing.T) {
	c := start(t, keyslottest.Options{Username: "ann", Password: "secret"})
	s := connect(t, c.Endpoint())
	s.want("-WRONGPASS invalid username-password pair or user is disabled.", "AUTH secret")
	s.want("+OK", "AUTH ann secret")
}

func TestRESP2OnlyDoesNotKnowHello(t *testing.T) {
	c := start(t, keyslottest.Options{RESP2Only: true})
	connect(t, c.Endpoint()).want("-ERR unknown command 'HELLO', with args beginning with: '3' ", "HELLO 3")
}

func TestAnnounce(t *testing.T) {
	for announce, want := range map[keyslottest.Announce]struct{ host, moved, extra string }{
		keyslottest.AnnounceIP:         {"$9\r\n127.0.0.1", "127.0.0.1", "%0"},
		keyslottest.AnnounceHostname:   {"$9\r\nlocalhost", "localhost", "%1\r\n$2\r\nip\r\n$9\r\n127.0.0.1"},
		keyslottest.AnnounceNoHostname: {"$1\r\n?", "?", "%1\r\n$2\r\nip\r\n$9\r\n127.0.0.1"},
		keyslottest.AnnounceEmpty:      {"$0\r\n", "", "%0"},
		keyslottest.AnnounceUnknown:    {"_", "", "%1\r\n$2\r\nip\r\n$9\r\n127.0.0.1"},
	} {
		c := start(t, keyslottest.Options{Shards: 2, Announce: announce})
		n := c.Nodes()
		_, port, _ := strings.Cut(n[1].Addr, ":")
		s := connect(t, n[0].Addr)
		s.want("-MOVED 15495 "+want.moved+":"+port, "GET a")
		s.do("HELLO 3")
		require.Contains(t, s.do("CLUSTER SLOTS"), fmt.Sprintf(
			"*3\r\n:8192\r\n:16383\r\n*4\r\n%s\r\n:%s\r\n$40\r\n%s\r\n%s\r\n", want.host, port, n[1].ID, want.extra))
	}
}

func TestKeysExpireOnTheRealClock(t *testing.T) {
	c := start(t, keyslottest.Options{})
	s := connect(t, c.Owner("a").Addr)
	s.want("+OK", "SET a x PX 50")
	s.want("$1\r\nx", "GET a")
	require.Eventually(t, func() bool { return s.do("GET a") == "$-1\r\n" }, waitLimit, waitStep)
	s.want(":0", "DBSIZE")
}

// A walk over many keys takes long, so time passes in steps; the set time of an expiry is in step with them.
func TestAnExpiryIsReadAsItWasSet(t *testing.T) {
	s := connect(t, start(t, keyslottest.Options{Shards: 1}).Nodes()[0].Addr)
	for i := range 3000 {
		s.want("+OK", fmt.Sprint("SET ", i, " x EX 1000"))
	}
	for range 100 {
		for _, set := range []string{"SET a x EXAT 9999999999", "EXPIREAT a 9999999999", "GETEX a EXAT 9999999999"} {
			s.do(set)
			for range 10 {
				s.want(":9999999999", "EXPIRETIME a")
			}
		}
	}
}

func TestManualClockStandsStill(t *testing.T) {
	c := start(t, keyslottest.Options{ManualClock: true})
	s := connect(t, c.Owner("a").Addr)
	before := s.do("TIME")
	s.want("+OK", "SET a x PX 1")
	s.want(":1", "PTTL a")
	c.AdvanceClock(time.Hour)
	s.want("$-1", "GET a")
	s.want("+OK", "SET a x EX 10")
	c.AdvanceClock(4 * time.Second)
	s.want(":6", "TTL a")
	var then, now int
	fmt.Sscanf(before, "*2\r\n$10\r\n%d", &then)
	fmt.Sscanf(s.do("TIME"), "*2\r\n$10\r\n%d", &now)
	require.Equal(t, 3604, now-then)
}

func TestTheWaitForAStreamEndsWhenItExpires(t *testing.T) {
	c := start(t, keyslottest.Options{ManualClock: true})
	owner := c.Owner("a").Addr
	s := connect(t, owner)
	s.want("+OK", "XGROUP CREATE a g $ MKSTREAM")
	s.want(":1", "PEXPIRE a 100")
	require.NoError(t, s.send(strings.Fields("XREADGROUP GROUP g c BLOCK 0 STREAMS a >")...))
	waitBlocked(t, owner, 1)
	c.AdvanceClock(time.Second)
	reply, err := s.reply()
	require.NoError(t, err)
	require.Equal(t, "-UNBLOCKED the stream key no longer exists\r\n", reply)
}

func TestStats(t *testing.T) {
	c := start(t, keyslottest.Options{})
	first := c.Nodes()[0]
	s := connect(t, first.Addr)
	s.do("GET a")
	s.do("GET a")
	s.do("CLUSTER SLOTS")
	require.Equal(t, keyslottest.Stats{Commands: 3, Moved: 2, ClusterSlots: 1, Accepted: 1, Conns: 1}, c.Stats(first.ID))
	require.Equal(t, c.Stats(first.ID), c.Stats(""))
	require.Zero(t, c.Stats("nobody"))
	_, err := c.Replace(first.ID)
	require.NoError(t, err)
	kept := keyslottest.Stats{Commands: 3, Moved: 2, ClusterSlots: 1, Accepted: 1}
	require.Equal(t, kept, c.Stats(""), "the counts of nodes that are gone are kept")
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	c, err := keyslottest.Start(keyslottest.Options{Shards: 3, Replicas: 1})
	require.NoError(t, err)
	blocked, stalled, idle := connect(t, c.Owner("a").Addr), connect(t, c.Owner("b").Addr), connect(t, c.Owner("c").Addr)
	require.NoError(t, blocked.send("BLPOP", "a", "0"))
	waitBlocked(t, c.Owner("a").Addr, 1)
	_, err = c.Inject(c.Owner("b").ID, keyslottest.Fault{Stall: true})
	require.NoError(t, err)
	require.NoError(t, stalled.send("GET", "b"))
	idle.want("+PONG", "PING")

	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	for _, s := range []session{blocked, stalled, idle} {
		_, err := s.reply()
		require.Error(t, err)
	}
	for begin := time.Now(); runtime.NumGoroutine() > before && time.Since(begin) < waitLimit; {
		runtime.Gosched() // goroutines that have returned may still have to exit
	}
	stacks := make([]byte, 1<<20)
	require.LessOrEqual(t, runtime.NumGoroutine(), before, "%s", stacks[:runtime.Stack(stacks, true)])
	_, err = c.AddShard()
	require.Error(t, err)
}

func TestADisconnectedClientIsNoLongerBlocked(t *testing.T) {
	c := start(t, keyslottest.Options{})
	owner := c.Owner("a").Addr
	gone := connect(t, owner)
	require.NoError(t, gone.send("BLPOP", "a", "0"))
	waitBlocked(t, owner, 1)
	gone.nc.Close()
	waitBlocked(t, owner, 0)
	s := connect(t, owner)
	s.want(":1", "RPUSH a x")
	s.want(":1", "LLEN a")
}

func TestWhatIsSentBehindABlockedCommandIsAnsweredAfterIt(t *testing.T) {
	c := start(t, keyslottest.Options{})
	owner := c.Owner("a").Addr
	s := connect(t, owner)
	require.NoError(t, s.send("BLPOP", "a", "0"))
	waitBlocked(t, owner, 1)
	require.NoError(t, s.send("INCR", "{a}n"))
	require.NoError(t, s.send("INCR", "{a}n"))
	connect(t, owner).want(":1", "RPUSH a x")
	for _, want := range []string{"*2\r\n$1\r\na\r\n$1\r\nx\r\n", ":1\r\n", ":2\r\n"} {
		reply, err := s.reply()
		require.NoError(t, err)
		require.Equal(t, want, reply)
	}
}

// TestDocNamesWhatIsMissing keeps the package comment complete: a command on keys that is not supported has to be in
// it, if servers of version 7.0 know it.
func TestDocNamesWhatIsMissing(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	s := connect(t, start(t, keyslottest.Options{Shards: 1}).Endpoint())
	for cmd := range spec.All() {
		args := strings.Fields(cmd.Name)
		for len(args) < max(cmd.Arity, -cmd.Arity) {
			args = append(args, "1")
		}
		if cmd.Flags.Has(spec.Module) || strings.HasSuffix(cmd.Name, " HELP") || cmd.Name == "QUIT" {
			continue
		}
		s.send(args...)
		reply, err := s.reply()
		require.NoError(t, err, cmd.Name)
		if strings.Contains(reply, " not supported") {
			require.Contains(t, reply, "-ERR unknown command '")
			require.Contains(t, reply, "not supported by keyslottest")
		}
		keyed := !strings.Contains("connection server cluster pubsub", cmd.Group)
		known := cmd.Since < "7.1" && !strings.HasPrefix(cmd.Since, "10.")
		if keyed && known && strings.Contains(reply, "not supported by keyslottest") {
			named := regexp.MustCompile(`\b` + strings.Fields(cmd.Name)[0] + `\b`)
			require.True(t, named.Match(text), "%s is not supported, and doc.go does not say so", cmd.Name)
		}
		s.do("RESET")
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer web.Close()
	c := start(t, keyslottest.Options{TLS: &tls.Config{Certificates: web.TLS.Certificates}})
	nc, err := tls.Dial("tcp", c.Owner("a").Addr, web.Client().Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	defer nc.Close()
	s := session{&client{nc, bufio.NewReader(nc)}, t}
	s.want("+OK", "SET a x")
	require.Contains(t, s.do("CLUSTER SHARDS"), "tls-port")

	require.NoError(t, s.send("BLPOP", "b{a}", "0"))
	other, err := tls.Dial("tcp", c.Owner("a").Addr, web.Client().Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	defer other.Close()
	pusher := session{&client{other, bufio.NewReader(other)}, t}
	for strings.Contains(pusher.do("INFO clients"), "blocked_clients:0") {
		runtime.Gosched()
	}
	pusher.want(":1", "RPUSH b{a} x")
	reply, err := s.reply()
	require.NoError(t, err)
	require.Equal(t, "*2\r\n$4\r\nb{a}\r\n$1\r\nx\r\n", reply)
	s.want("+PONG", "PING")

	s.want("+OK", "QUIT")
	_, err = s.reply()
	require.ErrorIs(t, err, io.EOF, "an orderly end")
	require.NotContains(t, raw(t, c.Endpoint(), []byte("PING\r\n")), "PONG", "plain text is not understood")
}

// Whoever acknowledges entry by entry must not pay for all that is pending with each.
func TestAnAcknowledgementCostsTheSameWhateverIsPending(t *testing.T) {
	c := start(t, keyslottest.Options{})
	s := connect(t, c.Owner("a").Addr)
	s.do("XGROUP CREATE a g 0 MKSTREAM")
	for i := range 1000 {
		s.do(fmt.Sprintf("XADD a %d-1 f v", i+1))
	}
	s.do("XREADGROUP GROUP g me COUNT 1000 STREAMS a >")
	next := 0
	allocs := testing.AllocsPerRun(10, func() {
		next++
		s.want(":1", fmt.Sprintf("XACK a g %d-1", next))
	})
	require.Less(t, allocs, 1000.0)
}
