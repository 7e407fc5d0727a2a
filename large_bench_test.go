package keyslot_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// BenchmarkSmallBesideLarge reports what 64 MiB values cost those who read 64 bytes from the same nodes: the 99th
// percentile of a GET quiet, beside a goroutine that reads or writes one large value after the other, apart, where that
// goroutine has a client of its own, and elsewhere, where it has a process of its own. Elsewhere is what the servers and
// the machine cost, whatever a client does: a server that copies 64 MiB serves nobody meanwhile. It needs real servers.
func BenchmarkSmallBesideLarge(b *testing.B) {
	cluster := realcluster.Start(b, realcluster.Options{})
	client, apart := benchClient(b, cluster.Addrs()), benchClient(b, cluster.Addrs())
	for i := range smallKeys {
		require.NoError(b, client.Set(b.Context(), fmt.Sprint("small:", i), strings.Repeat("x", 64)))
	}
	commands := largeCommands(b)
	require.NoError(b, commands["SET"](client))
	for name, large := range commands {
		for _, small := range []smallLoad{{callers: 1}, {callers: 8}, {callers: 8, every: 5 * time.Millisecond}} {
			b.Run(fmt.Sprintf("%s/callers=%d/every=%v", name, small.callers, small.every), func(b *testing.B) {
				besideLarge(b, client, small, map[string]startLarge{
					"quiet":     func() (stop func()) { return func() {} },
					"beside":    func() (stop func()) { return repeat(b, large, client) },
					"apart":     func() (stop func()) { return repeat(b, large, apart) },
					"elsewhere": func() (stop func()) { return repeatElsewhere(b, name, cluster.Addrs()) },
				})
			})
		}
	}
}

// BenchmarkLargeValues reports how fast large values come and go, with one caller and with four, each with a key of its
// own. It needs real servers.
func BenchmarkLargeValues(b *testing.B) {
	client := benchClient(b, realcluster.Start(b, realcluster.Options{}).Addrs())
	for _, size := range []int{256 << 10, 1 << 20, 8 << 20, 64 << 20} {
		value := strings.Repeat("x", size)
		for op, run := range map[string]func(key string) error{
			"SET": func(key string) error { return client.Set(b.Context(), key, value) },
			"GET": func(key string) error { _, err := client.Get(b.Context(), key); return err },
		} {
			for _, callers := range []int{1, 4} {
				b.Run(fmt.Sprintf("%s/%dKiB/callers=%d", op, size>>10, callers), func(b *testing.B) {
					eachOfLarge(b, client, callers, value, run)
				})
			}
		}
	}
}

// eachOfLarge lets each of the callers run a command b.N times, on a key that holds value.
func eachOfLarge(b *testing.B, client *keyslot.Client, callers int, value string, run func(key string) error) {
	for i := range callers {
		require.NoError(b, client.Set(b.Context(), fmt.Sprint("large:", i), value))
	}
	b.SetBytes(int64(len(value) * callers))
	b.ResetTimer()
	var work sync.WaitGroup
	for i := range callers {
		work.Go(func() {
			for range b.N {
				if err := run(fmt.Sprint("large:", i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	work.Wait()
}

func benchClient(tb testing.TB, addrs []string) *keyslot.Client {
	client, err := keyslot.New(tb.Context(), keyslot.Options{Endpoints: addrs, CommandTimeout: time.Minute})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// largeCommands returns the commands with a value of 64 MiB, by name. They share the value, so that only one may run at a time.
func largeCommands(tb testing.TB) map[string]func(*keyslot.Client) error {
	value := make([]byte, 64<<20)
	return map[string]func(*keyslot.Client) error{
		"GET": func(c *keyslot.Client) error { _, err := c.GetAppend(tb.Context(), value[:0], "large"); return err },
		"SET": func(c *keyslot.Client) error { return c.SetBytes(tb.Context(), "large", value) },
	}
}

// startLarge starts a large load, and returns what ends it.
type startLarge func() (stop func())

func repeat(tb testing.TB, large func(*keyslot.Client) error, client *keyslot.Client) (stop func()) {
	var over atomic.Bool
	var work sync.WaitGroup
	work.Go(func() {
		for !over.Load() {
			if err := large(client); err != nil {
				tb.Error(err)
			}
		}
	})
	return func() {
		over.Store(true)
		work.Wait()
	}
}

// largeElsewhere is, in the environment of a process for a large load, the command and the cluster.
const largeElsewhere = "KEYSLOT_TEST_LARGE"

// repeatElsewhere runs TestLargeElsewhere, and returns when its load has begun.
func repeatElsewhere(b *testing.B, name string, addrs []string) (stop func()) {
	other := exec.Command(os.Args[0], "-test.run=^TestLargeElsewhere$")
	other.Env = append(os.Environ(), largeElsewhere+"="+strings.Join(append([]string{name}, addrs...), " "))
	stdin, err := other.StdinPipe()
	require.NoError(b, err)
	stdout, err := other.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, other.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	return func() {
		_ = stdin.Close()
		require.NoError(b, other.Wait())
	}
}

// TestLargeElsewhere is no test but a process with a large load. It says when that begins, and ends with its input.
func TestLargeElsewhere(t *testing.T) {
	if os.Getenv(largeElsewhere) == "" {
		t.Skip("runs as a process of BenchmarkSmallBesideLarge")
	}
	args := strings.Fields(os.Getenv(largeElsewhere))
	large, client := largeCommands(t)[args[0]], benchClient(t, args[1:])
	require.NoError(t, large(client))
	fmt.Println("begun")
	defer repeat(t, large, client)()
	_, _ = os.Stdin.Read(make([]byte, 1))
}

const smallKeys = 100 // over all nodes

// smallLoad are callers that start a GET every so often each; 0 means one after the other.
type smallLoad struct {
	callers int
	every   time.Duration
}

// besideLarge runs b.N small GETs beside each of the large loads; turn by turn, because a shared machine is not the
// same from one second to the next.
func besideLarge(b *testing.B, client *keyslot.Client, small smallLoad, beside map[string]startLarge) {
	const turns = 4
	took := map[string][]time.Duration{}
	for range turns {
		for name, start := range beside {
			stop := start()
			took[name] = append(took[name], small.run(b, client, b.N/turns+1)...)
			stop()
		}
	}
	b.ReportMetric(0, "ns/op")
	for name := range beside {
		b.ReportMetric(p99(took[name]), name+"-p99-us")
	}
	b.ReportMetric(p99(took["beside"])/p99(took["quiet"]), "to-quiet")
	b.ReportMetric(p99(took["beside"])/p99(took["elsewhere"]), "to-elsewhere")
}

// run returns how long each of n GETs took.
func (l smallLoad) run(b *testing.B, client *keyslot.Client, n int) []time.Duration {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var callers sync.WaitGroup
	for range l.callers {
		callers.Go(func() {
			begin := time.Now()
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if l.every == 0 {
					begin = time.Now()
				} else {
					time.Sleep(time.Until(begin)) // who is late starts at once, and has waited since
				}
				if _, err := client.Get(b.Context(), fmt.Sprint("small:", i%smallKeys)); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(begin)
				begin = begin.Add(l.every)
			}
		})
	}
	callers.Wait()
	return took
}

// p99 returns the 99th percentile in microseconds.
func p99(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)*99/100].Nanoseconds()) / 1e3
}
