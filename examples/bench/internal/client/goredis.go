package client

import (
	"context"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
)

type goRedisClient struct{ client *redis.ClusterClient }

// openGoRedis opens go-redis' ClusterClient at its defaults. What it does on the network is seen by a hook in the
// client of each node.
func openGoRedis(_ context.Context, s Settings) (Client, error) {
	opts := &redis.ClusterOptions{
		Addrs: s.Options.Endpoints, TLSConfig: s.Options.TLS, ReadOnly: s.ReplicaReads,
		Username: s.Options.Username, Password: s.Options.Password,
	}
	if login := s.Options.Credentials; login != nil {
		opts.CredentialsProviderContext = func(ctx context.Context) (string, string, error) { return login(ctx, noNode) }
	}
	opts.NewClient = func(o *redis.Options) *redis.Client {
		c := redis.NewClient(o)
		c.AddHook(goRedisHook{s.Observer})
		return c
	}
	return goRedisClient{redis.NewClusterClient(opts)}, nil
}

func (c goRedisClient) Get(ctx context.Context, key string) (int, error) {
	value, err := c.client.Get(ctx, key).Result()
	return len(value), missingGoRedis(err)
}

func (c goRedisClient) Set(ctx context.Context, key, value string) error {
	return c.client.Set(ctx, key, value, 0).Err()
}

func (c goRedisClient) MGet(ctx context.Context, keys []string) (int, error) {
	values, err := c.client.MGet(ctx, keys...).Result()
	read := 0
	for _, v := range values {
		value, ok := v.(string)
		if err == nil && !ok {
			err = ErrMissing
		}
		read += len(value)
	}
	return read, err
}

func (c goRedisClient) MSet(ctx context.Context, keys []string, value string) error {
	pairs := make([]any, 0, 2*len(keys))
	for _, key := range keys {
		pairs = append(pairs, key, value)
	}
	return c.client.MSet(ctx, pairs...).Err()
}

func (c goRedisClient) GetEach(ctx context.Context, keys []string) (int, error) {
	cmds, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Get(ctx, key)
		}
		return nil
	})
	read := 0
	for _, cmd := range cmds {
		if got, isGet := cmd.(*redis.StringCmd); isGet {
			read += len(got.Val())
		}
	}
	return read, missingGoRedis(err)
}

func (c goRedisClient) SetEach(ctx context.Context, keys []string, value string) error {
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Set(ctx, key, value, 0)
		}
		return nil
	})
	return err
}

func (c goRedisClient) Close() { _ = c.client.Close() }

func missingGoRedis(err error) error {
	if errors.Is(err, redis.Nil) {
		return ErrMissing
	}
	return err
}

// goRedisHook sees what one node was asked and what it said.
type goRedisHook struct{ observer Observer }

func (h goRedisHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		h.observer.Dialled()
		return next(ctx, network, addr)
	}
}

func (h goRedisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.see(cmd, err)
		return err
	}
}

func (h goRedisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			h.see(cmd, cmd.Err())
		}
		return err
	}
}

func (h goRedisHook) see(cmd redis.Cmder, err error) {
	switch {
	case err != nil && redis.HasErrorPrefix(err, "MOVED"):
		h.observer.Redirected(false)
	case err != nil && redis.HasErrorPrefix(err, "ASK"):
		h.observer.Redirected(true)
	case cmd.Name() == "cluster":
		what := "map asked for"
		if err != nil {
			what = "no answer"
		}
		h.observer.Refreshed(what)
	}
}
