package realcluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MoveSlot moves one slot from its primary to another as redis-cli does, but one key at a time and with pauses, so that
// what a client meets in between (ASK for a key that has gone, TRYAGAIN for keys on both sides) lasts about as long as
// the caller wants. It returns once all nodes know the new owner.
func (c *Cluster) MoveSlot(ctx context.Context, slot int, from, to *Node, lasts time.Duration) error {
	err := c.setSlot(ctx, to, slot, "IMPORTING", from)
	if err == nil {
		err = c.setSlot(ctx, from, slot, "MIGRATING", to)
	}
	if err != nil {
		return fmt.Errorf("moving slot %d: %w", slot, err)
	}
	if err := c.moveKeys(ctx, strconv.Itoa(slot), from, to, lasts); err != nil {
		return fmt.Errorf("moving the keys of slot %d from %s to %s: %w", slot, from, to, err)
	}
	return c.finishMove(ctx, slot, from, to)
}

// refusesLate is what Valkey says of a CLUSTER SETSLOT that its replicas have not heard of in time (2 s).
const refusesLate = "NOREPLICAS"

// setSlot tells a node about a slot and another node, again where its replicas are late.
func (c *Cluster) setSlot(ctx context.Context, at *Node, slot int, state string, other *Node) error {
	for {
		_, err := c.Do(ctx, at, "CLUSTER", "SETSLOT", strconv.Itoa(slot), state, other.id)
		refused := ServerError("")
		if !errors.As(err, &refused) || !strings.HasPrefix(string(refused), refusesLate) {
			return err
		}
		if err := Wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
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

// finishMove tells the new owner: the target first, which tells the others by gossip, and once they know also the
// source, whose side of the move ends by that. For why it waits see Reshard. A source that gossip has made a replica,
// when its last slot left, refuses.
func (c *Cluster) finishMove(ctx context.Context, slot int, from, to *Node) error {
	if err := c.setSlot(ctx, to, slot, "NODE", to); err != nil {
		return fmt.Errorf("slot %d belongs to %s: telling it: %w", slot, to, err)
	}
	err := each(c.Live(), func(_ int, n *Node) error { return c.waitOwner(ctx, n, slot, to) })
	if err != nil {
		return err
	}
	err = c.setSlot(ctx, from, slot, "NODE", to)
	if refused := ServerError(""); errors.As(err, &refused) {
		return nil
	}
	return err
}

// waitOwner waits until n lists owner with slot.
func (c *Cluster) waitOwner(ctx context.Context, n *Node, slot int, owner *Node) error {
	return Until(ctx, func() error {
		view, err := c.view(ctx, n)
		if err != nil {
			return err
		}
		if owned, err := view.at(slot); err != nil || owned.owner != owner.id {
			return fmt.Errorf("%s does not list %s with slot %d", n, owner, slot)
		}
		return nil
	})
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
