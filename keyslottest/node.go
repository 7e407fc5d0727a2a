package keyslottest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/loopback"
)

// node is one front: a listener that speaks for one member of the cluster.
type node struct {
	cluster *Cluster // immutable
	id      string   // immutable
	port    int      // immutable; a restarted node listens where it did

	// guarded by Cluster.mu
	shard    *shard
	running  bool
	listener *loopback.Listener
	conns    map[*conn]struct{}
	faults   []*activeFault
	subscribers
	scripts  map[string]bool // by SHA1: what the process has in its script cache
	counters Stats           // the counts of ended steps; Conns and Subscribers are computed

	faulty atomic.Bool // whether faults is not empty: spares the common case a second lock
}

// Stats counts what happened since a node was created.
type Stats struct {
	Commands     uint64 // commands run or refused
	Moved        uint64 // MOVED redirects sent
	Ask          uint64 // ASK redirects sent
	ClusterSlots uint64 // CLUSTER SLOTS, SHARDS and NODES answered
	Accepted     uint64 // connections accepted
	Messages     uint64 // messages sent to subscribers
	Conns        int    // connections open now
	Subscribers  int    // those of them that are subscribed to something
}

func (s *Stats) add(t Stats) {
	s.Commands += t.Commands
	s.Moved += t.Moved
	s.Ask += t.Ask
	s.ClusterSlots += t.ClusterSlots
	s.Accepted += t.Accepted
	s.Messages += t.Messages
	s.Conns += t.Conns
	s.Subscribers += t.Subscribers
}

// Stats returns the counts of one node, or with an empty id those of all nodes there ever were. An unknown node
// has zero counts.
func (c *Cluster) Stats(nodeID string) (total Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if nodeID == "" {
		total = c.retired
	}
	for _, n := range c.nodes {
		if nodeID == "" || nodeID == n.id {
			total.add(n.stats())
		}
	}
	return total
}

func (n *node) stats() Stats {
	s := n.counters
	s.Conns = len(n.conns)
	for cn := range n.conns {
		if cn.subscribed.any() {
			s.Subscribers++
		}
	}
	return s
}

// addNode starts a node of s. mu is held.
func (c *Cluster) addNode(s *shard) (*node, error) {
	n := &node{cluster: c, id: newID(), shard: s, conns: map[*conn]struct{}{}}
	if err := n.listen(); err != nil {
		return nil, err
	}
	c.nodes = append(c.nodes, n)
	return n, nil
}

// listen makes the node accept connections. mu is held.
func (n *node) listen() error {
	l, err := loopback.Listen(n.addr())
	if err != nil {
		return fmt.Errorf("keyslottest: starting a node: %w", err)
	}
	n.port = l.Addr().(*net.TCPAddr).Port
	n.listener, n.running = l, true
	n.scripts = map[string]bool{}                // a new process has none
	n.cluster.running.Go(func() { n.accept(l) }) // ends when stop closes the listener
	return nil
}

func (n *node) accept(l *loopback.Listener) {
	for {
		tcp, err := l.Accept()
		switch {
		case err == nil:
			n.welcome(tcp, l)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(5 * time.Millisecond) // most likely out of file descriptors, which may pass
		}
	}
}

func (n *node) welcome(tcp net.Conn, l *loopback.Listener) {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	if n.listener != l { // stopped, perhaps started again, since the connection was accepted
		tcp.Close()
		return
	}
	n.counters.Accepted++
	n.cluster.lastClient++
	cn := newConn(n, tcp, n.cluster.lastClient)
	if n.cluster.opts.TLS != nil {
		cn.nc = tls.Server(tcp, n.cluster.opts.TLS)
	}
	n.conns[cn] = struct{}{}
	n.cluster.running.Go(cn.serve) // ends when the client or stop closes the connection
}

// stop closes the listener and all connections, as the death of the process does. mu is held.
func (n *node) stop() {
	if !n.running {
		return
	}
	n.running = false
	n.listener.Close()
	n.listener = nil
	for cn := range n.conns {
		cn.kill()
		cn.leaveAll()
	}
}

// isPrimary says whether n is the primary of its shard. Cluster.mu is held.
func (n *node) isPrimary() bool { return n.shard.primary == n }

func (n *node) addr() string { return fmt.Sprintf("%s:%d", loopbackIP, n.port) }

func (n *node) describe() Node {
	return Node{ID: n.id, Addr: n.addr(), ShardID: n.shard.id, Primary: n.isPrimary(), Running: n.running}
}
