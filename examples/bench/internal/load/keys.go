package load

import (
	"fmt"
	"math/rand/v2"

	"github.com/keyslot-go/keyslot"
)

// sessionKeys are what a session consists of: one hash tag, so one slot.
var sessionKeys = [...]string{"profile", "cart", "seen", "token"} // never written

// Group is what one operation touches: one key, or all keys of a session.
type Group struct {
	Keys []string
	Slot uint16
}

// Groups returns all groups of the spec, whose keys begin with its prefix.
func (s Spec) Groups() []Group {
	if s.Sessions > 0 {
		return sessions(s.Prefix, s.Sessions)
	}
	groups, names := make([]Group, s.Keys), make([]string, s.Keys)
	for i := range groups {
		names[i] = fmt.Sprintf("%s%07d", s.Prefix, i)
		groups[i] = Group{Keys: names[i : i+1 : i+1], Slot: keyslot.Slot(names[i])}
	}
	return groups
}

func sessions(prefix string, n int) []Group {
	groups := make([]Group, n)
	for i := range groups {
		for _, name := range sessionKeys {
			groups[i].Keys = append(groups[i].Keys, fmt.Sprintf("%s{%07d}:%s", prefix, i, name))
		}
		groups[i].Slot = keyslot.Slot(groups[i].Keys[0])
	}
	return groups
}

// Distributions are how operations choose their keys.
const (
	Uniform = "uniform" // all alike
	Zipf    = "zipf"    // the k-th most popular one in proportion to 1/k^1.1
	Hot     = "hot"     // one of them for half of the operations, the others alike
)

// Distributions returns the names of all distributions.
func Distributions() []string { return []string{Uniform, Zipf, Hot} }

const (
	// zipfExponent is slightly above 1, where popularities of sites and sessions are found (Breslau et al., "Web Caching
	// and Zipf-like Distributions", has 0.64 to 0.83 for pages; YCSB uses 0.99). math/rand/v2 needs more than 1.
	zipfExponent = 1.1
	hotShare     = 0.5
)

// chooser draws what one worker does next. It is for one goroutine.
type chooser struct {
	random *rand.Rand
	zipf   *rand.Zipf // nil: not that distribution
	hot    bool
	groups int
}

func newChooser(s Spec, groups, worker int) *chooser {
	random := rand.New(rand.NewPCG(s.Seed, uint64(worker)))
	c := &chooser{random: random, hot: s.Dist == Hot, groups: groups}
	if s.Dist == Zipf {
		c.zipf = rand.NewZipf(random, zipfExponent, 1, uint64(groups-1))
	}
	return c
}

// group returns the index of the next group. The most popular one is the first: which slot that is, its name decides.
func (c *chooser) group() int {
	switch {
	case c.zipf != nil:
		return int(c.zipf.Uint64())
	case c.hot && (c.groups == 1 || c.random.Float64() < hotShare):
		return 0
	case c.hot:
		return 1 + c.random.IntN(c.groups-1)
	}
	return c.random.IntN(c.groups)
}

// chance returns true with probability p.
func (c *chooser) chance(p float64) bool { return c.random.Float64() < p }

// below returns a number below n.
func (c *chooser) below(n int) int {
	if n == 1 {
		return 0
	}
	return c.random.IntN(n)
}
