package keyslot_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Stories of a proxy that poses as a cluster: one name, port 6379 for everything and 6380 for reads that may be old. No
// such cache can be reached from here; what these do is what users of several clients have seen.

const cacheName = "orders-abc123.serverless.use1.cache.amazonaws.com"

// cache is a serverless cache at 10.0.0.1.
type cache struct {
	*town
	net            *fakenode.Net
	writes, reader *fakenode.Node
}

// proxyAt lets the proxy answer at an address too.
func (c *cache) proxyAt(ip string) (writes, reader *fakenode.Node) {
	shard := fakenode.Shard{First: 0, Last: 16383, Nodes: []string{cacheName + ":6379", cacheName + ":6380"}}
	nodes := []*fakenode.Node{c.net.Node(ip + ":6379"), c.net.Node(ip + ":6380")}
	for i, n := range nodes {
		c.put(ip+[]string{":6379", ":6380"}[i], ip+[]string{":6379", ":6380"}[i])
		refused := says("-NOPERM this user has no permissions to run this command")
		n.On("CLUSTER MYID", refused)
		n.On("CLUSTER INFO", refused)
		n.On("CLUSTER SLOTS", fakenode.Reaction{Send: fakenode.Slots(shard)})
		n.On("READONLY", says("-ERR unknown command 'READONLY'"))
		n.On("ROLE", says("*3\r\n$6\r\nmaster\r\n:7\r\n*0")) // whatever lies behind it
		n.On("EXISTS", fakenode.Reaction{Send: ":0\r\n"})
		n.On("GET", value)
		n.On("SET", ok)
	}
	return nodes[0], nodes[1]
}

func cacheStory(t *testing.T, opts keyslot.Options, tell func(t *testing.T, c *cache, client *keyslot.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cache{town: newTown(), net: fakenode.New()}
		defer c.net.Close()
		c.connect = c.net.Dial
		c.writes, c.reader = c.proxyAt("10.0.0.1")
		c.call(cacheName, "10.0.0.1")
		opts.Endpoints = []string{cacheName}
		client, err := keyslot.New(t.Context(), c.options(opts))
		require.NoError(t, err)
		defer client.Close()
		tell(t, c, client)
	})
}

// stays requires that nothing has made the reader a primary, or sent it a write.
func (c *cache) stays(t *testing.T, client *keyslot.Client) {
	t.Helper()
	require.Empty(t, sent(c.reader, "SET"))
	shards := client.Topology().Shards
	require.Len(t, shards, 1)
	require.Equal(t, cacheName+":6379", shards[0].Primary.Addr())
	require.Equal(t, cacheName+":6380", shards[0].Replicas[0].Addr())
}

func TestALostServerlessPrimaryIsDialledAgainAndItsReaderNeverWrites(t *testing.T) {
	cacheStory(t, keyslot.Options{}, func(t *testing.T, c *cache, client *keyslot.Client) {
		for range 20 {
			require.NoError(t, client.Set(t.Context(), low, "v"))
			c.writes.Cut(fakenode.RST)
			synctest.Wait()
		}
		c.writes.Close()
		require.ErrorIs(t, client.Set(t.Context(), low, "v"), keyslot.ErrNotExecuted)
		c.stays(t, client)
		require.Empty(t, sent(c.reader, "EXISTS"), "nobody asks a proxy who serves what")
		c.writes, _ = c.proxyAt("10.0.0.1")
		require.NoError(t, client.Set(t.Context(), low, "v"))
		c.stays(t, client)
	})
}

func TestAServerlessPrimaryThatRedirectsToItselfIsAskedAnew(t *testing.T) {
	cacheStory(t, keyslot.Options{}, func(t *testing.T, c *cache, client *keyslot.Client) {
		moved := says("-MOVED 866 %s:6379", cacheName)
		c.writes.On("SET", moved, ok, moved, moved, ok)
		began := time.Now()
		require.NoError(t, client.Set(t.Context(), low, "v"))
		require.Zero(t, time.Since(began), "at once, on a new connection")
		tape := sent(c.writes, "SET")
		require.Len(t, tape, 2)
		require.NotEqual(t, tape[0].Conn, tape[1].Conn)
		require.NoError(t, client.Set(t.Context(), low, "v"), "for as long as it takes")

		c.writes.On("SET", says("-MOVED 866 %s:6380", cacheName), says("-ASK 866 10.9.9.9:6379\r\n"), ok)
		require.NoError(t, client.Set(t.Context(), low, "v"), "wherever it points")
		c.stays(t, client)
		require.Empty(t, sent(c.writes, "ASKING"))
	})
}

func TestReadsGoToTheServerlessReaderWhateverItSaysOfItsRole(t *testing.T) {
	for name, role := range map[string]fakenode.Reaction{
		"a primary": says("*3\r\n$6\r\nmaster\r\n:7\r\n*0"),
		"hidden":    says("-ERR unknown command 'ROLE'"),
		"nonsense":  says("+42"),
	} {
		t.Run(name, func(t *testing.T) {
			cacheStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, func(t *testing.T, c *cache, client *keyslot.Client) {
				c.reader.On("ROLE", role)
				for range 10 {
					_, err := client.Get(t.Context(), low)
					require.NoError(t, err)
					synctest.Wait()
				}
				require.GreaterOrEqual(t, len(sent(c.reader, "GET")), 9)
				c.reader.On("GET", says("-MOVED 866 %s:6379", cacheName))
				_, err := client.Get(t.Context(), low)
				require.NoError(t, err, "which the primary answers")
				c.stays(t, client)
			})
		})
	}
}

func TestAddressesBehindAServerlessNameMayChangeAtAnyTime(t *testing.T) {
	cacheStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, func(t *testing.T, c *cache, client *keyslot.Client) {
		for _, ip := range []string{"10.0.0.2", "10.0.0.3"} {
			_, err := client.Get(t.Context(), low)
			require.NoError(t, err)
			c.writes.Close()
			c.reader.Close()
			synctest.Wait() // or the write might be on its way by then
			c.writes, c.reader = c.proxyAt(ip)
			c.call(cacheName, ip)
			began := time.Now()
			require.NoError(t, client.Set(t.Context(), low, "v"))
			_, err = client.Get(t.Context(), low)
			require.NoError(t, err)
			// Up to 500 ms each: how long a lookup counts, between two dials, and between two attempts.
			require.LessOrEqual(t, time.Since(began), 1500*time.Millisecond)
			c.stays(t, client)
		}
	})
}

func TestASlowServerlessProxyIsNotTakenForADeadConnection(t *testing.T) {
	cacheStory(t, keyslot.Options{}, func(t *testing.T, c *cache, client *keyslot.Client) {
		slow := ok
		slow.Delay = 3 * time.Second
		c.writes.On("SET", slow)
		c.writes.On("CLIENT LIST", fakenode.Reaction{Send: "$0\r\n\r\n"}) // another server's word
		c.writes.On("HELLO", says("%%2\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:17"))
		c.writes.Cut(fakenode.RST)
		synctest.Wait()
		require.NoError(t, client.Set(t.Context(), low, "v"))
		require.Empty(t, sent(c.writes, "CLIENT LIST"))
	})
}
