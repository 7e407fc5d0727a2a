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
	Metric  string  `json:"metric"`            // for example "ops/s x rueidis"
	Bound   string  `json:"bound"`             // for example ">= 2.2"
	Reached float64 `json:"reached,omitempty"` // rounded as it was judged
	Met     bool    `json:"met"`
	Missing bool    `json:"missing,omitempty"` // what the target compares did not run, or failed
}

// metric is what a target bounds.
type metric struct {
	name  string
	of    func(Ratios) float64 // of a target against another client
	alone field                // of a target without one
	least bool                 // the bound is the lowest value allowed, else the highest
	scale float64              // figures are rounded to 1/scale before they are judged
}

var (
	opsMetric    = metric{name: "ops/s", of: func(r Ratios) float64 { return r.Ops }, alone: opsPerSecond, least: true, scale: 100}
	cpuMetric    = metric{name: "CPU/op", of: func(r Ratios) float64 { return r.CPU }, alone: cpu, scale: 100}
	p50Metric    = metric{name: "p50", of: func(r Ratios) float64 { return r.P50 }, alone: p50, scale: 100}
	p99Metric    = metric{name: "p99", of: func(r Ratios) float64 { return r.P99 }, alone: p99, scale: 100}
	allocsMetric = metric{name: "allocs/op", of: func(r Ratios) float64 { return r.Allocs }, alone: allocs, scale: 10}
)

// judge returns the verdicts of one target, one for each cell with a bound.
func (t target) judge(rows []Row) []Verdict {
	var verdicts []Verdict
	for workers, bound := range t.bounds {
		v := Verdict{
			Cell: fmt.Sprintf("%s/c=%d", t.setting, workers), Client: t.client(), Metric: t.metric.name,
			Bound: fmt.Sprintf("<= %g", bound),
		}
		if t.metric.least {
			v.Bound = fmt.Sprintf(">= %g", bound)
		}
		if t.against != "" {
			v.Metric += " x " + t.against
		}
		reached, known := t.reached(v, rows)
		v.Missing = !known
		v.Reached = math.Round(reached*t.metric.scale) / t.metric.scale
		v.Met = known && (t.metric.least && v.Reached >= bound || !t.metric.least && v.Reached <= bound)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// reached returns what the target bounds, and whether it was measured.
func (t target) reached(v Verdict, rows []Row) (float64, bool) {
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Cell == v.Cell && r.Client == v.Client })
	if i < 0 || rows[i].Rounds == 0 {
		return 0, false
	}
	if t.against == "" {
		return t.metric.alone(rows[i].Median), true
	}
	ratios, known := rows[i].Against[t.against]
	return t.metric.of(ratios), known
}

// Verdicts judges the targets whose cell and client are among rows, in the order of the rows.
func Verdicts(rows []Row) []Verdict {
	var all []Verdict
	for _, t := range targets {
		all = append(all, t.judge(rows)...)
	}
	var ordered []Verdict
	for _, r := range rows {
		for _, v := range all {
			if v.Cell == r.Cell && v.Client == r.Client {
				ordered = append(ordered, v)
			}
		}
	}
	return ordered
}
