package keyslot_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// realEndpoint is where ExampleClient_KeyspaceEvents finds a cluster: keyslottest has no keyspace events.
var realEndpoint = "localhost:7000"

// TestKeyspaceEventsExample runs the example that needs real servers.
func TestKeyspaceEventsExample(t *testing.T) {
	cluster := realcluster.Start(t, realcluster.Options{Config: []string{"notify-keyspace-events KEA"}})
	realEndpoint = cluster.Addrs()[0]
	require.Equal(t, "user:1: set\n", printed(t, ExampleClient_KeyspaceEvents))
}

// printed returns what an example prints.
func printed(t *testing.T, example func()) string {
	t.Helper()
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	out, in, err := os.Pipe()
	require.NoError(t, err)
	os.Stdout = in
	example()
	require.NoError(t, in.Close())
	text, err := io.ReadAll(out)
	require.NoError(t, err)
	return string(text)
}

func ExampleClient_Subscribe() {
	client, stop := connected()
	defer stop()

	sub, err := client.Subscribe(ctx, "news")
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	if _, err := client.Do(ctx, "PUBLISH", "news", "hello"); err != nil {
		log.Fatal(err)
	}
	for message, err := range sub.Messages(ctx) {
		if err != nil {
			log.Println(err) // a Gap, for example
			continue
		}
		fmt.Printf("%s: %s\n", message.Channel, message.Payload)
		break
	}
	// Output: news: hello
}

func ExampleClient_PSubscribe() {
	client, stop := connected()
	defer stop()

	sub, err := client.PSubscribe(ctx, "news.*")
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	if _, err := client.Do(ctx, "PUBLISH", "news.sports", "2:1"); err != nil {
		log.Fatal(err)
	}
	for m, err := range sub.Messages(ctx) {
		if err != nil {
			log.Println(err)
			continue
		}
		fmt.Printf("%s matches %s: %s\n", m.Pattern, m.Channel, m.Payload)
		break
	}
	// Output: news.* matches news.sports: 2:1
}

func ExampleClient_SSubscribe() {
	client, stop := connected()
	defer stop()

	sub, err := client.SSubscribe(ctx, "orders:1", "orders:2") // of any slots
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	for channel, text := range map[string]string{"orders:1": "paid", "orders:2": "shipped"} {
		if _, err := client.Do(ctx, "SPUBLISH", channel, text); err != nil {
			log.Fatal(err)
		}
	}
	got := map[string]string{}
	for m, err := range sub.Messages(ctx) {
		if err != nil {
			log.Println(err)
			continue
		}
		if got[m.Channel] = m.Payload; len(got) == 2 {
			break
		}
	}
	fmt.Printf("orders:1: %s\norders:2: %s\n", got["orders:1"], got["orders:2"])
	// Output:
	// orders:1: paid
	// orders:2: shipped
}

func ExampleClient_KeyspaceEvents() {
	client, err := keyslot.Open(ctx, realEndpoint)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// The servers need notify-keyspace-events, here "KEA".
	sub, err := client.KeyspaceEvents(ctx, "__keyspace@0__:user:*")
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	if err := client.Set(ctx, "user:1", "ann"); err != nil {
		log.Fatal(err)
	}
	for m, err := range sub.Messages(ctx) {
		if err != nil {
			log.Println(err)
			continue
		}
		if event, ok := m.Keyspace(); ok {
			fmt.Printf("%s: %s\n", event.Key, event.Event)
			break
		}
	}
}

func ExampleSubscription_Add() {
	client, stop := connected()
	defer stop()

	sub, err := client.SSubscribe(ctx, "room:1")
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	if err := sub.Add(ctx, "room:2"); err != nil {
		log.Fatal(err)
	}
	sub.Remove("room:1")
	if _, err := client.Do(ctx, "SPUBLISH", "room:2", "hello"); err != nil {
		log.Fatal(err)
	}
	for m, err := range sub.Messages(ctx) {
		if err != nil {
			log.Println(err)
			continue
		}
		fmt.Printf("%s: %s\n", m.Channel, m.Payload)
		break
	}
	// Output: room:2: hello
}

func ExampleSubscription_Messages() {
	client, stop := connected()
	defer stop()

	sub, err := client.SSubscribe(ctx, "a", "b")
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	if _, err := client.Do(ctx, "SPUBLISH", "a", 1); err != nil {
		log.Fatal(err)
	}
	for message, err := range sub.Messages(ctx) {
		var gap *keyslot.Gap
		switch {
		case errors.As(err, &gap): // read anew what these channels tell of
			fmt.Println("missed:", gap.Channels, gap.From, gap.To)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("%s: %s\n", message.Channel, message.Payload)
			sub.Close() // which ends the loop
		}
	}
	// Output: a: 1
}
