package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/names"
	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// setup is the kind of cluster that rounds run on.
type setup struct {
	engine realcluster.Engine
	resp   int // version of the protocol: 2 or 3
	tls    bool
}

func (s setup) String() string {
	wrapping := "plain"
	if s.tls {
		wrapping = "TLS"
	}
	return fmt.Sprintf("%s %s, RESP%d, %s", s.engine.Name, s.engine.Version, s.resp, wrapping)
}

// Whom the client logs in as, with what on a server that was just started.
const (
	clientUser     = "chaos"
	clientPassword = "first"
)

// configurationName leads to all nodes, as the configuration endpoint of a managed cluster does.
const configurationName = "cfg." + realcluster.Domain

// stand is a cluster with a front before each node and the names that lead there. Each front has an address of its own
// and all have one port, which is how one name with one port can lead to all of them.
type stand struct {
	setup   setup
	cluster *realcluster.Cluster
	names   *names.Server

	mu     sync.Mutex
	port   string               // guarded by mu; of all fronts, once there is one
	fronts map[int]*proxy.Front // guarded by mu; by the node's index
	hosts  map[*proxy.Front]int // guarded by mu; the N of 127.0.0.N
	gone   int                  // guarded by mu; dials to fronts that were closed
}

// startTime bounds the start of a cluster.
const startTime = 60 * time.Second

func newStand(ctx context.Context, s setup) (*stand, error) {
	server, err := names.Listen()
	if err != nil {
		return nil, err
	}
	st := &stand{setup: s, names: server, fronts: map[int]*proxy.Front{}, hosts: map[*proxy.Front]int{}}
	opts := realcluster.Options{
		Engine: s.engine.Name, Replicas: 1, TLS: s.tls, Front: st.newFront,
		ACL: []string{clientUser + " on >" + clientPassword + " ~* &* +@all"},
	}
	if s.tls {
		opts.Hostname = nodeName // by which fronts tell clients from servers
	}
	if s.resp == 2 {
		opts.Config = append(opts.Config, `rename-command HELLO ""`)
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	st.cluster, err = realcluster.Run(ctx, s.engine, opts)
	if err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func nodeName(i int) string { return fmt.Sprintf("node-%d.%s", i, realcluster.Domain) }

// close ends everything. The cluster may be nil, if it did not start.
func (st *stand) close() {
	if st.cluster != nil {
		st.cluster.Stop()
	}
	st.mu.Lock()
	fronts := st.fronts
	st.fronts = nil
	st.mu.Unlock()
	for _, f := range fronts {
		f.Close()
	}
	st.names.Close()
}

// newFront puts a front before node i, in place of the one that it had, and lets the names lead there.
func (st *stand) newFront(i int, server string) (string, error) {
	st.mu.Lock()
	front, err := st.listen(server)
	if err != nil {
		st.mu.Unlock()
		return "", err
	}
	old := st.fronts[i]
	st.fronts[i] = front
	st.setNames()
	st.mu.Unlock()
	if old != nil {
		st.end(old)
	}
	return front.Addr(), nil
}

// Fronts stand on 127.0.0.2 to 127.0.0.15: servers listen for each other on as many addresses.
const firstHost, lastHost = 2, 15

// listen makes a front at an address that none has. mu is held.
func (st *stand) listen(server string) (*proxy.Front, error) {
	classify := proxy.Plain
	if st.setup.tls {
		classify = proxy.TLS
	}
	taken := map[int]bool{}
	for _, host := range st.hosts {
		taken[host] = true
	}
	port := st.port
	if port == "" {
		port = "0"
	}
	errs := errors.New("no address is left for a front")
	for host := firstHost; host <= lastHost; host++ {
		if taken[host] {
			continue
		}
		front, err := proxy.Listen(net.JoinHostPort(fmt.Sprintf("127.0.0.%d", host), port), server, classify)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		_, st.port, err = net.SplitHostPort(front.Addr())
		if err != nil {
			return nil, err
		}
		st.hosts[front] = host
		return front, nil
	}
	return nil, errs
}

// setNames makes the records those of the fronts. mu is held.
func (st *stand) setNames() {
	var all []netip.Addr
	for i, front := range st.fronts {
		addr := netip.AddrFrom4([4]byte{127, 0, 0, byte(st.hosts[front])})
		st.names.Set(nodeName(i), addr)
		all = append(all, addr)
	}
	st.names.Set(configurationName, all...)
}

// end closes a front that no name leads to any more: whoever is connected sees a reset.
func (st *stand) end(front *proxy.Front) {
	dials := front.Counts().Dials
	front.Close()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.gone += dials
	delete(st.hosts, front)
}

// tidy ends the fronts of nodes that were removed.
func (st *stand) tidy() {
	var ended []*proxy.Front
	st.mu.Lock()
	for i, n := range st.cluster.Nodes() {
		if front := st.fronts[i]; front != nil && n.PID() == 0 {
			ended = append(ended, front)
			delete(st.fronts, i)
			st.names.Set(nodeName(i))
		}
	}
	st.setNames()
	st.mu.Unlock()
	for _, front := range ended {
		st.end(front)
	}
}

// endpoint is what the client is told to begin with.
func (st *stand) endpoint() string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return net.JoinHostPort(configurationName, st.port)
}

// dials returns how many connections clients have opened so far.
func (st *stand) dials() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	total := st.gone
	for _, front := range st.fronts {
		total += front.Counts().Dials
	}
	return total
}

// Front returns what stands in front of n.
func (st *stand) Front(n *realcluster.Node) *proxy.Front {
	st.mu.Lock()
	defer st.mu.Unlock()
	for i, other := range st.cluster.Nodes() {
		if other == n {
			return st.fronts[i]
		}
	}
	return nil
}

// Readdress gives every node another address at once; see nemesis.Net.
func (st *stand) Readdress(ctx context.Context) error { return st.cluster.MoveFronts(ctx, st.newFront) }

// Names is where the client's lookups end.
func (st *stand) Names() *names.Server { return st.names }
