package keyslottest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// follow sends a command as a cluster client does: to the owner it believes in, and then wherever it is redirected. It
// returns the final reply and how often it was sent elsewhere.
func follow(conns map[string]session, t testing.TB, addr, command string) (reply string, moved, asked int) {
	asking := false
	for range 20 {
		s, open := conns[addr]
		if !open {
			s = connect(t, addr)
			conns[addr] = s
		}
		if asking {
			s.want("+OK", "ASKING")
		}
		reply = strings.TrimSuffix(s.do(command), "\r\n")
		word := strings.Fields(reply)
		switch {
		case strings.HasPrefix(reply, "-MOVED "):
			addr, asking, moved = word[2], false, moved+1
		case strings.HasPrefix(reply, "-ASK "):
			addr, asking, asked = word[2], true, asked+1
		default:
			return reply, moved, asked
		}
	}
	require.Fail(t, "redirected for ever", command)
	return "", 0, 0
}

func TestMigrationGivesAskThenMoved(t *testing.T) {
	c := start(t, keyslottest.Options{})
	from, to := c.Owner("a"), c.Nodes()[0]
	source, target := connect(t, from.Addr), connect(t, to.Addr)
	source.want("+OK", "MSET {a}1 x {a}2 y {a}3 z")

	m, err := c.Migrate(15495, to.ID)
	require.NoError(t, err)
	source.want("$1\r\nx", "GET {a}1")
	require.True(t, m.MoveKey("{a}1"))
	require.False(t, m.MoveKey("{a}1"), "moved already")
	require.False(t, m.MoveKey("{a}none"))
	require.False(t, m.MoveKey("b"), "not of this slot")
	source.want("-ASK 15495 "+to.Addr, "GET {a}1")
	source.want("-TRYAGAIN Multiple keys request during rehashing of slot", "MGET {a}1 {a}2")
	require.Equal(t, 1, m.MoveKeys(1))
	require.Equal(t, 1, m.MoveKeys(5))
	require.Equal(t, 0, m.MoveKeys(5))
	target.want("+OK", "ASKING")
	target.want("*2\r\n$1\r\nx\r\n$1\r\ny", "MGET {a}1 {a}2")
	require.Contains(t, source.do("CLUSTER NODES"), "[15495->-"+to.ID+"]")
	require.Contains(t, target.do("CLUSTER NODES"), "[15495-<-"+from.ID+"]")

	require.NoError(t, m.Finish())
	require.Error(t, m.Finish(), "it is over")
	source.want("-MOVED 15495 "+to.Addr, "GET {a}1")
	target.want("*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz", "MGET {a}1 {a}2 {a}3")
	require.Equal(t, to.ID, c.Owner("a").ID)
}

func TestFinishTakesAlongTheKeysThatWereNotMoved(t *testing.T) {
	c := start(t, keyslottest.Options{})
	to := c.Nodes()[0]
	connect(t, c.Owner("a").Addr).want("+OK", "SET a x")
	m, err := c.Migrate(15495, to.ID)
	require.NoError(t, err)
	require.NoError(t, m.Finish())
	connect(t, to.Addr).want("$1\r\nx", "GET a")
}

func TestACancelledMigrationLeavesAllAtTheSource(t *testing.T) {
	c := start(t, keyslottest.Options{})
	source := connect(t, c.Owner("a").Addr)
	source.want("+OK", "SET a x")
	m, err := c.Migrate(15495, c.Nodes()[0].ID)
	require.NoError(t, err)
	require.Equal(t, 1, m.MoveKeys(1))
	m.Cancel()
	m.Cancel()
	source.want("$1\r\nx", "GET a")
	require.Error(t, m.Finish())
	require.Equal(t, 0, m.MoveKeys(1))
	require.False(t, m.MoveKey("a"))
}

func TestMigrationsThatCannotBe(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 1})
	s := c.Shards()
	_, err := c.Migrate(15495, "nobody")
	require.ErrorContains(t, err, "no node")
	_, err = c.Migrate(15495, s[0].Replicas[0].ID)
	require.ErrorContains(t, err, "is a replica")
	_, err = c.Migrate(15495, s[2].Primary.ID)
	require.ErrorContains(t, err, "already")
	_, err = c.Migrate(16384, s[0].Primary.ID)
	require.ErrorContains(t, err, "0 to 16383")
	_, err = c.Migrate(15495, s[0].Primary.ID)
	require.NoError(t, err)
	_, err = c.Migrate(15495, s[1].Primary.ID)
	require.ErrorContains(t, err, "migrating already")
	require.Error(t, c.MoveSlots(t.Context(), s[0].Primary.ID, s[1].Primary.ID, 15495), "not at that node")
}

func TestEpochsRiseWithSlotMovesUnlessTheyAreTheHighest(t *testing.T) {
	c := start(t, keyslottest.Options{Replicas: 1})
	s := c.Shards()
	require.Equal(t, []uint64{1, 2, 3}, []uint64{s[0].Epoch, s[1].Epoch, s[2].Epoch})
	require.NoError(t, c.MoveSlots(t.Context(), s[2].Primary.ID, s[0].Primary.ID, 15495))
	require.Equal(t, uint64(4), c.Shards()[0].Epoch)
	require.NoError(t, c.MoveSlots(t.Context(), s[2].Primary.ID, s[0].Primary.ID, 15496))
	require.Equal(t, uint64(4), c.Shards()[0].Epoch, "a server does not bump the highest epoch")
	require.NoError(t, c.Failover(s[1].Replicas[0].ID))
	require.Equal(t, uint64(5), c.Shards()[1].Epoch)
	require.Contains(t, connect(t, s[1].Primary.Addr).do("CLUSTER INFO"), "cluster_current_epoch:5\r\ncluster_my_epoch:5\r\n")
}

// TestResharding keeps counters going while shards come and go. Every INCR has to be counted once: the naive client
// here follows redirects and does nothing else.
func TestResharding(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 2, StepPause: 20 * time.Microsecond})
	const workers, keys = 4, 50
	var done sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	moved, asked := make([]int, workers), make([]int, workers)
	for w := range workers {
		done.Go(func() {
			conns := map[string]session{}
			for n := 1; ctx.Err() == nil; n++ {
				for k := range keys {
					reply, m, a := follow(conns, t, c.Endpoint(), fmt.Sprintf("INCR key:%d:%d", w, k))
					if want := fmt.Sprintf(":%d", n); reply != want {
						t.Errorf("INCR key:%d:%d = %s, want %s", w, k, reply, want)
						return
					}
					moved[w], asked[w] = moved[w]+m, asked[w]+a
				}
			}
		})
	}
	added, err := c.AddShard()
	require.NoError(t, err)
	require.Empty(t, added.Slots)
	require.NoError(t, c.Rebalance(t.Context()))
	for _, s := range c.Shards() {
		require.InDelta(t, 16384/3, slotsOf(s), 1)
	}
	require.NoError(t, c.RemoveShard(t.Context(), added.Primary.ID))
	require.Len(t, c.Shards(), 2)
	require.Equal(t, 16384, slotsOf(c.Shards()[0])+slotsOf(c.Shards()[1]))
	stop()
	done.Wait()
	require.Positive(t, moved[0]+moved[1]+moved[2]+moved[3])
	require.EqualValues(t, moved[0]+moved[1]+moved[2]+moved[3], c.Stats("").Moved)
	require.EqualValues(t, asked[0]+asked[1]+asked[2]+asked[3], c.Stats("").Ask)
}

func slotsOf(s keyslottest.Shard) (n int) {
	for _, r := range s.Slots {
		n += int(r.Last-r.First) + 1
	}
	return n
}

func TestMoveSlotsEndsWithItsContext(t *testing.T) {
	c := start(t, keyslottest.Options{StepPause: time.Hour})
	s := c.Shards()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, c.MoveSlots(ctx, s[0].Primary.ID, s[1].Primary.ID, 0, 1), context.DeadlineExceeded)
	require.Equal(t, s[0].Slots, c.Shards()[0].Slots)
	_, err := c.Migrate(0, s[1].Primary.ID)
	require.NoError(t, err, "the slot is not left half-way")
}

func TestAShardThatImportsStays(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 2})
	n := c.Nodes()
	m, err := c.Migrate(0, n[1].ID)
	require.NoError(t, err)
	require.ErrorContains(t, c.RemoveShard(t.Context(), n[1].ID), "while it was being removed")
	require.NoError(t, m.Finish())
	require.NoError(t, c.RemoveShard(t.Context(), n[1].ID))
	_, err = c.Migrate(0, n[1].ID)
	require.Error(t, err)
}

func TestTheLastShardStays(t *testing.T) {
	c := start(t, keyslottest.Options{Shards: 1})
	require.ErrorContains(t, c.RemoveShard(t.Context(), c.Nodes()[0].ID), "last shard")
}
