// Package report turns what runs measured into what people, machines and browsers read.
package report

import (
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
)

// Sample is one run: one client in one cell in one round.
type Sample struct {
	Cell   string      `json:"cell"`
	Client string      `json:"client"`
	Round  int         `json:"round"`
	Server string      `json:"server,omitempty"` // what it talked to, such as "redis-server 7.0.15"; empty: nobody asked
	Result load.Result `json:"result"`
}

// Row is what one client reached in one cell: field by field the median of its rounds.
type Row struct {
	Cell   string      `json:"cell"`
	Client string      `json:"client"`
	Rounds int         `json:"rounds"` // that measured something
	Of     int         `json:"of"`     // as many as the cell has
	Median load.Result `json:"median"`
	// Against compares with other clients of the cell: keyslot with all, the others with the baseline.
	Against map[string]Ratios `json:"against,omitempty"`
}

// Ratios are medians, over the rounds in which both clients ran, of one client's figure by the other's. 0 is no ratio.
type Ratios struct {
	Rounds int     `json:"rounds"` // in which both did operations
	Ops    float64 `json:"ops"`
	CPU    float64 `json:"cpu"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Allocs float64 `json:"allocs"`
}

const (
	baseline = "rueidis" // the client that all others are compared with
	ours     = "keyslot" // what the names of our clients begin with
)

// Rows returns a row for each client in each cell, in the order of their first samples.
func Rows(samples []Sample) []Row {
	var rows []Row
	for _, cell := range group(samples, func(s Sample) string { return s.Cell }) {
		clients := group(cell, func(s Sample) string { return s.Client })
		for _, own := range clients {
			row := newRow(own, clients)
			row.Of = countRounds(cell)
			rows = append(rows, row)
		}
	}
	return rows
}

func newRow(own []Sample, clients [][]Sample) Row {
	row := Row{Cell: own[0].Cell, Client: own[0].Client, Rounds: len(measured(own)), Median: medianResult(own)}
	for _, other := range clients {
		name := other[0].Client
		if name == row.Client || name != baseline && !strings.HasPrefix(row.Client, ours) {
			continue
		}
		if ratios := compare(own, other); ratios.Ops > 0 {
			if row.Against == nil {
				row.Against = map[string]Ratios{}
			}
			row.Against[name] = ratios
		}
	}
	return row
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

func countRounds(samples []Sample) int {
	return len(group(samples, func(s Sample) string { return strconv.Itoa(s.Round) }))
}

// splitCell returns the setting of a cell and its number of goroutines: "get64/tls" and 8 of "get64/tls/c=8".
func splitCell(cell string) (setting string, workers int) {
	setting, number, _ := strings.Cut(cell, "/c=")
	workers, _ = strconv.Atoi(number) // a name without one has 0
	return setting, workers
}
