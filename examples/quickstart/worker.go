package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

// worker is one goroutine of the load. It writes keys that nobody else writes, and knows what they must hold. Nothing
// in this file knows of nodes or redirects: the client sends each command where its keys are.
type worker struct {
	*load

	// owned by run, and by others after it
	own, team []string          // its keys; those of the team have a common hash tag, and so are on one node
	written   map[string]string // what each of them must hold, where that is certain
	increased [counters]int64   // how often it has increased each of the shared counters
	doubtful  [counters]bool    // whether an INCR of it may or may not have run
	latency   [][]time.Duration // of every command, by phase
}

const (
	teamSize = 6
	counters = 16  // shared by all workers
	some     = 10  // keys of one MGET under load
	batch    = 500 // keys of one MGET or DEL afterwards
)

func newWorker(l *load, id int) *worker {
	w := &worker{load: l, written: map[string]string{}, latency: make([][]time.Duration, len(l.phases))}
	for n := range l.cfg.Keys {
		w.own = append(w.own, fmt.Sprintf("%s%d:%d", l.cfg.Prefix, id, n))
	}
	for n := range teamSize {
		w.team = append(w.team, teamKey(l.cfg, id, n))
	}
	return w
}

// teamKey has a hash tag, in braces: only that part decides on the slot.
func teamKey(cfg config, id, n int) string { return fmt.Sprintf("{%steam:%d}:%d", cfg.Prefix, id, n) }

func counterKey(cfg config, n int) string { return fmt.Sprintf("%scounter:%d", cfg.Prefix, n) }

func (w *worker) run(ctx context.Context) {
	// ctx says when to stop, and not when to give up: a write cut off on its way has an unknown outcome.
	whole := context.WithoutCancel(ctx)
	w.writeMany(whole, w.own)
	pace := time.NewTicker(w.cfg.Pace)
	defer pace.Stop()
	for ctx.Err() == nil {
		w.writeOne(whole, w.anyKey())
		w.readOne(whole, w.anyKey())
		w.readMany(whole, w.someKeys())
		w.writeMany(whole, w.team)
		w.readMany(whole, w.team)
		w.readPart(whole, w.anyKey())
		w.increase(whole, rand.IntN(counters))
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
}

func (w *worker) anyKey() string { return w.own[rand.IntN(len(w.own))] }

func (w *worker) someKeys() []string {
	keys := make([]string, some)
	for i := range keys {
		keys[i] = w.anyKey()
	}
	return keys
}

func (w *worker) writeOne(ctx context.Context, key string) {
	value := newValue()
	err := w.timed(func() error { return w.client.Set(ctx, key, value, command.EX(time.Hour)) })
	w.wrote(key, value, err)
}

// writeMany is one call for keys of any slots. It is atomic only for keys of one slot, as those of the team are.
func (w *worker) writeMany(ctx context.Context, keys []string) {
	pairs := make([]command.Pair, len(keys))
	for i, key := range keys {
		pairs[i] = command.Pair{Key: key, Value: newValue()}
	}
	err := w.timed(func() error { return w.client.MSet(ctx, pairs...) })
	for _, p := range pairs {
		w.wrote(p.Key, p.Value, err)
	}
}

func (w *worker) readOne(ctx context.Context, key string) {
	var value string
	err := w.timed(func() (err error) {
		value, err = w.client.Get(ctx, key)
		if errors.Is(err, keyslot.Nil) {
			return nil // there is no such key: an answer, and no failure
		}
		return err
	})
	w.read(key, value, err)
}

// readMany is one call for keys of any slots; values come back in the order of the keys.
func (w *worker) readMany(ctx context.Context, keys []string) {
	var values []keyslot.Optional[string] // OK is false, and Value empty, where there is no such key
	err := w.timed(func() (err error) {
		values, err = w.client.MGet(ctx, keys...)
		return err
	})
	for i, value := range values {
		w.read(keys[i], value.Value, err)
	}
}

// readPart uses a command that has no method of its own: Do knows where the keys of all commands are.
func (w *worker) readPart(ctx context.Context, key string) {
	var value string
	err := w.timed(func() error {
		reply, err := w.client.Do(ctx, "GETRANGE", key, 0, -1)
		if err != nil {
			return err
		}
		value, err = reply.Text()
		return err
	})
	w.read(key, value, err)
}

// increase adds to a counter that others add to as well: only the sum at the end tells whether each INCR ran just once.
func (w *worker) increase(ctx context.Context, n int) {
	err := w.timed(func() error {
		_, err := w.client.Incr(ctx, counterKey(w.cfg, n))
		return err
	})
	switch {
	case err == nil:
		w.increased[n]++
	case !errors.Is(err, keyslot.ErrNotExecuted):
		w.doubtful[n] = true
	}
}

// timed runs one command and notes how long it took and how it ended.
func (w *worker) timed(command func() error) error {
	phase, start := w.current.Load(), time.Now()
	err := command()
	w.latency[phase] = append(w.latency[phase], time.Since(start))
	w.count(err)
	return err
}

// wrote notes what a key must hold after a command that sets it.
func (w *worker) wrote(key, value string, err error) {
	switch {
	case err == nil:
		w.written[key] = value
	case !errors.Is(err, keyslot.ErrNotExecuted):
		delete(w.written, key) // the old value, or the new one
	}
}

// read compares what a command read with what was written.
func (w *worker) read(key, value string, err error) {
	if want, certain := w.written[key]; err == nil && certain {
		w.compare(key, value, want)
	}
}

func newValue() string { return strconv.FormatUint(rand.Uint64(), 36) }
