package keyslottest

import (
	"context"
	"fmt"
	"slices"
)

// topologyChanged follows every change of owners, roles or running nodes. mu is held.
func (c *Cluster) topologyChanged() {
	c.rangesKept = nil
	covered := 0
	for _, s := range c.shards {
		if s.primary.running {
			covered += s.slots
		}
	}
	c.uncovered = covered < slotCount
	c.waiting.recheck(c)
}

// DeleteSlots takes slots from their owners, as CLUSTER DELSLOTS does on every node: their keys are refused with
// "CLUSTERDOWN Hash slot not served", and all other keys too unless Options.PartialCoverage is set. The keys come back
// with AddSlots. A slot that is migrating or has no owner is an error, and then none is taken.
func (c *Cluster) DeleteSlots(slots ...uint16) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, slot := range slots {
		if slot >= slotCount || c.owner[slot] == nil || c.migrations[slot] != nil {
			return fmt.Errorf("keyslottest: slot %d has no owner to take it from, or is migrating", slot)
		}
	}
	for _, slot := range slots {
		c.give(slot, nil)
	}
	c.topologyChanged()
	return nil
}

// AddSlots gives slots without an owner to a primary, as CLUSTER ADDSLOTS does. A slot that has an owner is an error,
// and then none is given.
func (c *Cluster) AddSlots(primaryID string, slots ...uint16) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.primary(primaryID)
	if err != nil {
		return err
	}
	for _, slot := range slots {
		if slot >= slotCount || c.owner[slot] != nil {
			return fmt.Errorf("keyslottest: slot %d has an owner, or is none", slot)
		}
	}
	for _, slot := range slots {
		c.give(slot, s)
	}
	c.topologyChanged()
	return nil
}

// AddShard starts a new primary with as many replicas as the others have, and returns it. It owns no slots: MoveSlots
// or Rebalance gives it some.
func (c *Cluster) AddShard() (Shard, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return Shard{}, errClosed
	}
	s, err := c.addShard()
	if err != nil {
		return Shard{}, err
	}
	c.topologyChanged()
	return c.describe(s), nil
}

// RemoveShard moves the slots of the shard with this primary to the other shards, in equal shares, and then stops its
// nodes for good. It moves and blocks like MoveSlots; if ctx ends first, the shard stays with the slots it still has.
func (c *Cluster) RemoveShard(ctx context.Context, primaryID string) error {
	c.mu.Lock()
	leaving, err := c.primary(primaryID)
	rest := slices.DeleteFunc(slices.Clone(c.shards), func(s *shard) bool { return s == leaving })
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return fmt.Errorf("keyslottest: the last shard cannot be removed")
	}
	if err := c.spread(ctx, rest); err != nil {
		return err
	}
	c.tellAll(ctx, leaving)
	c.mu.Lock()
	defer c.mu.Unlock()
	if leaving.slots > 0 || c.importing(leaving) {
		return fmt.Errorf("keyslottest: slots were moved to node %s while it was being removed", primaryID)
	}
	for _, n := range leaving.nodes() {
		c.removeNode(n)
	}
	c.shards = slices.DeleteFunc(c.shards, func(s *shard) bool { return s == leaving })
	c.topologyChanged()
	return nil
}

// importing says whether a slot is migrating to s. mu is held.
func (c *Cluster) importing(s *shard) bool {
	for _, m := range c.migrations {
		if m.to == s {
			return true
		}
	}
	return false
}

// removeNode stops n and forgets it. mu is held.
func (c *Cluster) removeNode(n *node) {
	n.stop()
	c.nodes = slices.DeleteFunc(c.nodes, func(other *node) bool { return other == n })
	c.retired.add(n.counters)
}

// Failover makes a running replica the primary of its shard. The old primary becomes its replica: at once if it is
// running, as after CLUSTER FAILOVER, and else when it is started again. The epoch rises, no key is lost, and
// connections stay open, but for those of clients blocked on the old primary: they are sent UNBLOCKED and closed.
// Subscribers of its shard channels, at all nodes but the new primary, are sent sunsubscribe.
func (c *Cluster) Failover(replicaID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(replicaID)
	if err != nil {
		return err
	}
	if n.isPrimary() || !n.running {
		return fmt.Errorf("keyslottest: node %s is no running replica", replicaID)
	}
	s := n.shard
	s.replicas = slices.DeleteFunc(s.replicas, func(r *node) bool { return r == n })
	s.replicas = append(s.replicas, s.primary)
	s.primary = n
	c.epoch++
	s.epoch = c.epoch
	c.promoted(s, n)
	c.topologyChanged()
	return nil
}

// Stop ends a node as a crash does: its listener and connections are closed. The others know at once: a stopped replica is
// no longer in CLUSTER SLOTS; a stopped primary still is, as on a server, but unless Options.PartialCoverage is set all
// nodes answer CLUSTERDOWN until Failover or Restart. Nothing is promoted by itself. Stopping a stopped node is no error.
func (c *Cluster) Stop(nodeID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(nodeID)
	if err != nil {
		return err
	}
	n.stop()
	c.topologyChanged()
	return nil
}

// Restart starts a stopped node at its old address and with its old id. It has all keys of its shard, and the role the
// shard has for it now. It fails if the port has been taken meanwhile. Restarting a running node is no error.
func (c *Cluster) Restart(nodeID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(nodeID)
	if err != nil || n.running {
		return err
	}
	if err := n.listen(); err != nil {
		return err
	}
	c.topologyChanged()
	return nil
}

// Replace stops a node for good and starts another in its place, with a new id and address, and the same role, slots
// and keys, at a higher epoch if it is a primary: what a managed service does when it replaces hardware, Failover
// aside. Faults of the old node end with it.
func (c *Cluster) Replace(nodeID string) (Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, err := c.node(nodeID)
	if err != nil {
		return Node{}, err
	}
	s := old.shard
	fresh, err := c.addNode(s)
	if err != nil {
		return Node{}, err
	}
	if s.primary == old {
		s.primary = fresh
		c.epoch++
		s.epoch = c.epoch
		c.promoted(s, fresh)
	} else {
		s.replicas[slices.Index(s.replicas, old)] = fresh
	}
	c.removeNode(old)
	c.topologyChanged()
	return fresh.describe(), nil
}
