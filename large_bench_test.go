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
// of a GET quiet, beside a goroutine that reads or writes one large value after the other, and apart, where that goroutine
// has a client of its own. Apart is what the servers and the machine cost, whatever a client does: a server that copies 64 MiB
// serves nobody meanwhile. It needs real servers.
func BenchmarkSmallBesideLarge(b *testing.B) {
	cluster := realcluster.Start(b, realcluster.Options{})
	client, apart := benchClient(b, cluster), benchClient(b, cluster)
	for i := range smallKeys {
		require.NoError(b, client.Set(b.Context(), fmt.Sprint("small:", i), strings.Repeat("x", 64)))
	}
	value := make([]byte, 64<<20)
	require.NoError(b, client.SetBytes(b.Context(), "large", value))
	for name, large := range map[string]func(*keyslot.Client) error{
		"GET": func(c *keyslot.Client) error { _, err := c.GetAppend(b.Context(), value[:0], "large"); return err },
		"SET": func(c *keyslot.Client) error { return c.SetBytes(b.Context(), "large", value) },
	} {
		for _, small := range []smallLoad{{callers: 1}, {callers: 8}, {callers: 8, every: 5 * time.Millisecond}} {
			b.Run(fmt.Sprintf("%s/callers=%d/every=%v", name, small.callers, small.every), func(b *testing.B) {
				besideLarge(b, client, small, large, map[string]*keyslot.Client{"quiet": nil, "beside": client, "apart": apart})
			})
		}
	}
}

func benchClient(b *testing.B, cluster *realcluster.Cluster) *keyslot.Client {
	client, err := keyslot.New(b.Context(), keyslot.Options{Endpoints: cluster.Addrs(), CommandTimeout: time.Minute})
	require.NoError(b, err)
	b.Cleanup(func() { _ = client.Close() })
	return client
}

const smallKeys = 100 // over all nodes

// smallLoad are callers that start a GET every so often each; 0 means one after the other.
type smallLoad struct {
	callers int
	every   time.Duration
}

// besideLarge runs b.N small GETs for each of the clients that the large command may run on, nil for none; turn by turn,
// because a shared machine is not the same from one second to the next.
func besideLarge(b *testing.B, client *keyslot.Client, small smallLoad, large func(*keyslot.Client) error, beside map[string]*keyslot.Client) {
	const turns = 4
	took := map[string][]time.Duration{}
	for range turns {
		for name, other := range beside {
			var stop atomic.Bool
			var work sync.WaitGroup
			work.Go(func() {
				for other != nil && !stop.Load() {
					if err := large(other); err != nil {
						b.Error(err)
					}
				}
			})
			took[name] = append(took[name], small.run(b, client, b.N/turns+1)...)
			stop.Store(true)
			work.Wait()
		}
	}
	b.ReportMetric(0, "ns/op")
	for name := range beside {
		b.ReportMetric(p99(took[name]), name+"-p99-us")
	}
	b.ReportMetric(p99(took["beside"])/p99(took["quiet"]), "to-quiet")
	b.ReportMetric(p99(took["beside"])/p99(took["apart"]), "to-apart")
}

// run returns how long each of n GETs took.
func (l smallLoad) run(b *testing.B, client *keyslot.Client, n int) []time.Duration {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var callers sync.WaitGroup
	for range l.callers {
		callers.Go(func() {
			begin := time.Now()
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if l.every == 0 {
					begin = time.Now()
				} else {
					time.Sleep(time.Until(begin)) // who is late starts at once, and has waited since
				}
				if _, err := client.Get(b.Context(), fmt.Sprint("small:", i%smallKeys)); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(begin)
				begin = begin.Add(l.every)
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
