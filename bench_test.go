package keyslot_test

import (
	"context"
	"testing"
	"time"

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

// A large pipeline that is given up, next to one that is answered: late-ns is how long after its deadline Exec returns,
// for each command.
func BenchmarkPipelineGivenUp(b *testing.B) {
	for _, row := range []struct {
		name  string
		mute  bool
		after time.Duration
	}{
		{"answered", false, time.Minute},
		{"before Exec", false, 0},
		{"unanswered", true, 50 * time.Millisecond},
	} {
		b.Run(row.name, func(b *testing.B) {
			cluster := startFixedCluster(b, 3)
			client := connect(b, keyslot.Options{Endpoints: []string{cluster.addr()}, RefreshAfter: -1, MaxInFlight: 1 << 20})
			require.NoError(b, largePipeline(client).Exec(b.Context()))
			cluster.mute.Store(row.mute)
			b.ReportAllocs()
			var late time.Duration
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), row.after)
				p := largePipeline(client)
				began := time.Now()
				if err := p.Exec(ctx); (err == nil) != (row.name == "answered") {
					b.Fatal(err)
				}
				late += time.Since(began)
				if row.name != "answered" {
					late -= row.after
				}
				cancel()
			}
			b.ReportMetric(float64(late.Nanoseconds())/float64(b.N)/largeSize, "late-ns")
		})
	}
}
