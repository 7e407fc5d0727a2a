package keyslot_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What the logger is told of a primary that does not serve: the stories of scout_test.go.

// That nobody asks it for anything any longer is no sign that a primary serves.
func TestAPrimaryIsLoggedOnceUntilItServes(t *testing.T) {
	var log bytes.Buffer
	opts := keyslot.Options{RefreshAfter: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	logged := func(missed, found int) {
		t.Helper()
		synctest.Wait()
		require.Equal(t, missed, strings.Count(log.String(), "does not serve its slots"), log.String())
		require.Equal(t, found, strings.Count(log.String(), "are served again"), log.String())
	}
	witnesses(t, opts, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		seldom := func(works bool) {
			for range 6 {
				_, err := client.Incr(within(t, 1500*time.Millisecond), low)
				require.Equal(t, works, err == nil)
				time.Sleep(5 * time.Second)
			}
		}
		s.lower.Close()
		seldom(false)
		logged(1, 0)

		s.lower = s.net.Node(lower)
		down := func(r fakenode.Request) (fakenode.Reaction, bool) {
			return says("-CLUSTERDOWN The cluster is down"), r.Name() == "EXISTS" || r.Name() == "INCR"
		}
		s.lower.Handle(down)
		seldom(false)
		logged(1, 0)

		s.lower.Handle(o.answer(lower))
		s.lower.On("INCR", one)
		seldom(true)
		logged(1, 1)
	})
}

// With full coverage the whole cluster is down until the one that is lost has been replaced.
func TestThoseThatWaitForALostPrimaryAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	opts := keyslot.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	witnesses(t, opts, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
		s.lower.Close()
		s.upper.On("GET", says("-CLUSTERDOWN The cluster is down"))
		var callers sync.WaitGroup
		for key, patience := range map[string]time.Duration{low: 5 * time.Second, up: 3 * time.Second} {
			callers.Go(func() { _, _ = client.Get(within(t, patience), key) })
		}
		callers.Wait()
		synctest.Wait()
		require.Equal(t, 1, strings.Count(log.String(), "does not serve its slots"), log.String())
		require.Contains(t, log.String(), "node="+lower)
	})
}

// The others come back a moment later than the one that was lost, and nobody need look after them.
func TestThoseThatWaitedForALostPrimaryAreNotLoggedEither(t *testing.T) {
	var log bytes.Buffer
	opts := keyslot.Options{CommandTimeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	witnesses(t, opts, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
		s.lower.Close()
		s.upper.On("GET", says("-CLUSTERDOWN The cluster is down"))
		time.AfterFunc(4*time.Second, func() { o.take(spare) })
		time.AfterFunc(4500*time.Millisecond, func() { s.upper.On("GET", value) })
		var callers sync.WaitGroup
		callers.Go(func() { _, _ = client.Incr(t.Context(), low) })
		for range 6 { // so that at each moment one of them has been refused a moment ago
			callers.Go(func() { _, _ = client.Get(t.Context(), up) })
		}
		callers.Wait()
		time.Sleep(missedFor + time.Second)
		synctest.Wait()
		require.Equal(t, 1, strings.Count(log.String(), "does not serve its slots"), log.String())
		require.Contains(t, log.String(), "node="+lower)
	})
}

// A node that is gone wants another look than a cluster that says that it is down.
func TestWhatIsLoggedOfAPrimarySaysWhyItIsMissed(t *testing.T) {
	for reason, fault := range map[string]func(s *stage){
		`"lost a connection"`: func(s *stage) { s.lower.Close() },
		"CLUSTERDOWN":         func(s *stage) { s.lower.On("INCR", says("-CLUSTERDOWN Hash slot not served")) },
	} {
		var log bytes.Buffer
		witnesses(t, keyslot.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, s *stage, _ *owners, client *keyslot.Client) {
			fault(s)
			_, err := client.Incr(within(t, 4*time.Second), low)
			require.Error(t, err)
			synctest.Wait()
			require.Contains(t, log.String(), "node="+lower+" reason="+reason)
		})
	}
}

// A second is more than a redirect takes, and less than anybody looks at a service that stands still.
func TestThatAPrimaryIsMissedForLongIsLogged(t *testing.T) {
	for after, lines := range map[time.Duration]int{500 * time.Millisecond: 0, 4 * time.Second: 1} {
		var log bytes.Buffer
		opts := keyslot.Options{CommandTimeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		witnesses(t, opts, func(t *testing.T, s *stage, o *owners, client *keyslot.Client) {
			s.lower.Close()
			time.AfterFunc(after, func() { o.take(spare) })
			_, err := client.Incr(t.Context(), low)
			require.NoError(t, err)
			time.Sleep(missedFor + time.Second)
			synctest.Wait()
			require.Equal(t, lines, strings.Count(log.String(), "does not serve its slots"), log.String())
			require.Equal(t, lines, strings.Count(log.String(), "are served again"))
			require.Equal(t, 2*lines, strings.Count(log.String(), "node="+lower))
		})
	}
}
