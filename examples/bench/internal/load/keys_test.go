package load

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

// shares returns how often each of a hundred groups is drawn, as a share.
func shares(dist string) []float64 {
	const draws = 100_000
	c := newChooser(Spec{Dist: dist, Seed: 1}, 100, 0)
	found := make([]float64, 100)
	for range draws {
		found[c.group()] += 1.0 / draws
	}
	return found
}

func TestEachDistributionHasItsShares(t *testing.T) {
	uniform, zipf, hot := shares(Uniform), shares(Zipf), shares(Hot)
	for i := range 100 {
		require.InDelta(t, 0.01, uniform[i], 0.002)
	}
	require.InDelta(t, 0.5, hot[0], 0.01)
	require.InDelta(t, 0.5/99, hot[99], 0.002)
	require.InEpsilon(t, 2.14, zipf[0]/zipf[1], 0.1, "2^1.1")
	require.InEpsilon(t, 12.6, zipf[0]/zipf[9], 0.2, "10^1.1")
}

func TestWorkersDrawDifferentlyAndTheSeedDecides(t *testing.T) {
	draw := func(seed uint64, worker int) (drawn []int) {
		c := newChooser(Spec{Dist: Uniform, Seed: seed}, 1000, worker)
		for range 10 {
			drawn = append(drawn, c.group())
		}
		return drawn
	}
	require.Equal(t, draw(1, 1), draw(1, 1))
	require.NotEqual(t, draw(1, 1), draw(1, 2))
	require.NotEqual(t, draw(1, 1), draw(2, 1))
}

func TestKeysOfASessionHaveOneSlot(t *testing.T) {
	for _, g := range (Spec{Prefix: "t:", Sessions: 20}).Groups() {
		require.Len(t, g.Keys, 4)
		for _, key := range g.Keys {
			require.Equal(t, g.Slot, keyslot.Slot(key))
			require.Regexp(t, `^t:\{\d+\}:\w+$`, key)
		}
	}
	require.Len(t, Spec{Prefix: "t:", Keys: 7}.Groups(), 7)
}
