// sync.Pool forgets at random under the race detector, so what is counted here would be its own.

//go:build !race

package keyslot_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

// hundred are the keys of a batch, spread over all slots.
var hundred = func() (keys []string) {
	for i := range 100 {
		keys = append(keys, fmt.Sprint("user:", i))
	}
	return keys
}()

// mixed runs a pipeline of 50 GETs and 50 SETs.
func mixed(ctx context.Context, client *keyslot.Client, value string) error {
	p := client.Pipeline()
	for i := 0; i < len(hundred); i += 2 {
		p.Get(hundred[i])
		p.Set(hundred[i+1], value)
	}
	return p.Exec(ctx)
}

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
		{"Do GET", 3, func() error { _, err := client.Do(ctx, "GET", "key"); return err }},
		{"MGET of 100", 0, func() error { _, err := client.MGet(ctx, hundred...); return err }},
		{"pipeline of 100", 0, func() error { return mixed(ctx, client, value) }},
	} {
		for range 10 {
			require.NoError(t, row.run())
		}
		got := testing.AllocsPerRun(500, func() {
			if err := row.run(); err != nil {
				t.Error(err)
			}
		})
		t.Log(row.name, got)
	}
}
