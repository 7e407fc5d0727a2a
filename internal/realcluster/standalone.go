package realcluster

import (
	"context"
	"fmt"
	"net"
	"slices"
)

// Follow makes nodes replicas of primary, and returns once they are in sync with it. The cluster must be Standalone.
func (c *Cluster) Follow(ctx context.Context, primary *Node, replicas ...*Node) error {
	host, port, _ := net.SplitHostPort(primary.Server()) // which was made before
	for _, n := range replicas {
		if _, err := c.Do(ctx, n, "REPLICAOF", host, port); err != nil {
			return err
		}
	}
	return c.InSync(ctx, primary, replicas...)
}

// Promote makes a replica a primary of its own. What followed its primary goes on to.
func (c *Cluster) Promote(ctx context.Context, n *Node) error {
	_, err := c.Do(ctx, n, "REPLICAOF", "NO", "ONE")
	return err
}

// InSync returns once replicas are connected to primary and have everything that it has written, and primary knows: ROLE
// lists a replica once it has said so, which may be a second after the replica itself does, and FAILOVER refuses until then.
func (c *Cluster) InSync(ctx context.Context, primary *Node, replicas ...*Node) error {
	return Until(ctx, func() error {
		leader, err := c.ask(ctx, primary, "ROLE")
		if err != nil {
			return err
		}
		for _, n := range replicas {
			r, err := c.ask(ctx, n, "ROLE")
			if err != nil {
				return err
			}
			if r.at(0).text != "slave" || r.at(3).text != "connected" || r.at(4).text != leader.at(1).text {
				return fmt.Errorf("%s says %v, its primary %v", n, r, leader)
			}
			_, port, _ := net.SplitHostPort(n.Server())
			if !slices.ContainsFunc(leader.at(2).elems, func(known reply) bool { return known.at(1).text == port }) {
				return fmt.Errorf("the primary of %s knows only %v", n, leader)
			}
		}
		return nil
	})
}
