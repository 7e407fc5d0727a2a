package report

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
)

func TestScalesHaveRoomForTheirValuesAndFewTicks(t *testing.T) {
	for _, span := range [][2]float64{{1, 1}, {0.3, 2.6}, {0.02, 0.03}, {7, 11}, {99, 101}, {1.2, 2500}, {15, 800_000}, {5, 5}} {
		low, high := span[0], span[1]
		t.Run(fmt.Sprint(low, high), func(t *testing.T) {
			require.Greater(t, logScale(low, high).low*2.6, low, "empty space below the lowest value")
			for _, s := range []scale{linearScale(high), logScale(low, high)} {
				require.LessOrEqual(t, s.low, low)
				require.GreaterOrEqual(t, s.high, high)
				require.GreaterOrEqual(t, s.y(high), top, "above the frame")
				require.LessOrEqual(t, s.y(low), height-bottom, "below the frame")
				require.GreaterOrEqual(t, len(s.ticks), 2)
				require.LessOrEqual(t, len(s.ticks), 20)
			}
		})
	}
}

func TestEveryClientHasAColourOfItsOwn(t *testing.T) {
	names := client.Names()
	if !slices.Contains(names, "glide") { // it is behind a build tag
		names = append(names, "glide")
	}
	var rows []Row
	for _, name := range names {
		rows = append(rows, Row{Client: name})
	}
	seen := map[string]string{}
	for _, k := range newLegend(rows) {
		require.Empty(t, seen[k.Color], "also that of %s", k.Client)
		seen[k.Color] = k.Client
	}
	require.Equal(t, "keyslot", seen[palette[0]])
}

func TestNumbersAreShort(t *testing.T) {
	for v, want := range map[float64]string{0.25: "0.25", 2: "2", 12.34: "12.3", 1234.5: "1234", 12345: "12.3k"} {
		require.Equal(t, want, short(v))
	}
}
