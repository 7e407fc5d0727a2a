package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// mostPoints is how many windows a chart shows; where there are more, neighbours become one.
const mostPoints = 200

// mostSpans is how many experiments of a run are shaded and told apart; all of them are in its timeline.
const mostSpans = 50

// series are the runs of one client with one kind of connections.
type series struct {
	name   string // what it is called beside the others
	client string
	conns  string
	hue    string
	runs   []record.Run // its repetitions
	shown  record.Run   // the one that is drawn: the middle one by p95 of reads
	drawn  []record.Window
	merged int // how many windows of shown are one of drawn
	spans  []span
	fresh  bool // a connection for each call
}

// What Conns of a run may be: connections are kept, or one is opened for every operation.
const (
	reuse   = "reuse"
	perCall = "per-call"
)

// group returns the series of a record that is clean, in the order of their first runs.
func group(runs []record.Run) []*series {
	var all []*series
	clients := map[string]int{}
	for _, run := range runs {
		if _, known := clients[run.Client]; !known {
			clients[run.Client] = len(clients)
		}
		at := slices.IndexFunc(all, func(s *series) bool { return s.client == run.Client && s.conns == run.Conns })
		if at < 0 {
			at = len(all)
			all = append(all,
				&series{client: run.Client, conns: run.Conns, hue: hue(clients[run.Client]), fresh: run.Conns == perCall})
		}
		all[at].runs = append(all[at].runs, run)
	}
	for _, s := range all {
		s.name = cmp.Or(s.client, "client")
		if s.conns != "" && s.conns != reuse {
			s.name += " " + s.conns
		}
		s.shown = middle(s.runs)
		s.drawn, s.merged = thin(s.shown.Windows, mostPoints)
		s.spans = spans(s.shown)
	}
	return all
}

// middle returns the run whose p95 is the median.
func middle(runs []record.Run) record.Run {
	sorted := slices.Clone(runs)
	slices.SortStableFunc(sorted, func(a, b record.Run) int { return compare(headline(a), headline(b)) })
	return sorted[(len(sorted)-1)/2]
}

// headline is the figure that repetitions are compared by.
func headline(r record.Run) float64 {
	if r.Reads.Count > 0 {
		return r.Reads.P95
	}
	return r.Writes.P95
}

// thin makes neighbours one until there are no more than most, and returns how many became one. Counts are added; of
// percentiles, which nothing can be added to, the highest stays, so that a peak never disappears.
func thin(windows []record.Window, most int) ([]record.Window, int) {
	each := (len(windows) + most - 1) / most
	if each <= 1 {
		return windows, 1
	}
	var thinned []record.Window
	for chunk := range slices.Chunk(windows, each) {
		one := chunk[0]
		for _, w := range chunk[1:] {
			one = join(one, w)
		}
		thinned = append(thinned, one)
	}
	return thinned, each
}

func join(a, b record.Window) record.Window {
	a.Seconds += b.Seconds
	a.Reads, a.Writes = worst(a.Reads, b.Reads), worst(a.Writes, b.Writes)
	a.Errors += b.Errors
	a.Redirects += b.Redirects
	a.Shards = slices.Clone(a.Shards)
	for _, s := range b.Shards {
		at := slices.IndexFunc(a.Shards, func(have record.ShardRate) bool { return have.Shard == s.Shard })
		if at < 0 {
			a.Shards = append(a.Shards, s)
			continue
		}
		a.Shards[at].Ops += s.Ops
	}
	return a
}

func worst(a, b record.Latency) record.Latency {
	return record.Latency{
		Count: a.Count + b.Count,
		P50:   max(a.P50, b.P50), P90: max(a.P90, b.P90), P95: max(a.P95, b.P95), P99: max(a.P99, b.P99), Max: max(a.Max, b.Max),
	}
}

// failures returns how many operations of a run failed, and how many there were.
func failures(r record.Run) (failed, all float64) {
	for _, e := range r.Errors {
		failed += float64(e.Count)
	}
	seen := 0.0
	for _, w := range r.Windows {
		seen += float64(w.Errors)
	}
	failed = max(failed, seen) // the list may leave out the rare
	return failed, failed + float64(r.Reads.Count) + float64(r.Writes.Count)
}

// length returns the seconds that a run was measured.
func length(r record.Run) float64 {
	long := r.Duration
	if n := len(r.Windows); n > 0 {
		last := r.Windows[n-1]
		long = max(long, last.At+last.Seconds)
	}
	return long
}

// mostShards is how many shards have a column and a colour of their own.
const mostShards = 48

// shardNames are the shards that any series tells of, so that a shard has one colour in every chart.
type shardNames struct {
	names []string
	index map[string]int // of a shard in names; those beyond mostShards share the last
}

func newShardNames(all []*series) shardNames {
	n := shardNames{index: map[string]int{}}
	for _, s := range all {
		for _, o := range s.shown.Ownership {
			for _, shard := range o.Shards {
				n.index[shard.Shard] = 0
			}
		}
		for _, w := range s.drawn {
			for _, shard := range w.Shards {
				n.index[shard.Shard] = 0
			}
		}
	}
	n.names = slices.SortedFunc(maps.Keys(n.index), func(a, b string) int { // "shard 2" before "shard 10"
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	for i, name := range n.names {
		n.index[name] = min(i, mostShards-1)
	}
	if others := len(n.names) - mostShards + 1; others > 1 {
		n.names = append(n.names[:mostShards-1], fmt.Sprint(others, " others"))
	}
	return n
}

// rates returns the operations per second of a window, by shard.
func (n shardNames) rates(w record.Window) []float64 {
	rates := make([]float64, len(n.names))
	for _, s := range w.Shards {
		rates[n.index[s.Shard]] += float64(s.Ops) / w.Seconds
	}
	return rates
}

// ranges returns the slots of an ownership, by shard.
func (n shardNames) ranges(o record.Ownership) [][][2]uint16 {
	ranges := make([][][2]uint16, len(n.names))
	for _, s := range o.Shards {
		at := n.index[s.Shard]
		ranges[at] = append(ranges[at], s.Ranges...)
	}
	return ranges
}
