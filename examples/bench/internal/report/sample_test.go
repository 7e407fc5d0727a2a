package report_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// contender is how a client of the sample behaves.
type contender struct {
	client, version, conns string
	median                 float64 // microseconds of a read
	rate                   int64   // operations per second
	stalls                 bool    // through the failover, and fails
}

var contenders = []contender{
	{"keyslot", "v0.0.0-20261121", "reuse", 180, 21_000, false},
	{"keyslot", "v0.0.0-20261121", "per-call", 1350, 2_900, false},
	{"goredis", "v9.23.0", "reuse", 230, 17_500, true},
	{"rueidis", "v1.0.79", "reuse", 190, 20_200, true},
}

const (
	sampleSeconds = 120
	sampleWindow  = 2
	sampleSlots   = 16384
)

// sample returns a record as a benchmark leaves it: a scale-out at a third, a failover at two thirds of the time, three
// repetitions of each contender.
func sample(contenders ...contender) record.Record {
	r := record.Record{
		Title: "Scale-out from one shard to two, and a failover",
		Command: "go run ./examples/bench -local -duration 2m -scale-out-at 40s -failover-at 80s " +
			"-client keyslot,goredis,rueidis -repeat 3 -report report.html",
		Started: time.Date(2026, 11, 21, 16, 5, 0, 0, time.UTC),
		Machine: record.Machine{OS: "linux/amd64", CPU: "AMD EPYC 7571", CPUs: 2, Memory: 8 << 30, Go: "go1.26.0", Load: 0.42},
		Server: record.Server{Endpoint: "127.0.0.1:30001", Version: "redis-server 7.0.15",
			Where: "loopback, 1 shard with 1 replica each"},
		Settings: []record.Setting{
			{Name: "workers", Value: "64, closed loop"}, {Name: "reads to writes", Value: "4 to 1"},
			{Name: "keys", Value: "100,000, zipf"},
			{Name: "value size", Value: "512 bytes"}, {Name: "window", Value: "2s"}, {Name: "warm-up", Value: "5s"},
		},
	}
	for repetition := 1; repetition <= 3; repetition++ {
		for i, c := range contenders {
			r.Runs = append(r.Runs, c.run(repetition, rand.New(rand.NewPCG(uint64(repetition), uint64(i)))))
		}
	}
	return r
}

func (c contender) run(repetition int, random *rand.Rand) record.Run {
	run := record.Run{
		Client: c.client, Version: c.version, Conns: c.conns, Repetition: repetition, Warmup: 5, Duration: sampleSeconds,
		Usage: record.Usage{CPUPerOp: c.median / 12, AllocsPerOp: 1.2, BytesPerOp: 640, Dials: 6, Conns: 4},
	}
	for at := 0; at < sampleSeconds; at += sampleWindow {
		run.Windows = append(run.Windows, c.window(at, random))
	}
	run.Phases = []record.Phase{
		c.phase("before", 0, 40, run.Windows), c.phase("scale-out", 40, 58, run.Windows),
		c.phase("after scale-out", 58, 80, run.Windows),
		c.phase("failover", 80, 84, run.Windows), c.phase("after failover", 84, 120, run.Windows),
	}
	whole := c.phase("", 0, sampleSeconds, run.Windows)
	run.Reads, run.Writes = whole.Reads, whole.Writes
	if whole.Errors > 0 {
		run.Errors = []record.Error{{Text: "not executed: CLUSTERDOWN The cluster is down", Count: whole.Errors - 7},
			{Text: "unknown outcome: connection reset", Count: 7}}
	}
	for at := 0; at <= 36; at++ {
		run.Ownership = append(run.Ownership, ownership(float64(40+at)-float64(at)/2, 8192*at/36))
	}
	run.Ownership[0].At = 0
	run.Events = c.events(whole.Errors)
	return run
}

// window is two seconds; what happens to the cluster shows.
func (c contender) window(at int, random *rand.Rand) record.Window {
	slow, moved := 1+0.15*random.Float64(), 0.0
	w := record.Window{At: float64(at), Seconds: sampleWindow}
	if at >= 40 {
		moved = min(0.5, float64(at-40)/36)
	}
	switch {
	case at >= 40 && at < 58:
		slow *= 1.5
		w.Redirects = 80 + random.Int64N(400)
	case at >= 80 && at < 84:
		slow *= 4
		w.Redirects = 900
		if c.stalls {
			slow *= 6
			w.Errors = 300 + random.Int64N(200)
		}
	}
	ops := int64(sampleWindow * float64(c.rate) * (1 + moved/2) / slow)
	if c.stalls && at == 82 {
		ops = 0
	}
	w.Reads = c.latency(ops*4/5, slow*(1-moved/3), random)
	w.Writes = c.latency(ops/5, slow*(1-moved/3)*1.25, random)
	if c.client == "keyslot" {
		second := int64(float64(ops) * moved)
		w.Shards = []record.ShardRate{{Shard: "shard 1", Ops: ops - second}, {Shard: "shard 2", Ops: second}}
	}
	return w
}

func (c contender) latency(n int64, slow float64, random *rand.Rand) record.Latency {
	if n == 0 {
		return record.Latency{}
	}
	p50 := c.median * slow * (1 + 0.08*random.Float64())
	p95 := p50 * (1.7 + 0.3*random.Float64())
	return record.Latency{Count: n, P50: p50, P90: p50 * 1.45, P95: p95, P99: p95 * (1.6 + random.Float64()), Max: p95 * 9}
}

func (c contender) phase(name string, from, to int, windows []record.Window) record.Phase {
	p := record.Phase{Name: name, At: float64(from), Seconds: float64(to - from)}
	for _, w := range windows[from/sampleWindow : to/sampleWindow] {
		p.Errors += w.Errors
		for _, sum := range []struct {
			into *record.Latency
			of   record.Latency
		}{{&p.Reads, w.Reads}, {&p.Writes, w.Writes}} {
			part := float64(sum.of.Count) / float64(max(1, sum.into.Count+sum.of.Count))
			mix := func(a, b float64) float64 { return a*(1-part) + b*part }
			*sum.into = record.Latency{
				Count: sum.into.Count + sum.of.Count, P50: mix(sum.into.P50, sum.of.P50), P90: mix(sum.into.P90, sum.of.P90),
				P95: mix(sum.into.P95, sum.of.P95), P99: mix(sum.into.P99, sum.of.P99), Max: max(sum.into.Max, sum.of.Max),
			}
		}
	}
	return p
}

func (c contender) events(failed int64) []record.Event {
	events := []record.Event{
		{At: 0, Kind: record.Topology, Text: "shard 1 at 127.0.0.1:30001"},
		{At: 40, Kind: record.Experiment, Text: "scale-out began"},
		{At: 40.2, Kind: record.Experiment, Text: "a primary without slots has joined at 127.0.0.1:30003"},
		{At: 40.6, Kind: record.Topology, Text: "shard 1 at 127.0.0.1:30001, shard 2 at 127.0.0.1:30003"},
		{At: 58, Kind: record.Experiment, Text: "scale-out ended, 18.0 s after it began"},
		{At: 80, Kind: record.Experiment, Text: "failover began"},
		{At: 80.9, Kind: record.Topology, Text: "shard 1 at 127.0.0.1:30002, shard 2 at 127.0.0.1:30003"},
		{At: 84, Kind: record.Experiment, Text: "failover ended, 4.0 s after it began"},
	}
	for at := 41; at < 58; at += 5 {
		events = append(events,
			record.Event{At: float64(at), Kind: record.Redirect, Text: fmt.Sprintf("ASK, %d times in 5.0 s", 300+at)},
			record.Event{At: float64(at) + 0.3, Kind: record.Refresh, Text: "moved"})
	}
	if failed > 0 {
		events = append(events,
			record.Event{At: 80.4, Kind: record.Failure, Text: fmt.Sprintf("CLUSTERDOWN, %d times in 2.2 s", failed)})
	}
	return events
}

// ownership gives the second shard so many slots, from the front of the first one's.
func ownership(at float64, moved int) record.Ownership {
	o := record.Ownership{At: at}
	o.Shards = append(o.Shards,
		record.ShardSlots{Shard: "shard 1", Node: "127.0.0.1:30001", Ranges: [][2]uint16{{uint16(moved), sampleSlots - 1}}})
	if moved > 0 {
		o.Shards = append(o.Shards,
			record.ShardSlots{Shard: "shard 2", Node: "127.0.0.1:30003", Ranges: [][2]uint16{{0, uint16(moved - 1)}}})
	}
	return o
}
