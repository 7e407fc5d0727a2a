// sync.Pool forgets at random under the race detector, so what is counted here would be its own.

//go:build !race

package keyslot_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

// What a command allocates is exact: GET its value; MGET of 100 its 100 values, packed, and the slice of them; MGET by
// Do the places of its keys, its reply joined, one copy of that for all values, and the slice of them; the pipeline
// itself, its 100 futures, 18 at a time and of two types, and its 50 values, packed. A context that can be cancelled
// costs a caller that is alone two more, and three more again where it is new: its channel and the set of those that it
// tells (2). To make it takes four.
func TestAllocationsOfACommand(t *testing.T) {
	client := connect(t, keyslot.Options{Endpoints: []string{startFixedCluster(t, 3).addr()}, RefreshAfter: -1})
	ctx := context.Background()
	replica := connect(t, keyslot.Options{Endpoints: []string{startFixedShard(t).addr()}, RefreshAfter: -1, ReadFrom: keyslot.PreferReplica})
	told := connect(t, keyslot.Options{
		Endpoints: []string{startFixedCluster(t, 3).addr()}, RefreshAfter: -1,
		Trace: &keyslot.Trace{Called: func(context.Context, keyslot.CallEvent) {}},
	})
	cancellable, cancel := context.WithCancel(ctx)
	defer cancel()
	value := string(fixedValue)
	thirty := []any{"MGET"}
	for _, key := range hundred[:30] {
		thirty = append(thirty, key)
	}
	buffer, bytes := make([]byte, 0, 128), []byte("value")
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	for _, row := range []struct {
		name string
		want float64
		run  func() error
	}{
		{"GET", 1, func() error { _, err := client.Get(ctx, "key"); return err }},
		{"GET that can be cancelled, of one caller", 3, func() error { _, err := client.Get(cancellable, "key"); return err }},
		{"GET with a timeout of its own, of one caller", 10, func() error {
			timeout, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			_, err := client.Get(timeout, "key")
			return err
		}},
		{"GET of which somebody is told", 1, func() error { _, err := told.Get(ctx, "key"); return err }},
		{"pipeline of 100 of which somebody is told", 16, func() error { return mixed(ctx, told, value) }},
		{"GET from a replica", 1, func() error { _, err := replica.Get(ctx, "key"); return err }},
		{"MGET of 100 from replicas", 8, func() error { _, err := replica.MGet(ctx, hundred...); return err }},
		{"SET", 0, func() error { return client.Set(ctx, "key", "value") }},
		{"GET into the caller's buffer", 0, func() error { _, err := client.GetAppend(ctx, buffer, "key"); return err }},
		{"GET as bytes", 1, func() error { _, err := client.GetBytes(ctx, "key"); return err }},
		{"SET of bytes", 0, func() error { return client.SetBytes(ctx, "key", bytes) }},
		{"Do GET", 1, func() error { _, err := client.Do(ctx, "GET", "key"); return err }},
		{"Do MGET of 30", 4, func() error { _, err := client.Do(ctx, thirty...); return err }},
		{"MGET of 100", 8, func() error { _, err := client.MGet(ctx, hundred...); return err }},
		{"pipeline of 100", 16, func() error { return mixed(ctx, client, value) }},
	} {
		for range 100 { // by then a connection leaves reading to a caller that is alone
			require.NoError(t, row.run())
		}
		got := testing.AllocsPerRun(500, func() {
			if err := row.run(); err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, row.want, got, row.name)
	}
}

// Ten thousand futures, of some fifty bytes each, are most of what a pipeline of so many commands allocates, once there
// was one before it: the rest is what lies where another processor does not take it from.
func TestALargePipelineFindsItsMemory(t *testing.T) {
	client := connect(t, keyslot.Options{Endpoints: []string{startFixedCluster(t, 3).addr()}, RefreshAfter: -1})
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	run := func() { require.NoError(t, largePipeline(client).Exec(t.Context())) }
	run()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
}

// Nothing is allocated for each command but a future and an error, many at a time: the deadline of a large pipeline
// is near its end.
func TestGivingALargePipelineUpAllocatesLittle(t *testing.T) {
	cluster := startFixedCluster(t, 3)
	client := connect(t, keyslot.Options{Endpoints: []string{cluster.addr()}, RefreshAfter: -1})
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	require.NoError(t, largePipeline(client).Exec(t.Context()))
	cluster.mute.Store(true)
	for name, timeout := range map[string]time.Duration{"before Exec": 0, "unanswered": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			require.Less(t, testing.AllocsPerRun(1, func() {
				require.ErrorIs(t, largePipeline(client).Exec(within(t, timeout)), context.DeadlineExceeded)
			}), largeSize/2.0)
		})
	}
}
