package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

const (
	herdSize = 200
	// herdSettles is how long behind the promotion clients are watched: half of them confirm their map by then.
	herdSettles = 32 * time.Second
)

// herds measures how often the topology is asked for when many clients meet one failover.
func herds(ctx context.Context, b *bench) error {
	for _, kind := range []struct {
		name string
		do   func(ctx context.Context, r *rig, primary, replica *realcluster.Node) error
	}{
		{"planned failover", func(ctx context.Context, r *rig, _, replica *realcluster.Node) error {
			_, err := r.Do(ctx, replica, "CLUSTER", "FAILOVER")
			return err
		}},
		{"SIGKILL", func(_ context.Context, _ *rig, primary, _ *realcluster.Node) error { return primary.Kill() }},
	} {
		if err := b.herd(ctx, kind.name, kind.do); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) herd(ctx context.Context, name string, do func(ctx context.Context, r *rig, primary, replica *realcluster.Node) error) error {
	r, err := b.cluster(ctx, realcluster.Options{})
	if err != nil {
		return err
	}
	defer r.Stop()
	h, err := newHerd(ctx, r, b.rate)
	defer h.close()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	primary, replica := r.Node(0), r.Node(primaries) // as the cluster was made
	if err := realcluster.Wait(ctx, 2*time.Second); err != nil {
		return err
	}
	before, err := r.asked(ctx)
	if err != nil {
		return err
	}
	at := time.Now()
	if err := do(ctx, r, primary, replica); err != nil {
		return err
	}
	served, err := r.probe(ctx, replica, valueKey(anyTag(0)))
	if err != nil {
		return err
	}
	last, err := h.awaitAll(ctx, served)
	if err != nil {
		return err
	}
	if err := realcluster.Wait(ctx, herdSettles); err != nil {
		return err
	}
	after, err := r.asked(ctx)
	if err != nil {
		return err
	}
	progress("herd, %s: served after %v, the last client %v behind", name, served.Sub(at).Round(time.Millisecond), last.Round(time.Millisecond))
	for _, command := range []string{"cluster|slots", "cluster|info", "exists"} {
		each := float64(since(before, after, command)) / herdSize
		measure := fmt.Sprintf("%s: %s per client", name, command)
		if command == "cluster|slots" {
			b.atMost("herd", measure, each, 1, "")
		} else {
			b.note("herd", measure, each, "")
		}
	}
	b.note("herd", name+": last of the clients behind a raw probe", milliseconds(last), "ms")
	b.atMost("herd", name+": commands failed but those in flight", float64(h.failed.Load()), 0, "")
	return nil
}

// counts are how often each node has been asked for each command.
type counts map[*realcluster.Node]map[string]int

// since returns how often a command was asked of the nodes that are still there.
func since(before, after counts, command string) (n int) {
	for node := range after {
		n += after[node][command] - before[node][command]
	}
	return n
}

var calls = regexp.MustCompile(`(?m)^cmdstat_(\S+?):calls=(\d+),.*rejected_calls=(\d+)`)

// asked returns how often each node was asked for each command, what it refused included. The harness asks for no
// topology between two of these.
func (r *rig) asked(ctx context.Context) (counts, error) {
	all := counts{}
	for _, n := range r.Nodes() {
		if n.PID() == 0 {
			continue
		}
		stats, err := r.Do(ctx, n, "INFO", "commandstats")
		if err != nil {
			return nil, err
		}
		all[n] = map[string]int{}
		for _, found := range calls.FindAllStringSubmatch(stats, -1) {
			ran, err := strconv.Atoi(found[2])
			if err != nil {
				return nil, err
			}
			refused, err := strconv.Atoi(found[3])
			if err != nil {
				return nil, err
			}
			all[n][found[1]] = ran + refused
		}
	}
	return all, nil
}

// herd is many clients, each with a caller that writes to all shards in turn.
type herd struct {
	clients []*keyslot.Client
	back    []atomic.Int64 // when the caller last succeeded in the first shard: nanoseconds since the epoch
	failed  atomic.Int64   // commands that failed, other than with an unknown outcome
	stop    context.CancelFunc
	callers sync.WaitGroup
}

func newHerd(ctx context.Context, r *rig, rate int) (*herd, error) {
	h := &herd{back: make([]atomic.Int64, herdSize)}
	running, stop := context.WithCancel(context.Background())
	h.stop = stop
	for i := range herdSize {
		client, err := keyslot.New(ctx, keyslot.Options{Endpoints: r.Addrs(), CommandTimeout: patience})
		if err != nil {
			return h, err
		}
		h.clients = append(h.clients, client)
		// Ends with stop; close waits for it.
		h.callers.Go(func() { h.call(running, i, client, time.Second*herdSize/time.Duration(rate)) })
	}
	return h, nil
}

func (h *herd) call(ctx context.Context, i int, client *keyslot.Client, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	first := inShard(0)
	for n := i; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		tag := n % tags
		err := client.Set(context.Background(), valueKey(tag), "value")
		switch {
		case err == nil && first[tag]:
			h.back[i].Store(time.Now().UnixNano())
		case err != nil && !errors.Is(err, keyslot.ErrUnknownOutcome):
			h.failed.Add(1)
		}
	}
}

// awaitAll waits until every client has succeeded in the first shard since it is served, and returns how long that
// took. A client that waits for nothing there comes by within half a second.
func (h *herd) awaitAll(ctx context.Context, served time.Time) (time.Duration, error) {
	var last time.Time
	for i := range h.back {
		for {
			at := time.Unix(0, h.back[i].Load())
			if at.After(served) {
				if at.After(last) {
					last = at
				}
				break
			}
			if err := realcluster.Wait(ctx, time.Millisecond); err != nil {
				return 0, fmt.Errorf("client %d is not back: %w", i, err)
			}
		}
	}
	return last.Sub(served), nil
}

func (h *herd) close() {
	h.stop()
	h.callers.Wait()
	for _, client := range h.clients {
		_ = client.Close()
	}
}
