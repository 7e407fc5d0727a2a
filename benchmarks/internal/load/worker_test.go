package load

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
)

func TestPacedWorkersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{spec: Spec{Rate: 100, Workers: 4}, began: time.Now()}
		first, last := r.pace(0), r.pace(3)
		started := func(p *pacer) time.Duration {
			p.wait(r.now())
			return time.Since(r.began)
		}
		require.Zero(t, started(&first))
		require.Equal(t, 30*time.Millisecond, started(&last))
		require.Equal(t, 40*time.Millisecond, started(&first))
		time.Sleep(time.Second)
		require.Equal(t, 1040*time.Millisecond, started(&first), "a late worker does not wait")
	})
}

// Ten operations are due 10 ms apart. The first one takes 35 ms, which holds up the next three; the others take no time.
func TestALateReplyDoesNotHideThoseThatItHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{spec: Spec{Rate: 100, Workers: 1}, began: time.Now()}
		w := &worker{run: r}
		calls := 0
		r.op = func(context.Context, client.Client, *data, *picker) error {
			if calls++; calls == 1 {
				time.Sleep(35 * time.Millisecond)
			}
			if calls == 11 {
				r.phase.Store(stopped)
			}
			return nil
		}
		r.phase.Store(measuring)
		w.loop(t.Context())
		require.Equal(t, uint64(10), w.took.total())
		for rank, want := range []time.Duration{5, 15, 25, 35} {
			require.InEpsilon(t, want*time.Millisecond, w.took.quantile(float64(6+rank)/10), 0.04)
		}
		require.Zero(t, w.took.quantile(0.5))
	})
}

func TestErrorsOfTheWarmUpAreCountedApart(t *testing.T) {
	calls := 0
	r := &run{spec: Spec{Workers: 1}, began: time.Now()}
	r.op = func(context.Context, client.Client, *data, *picker) error {
		switch calls++; calls {
		case 3:
			r.phase.Store(measuring)
			return nil
		case 4:
			return errors.New("late")
		case 5:
			r.phase.Store(stopped)
		}
		return errors.New("early")
	}
	w := &worker{run: r}
	w.loop(t.Context())
	r.workers = []*worker{w}
	result := r.result(usage{wall: time.Second}, 0)
	require.Equal(t, [2]uint64{2, 1}, [2]uint64{result.WarmUpErrors, result.Errors})
	require.Equal(t, "early", result.FirstError)
	require.InDelta(t, 1, result.OpsPerSecond, 0)
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

func TestTheBeginningOfALongErrorIsKept(t *testing.T) {
	w := &worker{}
	w.record(time.Second, errors.New("read: "+strings.Repeat("é", 1<<20)))
	r := &run{workers: []*worker{w}}
	text := r.result(usage{wall: time.Second}, 0).FirstError
	require.Less(t, len(text), 5_000)
	require.True(t, strings.HasPrefix(text, "read: éé"))
	require.True(t, utf8.ValidString(text))
	require.Equal(t, "short", ErrorText(errors.New("short")))
}
