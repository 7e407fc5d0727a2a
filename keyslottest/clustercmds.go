package keyslottest

import (
	"fmt"
	"strconv"
	"strings"
)

func clusterHandlers() map[string]handler {
	counted := func(h handler) handler {
		return func(cn *conn, args []string) {
			cn.node.counters.ClusterSlots++
			h(cn, args)
		}
	}
	return map[string]handler{
		"SLOTS": counted(clusterSlots), "SHARDS": counted(clusterShards), "NODES": counted(clusterNodes),
		"INFO": clusterInfo, "KEYSLOT": clusterKeySlot,
		"MYID":            func(cn *conn, _ []string) { cn.out.bulk(cn.node.id) },
		"COUNTKEYSINSLOT": clusterCountKeys, "GETKEYSINSLOT": clusterGetKeys,
	}
}

func clusterKeySlot(cn *conn, args []string) { cn.out.int(int64(slotOf(args[2]))) }

func clusterCountKeys(cn *conn, args []string) {
	slot, err := strconv.ParseInt(args[2], 10, 64)
	switch {
	case err != nil:
		cn.out.error(errNoInteger)
	case slot < 0 || slot >= slotCount:
		cn.out.error("ERR Invalid slot")
	default:
		cn.out.int(int64(len(cn.cluster.keysIn(cn.node, uint16(slot)))))
	}
}

func clusterGetKeys(cn *conn, args []string) {
	slot, err := strconv.ParseInt(args[2], 10, 64)
	count, err2 := strconv.ParseInt(args[3], 10, 64)
	switch {
	case err != nil || err2 != nil:
		cn.out.error(errNoInteger)
	case slot < 0 || slot >= slotCount || count < 0:
		cn.out.error("ERR Invalid slot or number of keys")
	default:
		keys := cn.cluster.keysIn(cn.node, uint16(slot))
		cn.out.bulks(keys[:min(int(count), len(keys))])
	}
}

// clusterSlots answers with the primary first in every range, even a stopped one; stopped replicas are left out.
//
//	*N  *k  :first :last  [host port id metadata]  [replica] ...
func clusterSlots(cn *conn, _ []string) {
	out, c := &cn.out, cn.cluster
	ranges := c.ownedRanges()
	out.array(len(ranges))
	for _, r := range ranges {
		replicas := r.shard.runningReplicas()
		out.array(3 + len(replicas))
		out.int(int64(r.First))
		out.int(int64(r.Last))
		for _, n := range append([]*node{r.shard.primary}, replicas...) {
			out.array(4)
			c.announcedHost(out)
			out.int(int64(n.port))
			out.bulk(n.id)
			c.announcedExtra(out)
		}
	}
}

func (c *Cluster) announcedHost(out *replies) {
	if c.opts.Announce == AnnounceUnknown {
		out.null()
		return
	}
	out.bulk(c.opts.host())
}

func (c *Cluster) announcedExtra(out *replies) {
	switch c.opts.Announce {
	case AnnounceHostname, AnnounceNoHostname, AnnounceUnknown:
		out.mapOf(1)
		out.bulk("ip")
		out.bulk(loopbackIP)
	default:
		out.mapOf(0)
	}
}

// ownedRange is a run of slots with one owner.
type ownedRange struct {
	SlotRange
	shard *shard
}

// ownedRanges are all slots with an owner, ascending. The map changes far less often than it is asked for, so it is
// kept. mu is held.
func (c *Cluster) ownedRanges() []ownedRange {
	if c.rangesKept != nil {
		return c.rangesKept
	}
	c.rangesKept = []ownedRange{}
	for slot := 0; slot < slotCount; slot++ {
		s, first := c.owner[slot], slot
		if s == nil {
			continue
		}
		for slot+1 < slotCount && c.owner[slot+1] == s {
			slot++
		}
		c.rangesKept = append(c.rangesKept, ownedRange{SlotRange{uint16(first), uint16(slot)}, s})
	}
	return c.rangesKept
}

func clusterShards(cn *conn, _ []string) {
	out, c := &cn.out, cn.cluster
	out.array(len(c.shards))
	for _, s := range c.shards {
		out.mapOf(2)
		out.bulk("slots")
		ranges := c.ranges(s)
		out.array(2 * len(ranges))
		for _, r := range ranges {
			out.int(int64(r.First))
			out.int(int64(r.Last))
		}
		out.bulk("nodes")
		out.array(1 + len(s.replicas))
		for _, n := range s.nodes() {
			c.shardNode(out, n)
		}
	}
}

func (c *Cluster) shardNode(out *replies, n *node) {
	role, health, port := "master", "online", "port"
	if !n.isPrimary() {
		role = "replica"
	}
	if !n.running {
		health = "fail"
	}
	if c.opts.TLS != nil {
		port = "tls-port"
	}
	fields := 7
	if c.opts.Announce == AnnounceHostname {
		fields++
	}
	out.mapOf(fields)
	out.bulk("id")
	out.bulk(n.id)
	out.bulk(port)
	out.int(int64(n.port))
	out.bulk("ip")
	out.bulk(loopbackIP)
	out.bulk("endpoint")
	out.bulk(c.opts.host())
	if c.opts.Announce == AnnounceHostname {
		out.bulk("hostname")
		out.bulk(c.opts.Hostname)
	}
	out.bulk("role")
	out.bulk(role)
	out.bulk("replication-offset")
	out.int(n.shard.offset)
	out.bulk("health")
	out.bulk(health)
}

// clusterNodes answers one line for each node, with the slots in motion on the asked node's own:
//
//	<id> <ip>:<port>@<bus port>[,<hostname>] <flags> <primary|-> <ping> <pong> <epoch> <link> <slots> [<slot>->-<id>] ...
func clusterNodes(cn *conn, _ []string) {
	c := cn.cluster
	var b strings.Builder
	for _, n := range c.nodes {
		flags, primary, link, name := "master", "-", "connected", ""
		if !n.isPrimary() {
			flags, primary = "slave", n.shard.primary.id
		}
		if n == cn.node {
			flags = "myself," + flags
		}
		if !n.running {
			flags, link = flags+",fail", "disconnected"
		}
		if c.opts.Announce == AnnounceHostname {
			name = "," + c.opts.Hostname
		}
		fmt.Fprintf(&b, "%s %s@%d%s %s %s 0 0 %d %s", n.id, n.addr(), busPort(n.port), name, flags, primary, n.shard.epoch, link)
		if n.isPrimary() {
			c.writeSlots(&b, n, cn.node)
		}
		b.WriteByte('\n')
	}
	cn.out.text(b.String())
}

func (c *Cluster) writeSlots(b *strings.Builder, n, myself *node) {
	for _, r := range c.ranges(n.shard) {
		fmt.Fprintf(b, " %d", r.First)
		if r.Last != r.First {
			fmt.Fprintf(b, "-%d", r.Last)
		}
	}
	if n != myself || len(c.migrations) == 0 {
		return
	}
	for slot := range uint16(slotCount) {
		switch m := c.migrations[slot]; {
		case m == nil:
		case m.from == n.shard:
			fmt.Fprintf(b, " [%d->-%s]", slot, m.to.primary.id)
		case m.to == n.shard:
			fmt.Fprintf(b, " [%d-<-%s]", slot, m.from.primary.id)
		}
	}
}

func clusterInfo(cn *conn, _ []string) {
	c, state, assigned, failed, size := cn.cluster, "ok", 0, 0, 0
	if c.down() {
		state = "fail"
	}
	for _, s := range c.shards {
		assigned += s.slots
		if s.slots > 0 {
			size++
		}
		if !s.primary.running {
			failed += s.slots
		}
	}
	cn.out.text(fmt.Sprintf("cluster_state:%s\r\ncluster_slots_assigned:%d\r\ncluster_slots_ok:%d\r\ncluster_slots_pfail:0\r\n"+
		"cluster_slots_fail:%d\r\ncluster_known_nodes:%d\r\ncluster_size:%d\r\ncluster_current_epoch:%d\r\ncluster_my_epoch:%d\r\n",
		state, assigned, assigned-failed, failed, len(c.nodes), size, c.epoch, cn.node.shard.epoch))
}

// busPort is where a node would talk to the others: the server's rule, bent to stay inside the legal range.
func busPort(port int) int {
	if port > 55535 {
		return port - 10000
	}
	return port + 10000
}
