// Package servers runs what the clients talk to: clusters, and a slow way to them.
package servers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Kind is a kind of cluster, and of way to it.
type Kind struct {
	Name      string
	TLS       bool
	FakeNodes int  // 0: 3 primaries and 3 replicas of real servers
	Slow      bool // behind a proxy that keeps every reply for half a millisecond
}

// The kinds of clusters that cells use.
var (
	Plain     = Kind{Name: "3+3 real nodes"}
	TLS       = Kind{Name: "3+3 real nodes, TLS", TLS: true}
	Slow      = Kind{Name: "3+3 real nodes, +0.5 ms", Slow: true}
	Fifty     = Kind{Name: "50 fake nodes", FakeNodes: 50}
	SlowFifty = Kind{Name: "50 fake nodes, +0.5 ms", FakeNodes: 50, Slow: true}
)

// errOwnClusterOnly is the error of Start for a kind that an address given by the user cannot be made into.
var errOwnClusterOnly = errors.New("needs a cluster of the harness's own")

// fillTimeout bounds filling a cluster with the keys that are read; it takes a fraction of a second.
const fillTimeout = 30 * time.Second

// Servers is a running cluster, filled with the keys that the workloads read.
type Servers struct {
	version string    // of the server program
	reach   load.Spec // how to connect to it: addresses and the like
	nodes   []string  // addresses of all nodes
	stops   []func()  // in the order of their starts
}

// Version returns the name and version of the server program, such as "redis-server 7.0.15".
func (s *Servers) Version() string { return s.version }

// Start runs a cluster of a kind; addr, if not empty, is one of somebody else's to use instead, which serves Plain
// only. The caller has to Stop it.
func Start(ctx context.Context, kind Kind, addr string) (*Servers, error) {
	s := &Servers{}
	if err := s.start(ctx, kind, addr); err != nil {
		s.Stop()
		doing := "starting " + kind.Name
		if addr != "" {
			doing = "using the cluster at " + addr
		}
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return s, nil
}

func (s *Servers) start(ctx context.Context, kind Kind, addr string) error {
	if err := s.startNodes(ctx, kind, addr); err != nil {
		return err
	}
	if kind.Slow {
		if err := s.startProxy(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	return load.Fill(ctx, s.Reach(load.Spec{Client: "rueidis"}))
}

func (s *Servers) startNodes(ctx context.Context, kind Kind, addr string) (err error) {
	switch {
	case addr != "" && kind != Plain:
		return fmt.Errorf("%s: %w", kind.Name, errOwnClusterOnly)
	case addr != "":
		s.reach.Addrs = []string{addr}
		s.version, err = askVersion(ctx, addr)
		return err
	case kind.FakeNodes > 0:
		return s.startFake(ctx, kind.FakeNodes)
	default:
		return s.startReal(ctx, kind.TLS)
	}
}

func (s *Servers) startReal(ctx context.Context, withTLS bool) error {
	engine, err := realcluster.Find("redis")
	if err != nil {
		return err
	}
	cluster, err := realcluster.Run(ctx, engine, realcluster.Options{Replicas: 1, TLS: withTLS})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, cluster.Stop)
	s.version = fmt.Sprintf("%s-server %s", engine.Name, engine.Version)
	s.nodes = cluster.Addrs()
	s.reach.Addrs = s.nodes[:1]
	authority, err := cluster.Authority()
	s.reach.CA = string(authority)
	return err
}

// startFake runs a cluster of n fake nodes in a process of their own.
func (s *Servers) startFake(ctx context.Context, n int) error {
	stop, err := startHelper(ctx, FakeArg, n, &s.nodes)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, stop)
	s.version = "fake nodes"
	s.reach.Addrs = s.nodes[:1]
	return nil
}

// startProxy runs a slow detour to each node, all in one process.
func (s *Servers) startProxy(ctx context.Context) error {
	var detours []string
	stop, err := startHelper(ctx, ProxyArg, s.nodes, &detours)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, stop)
	s.reach.Detour = map[string]string{}
	for i, node := range s.nodes {
		s.reach.Detour[node] = detours[i]
	}
	return nil
}

// Reach returns spec with what it needs to connect to the cluster.
func (s *Servers) Reach(spec load.Spec) load.Spec {
	spec.Addrs, spec.Detour, spec.CA = s.reach.Addrs, s.reach.Detour, s.reach.CA
	return spec
}

// Stop ends what Start started.
func (s *Servers) Stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}
