package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// sameEverywhere leaves out what is different each time.
func sameEverywhere(_ []string, a slog.Attr) slog.Attr {
	var trail *keyslot.Error
	switch err, _ := a.Value.Any().(error); {
	case a.Key == slog.TimeKey, a.Key == "node", a.Key == "took":
		return slog.Attr{}
	case errors.As(err, &trail): // which names the node
		return slog.String(a.Key, trail.Err.Error())
	}
	return a
}

// Lines for CloudWatch and its like: calls that failed or took long, as a service would log them, and dials that
// failed. What goes on in the background tells Options.Logger by itself.
func ExampleTrace_slog() {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: sameEverywhere}))
	const slow = 2e9 // two seconds, where that is exceptional
	client, err := keyslot.New(ctx, keyslot.Options{
		Endpoints: []string{cluster.Endpoint()},
		Logger:    logger,
		Trace: &keyslot.Trace{
			Called: func(ctx context.Context, e keyslot.CallEvent) {
				if e.Err == nil && e.Duration < slow {
					return
				}
				logger.WarnContext(ctx, "call", "command", e.Command, "batch", e.Batch, "size", e.Size, "node", e.Node,
					"took", e.Duration, "attempts", e.Attempts, "error", e.Err)
			},
			Connected: func(e keyslot.ConnectEvent) {
				if e.Err != nil {
					logger.Warn("dial", "node", e.Node, "step", e.Phase, "error", e.Err)
				}
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	_ = client.Set(ctx, "user:1", "ann")
	_, err = client.LPop(ctx, "user:1")
	fmt.Println(err != nil)
	// Output:
	// {"level":"WARN","msg":"call","command":"LPOP","batch":"","size":1,"attempts":1,"error":"WRONGTYPE Operation against a key holding the wrong kind of value"}
	// true
}

func ExampleClient_Stats() {
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

	for i := range 300 {
		_ = client.Set(ctx, fmt.Sprint("user:", i), "ann")
	}
	var commands, dials int64
	roles := map[string]int{}
	for _, n := range client.Stats().Nodes {
		commands += n.Commands
		dials += n.Dials
		roles[n.Role]++
	}
	fmt.Println("300 commands and the first map's:", commands >= 300, "dials:", dials, "nodes:", roles)
	// Output: 300 commands and the first map's: true dials: 2 nodes: map[primary:3 replica:3]
}
