package keyslot

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refreshes stands for the client: it counts refreshes, and says how long they take and how they end.
type refreshes struct {
	mu      sync.Mutex
	takes   time.Duration
	err     error
	begin   time.Time
	started []time.Duration // since begin
	reasons []string
	now     int // running at this moment
}

func (f *refreshes) run(ctx context.Context, reason string, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started = append(f.started, time.Since(f.begin))
	f.reasons = append(f.reasons, reason)
	if f.now++; f.now > 1 {
		panic("two refreshes at once")
	}
	f.mu.Unlock()
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
	}
	f.mu.Lock()
	f.now--
	return errors.Join(f.err, ctx.Err())
}

func (f *refreshes) times() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Duration(nil), f.started...)
}

func (f *refreshes) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// startRefresher returns a refresher of a six-node cluster whose refreshes take so long.
func startRefresher(t *testing.T, takes time.Duration) (*refresher, *refreshes) {
	f := &refreshes{takes: takes, begin: time.Now()}
	r := newRefresher(f.run, func() int { return 6 }, nil)
	t.Cleanup(r.close)
	return r, f
}

func TestTheFirstRequestAfterQuietStartsAtOnceAndLeavesNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &refreshes{takes: 10 * time.Millisecond, begin: time.Now()}
		r := newRefresher(f.run, func() int { return 6 }, nil)
		r.request("MOVED")
		time.Sleep(time.Minute)
		r.request("MOVED again")
		time.Sleep(time.Minute)
		require.Equal(t, []time.Duration{0, time.Minute}, f.times())
		require.Equal(t, []string{"MOVED", "MOVED again"}, f.reasons)
		// Nothing is closed here: synctest.Test fails if a goroutine is left.
	})
}

func TestAnUrgentRequestDoesNotWaitForADelayedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, time.Millisecond)
		r.urgentIn(60*time.Millisecond, "may wait")
		time.Sleep(10 * time.Millisecond)
		r.urgent("may not")
		r.urgentIn(60*time.Millisecond, "may wait, too")
		time.Sleep(time.Minute)
		require.Equal(t, []time.Duration{10 * time.Millisecond}, f.times())
	})
}

func TestAnUrgentRequestThatMayWaitDelaysNoOtherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, time.Millisecond)
		r.request("now") // takes the pace's first token, and this one the second
		synctest.Wait()
		r.urgentIn(0, "first")
		time.Sleep(time.Second)
		r.request("at once")
		r.urgentIn(60*time.Millisecond, "may wait")
		time.Sleep(time.Minute)
		require.Equal(t, time.Second, f.times()[2])
	})
}

func TestRequestsDuringARefreshLeadToOneMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, 100*time.Millisecond)
		r.request("first")
		synctest.Wait()
		for range 1000 {
			r.request("while it runs")
		}
		time.Sleep(time.Minute)
		require.Equal(t, []time.Duration{0, 100 * time.Millisecond}, f.times())
	})
}

func TestASteadyFlowOfRedirectsRefreshesOnceASecondAfterABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, time.Millisecond)
		for range 4900 {
			r.request("MOVED")
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, []time.Duration{0, 1 * time.Millisecond, 1 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}, f.times())
	})
}

func TestAnUnhealthyClusterIsPolledFasterButNotFasterThanTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, 0)
		poll := func(d time.Duration) []time.Duration {
			before := len(f.times())
			for range d / time.Millisecond {
				r.urgent("CLUSTERDOWN")
				time.Sleep(time.Millisecond)
			}
			return f.times()[before:]
		}
		started := poll(10 * time.Second)
		require.Greater(t, len(started), 20, "10 s at 500 ms or less")
		for i := range started[1:] {
			gap := started[i+1] - started[i]
			require.GreaterOrEqual(t, gap, 100*time.Millisecond)
			require.LessOrEqual(t, gap, 501*time.Millisecond)
		}
		require.LessOrEqual(t, started[1], 201*time.Millisecond, "the first ones follow each other closely")

		time.Sleep(time.Minute)
		again := poll(300 * time.Millisecond)
		require.GreaterOrEqual(t, len(again), 2, "so do those after a quiet time")
	})
}

func TestAFailoverDoesNotDelayTheRefreshesAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, 0)
		for range 5000 {
			r.urgent("CLUSTERDOWN")
			time.Sleep(time.Millisecond)
		}
		time.Sleep(urgentFloor + urgentLimit + refreshInterval) // the last urgent one, and a token
		before := len(f.times())
		r.request("MOVED")
		synctest.Wait()
		require.Len(t, f.times(), before+1)
	})
}

func TestAnUrgentRequestOvertakesTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, 0)
		for range 3 {
			r.request("MOVED")
			synctest.Wait()
		}
		require.Len(t, f.times(), 2, "the third waits for its second")
		r.urgent("no owner")
		synctest.Wait()
		require.Len(t, f.times(), 3)
	})
}

func TestLargeClustersSpreadTheFirstRefreshOfAHerd(t *testing.T) {
	for nodes, window := range map[int]time.Duration{0: 0, 6: 0, 10: 0, 110: 100 * time.Millisecond, 1500: time.Second} {
		var least, most time.Duration = time.Hour, 0
		for range 1000 {
			d := herdDelay(nodes)
			least, most = min(least, d), max(most, d)
		}
		require.LessOrEqual(t, least, window/20, "%d nodes", nodes)
		require.LessOrEqual(t, most, window, "%d nodes", nodes)
		require.GreaterOrEqual(t, most, window*9/10, "%d nodes", nodes)
	}
}

func TestWaitersJoinTheRefreshUnderWayAndLearnItsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, 100*time.Millisecond)
		down := errors.New("no node answered")
		f.end(down)
		r.request("MOVED")
		time.Sleep(60 * time.Millisecond)

		begin := time.Now()
		var waiters sync.WaitGroup
		for range 10 {
			waiters.Go(func() {
				assert.ErrorIs(t, r.wait(t.Context(), "no owner"), down)
				assert.Equal(t, 40*time.Millisecond, time.Since(begin))
			})
		}
		waiters.Wait()
		require.Len(t, f.times(), 1)
	})
}

func TestAWaiterMakesAPendingRefreshUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &refreshes{begin: time.Now()}
		r := newRefresher(f.run, func() int { return 1500 }, nil)
		r.request("MOVED") // some time within the next second
		require.NoError(t, r.wait(t.Context(), "no owner"))
		require.Equal(t, []time.Duration{0}, f.times())
	})
}

func TestAWaiterLeavesWithItsContextAndTheRefreshGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, r.wait(ctx, "no owner"), context.DeadlineExceeded)
		require.Equal(t, 30*time.Millisecond, time.Since(f.begin))
		require.NoError(t, r.wait(t.Context(), "no owner"))
		require.Equal(t, []time.Duration{0}, f.times())
		require.Equal(t, time.Second, time.Since(f.begin))
	})
}

func TestFailedRefreshesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, 0)
		f.end(errors.New("no node answered"))
		for range 100_000 {
			r.urgent("no owner")
			time.Sleep(time.Millisecond)
		}
		failed := len(f.times())
		require.Greater(t, failed, 200, "100 s at 400 ms or less")
		require.Less(t, failed, 600, "some five a second")
	})
}

func TestOneSuccessEndsTheBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, 0)
		down := errors.New("no node answered")
		for range 20 {
			f.end(down)
			for range 5 {
				require.ErrorIs(t, r.wait(t.Context(), "no owner"), down)
			}
			f.end(nil)
			require.NoError(t, r.wait(t.Context(), "no owner"))
			time.Sleep(2 * urgentQuiet)

			f.end(down)
			require.ErrorIs(t, r.wait(t.Context(), "no owner"), down)
			begin := time.Now()
			require.ErrorIs(t, r.wait(t.Context(), "no owner"), down)
			require.LessOrEqual(t, time.Since(begin), retryFirst)
		}
	})
}

func TestTheLogTellsEachChangeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &refreshes{begin: time.Now()}
		r := newRefresher(f.run, func() int { return 6 }, slog.New(slog.NewTextHandler(&log, nil)))
		refresh := func(times int, err error) {
			f.end(err)
			for range times {
				require.ErrorIs(t, r.wait(t.Context(), "no owner"), err)
			}
			synctest.Wait()
		}
		refresh(3, nil)
		require.Empty(t, log.String())
		refresh(10, errors.New("no node answered"))
		require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		require.Contains(t, log.String(), "no node answered")
		refresh(10, nil)
		require.Equal(t, 2, strings.Count(log.String(), "\n"), log.String())
	})
}

func TestCloseEndsTheRefreshUnderWayAndItsWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, time.Hour)
		var waiters sync.WaitGroup
		waiters.Go(func() { assert.ErrorIs(t, r.wait(t.Context(), "joined"), ErrClosed) })
		synctest.Wait()
		r.request("pending")

		r.close()
		waiters.Wait()
		require.Zero(t, time.Since(f.begin))
		r.request("late")
		r.urgent("late")
		require.ErrorIs(t, r.wait(t.Context(), "late"), ErrClosed)
		r.close()
		require.Len(t, f.times(), 1)
	})
}

func TestCloseEndsAWaitForTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := startRefresher(t, 0)
		require.NoError(t, r.wait(t.Context(), "no owner"))
		var waiters sync.WaitGroup
		waiters.Go(func() { assert.ErrorIs(t, r.wait(t.Context(), "too soon"), ErrClosed) })
		synctest.Wait()
		r.close()
		waiters.Wait()
		require.Zero(t, time.Since(f.begin))
		require.Len(t, f.times(), 1)
	})
}

func TestCloseWhileEveryoneAsks(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			r, _ := startRefresher(t, 3*time.Millisecond)
			var callers sync.WaitGroup
			for i := range 20 {
				callers.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
					defer cancel()
					for err := error(nil); err == nil; err = r.wait(ctx, "no owner") {
						r.request("MOVED")
						r.urgent("CLUSTERDOWN")
					}
				})
			}
			time.Sleep(10 * time.Millisecond)
			r.close()
			callers.Wait()
		})
	}
}
