package load

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPacedWorkersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{spec: Spec{Rate: 100, Workers: 4}, began: time.Now()}
		first, last := r.pace(0), r.pace(3)
		due := func(p *pacer) time.Duration {
			p.wait()
			return time.Since(r.began)
		}
		require.Zero(t, due(&first))
		require.Equal(t, 30*time.Millisecond, due(&last))
		require.Equal(t, 40*time.Millisecond, due(&first))
		time.Sleep(time.Second)
		require.Equal(t, 1040*time.Millisecond, due(&first), "a late worker does not wait")
	})
}

func TestPickerReachesEveryKey(t *testing.T) {
	seen := map[int]bool{}
	for pick, i := newPicker(0), 0; i < 1000; i++ {
		seen[pick.below(10)] = true
	}
	require.Len(t, seen, 10)
	a, b := newPicker(1), newPicker(2)
	require.NotEqual(t, a.below(1<<20), b.below(1<<20), "workers draw different keys")
}
