// Package servers runs what the clients talk to.
package servers

import (
	"context"
	"fmt"
	"time"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Kind is a kind of cluster, or way to it.
type Kind string

// The kinds of clusters.
const (
	Plain Kind = "plain" // 3 primaries and 3 replicas, real servers
)

// fillTimeout bounds filling a cluster with the keys that are read; it takes a fraction of a second.
const fillTimeout = 30 * time.Second

// Servers is a running cluster, filled with the keys that the workloads read.
type Servers struct {
	reach load.Spec // how to connect to it: addresses and the like
	stops []func()  // in the order of their starts
}

// Start runs a cluster of a kind; addr, if not empty, is one of somebody else's to use instead. The caller has to Stop
// it.
func Start(ctx context.Context, kind Kind, addr string) (*Servers, error) {
	s := &Servers{}
	if err := s.start(ctx, kind, addr); err != nil {
		s.Stop()
		return nil, fmt.Errorf("starting the %s cluster: %w", kind, err)
	}
	return s, nil
}

func (s *Servers) start(ctx context.Context, kind Kind, addr string) error {
	if addr != "" {
		s.reach.Addrs = []string{addr}
	} else if err := s.startReal(ctx, realcluster.Options{Replicas: 1}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	return load.Fill(ctx, s.Reach(load.Spec{Client: "rueidis"}))
}

func (s *Servers) startReal(ctx context.Context, opts realcluster.Options) error {
	engine, err := realcluster.Find("redis")
	if err != nil {
		return err
	}
	cluster, err := realcluster.Run(ctx, engine, opts)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, cluster.Stop)
	s.reach.Addrs = cluster.Addrs()[:1]
	return nil
}

// Reach returns spec with what it needs to connect to the cluster.
func (s *Servers) Reach(spec load.Spec) load.Spec {
	spec.Addrs, spec.Detour, spec.CA = s.reach.Addrs, s.reach.Detour, s.reach.CA
	return spec
}

// Stop ends the cluster, unless it is somebody else's.
func (s *Servers) Stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}
