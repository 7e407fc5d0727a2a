package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// patient is for tests on a machine that is busy otherwise.
func patient() settings {
	s := defaults()
	s.deadline, s.drain = 10*time.Second, 20*time.Second
	s.cache.load, s.cache.lease, s.cache.patience = 10*time.Second, 20*time.Second, 10*time.Second
	return s
}

const anvil = "{\"name\":\"anvil\",\"cents\":1900}\n"

// crowd asks n times at once, each of the services in turn. All answers have to be the one wanted.
func crowd(t *testing.T, n int, path, want string, services ...*running) {
	t.Helper()
	answers := make([]string, n)
	var asking sync.WaitGroup
	for i := range n {
		asking.Go(func() { _, answers[i] = services[i%len(services)].ask("GET", path, "") })
	}
	asking.Wait()
	require.Equal(t, slices.Repeat([]string{want}, n), answers)
}

func TestAStampedeOnAColdKeyIsOneLoad(t *testing.T) {
	t.Parallel()
	for processes := 1; processes <= 2; processes++ {
		t.Run(fmt.Sprint(processes), func(t *testing.T) {
			cluster := keyslottest.Run(t, keyslottest.Options{})
			db := newDatabase(100 * time.Millisecond)
			var services []*running
			for range processes {
				services = append(services, start(t, cluster.Endpoint(), db, patient()))
			}
			crowd(t, 100, "/products/1", anvil, services...)
			require.Equal(t, 1, db.Reads())
			require.Less(t, cluster.Stats("").Commands, uint64(300), "GET and PTTL for each, and one of each process for the lease")
			crowd(t, 100, "/products/none", "{\"error\":\"there is no such thing\"}\n", services...)
			require.Equal(t, 2, db.Reads(), "it is remembered, too, that there is none")
		})
	}
}

func TestAStaleEntryIsServedWhileOneLoadRenewsIt(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{ManualClock: true})
	db := quick()
	s := start(t, cluster.Endpoint(), db, patient())
	crowd(t, 1, "/products/1", anvil, s)
	s.products.flights.wait()              // until it is cached, too
	cluster.AdvanceClock(50 * time.Second) // fresh for 54 to 66 s
	crowd(t, 50, "/products/1", anvil, s)
	require.Equal(t, 1, db.Reads())

	require.NoError(t, db.Store(t.Context(), "1", `{"name":"anvil","cents":1}`)) // by somebody who knows of no cache
	cluster.AdvanceClock(20 * time.Second)                                       // stale for another 30 s
	crowd(t, 1, "/products/1", anvil, s)
	require.Eventually(t, func() bool {
		_, answer := s.ask("GET", "/products/1", "")
		return answer == "{\"name\":\"anvil\",\"cents\":1}\n"
	}, 5*time.Second, time.Millisecond)
	require.Equal(t, 2, db.Reads())
}

func TestLifetimesDiffer(t *testing.T) {
	t.Parallel()
	p := &products{times: defaults().cache}
	seen := map[time.Duration]bool{}
	for range 1000 {
		lifetime := p.lifetime()
		require.InDelta(t, 90, lifetime.Seconds(), 6)
		seen[lifetime] = true
	}
	require.Greater(t, len(seen), 900)
}

func TestAWriteIsReadAtOnceEverywhere(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	db := quick()
	here, there := start(t, cluster.Endpoint(), db, patient()), start(t, cluster.Endpoint(), db, patient())
	for cents := range 20 {
		product := fmt.Sprintf(`{"name":"anvil","cents":%d}`, cents)
		status, answer := here.ask("PUT", "/products/1", product)
		require.Equal(t, http.StatusNoContent, status, answer)
		crowd(t, 10, "/products/1", product+"\n", here, there)
	}
	require.Zero(t, db.Reads(), "what was written is in the cache")
}

// The steps of a loader and of two writers, in the orders in which a cache without leases keeps an old value.
func TestAnOldValueNeverReplacesANewOne(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	p := start(t, cluster.Endpoint(), quick(), patient()).products
	ctx := t.Context()

	loader, held := p.takeLease(ctx, "1")
	require.True(t, held)
	old, err := p.load(ctx, "1")
	require.NoError(t, err)
	require.NoError(t, p.Save(ctx, "1", "new"))
	p.settle(ctx, "1", loader, old)
	value, err := p.Find(ctx, "1")
	require.NoError(t, err)
	require.Equal(t, "new", value)

	first, err := p.seizeLease(ctx, "1")
	require.NoError(t, err)
	second, err := p.seizeLease(ctx, "1")
	require.NoError(t, err)
	require.NoError(t, p.database.Store(ctx, "1", "of the second"))
	require.NoError(t, p.database.Store(ctx, "1", "of the first"))
	p.settle(ctx, "1", first, "of the first")
	p.settle(ctx, "1", second, "of the second")
	value, err = p.Find(ctx, "1")
	require.NoError(t, err)
	require.Equal(t, "of the first", value)
}

// Who comes when a value is known, and not yet in the cache, does not get it: a write may have come in between.
func TestALandedFlightTakesNobodyAboard(t *testing.T) {
	t.Parallel()
	f := newFlights(time.Minute)
	settled := make(chan struct{})
	arrives := func(value string) work {
		return func(context.Context, string) (string, func(), error) { return value, func() { <-settled }, nil }
	}
	value, err := f.join(t.Context(), "1", arrives("old")).result(t.Context())
	require.NoError(t, err)
	require.Equal(t, "old", value)
	value, err = f.join(t.Context(), "1", arrives("new")).result(t.Context())
	require.NoError(t, err)
	require.Equal(t, "new", value)
	close(settled)
	f.wait()
}

func TestALoaderThatDiedIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	settings := patient()
	settings.cache.patience = 100 * time.Millisecond
	s := start(t, cluster.Endpoint(), quick(), settings)
	_, lease := productKeys("1")
	require.NoError(t, s.client.Set(t.Context(), lease, "of a process that is gone"))
	crowd(t, 10, "/products/1", anvil, s)
}

func TestAStoreThatIsAwayCostsTimeNotAnswers(t *testing.T) {
	t.Parallel()
	cluster := keyslottest.Run(t, keyslottest.Options{})
	settings := patient()
	settings.cache.patience, settings.cache.load = 50*time.Millisecond, 300*time.Millisecond
	s := start(t, cluster.Endpoint(), quick(), settings)
	entry, _ := productKeys("1")
	heal, err := cluster.Inject(cluster.Owner(entry).ID, keyslottest.Fault{Stall: true})
	require.NoError(t, err)
	defer heal()
	crowd(t, 10, "/products/1", anvil, s)

	// A write is another matter: what is in the cache could outlive it. So it fails, and has written nothing.
	require.Error(t, s.products.Save(t.Context(), "1", "new"))
	crowd(t, 1, "/products/1", anvil, s)
}
