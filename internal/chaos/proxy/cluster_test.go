package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/names"
	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// What keyslot dials is told to be a client's, whatever it is for, and nothing else that comes through the fronts is.
func TestClientsOfRealClustersAreTold(t *testing.T) {
	t.Parallel()
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) { clientsAreTold(t, e, secure) })
		}
	})
}

func clientsAreTold(t *testing.T, e realcluster.Engine, secure bool) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stand := fronts(t, secure)
	opts := realcluster.Options{
		Engine: e.Name, Primaries: 2, Replicas: 1, Password: "secret", TLS: secure, Front: stand.open,
		Config: []string{`rename-command HELLO ""`}, // clients begin with it all the same
	}
	if secure {
		opts.Hostname, opts.Config = hostname, nil
	}
	cluster := realcluster.Start(t, opts)
	require.NoError(t, cluster.Reshard(ctx, cluster.Node(0), cluster.Node(1), 4))
	require.Zero(t, stand.dials())

	var dialled atomic.Int64
	client, err := keyslot.New(ctx, keyslot.Options{
		Endpoints: []string{net.JoinHostPort("cfg."+realcluster.Domain, cluster.Node(0).Port())},
		Password:  "secret", TLS: cluster.TLSConfig(), Resolver: stand.resolver(),
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err == nil {
				dialled.Add(1)
			}
			return conn, err
		},
	})
	require.NoError(t, err)
	defer client.Close()
	useEverything(ctx, t, client)

	require.NoError(t, cluster.Failover(ctx, cluster.Node(2)))
	require.NoError(t, client.Set(ctx, "after", "x"))
	require.Positive(t, dialled.Load())
	require.Eventually(t, func() bool { return stand.dials() == int(dialled.Load()) }, patience, time.Millisecond)
}

// useEverything makes client dial all kinds of connections.
func useEverything(ctx context.Context, t *testing.T, client *keyslot.Client) {
	t.Helper()
	for i := range 20 {
		require.NoError(t, client.Set(ctx, fmt.Sprint("key:", i), "x"))
		if _, err := client.ReadFrom(keyslot.Replica).Get(ctx, fmt.Sprint("key:", i)); !errors.Is(err, keyslot.Nil) {
			require.NoError(t, err)
		}
	}
	_, err := client.RPush(ctx, "list", "x")
	require.NoError(t, err)
	_, err = client.Do(ctx, "BLPOP", "list", 1)
	require.NoError(t, err)
	sub, err := client.Subscribe(ctx, "channel")
	require.NoError(t, err)
	require.NoError(t, sub.Close())
}

// stand are the fronts of one cluster, the i-th at 127.0.0.2+i, and the names that lead to them.
type stand struct {
	t        *testing.T
	classify proxy.Classify
	names    *names.Server

	mu     sync.Mutex
	fronts []*proxy.Front
}

func fronts(t *testing.T, secure bool) *stand {
	t.Helper()
	server, err := names.Listen()
	require.NoError(t, err)
	t.Cleanup(server.Close)
	s := &stand{t: t, classify: proxy.Plain, names: server}
	if secure {
		s.classify = proxy.TLS
	}
	return s
}

func hostname(i int) string { return fmt.Sprintf("node-%d.%s", i, realcluster.Domain) }

func (s *stand) open(i int, server string) (string, error) {
	host := netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)})
	front, err := proxy.Listen(net.JoinHostPort(host.String(), "0"), server, s.classify)
	if err != nil {
		return "", err
	}
	s.t.Cleanup(front.Close)
	s.names.Set(hostname(i), host)
	if i == 0 {
		s.names.Set("cfg."+realcluster.Domain, host)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fronts = append(s.fronts, front)
	return front.Addr(), nil
}

func (s *stand) resolver() keyslot.Resolver { return names.Resolver{Server: s.names.Addr()} }

func (s *stand) dials() (dials int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, front := range s.fronts {
		dials += front.Counts().Dials
	}
	return dials
}
