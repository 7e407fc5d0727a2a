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
	Rounds  int     `json:"rounds"`  // that Reached rests on
	Of      int     `json:"of"`      // as many as its cell has
	Met     bool    `json:"met"`
	Missing bool    `json:"missing,omitempty"` // there is no verdict
	Why     string  `json:"why,omitempty"`     // it is not met though the figure reaches the bound, or there is no verdict
}

// metric is what a target bounds.
type metric struct {
	name  string
	of    func(Ratios) float64 // of a target against another client
	alone field                // of a target without one
	least bool                 // the bound is the lowest value allowed, else the highest
	slack float64              // what a figure alone may be above its bound
}

// ofTheRuntime is how many allocations by operation count as none of the client's: every process has some of the runtime's own.
const ofTheRuntime = 0.05

var (
	opsMetric    = metric{name: "ops/s", of: func(r Ratios) float64 { return r.Ops }, alone: opsPerSecond, least: true}
	cpuMetric    = metric{name: "CPU/op", of: func(r Ratios) float64 { return r.CPU }, alone: cpu}
	p50Metric    = metric{name: "p50", of: func(r Ratios) float64 { return r.P50 }, alone: p50}
	p99Metric    = metric{name: "p99", of: func(r Ratios) float64 { return r.P99 }, alone: p99}
	allocsMetric = metric{name: "allocs/op", of: func(r Ratios) float64 { return r.Allocs }, alone: allocs, slack: ofTheRuntime}
)

// judge says whether our row reaches the bound; other is that of the client it is compared with, or nil.
func (t target) judge(own Row, other *Row, bound float64) Verdict {
	v := Verdict{Cell: own.Cell, Client: own.Client, Metric: t.metric.name, Bound: fmt.Sprintf("<= %g", bound)}
	if t.metric.least {
		v.Bound = fmt.Sprintf(">= %g", bound)
	}
	v.Reached, v.Rounds, v.Of = t.metric.alone(own.Median), own.Rounds, own.Of
	slack, digits := t.metric.slack, 1
	if slack == 0 || other != nil {
		slack, digits = 0, 2
	}
	if other != nil {
		v.Metric += " x " + other.Client
		ratios := own.Against[other.Client] // zero where no round has both
		v.Reached, v.Rounds = t.metric.of(ratios), ratios.Rounds
	}
	reaches := func(figure float64) bool {
		return t.metric.least && figure >= bound || !t.metric.least && figure <= bound+slack
	}
	v.Shown = round(v.Reached, digits, reaches)
	switch {
	case own.Median.Errors > 0: // whoever fails operations may be fast
		v.Why = failures(own)
	case v.Rounds == 0 || other != nil && v.Reached == 0:
		v.Missing, v.Why = true, "not measured"
	case other != nil && other.Median.Errors > 0: // and who fails them does fewer, which makes us fast
		v.Missing, v.Why = true, failures(*other)
	default:
		v.Met = reaches(v.Reached)
	}
	return v
}

func failures(r Row) string { return fmt.Sprintf("%s: %d errors", r.Client, r.Median.Errors) }

// Said returns what v says, and why.
func (v Verdict) Said() string {
	switch {
	case v.Met:
		return "met"
	case v.Missing:
		return "no verdict, " + v.Why
	case v.Why != "":
		return "missed, " + v.Why
	default:
		return "missed"
	}
}

// Figure returns what was reached, and how many rounds that rests on where these are not all.
func (v Verdict) Figure() string {
	if v.Reached == 0 && v.Missing {
		return "-"
	}
	return v.Shown + of(v.Rounds, v.Of)
}

// of says how many rounds a figure rests on, and nothing where these are all.
func of(rounds, all int) string {
	if rounds == all {
		return ""
	}
	return fmt.Sprintf(" (%d of %d rounds)", rounds, all)
}

// round spells a figure with some digits behind the decimal point, and with more where it would seem to reach a bound
// that it is short of, or to be short of one that it reaches.
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
				verdicts = append(verdicts, t.judge(own, other, bound))
			}
		}
	}
	return verdicts
}

// NotBehind judges, in each cell that no target bounds the ops/s of beside the baseline, whether keyslot is behind
// that: so no cell is left out because we are slow there. Two verdicts stand for a cell, one on ops/s and one on CPU.
func NotBehind(rows []Row) []Verdict {
	var verdicts []Verdict
	for _, own := range rows {
		other := find(rows, own.Cell, baseline)
		if own.Client != ours || other == nil || hasOwnTarget(own.Cell) {
			continue
		}
		verdicts = append(verdicts,
			target{metric: opsMetric, against: baseline}.judge(own, other, notSlower),
			target{metric: cpuMetric, against: baseline}.judge(own, other, notWorse))
	}
	return verdicts
}

// hasOwnTarget reports whether a target bounds keyslot's ops/s beside the baseline.
func hasOwnTarget(cell string) bool {
	setting, workers := splitCell(cell)
	return slices.ContainsFunc(targets, func(t target) bool {
		_, bounded := t.bounds[workers]
		return bounded && t.setting == setting && t.client() == ours && t.metric.name == opsMetric.name && t.against == baseline
	})
}

// standing says of a cell of NotBehind, by its verdicts, whether we are behind.
func standing(verdicts []Verdict) string {
	switch {
	case slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Missing }):
		return ""
	case slices.ContainsFunc(verdicts, func(v Verdict) bool { return !v.Met }):
		return "behind"
	default:
		return "not behind"
	}
}

// inCell returns the verdicts on a client in a cell.
func inCell(verdicts []Verdict, cell, client string) []Verdict {
	return slices.DeleteFunc(slices.Clone(verdicts), func(v Verdict) bool { return v.Cell != cell || v.Client != client })
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
