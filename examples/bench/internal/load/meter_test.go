package load

import (
	"testing"
	"time"
)

// What it costs twice a second, for latencies of up to 100 ms.
func BenchmarkBeat(b *testing.B) {
	m, fresh, total := newMeter(newBursts(func() time.Duration { return 0 })), newSums(), newSums()
	groups := (Spec{Prefix: "t:", Keys: 1}).Groups()
	for b.Loop() {
		b.StopTimer()
		for i := range 1000 {
			m.record(done{worker: i, read: i%2 == 0, took: time.Duration(i) * 100 * time.Microsecond, groups: []int{0}}, groups)
		}
		b.StartTimer()
		m.collect(fresh)
		for range 3 {
			total.add(fresh)
		}
		latency(total.reads)
		latency(total.writes)
	}
}
