package keyslot_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/keyslottest"
)

var ctx = context.Background()

// startCluster starts a cluster of three shards in this process.
func startCluster() *keyslottest.Cluster {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return cluster
}

// connected returns a client of a cluster without keys; stop ends both.
func connected() (client *keyslot.Client, stop func()) {
	cluster := startCluster()
	client, err := keyslot.Open(ctx, cluster.Endpoint())
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.Close()
		cluster.Close()
	}
}

func ExampleOpen() {
	cluster := startCluster()
	defer cluster.Close()

	client, err := keyslot.Open(ctx, "redis://"+cluster.Endpoint()+"?client_name=api")
	if err != nil {
		log.Fatal(err) // says what to do
	}
	defer client.Close()
	fmt.Println(client.Ping(ctx))
	// Output: <nil>
}

func ExampleOpen_notACluster() {
	_, err := keyslot.Open(ctx, "http://example.com")
	fmt.Println(err)
	// Output: keyslot: endpoint "http://example.com": unknown scheme: write redis:// or valkey://, or with TLS rediss:// or valkeys://
}

func ExampleNew() {
	cluster := startCluster()
	defer cluster.Close()

	client, err := keyslot.New(ctx, keyslot.Options{
		Endpoints:      []string{cluster.Endpoint()},
		CommandTimeout: 2 * time.Second, // for calls whose context has no deadline
		ClientName:     "api",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Println(client.Topology().Covered, "slots")
	// Output: 16384 slots
}

func ExampleParseTarget() {
	opts, err := keyslot.ParseTarget("rediss://app:secret@cache.example.com:6379?command_timeout=2s")
	if err != nil {
		log.Fatal(err)
	}
	opts.TLS.MinVersion = tls.VersionTLS13
	fmt.Println(opts.Endpoints, opts.Username, opts.CommandTimeout)
	// Output: [cache.example.com:6379] app 2s
}

func ExampleClient_Ping() {
	client, stop := connected()
	defer stop()
	fmt.Println(client.Ping(ctx))
	// Output: <nil>
}

func ExampleClient_Get() {
	client, stop := connected()
	defer stop()

	_, err := client.Get(ctx, "user:1")
	fmt.Println(errors.Is(err, keyslot.Nil))

	_ = client.Set(ctx, "user:1", "ann")
	name, err := client.Get(ctx, "user:1")
	fmt.Println(name, err)
	// Output:
	// true
	// ann <nil>
}

func ExampleClient_Set() {
	client, stop := connected()
	defer stop()

	err := client.Set(ctx, "session:1", "ann", command.EX(time.Minute))
	fmt.Println(err)
	err = client.Set(ctx, "session:1", "ann", command.EX(1500*time.Millisecond)) // EX takes whole seconds
	fmt.Println(err)
	err = client.Set(ctx, "session:1", "ann", command.PX(time.Minute+rand.N(time.Second))) // jitter, so that not all end at once
	fmt.Println(err)
	// Output:
	// <nil>
	// keyslot: SET: argument 4: time to live 1.5s is not a whole number of seconds: use PX [not executed]
	// <nil>
}

func ExampleClient_GetAppend() {
	client, stop := connected()
	defer stop()

	_ = client.Set(ctx, "user:1", "ann")
	buffer := make([]byte, 0, 64) // used again and again: while it has room, nothing is allocated
	line, err := client.GetAppend(ctx, append(buffer, "name="...), "user:1")
	fmt.Println(string(line), err)
	// Output: name=ann <nil>
}

func ExampleClient_GetBytes() {
	client, stop := connected()
	defer stop()

	_ = client.SetBytes(ctx, "image:1", []byte("\x89PNG"))
	image, err := client.GetBytes(ctx, "image:1")
	fmt.Printf("%q %v\n", image, err)
	// Output: "\x89PNG" <nil>
}

func ExampleClient_SetBytes() {
	client, stop := connected()
	defer stop()

	image := []byte("\x89PNG")
	err := client.SetBytes(ctx, "image:1", image, command.EX(time.Hour))
	clear(image) // the value has been copied
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_Incr() {
	client, stop := connected()
	defer stop()

	for range 3 {
		visits, err := client.Incr(ctx, "visits")
		fmt.Println(visits, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

func ExampleClient_MGet() {
	client, stop := connected()
	defer stop()

	_ = client.Set(ctx, "user:1", "ann")
	_ = client.Set(ctx, "user:3", "eve")
	names, err := client.MGet(ctx, "user:1", "user:2", "user:3") // on several nodes
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range names {
		fmt.Printf("%q %v\n", name.Value, name.OK)
	}
	// Output:
	// "ann" true
	// "" false
	// "eve" true
}

func ExampleClient_MSet() {
	client, stop := connected()
	defer stop()

	err := client.MSet(ctx,
		command.Pair{Key: "user:1", Value: "ann"},
		command.Pair{Key: "user:2", Value: "bob"},
	)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_Del() {
	client, stop := connected()
	defer stop()

	_ = client.Set(ctx, "user:1", "ann")
	removed, err := client.Del(ctx, "user:1", "user:2")
	fmt.Println(removed, err)
	// Output: 1 <nil>
}

func ExampleClient_Exists() {
	client, stop := connected()
	defer stop()

	_ = client.Set(ctx, "user:1", "ann")
	n, err := client.Exists(ctx, "user:1", "user:2")
	fmt.Println(n, err)
	// Output: 1 <nil>
}

func ExampleClient_Expire() {
	client, stop := connected()
	defer stop()

	_ = client.Set(ctx, "user:1", "ann")
	limited, err := client.Expire(ctx, "user:1", time.Hour, command.IfNoTTL)
	fmt.Println(limited, err)
	limited, err = client.Expire(ctx, "user:2", time.Hour) // there is no such key
	fmt.Println(limited, err)
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleClient_Do() {
	client, stop := connected()
	defer stop()

	_, err := client.Do(ctx, "HSET", "user:1", "name", "ann", "age", 41)
	if err != nil {
		log.Fatal(err)
	}
	reply, err := client.Do(ctx, "HMGET", "user:1", "name", "age")
	if err != nil {
		log.Fatal(err)
	}
	fields, err := reply.Strings()
	fmt.Println(fields, err)
	// Output: [ann 41] <nil>
}

func ExampleClient_Pipeline() {
	client, stop := connected()
	defer stop()

	p := client.Pipeline()
	visits, last := p.Incr("visits"), p.Get("last") // nothing is sent yet
	p.Set("last", "ann")
	if err := p.Exec(ctx); err != nil {
		log.Fatal(err) // a PipelineError: some commands failed, and their futures say how
	}
	n, err := visits.Get()
	fmt.Println(n, err)
	_, err = last.Get()
	fmt.Println(errors.Is(err, keyslot.Nil))
	// Output:
	// 1 <nil>
	// true
}

func ExampleClient_Topology() {
	client, stop := connected()
	defer stop()

	for _, shard := range client.Topology().Shards {
		fmt.Println(shard.Slots, len(shard.Replicas), "replicas")
	}
	// Output:
	// [{0 5460}] 0 replicas
	// [{5461 10921}] 0 replicas
	// [{10922 16383}] 0 replicas
}

func ExampleClient_Shutdown() {
	client, stop := connected()
	defer stop()

	// Commands under way have this long to end; new ones are refused.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	fmt.Println(client.Shutdown(ctx))

	_, err := client.Get(ctx, "user:1")
	fmt.Println(err)
	// Output:
	// <nil>
	// keyslot: GET: client closed [not executed]
}

func ExampleClient_Close() {
	client, stop := connected()
	defer stop()

	client.Close()
	fmt.Println(errors.Is(client.Ping(ctx), keyslot.ErrClosed))
	// Output: true
}

// Slots move while a client is at work. It follows, and Trace tells.
func ExampleTrace() {
	cluster := startCluster()
	defer cluster.Close()
	client, err := keyslot.New(ctx, keyslot.Options{
		Endpoints: []string{cluster.Endpoint()},
		Trace: &keyslot.Trace{Redirected: func(e keyslot.RedirectEvent) {
			fmt.Println("slot", e.Slot, "ask:", e.Ask)
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	_ = client.Set(ctx, "user:1", "ann")
	shard, _ := cluster.AddShard()
	migration, _ := cluster.Migrate(keyslot.Slot("user:1"), shard.Primary.ID)
	migration.MoveKey("user:1")
	fmt.Println(client.Get(ctx, "user:1")) // the key is at the new node, the slot still at the old one
	_ = migration.Finish()
	fmt.Println(client.Get(ctx, "user:1"))
	fmt.Println(client.Get(ctx, "user:1"))
	// Output:
	// slot 10778 ask: true
	// ann <nil>
	// slot 10778 ask: false
	// ann <nil>
	// ann <nil>
}
