package keyslot

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// The first map, and every later one when all that is known has gone: stories of names and the addresses behind them.

const name = "clustercfg.shop.test"

// site is a network with DNS, and a cluster of three nodes at 10.0.<net>.1-3.
type site struct {
	net *fakenode.Net
	dns *fakeDNS
}

func (s *site) open(t *testing.T, opts Options) (*Client, error) {
	opts.Endpoints, opts.Resolver, opts.Dial = []string{name}, s.dns, s.net.Dial
	client, err := New(t.Context(), opts)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, client.Close()) })
	}
	return client, err
}

// cluster lets three nodes appear at the addresses of a network, and returns them.
func (s *site) cluster(network, epoch int) (nodes []*fakenode.Node) {
	addr := func(i int) string { return fmt.Sprintf("10.0.%d.%d:6379", network, i) }
	for i := 1; i <= 3; i++ {
		node := s.net.Node(addr(i))
		node.On("GET", fakenode.Reaction{Send: "$1\r\nv\r\n"})
		nodes = append(nodes, node)
	}
	s.net.Topology(epoch,
		fakenode.Shard{First: 0, Last: 5460, Nodes: []string{addr(1)}},
		fakenode.Shard{First: 5461, Last: 10922, Nodes: []string{addr(2)}},
		fakenode.Shard{First: 10923, Last: 16383, Nodes: []string{addr(3)}})
	return nodes
}

func onSite(t *testing.T, tell func(t *testing.T, s *site)) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{net: fakenode.New(), dns: &fakeDNS{}}
		t.Cleanup(s.net.Close)
		tell(t, s)
	})
}

func TestDeadRecordsAndABlackHoleCostLessThanOneTimeout(t *testing.T) {
	onSite(t, func(t *testing.T, s *site) {
		s.cluster(0, 1)
		s.net.BlackHole("10.0.9.1:6379")
		// 10.0.8.x refuse, and the order of the records is anybody's guess.
		s.dns.set(name, []string{"10.0.8.1", "10.0.9.1", "10.0.8.2", "10.0.0.2"}, nil)
		start := time.Now()
		client, err := s.open(t, Options{DialTimeout: time.Second})
		require.NoError(t, err)
		require.Less(t, time.Since(start), time.Second)
		require.Equal(t, 16384, client.Topology().Covered)
	})
}

func TestAllAddressesChangeBehindTheName(t *testing.T) {
	onSite(t, func(t *testing.T, s *site) {
		old := s.cluster(0, 40)
		s.dns.set(name, []string{"10.0.0.1", "10.0.0.2"}, nil)
		client, err := s.open(t, Options{})
		require.NoError(t, err)
		_, err = client.Get(t.Context(), "a")
		require.NoError(t, err)

		for _, node := range old {
			node.Close()
		}
		s.cluster(1, 2) // another cluster, with a lower epoch
		s.dns.set(name, []string{"10.0.1.3"}, nil)
		start := time.Now()
		for _, key := range []string{"a", "b", "c"} {
			_, err = client.Get(t.Context(), key)
			require.NoError(t, err)
		}
		// Up to 500 ms each: how long a lookup counts, and between two refreshes.
		require.LessOrEqual(t, time.Since(start), time.Second)
		require.EqualValues(t, 2, client.Topology().Epoch)
	})
}

// As after a network was taken away: nobody refuses. Replicas swallow dials as well.
func TestNodesThatOnlySwallowDialsAreLeftForTheName(t *testing.T) {
	onSite(t, func(t *testing.T, s *site) {
		old := s.cluster(0, 40)
		s.net.Topology(40,
			fakenode.Shard{First: 0, Last: 5460, Nodes: []string{"10.0.0.1:6379", "10.0.0.4:6379"}},
			fakenode.Shard{First: 5461, Last: 10922, Nodes: []string{"10.0.0.2:6379", "10.0.0.5:6379"}},
			fakenode.Shard{First: 10923, Last: 16383, Nodes: []string{"10.0.0.3:6379", "10.0.0.6:6379"}})
		s.dns.set(name, []string{"10.0.0.1"}, nil)
		client, err := s.open(t, Options{})
		require.NoError(t, err)
		for _, node := range old {
			node.Close()
		}
		for i := 1; i <= 6; i++ {
			s.net.BlackHole(fmt.Sprintf("10.0.0.%d:6379", i))
		}
		s.cluster(1, 41)
		s.dns.set(name, []string{"10.0.1.1"}, nil)
		_, err = client.Get(t.Context(), "a")
		require.NoError(t, err, "within CommandTimeout")
	})
}

func TestNoAddressAnswersAtStart(t *testing.T) {
	onSite(t, func(t *testing.T, s *site) {
		s.net.BlackHole("10.0.9.1:6379")
		s.dns.set(name, []string{"10.0.8.1", "10.0.9.1"}, nil)
		start := time.Now()
		_, err := s.open(t, Options{DialTimeout: time.Second})
		var boot *BootstrapError
		require.ErrorAs(t, err, &boot)
		require.ErrorContains(t, err, "10.0.8.1:6379")
		require.ErrorContains(t, err, "10.0.9.1:6379")
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
	})
}

// One endpoint that refuses hides none that has no address.
func TestAllEndpointsAreToldThatAreOfNoUse(t *testing.T) {
	onSite(t, func(t *testing.T, s *site) {
		s.dns.set(name, nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true})
		s.net.Node("10.0.0.2:6379").On("CLUSTER SLOTS", fakenode.Reaction{Send: "-NOPERM no permissions\r\n"})
		_, err := New(t.Context(), Options{Endpoints: []string{"10.0.0.1:6379", name, "10.0.0.2:6379"}, Resolver: s.dns, Dial: s.net.Dial})
		require.ErrorContains(t, err, "dial 10.0.0.1:6379: connection refused")
		require.ErrorContains(t, err, "NOPERM no permissions")
		require.ErrorContains(t, err, "; resolve "+name)
		require.Equal(t, 1, strings.Count(err.Error(), "keyslot: "), err)

		_, err = New(t.Context(), Options{Endpoints: []string{name}, Resolver: s.dns, Dial: s.net.Dial})
		require.Equal(t, 1, strings.Count(err.Error(), "resolve "), err)
	})
}

func TestAServerWithoutClusterSupportIsServedUnderRESP2Too(t *testing.T) {
	onSite(t, func(t *testing.T, s *site) {
		lone := s.net.Node("10.0.0.1:6379")
		refusal := fakenode.Reaction{Send: "-ERR This instance has cluster support disabled\r\n"}
		for _, sub := range []string{"MYID", "INFO", "SLOTS"} {
			lone.On("CLUSTER "+sub, refusal)
		}
		lone.On("HELLO", fakenode.Reaction{Send: "-ERR unknown command 'HELLO'\r\n"})
		lone.On("GET", fakenode.Reaction{Send: "$1\r\nv\r\n"})
		s.dns.set(name, []string{"10.0.0.1"}, nil)
		client, err := s.open(t, Options{})
		require.NoError(t, err)
		require.True(t, client.Topology().Standalone)
		lone.Cut(fakenode.RST)
		synctest.Wait()
		_, err = client.Get(t.Context(), "a")
		require.NoError(t, err)
		roles := 0
		for _, r := range lone.Tape() {
			if r.Name() == "ROLE" {
				roles++
			}
		}
		require.Equal(t, 2, roles, "of New, and of the connection after it")
	})
}

func TestADialFunctionThatReturnsNothingIsAnError(t *testing.T) {
	onSite(t, func(t *testing.T, s *site) {
		s.dns.set(name, []string{"10.0.0.1", "10.0.0.2"}, nil)
		nothing := func(context.Context, string, string) (net.Conn, error) { return nil, nil }
		_, err := New(t.Context(), Options{Endpoints: []string{name}, Resolver: s.dns, Dial: nothing})
		require.ErrorContains(t, err, "Options.Dial returned neither a connection nor an error")
	})
}

// Close comes when the cluster has told its topology, and before that is installed.
func TestAMapThatComesAfterCloseIsNoBadCluster(t *testing.T) {
	onSite(t, func(t *testing.T, s *site) {
		s.cluster(0, 1)
		core, err := newCore(Options{Endpoints: []string{"10.0.0.1:6379"}, Dial: s.net.Dial})
		require.NoError(t, err)
		core.closing.Do(func() { close(core.done) })
		_, _, err = core.learnFirst(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		core.pool.close()
		core.pool.waitConns()
	})
}
