package keyslot_test

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Real clusters behind names whose addresses change.

const configName = "clustercfg.orders.abc123.use1.test"

func nodeName(i int) string { return fmt.Sprintf("orders-000%d-001.orders.abc123.use1.test", i+1) }

// moveNode lets a node be at another address from now on, under its name, and not at the one before; who is
// connected is cut off.
func (w *town) moveNode(t *testing.T, cluster *realcluster.Cluster, i int, from, to string) {
	t.Helper()
	n := cluster.Node(i)
	w.put(net.JoinHostPort(to, n.Port()), n.Server())
	w.call(nodeName(i), to)
	w.clear(net.JoinHostPort(from, n.Port()))
	_, err := cluster.Do(t.Context(), n, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	require.NoError(t, err)
}

func TestAddressesChangeBehindTheNamesOfACluster(t *testing.T) {
	cluster := realcluster.Start(t, realcluster.Options{Engine: "valkey", Replicas: 1, Hostname: nodeName})
	w := newTown()
	at := func(round, i int) string { return fmt.Sprintf("10.0.%d.%d", round, i+1) }
	seed := cluster.Node(0).Port()
	settle := func(round int) { // the configuration endpoint's records: one that is dead, a black hole, and a live one
		w.put("10.9.9.9:"+seed, "")
		w.call(configName, "10.9.9.8", "10.9.9.9", at(round, 0))
	}
	for i, n := range cluster.Nodes() {
		w.put(net.JoinHostPort(at(0, i), n.Port()), n.Server())
		w.call(nodeName(i), at(0, i))
	}
	settle(0)
	client := connect(t, w.options(keyslot.Options{Endpoints: []string{configName + ":" + seed}, CommandTimeout: 20 * time.Second}))
	require.True(t, lists(client.Topology(), net.JoinHostPort(nodeName(1), cluster.Node(1).Port())))
	l := startLoad(t, client)
	l.goesOn(t, 500)

	for round := 1; round <= 2; round++ { // all at once
		for i := range cluster.Nodes() {
			w.moveNode(t, cluster, i, at(round-1, i), at(round, i))
		}
		settle(round)
		l.goesOn(t, 1000)
	}
	for round := 3; round <= 4; round++ { // one, under its stable name, twice
		w.moveNode(t, cluster, 1, at(round-1, 1), at(round, 1))
		l.goesOn(t, 1000)
	}
	for _, err := range l.end() {
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome, "what was cut off while it was in flight, and nothing else")
	}
	l.sums(t, false)
}

func loopbackOf(i int) string { return fmt.Sprintf("127.0.0.%d", i+2) }

// portOfAll returns a port that is free on as many addresses of this machine.
func portOfAll(t *testing.T, addrs int) (port string) {
	t.Helper()
	var taken error
	for range 20 {
		if port, taken = tryPort(addrs); taken == nil {
			return port
		}
	}
	require.NoError(t, taken, "no port is free on all of them")
	return ""
}

func tryPort(addrs int) (port string, err error) {
	port = "0"
	for i := range addrs {
		l, err := net.Listen("tcp", net.JoinHostPort(loopbackOf(i), port))
		if err != nil {
			return "", err
		}
		defer l.Close()
		_, port, _ = net.SplitHostPort(l.Addr().String())
	}
	return port, nil
}

func TestManyAddressesBehindOneName(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.2 and the addresses after it are this machine's on Linux only")
	}
	port := portOfAll(t, 6)
	listen := func(i int) string { return net.JoinHostPort(loopbackOf(i), port) }
	cluster := realcluster.Start(t, realcluster.Options{Replicas: 1, Listen: listen})
	w := newTown()
	w.call(configName, "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.9")
	options := keyslot.Options{Endpoints: []string{configName + ":" + port}, Resolver: w, CommandTimeout: 20 * time.Second}
	client := connect(t, options)
	for i := range 6 {
		require.True(t, lists(client.Topology(), listen(i)), "one node for each address, though all have one port")
	}
	l := startLoad(t, client)
	l.goesOn(t, 500)
	require.NoError(t, cluster.Node(0).Kill()) // its record stays for a while
	require.NoError(t, cluster.WaitRole(t.Context(), cluster.Node(3), "primary"))
	l.goesOn(t, 1000)
	for range 5 {
		connect(t, options)
	}
	for _, err := range l.end() {
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
	}
	l.sums(t, true)
}
