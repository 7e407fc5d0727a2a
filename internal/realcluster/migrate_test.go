package realcluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

func TestASlotMovesKeyByKeyForAsLongAsIsWanted(t *testing.T) {
	t.Parallel()
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		ctx := limit(t, time.Minute)
		c := realcluster.Start(t, realcluster.Options{Engine: e.Name, Primaries: 2, ACL: []string{"ann on >secret ~* +@all"}})
		from, to := c.Node(0), c.Node(1)
		tag := keyBelow(t, c, 8000)
		slot := slotOf(t, c, tag)
		for _, key := range []string{"{" + tag + "}1", "{" + tag + "}2"} {
			_, err := c.Do(ctx, from, "SET", key, "kept")
			require.NoError(t, err)
		}

		moved := make(chan error, 1)
		go func() { moved <- c.MoveSlot(ctx, slot, from, to, 2*time.Second) }()
		both := []string{"MGET", "{" + tag + "}1", "{" + tag + "}2"}
		require.Eventually(t, func() bool {
			_, err := c.Do(ctx, from, both...)
			return err != nil && strings.Contains(err.Error(), "TRYAGAIN")
		}, 10*time.Second, 10*time.Millisecond)
		require.NoError(t, <-moved)

		values, err := c.Do(ctx, to, both...)
		require.NoError(t, err)
		require.Equal(t, "kept\nkept", values)
		require.NoError(t, c.WaitHealthy(ctx))
		owners, err := c.Owners(ctx)
		require.NoError(t, err)
		require.Same(t, to, owners[slot])
		require.Same(t, from, owners[(slot+1)%8000])
	})
}

func TestMoreConfigurationForOneRun(t *testing.T) {
	t.Parallel()
	ctx := limit(t, time.Minute)
	c := realcluster.Start(t, realcluster.Options{})
	n := c.Node(0)
	for _, run := range []struct {
		config []string
		want   string
	}{{[]string{"timeout 77"}, "timeout\n77"}, {nil, "timeout\n0"}} {
		require.NoError(t, n.Kill())
		require.NoError(t, n.RestartWith(ctx, run.config...))
		got, err := c.Do(ctx, n, "CONFIG", "GET", "timeout")
		require.NoError(t, err)
		require.Equal(t, run.want, got)
	}
}
