package keyslottest_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/keyslottest"
)

// mustStart starts a cluster for an example; tests would hand the error to t.Fatal.
func mustStart(opts keyslottest.Options) *keyslottest.Cluster {
	c, err := keyslottest.Start(opts)
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// ask prints what the node at addr answers. Addresses are printed as the number of the shard, as they differ in every run.
func ask(c *keyslottest.Cluster, addr string, commands ...string) {
	conn, err := dial(addr)
	if err != nil {
		fmt.Println("no connection")
		return
	}
	defer conn.nc.Close()
	for _, command := range commands {
		reply, err := conn.do(command)
		if err != nil {
			reply = "connection lost"
		}
		for i, s := range c.Shards() {
			for _, n := range append(s.Replicas, s.Primary) {
				reply = strings.ReplaceAll(reply, n.Addr, fmt.Sprint("shard ", i+1))
			}
		}
		fmt.Printf("%s -> %q\n", command, strings.TrimSpace(reply))
	}
}

func ExampleStart() {
	c, err := keyslottest.Start(keyslottest.Options{Shards: 3, Replicas: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	// Any cluster client connects to c.Endpoint(), and learns the rest from there.
	ask(c, c.Endpoint(), "PING", "SET a 1")
	// Output:
	// PING -> "+PONG"
	// SET a 1 -> "-MOVED 15495 shard 3"
}

func ExampleCluster_Owner() {
	c := mustStart(keyslottest.Options{})
	defer c.Close()
	ask(c, c.Owner("a").Addr, "SET a 1", "GET a")
	// Output:
	// SET a 1 -> "+OK"
	// GET a -> "$1\r\n1"
}

func ExampleCluster_Shards() {
	c := mustStart(keyslottest.Options{Shards: 2, Replicas: 2})
	defer c.Close()
	for _, s := range c.Shards() {
		fmt.Println(s.Slots, "replicas:", len(s.Replicas), "epoch:", s.Epoch)
	}
	fmt.Println("nodes:", len(c.Nodes()))
	// Output:
	// [{0 8191}] replicas: 2 epoch: 1
	// [{8192 16383}] replicas: 2 epoch: 2
	// nodes: 6
}

func ExampleCluster_Migrate() {
	c := mustStart(keyslottest.Options{})
	defer c.Close()
	from, to := c.Owner("a").Addr, c.Nodes()[0]
	ask(c, from, "MSET {a}1 x {a}2 y")

	m, err := c.Migrate(15495, to.ID)
	if err != nil {
		log.Fatal(err)
	}
	m.MoveKey("{a}1")
	ask(c, from, "GET {a}2", "GET {a}1", "MGET {a}1 {a}2")
	ask(c, to.Addr, "GET {a}1", "ASKING", "GET {a}1")

	fmt.Println("moved as well:", m.MoveKeys(100))
	m.Finish()
	ask(c, from, "GET {a}1")
	ask(c, to.Addr, "GET {a}2")
	// Output:
	// MSET {a}1 x {a}2 y -> "+OK"
	// GET {a}2 -> "$1\r\ny"
	// GET {a}1 -> "-ASK 15495 shard 1"
	// MGET {a}1 {a}2 -> "-TRYAGAIN Multiple keys request during rehashing of slot"
	// GET {a}1 -> "-MOVED 15495 shard 3"
	// ASKING -> "+OK"
	// GET {a}1 -> "$1\r\nx"
	// moved as well: 1
	// GET {a}1 -> "-MOVED 15495 shard 1"
	// GET {a}2 -> "$1\r\ny"
}

func ExampleMigration_Cancel() {
	c := mustStart(keyslottest.Options{})
	defer c.Close()
	m, err := c.Migrate(15495, c.Nodes()[0].ID)
	if err != nil {
		log.Fatal(err)
	}
	ask(c, c.Owner("a").Addr, "SET a x")
	m.Cancel()
	ask(c, c.Owner("a").Addr, "SET a x")
	// Output:
	// SET a x -> "-ASK 15495 shard 1"
	// SET a x -> "+OK"
}

func ExampleCluster_MoveSlots() {
	c := mustStart(keyslottest.Options{Shards: 2})
	defer c.Close()
	n := c.Nodes()
	if err := c.MoveSlots(context.Background(), n[0].ID, n[1].ID, 0, 1, 2); err != nil {
		log.Fatal(err)
	}
	for _, s := range c.Shards() {
		fmt.Println(s.Slots)
	}
	// Output:
	// [{3 8191}]
	// [{0 2} {8192 16383}]
}

func ExampleCluster_Rebalance() {
	c := mustStart(keyslottest.Options{Shards: 3})
	defer c.Close()
	ctx := context.Background()
	added, err := c.AddShard()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("added with", added.Slots)
	c.Rebalance(ctx)
	for _, s := range c.Shards() {
		fmt.Println(s.Slots)
	}
	c.RemoveShard(ctx, added.Primary.ID)
	fmt.Println("shards:", len(c.Shards()))
	// Output:
	// added with []
	// [{0 4095}]
	// [{5461 9556}]
	// [{10922 15017}]
	// [{4096 5460} {9557 10921} {15018 16383}]
	// shards: 3
}

func ExampleCluster_Failover() {
	c := mustStart(keyslottest.Options{Replicas: 1})
	defer c.Close()
	shard := c.Shards()[2]
	ask(c, shard.Primary.Addr, "SET a x")
	c.Stop(shard.Primary.ID) // leave this out, and it is a planned failover
	ask(c, c.Endpoint(), "GET b")
	c.Failover(shard.Replicas[0].ID)
	ask(c, c.Endpoint(), "GET b")
	ask(c, shard.Replicas[0].Addr, "GET a")
	// Output:
	// SET a x -> "+OK"
	// GET b -> "-CLUSTERDOWN The cluster is down"
	// GET b -> "$-1"
	// GET a -> "$1\r\nx"
}

func ExampleCluster_Stop() {
	c := mustStart(keyslottest.Options{PartialCoverage: true})
	defer c.Close()
	owner := c.Owner("a")
	ask(c, owner.Addr, "SET a x")
	c.Stop(owner.ID)
	ask(c, owner.Addr, "GET a")
	c.Restart(owner.ID)
	ask(c, owner.Addr, "GET a")
	// Output:
	// SET a x -> "+OK"
	// no connection
	// GET a -> "$1\r\nx"
}

func ExampleCluster_Replace() {
	c := mustStart(keyslottest.Options{})
	defer c.Close()
	old := c.Owner("a")
	ask(c, old.Addr, "SET a x")
	fresh, err := c.Replace(old.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("new id:", fresh.ID != old.ID, "new address:", fresh.Addr != old.Addr)
	ask(c, old.Addr, "GET a")
	ask(c, fresh.Addr, "GET a")
	// Output:
	// SET a x -> "+OK"
	// new id: true new address: true
	// no connection
	// GET a -> "$1\r\nx"
}

func ExampleCluster_DeleteSlots() {
	c := mustStart(keyslottest.Options{})
	defer c.Close()
	owner := c.Owner("a")
	c.DeleteSlots(15495)
	ask(c, owner.Addr, "GET a", "GET key:3")
	c.AddSlots(owner.ID, 15495)
	ask(c, owner.Addr, "GET a")
	// Output:
	// GET a -> "-CLUSTERDOWN Hash slot not served"
	// GET key:3 -> "-CLUSTERDOWN The cluster is down"
	// GET a -> "$-1"
}

func ExampleCluster_Inject() {
	c := mustStart(keyslottest.Options{Shards: 1})
	defer c.Close()
	node := c.Nodes()[0].ID
	remove, err := c.Inject(node, keyslottest.Fault{Command: "GET", Error: "LOADING Redis is loading the dataset in memory"})
	if err != nil {
		log.Fatal(err)
	}
	ask(c, c.Endpoint(), "GET a")
	remove()
	ask(c, c.Endpoint(), "GET a")
	// The next INCR is executed, but the connection is reset before the reply.
	c.Inject(node, keyslottest.Fault{Command: "INCR", Times: 1, Reset: true})
	ask(c, c.Endpoint(), "INCR a")
	ask(c, c.Endpoint(), "INCR a")
	// Output:
	// GET a -> "-LOADING Redis is loading the dataset in memory"
	// GET a -> "$-1"
	// INCR a -> "connection lost"
	// INCR a -> ":2"
}

func ExampleCluster_AdvanceClock() {
	c := mustStart(keyslottest.Options{Shards: 1, ManualClock: true})
	defer c.Close()
	ask(c, c.Endpoint(), "SET a x EX 60", "TTL a")
	c.AdvanceClock(59 * time.Second)
	ask(c, c.Endpoint(), "TTL a")
	c.AdvanceClock(time.Second)
	ask(c, c.Endpoint(), "GET a")
	// Output:
	// SET a x EX 60 -> "+OK"
	// TTL a -> ":60"
	// TTL a -> ":1"
	// GET a -> "$-1"
}

func ExampleCluster_Stats() {
	c := mustStart(keyslottest.Options{})
	defer c.Close()
	ask(c, c.Endpoint(), "GET a", "GET b")
	s := c.Stats("")
	fmt.Println("commands:", s.Commands, "moved:", s.Moved, "connections:", s.Accepted)
	// Output:
	// GET a -> "-MOVED 15495 shard 3"
	// GET b -> "$-1"
	// commands: 2 moved: 1 connections: 1
}

// exampleT stands for the *testing.T of a test.
type exampleT struct{ ends []func() }

func (t *exampleT) Helper()                   {}
func (t *exampleT) Cleanup(end func())        { t.ends = append(t.ends, end) }
func (t *exampleT) Fatalf(f string, a ...any) { log.Fatalf(f, a...) }

func ExampleRun() {
	t := &exampleT{}
	// In a test, func TestOrders(t *testing.T), this line is all:
	c := keyslottest.Run(t, keyslottest.Options{Replicas: 1})
	ask(c, c.Owner("order:1").Addr, "SET order:1 paid")
	for _, end := range t.ends {
		end()
	}
	ask(c, c.Endpoint(), "PING")
	// Output:
	// SET order:1 paid -> "+OK"
	// no connection
}
