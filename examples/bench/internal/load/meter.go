package load

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// Latencies are kept in microseconds with three digits, so a percentile is at most 0.1 % off. What takes longer than
// the longest counts as that.
const (
	longest = 10 * time.Minute
	digits  = 3
)

// slotCount is how many slots a cluster has (Redis Cluster specification).
const slotCount = 16384

// sums are what happened in a stretch of time. It is for one goroutine.
type sums struct {
	reads, writes *hdrhistogram.Histogram
	errors        int64
	shards        []int64 // commands by number of the shard, as far as it is long
}

func newSums() *sums {
	fresh := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest.Microseconds(), digits) }
	return &sums{reads: fresh(), writes: fresh()}
}

func (s *sums) add(o *sums) {
	s.reads.Merge(o.reads)
	s.writes.Merge(o.writes)
	s.errors += o.errors
	for i, n := range o.shards {
		s.count(i, n)
	}
}

func (s *sums) count(shard int, n int64) {
	for len(s.shards) <= shard {
		s.shards = append(s.shards, 0)
	}
	s.shards[shard] += n
}

func (s *sums) reset() {
	s.reads.Reset()
	s.writes.Reset()
	s.errors = 0
	clear(s.shards)
}

func (s *sums) operations() int64 { return s.reads.TotalCount() + s.writes.TotalCount() }

// latency describes a histogram.
func latency(h *hdrhistogram.Histogram) record.Latency {
	if h.TotalCount() == 0 {
		return record.Latency{}
	}
	at := func(p float64) float64 { return float64(h.ValueAtPercentile(p)) }
	return record.Latency{Count: h.TotalCount(), P50: at(50), P90: at(90), P95: at(95), P99: at(99), Max: float64(h.Max())}
}

// stripes is how many workers can record at once. Each more costs a pass over two histograms whenever they are added up.
const stripes = 4

// meter adds up what all workers do. Safe for concurrent use.
type meter struct {
	parts     [stripes]part
	owners    atomic.Pointer[owners]
	measuring atomic.Bool
	redirects atomic.Int64
	dials     atomic.Int64
	bursts    *bursts

	mu    sync.Mutex
	texts map[string]int64 // guarded by mu; errors by text
	names []string         // guarded by mu; shards by number
}

type part struct {
	mu   sync.Mutex
	sums *sums // guarded by mu
}

// owners says which shard a slot belongs to, by number; never written once it is published.
type owners [slotCount]uint16

func newMeter(b *bursts) *meter {
	m := &meter{texts: map[string]int64{}, bursts: b}
	for i := range m.parts {
		m.parts[i].sums = newSums()
	}
	m.owners.Store(new(owners))
	return m
}

// done is one operation that has ended.
type done struct {
	worker int
	read   bool
	took   time.Duration
	groups []int // what it touched
	failed string
}

// record notes an operation.
func (m *meter) record(d done, all []Group) {
	if d.failed != "" {
		m.fail(d.failed, 1)
	}
	owners := m.owners.Load()
	p := &m.parts[d.worker%stripes]
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.failed != "" {
		p.sums.errors++
		return
	}
	h := p.sums.writes
	if d.read {
		h = p.sums.reads
	}
	_ = h.RecordValue(min(max(d.took, time.Microsecond), longest).Microseconds()) // the bounds are those of the histogram
	for _, g := range d.groups {
		p.sums.count(int(owners[all[g].Slot]), 1)
	}
}

// fail notes n errors of one text, which the sums do not hold yet.
func (m *meter) fail(text string, n int64) {
	m.bursts.note(record.Failure, text, n)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.texts[text]; !known && len(m.texts) >= mostTexts {
		text = "other errors"
	}
	m.texts[text] += n
}

// mostTexts bounds the table of errors, whatever servers and clients say.
const mostTexts = 50

// collect moves everything recorded since the last time into what.
func (m *meter) collect(what *sums) {
	what.reset()
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.Lock()
		what.add(p.sums)
		p.sums.reset()
		p.mu.Unlock()
	}
}

// setOwners changes which shards operations are counted for.
func (m *meter) setOwners(o record.Ownership) {
	fresh := new(owners)
	for _, shard := range o.Shards {
		number := m.number(shard.Shard)
		for _, r := range shard.Ranges {
			for slot := int(r[0]); slot <= int(r[1]) && slot < slotCount; slot++ {
				fresh[slot] = uint16(number)
			}
		}
	}
	m.owners.Store(fresh)
}

// number returns the number of a shard, which it keeps. 0 is for slots of no known owner.
func (m *meter) number(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.names, name)
	if i < 0 {
		m.names = append(m.names, name)
		i = len(m.names) - 1
	}
	return i + 1
}

// rates names the shards of sums.
func (m *meter) rates(s *sums) []record.ShardRate {
	m.mu.Lock()
	defer m.mu.Unlock()
	rates := []record.ShardRate{}
	for i, n := range s.shards {
		if i > 0 {
			rates = append(rates, record.ShardRate{Shard: m.names[i-1], Ops: n})
		}
	}
	return rates
}

// errors returns the errors so far, the most frequent first.
func (m *meter) errors() []record.Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []record.Error{}
	for text, n := range m.texts {
		all = append(all, record.Error{Text: text, Count: n})
	}
	slices.SortFunc(all, func(a, b record.Error) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Text, b.Text))
	})
	return all
}
