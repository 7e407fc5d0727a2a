package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/redis/rueidis"

	"github.com/keyslot-go/keyslot"
)

type rueidisClient struct{ client rueidis.Client }

// noNode is what a login is asked for where a client does not tell which node it is for.
var noNode keyslot.Node // never written

// openRueidis opens rueidis at its defaults. What it does on the network is seen in its connections.
func openRueidis(_ context.Context, s Settings) (Client, error) {
	opts := rueidis.ClientOption{
		InitAddress: s.Options.Endpoints, TLSConfig: s.Options.TLS,
		Username: s.Options.Username, Password: s.Options.Password,
	}
	if login := s.Options.Credentials; login != nil {
		opts.AuthCredentialsFn = func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
			// rueidis gives no context; tokens are signed here, and a provider answers within 30 s.
			user, password, err := login(context.Background(), noNode)
			return rueidis.AuthCredentials{Username: user, Password: password}, err
		}
	}
	if s.ReplicaReads {
		opts.SendToReplicas = func(cmd rueidis.Completed) bool { return cmd.IsReadOnly() }
	}
	opts.DialCtxFn = func(ctx context.Context, addr string, d *net.Dialer, secure *tls.Config) (net.Conn, error) {
		s.Observer.Dialled()
		return dialWatched(ctx, addr, d, secure, s.Observer)
	}
	c, err := rueidis.NewClient(opts)
	if errors.Is(err, rueidis.ErrNoCache) { // a server without CLIENT TRACKING, as keyslottest is
		opts.DisableCache = true
		c, err = rueidis.NewClient(opts)
	}
	if err != nil {
		return nil, err
	}
	return rueidisClient{c}, nil
}

func (c rueidisClient) Get(ctx context.Context, key string) (int, error) {
	value, err := c.client.Do(ctx, c.client.B().Get().Key(key).Build()).ToString()
	return len(value), missingRueidis(err)
}

func (c rueidisClient) Set(ctx context.Context, key, value string) error {
	return c.client.Do(ctx, c.client.B().Set().Key(key).Value(value).Build()).Error()
}

func (c rueidisClient) MGet(ctx context.Context, keys []string) (int, error) {
	values, err := c.client.Do(ctx, c.client.B().Mget().Key(keys...).Build()).ToArray()
	read := 0
	for _, v := range values {
		value, miss := v.ToString()
		if err == nil {
			err = missingRueidis(miss)
		}
		read += len(value)
	}
	return read, err
}

func (c rueidisClient) MSet(ctx context.Context, keys []string, value string) error {
	pairs := c.client.B().Mset().KeyValue()
	for _, key := range keys {
		pairs = pairs.KeyValue(key, value)
	}
	return c.client.Do(ctx, pairs.Build()).Error()
}

func (c rueidisClient) GetEach(ctx context.Context, keys []string) (int, error) {
	cmds := make(rueidis.Commands, 0, len(keys))
	for _, key := range keys {
		cmds = append(cmds, c.client.B().Get().Key(key).Build())
	}
	read := 0
	for _, reply := range c.client.DoMulti(ctx, cmds...) {
		value, err := reply.ToString()
		if err != nil {
			return 0, missingRueidis(err)
		}
		read += len(value)
	}
	return read, nil
}

func (c rueidisClient) SetEach(ctx context.Context, keys []string, value string) error {
	cmds := make(rueidis.Commands, 0, len(keys))
	for _, key := range keys {
		cmds = append(cmds, c.client.B().Set().Key(key).Value(value).Build())
	}
	for _, reply := range c.client.DoMulti(ctx, cmds...) {
		if err := reply.Error(); err != nil {
			return err
		}
	}
	return nil
}

func (c rueidisClient) Close() { c.client.Close() }

func missingRueidis(err error) error {
	if rueidis.IsRedisNil(err) {
		return ErrMissing
	}
	return err
}
