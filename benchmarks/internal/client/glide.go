//go:build glide

package client

import (
	"context"
	"net"
	"strconv"

	glide "github.com/valkey-io/valkey-glide/go/v2"
	"github.com/valkey-io/valkey-glide/go/v2/config"
	"github.com/valkey-io/valkey-glide/go/v2/pipeline"
)

// makersOfTags adds the client that links a library built from Rust, and so needs cgo and a download of 40 MB.
func makersOfTags() []maker { return []maker{{"glide", openGlide}} }

type glideClient struct {
	cluster *glide.ClusterClient
}

// openGlide opens valkey-glide's ClusterClient at its defaults.
func openGlide(_ context.Context, cfg Config) (Client, error) {
	opts := config.NewClusterClientConfiguration()
	if cfg.TLS != nil {
		trust := config.NewTlsConfiguration().WithRootCertificates(cfg.CA)
		opts = opts.WithUseTLS(true).
			WithAdvancedConfiguration(config.NewAdvancedClusterClientConfiguration().WithTlsConfiguration(trust))
	}
	if cfg.Detour != nil {
		opts = opts.WithAddressResolver(func(host string, port int) (string, int) {
			detour, err := glideAddress(cfg.reach(net.JoinHostPort(host, strconv.Itoa(port))))
			if err != nil {
				return host, port
			}
			return detour.Host, detour.Port
		})
	}
	for _, addr := range cfg.Addrs {
		address, err := glideAddress(addr)
		if err != nil {
			return nil, err
		}
		opts = opts.WithAddress(&address)
	}
	cluster, err := glide.NewClusterClient(opts)
	if err != nil {
		return nil, err
	}
	return glideClient{cluster}, nil
}

// glideAddress returns host:port as glide takes it.
func glideAddress(addr string) (config.NodeAddress, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return config.NodeAddress{}, err
	}
	port, err := strconv.Atoi(service)
	return config.NodeAddress{Host: host, Port: port}, err
}

func (c glideClient) Get(ctx context.Context, key string) (string, error) {
	value, err := c.cluster.Get(ctx, key)
	return value.Value(), err
}

func (c glideClient) Set(ctx context.Context, key, value string) error {
	_, err := c.cluster.Set(ctx, key, value)
	return err
}

func (c glideClient) MGet(ctx context.Context, keys []string) (int, error) {
	values, err := c.cluster.MGet(ctx, keys)
	read := 0
	for _, v := range values {
		read += len(v.Value())
	}
	return read, err
}

func (c glideClient) Pipeline(ctx context.Context, keys []string, value string) (int, error) {
	batch := pipeline.NewClusterBatch(false)
	for i, key := range keys {
		if i%2 == 0 {
			batch.Get(key)
		} else {
			batch.Set(key, value)
		}
	}
	replies, err := c.cluster.Exec(ctx, *batch, true)
	read := 0
	for i := 0; i < len(replies); i += 2 {
		if s, isString := replies[i].(string); isString {
			read += len(s)
		}
	}
	return read, err
}

func (c glideClient) Close() { c.cluster.Close() }
