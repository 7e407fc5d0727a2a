package command_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/keyslottest"
)

var ctx = context.Background()

// connected returns a client of a cluster without keys, in this process; stop ends both.
func connected() (client *keyslot.Client, stop func()) {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	client, err = keyslot.Open(ctx, cluster.Endpoint())
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.Close()
		cluster.Close()
	}
}

func ExampleCommands_HSet() {
	client, stop := connected()
	defer stop()

	added, err := client.HSet(ctx, "user:1", command.Field{Name: "name", Value: "ann"}, command.Field{Name: "city", Value: "oslo"})
	fmt.Println(added, err)
	added, err = client.HSet(ctx, "user:1", command.FieldsOf(map[string]string{"city": "rome", "lang": "it"})...)
	fmt.Println(added, err)

	user, err := client.HGetAll(ctx, "user:1")
	fmt.Println(user, err)
	// Output:
	// 2 <nil>
	// 1 <nil>
	// map[city:rome lang:it name:ann] <nil>
}

func ExampleCommands_HMGet() {
	client, stop := connected()
	defer stop()
	if _, err := client.HSet(ctx, "user:1", command.Field{Name: "name", Value: "ann"}); err != nil {
		log.Fatal(err)
	}

	fields, err := client.HMGet(ctx, "user:1", "name", "city")
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range fields {
		fmt.Printf("%q %v\n", f.Value, f.OK)
	}
	// Output:
	// "ann" true
	// "" false
}

func ExampleCommands_TTL() {
	client, stop := connected()
	defer stop()
	if err := client.Set(ctx, "kept", "1"); err != nil {
		log.Fatal(err)
	}
	if err := client.Set(ctx, "session", "1", command.EX(time.Minute)); err != nil {
		log.Fatal(err)
	}

	for _, key := range []string{"kept", "session", "missing"} {
		switch ttl, err := client.TTL(ctx, key); {
		case errors.Is(err, keyslot.Nil):
			fmt.Println(key, "is not there")
		case err != nil:
			log.Fatal(err)
		case ttl == command.NoTTL:
			fmt.Println(key, "lives for ever")
		default:
			fmt.Println(key, "has", ttl)
		}
	}
	// Output:
	// kept lives for ever
	// session has 1m0s
	// missing is not there
}

func ExampleCommands_BLPop() {
	client, stop := connected()
	defer stop()
	if _, err := client.RPush(ctx, "{jobs}:urgent", "a", "b"); err != nil {
		log.Fatal(err)
	}

	for {
		job, err := client.BLPop(ctx, 10*time.Millisecond, "{jobs}:urgent", "{jobs}:other")
		if errors.Is(err, keyslot.Nil) {
			fmt.Println("nothing came")
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.Element, "of", job.Key)
	}
	// Output:
	// a of {jobs}:urgent
	// b of {jobs}:urgent
	// nothing came
}

func ExampleCommands_LMove() {
	client, stop := connected()
	defer stop()
	if _, err := client.RPush(ctx, "{jobs}:waiting", "a", "b"); err != nil {
		log.Fatal(err)
	}

	job, err := client.LMove(ctx, "{jobs}:waiting", "{jobs}:running", command.Left, command.Right)
	fmt.Println(job, err)
	// Output: a <nil>
}

func ExampleCommands_SInterStore() {
	client, stop := connected()
	defer stop()
	for key, members := range map[string][]string{"{tags}:go": {"1", "2", "3"}, "{tags}:redis": {"2", "3", "4"}} {
		if _, err := client.SAdd(ctx, key, members...); err != nil {
			log.Fatal(err)
		}
	}

	n, err := client.SInterStore(ctx, "{tags}:both", "{tags}:go", "{tags}:redis")
	fmt.Println(n, err)
	found, err := client.SMIsMember(ctx, "{tags}:both", "1", "2")
	fmt.Println(found, err)
	// Output:
	// 2 <nil>
	// [false true] <nil>
}

func ExampleCommands_SetBit() {
	client, stop := connected()
	defer stop()

	was, err := client.SetBit(ctx, "seen", 7, true)
	fmt.Println(was, err)
	n, err := client.BitCount(ctx, "seen", command.ByteRange(0, -1))
	fmt.Println(n, err)
	// Output:
	// false <nil>
	// 1 <nil>
}

func ExampleCommands_PFCount() {
	client, stop := connected()
	defer stop()
	if _, err := client.PFAdd(ctx, "visitors", "ann", "bob", "ann"); err != nil {
		log.Fatal(err)
	}

	n, err := client.PFCount(ctx, "visitors")
	fmt.Println(n, err)
	// Output: 2 <nil>
}

// Two counters of 16 bits stand one behind the other; the second one stops at its largest value.
func ExampleBitWidth() {
	client, stop := connected()
	defer stop()

	hits, misses := command.Unsigned(16).Nth(0), command.Unsigned(16).Nth(1)
	results, err := client.BitField(ctx, "counters", hits.IncrBy(1), command.Overflow(command.Saturate), misses.IncrBy(1), hits.Get())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[0].Value, results[1].Value, results[2].Value)
}
