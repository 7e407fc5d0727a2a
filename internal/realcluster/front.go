package realcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Front puts something in front of node i, whose process listens at server (host:port), and returns the host:port at
// which it stands. The node announces that: clients learn it, redirects name it, and replication, MIGRATE and redis-cli
// use it. Its host must be 127.0.0.1 or, on Linux, up to 127.0.0.15, which are hosts of their own there. With
// Options.Hostname nodes announce their name, with the port of the front.
//
// The harness itself (Dial, Do and what waits by them) never goes through a front.
type Front func(i int, server string) (addr string, err error)

// frontHosts are the addresses that a front may have. A node's bus is where its front's address is, so servers listen
// on all of them, and they listen on 16 at most.
func frontHosts() []netip.Addr {
	var hosts []netip.Addr
	for n := byte(1); n <= 15; n++ {
		hosts = append(hosts, netip.AddrFrom4([4]byte{127, 0, 0, n}))
	}
	return hosts
}

// frontConfig returns the lines about where n listens and what it announces.
func (c *Cluster) frontConfig(n *Node) []string {
	if c.opts.Front == nil {
		lines := []string{"bind " + n.host}
		if c.opts.Listen != nil && !c.opts.Standalone { // peers see 127.0.0.1, from where all of them connect
			lines = append(lines, "cluster-announce-ip "+n.host)
		}
		return lines
	}
	bind := "bind"
	for _, host := range frontHosts() {
		bind += " -" + host.String() // the dash: unless the system does not have it
	}
	lines := []string{bind}
	settings := c.announcement(n)
	for i := 0; i < len(settings); i += 2 {
		lines = append(lines, settings[i]+" "+settings[i+1])
	}
	return lines
}

// announcement returns the settings, names and values by turns, that make n announce its front.
func (c *Cluster) announcement(n *Node) []string {
	host, port, _ := net.SplitHostPort(n.Addr()) // moveBehind has looked at it
	announcePort := "cluster-announce-port"
	if c.tls != nil {
		announcePort = "cluster-announce-tls-port"
	}
	return []string{"cluster-announce-ip", host, announcePort, port}
}

// moveBehind asks for a front, without telling the server.
func (n *Node) moveBehind(front Front) error {
	addr, err := front(n.index, n.server)
	if err != nil {
		return fmt.Errorf("front of node %d: %w", n.index, err)
	}
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("front of node %d: %w", n.index, err)
	}
	if hosts := frontHosts(); !slices.Contains(hosts, at.Addr()) {
		return fmt.Errorf("front of node %d at %s: not one of %s", n.index, addr, hosts)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr = addr
	return nil
}

// MoveFronts gives every node another front at once, as a service replaces all addresses behind one name: the servers
// and their data stay. It returns once all nodes tell the new addresses, and only those. A node that is down announces
// its new one when it is restarted. The cluster must have begun with Options.Front, and no node may be frozen. The old
// fronts stay until the caller ends them, and replicas connect anew through the new ones.
func (c *Cluster) MoveFronts(ctx context.Context, front Front) error {
	if c.opts.Front == nil {
		return errors.New("the cluster was started without fronts")
	}
	nodes := c.present()
	for _, n := range nodes {
		if n.running() && !n.live() {
			return fmt.Errorf("%s is frozen", n)
		}
	}
	for _, n := range nodes {
		if err := n.moveBehind(front); err != nil {
			return err
		}
	}
	err := each(c.Live(), func(_ int, n *Node) error {
		_, err := c.Do(ctx, n, append([]string{"CONFIG", "SET"}, c.announcement(n)...)...)
		return err
	})
	if err != nil {
		return err
	}
	return c.WaitHealthy(ctx)
}

// toldBehindFronts returns an error where view tells another address of a node than that of its front.
func (c *Cluster) toldBehindFronts(nodes []*Node, view slotView) error {
	if c.opts.Front == nil {
		return nil
	}
	for _, n := range nodes {
		want := n.Addr()
		if c.opts.Hostname != nil {
			host, port, _ := net.SplitHostPort(want)
			want = net.JoinHostPort(c.opts.Hostname(n.index), port) + " ip " + host
		}
		if told := view.nodes[n.id]; told != "" && told != want {
			return fmt.Errorf("%s is told to be at %s, not %s", n, told, want)
		}
	}
	return nil
}

// present returns the nodes that were not removed.
func (c *Cluster) present() []*Node {
	var present []*Node
	for _, n := range c.Nodes() {
		if !n.retired() {
			present = append(present, n)
		}
	}
	return present
}

// retire marks n as removed from the cluster.
func (n *Node) retire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.removed = true
}

func (n *Node) retired() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.removed
}
