package keyslot_test

import (
	"fmt"
	"log"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

func ExampleClient_Scan() {
	client, stop := connected()
	defer stop()

	for i := range 100 {
		_ = client.Set(ctx, fmt.Sprint("user:", i), "ann")
	}
	_ = client.Set(ctx, "visits", "1")
	seen := map[string]bool{} // a key may come more than once
	for key, err := range client.Scan(ctx, "user:*", keyslot.PageSize(500), keyslot.OfType("string")) {
		if err != nil {
			log.Fatal(err)
		}
		seen[key] = true
	}
	fmt.Println(len(seen), "users")
	// Output: 100 users
}

func ExampleClient_HScan() {
	client, stop := connected()
	defer stop()

	_, _ = client.HSet(ctx, "user:1", command.Field{Name: "name", Value: "ann"}, command.Field{Name: "age", Value: "42"})
	for field, err := range client.HScan(ctx, "user:1", "n*") {
		fmt.Println(field.Name, field.Value, err)
	}
	// Output: name ann <nil>
}

func ExampleClient_SScan() {
	client, stop := connected()
	defer stop()

	_, _ = client.SAdd(ctx, "tags", "red", "green")
	for member, err := range client.SScan(ctx, "tags", "r*", 1000) {
		fmt.Println(member, err)
	}
	// Output: red <nil>
}

func ExampleClient_ZScan() {
	client, stop := connected()
	defer stop()

	_, _ = client.ZAdd(ctx, "board", []command.Scored{{Member: "ann", Score: 7}})
	for scored, err := range client.ZScan(ctx, "board", "") {
		fmt.Println(scored.Member, scored.Score, err)
	}
	// Output: ann 7 <nil>
}

func ExampleScript_Run() {
	client, stop := connected()
	defer stop()

	take := keyslot.NewScript(`
		if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then return 0 end
		redis.call('DECRBY', KEYS[1], ARGV[1])
		return 1`) // once, for the life of the program
	_ = client.Set(ctx, "stock:1", "5")
	for range 2 {
		r, err := take.Run(ctx, client, []string{"stock:1"}, 3)
		fmt.Println(r, err)
	}
	// Output:
	// 1 <nil>
	// 0 <nil>
}

func ExampleScript_RunReadOnly() {
	client, stop := connected()
	defer stop()

	length := keyslot.NewScript("return #redis.call('GET', KEYS[1])")
	_ = client.Set(ctx, "user:1", "ann")
	r, err := length.RunReadOnly(ctx, client, []string{"user:1"})
	fmt.Println(r, err)
	// Output: 3 <nil>
}

func ExampleScript_Queue() {
	client, stop := connected()
	defer stop()

	add := keyslot.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
	p := client.Pipeline()
	a, b := add.Queue(p, []string{"a"}, 1), add.Queue(p, []string{"b"}, 2)
	fmt.Println(p.Exec(ctx))
	fmt.Println(a.Get())
	fmt.Println(b.Get())
	// Output:
	// <nil>
	// 1 <nil>
	// 2 <nil>
}

func ExampleScript_LoadEverywhere() {
	client, stop := connected()
	defer stop()

	add := keyslot.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
	fmt.Println(add.LoadEverywhere(ctx, client))
	// Output: <nil>
}

func ExampleNewScript() {
	client, stop := connected()
	defer stop()

	hello := keyslot.NewScript("return 'hello ' .. ARGV[1]")
	fmt.Println(hello.Run(ctx, client, nil, "ann"))
	// Output: hello ann <nil>
}
