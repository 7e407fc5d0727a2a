package report

// target bounds one metric of one setting.
type target struct {
	setting string // cells without the number of goroutines
	metric  metric
	against string          // whose figure divides ours; empty: ours alone is bounded
	bounds  map[int]float64 // by number of goroutines
	who     string          // our client; empty: keyslot
}

func (t target) client() string {
	if t.who == "" {
		return ours
	}
	return t.who
}

// from1 returns bounds for 1, 8, 64 and 512 goroutines, from64 for the last two; from8 one bound for the last three,
// all one for all four.
func from1(c1, c8, c64, c512 float64) map[int]float64 {
	return map[int]float64{1: c1, 8: c8, 64: c64, 512: c512}
}

func from8(bound float64) map[int]float64 { return map[int]float64{8: bound, 64: bound, 512: bound} }

func from64(c64, c512 float64) map[int]float64 { return map[int]float64{64: c64, 512: c512} }

func all(bound float64) map[int]float64 { return from1(bound, bound, bound, bound) }

func extreme(bound float64) map[int]float64 { return map[int]float64{4: bound, 512: bound} }

// notWorse is the ratio up to which a figure counts as equal, where we are to be no worse than another, and notSlower
// the one down to which ops/s do: differences below 10 % are noise, as README.md says.
const (
	notWorse  = 1.1
	notSlower = 0.9
)

// targets are what keyslot is meant to reach. Verdicts says what it did, and NotBehind what it did in the other cells.
var targets = []target{
	{setting: "get64", metric: opsMetric, against: "rueidis", bounds: from1(1, 1.3, 2.2, 2.6)},
	{setting: "get64", metric: opsMetric, against: "rueidis-delay20", bounds: from1(1.1, 1.2, 1.5, 1.7)},
	{setting: "get64", metric: opsMetric, against: "goredis", bounds: from1(1.05, 1.5, 3.5, 5)},
	{setting: "get64", metric: opsMetric, against: "goredis-auto", bounds: from1(1.5, 1.8, 1.6, 1.6)},
	{setting: "get64", metric: cpuMetric, against: "rueidis", bounds: from1(1, 0.75, 0.42, 0.35)},
	{setting: "get64", metric: cpuMetric, against: "rueidis-delay20", bounds: from64(0.8, 0.8)},
	{setting: "get64", metric: cpuMetric, against: "goredis", bounds: from1(0.9, 0.5, 0.25, 0.15)},
	{setting: "get64", metric: cpuMetric, against: "goredis-auto", bounds: from1(0.5, 0.45, 0.5, 0.6)},
	{setting: "get64", metric: p99Metric, against: "rueidis", bounds: from64(0.5, 0.5)},
	{setting: "get64", metric: p99Metric, against: "rueidis-delay20", bounds: from64(0.9, 0.9)},
	{setting: "get64", metric: p99Metric, against: "goredis", bounds: from64(0.3, 0.2)},
	{setting: "get64", metric: p99Metric, against: "goredis-auto", bounds: from64(0.8, 0.8)},
	{setting: "get64", metric: allocsMetric, bounds: all(1)},

	{setting: "set64", metric: opsMetric, against: "rueidis", bounds: from64(1.5, 1.7)},
	{setting: "set64", metric: allocsMetric, bounds: all(0)},
	{setting: "get4k", metric: opsMetric, against: "rueidis", bounds: from64(1.5, 1.7)},
	{setting: "get4k", metric: allocsMetric, bounds: all(1)},

	{setting: "pipe100", metric: opsMetric, against: "rueidis", bounds: all(1.15)},
	{setting: "pipe100", metric: cpuMetric, against: "rueidis", bounds: from1(0.75, 0.5, 0.5, 0.5)},
	{setting: "pipe100", metric: cpuMetric, against: "goredis", bounds: all(0.35)},
	{setting: "pipe100", metric: allocsMetric, against: "rueidis", bounds: all(0.8)},
	{setting: "pipe100", metric: allocsMetric, against: "goredis", bounds: all(0.15)},
	{setting: "mget100", metric: opsMetric, against: "rueidis", bounds: from8(1.3)},
	{setting: "mget100", metric: cpuMetric, against: "rueidis", bounds: from1(0.75, 0.45, 0.45, 0.45)},
	{setting: "mget100", metric: allocsMetric, against: "rueidis", bounds: all(0.5)},

	{setting: "get64/ctx=cancel", metric: opsMetric, against: "rueidis", bounds: map[int]float64{1: 1.25}},
	{setting: "get64/ctx=cancel", metric: allocsMetric, bounds: from1(4, 1, 1, 1)}, // a lone caller watches its context
	// A context for each call costs 4, and one more in us, on top of GET's 1.
	{setting: "get64/ctx=timeout", metric: allocsMetric, bounds: from1(9, 6, 6, 6)},
	{setting: "get64/rate=10k", metric: p50Metric, against: "rueidis", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/rate=10k", metric: p50Metric, against: "rueidis-delay20", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/rate=10k", metric: p50Metric, against: "goredis", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/rate=10k", metric: p50Metric, against: "goredis-auto", bounds: map[int]float64{64: 0.1}},
	{setting: "get64/rate=10k", metric: p50Metric, against: "radix", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/rate=10k", metric: cpuMetric, against: "rueidis", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/rate=10k", metric: cpuMetric, against: "rueidis-delay20", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/rate=10k", metric: cpuMetric, against: "goredis", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/rate=10k", metric: cpuMetric, against: "goredis-auto", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/rate=10k", metric: cpuMetric, against: "radix", bounds: map[int]float64{64: notWorse}},
	{setting: "get64/burners=4,procs=2", metric: opsMetric, against: "rueidis", bounds: map[int]float64{8: 10}},
	{setting: "get64/burners=4,procs=2", metric: p50Metric, bounds: map[int]float64{8: 1000}},

	{setting: "get64/procs=8", metric: cpuMetric, against: "rueidis", bounds: from64(1, 1)},
	{setting: "get64/procs=16", metric: cpuMetric, against: "rueidis", bounds: from64(1, 1)},
	{setting: "get64/conns", metric: cpuMetric, against: "rueidis", bounds: from64(1, 1)},
	{setting: "get64/conns", who: "keyslot-2conns", metric: cpuMetric, against: "rueidis", bounds: from64(1, 1)},
	{setting: "get64/conns", who: "keyslot-4conns", metric: cpuMetric, against: "rueidis", bounds: from64(1, 1)},
	{setting: "get64/tls", metric: opsMetric, against: "rueidis", bounds: map[int]float64{64: 1.5}},
	{setting: "get64/tls", metric: cpuMetric, against: "rueidis", bounds: map[int]float64{64: 0.6}},
	{setting: "get64/slow", metric: cpuMetric, against: "rueidis", bounds: extreme(1)},
	{setting: "get64/50nodes", metric: cpuMetric, against: "rueidis", bounds: extreme(1)},
	{setting: "get64/50nodes,slow", metric: cpuMetric, against: "rueidis", bounds: extreme(1)},
}
