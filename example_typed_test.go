package keyslot_test

import (
	"errors"
	"fmt"
	"math"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
)

func ExampleClient_ZRange() {
	client, stop := connected()
	defer stop()

	added, err := client.ZAdd(ctx, "board", []command.Scored{{Member: "ann", Score: 31}, {Member: "bob", Score: 12}, {Member: "eve", Score: 25}})
	fmt.Println(added, err)
	top, err := client.ZRangeWithScores(ctx, "board", command.ByIndex(0, 1), command.Rev)
	fmt.Println(top, err)
	// The lower end comes first, whatever the order.
	names, err := client.ZRange(ctx, "board", command.ByScore(command.Exclusive(12), math.Inf(1)), command.Rev, command.Limit(0, 10))
	fmt.Println(names, err)
	_, err = client.ZScore(ctx, "board", "sam")
	fmt.Println(errors.Is(err, keyslot.Nil))
	// Output:
	// 3 <nil>
	// [{ann 31} {eve 25}] <nil>
	// [ann eve] <nil>
	// true
}

func ExampleClient_GeoSearch() {
	client, stop := connected()
	defer stop()

	_, err := client.GeoAdd(ctx, "cities", []command.GeoLocation{
		{Member: "Palermo", Longitude: 13.361389, Latitude: 38.115556},
		{Member: "Catania", Longitude: 15.087269, Latitude: 37.502669},
	})
	fmt.Println(err)
	near, err := client.GeoSearch(ctx, "cities", command.FromLonLat(15, 37), command.ByRadius(100, command.Kilometers), command.Asc)
	fmt.Println(near, err)
	apart, err := client.GeoDist(ctx, "cities", "Palermo", "Catania", command.Kilometers)
	fmt.Printf("%.0f km %v\n", apart, err)
	// Output:
	// <nil>
	// [Catania] <nil>
	// 166 km <nil>
}

func ExampleClient_XReadGroup() {
	client, stop := connected()
	defer stop()

	fmt.Println(client.XGroupCreate(ctx, "orders", "billing", "0", command.MkStream))
	id, err := client.XAdd(ctx, "orders", []command.Field{{Name: "item", Value: "tea"}, {Name: "item", Value: "milk"}},
		command.ID("1-1"), command.MaxLen(1000).Approx())
	fmt.Println(id, err)
	read, err := client.XReadGroup(ctx, "billing", "worker", []command.Stream{{Key: "orders", After: ">"}}, command.Count(10))
	fmt.Println(read, err)
	acked, err := client.XAck(ctx, "orders", "billing", id)
	fmt.Println(acked, err)
	// Output:
	// <nil>
	// 1-1 <nil>
	// [{orders [{1-1 [{item tea} {item milk}]}]}] <nil>
	// 1 <nil>
}
