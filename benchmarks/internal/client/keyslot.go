package client

import (
	"context"

	"github.com/keyslot-go/keyslot"
)

type keyslotClient struct {
	*keyslot.Client
}

// openKeyslot opens keyslot at its defaults, but for the connections to each node.
func openKeyslot(connsPerNode int) func(context.Context, Config) (Client, error) {
	return func(ctx context.Context, cfg Config) (Client, error) {
		opts := keyslot.Options{Endpoints: cfg.Addrs, TLS: cfg.TLS, ConnsPerNode: connsPerNode}
		if cfg.Detour != nil {
			opts.Dial = cfg.dial // MapAddr would not do: the connection to an endpoint becomes its node's
		}
		c, err := keyslot.New(ctx, opts)
		if err != nil {
			return nil, err
		}
		return keyslotClient{c}, nil
	}
}

func (c keyslotClient) Set(ctx context.Context, key, value string) error {
	return c.Client.Set(ctx, key, value)
}

func (c keyslotClient) MGet(ctx context.Context, keys []string) (int, error) {
	values, err := c.Client.MGet(ctx, keys...)
	if err != nil {
		return 0, err
	}
	read := 0
	for _, v := range values {
		read += len(v.Value)
	}
	return read, nil
}

func (c keyslotClient) Pipeline(ctx context.Context, keys []string, value string) (int, error) {
	p := c.Client.Pipeline()
	values := make([]*keyslot.Future[string], 0, (len(keys)+1)/2)
	for i, key := range keys {
		if i%2 == 0 {
			values = append(values, p.Get(key))
		} else {
			p.Set(key, value)
		}
	}
	if err := p.Exec(ctx); err != nil {
		return 0, err
	}
	read := 0
	for _, v := range values {
		s, err := v.Get()
		if err != nil {
			return 0, err
		}
		read += len(s)
	}
	return read, nil
}

func (c keyslotClient) Close() { _ = c.Client.Close() }
