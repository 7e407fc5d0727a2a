package keyslot_test

import (
	"context"
	"fmt"
	"log"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

func ExampleNewConsumer() {
	client, stop := connected()
	defer stop()
	_, err := client.XAdd(ctx, "orders", []command.Field{{Name: "item", Value: "apples"}, {Name: "count", Value: "3"}})
	if err != nil {
		log.Fatal(err)
	}

	consumer, err := keyslot.NewConsumer(client, keyslot.ConsumerOptions{
		Group: "shipping", Name: "worker-1",
		Streams:    []string{"orders", "returns"}, // whatever their slots
		CreateFrom: "0",
	})
	if err != nil {
		log.Fatal(err)
	}
	running, stopRunning := context.WithCancel(ctx)
	err = consumer.Run(running, func(ctx context.Context, e keyslot.Entry) error {
		item, _ := e.Value("item")
		fmt.Println(e.Stream, item, e.Deliveries)
		stopRunning() // a service stops when it is told to
		return nil    // acknowledges the entry; an error lets it come again
	})
	fmt.Println(err)
	pending, err := client.XPending(ctx, "orders", "shipping")
	fmt.Println(pending.Count, err)
	// Output:
	// orders apples 1
	// <nil>
	// 0 <nil>
}
