package main

import (
	"context"
	"fmt"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// phase is a part of the story; the load never stops between two of them.
type phase struct {
	name string
	run  func(ctx context.Context) error // returns when the phase is over; an error ends the story
}

// wait is a phase in which nothing happens to the cluster.
func wait(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reshard adds a shard to the cluster and gives it its share of the slots.
func reshard(cluster *keyslottest.Cluster, cfg config) func(context.Context) error {
	return func(ctx context.Context) error {
		shard, err := cluster.AddShard()
		if err != nil {
			return fmt.Errorf("adding a shard: %w", err)
		}
		if err := moveTeam(ctx, cluster, shard.Primary.ID, cfg); err != nil {
			return err
		}
		// The same for a quarter of all slots, one after the other, each key by key.
		return cluster.Rebalance(ctx)
	}
}

// moveTeam moves the slot of one team step by step, as redis-cli --cluster reshard does. A team is a few keys with a
// common hash tag, which its goroutine reads with one MGET.
func moveTeam(ctx context.Context, cluster *keyslottest.Cluster, to string, cfg config) error {
	step := wait(cfg.Step)

	// Both nodes know that the slot is on its way. Its keys are still where they were.
	migration, err := cluster.Migrate(keyslot.Slot(teamKey(cfg, 0, 0)), to)
	if err != nil {
		return fmt.Errorf("migrating a slot: %w", err)
	}
	defer migration.Cancel()
	if err := step(ctx); err != nil {
		return err
	}
	// With one half of the keys moved, no node can answer an MGET of all: TRYAGAIN, and the client does.
	migration.MoveKeys(teamSize / 2)
	if err := step(ctx); err != nil {
		return err
	}
	// The old owner has none of them left and answers ASK: look there, this once.
	migration.MoveKeys(teamSize)
	if err := step(ctx); err != nil {
		return err
	}
	// The new owner has the slot for good, and the old one answers MOVED.
	return migration.Finish()
}
