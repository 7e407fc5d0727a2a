package realcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const slots = 16384

// start launches the nodes and makes them a cluster. `redis-cli --cluster create` does the same, but asks for 6 s or more.
func (c *Cluster) start(ctx context.Context) error {
	if c.opts.TLS {
		files, err := newTLSFiles(c.dir)
		if err != nil {
			return err
		}
		c.tls = files
	}
	for range c.opts.Primaries * (1 + c.opts.Replicas) {
		if _, err := c.launchNode(ctx); err != nil {
			return err
		}
	}
	nodes := c.Nodes()
	if c.opts.Standalone {
		return c.Follow(ctx, nodes[0], nodes[1:]...)
	}
	primaries, replicas := nodes[:c.opts.Primaries], nodes[c.opts.Primaries:]
	for i, n := range primaries {
		first, last := slots*i/len(primaries), slots*(i+1)/len(primaries)-1
		if _, err := c.Do(ctx, n, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last)); err != nil {
			return err
		}
	}
	for i, n := range nodes {
		// A node takes an epoch only while it is alone and has none; distinct ones spare the cluster a collision to settle.
		if _, err := c.Do(ctx, n, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
		if err := c.meet(ctx, n, nodes[:i]); err != nil {
			return err
		}
	}
	if err := c.acquaint(ctx, nodes); err != nil {
		return err
	}
	err := each(replicas, func(i int, n *Node) error { return c.replicate(ctx, n, primaries[i/c.opts.Replicas]) })
	if err != nil {
		return err
	}
	return c.WaitHealthy(ctx)
}

// join introduces n to all nodes that can answer, and waits until they know each other.
func (c *Cluster) join(ctx context.Context, n *Node) error {
	others := slices.DeleteFunc(c.Live(), func(other *Node) bool { return other == n })
	if err := c.meet(ctx, n, others); err != nil {
		return err
	}
	return c.acquaint(ctx, append(others, n))
}

// acquaint waits until all nodes know each other. A handshake that takes longer than the node timeout, as on a busy
// machine, can be forgotten by one side alone, so whoever still lacks a node after that time is introduced to it.
func (c *Cluster) acquaint(ctx context.Context, nodes []*Node) error {
	return each(nodes, func(_ int, n *Node) error {
		introduced := time.Now()
		return Until(ctx, func() error {
			known, err := c.Do(ctx, n, "CLUSTER", "NODES")
			if err != nil {
				return err
			}
			lacking := slices.DeleteFunc(slices.Clone(nodes), func(other *Node) bool {
				return strings.Contains("\n"+known, "\n"+other.id)
			})
			if len(lacking) == 0 {
				return nil
			}
			err = fmt.Errorf("%s does not know %v", n, lacking)
			if time.Since(introduced) > c.opts.NodeTimeout {
				introduced = time.Now()
				err = errors.Join(err, c.meet(ctx, n, lacking))
			}
			return err
		})
	})
}

// meet introduces n to all others: gossip would get the word around, but only after seconds.
func (c *Cluster) meet(ctx context.Context, n *Node, others []*Node) error {
	return each(others, func(_ int, other *Node) error {
		host, port, err := net.SplitHostPort(other.Addr())
		if err == nil {
			_, err = c.Do(ctx, n, "CLUSTER", "MEET", host, port, other.busPort)
		}
		return err
	})
}

// replicate makes n a replica, as soon as it has heard of the primary.
func (c *Cluster) replicate(ctx context.Context, n, primary *Node) error {
	return Until(ctx, func() error {
		_, err := c.Do(ctx, n, "CLUSTER", "REPLICATE", primary.id)
		return err
	})
}

// each runs do for all nodes at the same time and waits for all of them.
func each(nodes []*Node, do func(i int, n *Node) error) error {
	errs := make([]error, len(nodes))
	var running sync.WaitGroup
	for i, n := range nodes {
		// Ends with do, which the caller's ctx bounds.
		running.Go(func() { errs[i] = do(i, n) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// WaitHealthy blocks until all nodes that can answer agree: the state is ok, they tell the same slot owners and
// replicas in CLUSTER SLOTS, every node told is up and, with Options.Front, at the address that its front has, and
// every replica is told and in sync. At the end of ctx its error says what was still missing.
func (c *Cluster) WaitHealthy(ctx context.Context) error {
	return Until(ctx, func() error { return c.healthy(ctx) })
}

func (c *Cluster) healthy(ctx context.Context) error {
	live := c.Live()
	views := make([]slotView, len(live))
	err := each(live, func(i int, n *Node) (err error) {
		if err := c.stateOK(ctx, n); err != nil {
			return err
		}
		views[i], err = c.view(ctx, n)
		return err
	})
	if err != nil {
		return err
	}
	up := map[string]bool{}
	for i, n := range live {
		up[n.id] = true
		if views[i].text != views[0].text {
			return fmt.Errorf("%s and %s tell different slots:\n%s\n%s", live[0], n, views[0].text, views[i].text)
		}
	}
	for id := range views[0].nodes {
		if !up[id] {
			return fmt.Errorf("CLUSTER SLOTS still lists %s, which is not up", id)
		}
	}
	if err := c.toldBehindFronts(live, views[0]); err != nil {
		return err
	}
	return each(live, func(_ int, n *Node) error { return c.inSync(ctx, n, views[0]) })
}

// inSync returns why a replica is not yet usable.
func (c *Cluster) inSync(ctx context.Context, n *Node, view slotView) error {
	role, err := c.ask(ctx, n, "ROLE")
	if err != nil || role.at(0).text != "slave" {
		return err
	}
	// 1) slave 2) host 3) port 4) connected, sync, connecting ... 5) offset
	if link := role.at(3).text; link != "connected" {
		return fmt.Errorf("%s is a replica whose link is %q", n, link)
	}
	if view.nodes[n.id] == "" {
		return fmt.Errorf("%s is a replica that CLUSTER SLOTS does not list", n)
	}
	return nil
}

// slotView is what one node tells about the cluster.
type slotView struct {
	text   string            // canonical: equal for nodes that agree
	nodes  map[string]string // ids told, with their addresses as endpointOf reads them
	owners []ownedRange
}

type ownedRange struct {
	first, last int
	owner       string // id
	replicas    []string
}

// at returns the range of slot.
func (v slotView) at(slot int) (ownedRange, error) {
	for _, owned := range v.owners {
		if owned.first <= slot && slot <= owned.last {
			return owned, nil
		}
	}
	return ownedRange{}, fmt.Errorf("slot %d has no owner", slot)
}

func (c *Cluster) stateOK(ctx context.Context, n *Node) error {
	info, err := c.Do(ctx, n, "CLUSTER", "INFO")
	if err == nil && !strings.Contains(info, "cluster_state:ok") {
		err = fmt.Errorf("%s says %s", n, strings.ReplaceAll(info, "\r\n", " "))
	}
	return err
}

// view asks n for its slot map.
func (c *Cluster) view(ctx context.Context, n *Node) (slotView, error) {
	n.views.Add(1)
	r, err := c.ask(ctx, n, "CLUSTER", "SLOTS")
	if err != nil {
		return slotView{}, err
	}
	return readSlotView(r)
}

// readSlotView reads CLUSTER SLOTS: *[ first last [endpoint port id [metadata ...]] [endpoint port id ...] ... ]*
func readSlotView(r reply) (slotView, error) {
	view := slotView{nodes: map[string]string{}}
	var lines []string
	for _, entry := range r.elems {
		if len(entry.elems) < 3 {
			return slotView{}, fmt.Errorf("CLUSTER SLOTS entry of %d elements", len(entry.elems))
		}
		first, errFirst := strconv.Atoi(entry.at(0).text)
		last, errLast := strconv.Atoi(entry.at(1).text)
		if err := errors.Join(errFirst, errLast); err != nil {
			return slotView{}, err
		}
		owned := ownedRange{first: first, last: last, owner: entry.at(2, 2).text}
		// Endpoints are compared too: an announced name reaches the others later than the slots do.
		var told []string
		for i, n := range entry.elems[2:] {
			id := n.at(2).text
			if i > 0 {
				owned.replicas = append(owned.replicas, id)
			}
			view.nodes[id] = endpointOf(n)
			told = append(told, id+"@"+view.nodes[id])
		}
		sort.Strings(owned.replicas)
		sort.Strings(told[1:]) // nodes list replicas in orders of their own
		lines = append(lines, fmt.Sprintf("%05d-%05d %v", first, last, told))
		view.owners = append(view.owners, owned)
	}
	sort.Strings(lines)
	view.text = strings.Join(lines, "\n")
	return view, nil
}

// endpointOf reads where a node of CLUSTER SLOTS is: "127.0.0.1:7001", or with a name preferred to the address
// "node-1.keyslot.test:7001 ip 127.0.0.1".
func endpointOf(node reply) string {
	told := append([]string{net.JoinHostPort(node.at(0).text, node.at(1).text)}, strings.Fields(node.at(3).String())...)
	return strings.Join(told, " ")
}
