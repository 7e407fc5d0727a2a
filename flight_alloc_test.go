// sync.Pool forgets at random under the race detector, so what is counted here would be its own.

//go:build !race

package keyslot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBatchesForManyNodesAreLent(t *testing.T) {
	c, err := newCore(Options{Endpoints: []string{"a"}})
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(500, func() {
		f := c.flight()
		for range 3 * keepBatches {
			b := f.newBatch()
			b.Batch = append(b.Batch, nil)
		}
		f.release()
	}))
}
