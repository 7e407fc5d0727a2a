package keyslot

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A behaviour is how a fake node at one candidate answers.
type behaviour func(ctx context.Context) (string, error)

func answersAfter(d time.Duration, name string) behaviour {
	return func(ctx context.Context) (string, error) {
		select {
		case <-time.After(d):
			return name, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

var errRefused = errors.New("connection refused")

func refuses(context.Context) (string, error) { return "", errRefused }

func blackHole(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

type raceResult struct {
	winner    string
	err       error
	took      time.Duration // until run returned
	discarded []string      // by the time that all asks had ended
}

// runRace races fake nodes on ports 1, 2, 3 ... with a timeout of 2 s.
func runRace(ctx context.Context, nodes ...behaviour) (result raceResult) {
	var candidates []candidate
	for i := range nodes {
		at := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(i+1))
		candidates = append(candidates, candidate{endpoint{"node", at.Port()}, at})
	}
	var asks sync.WaitGroup
	r := racer[string]{
		ask:     func(ctx context.Context, c candidate) (string, error) { return nodes[c.addr.Port()-1](ctx) },
		discard: func(late string) { result.discarded = append(result.discarded, late) },
		timeout: 2 * time.Second,
		asks:    &asks,
	}
	begin := time.Now()
	result.winner, result.err = r.run(ctx, candidates)
	result.took = time.Since(begin)
	asks.Wait()
	return result
}

func TestRace(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		nodes []behaviour
		takes time.Duration
	}{
		"the first answers":                        {[]behaviour{answersAfter(50*ms, "won"), refuses}, 50 * ms},
		"refusals cost nothing":                    {[]behaviour{refuses, refuses, answersAfter(5*ms, "won")}, 5 * ms},
		"a black hole costs one stagger":           {[]behaviour{blackHole, answersAfter(5*ms, "won")}, 85 * ms},
		"two dead records and a black hole":        {[]behaviour{refuses, blackHole, refuses, answersAfter(5*ms, "won")}, 85 * ms},
		"three black holes cost three staggers":    {[]behaviour{blackHole, blackHole, blackHole, answersAfter(5*ms, "won")}, 245 * ms},
		"a slow first still wins":                  {[]behaviour{answersAfter(100*ms, "won"), answersAfter(time.Second, "")}, 100 * ms},
		"a quick second overtakes":                 {[]behaviour{answersAfter(time.Second, ""), answersAfter(5*ms, "won")}, 85 * ms},
		"a failure while another is still running": {[]behaviour{blackHole, refuses, answersAfter(5*ms, "won")}, 85 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				got := runRace(t.Context(), c.nodes...)
				require.NoError(t, got.err)
				require.Equal(t, "won", got.winner)
				require.Equal(t, c.takes, got.took)
				require.Equal(t, c.takes, time.Since(begin), "cancelled losers end at once")
				require.Empty(t, got.discarded)
			})
		})
	}
}

func TestRaceThatAllLoseTakesOneTimeoutAndNamesEachLoser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := runRace(t.Context(), refuses, blackHole, refuses)
		require.Equal(t, 2*time.Second, got.took)
		require.ErrorIs(t, got.err, errRefused)
		require.ErrorIs(t, got.err, context.DeadlineExceeded)
		for _, loser := range []string{"node:1 (10.0.0.1:1): ", "node:2 (10.0.0.1:2): ", "node:3 (10.0.0.1:3): "} {
			require.ErrorContains(t, got.err, loser)
		}
	})
}

func TestRaceOverManyBlackHolesStartsThemAllWithinOneTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := make([]behaviour, 500)
		for i := range nodes {
			nodes[i] = blackHole
		}
		got := runRace(t.Context(), nodes...)
		require.ErrorContains(t, got.err, "and 497 more")
		require.LessOrEqual(t, got.took, 4*time.Second, "the last has its whole timeout, too")
	})
}

// An answer may come when the others have less left than what it leaves them.
func TestAsksTogetherEndWithinTheirPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		together(t.Context(), 2, 300*time.Millisecond, func(ctx context.Context, i int) (enough bool) {
			if i == 0 {
				time.Sleep(290 * time.Millisecond)
				return true
			}
			<-ctx.Done()
			return false
		})
		require.Equal(t, 300*time.Millisecond, time.Since(began))
	})
}

func TestRaceWithoutCandidatesFails(t *testing.T) {
	require.EqualError(t, runRace(t.Context()).err, "no address to try")
}

func TestRaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		got := runRace(ctx, refuses, blackHole, blackHole, blackHole)
		require.ErrorIs(t, got.err, context.DeadlineExceeded)
		require.ErrorIs(t, got.err, errRefused, "what failed before is told too")
		require.Equal(t, 100*time.Millisecond, got.took)
	})
}

func TestRaceReturnsBeforeASlowLoserAndReleasesWhatItBrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := func(context.Context) (string, error) { // had its connection before it heard of the end
			time.Sleep(time.Second)
			return "late", nil
		}
		got := runRace(t.Context(), deaf, answersAfter(0, "won"))
		require.NoError(t, got.err)
		require.Equal(t, "won", got.winner)
		require.Equal(t, staggerMax, got.took)
		require.Equal(t, []string{"late"}, got.discarded)
	})
}
