package keyslot_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What nodes may do to everybody who comes, all of them at once.
var grievances = map[string]func(n *fakenode.Node){
	"they are dead":              (*fakenode.Node).Close,
	"they are frozen":            (*fakenode.Node).StopReading,
	"they have no room":          func(n *fakenode.Node) { n.Greet(noRoom); n.Cut(fakenode.RST) },
	"they load":                  func(n *fakenode.Node) { n.Greet(says("-LOADING")); n.Cut(fakenode.RST) },
	"they hang up after HELLO":   func(n *fakenode.Node) { n.Greet(greets(fakenode.FIN)); n.Cut(fakenode.RST) },
	"they reset after HELLO":     func(n *fakenode.Node) { n.Greet(greets(fakenode.RST)); n.Cut(fakenode.RST) },
	"they reset after a request": insists(fakenode.Reaction{End: fakenode.RST}),
	"they talk nonsense":         insists(says("hello")),
	"all is null":                insists(says("_")),
	"all is well":                insists(ok),
	"all is empty":               insists(says("*0")),
	"CLUSTERDOWN":                insists(says("-CLUSTERDOWN The cluster is down")),
	"LOADING":                    insists(says("-LOADING Valkey is loading the dataset in memory")),
	"NOAUTH":                     insists(says("-NOAUTH Authentication required.")),
	"READONLY":                   insists(says("-READONLY You can't write against a read only replica.")),
	"TRYAGAIN":                   insists(says("-TRYAGAIN Multiple keys request during rehashing of slot")),
	"UNBLOCKED":                  insists(says("-UNBLOCKED force unblock from blocking operation")),
	"MOVED to where it is":       insists(says("-MOVED 866 %s", lower)),
	"MOVED to its neighbour":     insists(says("-MOVED 866 %s", upper)),
	"MOVED to nobody":            insists(says("-MOVED 866 10.0.0.9:6379")),
	"ASK":                        insists(says("-ASK 866 %s", lower)),
}

// insists has a node react to all requests but those by which clients get to know it.
func insists(reaction fakenode.Reaction) func(n *fakenode.Node) {
	return func(n *fakenode.Node) {
		n.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			return reaction, r.Name() != "HELLO" && r.Name() != "CLUSTER SLOTS"
		})
	}
}

// Whatever is wrong, and whoever wants something: it is tried again after pauses, which are 250 ms on average once it
// has failed a few times. Without a pause these stories would never end.
func TestNothingIsTriedAgainInALoop(t *testing.T) {
	for name, grieve := range grievances {
		for _, call := range ordealCalls {
			t.Run(name+": "+call.name, func(t *testing.T) {
				var dials collected[keyslot.ConnectEvent]
				opts := keyslot.Options{Trace: &keyslot.Trace{Connected: dials.add}}
				failover(t, opts, func(t *testing.T, s *stage, client *keyslot.Client) {
					nodes := []*fakenode.Node{s.lower, s.upper, s.spare}
					for _, node := range nodes {
						confirms(node)
					}
					_, err := client.Subscribe(t.Context(), "news") // which goes on
					require.NoError(t, err)
					time.Sleep(3 * time.Second)
					for _, node := range nodes {
						grieve(node)
					}
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					_ = call.try(ctx, client, low)
					<-ctx.Done()
					requests := 0
					for _, node := range nodes {
						requests += len(node.Tape())
					}
					require.Less(t, len(dials.take()), 200, "three nodes, 40 times each")
					require.Less(t, requests, 1500, "each dial and refresh is a few, and a look, every 100 ms, two for each of two nodes")
				})
			})
		}
	}
}
