package fakenode

import (
	"context"
	"crypto/sha1" //nolint:gosec // node ids have its length
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Hello is the reply to HELLO 3 of a node in cluster mode.
const Hello = "%3\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"

// Net is a network of scripted nodes, and what they say of their cluster. Its methods are safe for concurrent use.
type Net struct {
	mu sync.Mutex
	// guarded by mu
	nodes  map[string]*Node
	holes  map[string]bool
	epoch  int
	shards []Shard
}

// Shard is a range of slots and the addresses of the nodes that serve it, the primary first.
type Shard struct {
	First, Last int
	Nodes       []string
}

// New returns a network without nodes.
func New() *Net { return &Net{nodes: map[string]*Node{}, holes: map[string]bool{}} }

// Node adds a node at an address (host:port). The node that was there, if any, must have been closed.
func (n *Net) Node(addr string) *Node {
	node := &Node{
		id: fmt.Sprintf("%x", sha1.Sum([]byte(addr))), addr: addr, net: n, //nolint:gosec // see above
		stop: make(chan struct{}), script: map[string][]Reaction{}, reading: make(chan struct{}), cutAfter: -1,
	}
	close(node.reading)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes[addr] = node
	return node
}

// Topology is what every node answers to CLUSTER SLOTS and CLUSTER INFO from now on.
func (n *Net) Topology(epoch int, shards ...Shard) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.epoch, n.shards = epoch, shards
}

// BlackHole makes an address swallow dials: they hang until their context ends.
func (n *Net) BlackHole(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.holes[addr] = true
}

// Close closes all nodes.
func (n *Net) Close() {
	n.mu.Lock()
	nodes := n.nodes
	n.nodes = map[string]*Node{}
	n.mu.Unlock()
	for _, node := range nodes {
		node.Close()
	}
}

// Dial connects to the node at addr, in memory; it has the form of net.Dialer.DialContext. Where there is no node the
// connection is refused.
func (n *Net) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	node, hole := n.nodes[addr], n.holes[addr]
	n.mu.Unlock()
	if hole {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	refused := &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	if node == nil {
		return nil, refused
	}
	client, server := pipe(address("client"), address(addr))
	if !node.accept(server) {
		return nil, refused
	}
	return client, nil
}

// address is the net.Addr of an end of a pipe.
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// answer is the reply of a node that was not told otherwise.
func (n *Net) answer(node *Node, r Request) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch r.Name() {
	case "HELLO":
		return Hello
	case "PING", "ECHO":
		if len(r.Args) == 2 {
			return string(resp.AppendBulk(nil, r.Args[1]))
		}
		if r.Name() == "PING" {
			return "+PONG\r\n"
		}
	case "AUTH", "ASKING", "READONLY", "CLIENT SETINFO", "CLIENT SETNAME":
		return "+OK\r\n"
	case "CLUSTER MYID":
		return string(resp.AppendBulk(nil, node.id))
	case "CLUSTER INFO":
		return string(resp.AppendBulk(nil, fmt.Sprintf("cluster_state:ok\r\ncluster_current_epoch:%d\r\ncluster_my_epoch:%d\r\n", n.epoch, n.epoch)))
	case "CLUSTER SLOTS":
		return Slots(n.shards...)
	case "ROLE":
		return n.role(node)
	}
	return "-ERR unknown command\r\n"
}

// Connected is the reply to ROLE of a replica that has its primary's data.
const Connected = "*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:6379\r\n$9\r\nconnected\r\n:7\r\n"

// role is the reply to ROLE: by the topology, in which nobody is behind. mu is held.
func (n *Net) role(node *Node) string {
	for _, s := range n.shards {
		if slices.Contains(s.Nodes[1:], node.addr) {
			return Connected
		}
	}
	return "*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n"
}

// Slots is the reply to CLUSTER SLOTS that describes these shards.
func Slots(shards ...Shard) string {
	reply := resp.AppendArray(nil, len(shards))
	for _, s := range shards {
		reply = resp.AppendArray(reply, 2+len(s.Nodes))
		reply = resp.AppendInt(reply, int64(s.First))
		reply = resp.AppendInt(reply, int64(s.Last))
		for _, addr := range s.Nodes {
			host, port, _ := net.SplitHostPort(addr)
			number, _ := strconv.ParseInt(port, 10, 64)
			reply = resp.AppendArray(reply, 4)
			reply = resp.AppendBulk(reply, host)
			reply = resp.AppendInt(reply, number)
			reply = resp.AppendBulk(reply, fmt.Sprintf("%x", sha1.Sum([]byte(addr)))) //nolint:gosec // an id
			reply = resp.AppendArray(reply, 0)
		}
	}
	return string(reply)
}
