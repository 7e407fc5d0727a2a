package realcluster_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// One front after another: everybody is told of them alone, and every operation works through them. RESP2-only servers,
// as the chaos suite has them, make no difference.
func TestFrontsAreWhatEverybodyIsTold(t *testing.T) {
	t.Parallel()
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
				ctx := limit(t, 2*time.Minute)
				first := fronts{t: t, host: 2}
				opts := realcluster.Options{
					Engine: e.Name, Primaries: 2, Replicas: 1, TLS: secure, Front: first.open,
					Config: []string{`rename-command HELLO ""`},
				}
				if secure {
					opts.Hostname = func(i int) string { return fmt.Sprintf("node-%d.%s", i, realcluster.Domain) }
				}
				c := realcluster.Start(t, opts)
				require.Equal(t, first.addrs(), c.Addrs())
				tellsOnly(t, c, first.addrs())
				key := keyBelow(t, c, 8)
				_, err := c.Do(ctx, c.Node(0), "SET", key, "kept")
				require.NoError(t, err)
				require.NoError(t, c.Reshard(ctx, c.Node(0), c.Node(1), 8))
				require.NoError(t, c.Failover(ctx, c.Node(3)))

				second := fronts{t: t, host: 6}
				require.NoError(t, c.MoveFronts(ctx, second.open))
				first.close()
				require.NoError(t, c.WaitHealthy(ctx))
				require.Equal(t, second.addrs(), c.Addrs())
				tellsOnly(t, c, second.addrs())
				kept, err := c.Do(ctx, c.Node(3), "GET", key)
				require.NoError(t, err)
				require.Equal(t, "kept", kept)
			})
		}
	})
}

func TestNodesBehindFrontsComeAndGo(t *testing.T) {
	t.Parallel()
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		ctx := limit(t, 2*time.Minute)
		first, second := fronts{t: t, host: 2}, fronts{t: t, host: 9}
		c := realcluster.Start(t, realcluster.Options{
			Engine: e.Name, Primaries: 2, Replicas: 1, NodeTimeout: time.Second, Front: first.open,
		})
		added, err := c.AddPrimary(ctx)
		require.NoError(t, err)
		require.NoError(t, c.Reshard(ctx, c.Node(0), added, 4))
		successor, err := c.Replace(ctx, c.Node(0))
		require.NoError(t, err)
		require.NoError(t, c.Reshard(ctx, added, successor, 4))

		down := c.Node(2)
		require.NoError(t, down.Kill())
		require.NoError(t, c.MoveFronts(ctx, second.open))
		require.NoError(t, down.Restart(ctx))
		require.NoError(t, c.WaitHealthy(ctx))
		require.Subset(t, second.addrs(), c.Addrs())
		tellsOnly(t, c, c.Addrs())

		require.NoError(t, down.Freeze())
		require.ErrorContains(t, c.MoveFronts(ctx, second.open), "frozen")
	})
}

// tellsOnly requires that every node knows the others by these addresses, and replicas their primaries.
func tellsOnly(t *testing.T, c *realcluster.Cluster, addrs []string) {
	t.Helper()
	for _, n := range c.Nodes() {
		if n.PID() == 0 {
			continue
		}
		nodes, err := c.Do(t.Context(), n, "CLUSTER", "NODES")
		require.NoError(t, err)
		for line := range strings.Lines(nodes) {
			addr, _, _ := strings.Cut(strings.Fields(line)[1], "@")
			require.Contains(t, addrs, addr, "%s tells %s", n, line)
		}
		role, err := c.Do(t.Context(), n, "ROLE")
		require.NoError(t, err)
		if words := strings.Split(role, "\n"); words[0] == "slave" {
			require.Contains(t, addrs, net.JoinHostPort(words[1], words[2]))
		}
	}
}

// fronts are plain forwarders, the i-th of them at 127.0.0.host+i.
type fronts struct {
	t    *testing.T
	host int

	mu        sync.Mutex
	listeners []net.Listener
	conns     []net.Conn
	closed    bool
}

func (f *fronts) open(i int, server string) (string, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", f.host+i%4))
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	f.listeners = append(f.listeners, listener)
	f.mu.Unlock()
	var running sync.WaitGroup
	running.Go(func() { // ends with the listener
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { f.forward(client, server) })
		}
	})
	f.t.Cleanup(func() { f.close(); running.Wait() })
	return listener.Addr().String(), nil
}

func (f *fronts) forward(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	f.mu.Lock()
	f.conns = append(f.conns, client, upstream)
	closed := f.closed
	f.mu.Unlock()
	if closed {
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() { _, _ = io.Copy(client, upstream); client.Close() })
	_, _ = io.Copy(upstream, client)
	upstream.Close()
	answers.Wait()
}

func (f *fronts) addrs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var addrs []string
	for _, l := range f.listeners {
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// close ends the listeners and everything that came through them.
func (f *fronts) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, l := range f.listeners {
		l.Close()
	}
	for _, conn := range f.conns {
		conn.Close()
	}
}
