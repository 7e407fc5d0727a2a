package keyslottest_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// frame is a message, or a confirmation, as a client in RESP2 reads it; what begins with a colon is a number.
func frame(words ...string) string {
	b := fmt.Sprintf("*%d\r\n", len(words))
	for _, w := range words {
		if strings.HasPrefix(w, ":") {
			b += w + "\r\n"
		} else {
			b += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
		}
	}
	return b
}

// hears expects frame(words...) to be what comes next.
func (s session) hears(words ...string) {
	s.t.Helper()
	reply, err := s.reply()
	require.NoError(s.t, err)
	require.Equal(s.t, frame(words...), reply)
}

// subscriber is a client in RESP2 that has sent command, to which it is confirmed.
func subscriber(t testing.TB, addr, command string) session {
	t.Helper()
	s := connect(t, addr)
	word, name, _ := strings.Cut(command, " ")
	require.Equal(t, frame(strings.ToLower(word), name, ":1"), s.do(command))
	return s
}

func TestMessagesOfOneConnectionArriveInOrder(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 1})
	const count = 3000
	var heard []session
	for _, n := range c.Nodes() {
		heard = append(heard, subscriber(t, n.Addr, "SUBSCRIBE news"))
	}
	publisher := connect(t, c.Endpoint())
	for i := range count {
		require.NoError(t, publisher.send("PUBLISH", "news", fmt.Sprint(i)))
	}
	for range count {
		reply, err := publisher.reply()
		require.NoError(t, err)
		require.Equal(t, ":1\r\n", reply)
	}
	for _, s := range heard {
		for i := range count {
			s.hears("message", "news", fmt.Sprint(i))
		}
	}
	require.EqualValues(t, count*len(heard), c.Stats("").Messages)
	require.Equal(t, len(heard), c.Stats("").Subscribers)
	require.Equal(t, 1, c.Stats(c.Nodes()[0].ID).Subscribers)
}

func TestAMessageComesBehindTheConfirmation(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1})
	const count = 1000
	s, publisher := connect(t, c.Endpoint()), connect(t, c.Endpoint())
	var pipeline strings.Builder
	for i := range count {
		fmt.Fprintf(&pipeline, "SUBSCRIBE %d\r\n", i)
	}
	_, err := io.WriteString(s.nc, pipeline.String())
	require.NoError(t, err)
	for i := range count {
		require.Eventually(t, func() bool {
			reply, err := publisher.client.do(fmt.Sprintf("PUBLISH %d x", i))
			return err == nil && reply == ":1\r\n"
		}, waitLimit, time.Microsecond)
	}
	confirmed := map[string]bool{}
	for messages := 0; messages < count; {
		reply, err := s.reply()
		require.NoError(t, err)
		words := strings.Split(reply, "\r\n") // *3  $n  <word>  $n  <channel> ...
		if words[2] == "subscribe" {
			confirmed[words[4]] = true
			continue
		}
		require.True(t, confirmed[words[4]], words[4])
		messages++
	}
}

// A subscriber that does not read is cut off where a server would, and holds up neither publishers nor others.
func TestASubscriberThatDoesNotReadIsCutOff(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1})
	addr := c.Endpoint()
	silent := subscriber(t, addr, "SUBSCRIBE news")
	reader := subscriber(t, addr, "SUBSCRIBE news")
	publisher := connect(t, addr)
	message := strings.Repeat("x", 1<<20)
	sent := 0
	for sent < 64 && c.Stats("").Subscribers == 2 {
		require.NoError(t, publisher.send("PUBLISH", "news", message))
		_, err := publisher.reply()
		require.NoError(t, err)
		reader.hears("message", "news", message)
		sent++
	}
	require.Greater(t, sent, 31, "a server lets 32 MiB wait")
	require.Less(t, sent, 48, "what the kernel keeps is on top")
	require.Equal(t, 1, c.Stats("").Subscribers)
	require.Equal(t, frame("news", ":1"), publisher.do("PUBSUB NUMSUB news"))
	_, err := silent.reply()
	for err == nil {
		_, err = silent.reply()
	}
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is closed")
}

// Close does not wait for those who do not read.
func TestCloseWithMessagesThatNobodyReads(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1})
	silent := subscriber(t, c.Endpoint(), "SUBSCRIBE news")
	publisher := connect(t, c.Endpoint())
	message := strings.Repeat("x", 1<<20)
	for range 16 {
		require.NoError(t, publisher.send("PUBLISH", "news", message))
		_, err := publisher.reply()
		require.NoError(t, err)
	}
	require.NoError(t, silent.send("QUIT"), "which is answered behind them")
	require.NoError(t, c.Close())
}

// A message that is on its way does not keep the node from hearing its subscriber.
func TestWhoDoesNotReadMayUnsubscribe(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1})
	silent := subscriber(t, c.Endpoint(), "SUBSCRIBE news")
	publisher := connect(t, c.Endpoint())
	message := strings.Repeat("x", 1<<20)
	const count = 20
	for range count {
		require.NoError(t, publisher.send("PUBLISH", "news", message))
		_, err := publisher.reply()
		require.NoError(t, err)
	}
	require.NoError(t, silent.send("UNSUBSCRIBE"))
	require.Eventually(t, func() bool { return c.Stats("").Subscribers == 0 }, waitLimit, waitStep)
	publisher.want(":0", "PUBLISH news x")
	for range count {
		silent.hears("message", "news", message)
	}
	silent.hears("unsubscribe", "news", ":0")
	silent.want("+PONG", "PING")
}

func TestSubscribersOfANodeThatStops(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 1, PartialCoverage: true})
	node := c.Owner("a")
	plain, shard := subscriber(t, node.Addr, "SUBSCRIBE news"), subscriber(t, node.Addr, "SSUBSCRIBE a")
	require.NoError(t, c.Stop(node.ID))
	for _, s := range []session{plain, shard} {
		_, err := s.reply()
		require.Error(t, err)
	}
	require.NoError(t, c.Restart(node.ID))
	require.Zero(t, c.Stats("").Subscribers)
	publisher := connect(t, node.Addr)
	publisher.want(":0", "PUBLISH news x")
	publisher.want(":0", "SPUBLISH a x")
	publisher.want("*0", "PUBSUB SHARDCHANNELS")
	again := subscriber(t, node.Addr, "SSUBSCRIBE a")
	publisher.want(":1", "SPUBLISH a x")
	again.hears("smessage", "a", "x")
}

// Every node that hears of the slot's new owner drops the slot's channels, but for the one that is promoted.
func TestShardSubscribersAreToldOfAFailover(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 2})
	s := c.Shards()[2] // owns a
	var all []session
	for _, n := range append([]keyslottest.Node{s.Primary}, s.Replicas...) {
		all = append(all, subscriber(t, n.Addr, "SSUBSCRIBE a"))
	}
	require.NoError(t, c.Failover(s.Replicas[0].ID))
	all[0].hears("sunsubscribe", "a", ":0")
	all[2].hears("sunsubscribe", "a", ":0")
	connect(t, s.Replicas[0].Addr).want(":1", "SPUBLISH a x")
	all[1].hears("smessage", "a", "x")

	fresh, err := c.Replace(s.Replicas[0].ID)
	require.NoError(t, err)
	_, err = all[1].reply()
	require.Error(t, err)
	all[2].want(":0", "SPUBLISH a x")
	require.Equal(t, frame("ssubscribe", "a", ":1"), all[2].do("SSUBSCRIBE a"))
	_, err = c.Replace(fresh.ID)
	require.NoError(t, err)
	all[2].hears("sunsubscribe", "a", ":0")
}

func TestShardSubscribersAreToldOfSlotsThatLeave(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 2, PartialCoverage: true})
	n := c.Nodes()
	moved := subscriber(t, n[0].Addr, "SSUBSCRIBE b")
	require.NoError(t, c.MoveSlots(t.Context(), n[0].ID, n[1].ID, 3300))
	moved.hears("sunsubscribe", "b", ":0")
	moved.want("-MOVED 3300 "+n[1].Addr, "SSUBSCRIBE b")

	deleted := subscriber(t, n[1].Addr, "SSUBSCRIBE b")
	require.NoError(t, c.DeleteSlots(3300))
	deleted.hears("sunsubscribe", "b", ":0")
	deleted.want("-CLUSTERDOWN Hash slot not served", "SSUBSCRIBE b")
	require.NoError(t, c.AddSlots(n[1].ID, 3300))
}

// The nodes of a shard that is removed are stopped, but not before they have said what they owe.
func TestShardSubscribersAreToldOfAShardThatIsRemoved(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 2})
	leaving := c.Owner("b")
	s, publisher := subscriber(t, leaving.Addr, "SSUBSCRIBE b"), connect(t, leaving.Addr)
	message := strings.Repeat("x", 1<<20)
	const count = 8 // more than the kernel keeps
	for range count {
		require.NoError(t, publisher.send("SPUBLISH", "b", message))
		_, err := publisher.reply()
		require.NoError(t, err)
	}
	removed := make(chan error, 1)
	go func() { removed <- c.RemoveShard(t.Context(), leaving.ID) }()
	require.Eventually(t, func() bool { return c.Owner("b").ID != leaving.ID }, waitLimit, waitStep)
	for range count {
		s.hears("smessage", "b", message)
	}
	s.hears("sunsubscribe", "b", ":0")
	_, err := s.reply()
	require.Error(t, err)
	require.NoError(t, <-removed)
}

// cluster-allow-pubsubshard-when-down is yes on a server unless it is told otherwise.
func TestShardChannelsOfAClusterThatIsDown(t *testing.T) {
	c := start(t, keyslottest.Options{})
	require.NoError(t, c.Stop(c.Owner("b").ID))
	publisher := connect(t, c.Owner("a").Addr)
	publisher.want("-CLUSTERDOWN The cluster is down", "GET a")
	s := subscriber(t, c.Owner("a").Addr, "SSUBSCRIBE a")
	publisher.want(":1", "SPUBLISH a x")
	s.hears("smessage", "a", "x")
	publisher.want("+OK", "MULTI")
	publisher.want("+QUEUED", "SPUBLISH a x")
	publisher.want("-CLUSTERDOWN The cluster is down", "EXEC")
}

func TestPublishWithoutClusterMode(t *testing.T) {
	c := start(t, keyslottest.Options{Standalone: true, Replicas: 1})
	primary, replica := c.Nodes()[0].Addr, c.Nodes()[1].Addr
	onPrimary, onReplica := subscriber(t, primary, "SUBSCRIBE news"), subscriber(t, replica, "SUBSCRIBE news")
	connect(t, primary).want(":1", "PUBLISH news 1")
	connect(t, replica).want(":1", "PUBLISH news 2")
	connect(t, primary).want(":1", "PUBLISH news 3")
	onPrimary.hears("message", "news", "1")
	onPrimary.hears("message", "news", "3")
	onReplica.hears("message", "news", "1")
	onReplica.hears("message", "news", "2")
	onReplica.hears("message", "news", "3")
	sharded := connect(t, primary)
	require.Equal(t, frame("ssubscribe", "a", ":1"), sharded.do("SSUBSCRIBE a"))
	connect(t, primary).want(":1", "SPUBLISH a x")
	sharded.hears("smessage", "a", "x")
}

func TestFaultsOfSubscribing(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1})
	node, publisher := c.Nodes()[0], connect(t, c.Endpoint())
	inject := func(f keyslottest.Fault) {
		remove, err := c.Inject(node.ID, f)
		require.NoError(t, err)
		t.Cleanup(remove)
	}
	inject(keyslottest.Fault{Command: "SUBSCRIBE", Times: 1, Error: "NOPERM no"})
	s := connect(t, node.Addr)
	s.want("-NOPERM no", "SUBSCRIBE news")

	inject(keyslottest.Fault{Command: "SUBSCRIBE", Times: 1, DropReply: true})
	require.NoError(t, s.send("SUBSCRIBE", "news"))
	require.Eventually(t, func() bool { return c.Stats(node.ID).Subscribers == 1 }, waitLimit, waitStep)
	publisher.want(":1", "PUBLISH news x")
	s.hears("message", "news", "x")

	inject(keyslottest.Fault{Command: "UNSUBSCRIBE", Times: 1, Reset: true, ReplyBytes: 4})
	require.NoError(t, s.send("UNSUBSCRIBE"))
	cut, err := s.reply()
	require.Error(t, err)
	require.Equal(t, "*3\r\n", cut)
	require.Eventually(t, func() bool { return c.Stats(node.ID).Subscribers == 0 }, waitLimit, waitStep)

	inject(keyslottest.Fault{Command: "PUBLISH", Times: 1, NoRun: true, Error: "LOADING"})
	s = subscriber(t, node.Addr, "SUBSCRIBE news")
	publisher.want("-LOADING", "PUBLISH news lost")
	publisher.want(":1", "PUBLISH news x")
	s.hears("message", "news", "x")
}

// A process that hangs sends no messages either, and all when it goes on.
func TestANodeThatHangsSendsNothing(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 2})
	hanging, other := c.Nodes()[0], c.Nodes()[1]
	s := subscriber(t, hanging.Addr, "SUBSCRIBE news")
	remove, err := c.Inject(hanging.ID, keyslottest.Fault{Stall: true})
	require.NoError(t, err)
	connect(t, other.Addr).want(":0", "PUBLISH news x")
	require.NoError(t, s.nc.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = s.r.ReadByte()
	require.Error(t, err)
	remove()
	s.hears("message", "news", "x")

	remove, err = c.Inject(hanging.ID, keyslottest.Fault{Stall: true})
	require.NoError(t, err)
	defer remove()
	connect(t, other.Addr).want(":0", "PUBLISH news x")
	require.NoError(t, c.Close())
	_, err = s.reply()
	require.Error(t, err)
}

func TestMessagesOverTLS(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer web.Close()
	c := start(t, keyslottest.Options{Shards: 1, TLS: &tls.Config{Certificates: web.TLS.Certificates}})
	open := func() session {
		nc, err := tls.Dial("tcp", c.Endpoint(), web.Client().Transport.(*http.Transport).TLSClientConfig)
		require.NoError(t, err)
		t.Cleanup(func() { nc.Close() })
		return session{&client{nc, bufio.NewReader(nc)}, t}
	}
	s := open()
	require.Equal(t, frame("subscribe", "news", ":1"), s.do("SUBSCRIBE news"))
	open().want(":1", "PUBLISH news x")
	s.hears("message", "news", "x")
	s.want("+OK", "QUIT")
	_, err := s.reply()
	require.ErrorIs(t, err, io.EOF)
}
