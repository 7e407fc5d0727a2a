package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantilesAreAtMostAThirtySecondAboveTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var truth []time.Duration
	for range 100_000 {
		d := time.Duration(math.Exp(random.NormFloat64()*3 + 10)) // 22 µs, give or take a factor of 20
		h.record(d)
		truth = append(truth, d)
	}
	slices.Sort(truth)
	for _, q := range []float64{0, 0.5, 0.99, 0.999} {
		want := truth[int(q*float64(len(truth)))]
		got := h.quantile(q)
		require.GreaterOrEqual(t, got, want, "q=%v", q)
		require.LessOrEqual(t, got, want+want/32+1, "q=%v", q)
	}
}

func TestEveryDurationHasABucketThatReachesIt(t *testing.T) {
	for shift := range 63 {
		for _, v := range []uint64{1<<shift - 1, 1 << shift, 1<<shift + 1, 1<<shift + 1<<shift/3} {
			i := bucketOf(v)
			require.Less(t, i, buckets)
			require.GreaterOrEqual(t, upperBound(i), v)
			if i > 0 {
				require.Less(t, upperBound(i-1), v, "%d belongs into an earlier bucket", v)
			}
		}
	}
}

func TestHistogramsAddUp(t *testing.T) {
	var a, b histogram
	a.record(1)
	b.record(3)
	b.record(-1) // a clock that went back counts as no time
	a.add(&b)
	require.Equal(t, uint64(3), a.total())
	require.Equal(t, time.Duration(1), a.quantile(0.5))
	require.Equal(t, time.Duration(3), a.quantile(1))
	require.Zero(t, new(histogram).quantile(0.5), "of nothing")
}

// What the load allocates would count as the client's.
func TestTheLoadItselfDoesNotAllocate(t *testing.T) {
	var h histogram
	d, pick := newData(), newPicker(1)
	allocs := testing.AllocsPerRun(100, func() {
		h.record(time.Millisecond)
		if len(neighbours(d.small, batchSize, &pick)) != batchSize {
			t.Fatal("a batch of another size")
		}
	})
	require.Zero(t, allocs)
}
