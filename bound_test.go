package keyslot_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Who reads an error has to know whose bound ended the call: the one in the options, or that of the context.
func TestAnErrorSaysWhoseBoundEndedTheCall(t *testing.T) {
	script := keyslot.NewScript("return 1")
	for name, call := range map[string]func(ctx context.Context, c *keyslot.Client) error{
		"read":   func(ctx context.Context, c *keyslot.Client) error { _, err := c.Get(ctx, low); return err },
		"paused": func(ctx context.Context, c *keyslot.Client) error { return c.Set(ctx, up, "v") },
		"blocks": func(ctx context.Context, c *keyslot.Client) error { _, err := c.Do(ctx, "BLPOP", low, 1); return err },
		"resolves": func(ctx context.Context, c *keyslot.Client) error {
			_, err := c.Do(ctx, "XREAD", "BLOCK", 1, "STREAMS", low, "$")
			return err
		},
		"subscribe": func(ctx context.Context, c *keyslot.Client) error { _, err := c.SSubscribe(ctx, low); return err },
		"script": func(ctx context.Context, c *keyslot.Client) error {
			_, err := script.Run(ctx, c, []string{low})
			return err
		},
		"pipeline": func(ctx context.Context, c *keyslot.Client) error {
			p := c.Pipeline()
			p.Get(low)
			p.Set(up, "v")
			return p.Exec(ctx)
		},
		"pipeline that pauses": func(ctx context.Context, c *keyslot.Client) error {
			p := c.Pipeline()
			p.Set(up, "v")
			return p.Exec(ctx)
		},
	} {
		story(t, keyslot.Options{CommandTimeout: 2 * time.Second, PeerTimeout: time.Hour}, func(t *testing.T, s *stage) {
			for _, name := range []string{"GET", "BLPOP", "SSUBSCRIBE", "XREVRANGE", "EVAL"} {
				s.lower.On(name, stuck())
			}
			s.lower.On("EVALSHA", fakenode.Reaction{Delay: time.Second, Send: "-NOSCRIPT No matching script.\r\n"})
			s.upper.On("SET", says("-CLUSTERDOWN The cluster is down"))
			err := call(t.Context(), s.client)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorContains(t, err, ": CommandTimeout of 2s: context deadline exceeded", name)

			err = call(t.Context(), s.client.Timeout(3*time.Second))
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorContains(t, err, ": Timeout of 3s: context deadline exceeded", name)

			err = call(within(t, 4*time.Second), s.client)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorContains(t, err, ": context deadline exceeded", name)
			require.NotContains(t, err.Error(), "Timeout of", name)
		})
	}
}
