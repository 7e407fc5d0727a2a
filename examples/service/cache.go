package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/keyslot-go/keyslot"
)

// products reads products through a cache, which is filled lazily, here, and by writes, in writethrough.go.
//
// An entry is fresh at first, and then stale for a while: stale it is still served, and whoever sees it sets off one
// reload. Where there is none, one goroutine of this process loads it (flights.go), and of all processes one, which
// holds the lease (lease.go). The others wait for the entry, but not for long.
type products struct {
	client     *keyslot.Client
	idempotent *keyslot.Client // for what may run twice
	database   *database
	times      cacheTimes
	logger     *slog.Logger
	flights    *flights
}

type cacheTimes struct {
	fresh, stale time.Duration // an entry is fresh so long, give or take a tenth, and then stale
	load         time.Duration // a load or a write may take so long, all included
	lease        time.Duration // longer than load: a lease must not end before what it guards
	patience     time.Duration // with the store, or with another process's load; then the database is asked
}

func newProducts(client *keyslot.Client, db *database, times cacheTimes, logger *slog.Logger) *products {
	return &products{
		client: client, idempotent: client.Idempotent(), database: db,
		times: times, logger: logger, flights: newFlights(times.load),
	}
}

// absent is the entry for what the database does not have, so that it need not be asked again.
const absent = ""

// Find returns a product, or keyslot.Nil. A store that is away costs time, not answers.
func (p *products) Find(ctx context.Context, id string) (string, error) {
	value, fresh, err := p.look(ctx, id)
	switch {
	case errors.Is(err, keyslot.Nil):
		value, err = p.flights.join(ctx, id, p.fill).result(ctx)
	case err != nil:
		p.logger.WarnContext(ctx, "the cache cannot be read", "err", err)
		value, err = p.flights.join(ctx, id, p.bypass).result(ctx)
	case !fresh:
		p.flights.join(ctx, id, p.fill) // for those who come later
	}
	if err == nil && value == absent {
		return "", keyslot.Nil
	}
	return value, err
}

// look reads an entry. Whether it is fresh is told by the time that it has left: so the store's clock is the only one.
func (p *products) look(ctx context.Context, id string) (value string, fresh bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.times.patience)
	defer cancel()
	entry, _ := productKeys(id)
	both := p.client.Pipeline() // one write, one round trip
	text, left := both.Get(entry), both.PTTL(entry)
	if err := both.Exec(ctx); err != nil {
		return "", false, err
	}
	remaining, _ := left.Get() // Nil, and so zero, if the entry has expired between the two
	value, err = text.Get()
	return value, remaining > p.times.stale, err
}

// fill brings a product from the database into the cache. It is the work of a flight.
func (p *products) fill(ctx context.Context, id string) (value string, afterwards func(), err error) {
	token, held := p.takeLease(ctx, id)
	if !held {
		value, err = p.await(ctx, id)
		return value, func() {}, err
	}
	drop := func() { p.dropLease(ctx, id) }
	// Another process may have filled it just before the lease was taken.
	if value, fresh, err := p.look(ctx, id); err == nil && fresh {
		return value, drop, nil
	}
	if value, err = p.load(ctx, id); err != nil {
		return "", drop, err
	}
	return value, func() { p.settle(ctx, id, token, value) }, nil
}

// bypass brings a product from the database and leaves the cache alone. It is the work of a flight.
func (p *products) bypass(ctx context.Context, id string) (value string, afterwards func(), err error) {
	value, err = p.load(ctx, id)
	return value, func() {}, err
}

// load asks the database.
func (p *products) load(ctx context.Context, id string) (string, error) {
	value, err := p.database.Find(ctx, id)
	if errors.Is(err, errNoProduct) {
		return absent, nil
	}
	return value, err
}

// poll is how often a process looks whether another one has filled an entry.
const poll = 10 * time.Millisecond

// await waits for the process that holds the lease. Where that takes too long, a second load is better than no answer.
func (p *products) await(ctx context.Context, id string) (string, error) {
	patience, cancel := context.WithTimeout(ctx, p.times.patience)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if value, _, err := p.look(patience, id); err == nil {
			return value, nil
		}
		select {
		case <-tick.C:
		case <-patience.Done():
			return p.load(ctx, id)
		}
	}
}

// lifetime is that of a new entry. It varies by a tenth of its freshness, so that what was cached together does not
// expire together.
func (p *products) lifetime() time.Duration {
	return p.times.fresh*9/10 + rand.N(p.times.fresh/5) + p.times.stale
}

// Close waits until no load is under way.
func (p *products) Close() { p.flights.wait() }
