package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// table is one on the page; the numbers under a chart are one too.
type table struct {
	Groups  []heading // above the columns, if any
	Columns []column
	Rows    []row
}

// heading stands above several columns.
type heading struct {
	Name string
	Span int
}

// column is one of a table; numbers stand to the right, text to the left, where it may take several lines.
type column struct {
	Name string
	Text bool
	Long bool
}

// row is a line of a table. Its first cell names it.
type row struct {
	X     string // where it is on a chart of time, from 0 to 1; else empty
	First bool   // of a group of rows
	Cells []cell
}

// cell is a text, or bad news.
type cell struct {
	Text string
	Bad  bool
}

// columns are of numbers, after a first one of text.
func columns(names ...string) []column {
	made := []column{{Name: names[0], Text: true}}
	for _, name := range names[1:] {
		made = append(made, column{Name: name})
	}
	return made
}

// labelled are columns of numbers, after two of text.
func labelled(names ...string) []column {
	made := columns(names...)
	made[1].Text = true
	return made
}

// long makes a column one of text that takes several lines.
func (t *table) long(at int) { t.Columns[at].Text, t.Columns[at].Long = true, true }

func (t *table) add(x string, cells ...string) {
	r := row{X: x}
	for _, text := range cells {
		r.Cells = append(r.Cells, cell{Text: text})
	}
	t.Rows = append(t.Rows, r)
}

// bad marks a cell of the last row.
func (t *table) bad(at int) { t.Rows[len(t.Rows)-1].Cells[at].Bad = true }

// ms spells a percentile of l, if there is one.
func ms(l record.Latency, us float64) string {
	if l.Count == 0 {
		return nothing
	}
	return milliseconds(us)
}

// phaseTable compares the clients before, during and after each experiment.
func phaseTable(all []*series) table {
	t := table{
		Groups:  []heading{{"", 2}, {"reads, ms", 4}, {"writes, ms", 4}, {"operations", 2}},
		Columns: labelled("phase", "client", "p50", "p95", "p99", "max", "p50", "p95", "p99", "max", "per second", "failed"),
	}
	var names []string
	found := map[string]map[*series]record.Phase{}
	for _, s := range all {
		for _, p := range phases(s.shown) {
			if found[p.Name] == nil {
				found[p.Name] = map[*series]record.Phase{}
				names = append(names, p.Name)
			}
			found[p.Name][s] = p
		}
	}
	for _, name := range names {
		title := name
		for _, s := range all {
			p, measured := found[name][s]
			if !measured {
				continue
			}
			t.add("", title, s.name)
			last := &t.Rows[len(t.Rows)-1]
			last.First = title != ""
			last.measure(p.Reads, p.Writes, p.Seconds, float64(p.Errors))
			title = "" // once for all clients
		}
	}
	return t
}

// measure adds the cells that say how a stretch of a run went.
func (r *row) measure(reads, writes record.Latency, seconds, failed float64) {
	for _, l := range []record.Latency{reads, writes} {
		for _, us := range []float64{l.P50, l.P95, l.P99, l.Max} {
			r.Cells = append(r.Cells, cell{Text: ms(l, us)})
		}
	}
	perSecond := nothing
	if seconds > 0 {
		perSecond = count((float64(reads.Count) + float64(writes.Count)) / seconds)
	}
	r.Cells = append(r.Cells, cell{Text: perSecond}, cell{Text: count(failed), Bad: failed > 0})
}

// errorTable lists what failed, over all repetitions.
func errorTable(all []*series) table {
	t := table{Columns: columns("client", "error", "operations", "of all")}
	t.long(1)
	for _, s := range all {
		var texts []string
		times, ops := map[string]float64{}, 0.0
		for _, run := range s.runs {
			_, n := failures(run)
			ops += n
			for _, e := range run.Errors {
				if times[e.Text] == 0 {
					texts = append(texts, e.Text)
				}
				times[e.Text] += float64(e.Count)
			}
		}
		slices.SortStableFunc(texts, func(a, b string) int { return compare(times[b], times[a]) })
		for i, text := range texts {
			t.add("", s.name, text, count(times[text]), share(times[text], ops))
			t.Rows[len(t.Rows)-1].First = i == 0
		}
	}
	return t
}

// usageTable shows what the load cost the client's process, in the repetition that is drawn.
func usageTable(all []*series) table {
	t := table{Columns: labelled("client", "version", "CPU, µs/op", "allocations/op", "bytes/op", "dials", "connections")}
	for _, s := range all {
		u := s.shown.Usage
		t.add("", s.name, cmp.Or(s.shown.Version, nothing), known(u.CPUPerOp > 0, short(u.CPUPerOp)),
			known(u.AllocsPerOp > 0, short(u.AllocsPerOp)), known(u.BytesPerOp > 0, count(u.BytesPerOp)),
			known(u.Dials >= 0, count(float64(u.Dials))), known(u.Conns >= 0, count(float64(u.Conns))))
	}
	return t
}

func known(is bool, text string) string {
	if !is {
		return nothing
	}
	return text
}

// wholeTable shows all of every client, over the repetition that is drawn.
func wholeTable(all []*series) table {
	t := table{
		Groups:  []heading{{"", 1}, {"reads, ms", 4}, {"writes, ms", 4}, {"operations", 3}},
		Columns: columns("client", "p50", "p95", "p99", "max", "p50", "p95", "p99", "max", "per second", "failed", "in all"),
	}
	for _, s := range all {
		failed, operations := failures(s.shown)
		t.add("", s.name)
		last := &t.Rows[len(t.Rows)-1]
		last.measure(s.shown.Reads, s.shown.Writes, length(s.shown), failed)
		last.Cells = append(last.Cells, cell{Text: count(operations)})
	}
	return t
}

// spreadTable shows how far the repetitions of a client are apart: the middle one, then the least and the highest.
func spreadTable(all []*series) table {
	t := table{Columns: columns("client", "repetitions", "p95 of reads, ms", "p95 of writes, ms", "operations per second",
		"CPU, µs/op", "failed")}
	for _, s := range all {
		if len(s.runs) < 2 {
			continue
		}
		t.add("", s.name, fmt.Sprint(len(s.runs)),
			s.range3(milliseconds, func(r record.Run) float64 { return r.Reads.P95 }),
			s.range3(milliseconds, func(r record.Run) float64 { return r.Writes.P95 }),
			s.range3(count, func(r record.Run) float64 {
				return (float64(r.Reads.Count) + float64(r.Writes.Count)) / max(length(r), 1e-9)
			}),
			s.costs(func(r record.Run) float64 { return r.Usage.CPUPerOp }),
			s.range3(count, func(r record.Run) float64 { failed, _ := failures(r); return failed }))
	}
	return t
}

// range3 spells the median of a figure over repetitions, and from where to where it went.
func (s *series) range3(spell func(float64) string, of func(record.Run) float64) string {
	var values []float64
	for _, run := range s.runs {
		values = append(values, of(run))
	}
	slices.Sort(values)
	return fmt.Sprintf("%s (%s to %s)", spell(median(values)), spell(values[0]), spell(values[len(values)-1]))
}

// costs is range3 for what an operation cost, without the repetitions in which none ended.
func (s *series) costs(of func(record.Run) float64) string {
	measured := series{runs: slices.DeleteFunc(slices.Clone(s.runs), func(r record.Run) bool { return of(r) == 0 })}
	if len(measured.runs) == 0 {
		return nothing
	}
	return measured.range3(short, of)
}
