package load

import (
	"math/bits"
	"time"
)

// A bucket is 1/32 of a power of two wide, so a percentile is at most 3 % above the truth.
const (
	subBits = 5
	sub     = 1 << subBits
	buckets = (64 - subBits + 1) * sub
)

// histogram counts durations in buckets that grow with them. Each goroutine has its own: recording neither allocates nor locks.
type histogram struct {
	counts [buckets]uint64
}

func (h *histogram) record(d time.Duration) { h.counts[bucketOf(uint64(max(d, 0)))]++ }

// add adds the counts of other to h.
func (h *histogram) add(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
}

// total returns how many durations were recorded.
func (h *histogram) total() (n uint64) {
	for _, count := range h.counts {
		n += count
	}
	return n
}

// quantile returns an upper bound of the duration that a share q of the recorded ones do not exceed; 0 of none.
func (h *histogram) quantile(q float64) time.Duration {
	total := h.total()
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen > rank || seen == total {
			return time.Duration(upperBound(i))
		}
	}
	return 0
}

// bucketOf returns the bucket of v: below 32 one for each value, above by the exponent and the next 5 bits.
func bucketOf(v uint64) int {
	if v < sub {
		return int(v)
	}
	exponent := bits.Len64(v) - subBits - 1
	return exponent<<subBits + int(v>>exponent)
}

// upperBound returns the largest value of bucket i.
func upperBound(i int) uint64 {
	if i < 2*sub {
		return uint64(i)
	}
	exponent := i>>subBits - 1
	return (uint64(i&(sub-1)|sub)+1)<<exponent - 1
}
