package client

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// reasonMGetCrossSlot is why go-redis has no MGET cell: ClusterClient.MGet sends the keys to one node, which refuses them.
const reasonMGetCrossSlot = "ClusterClient.MGet answers CROSSSLOT"

type goRedisClient struct {
	*redis.ClusterClient
}

// openGoRedis opens go-redis' ClusterClient at its defaults: up to 5 connections per GOMAXPROCS to each node.
func openGoRedis(_ context.Context, cfg Config) (Client, error) {
	return goRedisClient{newClusterClient(cfg)}, nil
}

func newClusterClient(cfg Config) *redis.ClusterClient {
	opts := &redis.ClusterOptions{Addrs: cfg.Addrs, TLSConfig: cfg.TLS}
	if cfg.Detour != nil {
		opts.Dialer = cfg.dial
	}
	return redis.NewClusterClient(opts)
}

func (c goRedisClient) Get(ctx context.Context, key string) (string, error) {
	return c.ClusterClient.Get(ctx, key).Result()
}

func (c goRedisClient) Set(ctx context.Context, key, value string) error {
	return c.ClusterClient.Set(ctx, key, value, 0).Err()
}

func (c goRedisClient) MGet(context.Context, []string) (int, error) {
	return 0, &Unsupported{reasonMGetCrossSlot}
}

func (c goRedisClient) Pipeline(ctx context.Context, keys []string, value string) (int, error) {
	cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			if i%2 == 0 {
				p.Get(ctx, key)
			} else {
				p.Set(ctx, key, value, 0)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	read := 0
	for _, cmd := range cmds {
		if got, isGet := cmd.(*redis.StringCmd); isGet {
			read += len(got.Val())
		}
	}
	return read, nil
}

func (c goRedisClient) Close() { _ = c.ClusterClient.Close() }
