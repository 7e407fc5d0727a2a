package live

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/load"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

var sequences = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

func sample() State {
	window := record.Window{At: 10, Seconds: 5, Reads: record.Latency{Count: 50_000, P50: 120, P99: 2500}, Errors: 1,
		Shards: []record.ShardRate{{Shard: "shard 1", Ops: 40_000}, {Shard: "shard 2", Ops: 10_000}}}
	return State{
		Title: "keyslot, reuse, run 1 of 6", Duration: time.Minute, Measuring: true,
		Live: load.Live{Window: window, Rate: 10_000, Errors: 1, Redirects: 1234},
		Owners: record.Ownership{Shards: []record.ShardSlots{
			{Shard: "shard 1", Node: "127.0.0.1:7001", Ranges: [][2]uint16{{4096, 16383}}},
			{Shard: "shard 2", Node: "127.0.0.1:7002", Ranges: [][2]uint16{{0, 4095}}},
		}},
		Events: []record.Event{{At: 9.5, Kind: record.Experiment, Text: "scale-out began"}},
	}
}

func TestNoLineIsLongerThanTheTerminalIsWide(t *testing.T) {
	for _, width := range []int{1, 10, 40, 79, 80, 200} {
		for _, line := range picture(sample(), width) {
			shown := sequences.ReplaceAllString(line, "")
			require.LessOrEqual(t, utf8.RuneCountInString(shown), width, "%q", shown)
		}
	}
}

func TestThePictureShowsRatesSlotsAndEvents(t *testing.T) {
	shown := sequences.ReplaceAllString(strings.Join(picture(sample(), 100), "\n"), "")
	require.Regexp(t, `reads +10,000 +120us .* 2\.50ms`, shown)
	require.Regexp(t, `shard 2 +2,000/s +4096 slots  127\.0\.0\.1:7002`, shown)
	require.Contains(t, shown, "0:15 of 1:00")
	require.Contains(t, shown, "errors 1   redirects 1,234")
	require.Contains(t, shown, "9.5 s  experiment scale-out began")
	require.Equal(t, 1, mostOf(sample().Owners, 0, 8190), "half of them and one are shard 2's")
}

func TestElsewhereThereAreLines(t *testing.T) {
	var out bytes.Buffer
	v := New(&out)
	s := sample()
	v.Show(s)
	require.Empty(t, out.String())
	v.Window(s, s.Live.Window)
	v.Event(s, s.Events[0])
	require.Equal(t, 2, strings.Count(out.String(), "\n"))
	require.NotContains(t, out.String(), "\x1b")
}

func TestThePictureIsRepaintedInPlace(t *testing.T) {
	var out bytes.Buffer
	v := New(&out)
	v.size = func() (int, int) { return 60, 8 }
	v.Show(sample())
	require.Equal(t, 7, strings.Count(out.String(), "\n"), "it leaves a line for what follows")
	out.Reset()
	v.Say("hello")
	require.True(t, strings.HasPrefix(out.String(), "\x1b[7A\r\x1b[J"))
	require.Contains(t, out.String(), "hello\n")
	v.Close()
	require.True(t, strings.HasSuffix(out.String(), ShowCursor))
}
