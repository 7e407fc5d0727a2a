package keyslot_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What a function on AWS Lambda needs of a client that is made outside its handler: see "Lambda" in DESIGN.md. A freeze
// is time that passes while nobody uses the client; examples/lambda stops a real process.

// ours matches a goroutine that keyslot has started, and not its tests.
var ours = regexp.MustCompile(`(?m)^created by github\.com/keyslot-go/keyslot(\.|/internal/wire\.)`)

// goroutines returns the stacks of those that keyslot has started and that have not ended.
func goroutines() (stacks []string) {
	buf := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if ours.MatchString(stack) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// started is how many goroutines were ever started, those of timers included. It skips the test where the
// runtime does not count.
func started(t *testing.T) uint64 {
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		t.Skip("skipped: this Go does not count the goroutines that are started")
	}
	return sample[0].Value.Uint64()
}

// collectorOff stops the garbage collector until the test has ended: it starts goroutines of its own, its first cycle
// one a processor.
func collectorOff(t *testing.T) {
	percent := debug.SetGCPercent(-1)
	runtime.GC() // one that is under way ends
	t.Cleanup(func() { debug.SetGCPercent(percent) })
}

// oneRecord is a DNS that knows one address, that of lower.
type oneRecord struct{ asked atomic.Int32 }

func (d *oneRecord) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	d.asked.Add(1)
	return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
}

func TestALazyClientDoesNothingUntilItIsUsed(t *testing.T) {
	collectorOff(t)
	synctest.Test(t, func(t *testing.T) {
		network := fakenode.New()
		defer network.Close()
		s := &stage{net: network, lower: network.Node(lower), upper: network.Node(upper)}
		s.lower.On("GET", says("+v"))
		network.Topology(1, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
		var dns oneRecord
		var logins atomic.Int32
		client, err := keyslot.New(t.Context(), keyslot.Options{
			Lazy: true, Endpoints: []string{"cfg.test:6379"}, Resolver: &dns, Dial: s.dial,
			Credentials: func(context.Context, keyslot.Node) (string, string, error) {
				logins.Add(1)
				return "app", "secret", nil
			},
		})
		require.NoError(t, err)
		defer client.Close()

		before := started(t)
		time.Sleep(24 * time.Hour)
		require.Equal(t, before, started(t), "no timer")
		require.Empty(t, goroutines())
		require.Zero(t, dns.asked.Load()+logins.Load())

		for range 100 {
			_, err = client.Get(t.Context(), low)
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, s.dialsTo(lower).Load(), "what has told the map serves too")
		require.Zero(t, s.dialsTo(upper).Load(), "nobody needs it")
		require.EqualValues(t, 1, logins.Load())
	})
}

// Whatever an invocation has done, soon after its last command there is nothing that a freeze could hold up.
func TestBetweenInvocationsNothingRuns(t *testing.T) {
	collectorOff(t)
	story(t, keyslot.Options{Lazy: true}, func(t *testing.T, s *stage) {
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.On("SET", says("+OK"))
			node.On("GET", says("+v"))
		}
		for _, pause := range []time.Duration{0, 1, 10, 100, 200, 240} {
			for range 100 {
				require.NoError(t, s.client.Set(t.Context(), low, "v"))
			}
			p := s.client.Pipeline()
			p.Get(low)
			p.Get(up)
			require.NoError(t, p.Exec(t.Context()))
			time.Sleep(pause * time.Millisecond)
			require.NoError(t, s.client.Set(t.Context(), low, "v"))
			time.Sleep(300 * time.Millisecond)
			synctest.Wait()

			before, writes := started(t), s.writes.Load()
			left := goroutines()
			require.Len(t, left, 2, "one for each connection")
			for _, stack := range left {
				require.Contains(t, stack, "wire.(*Conn).step", "it reads")
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, before, started(t), "no timer has fired")
			require.Equal(t, writes, s.writes.Load())
		}
		require.EqualValues(t, 1, s.dialsTo(lower).Load())
		require.EqualValues(t, 1, s.dialsTo(upper).Load())
	})
}

// While the function stood still its connections were forgotten on the way, or ended by the server. The first command
// is a write that may not run twice, and is sent where it is answered, only.
func TestAfterAFreezeNoWriteIsRisked(t *testing.T) {
	for name, lose := range map[string]func(s *stage){
		"forgotten": func(s *stage) {
			s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return stuck(), r.Conn == 0 })
		},
		"ended": func(s *stage) { s.lower.CutConn(0, fakenode.FIN) },
		"reset": func(s *stage) { s.lower.CutConn(0, fakenode.RST) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{Lazy: true, IdleProbe: time.Second}, func(t *testing.T, s *stage) {
				s.lower.On("INCR", says(":1"))
				_, err := s.client.Incr(t.Context(), low)
				require.NoError(t, err)
				time.Sleep(10 * time.Minute)
				lose(s)

				thawed := time.Now()
				_, err = s.client.Incr(t.Context(), low)
				require.NoError(t, err)
				require.LessOrEqual(t, time.Since(thawed), 750*time.Millisecond)
				written := sent(s.lower, "INCR")
				require.Len(t, written, 2)
				require.Equal(t, []int{0, 1}, []int{written[0].Conn, written[1].Conn})
				require.EqualValues(t, 2, s.dialsTo(lower).Load())
			})
		})
	}
}

// SIGTERM leaves a function some 300 ms.
func TestShutdownTakesLeaveOfTheServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, node := oneNode()
		defer network.Close()
		node.On("GET", says("+v"))
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: network.Dial, ConnsPerNode: 8})
		require.NoError(t, err)
		for i := 0; node.Open() < 8; i++ { // of one connection, an end in order may be luck
			_, err := client.Get(t.Context(), fmt.Sprint("key-", i))
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		began := time.Now()
		require.NoError(t, client.Shutdown(within(t, 300*time.Millisecond)))
		require.Equal(t, began, time.Now(), "nothing is waited for")
		synctest.Wait()
		for conn := range 8 {
			require.ErrorIs(t, node.Ended(conn), io.EOF, "no reset")
		}
		require.Empty(t, goroutines())
	})
}

// oneNode returns a network with a node that owns all slots.
func oneNode() (*fakenode.Net, *fakenode.Node) {
	network := fakenode.New()
	network.Topology(1, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}})
	return network, network.Node(lower)
}

// onSocket returns a client of one node that listens on a socket, both for the length of the test.
func onSocket(t *testing.T) (*keyslot.Client, *fakenode.Node) {
	network, node := oneNode()
	t.Cleanup(network.Close)
	addr, err := node.Listen()
	require.NoError(t, err)
	return connect(t, keyslot.Options{Endpoints: []string{addr}, MapAddr: func(keyslot.Node) string { return addr }}), node
}

// A reply that nobody waits for any longer holds Shutdown up for a moment only.
func TestShutdownDoesNotWaitForAServerThatStandsStill(t *testing.T) {
	story(t, keyslot.Options{Lazy: true}, func(t *testing.T, s *stage) {
		s.lower.On("GET", stuck())
		_, err := s.client.Get(within(t, time.Second), low)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		began := time.Now()
		require.NoError(t, s.client.Shutdown(t.Context()))
		require.Equal(t, 200*time.Millisecond, time.Since(began))
	})
}
