package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/keyslot-go/keyslot"
)

// load is many goroutines that use one client at once, and what came of it.
type load struct {
	// immutable after start
	client  *keyslot.Client
	cfg     config
	phases  []phase
	tallies []tally // by phase
	workers []*worker

	current atomic.Int32 // index of the phase under way
	reads   atomic.Int64 // values compared with what was written
	wrong   atomic.Int64 // values that were not what was written

	mu         sync.Mutex
	complaints []string // guarded by mu; the first failed commands and wrong values
}

// tally counts what happened in one phase.
type tally struct {
	commands, failed, moved, asked atomic.Int64
}

func newLoad(cfg config, phases []phase) *load {
	l := &load{cfg: cfg, phases: phases, tallies: make([]tally, len(phases))}
	for id := range cfg.Workers {
		l.workers = append(l.workers, newWorker(l, id))
	}
	return l
}

// start starts the workers, which run until ctx is done or stop is called. stop waits for them.
func (l *load) start(ctx context.Context, client *keyslot.Client) (stop func()) {
	l.client = client
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, w := range l.workers {
		running.Go(func() { w.run(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// play lets the phases happen, one after the other, and shows how it goes.
func (l *load) play(ctx context.Context, p *progress) error {
	defer p.end()
	for i, phase := range l.phases {
		l.current.Store(int32(i))
		if err := p.during(func() error { return phase.run(ctx) }); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return nil
}

func (l *load) tally() *tally { return &l.tallies[l.current.Load()] }

// redirected is called by the client for each redirect that it follows. No caller notices anything but the time it takes.
func (l *load) redirected(e keyslot.RedirectEvent) {
	if e.Ask {
		l.tally().asked.Add(1)
	} else {
		l.tally().moved.Add(1)
	}
}

// count counts a command that ended with err.
func (l *load) count(err error) {
	l.tally().commands.Add(1)
	if err != nil {
		l.tally().failed.Add(1)
		l.complain(err.Error()) // it names the command and the node, and says whether the command may have run
	}
}

func (l *load) compare(key, got, want string) {
	l.reads.Add(1)
	if got != want {
		l.wrong.Add(1)
		l.complain(fmt.Sprintf("%s holds %q, but %q was written", key, got, want))
	}
}

func (l *load) complain(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.complaints) < 5 {
		l.complaints = append(l.complaints, text)
	}
}

// verify reads every key once more and compares the shared counters with what all workers have added. The workers have
// ended.
func (l *load) verify(ctx context.Context) {
	want := map[string]string{}
	for _, w := range l.workers {
		maps.Copy(want, w.written)
	}
	for n := range counters {
		if sum, exact := l.sum(n); exact {
			want[counterKey(l.cfg, n)] = strconv.FormatInt(sum, 10)
		}
	}
	for keys := range slices.Chunk(slices.Collect(maps.Keys(want)), batch) {
		got, err := l.client.MGet(ctx, keys...)
		l.count(err)
		if err != nil {
			continue
		}
		for i, key := range keys {
			l.compare(key, got[i].Value, want[key])
		}
	}
}

// sum is what a shared counter must hold. It is not exact if an INCR may or may not have run.
func (l *load) sum(n int) (sum int64, exact bool) {
	exact = true
	for _, w := range l.workers {
		sum += w.increased[n]
		exact = exact && !w.doubtful[n]
	}
	return sum, exact && sum > 0
}

// remove removes all keys.
func (l *load) remove(ctx context.Context) {
	for keys := range slices.Chunk(l.keys(), batch) {
		_, err := l.client.Del(ctx, keys...)
		l.count(err)
	}
}

func (l *load) keys() []string {
	var keys []string
	for n := range counters {
		keys = append(keys, counterKey(l.cfg, n))
	}
	for _, w := range l.workers {
		keys = slices.Concat(keys, w.own, w.team)
	}
	return keys
}
