package keyslot_test

import (
	"fmt"
	"log"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func ExampleClient_ReadFrom() {
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
	replicas := client.ReadFrom(keyslot.PreferReplica) // made once, and kept

	if err := client.Set(ctx, "user:1", "ann"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(replicas.Get(ctx, "user:1")) // a replica's word: it may be some milliseconds old
	fmt.Println(client.Get(ctx, "user:1"))   // the primary's word
	// Output:
	// ann <nil>
	// ann <nil>
}
