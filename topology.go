package keyslot

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"time"
)

// Node is one server process of the cluster as the topology describes it. It is a plain value: copy and compare it.
type Node struct {
	// ID names the node for its whole life: 40 hex digits. Empty while not known: a configuration endpoint, the target
	// of a redirect, a server older than 4.0.
	ID string
	// Host is where to dial: the endpoint the cluster prefers, or what stood in for one that was empty, NULL or
	// unknown.
	Host string
	Port int
	// Hostname and IP are what the node announces beside Host; empty when it announces none (servers older than 7.0).
	Hostname, IP string
	// AZ is the availability zone, where the topology tells (Valkey 9.1), or else the node did (see Options.AZ).
	AZ string

	seat int // counts the connections by one reader endpoint, from 1; 0: it is not by one
}

// Addr returns host:port, an IPv6 host in brackets: what net.Dial takes.
func (n Node) Addr() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// ServerName returns the name that TLS should verify: Hostname if known, since a certificate rarely carries the IP
// address that a cluster may prefer as Host; else Host.
func (n Node) ServerName() string { return cmp.Or(n.Hostname, n.Host) }

// is reports whether n and o are one node: by id where both have one, else by address. Two ids at one address are two
// nodes, the second having taken over the address of the first.
func (n *Node) is(o *Node) bool {
	if n.ID != "" && o.ID != "" {
		return n.ID == o.ID
	}
	return n.Port == o.Port && n.seat == o.seat && (n.answersTo(o.Host) || o.answersTo(n.Host))
}

// answersTo reports whether host is one of the node's names: a cluster that prefers hostnames may still redirect to an
// IP.
func (n *Node) answersTo(host string) bool {
	return host != "" && (host == n.Host || host == n.IP || host == n.Hostname)
}

// Topology is a snapshot of the slot map: who owned what when it was taken. It is the caller's own copy.
type Topology struct {
	// Standalone says that there is no cluster: cluster mode is disabled, and one primary has all keys. The nodes are the
	// names in Options then, whatever servers these lead to, and Options.Reader is listed once for each of its addresses.
	Standalone bool
	// Shards in the order of their first slot; those without slots come last.
	Shards []Shard
	// Epoch is the cluster's current epoch as the answering node told it; 0 where it does not tell (serverless).
	Epoch uint64
	// Age is the time since the answer the map is built on was asked for. Redirects applied since do not reset it.
	Age time.Duration
	// Source is the host:port of the node that gave this answer.
	Source string
	// Covered counts the slots whose primary is known, 0-16384.
	Covered int
}

// Shard is a primary and its replicas, and the slots they serve.
type Shard struct {
	// Primary is the zero Node while no usable address of it is known.
	Primary  Node
	Replicas []Node
	// Lag says of each of Replicas how old what it answers may be; -1 while that is not known. It is measured under
	// Options.MaxLag, for replicas that are read from.
	Lag []time.Duration
	// Slots in ascending order, adjacent ranges joined.
	Slots []SlotRange
}

// SlotRange is a run of slots, both ends included.
type SlotRange struct{ First, Last uint16 }

// topology copies m into its public form.
func (m *slotMap) topology(now time.Time) Topology {
	t := Topology{Standalone: m.kind == standalone, Epoch: m.epoch, Age: now.Sub(m.at), Source: m.source, Covered: m.covered}
	t.Shards = make([]Shard, len(m.shards))
	for i, s := range m.shards {
		if s.primary >= 0 {
			t.Shards[i].Primary = *m.nodes[s.primary]
		}
		for _, r := range s.replicas {
			t.Shards[i].Replicas = append(t.Shards[i].Replicas, *m.nodes[r])
		}
	}
	for slot, owner := range m.owner.all {
		if owner < 0 {
			continue
		}
		ranges := &t.Shards[owner].Slots
		if n := len(*ranges); n > 0 && (*ranges)[n-1].Last+1 == slot {
			(*ranges)[n-1].Last = slot
			continue
		}
		*ranges = append(*ranges, SlotRange{slot, slot})
	}
	slices.SortStableFunc(t.Shards, func(a, b Shard) int { return cmp.Compare(a.firstSlot(), b.firstSlot()) })
	return t
}

// describe adds to t, made of r, what the nodes tell by themselves: zones, and how far replicas are behind.
func (r *routes) describe(t *Topology, now int64) {
	byAddr := make(map[spot]*node, len(r.nodes))
	for _, n := range r.nodes {
		byAddr[n.known.Load().spot()] = n
	}
	for i := range t.Shards {
		s := &t.Shards[i]
		if n := byAddr[s.Primary.spot()]; n != nil {
			s.Primary.AZ = n.zone()
		}
		s.Lag = make([]time.Duration, len(s.Replicas))
		for j := range s.Replicas {
			s.Lag[j] = -1
			n := byAddr[s.Replicas[j].spot()]
			if n == nil {
				continue
			}
			s.Replicas[j].AZ = n.zone()
			if upTo := n.reading.upTo.Load(); upTo > 0 {
				s.Lag[j] = time.Duration(now - upTo)
			}
		}
	}
}

func (s *Shard) firstSlot() int {
	if len(s.Slots) == 0 {
		return slotCount
	}
	return int(s.Slots[0].First)
}
