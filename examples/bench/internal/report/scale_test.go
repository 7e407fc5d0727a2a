package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

func TestTicksAreRound(t *testing.T) {
	for _, c := range []struct {
		name  string
		scale scale
		want  []string
	}{
		{"latencies that are close", latencyScale([]float64{310, 870, 0}),
			[]string{"0 µs", "200 µs", "400 µs", "600 µs", "800 µs", "1 ms"}},
		{"latencies far apart", latencyScale([]float64{0, 180, 5900}),
			[]string{"100 µs", "200 µs", "500 µs", "1 ms", "2 ms", "5 ms", "10 ms"}},
		{"many decades", latencyScale([]float64{3, 2_000_000}),
			[]string{"1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"}},
		{"no latencies", latencyScale(nil), []string{"0 µs", "1 µs"}},
		{"one error", whole(1, fewTicks), []string{"0", "1"}},
		{"three errors", whole(3, fewTicks), []string{"0", "2", "4"}},
		{"many redirects", whole(1480, fewTicks), []string{"0", "1,000", "2,000"}},
		{"operations", whole(21_500, manyTicks), []string{"0", "5,000", "10k", "15k", "20k", "25k"}},
		{"few operations", whole(3, manyTicks), []string{"0", "1", "2", "3"}},
		{"none", whole(0, fewTicks), []string{"0", "1"}},
		{"two minutes", timeScale(120), []string{"0 s", "30 s", "60 s", "90 s", "120 s"}},
		{"forty seconds", timeScale(40), []string{"0 s", "10 s", "20 s", "30 s", "40 s"}},
		{"half a second", timeScale(0.5), []string{"0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s", "0.5 s"}},
		{"an odd end", timeScale(61.7), []string{"0 s", "15 s", "30 s", "45 s", "60 s"}},
		{"half an hour", timeScale(1800), []string{"0 min", "10 min", "20 min", "30 min"}},
		{"a day", timeScale(86400), []string{"0 h", "12 h", "24 h"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var words []string
			for _, tick := range c.scale.ticks {
				words = append(words, plain(c.scale.spell(tick)))
			}
			require.Equal(t, c.want, words)
		})
	}
}

// plain has usual spaces.
func plain(text string) string { return strings.ReplaceAll(text, gap, " ") }

func TestScalesHaveRoomForTheirValues(t *testing.T) {
	for low := 1e-4; low < 1e12; low *= 3.7 {
		for _, times := range []float64{1, 1.01, 2, 9.99, 40, 12345, 1e7} {
			high := low * times
			t.Run(fmt.Sprint(low, high), func(t *testing.T) {
				for _, s := range []scale{latencyScale([]float64{low, high}), linear(high, manyTicks), whole(high, fewTicks),
					timeScale(high)} {
					require.LessOrEqual(t, len(s.ticks), 12)
					require.InDelta(t, 0.5, s.at(low), 0.5)
					require.InDelta(t, 0.5, s.at(high), 0.5)
					require.GreaterOrEqual(t, s.at(high), s.at(low))
					require.GreaterOrEqual(t, s.high, high*(1-1e-9))
				}
			})
		}
	}
}

func TestNumbersInWords(t *testing.T) {
	for want, got := range map[string]string{
		"850 µs": latency(850.4), "1 ms": latency(999.9), "1.25 ms": latency(1250), "2 s": latency(2e6), "0.5 µs": latency(0.5),
		"0.085": milliseconds(85), "12.30": milliseconds(12300), "123.4": milliseconds(123_400), "22,233": milliseconds(22_233_100),
		"412,000": count(412_000), "999": count(999), "1,000,000": count(1e6), "20k": rate(20_000), "1.5M": rate(1.5e6),
		"5,000": rate(5000),
		"0 %":   share(0, 10), "< 0.001 %": share(1, 1e9), "12.5 %": share(1, 8),
		"1200": short(ceiling(1190)), "1300": short(ceiling(1200)), "0.82": short(ceiling(0.811)),
	} {
		require.Equal(t, want, plain(got))
	}
}

// Names above a plot are told apart on the narrowest screen, whatever is tested when.
func TestNamesNeverOverlap(t *testing.T) {
	for _, starts := range [][]float64{{0}, {33, 67}, {10, 11, 12, 13}, {95, 98}, {0, 50, 99, 100}, {100}} {
		for _, name := range []string{"kill", "scale-out", "a name that is much too long for any label"} {
			var spans []span
			for _, from := range starts {
				spans = append(spans, span{name, from, from + 1})
			}
			axis := timeScale(100)
			h := newHappenings(spans, nil, pageLetter, axis)
			require.GreaterOrEqual(t, h.rows[0], 0)
			for i := range spans {
				from, to := h.extent(i, axis)
				require.GreaterOrEqual(t, from, 0.0)
				require.LessOrEqual(t, to, 100.0)
				for j := range i {
					left, right := h.extent(j, axis)
					apart := to <= left || right <= from
					require.True(t, h.rows[i] < 0 || h.rows[i] != h.rows[j] || apart, "%v: %d and %d", starts, i, j)
				}
			}
		}
	}
}

func TestResharding16384TimesIsDrawnSparsely(t *testing.T) {
	var maps []record.Ownership
	for slot := range 16384 {
		maps = append(maps,
			record.Ownership{At: float64(slot) / 163.84,
				Shards: []record.ShardSlots{{Shard: "shard 2", Ranges: [][2]uint16{{0, uint16(slot)}}}}})
	}
	drawn := sparse(maps, 100)
	require.LessOrEqual(t, len(drawn), 2*mostMaps+2)
	require.Equal(t, maps[0], drawn[0])
	require.Equal(t, maps[len(maps)-1], drawn[len(drawn)-1])
}

// Sixteen operations that were under way when somebody interrupted, a millisecond after the end of a window, are no rate.
func TestAWindowThatWasCutShortSetsNoScale(t *testing.T) {
	window := func(at, seconds float64, n int64) record.Window {
		return record.Window{
			At: at, Seconds: seconds, Reads: record.Latency{Count: n, P50: 100, P95: 200},
			Shards: []record.ShardRate{{Shard: "shard 1", Ops: n}},
		}
	}
	all := group([]record.Run{{
		Client: "keyslot", Conns: reuse, Duration: 2.001, CutShort: true,
		Windows: []record.Window{window(0, 1, 900), window(1, 1, 900), window(2, 0.001, 16)},
	}})
	st := newStage(all)
	require.Equal(t, 1000.0, st.ops.high)
	require.Contains(t, string(st.rateStrip().Figures[0].Picture), "between 900 and 900 operations per second")
	require.Equal(t, "at the end shard 1 900 per second", all[0].shardSummary())
	require.Len(t, st.latencyStrip(kinds[0]).Figures[0].Numbers.Rows, 3, "how long they took is shown all the same")
}
