package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// round is the load between Begin and End.
type round struct {
	// immutable
	number              int
	mode                Mode
	client              *keyslot.Client
	everywhere, inFocus []place
	path                string
	timeout             time.Duration // the client's CommandTimeout
	lanes               []*lane
	cells               []*cell

	// set by start, before the lanes begin
	heart    *heart
	began    time.Time
	stop     context.CancelFunc
	stopping <-chan struct{}

	running   sync.WaitGroup
	measuring atomic.Int64 // calls under way whose context ends; the first few are measured

	mu     sync.Mutex
	file   *ledger.Writer // guarded by mu
	failed error          // guarded by mu; the first failure to write a record
}

const (
	defaultRate    = 3000
	defaultTimeout = 5 * time.Second // keyslot's own
)

// newRound prepares a round. Its draws are those of the seed, the round and the lane.
func newRound(w *worker, order Order) (*round, error) {
	r := &round{number: order.Round, mode: order.Mode, client: w.client}
	r.timeout = cmp.Or(w.options.CommandTimeout, defaultTimeout)
	r.everywhere, r.inFocus = w.tags.places(order.Round, order.Mode.Focus)
	r.path = filepath.Join(w.options.Dir, fmt.Sprintf("round-%d.jsonl", order.Round))
	var err error
	if r.file, err = ledger.Create(r.path); err != nil {
		return nil, err
	}
	draw := rand.New(rand.NewPCG(w.options.Seed, uint64(order.Round)))
	for range registerCells {
		r.cells = append(r.cells, &cell{round: r, place: r.pick(draw)})
	}
	settled := 0
	for _, role := range roles() {
		for n := range role.lanes {
			l := &lane{
				round: r, number: len(r.lanes), role: role,
				draw:   rand.New(rand.NewPCG(draw.Uint64(), draw.Uint64())),
				pushed: map[string]int{}, read: map[string]string{},
			}
			// While a shard is down, lanes that go everywhere all come to wait for it. The others show what became of the rest.
			if n%2 == 1 {
				l.home = r.home(settled)
				settled++
			}
			r.lanes = append(r.lanes, l)
		}
	}
	interval := time.Second * time.Duration(len(r.lanes)) / time.Duration(cmp.Or(order.Mode.Rate, defaultRate))
	for _, l := range r.lanes {
		l.interval = interval * time.Duration(l.role.slower)
	}
	return r, nil
}

// seedPatience bounds the writing of the values that reads will look for.
const seedPatience = 20 * time.Second

// seed writes the values that reads will look for.
func (r *round) seed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, seedPatience)
	defer cancel()
	p := r.client.Idempotent().Pipeline()
	for _, places := range [][]place{r.everywhere, r.inFocus} {
		for _, at := range places {
			for i := range at.values {
				key := boundKey(at, r.number, i)
				p.Set(key, boundValue(key))
			}
		}
	}
	if err := p.Exec(ctx); err != nil {
		return fmt.Errorf("writing the values to read: %w", err)
	}
	return nil
}

func boundKey(at place, round, i int) string { return at.key("bound", round) + strconv.Itoa(i) }

func boundValue(key string) string { return "of " + key }

func (r *round) start() {
	ctx, stop := context.WithCancel(context.Background())
	r.began, r.stop, r.stopping = time.Now(), stop, ctx.Done()
	r.heart = startHeart(r.began)
	for _, l := range r.lanes {
		// Ends with end, which closes stopping and waits.
		r.running.Go(l.run)
	}
}

// end stops the load, waits until every operation has returned, and closes the file. beats are when the process ran meanwhile.
func (r *round) end() (beats []time.Duration, err error) {
	r.stop()
	r.running.Wait()
	beats = r.heart.end()
	r.mu.Lock()
	defer r.mu.Unlock()
	return beats, errors.Join(r.failed, r.file.Close())
}

// now is the time since the beginning, by the monotonic clock.
func (r *round) now() time.Duration { return time.Since(r.began) }

func (r *round) record(op ledger.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.file.Write(op); err != nil && r.failed == nil {
		r.failed = fmt.Errorf("writing records: %w", err)
	}
}
