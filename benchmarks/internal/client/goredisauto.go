package client

import (
	"context"

	"github.com/redis/go-redis/v9"
)

type goRedisAutoClient struct {
	auto *redis.AutoPipeliner
	base goRedisClient
}

// openGoRedisAuto opens go-redis' blocking AutoPipeline at its defaults.
func openGoRedisAuto(_ context.Context, cfg Config) (Client, error) {
	base := newClusterClient(cfg)
	auto, err := base.AutoPipeline()
	if err != nil {
		_ = base.Close()
		return nil, err
	}
	return goRedisAutoClient{auto, goRedisClient{base}}, nil
}

func (c goRedisAutoClient) Get(ctx context.Context, key string) (string, error) {
	return c.auto.Get(ctx, key).Result()
}

func (c goRedisAutoClient) Set(ctx context.Context, key, value string) error {
	return c.auto.Set(ctx, key, value, 0).Err()
}

func (c goRedisAutoClient) MGet(context.Context, []string) (int, error) {
	return 0, &Unsupported{reasonMGetCrossSlot}
}

func (c goRedisAutoClient) Pipeline(context.Context, []string, string) (int, error) {
	return 0, &Unsupported{"a batch is sent as by ClusterClient: see goredis"}
}

func (c goRedisAutoClient) Close() {
	_ = c.auto.Close()
	c.base.Close()
}
