package keyslot

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPacerDrawsEvenlyBelowACeilingThatDoublesUpToTheLimit(t *testing.T) {
	ceilings := []time.Duration{10, 20, 40, 80, 100, 100, 100} // ms
	const clients = 1000

	for step, ceiling := range ceilings {
		ceiling *= time.Millisecond
		var sum, least, most time.Duration = 0, time.Hour, 0
		for range clients {
			p := pacer{first: 10 * time.Millisecond, limit: 100 * time.Millisecond}
			for range step {
				p.next()
			}
			d := p.next()
			sum, least, most = sum+d, min(least, d), max(most, d)
		}
		require.GreaterOrEqual(t, least, time.Duration(0), "step %d", step)
		require.Less(t, least, ceiling/20, "step %d: the jitter reaches down to 0", step)
		require.LessOrEqual(t, most, ceiling, "step %d", step)
		require.Greater(t, most, ceiling*19/20, "step %d: the jitter reaches up to the ceiling", step)
		require.InDelta(t, ceiling/2, sum/clients, float64(ceiling/20), "step %d: the mean is half the ceiling", step)
	}
}

func TestPacerNeverStopsAndStartsLowAfterReset(t *testing.T) {
	p := pacer{first: time.Millisecond, limit: time.Second}
	for range 10_000 {
		d := p.next()
		require.True(t, 0 <= d && d <= time.Second, "%s", d)
	}
	p.reset()
	require.LessOrEqual(t, p.next(), time.Millisecond)
}

func TestPacerThatNeverRetriesNeverAllocates(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p := pacer{first: time.Millisecond, limit: time.Second}
		p.reset()
	}))
}

func TestLimiterLetsThousandsThroughAsAQueue(t *testing.T) {
	var l limiter
	now := time.Now()
	for i := range resendsPerSecond {
		require.Equal(t, now.Add(time.Duration(i)*time.Second/resendsPerSecond), l.queue(now, now))
	}
}

// Callers with little patience take places all the time and leave them empty.
func TestLimiterGivesNoPlacesForLaterThanItWillBeNeeded(t *testing.T) {
	var l limiter
	now := time.Now()
	for range 100 * resendsPerSecond {
		l.queue(now, now)
	}
	now = now.Add(2 * time.Second)
	require.Equal(t, now, l.queue(now, now))
	for range 3 * resendsPerSecond {
		place := l.queue(now, now)
		require.WithinRange(t, place, now, now.Add(longestQueue))
	}
}

func TestLimiterDelaysNobodyByTheLongPauseOfAnother(t *testing.T) {
	var l limiter
	now := time.Now()
	require.Equal(t, now.Add(time.Second), l.queue(now.Add(time.Second), now))
	soon := now.Add(5 * time.Millisecond)
	require.Equal(t, soon, l.queue(soon, now))
}

// The numbers of DESIGN.md, "What is retried".
func TestPausesOfACallBeginAndEndAsTheTableSays(t *testing.T) {
	core, err := newCore(Options{Endpoints: []string{"127.0.0.1:1"}, Lazy: true})
	require.NoError(t, err)
	defer core.close()
	for kind, want := range map[pause]struct{ first, limit time.Duration }{
		tryAgainWait: {5 * time.Millisecond, 200 * time.Millisecond},
		clusterWait:  {50 * time.Millisecond, 500 * time.Millisecond},
		replicasWait: {100 * time.Millisecond, time.Second},
	} {
		call := newCall(core)
		call.ownTrouble()
		p := call.pacer(kind)
		require.Equal(t, want.first, p.first)
		require.Equal(t, want.limit, p.limit)
		require.Same(t, p, call.pacer(kind), "a call has one of each kind, or its pauses would not grow")
	}
}
