package keyslot_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Maps that are wrong, and nodes that lie (see docs/hostile.md). What each answer is worth is judged in
// slotchoice_test.go.

func TestAMapThatMakesNoSenseIsNamedAtTheStart(t *testing.T) {
	node := []string{lower}
	for name, slots := range map[string]string{
		"a slot too many":        fakenode.Slots(fakenode.Shard{First: 0, Last: 16384, Nodes: node}),
		"a negative slot":        fakenode.Slots(fakenode.Shard{First: -1, Last: 16383, Nodes: node}),
		"the end in front":       fakenode.Slots(fakenode.Shard{First: 9, Last: 8, Nodes: node}),
		"nobody's range":         fakenode.Slots(fakenode.Shard{First: 0, Last: 16383}),
		"port 0 to 65536":        fakenode.Slots(fakenode.Shard{First: 0, Last: 16383, Nodes: []string{"10.0.0.1:65536"}}),
		"a name with a line end": fakenode.Slots(fakenode.Shard{First: 0, Last: 16383, Nodes: []string{"10.0.0.1\r\n:6379"}}),
		"a map of no slots":      "*0\r\n",
		"no map":                 "+OK\r\n",
		"a null":                 "_\r\n",
		"an error":               "-ERR no map today\r\n",
		"depth":                  "*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.upper.On("CLUSTER SLOTS", fakenode.Reaction{Send: slots})
				_, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{upper}, Dial: s.dial})
				require.ErrorAs(t, err, new(*keyslot.BootstrapError))
				var wrong *keyslot.TopologyError
				require.ErrorAs(t, err, &wrong)
				require.Equal(t, upper, wrong.Node)
				require.Less(t, len(err.Error()), 500)
			})
		})
	}
}

func TestOfOverlappingRangesTheLastOneCounts(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}},
			fakenode.Shard{First: 9000, Last: 9000, Nodes: []string{upper}})
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: s.dial})
		require.NoError(t, err)
		defer client.Close()
		s.lower.On("GET", value)
		s.upper.On("GET", value)
		for _, key := range []string{low, up} {
			_, err := client.Get(t.Context(), key)
			require.NoError(t, err)
		}
		require.Len(t, sent(s.lower, "GET"), 1)
		require.Len(t, sent(s.upper, "GET"), 1)
	})
}

// One of three primaries lies, each time it is asked. Commands go where the others say.
func TestALyingNodeIsOutvoted(t *testing.T) {
	const stranger = "10.0.0.8:6379"
	third := fakenode.Shard{First: 12000, Last: 16383, Nodes: []string{spare}}
	honest := []fakenode.Shard{{First: 0, Last: 8191, Nodes: []string{lower}}, {First: 8192, Last: 11999, Nodes: []string{upper}}, third}
	everything := func(addr string) []fakenode.Shard {
		return []fakenode.Shard{{First: 0, Last: 16383, Nodes: []string{addr}}}
	}
	for name, lie := range map[string]struct {
		epoch int
		slots []fakenode.Shard
	}{
		"an old map":                            {3, everything(upper)},
		"half of the map":                       {5, honest[1:2]},
		"half of the map, and a high epoch":     {99, honest[1:2]},
		"no map":                                {99, nil},
		"all slots for itself":                  {5, everything(upper)},
		"all slots for a stranger":              {5, everything(stranger)},
		"the map of another cluster":            {5, []fakenode.Shard{{First: 0, Last: 16383, Nodes: []string{stranger, "10.0.0.7:6379"}}}},
		"the map of another cluster, far ahead": {99, []fakenode.Shard{{First: 0, Last: 16383, Nodes: []string{stranger, "10.0.0.7:6379"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.net.Topology(5, honest...)
				s.lower.On("GET", value)
				s.net.Node(spare).On("GET", value)
				client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: s.dial, RefreshAfter: time.Second})
				require.NoError(t, err)
				defer client.Close()
				s.upper.On("CLUSTER INFO", says("$%d\r\ncluster_state:ok\r\ncluster_current_epoch:%d",
					len(fmt.Sprintf("cluster_state:ok\r\ncluster_current_epoch:%d", lie.epoch)), lie.epoch))
				s.upper.On("CLUSTER SLOTS", fakenode.Reaction{Send: fakenode.Slots(lie.slots...)})
				s.upper.On("GET", value)
				for range 40 {
					for _, key := range []string{low, "plum", up} { // of lower, upper and spare
						_, err := client.Get(t.Context(), key)
						require.NoError(t, err)
					}
					time.Sleep(1100 * time.Millisecond)
				}
				require.NotEmpty(t, sent(s.upper, "CLUSTER SLOTS"), "it was asked")
				require.Zero(t, s.dialled(t, stranger))
				require.Equal(t, 16384, client.Topology().Covered)
				require.EqualValues(t, 5, client.Topology().Epoch)
			})
		})
	}
}
