package wire_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// A slow server looks like a busy process at first. Looking for its replies must not become a habit.
func TestPollingInVainBecomesRare(t *testing.T) {
	require.Equal(t, 1000, wire.Polls(1000, true, true), "it finds replies")
	require.Equal(t, 1000, wire.Polls(1000, false, false), "nobody else wants to run, so it costs next to nothing")
	require.Less(t, wire.Polls(10_000, true, false), 25, "others run, and no reply has come")
}

func TestAReaderThatMayNotPollNeverDoes(t *testing.T) {
	require.True(t, wire.PollsAfter(time.Second, wire.Options{}), "woken late, it no longer relies on the runtime")
	require.False(t, wire.PollsAfter(time.Second, wire.Options{NoPoll: true}))
}

// spend keeps the processor for d.
func spend(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
	}
}

// Whoever reads is woken late, and looks from then on. With one processor the node answers while it lets others run, and
// takes longer than a yield that finds nobody. Now and then the scheduler has the reader back before the node; then it waits.
func TestAReplyThatComesDuringAYieldIsFoundByLooking(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ask := map[string]func(ctx context.Context, conn *wire.Conn, key string) error{
		"by the reader": func(ctx context.Context, conn *wire.Conn, key string) error {
			_, err := try(ctx, conn, "GET", key)
			return err
		},
		"by a lone caller": func(ctx context.Context, conn *wire.Conn, key string) error {
			return prompt(ctx, conn, &wire.Call{Request: request("GET", key)})
		},
	}
	for name, get := range ask {
		t.Run(name, func(t *testing.T) {
			node, opts := newNode(t)
			took := map[string]time.Duration{"late": 5 * time.Millisecond, "soon": 100 * time.Microsecond}
			node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				if r.Name() == "GET" {
					spend(took[r.Args[1]])
				}
				return echo(r)
			})
			var raw watched
			raw.dialled(&opts)
			conn := connect(t, opts)
			const rounds = 5
			for range rounds {
				for _, key := range []string{"late", "soon", "soon", "soon"} {
					require.NoError(t, get(t.Context(), conn, key))
				}
			}
			require.Greater(t, raw.found.Load(), int64(rounds))
		})
	}
}

func TestYieldsAreGivenUpWhereOthersDoNotYield(t *testing.T) {
	const long, short = 10 * time.Millisecond, 200 * time.Microsecond
	hog, until := wire.HogsAfter(0, long, long, long)
	require.True(t, hog)
	require.Equal(t, time.Hour+time.Second, until, "then one more is tried")
	hog, _ = wire.HogsAfter(5, long, long, long)
	require.True(t, hog, "some commands of others in all that time")
	hog, _ = wire.HogsAfter(20, long, long, long)
	require.False(t, hog, "many of them took it")
	for name, took := range map[string][]time.Duration{
		"nobody else":            {100, 100, 100, 100},
		"others yield":           {short, short, short, short},
		"now and then one hangs": {long, long, short, long, long, short},
	} {
		hog, _ := wire.HogsAfter(0, took...)
		require.False(t, hog, name)
	}
}

// A goroutine that computes keeps the only processor until the runtime takes it away.
func TestAGoroutineThatComputesHogs(t *testing.T) {
	_, opts := newNode(t)
	conn := connect(t, opts)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var enough atomic.Bool
	var computing sync.WaitGroup
	computing.Go(func() {
		for !enough.Load() {
		}
	})
	yields := 1
	for wire.Yield(conn) {
		yields++
	}
	enough.Store(true)
	computing.Wait()
	require.GreaterOrEqual(t, yields, 3)
}
