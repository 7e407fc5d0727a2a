package report_test

import (
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
	"github.com/keyslot-go/keyslot/examples/bench/internal/report"
)

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func write(w io.Writer) error { return report.Write(w, sample(contenders[0])) }
func chart(w io.Writer) error { return report.Chart(w, sample(contenders[0])) }

const attack = `</title></script><script>alert(1)</script><b onclick="x">'"&amp;{{.}}]]>` + "\x00\x1b[31m\u202e\xff\n"

// hostile returns a record that has attack wherever there is text.
func hostile() record.Record {
	r := sample(contenders[0], contenders[1])
	r.Title, r.Command, r.Machine.CPU = attack, attack, attack
	r.Server = record.Server{Endpoint: attack, Version: attack, Where: attack}
	r.Machine.OS, r.Machine.Go = attack, strings.Repeat("long", 500)
	r.Settings = append(r.Settings, record.Setting{Name: attack, Value: attack})
	for i := range r.Runs {
		run := &r.Runs[i]
		run.Client, run.Version = attack+run.Client, attack
		run.Errors = append(run.Errors, record.Error{Text: attack, Count: 3})
		run.Events = append(run.Events, record.Event{At: 50, Kind: attack, Text: attack})
		run.Phases[1].Name = attack
		for j := range run.Windows {
			run.Windows[j].Shards = []record.ShardRate{{Shard: attack, Ops: 5}}
		}
		run.Ownership[0].Shards[0].Shard = attack
	}
	return r
}

func TestTextsStayTexts(t *testing.T) {
	for name, document := range map[string]string{"page": page(t, hostile()), "picture": picture(t, hostile())} {
		t.Run(name, func(t *testing.T) {
			doc := parse(t, document)
			require.Contains(t, doc.text, `</script><script>alert(1)`, "shown as it is")
			require.LessOrEqual(t, len(doc.all("script", "")), 1)
			require.Empty(t, doc.all("b", ""))
			require.NotContains(t, document, "\x00")
			require.NotContains(t, document, "\u202e")
		})
	}
}

// oddities are records that are allowed, and hard to draw.
func oddities() map[string]record.Record {
	once := record.Latency{Count: 1, P50: 5, P90: 5, P95: 5, P99: 5, Max: 5}
	nan, inf := math.NaN(), math.Inf(1)
	broken := record.Latency{Count: 3, P50: nan, P90: inf, P95: -inf, P99: -4, Max: nan}
	of := func(runs ...record.Run) record.Record { return record.Record{Runs: runs} }
	manyShards := record.Window{Seconds: 1, Reads: once}
	for i := range 300 {
		manyShards.Shards = append(manyShards.Shards, record.ShardRate{Shard: fmt.Sprint("shard ", i), Ops: 1})
	}
	return map[string]record.Record{
		"nothing":    {},
		"empty run":  of(record.Run{}),
		"no windows": of(record.Run{Client: "keyslot", Duration: 10, Reads: once}),
		"one window": of(record.Run{Client: "keyslot", Duration: 1, Reads: once,
			Windows: []record.Window{{Seconds: 1, Reads: once}}}),
		"no length":    of(record.Run{Windows: []record.Window{{Reads: once}, {At: 1, Reads: once}}}),
		"nothing done": of(record.Run{Duration: 2, Windows: []record.Window{{Seconds: 1}, {At: 1, Seconds: 1}}}),
		"only writes":  of(record.Run{Duration: 1, Writes: once, Windows: []record.Window{{Seconds: 1, Writes: once}}}),
		"no numbers": of(record.Run{Duration: nan, Warmup: -inf, Reads: broken,
			Windows:   []record.Window{{At: nan, Seconds: inf, Reads: broken, Errors: -1}},
			Phases:    []record.Phase{{Name: "kill", At: inf, Seconds: nan, Reads: broken}},
			Events:    []record.Event{{At: nan}, {At: inf, Kind: record.Topology}},
			Usage:     record.Usage{CPUPerOp: nan, AllocsPerOp: inf, BytesPerOp: -inf, Dials: -1, Conns: -1},
			Ownership: []record.Ownership{{At: inf}, {At: -inf}}}),
		"huge counts": of(record.Run{Duration: 1e300, Reads: record.Latency{Count: math.MaxInt64, P95: 1e300},
			Windows: []record.Window{{Seconds: 1e-300, Reads: record.Latency{Count: math.MaxInt64, P50: 1e-300, P95: 1e300},
				Errors: math.MaxInt64}}}),
		"bad slots": of(record.Run{Duration: 1, Ownership: []record.Ownership{{Shards: []record.ShardSlots{
			{Shard: "a", Ranges: [][2]uint16{{9, 3}, {0, 65535}, {16383, 16383}}}, {Shard: "a"}}}}}),
		"many shards": of(record.Run{Duration: 1, Windows: []record.Window{manyShards}}),
	}
}

// well checks what has to be true of every page and picture, and returns their texts.
func well(t testing.TB, r record.Record) (text string) {
	t.Helper()
	for _, document := range []string{page(t, r), picture(t, r)} {
		require.Less(t, len(document), 4_000_000)
		doc := parse(t, document)
		doc.drawable(t)
		text += doc.text
	}
	return text
}

// drawable checks that every place and length is a number that SVG knows.
func (e *element) drawable(t testing.TB) {
	t.Helper()
	for _, name := range []string{"d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "data-x"} {
		if value := e.attrs[name]; strings.ContainsAny(value, "NIe") {
			t.Fatalf("<%s %s=%q>", e.name, name, value)
		}
	}
	for _, child := range e.children {
		child.drawable(t)
	}
}

func TestOddRecordsGiveWholePages(t *testing.T) {
	for name, r := range oddities() {
		t.Run(name, func(t *testing.T) {
			text := well(t, r)
			for _, word := range []string{"NaN", "Inf", "%!"} {
				require.NotContains(t, text, word)
			}
		})
	}
}

func TestEmptyChartsSayWhy(t *testing.T) {
	text := parse(t, page(t, oddities()["nothing done"])).text
	for _, words := range []string{"no operation ended", "no reads ended", "no writes ended", "none", "this client does not tell",
		"not recorded"} {
		require.Contains(t, text, words)
	}
	require.Contains(t, parse(t, page(t, record.Record{})).text, "Nothing was measured.")
}

func TestOneWindowIsSeen(t *testing.T) {
	doc := parse(t, page(t, oddities()["one window"]))
	lines := doc.all("path", "p95")
	require.Len(t, lines, 1)
	require.Equal(t, "M0 0H1000", lines[0].attrs["d"], "from its beginning to its end, at the top of the scale")
}

func TestManyWindowsAreThinnedAndPeaksStay(t *testing.T) {
	run := record.Run{Client: "keyslot", Duration: 10_000}
	for at := range 10_000 {
		l := record.Latency{Count: 10, P50: 100, P90: 120, P95: 150, P99: 200, Max: 300}
		run.Windows = append(run.Windows, record.Window{At: float64(at), Seconds: 1, Reads: l, Writes: l})
	}
	run.Windows[7777].Reads.P95 = 5_432_000
	run.Windows[7777].Errors = 3
	text := page(t, record.Record{Runs: []record.Run{run}})
	doc := parse(t, text)
	for _, line := range doc.all("path", "line") {
		require.LessOrEqual(t, strings.Count(line.attrs["d"], "L"), 200)
	}
	require.Contains(t, doc.text, "5,432", "a peak must not disappear")
	require.Contains(t, doc.text, "each 50 neighbours are drawn as one")
	require.Contains(t, doc.text, "3 of 3 operations failed", "counts are of the run, not of the drawing")
	require.Less(t, len(text), 500_000)
}

func FuzzWrite(f *testing.F) {
	f.Add(1.0, 1.0, 10.0, 100.0, int64(3), uint16(7), "shard 1")
	f.Add(math.NaN(), math.Inf(1), -1.0, math.SmallestNonzeroFloat64, int64(math.MinInt64), uint16(16384), "\xff<")
	f.Add(1e300, 1e-300, math.MaxFloat64, 1e-9, int64(math.MaxInt64), uint16(16383), attack)
	f.Fuzz(func(t *testing.T, at, long, a, b float64, n int64, slot uint16, text string) {
		l := record.Latency{Count: n, P50: a, P90: b, P95: at, P99: long, Max: a}
		run := record.Run{
			Client: text, Conns: text, Warmup: b, Duration: long, Reads: l, Writes: l,
			Errors: []record.Error{{Text: text, Count: n}},
			Windows: []record.Window{{At: at, Seconds: long, Reads: l, Errors: n,
				Shards: []record.ShardRate{{Shard: text, Ops: n}}}, {At: a, Seconds: b, Writes: l, Redirects: n}},
			Phases: []record.Phase{{Name: "before", Seconds: at, Reads: l},
				{Name: text, At: at, Seconds: b, Writes: l, Errors: n}},
			Events: []record.Event{{At: a, Kind: record.Experiment, Text: text}, {At: b, Kind: record.Topology},
				{At: long, Kind: text}},
			Ownership: []record.Ownership{{At: at, Shards: []record.ShardSlots{{Shard: text, Ranges: [][2]uint16{{slot, slot}}}}},
				{At: a, Shards: []record.ShardSlots{{Shard: "x", Ranges: [][2]uint16{{0, slot}}}}}},
			Usage: record.Usage{CPUPerOp: a, AllocsPerOp: b, BytesPerOp: at, Dials: n, Conns: int(slot)},
		}
		other := run
		other.Conns, other.Repetition = "per-call", 2
		r := record.Record{Title: text, Runs: []record.Run{run, other, other},
			Machine: record.Machine{Load: a, Memory: n, CPUs: int(slot)}}
		well(t, r)
	})
}
