package keyslot_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// BenchmarkSmallBesideLarge reports what 64 MiB values cost those who read 64 bytes from the same nodes: the 99th percentile
// of a GET, quiet, and beside a goroutine that reads or writes one large value after the other. It needs real servers.
func BenchmarkSmallBesideLarge(b *testing.B) {
	cluster := realcluster.Start(b, realcluster.Options{})
	client, err := keyslot.New(b.Context(), keyslot.Options{Endpoints: cluster.Addrs(), CommandTimeout: time.Minute})
	require.NoError(b, err)
	defer client.Close()
	for i := range smallKeys {
		require.NoError(b, client.Set(b.Context(), fmt.Sprint("small:", i), strings.Repeat("x", 64)))
	}
	value := make([]byte, 64<<20)
	require.NoError(b, client.SetBytes(b.Context(), "large", value))
	for name, large := range map[string]func() error{
		"GET": func() error { _, err := client.GetAppend(b.Context(), value[:0], "large"); return err },
		"SET": func() error { return client.SetBytes(b.Context(), "large", value) },
	} {
		for _, every := range []time.Duration{0, time.Millisecond} {
			b.Run(fmt.Sprintf("%s/every=%v", name, every), func(b *testing.B) {
				besideLarge(b, client, every, large)
			})
		}
	}
}

const (
	smallKeys    = 100 // over all nodes
	smallCallers = 8
)

// besideLarge runs b.N small GETs quiet, and as many beside the large command; turn by turn, because a shared machine is
// not the same from one second to the next.
func besideLarge(b *testing.B, client *keyslot.Client, every time.Duration, large func() error) {
	const turns = 4
	var quiet, beside []time.Duration
	count := 0
	for range turns {
		quiet = append(quiet, smallGets(b, client, b.N/turns+1, every)...)
		var stop atomic.Bool
		var work sync.WaitGroup
		work.Go(func() {
			for !stop.Load() {
				if err := large(); err != nil {
					b.Error(err)
				}
				count++
			}
		})
		beside = append(beside, smallGets(b, client, b.N/turns+1, every)...)
		stop.Store(true)
		work.Wait()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(p99(quiet), "quiet-p99-us")
	b.ReportMetric(p99(beside), "beside-p99-us")
	b.ReportMetric(p99(beside)/p99(quiet), "ratio")
	b.ReportMetric(float64(count), "large")
}

// smallGets returns how long each of n GETs took. Each caller starts one every so often; 0 means one after the other.
func smallGets(b *testing.B, client *keyslot.Client, n int, every time.Duration) []time.Duration {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var callers sync.WaitGroup
	for range smallCallers {
		callers.Go(func() {
			due := time.Now()
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if every > 0 {
					time.Sleep(time.Until(due))
					due = due.Add(every)
				}
				begin := time.Now()
				if _, err := client.Get(b.Context(), fmt.Sprint("small:", i%smallKeys)); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(begin)
			}
		})
	}
	callers.Wait()
	return took
}

// p99 returns the 99th percentile in microseconds.
func p99(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)*99/100].Nanoseconds()) / 1e3
}
