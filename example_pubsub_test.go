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

// realEndpoint is where the examples below find a cluster: keyslottest has no pub/sub.
var realEndpoint = "localhost:7000"

// TestPubsubExamples runs the examples, which need real servers.
func TestPubsubExamples(t *testing.T) {
	cluster := realcluster.Start(t, realcluster.Options{Config: []string{"notify-keyspace-events KEA"}})
	realEndpoint = cluster.Addrs()[0]
	for want, example := range map[string]func(){
		"news: hello\n":                       ExampleClient_Subscribe,
		"news.* matches news.sports: 2:1\n":   ExampleClient_PSubscribe,
		"orders:1: paid\norders:2: shipped\n": ExampleClient_SSubscribe,
		"user:1: set\n":                       ExampleClient_KeyspaceEvents,
		"room:2: hello\n":                     ExampleSubscription_Add,
		"a: 1\n":                              ExampleSubscription_Messages,
	} {
		require.Equal(t, want, printed(t, example))
	}
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
	client, err := keyslot.Open(ctx, realEndpoint)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

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
}

func ExampleClient_PSubscribe() {
	client, err := keyslot.Open(ctx, realEndpoint)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

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
}

func ExampleClient_SSubscribe() {
	client, err := keyslot.Open(ctx, realEndpoint)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

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
	client, err := keyslot.Open(ctx, realEndpoint)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

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
}

func ExampleSubscription_Messages() {
	client, err := keyslot.Open(ctx, realEndpoint)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

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
}
