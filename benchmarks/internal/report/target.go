package report

import (
	"fmt"
	"math"
	"slices"
)

// Verdict says whether a target was reached.
type Verdict struct {
	Cell    string  `json:"cell"`
	Client  string  `json:"client"`
	Metric  string  `json:"metric"`  // for example "ops/s x rueidis"
	Bound   string  `json:"bound"`   // for example ">= 2.2"
	Reached float64 `json:"reached"` // as it was judged
	Shown   string  `json:"shown"`   // Reached rounded, but on its own side of the bound
	Met     bool    `json:"met"`
	Missing bool    `json:"missing,omitempty"` // one of the clients compared failed
}

// metric is what a target bounds.
type metric struct {
	name  string
	of    func(Ratios) float64 // of a target against another client
	alone field                // of a target without one
	least bool                 // the bound is the lowest value allowed, else the highest
	slack float64              // what a figure alone may be above its bound
}

// ofTheRuntime is how many allocations by operation count as none of the client's: those of the runtime's own, which every process has.
const ofTheRuntime = 0.05

var (
	opsMetric    = metric{name: "ops/s", of: func(r Ratios) float64 { return r.Ops }, alone: opsPerSecond, least: true}
	cpuMetric    = metric{name: "CPU/op", of: func(r Ratios) float64 { return r.CPU }, alone: cpu}
	p50Metric    = metric{name: "p50", of: func(r Ratios) float64 { return r.P50 }, alone: p50}
	p99Metric    = metric{name: "p99", of: func(r Ratios) float64 { return r.P99 }, alone: p99}
	allocsMetric = metric{name: "allocs/op", of: func(r Ratios) float64 { return r.Allocs }, alone: allocs, slack: ofTheRuntime}
)

// judge says whether our row reaches the bound.
func (t target) judge(own Row, bound float64) Verdict {
	v := Verdict{Cell: own.Cell, Client: own.Client, Metric: t.metric.name, Bound: fmt.Sprintf("<= %g", bound)}
	if t.metric.least {
		v.Bound = fmt.Sprintf(">= %g", bound)
	}
	slack, digits := t.metric.slack, 1
	if slack == 0 || t.against != "" {
		slack, digits = 0, 2
	}
	v.Reached, v.Missing = t.metric.alone(own.Median), own.Rounds == 0
	if t.against != "" {
		v.Metric += " x " + t.against
		ratios, known := own.Against[t.against]
		v.Reached, v.Missing = t.metric.of(ratios), v.Missing || !known
	}
	reaches := func(figure float64) bool {
		return t.metric.least && figure >= bound || !t.metric.least && figure <= bound+slack
	}
	v.Shown = round(v.Reached, digits, reaches)
	v.Met = reaches(v.Reached) && !v.Missing && own.Median.Errors == 0 // whoever fails operations may be fast
	return v
}

// round spells a figure with some digits behind the decimal point, and with more where it would seem to reach a bound that it is
// short of, or to be short of one that it reaches.
func round(figure float64, digits int, reaches func(float64) bool) string {
	for most := digits + 4; digits < most; digits++ {
		step := math.Pow10(digits)
		if rounded := math.Round(figure*step) / step; reaches(rounded) == reaches(figure) {
			return fmt.Sprint(rounded)
		}
	}
	return fmt.Sprint(figure)
}

// Verdicts judges the targets whose clients took part in their cells, in the order of the rows.
func Verdicts(rows []Row) []Verdict {
	var verdicts []Verdict
	for _, own := range rows {
		setting, workers := splitCell(own.Cell)
		for _, t := range targets {
			bound, bounded := t.bounds[workers]
			if !bounded || t.setting != setting || t.client() != own.Client {
				continue
			}
			if other := find(rows, own.Cell, t.against); t.against == "" || other != nil {
				verdicts = append(verdicts, t.judge(own, bound))
			}
		}
	}
	return verdicts
}

// TargetCount returns how many verdicts a run has in which every client takes part in every cell.
func TargetCount() int {
	n := 0
	for _, t := range targets {
		n += len(t.bounds)
	}
	return n
}

// find returns the row of client in cell, or nil.
func find(rows []Row, cell, client string) *Row {
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Cell == cell && r.Client == client })
	if i < 0 {
		return nil
	}
	return &rows[i]
}
