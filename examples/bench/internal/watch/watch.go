// Package watch follows who owns which slots of a cluster, with a client of its own beside the ones that are measured.
package watch

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

const (
	// interval is how often the map is looked at. A client fetches it once a second at most while all is well.
	interval = 250 * time.Millisecond

	// MapAge is the RefreshAfter that the client of a Watch should have.
	MapAge = 500 * time.Millisecond
)

// Watch knows the owners of all slots.
type Watch struct {
	client  *keyslot.Client // immutable
	key     string          // immutable; a key that is asked for, so that the client uses its map
	latest  atomic.Pointer[record.Ownership]
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Start watches until Stop. changed is called from one goroutine whenever the owners are not the ones before, the first
// ones included; At is left to the callee. The client's RefreshAfter should be MapAge.
func Start(client *keyslot.Client, key string, changed func(record.Ownership)) *Watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{client: client, key: key, stop: stop}
	names := &namer{}
	w.see(names, changed)
	w.running.Go(func() { w.follow(ctx, names, changed) }) // ends with stop
	return w
}

// Stop returns when nothing is watched any more.
func (w *Watch) Stop() {
	w.stop()
	w.running.Wait()
}

// Owners returns the owners as they were last seen. The caller must not change them.
func (w *Watch) Owners() record.Ownership { return *w.latest.Load() }

// Until blocks until the owners are as wanted, or ctx ends, whose error it returns.
func (w *Watch) Until(ctx context.Context, wanted func(record.Ownership) bool) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for !wanted(w.Owners()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (w *Watch) follow(ctx context.Context, names *namer, changed func(record.Ownership)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		_, _ = w.client.Timeout(interval).Exists(ctx, w.key) // the answer is of no interest: a map that is used is kept new
		w.see(names, changed)
	}
}

func (w *Watch) see(names *namer, changed func(record.Ownership)) {
	now := names.ownership(w.client.Topology())
	if was := w.latest.Load(); was != nil && reflect.DeepEqual(*was, now) {
		return
	}
	w.latest.Store(&now)
	changed(now)
}

// Slots returns how many slots a shard has.
func Slots(s record.ShardSlots) int {
	n := 0
	for _, r := range s.Ranges {
		n += int(r[1]) - int(r[0]) + 1
	}
	return n
}

// Brief says who has how many slots, in a line.
func Brief(o record.Ownership) string {
	var parts []string
	for _, s := range o.Shards {
		parts = append(parts, fmt.Sprintf("%s %d", s.Shard, Slots(s)))
	}
	if len(parts) == 0 {
		return "no slot has an owner"
	}
	return "slots: " + strings.Join(parts, ", ")
}

// Structure says which shards there are and who their primaries are, and not which slots they have.
func Structure(o record.Ownership) string {
	var parts []string
	for _, s := range o.Shards {
		parts = append(parts, s.Shard+" at "+s.Node)
	}
	return strings.Join(parts, ", ")
}
