package realcluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options describe a cluster. The zero value is a redis cluster of three primaries without replicas, TLS or passwords.
type Options struct {
	Engine    string // "redis" (the default) or "valkey"
	Primaries int    // 0 means 3; slots are dealt out evenly
	Replicas  int    // for each primary

	TLS      bool     // on the client port, for replication and on the cluster bus; the plain port is closed
	Password string   // of the default user (requirepass)
	ACL      []string // more users, as in an ACL file without the word "user": "ann on >secret ~app:* +@all"

	// Standalone turns cluster mode off: one primary, and replicas that follow it until Follow and Promote say
	// otherwise. What is about slots and health means nothing then.
	Standalone bool
	// Listen says where server i listens (host:port) in place of a free port of 127.0.0.1.
	Listen func(i int) string

	NodeTimeout     time.Duration // cluster-node-timeout; 0 means 2 s
	PartialCoverage bool          // cluster-require-full-coverage no; the servers' default, and ours, is yes

	// Hostname gives node i a name to announce as its preferred endpoint. Names below Domain, and localhost, match the
	// certificate.
	Hostname func(i int) string

	// Front, if set, makes each node announce the address of something that stands in front of it, for example of a
	// proxy; see MoveFronts, which changes them. The fronts are the caller's.
	Front Front

	// Config are more lines for every server's configuration; a line here overrides one of ours.
	Config []string
}

// startTimeout bounds Start. A cluster of 3+3 is ready after some 3 s: 2 s of them are the servers' own pause before a
// new primary takes writes (CLUSTER_WRITABLE_DELAY).
const startTimeout = 60 * time.Second

// adminUser is the harness's own user in clusters with passwords, also for replication, so that a test may turn the
// default user off.
const adminUser = "realcluster"

// Cluster is a running cluster. Its methods are safe for concurrent use.
type Cluster struct {
	// immutable
	Engine        Engine
	opts          Options
	dir           string // everything the servers write
	tls           *tlsFiles
	adminPassword string

	mu    sync.Mutex
	nodes []*Node // guarded by mu; by index, removed nodes included
}

// Start runs a cluster and returns once every node says that it is whole: slots covered, replicas in sync and listed
// everywhere. It skips the test where the engine is missing and fails it where the cluster does not come up. The
// cluster ends with the test, which shows the servers' logs, and keeps them, if it failed.
func Start(tb testing.TB, opts Options) *Cluster {
	tb.Helper()
	if opts.Engine == "" {
		opts.Engine = Names()[0]
	}
	engine := Require(tb, opts.Engine)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := Run(ctx, engine, opts)
	if err != nil {
		tb.Fatalf("%s cluster: %v", opts.Engine, err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log(c.logTails(15)) // no more, else what has failed is far above it
			tb.Logf("all logs are kept in %s", c.dir)
			c.kill()
			return
		}
		c.Stop()
	})
	return c
}

// Run is Start for programs that are no tests. The caller must call Stop.
func Run(ctx context.Context, engine Engine, opts Options) (*Cluster, error) {
	opts.Engine = engine.Name
	switch {
	case opts.Standalone:
		opts.Primaries = 1
	case opts.Primaries == 0:
		opts.Primaries = 3
	}
	if opts.NodeTimeout == 0 {
		opts.NodeTimeout = 2 * time.Second
	}
	dir, err := os.MkdirTemp("", "realcluster-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Engine: engine, opts: opts, dir: dir, adminPassword: rand.Text()}
	if err := c.start(ctx); err != nil {
		err = fmt.Errorf("%w\n%s", err, c.logTails(10))
		c.Stop()
		return nil, err
	}
	return c, nil
}

// Stop kills all servers and removes their files.
func (c *Cluster) Stop() {
	c.kill()
	_ = os.RemoveAll(c.dir) // a leftover in the system's temporary directory harms nothing
}

func (c *Cluster) kill() {
	for _, n := range c.Nodes() {
		_ = n.Kill() // fails only for a process that is gone
	}
}

// Nodes returns all nodes by index: primaries first, in the order of their slots, then the replicas of the first
// primary, of the second, and so on, then nodes that were added; also those that are down or were removed.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Node(nil), c.nodes...)
}

// Node returns the i-th of Nodes.
func (c *Cluster) Node(i int) *Node { return c.Nodes()[i] }

// Addrs returns the addresses that clients dial, of the nodes that run, by index.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, n := range c.Nodes() {
		if n.running() {
			addrs = append(addrs, n.Addr())
		}
	}
	return addrs
}

// Live returns the nodes that can answer, by index: those that run and are not frozen.
func (c *Cluster) Live() []*Node {
	var live []*Node
	for _, n := range c.Nodes() {
		if n.live() {
			live = append(live, n)
		}
	}
	return live
}

// secured reports whether the cluster has passwords, and with them the harness's own user.
func (c *Cluster) secured() bool { return c.opts.Password != "" || len(c.opts.ACL) > 0 }

// launchAttempts covers the moment between giving up a reserved port and the server's bind, when somebody else may take it.
const launchAttempts = 3

// launchNode starts one more server, which is then a cluster of its own.
func (c *Cluster) launchNode(ctx context.Context) (*Node, error) {
	var errs error
	for range launchAttempts {
		n, err := c.prepareNode()
		if err == nil {
			err = n.launch(ctx)
		}
		if err == nil && !c.opts.Standalone {
			n.id, err = c.Do(ctx, n, "CLUSTER", "MYID")
		}
		if err == nil {
			return n, nil
		}
		c.forget(n)
		errs = errors.Join(errs, err)
	}
	return nil, errs
}

// prepareNode makes the directory of a new node, which takes the next index, and asks for its front.
func (c *Cluster) prepareNode() (*Node, error) {
	client, port, err := reserve()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	bus, busPort, err := reserve()
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	dir, err := os.MkdirTemp(c.dir, "node-")
	if err != nil {
		return nil, err
	}
	n := &Node{cluster: c, host: "127.0.0.1", port: port, busPort: busPort, dir: dir}
	c.mu.Lock()
	n.index = len(c.nodes)
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	if c.opts.Listen != nil {
		if n.host, n.port, err = net.SplitHostPort(c.opts.Listen(n.index)); err != nil {
			return n, err
		}
	}
	n.server = net.JoinHostPort(n.host, n.port)
	n.addr = n.server
	if c.opts.Front == nil {
		return n, nil
	}
	return n, n.moveBehind(c.opts.Front)
}

// forget takes a node that never started out of the list, if it is still the last.
func (c *Cluster) forget(n *Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.nodes) - 1; last >= 0 && c.nodes[last] == n {
		c.nodes = c.nodes[:last]
	}
}

// config returns the lines of n's configuration. Where a server's default only costs a test time, it is changed: no
// saving to disk, replicas in sync at once and counted after a second.
func (c *Cluster) config(n *Node) []string {
	lines := []string{
		"logfile server.log",
		`save ""`,
		"appendonly no",
		"repl-diskless-sync-delay 0",
		"repl-ping-replica-period 1", // CLUSTER SLOTS hides a replica until its offset is above 0, which a PING does
		"enable-debug-command local",
	}
	if !c.opts.Standalone {
		lines = append(lines,
			"cluster-enabled yes",
			"cluster-config-file nodes.conf",
			"cluster-port "+n.busPort,
			fmt.Sprintf("cluster-node-timeout %d", c.opts.NodeTimeout.Milliseconds()))
	}
	lines = append(lines, c.frontConfig(n)...)
	if c.opts.PartialCoverage {
		lines = append(lines, "cluster-require-full-coverage no")
	}
	if c.tls == nil {
		lines = append(lines, "port "+n.port)
	} else {
		lines = append(lines, "port 0", "tls-port "+n.port, "tls-cluster yes", "tls-replication yes", "tls-auth-clients no",
			"tls-ca-cert-file "+c.tls.ca, "tls-cert-file "+c.tls.cert, "tls-key-file "+c.tls.key)
	}
	if c.secured() {
		lines = append(lines, "user "+adminUser+" on >"+c.adminPassword+" ~* &* +@all",
			"masteruser "+adminUser, "masterauth "+c.adminPassword)
	}
	if c.opts.Password != "" {
		lines = append(lines, "requirepass "+c.opts.Password)
	}
	for _, user := range c.opts.ACL {
		lines = append(lines, "user "+user)
	}
	if c.opts.Hostname != nil {
		lines = append(lines, "cluster-announce-hostname "+c.opts.Hostname(n.index), "cluster-preferred-endpoint-type hostname")
	}
	return append(lines, c.opts.Config...)
}

func (c *Cluster) logTails(lines int) string {
	var b strings.Builder
	for _, n := range c.Nodes() {
		fmt.Fprintf(&b, "--- %s, pid %d, end of its log\n%s\n", n, n.PID(), n.logTail(lines))
	}
	return b.String()
}
