package keyslot_test

import (
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// On the view of a key, MSet is one command of one slot and so atomic; it is never split.
func ExampleClient_On() {
	client, stop := connected()
	defer stop()

	user := client.On(keyslot.ToKey("{user:1}"))
	err := user.MSet(ctx, command.Pair{Key: "{user:1}:name", Value: "ann"}, command.Pair{Key: "{user:1}:town", Value: "Oslo"})
	fmt.Println(err)
	_, err = user.Del(ctx, "{user:1}:name", "visits")
	fmt.Println(err)

	all, _ := client.On(keyslot.ToPrimaries).Do(ctx, "DBSIZE")
	one, _ := user.Do(ctx, "DBSIZE")
	none, _ := client.On(keyslot.ToNode(client.Topology().Shards[0].Primary.ID)).Do(ctx, "DBSIZE")
	fmt.Println(all, one, none)
	// Output:
	// <nil>
	// keyslot: DEL (slot 10778): argument 2: its key is in slot 12263, and the commands of this view are for slot 10778 [not executed]
	// 2 2 0
}

// What each node says is told node by node, where it cannot be joined to one reply.
func ExampleClient_DoEach() {
	client, stop := connected()
	defer stop()

	replies, err := client.On(keyslot.ToPrimaries).DoEach(ctx, "INFO", "replication")
	for _, r := range replies {
		text, _ := r.Reply.Text()
		fmt.Println(r.Node.ID != "", strings.Contains(text, "role:master"))
	}
	fmt.Println(err)
	// Output:
	// true true
	// true true
	// true true
	// <nil>
}

// A write that a replica has is more likely to survive a failover.
func ExampleClient_WriteAndWait() {
	cluster, err := keyslottest.Start(keyslottest.Options{Replicas: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	client, err := keyslot.Open(ctx, cluster.Endpoint())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	var balance *keyslot.Future[int64]
	acked, err := client.WriteAndWait(ctx, 1, 500*time.Millisecond, func(p *keyslot.Pipeline) error {
		balance = p.Incr("{account:1}:balance")
		p.Set("{account:1}:changed", "today")
		return nil
	})
	fmt.Println(acked, err)
	fmt.Println(balance.Get())
	// Output:
	// 1 <nil>
	// 1 <nil>
}
