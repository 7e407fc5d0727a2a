package client

import (
	"context"
	"errors"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

type keyslotClient struct{ client *keyslot.Client }

// openKeyslot opens keyslot at its defaults.
func openKeyslot(ctx context.Context, s Settings) (Client, error) {
	opts := s.Options
	if s.ReplicaReads {
		opts.ReadFrom = keyslot.PreferReplica
	}
	opts.Trace = traceTo(s.Observer)
	c, err := keyslot.New(ctx, opts)
	if err != nil {
		return nil, err
	}
	return keyslotClient{c}, nil
}

func traceTo(o Observer) *keyslot.Trace {
	return &keyslot.Trace{
		Redirected: func(e keyslot.RedirectEvent) { o.Redirected(e.Ask) },
		Refreshed: func(e keyslot.RefreshEvent) {
			switch {
			case e.Err != nil:
				o.Refreshed("no answer")
			case e.Changed:
				o.Refreshed("new map")
			default:
				o.Refreshed("same map")
			}
		},
		Connected: func(keyslot.ConnectEvent) { o.Dialled() },
	}
}

func (c keyslotClient) Get(ctx context.Context, key string) (int, error) {
	value, err := c.client.Get(ctx, key)
	return len(value), missing(err)
}

func (c keyslotClient) Set(ctx context.Context, key, value string) error {
	return c.client.Set(ctx, key, value)
}

func (c keyslotClient) MGet(ctx context.Context, keys []string) (int, error) {
	values, err := c.client.MGet(ctx, keys...)
	read := 0
	for _, v := range values {
		if err == nil && !v.OK {
			err = ErrMissing
		}
		read += len(v.Value)
	}
	return read, err
}

func (c keyslotClient) MSet(ctx context.Context, keys []string, value string) error {
	pairs := make([]command.Pair, len(keys))
	for i, key := range keys {
		pairs[i] = command.Pair{Key: key, Value: value}
	}
	return c.client.MSet(ctx, pairs...)
}

func (c keyslotClient) GetEach(ctx context.Context, keys []string) (int, error) {
	p := c.client.Pipeline()
	values := make([]*keyslot.Future[string], len(keys))
	for i, key := range keys {
		values[i] = p.Get(key)
	}
	if err := p.Exec(ctx); err != nil {
		return 0, err
	}
	read := 0
	for _, v := range values {
		value, err := v.Get()
		if err != nil {
			return 0, missing(err)
		}
		read += len(value)
	}
	return read, nil
}

func (c keyslotClient) SetEach(ctx context.Context, keys []string, value string) error {
	p := c.client.Pipeline()
	for _, key := range keys {
		p.Set(key, value)
	}
	return p.Exec(ctx)
}

func (c keyslotClient) Close() { _ = c.client.Close() }

func missing(err error) error {
	if errors.Is(err, keyslot.Nil) {
		return ErrMissing
	}
	return err
}
