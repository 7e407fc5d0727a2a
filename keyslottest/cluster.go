package keyslottest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Cluster is a running cluster. All methods are safe for concurrent use, and none blocks for longer than it takes the
// lock, except where its comment says so.
type Cluster struct {
	opts Options // immutable

	// mu makes every command and every change of the topology one step. The store behind has one lock anyway, so a
	// finer one would buy nothing, and so no command can see half a migration.
	mu sync.Mutex

	// guarded by mu
	store      *store
	nodes      []*node  // in order of creation, stopped ones included
	shards     []*shard // in order of creation
	owner      [slotCount]*shard
	migrations map[uint16]*Migration
	epoch      uint64 // the cluster's current epoch; every shard's is at most this
	waiting    waiters
	inExec     bool     // EXEC is running what was queued
	written    []string // keys written by it: nobody is served before it ends
	lastClient int64
	retired    Stats // of nodes that are gone
	closed     bool
	rangesKept []ownedRange // see ownedRanges; nil after a change
	uncovered  bool         // a slot has no owner, or a stopped one
	handlers   map[string]handler
	scripts    map[string]*lua.FunctionProto // by SHA1, of whatever node; each knows some, see node
	script     *scriptRun                    // that runs

	running sync.WaitGroup // the accept loop of every node and the goroutine of every connection
}

// shard is a primary and its replicas. Slots belong to a shard, so a failover moves none.
type shard struct {
	// guarded by Cluster.mu
	id       string
	primary  *node
	replicas []*node
	epoch    uint64
	slots    int   // how many it owns
	offset   int64 // how far replication is: rises with every write
}

// Start starts a cluster on free ports of 127.0.0.1. The caller has to Close it.
func Start(opts Options) (*Cluster, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	store, err := newStore(opts.ManualClock)
	if err != nil {
		return nil, fmt.Errorf("keyslottest: %w", err)
	}
	c := &Cluster{opts: opts, store: store, migrations: map[uint16]*Migration{}, handlers: handlers(),
		scripts: map[string]*lua.FunctionProto{}}
	c.waiting.init()
	c.mu.Lock()
	for range opts.Shards {
		if _, err = c.addShard(); err != nil {
			break
		}
	}
	for i := range c.shards {
		for slot := i * slotCount / len(c.shards); slot < (i+1)*slotCount/len(c.shards); slot++ {
			c.give(uint16(slot), c.shards[i])
		}
	}
	if err == nil {
		c.topologyChanged()
	}
	c.mu.Unlock()
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// addShard starts the nodes of a new shard without slots. mu is held.
func (c *Cluster) addShard() (*shard, error) {
	c.epoch++ // every primary starts with an epoch of its own
	s := &shard{id: newID(), epoch: c.epoch}
	for i := range 1 + c.opts.Replicas {
		n, err := c.addNode(s)
		if err != nil {
			for _, started := range s.nodes() {
				c.removeNode(started)
			}
			return nil, err
		}
		if i == 0 {
			s.primary = n
		} else {
			s.replicas = append(s.replicas, n)
		}
	}
	c.shards = append(c.shards, s)
	return s, nil
}

// nodes are the primary, first, and the replicas.
func (s *shard) nodes() []*node {
	if s.primary == nil {
		return nil
	}
	return append([]*node{s.primary}, s.replicas...)
}

// Close stops all nodes, drops all connections and waits until every goroutine of the cluster has ended. It always
// returns nil; closing twice is allowed.
func (c *Cluster) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		for _, n := range c.nodes {
			n.stop()
		}
		c.store.close()
	}
	c.mu.Unlock()
	c.running.Wait()
	return nil
}

// Endpoint is the host:port of one running node, to be given to a client as its configuration endpoint. It stays the
// same as long as that node runs and is part of the cluster. With all nodes stopped it is the address of one of them.
func (c *Cluster) Endpoint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		if n.running {
			return n.addr()
		}
	}
	return c.nodes[0].addr()
}

// AdvanceClock moves the clock of the cluster forward by d, so that keys expire; see Options.ManualClock. A
// negative d is ignored.
func (c *Cluster) AdvanceClock(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > 0 {
		c.store.advance(d)
		c.waiting.serveAll(c)
	}
}

// Node describes one node of a cluster.
type Node struct {
	ID      string // 40 hexadecimal digits
	Addr    string // host:port it listens on
	ShardID string
	Primary bool
	Running bool // false between Stop and Restart
}

// Shard describes a primary with its replicas and slots.
type Shard struct {
	ID       string
	Primary  Node
	Replicas []Node
	Slots    []SlotRange // ascending; empty for a shard without slots
	Epoch    uint64      // the config epoch with which the primary owns its slots
}

// SlotRange is the slots First to Last, both included.
type SlotRange struct{ First, Last uint16 }

// Nodes returns all nodes in order of their creation, stopped ones included.
func (c *Cluster) Nodes() []Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := make([]Node, len(c.nodes))
	for i, n := range c.nodes {
		nodes[i] = n.describe()
	}
	return nodes
}

// Shards returns all shards in order of their creation.
func (c *Cluster) Shards() []Shard {
	c.mu.Lock()
	defer c.mu.Unlock()
	shards := make([]Shard, len(c.shards))
	for i, s := range c.shards {
		shards[i] = c.describe(s)
	}
	return shards
}

// describe is what the outside may know of s. mu is held.
func (c *Cluster) describe(s *shard) Shard {
	described := Shard{ID: s.id, Primary: s.primary.describe(), Slots: c.ranges(s), Epoch: s.epoch}
	for _, r := range s.replicas {
		described.Replicas = append(described.Replicas, r.describe())
	}
	return described
}

// Owner returns the primary that owns the slot of key. Owner of a slot nobody owns is the zero Node.
func (c *Cluster) Owner(key string) Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.owner[slotOf(key)]; s != nil {
		return s.primary.describe()
	}
	return Node{}
}

// ranges are the slots of s. mu is held.
func (c *Cluster) ranges(s *shard) (ranges []SlotRange) {
	for _, r := range c.ownedRanges() {
		if r.shard == s {
			ranges = append(ranges, r.SlotRange)
		}
	}
	return ranges
}

// give makes s, or nobody, the owner of a slot; topologyChanged has to follow. mu is held.
func (c *Cluster) give(slot uint16, s *shard) {
	if old := c.owner[slot]; old != nil {
		old.slots--
		for _, n := range old.nodes() {
			n.loseChannels(func(other uint16) bool { return other == slot })
		}
	}
	if s != nil {
		s.slots++
	}
	c.owner[slot] = s
}

// node finds a node of the cluster. mu is held.
func (c *Cluster) node(id string) (*node, error) {
	if c.closed {
		return nil, errClosed
	}
	i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.id == id })
	if i < 0 {
		return nil, fmt.Errorf("keyslottest: no node %q", id)
	}
	return c.nodes[i], nil
}

// down says whether the cluster refuses all keys: by default it does as soon as one slot is without a running owner.
// mu is held.
func (c *Cluster) down() bool {
	return !c.opts.PartialCoverage && c.uncovered
}

var errClosed = errors.New("keyslottest: the cluster is closed")

func newID() string {
	var b [20]byte
	rand.Read(b[:]) // never fails: it crashes the program instead
	return hex.EncodeToString(b[:])
}
