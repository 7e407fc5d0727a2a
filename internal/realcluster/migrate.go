package realcluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// MoveSlot moves one slot from its primary to another as redis-cli does, but one key at a time and with pauses, so that what a
// client meets in between (ASK for a key that has gone, TRYAGAIN for keys on both sides) lasts about as long as the caller
// wants. It returns once all primaries know the new owner; replicas hear of it by gossip.
func (c *Cluster) MoveSlot(ctx context.Context, slot int, from, to *Node, lasts time.Duration) error {
	number := strconv.Itoa(slot)
	for _, state := range []struct {
		at   *Node
		args []string
	}{
		{to, []string{"CLUSTER", "SETSLOT", number, "IMPORTING", from.id}},
		{from, []string{"CLUSTER", "SETSLOT", number, "MIGRATING", to.id}},
	} {
		if _, err := c.Do(ctx, state.at, state.args...); err != nil {
			return fmt.Errorf("moving slot %d: %w", slot, err)
		}
	}
	if err := c.moveKeys(ctx, number, from, to, lasts); err != nil {
		return fmt.Errorf("moving the keys of slot %d from %s to %s: %w", slot, from, to, err)
	}
	return c.finishMove(ctx, number, from, to)
}

// migrateTimeout is how long the source may wait for the target with one key.
const migrateTimeout = "5000" // ms

func (c *Cluster) moveKeys(ctx context.Context, slot string, from, to *Node, lasts time.Duration) error {
	conn, err := c.Dial(ctx, from)
	if err != nil {
		return err
	}
	defer conn.Close()
	count, err := conn.Do(ctx, "CLUSTER", "COUNTKEYSINSLOT", slot)
	if err != nil {
		return err
	}
	keys, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	tail := []string{"KEYS"}
	if c.secured() {
		tail = []string{"AUTH2", adminUser, c.adminPassword, "KEYS"}
	}
	for {
		// MIGRATE takes the keys whole, and ASK sends new ones to the target: the source runs empty.
		key, err := conn.Do(ctx, "CLUSTER", "GETKEYSINSLOT", slot, "1")
		if err != nil || key == "" {
			return err
		}
		migrate := append([]string{"MIGRATE", "127.0.0.1", to.port, "", "0", migrateTimeout}, tail...)
		if _, err := conn.Do(ctx, append(migrate, key)...); err != nil {
			return err
		}
		if err := Wait(ctx, lasts/time.Duration(max(keys, 1))); err != nil {
			return err
		}
	}
}

// finishMove tells the new owner: the target first, for a source that forgot the slot before would leave it to nobody, then
// the source, and then every other node that can answer, so that none has to wait for gossip. Replicas refuse, and so does a
// source that gossip has made one when its last slot left.
func (c *Cluster) finishMove(ctx context.Context, slot string, from, to *Node) error {
	for _, n := range append([]*Node{to, from}, c.Live()...) {
		_, err := c.Do(ctx, n, "CLUSTER", "SETSLOT", slot, "NODE", to.id)
		var refused ServerError
		if errors.As(err, &refused) && n != to {
			continue
		}
		if err != nil {
			return fmt.Errorf("slot %s belongs to %s: telling %s: %w", slot, to, n, err)
		}
	}
	return nil
}

// Owners returns the primary of every slot, by slot, as the first node that can answer tells it; nil for a slot that has none.
func (c *Cluster) Owners(ctx context.Context) ([]*Node, error) {
	view, err := c.anyView(ctx, c.Live())
	if err != nil {
		return nil, err
	}
	owners := make([]*Node, slots)
	for _, owned := range view.owners {
		n, err := c.byID(owned.owner)
		if err != nil {
			return nil, err
		}
		for slot := owned.first; slot <= owned.last; slot++ {
			owners[slot] = n
		}
	}
	return owners, nil
}
