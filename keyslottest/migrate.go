package keyslottest

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Migration is one slot on its way from one shard to another: the source answers ASK for keys it does not have, the
// target serves them after ASKING. All methods are safe for concurrent use.
type Migration struct {
	cluster  *Cluster // immutable
	slot     uint16   // immutable
	from, to *shard   // immutable

	// guarded by Cluster.mu
	moved map[string]struct{} // keys that are at the target already
	over  bool
}

// Migrate opens a slot for migration to the primary of another shard: from now on its owner redirects with ASK what it
// does not have. No key is moved yet. It fails if the slot has no owner or is migrating already, and if toNodeID is no
// primary or owns the slot.
func (c *Cluster) Migrate(slot uint16, toNodeID string) (*Migration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to, err := c.primary(toNodeID)
	if err != nil {
		return nil, err
	}
	return c.migrate(slot, to)
}

func (c *Cluster) migrate(slot uint16, to *shard) (*Migration, error) {
	switch {
	case c.closed:
		return nil, errClosed
	case !slices.Contains(c.shards, to):
		return nil, fmt.Errorf("keyslottest: the shard of node %s was removed", to.primary.id)
	case slot >= slotCount:
		return nil, fmt.Errorf("keyslottest: slot %d: slots are 0 to %d", slot, slotCount-1)
	case c.owner[slot] == nil:
		return nil, fmt.Errorf("keyslottest: slot %d has no owner", slot)
	case c.owner[slot] == to:
		return nil, fmt.Errorf("keyslottest: slot %d is at node %s already", slot, to.primary.id)
	case c.migrations[slot] != nil:
		return nil, fmt.Errorf("keyslottest: slot %d is migrating already", slot)
	}
	m := &Migration{cluster: c, slot: slot, from: c.owner[slot], to: to, moved: map[string]struct{}{}}
	c.migrations[slot] = m
	return m, nil
}

// primary finds the shard whose primary has this id. mu is held.
func (c *Cluster) primary(nodeID string) (*shard, error) {
	n, err := c.node(nodeID)
	if err != nil {
		return nil, err
	}
	if !n.isPrimary() {
		return nil, fmt.Errorf("keyslottest: node %s is a replica", nodeID)
	}
	return n.shard, nil
}

// MoveKey moves one key of the slot to the target, and reports whether it was still at the source.
func (m *Migration) MoveKey(key string) bool {
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	if m.over || slotOf(key) != m.slot || !m.holds(m.cluster.store, m.from.primary, key) {
		return false
	}
	m.move(key)
	return true
}

// move moves a key, which is to those who wait for it at the source as if it were deleted.
func (m *Migration) move(key string) {
	m.moved[key] = struct{}{}
	m.cluster.waiting.serve(m.cluster, []string{key})
}

// MoveKeys moves up to n keys of the slot to the target, in the order of their names, and returns how many it moved:
// fewer than n means that the source has none left.
func (m *Migration) MoveKeys(n int) int {
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	if m.over {
		return 0
	}
	left := m.cluster.keysIn(m.from.primary, m.slot)
	left = left[:min(max(n, 0), len(left))]
	for _, key := range left {
		m.move(key)
	}
	return len(left)
}

// Finish gives the slot to the target, together with the keys still at the source: from now on the source answers
// MOVED. The target's epoch rises, unless it is the highest already. Finish of a migration that is over is an error.
func (m *Migration) Finish() error {
	c := m.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.over {
		return fmt.Errorf("keyslottest: the migration of slot %d is over", m.slot)
	}
	m.end()
	c.give(m.slot, m.to)
	c.raiseEpoch(m.to)
	c.topologyChanged()
	return nil
}

// Cancel leaves the slot, with all keys, at the source. Cancel of a migration that is over does nothing.
func (m *Migration) Cancel() {
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	if !m.over {
		m.end()
	}
}

func (m *Migration) end() {
	m.over = true
	delete(m.cluster.migrations, m.slot)
}

// holds says whether key exists and is at n's side of the migration.
func (m *Migration) holds(s *store, n *node, key string) bool {
	_, moved := m.moved[key]
	return moved == (n.shard == m.to) && s.exists(key)
}

// wrote notes that n wrote key: a key born at the target is there. One that was deleted is at neither side, moved or not.
func (m *Migration) wrote(n *node, key string) {
	if n.shard == m.to {
		m.moved[key] = struct{}{}
	}
}

// raiseEpoch does what a server does when it takes over a slot: it bumps its epoch unless that is the highest. mu is held.
func (c *Cluster) raiseEpoch(s *shard) {
	if s.epoch < c.epoch {
		c.epoch++
		s.epoch = c.epoch
	}
}

// MoveSlots moves slots between two primaries as redis-cli --cluster reshard does: one slot after the other, one key after
// the other, with Options.StepPause between two steps. It blocks until all are moved or ctx ends; then the slot under way
// stays where it was and those before it have moved. Slots that are not at fromNodeID are an error before anything moves.
func (c *Cluster) MoveSlots(ctx context.Context, fromNodeID, toNodeID string, slots ...uint16) error {
	c.mu.Lock()
	from, err := c.primary(fromNodeID)
	to, err2 := c.primary(toNodeID)
	if err == nil {
		err = err2
	}
	for _, slot := range slots {
		if err == nil && (slot >= slotCount || c.owner[slot] != from) {
			err = fmt.Errorf("keyslottest: slot %d is not at node %s", slot, fromNodeID)
		}
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	for _, slot := range slots {
		if err := c.moveSlot(ctx, slot, to); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) moveSlot(ctx context.Context, slot uint16, to *shard) error {
	c.mu.Lock()
	m, err := c.migrate(slot, to)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	for {
		if err := pause(ctx, c.opts.StepPause); err != nil {
			m.Cancel()
			return err
		}
		if m.MoveKeys(1) == 0 {
			return m.Finish()
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Rebalance moves as few slots as it takes to give every shard the same number of them, give or take one. It moves and
// blocks like MoveSlots.
func (c *Cluster) Rebalance(ctx context.Context) error {
	c.mu.Lock()
	targets := slices.Clone(c.shards)
	c.mu.Unlock()
	return c.spread(ctx, targets)
}

// spread moves slots until targets have all of them in equal shares.
func (c *Cluster) spread(ctx context.Context, targets []*shard) error {
	for _, step := range c.planSpread(targets) {
		if err := c.moveSlot(ctx, step.slot, step.to); err != nil {
			return err
		}
	}
	return nil
}

type slotMove struct {
	slot uint16
	to   *shard
}

// planSpread takes from every shard the slots above its share, the highest first, and gives them to those below theirs.
func (c *Cluster) planSpread(targets []*shard) (plan []slotMove) {
	c.mu.Lock()
	defer c.mu.Unlock()
	room := map[*shard]int{}
	for i, s := range targets {
		room[s] = (i+1)*slotCount/len(targets) - i*slotCount/len(targets)
	}
	var spare []uint16
	for _, s := range c.shards {
		for slot := range uint16(slotCount) {
			switch {
			case c.owner[slot] != s:
			case room[s] > 0:
				room[s]--
			default:
				spare = append(spare, slot)
			}
		}
	}
	for _, s := range targets {
		for ; room[s] > 0 && len(spare) > 0; room[s]-- {
			plan = append(plan, slotMove{spare[0], s})
			spare = spare[1:]
		}
	}
	return plan
}
