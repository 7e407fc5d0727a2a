package report

import (
	"slices"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
)

// median returns the middle of values, the mean of the two in the middle of an even number, and 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Row is what one client reached in one cell: the median of its rounds, field by field.
type Row struct {
	Cell   string      `json:"cell"`
	Client string      `json:"client"`
	Rounds int         `json:"rounds"`
	Median load.Result `json:"median"`
	// Ratio is the median, over the rounds that both ran, of this client's ops/s by that of the client named.
	Ratio map[string]float64 `json:"ops_ratio,omitempty"`
	// CPURatio and P99Ratio are the same for CPU per op and p99.
	CPURatio map[string]float64 `json:"cpu_ratio,omitempty"`
	P99Ratio map[string]float64 `json:"p99_ratio,omitempty"`
}

// Rows returns a row for each client in each cell, in the order of their first samples.
func Rows(samples []Sample) []Row {
	var rows []Row
	for _, cell := range group(samples, func(s Sample) string { return s.Cell }) {
		clients := group(cell, func(s Sample) string { return s.Client })
		for _, own := range clients {
			row := summarize(own)
			for _, other := range clients {
				row.compare(own, other)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// group splits samples by key, in the order in which the keys first appear.
func group(samples []Sample, key func(Sample) string) [][]Sample {
	var groups [][]Sample
	index := map[string]int{}
	for _, s := range samples {
		i, known := index[key(s)]
		if !known {
			i = len(groups)
			index[key(s)] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

func summarize(own []Sample) Row {
	row := Row{Cell: own[0].Cell, Client: own[0].Client, Rounds: len(own)}
	of := func(field func(load.Result) float64) float64 {
		var values []float64
		for _, s := range own {
			values = append(values, field(s.Result))
		}
		return median(values)
	}
	m := &row.Median
	m.OpsPerSecond, m.CPU = of(opsPerSecond), of(cpu)
	m.P50 = of(func(r load.Result) float64 { return r.P50 })
	m.P99 = of(p99)
	m.P999 = of(func(r load.Result) float64 { return r.P999 })
	m.Allocs = of(func(r load.Result) float64 { return r.Allocs })
	m.Bytes = of(func(r load.Result) float64 { return r.Bytes })
	m.Conns = int(of(func(r load.Result) float64 { return float64(r.Conns) }))
	for _, s := range own {
		m.Errors += s.Result.Errors
		m.FirstError = s.Result.FirstError
		m.Unsupported = s.Result.Unsupported
	}
	return row
}

func opsPerSecond(r load.Result) float64 { return r.OpsPerSecond }
func cpu(r load.Result) float64          { return r.CPU }
func p99(r load.Result) float64          { return r.P99 }

// compare adds the ratios of own to other.
func (r *Row) compare(own, other []Sample) {
	name := other[0].Client
	if name == r.Client {
		return
	}
	r.Ratio = with(r.Ratio, name, ratio(own, other, opsPerSecond))
	r.CPURatio = with(r.CPURatio, name, ratio(own, other, cpu))
	r.P99Ratio = with(r.P99Ratio, name, ratio(own, other, p99))
}

// with adds a ratio to a map that may be nil; 0 is no ratio.
func with(ratios map[string]float64, name string, value float64) map[string]float64 {
	if value == 0 {
		return ratios
	}
	if ratios == nil {
		ratios = map[string]float64{}
	}
	ratios[name] = value
	return ratios
}

// ratio returns the median of own by other over the rounds in both: noise that lasts longer than a round falls out.
func ratio(own, other []Sample, field func(load.Result) float64) float64 {
	var ratios []float64
	for _, a := range own {
		for _, b := range other {
			if a.Round == b.Round && field(a.Result) > 0 && field(b.Result) > 0 {
				ratios = append(ratios, field(a.Result)/field(b.Result))
			}
		}
	}
	return median(ratios)
}
