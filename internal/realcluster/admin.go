package realcluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Primary returns the node that owns slot, as the first node that can answer tells it.
func (c *Cluster) Primary(ctx context.Context, slot int) (*Node, error) {
	owned, err := c.owned(ctx, slot)
	if err != nil {
		return nil, err
	}
	return c.byID(owned.owner)
}

// ReplicasOf returns the replicas listed with slot, by id, as the first node that can answer tells them.
func (c *Cluster) ReplicasOf(ctx context.Context, slot int) ([]*Node, error) {
	owned, err := c.owned(ctx, slot)
	if err != nil {
		return nil, err
	}
	var replicas []*Node
	for _, id := range owned.replicas {
		n, err := c.byID(id)
		if err != nil {
			return nil, err
		}
		replicas = append(replicas, n)
	}
	return replicas, nil
}

// Reshard moves the first n slots of one primary to another, key by key, and returns once the whole cluster knows. It first
// waits until the nodes agree. It is done by `redis-cli --cluster reshard`, but for the last slot, which goes by MoveSlot.
//
// Redis 7.0 may lose the last slot that redis-cli moves, at the next failover: a replica that heard of one primary's
// loss before the other's gain doubts the owner from then on (owner_not_claiming_slot in its cluster.c), until that
// owner's slots change again. Promoted, it lets the old primary have the slot back, or nobody.
func (c *Cluster) Reshard(ctx context.Context, from, to *Node, n int) error {
	if err := c.WaitHealthy(ctx); err != nil {
		return err
	}
	owners, err := c.Owners(ctx)
	if err != nil {
		return err
	}
	var moved []int
	for slot, owner := range owners {
		if owner == from && len(moved) < n {
			moved = append(moved, slot)
		}
	}
	if len(moved) < n || n < 1 {
		return fmt.Errorf("moving %d slots from %s, which has %d", n, from, len(moved))
	}
	if err := c.reshard(ctx, from, to, moved[:n-1]); err != nil {
		return err
	}
	if err := c.MoveSlot(ctx, moved[n-1], from, to, 0); err != nil {
		return err
	}
	return c.WaitHealthy(ctx)
}

// reshard is redis-cli's, of the first slots of a primary, and returns once the whole cluster knows. Where it stopped
// because Valkey's replicas had not heard of a step in time, the slot that it left open is moved by MoveSlot, and it
// goes on: its own "fix" knows no slot that a replica alone is to import.
func (c *Cluster) reshard(ctx context.Context, from, to *Node, slots []int) error {
	for len(slots) > 0 {
		out, err := c.cli(ctx, "reshard", to.Addr(), "--cluster-from", from.id, "--cluster-to", to.id,
			"--cluster-slots", strconv.Itoa(len(slots)), "--cluster-yes")
		switch {
		case err == nil:
			return c.WaitHealthy(ctx)
		case !strings.Contains(out, refusesLate):
			const tail = 2000
			return fmt.Errorf("moving %d slots from %s to %s: %w\n%s", len(slots), from, to, err, out[max(0, len(out)-tail):])
		}
		owners, err := c.Owners(ctx)
		if err != nil {
			return err
		}
		slots = slices.DeleteFunc(slots, func(slot int) bool { return owners[slot] != from })
		if len(slots) > 0 {
			if err := c.MoveSlot(ctx, slots[0], from, to, 0); err != nil {
				return err
			}
			slots = slots[1:]
		}
		if err := c.WaitHealthy(ctx); err != nil {
			return err
		}
	}
	return nil
}

// cli runs a command of redis-cli's cluster manager, and returns what it prints.
func (c *Cluster) cli(ctx context.Context, args ...string) (out string, err error) {
	args = append([]string{"--cluster"}, args...)
	if c.tls != nil {
		args = append(args, "--tls", "--cacert", c.tls.ca)
	}
	if c.secured() {
		args = append(args, "--user", adminUser)
	}
	cmd := c.Engine.Command(ctx, c.Engine.CLI, args...)
	if c.secured() {
		// Unlike a flag, the environment is not in the process list.
		cmd.Env = append(cmd.Env, "REDISCLI_AUTH="+c.adminPassword)
	}
	printed, err := cmd.CombinedOutput()
	return string(printed), err
}

// failoverPatience is how long a server itself tries a manual failover before it forgets about it without a word.
const failoverPatience = 5 * time.Second

// Failover makes replica the primary of its shard without losing a write (CLUSTER FAILOVER), and returns once the whole
// cluster knows. It first waits for the end of four node timeouts from the replica's last election.
func (c *Cluster) Failover(ctx context.Context, replica *Node) error {
	for {
		if err := Wait(ctx, time.Until(replica.elected().Add(4*c.opts.NodeTimeout))); err != nil {
			return err
		}
		if _, err := c.Do(ctx, replica, "CLUSTER", "FAILOVER"); err != nil {
			return err
		}
		attempt, cancel := context.WithTimeout(ctx, failoverPatience)
		err := c.WaitRole(attempt, replica, "primary")
		cancel()
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err := c.WaitHealthy(ctx); err != nil {
			return err
		}
		// It is a replica again by now where the votes of an election that nobody has waited for were counted: see elected.
		if role, err := replica.Role(ctx); err != nil || role == "primary" {
			return err
		}
	}
}

// WaitRole blocks until n says that its role is role, "primary" or "replica". Failover counts from when it was a primary.
func (c *Cluster) WaitRole(ctx context.Context, n *Node, role string) error {
	err := Until(ctx, func() error {
		now, err := n.Role(ctx)
		if err == nil && now != role {
			err = fmt.Errorf("%s is a %s, not a %s", n, now, role)
		}
		return err
	})
	if err == nil && role == "primary" {
		n.noteElected()
	}
	return err
}

// AddPrimary starts one more node and lets it join as a primary without slots; Reshard gives it some.
func (c *Cluster) AddPrimary(ctx context.Context) (*Node, error) {
	n, err := c.launchNode(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.join(ctx, n); err != nil {
		return nil, err
	}
	return n, c.WaitHealthy(ctx)
}

// AddReplica starts one more node as a replica of primary, and returns once it is in sync and listed everywhere.
func (c *Cluster) AddReplica(ctx context.Context, primary *Node) (*Node, error) {
	n, err := c.launchNode(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.join(ctx, n); err != nil {
		return nil, err
	}
	if err := c.replicate(ctx, n, primary); err != nil {
		return nil, err
	}
	return n, c.WaitHealthy(ctx)
}

// Remove ends n, if it still runs, and makes all others forget it, as `redis-cli --cluster del-node` does. It refuses
// to remove a primary that owns slots: their keys would be lost, and the slots uncovered.
func (c *Cluster) Remove(ctx context.Context, n *Node) error {
	others := slices.DeleteFunc(c.Live(), func(other *Node) bool { return other == n })
	view, err := c.anyView(ctx, others)
	if err != nil {
		return err
	}
	for _, owned := range view.owners {
		if owned.owner == n.id {
			return fmt.Errorf("%s still owns slots %d-%d", n, owned.first, owned.last)
		}
	}
	if err := n.Shutdown(); err != nil {
		return err
	}
	n.retire()
	err = each(others, func(_ int, other *Node) error { return c.forgetNode(ctx, other, n) })
	if err != nil {
		return err
	}
	return c.WaitHealthy(ctx)
}

// forgetNode makes other forget n. A replica refuses to forget its primary, until gossip has told it that its slots,
// and with them the shard, have gone to another.
func (c *Cluster) forgetNode(ctx context.Context, other, n *Node) error {
	return Until(ctx, func() error {
		_, err := c.Do(ctx, other, "CLUSTER", "FORGET", n.id)
		if isUnknownNode(err) {
			return nil // newer servers pass a FORGET on
		}
		return err
	})
}

// Replace puts a new node at a new address in the place of n, as a managed service replaces a machine: the new node
// syncs as a replica of the shard, takes over by a planned failover if n is a primary, and n is removed.
func (c *Cluster) Replace(ctx context.Context, n *Node) (*Node, error) {
	primary, err := c.primaryOf(ctx, n)
	if err != nil {
		return nil, err
	}
	successor, err := c.AddReplica(ctx, primary)
	if err != nil {
		return nil, err
	}
	if primary == n {
		if err := c.Failover(ctx, successor); err != nil {
			return nil, err
		}
	}
	return successor, c.Remove(ctx, n)
}

// primaryOf returns the primary of n's shard, which is n itself where n is not listed as a replica.
func (c *Cluster) primaryOf(ctx context.Context, n *Node) (*Node, error) {
	view, err := c.anyView(ctx, c.Live())
	if err != nil {
		return nil, err
	}
	for _, owned := range view.owners {
		if slices.Contains(owned.replicas, n.id) {
			return c.byID(owned.owner)
		}
	}
	return n, nil
}

// owned returns the range of slot.
func (c *Cluster) owned(ctx context.Context, slot int) (ownedRange, error) {
	view, err := c.anyView(ctx, c.Live())
	if err != nil {
		return ownedRange{}, err
	}
	return view.at(slot)
}

// anyView returns the slot map of the first of nodes that answers.
func (c *Cluster) anyView(ctx context.Context, nodes []*Node) (slotView, error) {
	errs := errors.New("no node tells its slots")
	for _, n := range nodes {
		view, err := c.view(ctx, n)
		if err == nil {
			return view, nil
		}
		errs = errors.Join(errs, err)
	}
	return slotView{}, errs
}

func (c *Cluster) byID(id string) (*Node, error) {
	for _, n := range c.Nodes() {
		if n.id == id {
			return n, nil
		}
	}
	return nil, fmt.Errorf("node id %s is none of ours", id)
}

func isUnknownNode(err error) bool {
	var refused ServerError
	return errors.As(err, &refused) && strings.HasPrefix(string(refused), "ERR Unknown node")
}
