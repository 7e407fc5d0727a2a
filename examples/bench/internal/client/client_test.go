package client_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// seen counts what a client tells of itself.
type seen struct {
	moved, asked, dials atomic.Int64
	perCall             bool
}

func (s *seen) observer() client.Observer {
	return client.Observer{
		Redirected: func(ask bool) {
			if ask {
				s.asked.Add(1)
			} else {
				s.moved.Add(1)
			}
		},
		Refreshed: func(string) {},
		Dialled:   func() { s.dials.Add(1) },
	}
}

// each runs a test with every client, and with a new one for each operation.
func each(t *testing.T, test func(t *testing.T, cluster *keyslottest.Cluster, c client.Client, s *seen)) {
	for _, name := range client.Names() {
		for _, perCall := range []bool{false, true} {
			title := name
			if perCall {
				title += " per call"
			}
			t.Run(title, func(t *testing.T) {
				cluster, err := keyslottest.Start(keyslottest.Options{Shards: 2})
				require.NoError(t, err)
				defer cluster.Close()
				s := &seen{perCall: perCall}
				settings := client.Settings{Options: keyslot.Options{Endpoints: []string{cluster.Endpoint()}},
					Observer: s.observer()}
				c := client.PerCall(name, settings)
				if !perCall {
					c, err = client.Open(t.Context(), name, settings)
					require.NoError(t, err)
				}
				defer c.Close()
				test(t, cluster, c, s)
			})
		}
	}
}

func TestClientsDoTheSame(t *testing.T) {
	each(t, func(t *testing.T, _ *keyslottest.Cluster, c client.Client, s *seen) {
		ctx := t.Context()
		session, any := []string{"{s}:a", "{s}:b"}, []string{"a", "b", "c", "d"}
		require.NoError(t, c.Set(ctx, "key", "123"))
		require.NoError(t, c.MSet(ctx, session, "12"))
		require.NoError(t, c.SetEach(ctx, any, "1234"))
		for _, read := range []struct {
			bytes int
			of    func(context.Context) (int, error)
		}{
			{3, func(ctx context.Context) (int, error) { return c.Get(ctx, "key") }},
			{4, func(ctx context.Context) (int, error) { return c.MGet(ctx, session) }},
			{16, func(ctx context.Context) (int, error) { return c.GetEach(ctx, any) }},
		} {
			n, err := read.of(ctx)
			require.NoError(t, err)
			require.Equal(t, read.bytes, n)
		}
		_, err := c.Get(ctx, "no such key")
		require.ErrorIs(t, err, client.ErrMissing)
		_, err = c.MGet(ctx, []string{"{s}:a", "{s}:z"})
		require.ErrorIs(t, err, client.ErrMissing)
		_, err = c.GetEach(ctx, []string{"a", "no such key"})
		require.ErrorIs(t, err, client.ErrMissing)
		require.Positive(t, s.dials.Load())
	})
}

func TestRedirectsAreSeen(t *testing.T) {
	each(t, func(t *testing.T, cluster *keyslottest.Cluster, c client.Client, s *seen) {
		require.NoError(t, c.Set(t.Context(), "moved", "v"))
		from, to := sides(cluster, "moved")
		require.NoError(t, cluster.MoveSlots(t.Context(), from, to, keyslot.Slot("moved")))
		_, err := c.Get(t.Context(), "moved")
		require.NoError(t, err)
		if s.perCall {
			require.Zero(t, s.moved.Load(), "a new client knows the new owner")
		} else {
			require.Positive(t, s.moved.Load())
		}

		require.NoError(t, c.Set(t.Context(), "asked", "v"))
		_, to = sides(cluster, "asked")
		migration, err := cluster.Migrate(keyslot.Slot("asked"), to)
		require.NoError(t, err)
		require.True(t, migration.MoveKey("asked"))
		_, err = c.Get(t.Context(), "asked")
		require.NoError(t, err)
		require.Positive(t, s.asked.Load())
	})
}

// sides returns the ids of the primary that has a key, and of the other one.
func sides(cluster *keyslottest.Cluster, key string) (owner, other string) {
	for _, shard := range cluster.Shards() {
		if id := shard.Primary.ID; id != cluster.Owner(key).ID {
			other = id
		}
	}
	return cluster.Owner(key).ID, other
}
