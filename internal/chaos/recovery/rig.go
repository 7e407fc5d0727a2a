package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

const (
	primaries   = 3
	nodeTimeout = 2 * time.Second
	// patience of a command outlasts the death of a primary.
	patience = 20 * time.Second
	// probeEvery is how often a raw probe asks.
	probeEvery = 10 * time.Millisecond
	// stepLimit bounds one step of a figure, such as a reshard.
	stepLimit = 2 * time.Minute
)

// rig is a cluster of 3+3 nodes.
type rig struct {
	*realcluster.Cluster
}

func (b *bench) cluster(ctx context.Context, opts realcluster.Options) (*rig, error) {
	opts.Primaries, opts.Replicas, opts.NodeTimeout = primaries, 1, nodeTimeout
	c, err := realcluster.Run(ctx, b.engine, opts)
	if err != nil {
		return nil, err
	}
	return &rig{c}, nil
}

// withLoad runs do on a new cluster, with a client and a load on it that have warmed up.
func (b *bench) withLoad(
	ctx context.Context, opts realcluster.Options, client keyslot.Options, do func(ctx context.Context, r *rig, l *load) error,
) error {
	r, err := b.cluster(ctx, opts)
	if err != nil {
		return err
	}
	defer r.Stop()
	client.Endpoints = r.Addrs()
	return b.load(ctx, client, func(ctx context.Context, l *load) error { return do(ctx, r, l) })
}

// load runs do with a client and a load that has warmed up.
func (b *bench) load(ctx context.Context, opts keyslot.Options, do func(ctx context.Context, l *load) error) error {
	if opts.CommandTimeout == 0 {
		opts.CommandTimeout = patience
	}
	client, err := keyslot.New(ctx, opts)
	if err != nil {
		return err
	}
	defer client.Close()
	l := startLoad(client, b.rate)
	defer l.end()
	if err := realcluster.Wait(ctx, 2*time.Second); err != nil {
		return err
	}
	if n := l.failed.Load(); n > 0 {
		return fmt.Errorf("%d commands failed before anything was done", n)
	}
	return do(ctx, l)
}

// shardOf returns which of the shards that a new cluster has serves a slot.
func shardOf(slot int) int { return (slot*primaries + primaries - 1) / 16384 }

// inShard returns the tags of a shard.
func inShard(shard int) map[int]bool {
	of := map[int]bool{}
	for _, tag := range tagsOf(func(slot int) bool { return shardOf(slot) == shard }) {
		of[tag] = true
	}
	return of
}

// probe writes a key to a node every 10 ms, over a connection of its own, until the node takes it: from then on it
// serves the slot. It returns when that was.
func (r *rig) probe(ctx context.Context, n *realcluster.Node, key string) (time.Time, error) {
	conn, err := r.Dial(ctx, n)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		_, err := conn.Do(ctx, "SET", key, "probe")
		var refused realcluster.ServerError
		switch {
		case err == nil:
			return time.Now(), nil
		case !errors.As(err, &refused):
			return time.Time{}, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

// firstAfter returns when the first command of one of the tags that ended after t succeeded; false if none has.
func firstAfter(records []record, of map[int]bool, t time.Time) (time.Time, bool) {
	for _, r := range records {
		if of[r.tag] && r.err == nil && r.end().After(t) {
			return r.end(), true
		}
	}
	return time.Time{}, false
}

// awaitSuccess waits until every worker of a shard has succeeded with a command that ended after t.
func (l *load) awaitSuccess(ctx context.Context, shard int, t time.Time) error {
	return l.await(ctx, shard, &l.last, t)
}

// awaitNew waits until every worker of a shard has succeeded with a command that began after t.
func (l *load) awaitNew(ctx context.Context, shard int, t time.Time) error {
	return l.await(ctx, shard, &l.began, t)
}

func (l *load) await(ctx context.Context, shard int, times *[workers]atomic.Int64, t time.Time) error {
	for w := range workers {
		for shardOfWorker(w) == shard && !l.begun.Add(time.Duration(times[w].Load())).After(t) {
			if err := realcluster.Wait(ctx, time.Millisecond); err != nil {
				return fmt.Errorf("worker %d does not succeed: %w", w, err)
			}
		}
	}
	return nil
}

// comeback is when the workers of a shard succeeded again: the first of them, and the last.
type comeback struct{ first, last time.Time }

// comebackOf takes the first success of each worker of a shard that counts. records are in the order in which they ended.
func comebackOf(records []record, shard int, counts func(record) bool) (c comeback) {
	back := map[int]bool{}
	for _, r := range records {
		if shardOfWorker(r.worker) != shard || back[r.worker] || r.err != nil || !counts(r) {
			continue
		}
		if len(back) == 0 {
			c.first = r.end()
		}
		back[r.worker], c.last = true, r.end()
	}
	return c
}

// progress tells whoever waits what is being done.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}
