// sync.Pool forgets at random under the race detector, so what is counted here would be its own.

//go:build !race

package keyslot_test

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

// What a command allocates is exact: GET its value; MGET of 100 its 100 values, packed, and the slice of them; the pipeline
// itself, its 100 futures, 16 at a time and of two types, and its 50 values, packed.
func TestAllocationsOfACommand(t *testing.T) {
	client := connect(t, keyslot.Options{Endpoints: []string{startFixedCluster(t, 3).addr()}, RefreshAfter: -1})
	ctx := t.Context()
	value := string(fixedValue)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	for _, row := range []struct {
		name string
		want float64
		run  func() error
	}{
		{"GET", 1, func() error { _, err := client.Get(ctx, "key"); return err }},
		{"SET", 0, func() error { return client.Set(ctx, "key", "value") }},
		{"Do GET", 1, func() error { _, err := client.Do(ctx, "GET", "key"); return err }},
		{"MGET of 100", 8, func() error { _, err := client.MGet(ctx, hundred...); return err }},
		{"pipeline of 100", 18, func() error { return mixed(ctx, client, value) }},
	} {
		for range 10 {
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
