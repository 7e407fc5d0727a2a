package keyslottest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// TestChaosLosesNothing counts while nodes fail over, stop, and are replaced, and connections are reset: what was
// acknowledged has happened exactly once, and what got no reply at most once.
func TestChaosLosesNothing(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 2, Replicas: 1})
	var done sync.WaitGroup
	over := make(chan struct{})
	acked, unknown := make([]atomic.Int64, 4), make([]int, 4)
	for w := range acked {
		done.Go(func() {
			for key := fmt.Sprint("counter:", w); ; {
				select {
				case <-over:
					return
				default:
					a, u := countSome(c, key)
					acked[w].Add(int64(a))
					unknown[w] += u
				}
			}
		})
	}
	for range 150 {
		disturb(t, c)
	}
	for w := range acked { // a busy machine may have let one of them wait all that time
		require.Eventually(t, func() bool { return acked[w].Load() > 0 }, 20*time.Second, time.Millisecond)
	}
	close(over)
	done.Wait()
	for w := range acked {
		key := fmt.Sprint("counter:", w)
		var counted int
		fmt.Sscanf(connect(t, c.Owner(key).Addr).do("INCRBY "+key+" 0"), ":%d", &counted)
		sum := int(acked[w].Load())
		require.Positive(t, sum)
		require.GreaterOrEqual(t, counted, sum)
		require.LessOrEqual(t, counted, sum+unknown[w])
	}
}

// countSome sends INCRs over one connection until one of them is not answered with a number, or there were a hundred.
func countSome(c *keyslottest.Cluster, key string) (acked, unknown int) {
	conn, err := dial(c.Owner(key).Addr)
	if err != nil {
		return 0, 0
	}
	defer conn.nc.Close()
	for range 100 {
		reply, err := conn.do("INCR " + key)
		if err != nil {
			return acked, 1
		}
		if !strings.HasPrefix(reply, ":") {
			return acked, 0 // MOVED or CLUSTERDOWN: refused, and so not executed
		}
		acked++
	}
	return acked, 0
}

// disturb does one thing to the cluster, and leaves it whole.
func disturb(t *testing.T, c *keyslottest.Cluster) {
	shard := c.Shards()[rand.IntN(2)]
	switch rand.IntN(4) {
	case 0:
		require.NoError(t, c.Failover(shard.Replicas[0].ID))
	case 1:
		require.NoError(t, c.Stop(shard.Primary.ID))
		require.NoError(t, c.Failover(shard.Replicas[0].ID))
		_, err := c.Replace(shard.Primary.ID)
		require.NoError(t, err)
	case 2:
		_, err := c.Replace(shard.Primary.ID)
		require.NoError(t, err)
	case 3:
		slot := shard.Slots[0].First
		other := c.Shards()[0].Primary.ID
		if other == shard.Primary.ID {
			other = c.Shards()[1].Primary.ID
		}
		require.NoError(t, c.MoveSlots(t.Context(), shard.Primary.ID, other, slot))
	}
	_, err := c.Inject(c.Nodes()[0].ID, keyslottest.Fault{Command: "INCR", After: rand.IntN(5), Times: 1, Reset: true})
	require.NoError(t, err)
}
