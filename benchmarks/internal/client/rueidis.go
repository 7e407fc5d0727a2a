package client

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/rueidis"
)

// rueidisDelay is the value that rueidis' documentation of MaxFlushDelay names: less CPU for a little latency.
const rueidisDelay = 20 * time.Microsecond

type rueidisClient struct {
	rueidis.Client
}

// openRueidis opens rueidis at its defaults, but for the delay of flushes.
func openRueidis(delay time.Duration) func(context.Context, Config) (Client, error) {
	return func(_ context.Context, cfg Config) (Client, error) {
		opts := rueidis.ClientOption{InitAddress: cfg.Addrs, TLSConfig: cfg.TLS, MaxFlushDelay: delay}
		if cfg.Detour != nil {
			opts.DialCtxFn = func(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
				return d.DialContext(ctx, "tcp", cfg.reach(addr))
			}
		}
		c, err := rueidis.NewClient(opts)
		if err != nil {
			return nil, err
		}
		return rueidisClient{c}, nil
	}
}

func (c rueidisClient) Get(ctx context.Context, key string) (string, error) {
	return c.Do(ctx, c.B().Get().Key(key).Build()).ToString()
}

func (c rueidisClient) Set(ctx context.Context, key, value string) error {
	return c.Do(ctx, c.B().Set().Key(key).Value(value).Build()).Error()
}

func (c rueidisClient) MGet(ctx context.Context, keys []string) (int, error) {
	values, err := rueidis.MGet(c.Client, ctx, keys)
	if err != nil {
		return 0, err
	}
	read := 0
	for _, v := range values {
		s, err := v.ToString()
		if err != nil {
			return 0, err
		}
		read += len(s)
	}
	return read, nil
}

func (c rueidisClient) Pipeline(ctx context.Context, keys []string, value string) (int, error) {
	cmds := make(rueidis.Commands, 0, len(keys))
	for i, key := range keys {
		if i%2 == 0 {
			cmds = append(cmds, c.B().Get().Key(key).Build())
		} else {
			cmds = append(cmds, c.B().Set().Key(key).Value(value).Build())
		}
	}
	read := 0
	for i, reply := range c.DoMulti(ctx, cmds...) {
		s, err := reply.ToString()
		if err != nil {
			return 0, err
		}
		if i%2 == 0 {
			read += len(s)
		}
	}
	return read, nil
}
