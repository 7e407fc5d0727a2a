package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

func TestContextOverruns(t *testing.T) {
	for _, row := range []struct {
		samples, late, bareLate int
		found                   int
	}{
		{0, 0, 0, 0}, {1, 1, 0, 0}, {10, 1, 0, 0}, {10, 2, 0, 1}, {5000, 5, 0, 0}, {5000, 6, 0, 1},
		{5000, 50, 50, 0}, {5000, 50, 5, 1}, // a busy machine delays both
	} {
		samples := make([]ledger.Overrun, row.samples)
		for i := range row.late {
			samples[i].Call = 2 * ledger.OverrunLimit
		}
		for i := range row.bareLate {
			samples[row.late+i].Bare = 2 * ledger.OverrunLimit
		}
		p999, found := ledger.CheckOverruns(samples)
		require.Len(t, found, row.found, "%+v", row)
		require.Equal(t, row.found == 1, p999 > 0, "%+v", row)
	}
}

func TestResources(t *testing.T) {
	first := ledger.Resources{Goroutines: 30, Descriptors: 20, Resident: 20 << 20}
	require.Empty(t, ledger.CheckFlat(first, first))
	require.Len(t, ledger.CheckFlat(first, ledger.Resources{Goroutines: 130, Descriptors: 120, Resident: 120 << 20}), 3)
	require.Empty(t, ledger.CheckClosed(first, first))
	require.Len(t, ledger.CheckClosed(first, ledger.Resources{Goroutines: 31, Descriptors: 21}), 2)
}

func TestTraffic(t *testing.T) {
	limit := ledger.Traffic{Dials: 10, Topology: 5}
	require.Empty(t, ledger.CheckBounded(limit, limit))
	require.Len(t, ledger.CheckBounded(ledger.Traffic{Dials: 11, Topology: 6}, limit), 2)
}
