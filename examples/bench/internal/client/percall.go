package client

import "context"

// perCall opens a client for each operation and closes it again, as a function does that connects in its handler.
type perCall struct {
	name     string
	settings Settings
}

// PerCall returns a Client that opens the client called name anew for each operation.
func PerCall(name string, s Settings) Client { return perCall{name, s} }

// with runs do with a client of its own. The caller waits for all of it, closing included, as a handler does that defers Close.
func (p perCall) with(ctx context.Context, do func(Client) error) error {
	c, err := Open(ctx, p.name, p.settings)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

func (p perCall) Get(ctx context.Context, key string) (n int, err error) {
	err = p.with(ctx, func(c Client) (err error) {
		n, err = c.Get(ctx, key)
		return err
	})
	return n, err
}

func (p perCall) Set(ctx context.Context, key, value string) error {
	return p.with(ctx, func(c Client) error { return c.Set(ctx, key, value) })
}

func (p perCall) MGet(ctx context.Context, keys []string) (n int, err error) {
	err = p.with(ctx, func(c Client) (err error) {
		n, err = c.MGet(ctx, keys)
		return err
	})
	return n, err
}

func (p perCall) MSet(ctx context.Context, keys []string, value string) error {
	return p.with(ctx, func(c Client) error { return c.MSet(ctx, keys, value) })
}

func (p perCall) GetEach(ctx context.Context, keys []string) (n int, err error) {
	err = p.with(ctx, func(c Client) (err error) {
		n, err = c.GetEach(ctx, keys)
		return err
	})
	return n, err
}

func (p perCall) SetEach(ctx context.Context, keys []string, value string) error {
	return p.with(ctx, func(c Client) error { return c.SetEach(ctx, keys, value) })
}

func (p perCall) Close() {}
