package client

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/mediocregopher/radix/v4"
)

// reasonOneSlot is why radix has no cells over slots: its pipeline and MGET go to the node of one slot.
const reasonOneSlot = "radix sends a pipeline or MGET to one slot only"

type radixClient struct {
	cluster *radix.Cluster
}

// openRadix opens radix' Cluster at its defaults: 4 connections to each node, implicit pipelining on.
func openRadix(ctx context.Context, cfg Config) (Client, error) {
	var opts radix.ClusterConfig
	if cfg.TLS != nil || cfg.Detour != nil {
		opts.PoolConfig.Dialer.NetDialer = radixDialer{cfg}
	}
	cluster, err := opts.New(ctx, cfg.Addrs)
	if err != nil {
		return nil, err
	}
	return radixClient{cluster}, nil
}

func (c radixClient) Get(ctx context.Context, key string) (value string, err error) {
	err = c.cluster.Do(ctx, radix.Cmd(&value, "GET", key))
	return value, err
}

func (c radixClient) Set(ctx context.Context, key, value string) error {
	return c.cluster.Do(ctx, radix.Cmd(nil, "SET", key, value))
}

func (c radixClient) MGet(context.Context, []string) (int, error) {
	return 0, &Unsupported{reasonOneSlot}
}

func (c radixClient) Pipeline(context.Context, []string, string) (int, error) {
	return 0, &Unsupported{reasonOneSlot}
}

func (c radixClient) Close() { _ = c.cluster.Close() }

// radixDialer adds TLS and detours to radix, which has no options for them.
type radixDialer struct {
	cfg Config
}

func (d radixDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.cfg.TLS != nil {
		return (&tls.Dialer{Config: d.cfg.TLS}).DialContext(ctx, network, d.cfg.reach(addr))
	}
	return d.cfg.dial(ctx, network, addr)
}
