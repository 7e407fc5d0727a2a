package load

import (
	"fmt"
	"strings"
)

const (
	keyCount      = 10_000 // over all slots, and few enough to stay in the servers' caches
	largeKeyCount = 1_000
	hugeKeyCount  = 200
	smallSize     = 64
	largeSize     = 4 << 10
	hugeSize      = 64 << 10
	batchSize     = 100 // commands of a pipeline, keys of an MGET
)

// What the keys of large and of huge values begin with.
const (
	LargePrefix = "big"
	HugePrefix  = "huge"
)

// SmallKeys returns the keys that hold a SmallValue before a load starts.
func SmallKeys() []string { return keys("key", keyCount) }

// LargeKeys returns the keys that hold a LargeValue before a load starts.
func LargeKeys() []string { return keys(LargePrefix, largeKeyCount) }

// HugeKeys returns the keys that hold a HugeValue before a load starts.
func HugeKeys() []string { return keys(HugePrefix, hugeKeyCount) }

// SmallValue returns the value of 64 bytes.
func SmallValue() string { return strings.Repeat("v", smallSize) }

// LargeValue returns the value of 4 KiB.
func LargeValue() string { return strings.Repeat("v", largeSize) }

// HugeValue returns the value of 64 KiB.
func HugeValue() string { return strings.Repeat("v", hugeSize) }

// keys returns n keys of 10 or 11 bytes.
func keys(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s:%06d", prefix, i)
	}
	return all
}

// picker draws numbers without a lock or an allocation (xorshift64).
type picker uint64

func newPicker(seed int) picker { return picker(seed+1) * 0x9E3779B97F4A7C15 }

// below returns the next number below n.
func (p *picker) below(n int) int {
	*p ^= *p << 13
	*p ^= *p >> 7
	*p ^= *p << 17
	return int(uint64(*p) >> 33 % uint64(n))
}
