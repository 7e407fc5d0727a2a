package keyslot_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

// What commands cost from call to reply, on loopback TCP and nodes that do next to nothing.

func benchmarkCommand(b *testing.B, run func(client *keyslot.Client) error) {
	client, err := keyslot.New(b.Context(), keyslot.Options{Endpoints: []string{startFixedCluster(b, 3).addr()}, RefreshAfter: -1})
	require.NoError(b, err)
	defer client.Close()
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := run(client); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	benchmarkCommand(b, func(client *keyslot.Client) error { _, err := client.Get(b.Context(), "key"); return err })
}

func BenchmarkSet(b *testing.B) {
	benchmarkCommand(b, func(client *keyslot.Client) error { return client.Set(b.Context(), "key", "value") })
}

func BenchmarkDoGet(b *testing.B) {
	benchmarkCommand(b, func(client *keyslot.Client) error { _, err := client.Do(b.Context(), "GET", "key"); return err })
}

func BenchmarkMGet100(b *testing.B) {
	benchmarkCommand(b, func(client *keyslot.Client) error { _, err := client.MGet(b.Context(), hundred...); return err })
}

func BenchmarkPipeline100(b *testing.B) {
	value := string(fixedValue)
	benchmarkCommand(b, func(client *keyslot.Client) error { return mixed(b.Context(), client, value) })
}
