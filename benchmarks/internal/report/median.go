package report

import (
	"math"
	"slices"
	"time"

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

// field takes one figure out of a result.
type field func(load.Result) float64

func opsPerSecond(r load.Result) float64 { return r.OpsPerSecond }
func cpu(r load.Result) float64          { return r.CPU }
func p50(r load.Result) float64          { return r.P50 }
func p99(r load.Result) float64          { return r.P99 }
func p999(r load.Result) float64         { return r.P999 }
func allocs(r load.Result) float64       { return r.Allocs }
func heap(r load.Result) float64         { return r.Bytes }
func conns(r load.Result) float64        { return float64(r.Conns) }

// measured returns the samples that measured something: not those that are unsupported or failed.
func measured(samples []Sample) []Sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool { return s.Result.OpsPerSecond == 0 })
}

// How many operations a run has to measure for a percentile to be one, and not merely the slowest of them.
const (
	enoughForP99  = 100
	enoughForP999 = 1000
)

// withoutTails returns samples without the percentiles of a client in a cell, where one of its rounds, each of which
// measured for so long (0: unknown), did too few operations for them.
func withoutTails(samples []Sample, length time.Duration) []Sample {
	if length == 0 {
		return samples
	}
	run := func(s Sample) [2]string { return [2]string{s.Cell, s.Client} }
	fewest := map[[2]string]float64{}
	for _, s := range measured(samples) {
		did := math.Round(s.Result.OpsPerSecond * length.Seconds())
		if least, known := fewest[run(s)]; !known || did < least {
			fewest[run(s)] = did
		}
	}
	samples = slices.Clone(samples)
	for i := range samples {
		did := fewest[run(samples[i])]
		if did < enoughForP99 {
			samples[i].Result.P99 = 0
		}
		if did < enoughForP999 {
			samples[i].Result.P999 = 0
		}
	}
	return samples
}

func medianResult(own []Sample) load.Result {
	good := measured(own)
	of := func(f field) float64 {
		var values []float64
		for _, s := range good {
			values = append(values, f(s.Result))
		}
		return median(values)
	}
	m := load.Result{
		OpsPerSecond: of(opsPerSecond), P50: of(p50), P99: of(p99), P999: of(p999),
		CPU: of(cpu), Allocs: of(allocs), Bytes: of(heap), Conns: int(of(conns)),
	}
	for _, s := range own {
		m.Errors += s.Result.Errors
		m.WarmUpErrors += s.Result.WarmUpErrors
		if s.Result.FirstError != "" {
			m.FirstError = s.Result.FirstError
		}
		if s.Result.Unsupported != "" {
			m.Unsupported = s.Result.Unsupported
		}
	}
	return m
}

func compare(own, other []Sample) Ratios {
	ratio := func(f field) float64 { return median(ratios(own, other, f)) }
	return Ratios{
		Rounds: len(ratios(own, other, opsPerSecond)),
		Ops:    ratio(opsPerSecond),
		CPU:    ratio(cpu),
		P50:    ratio(p50),
		P99:    ratio(p99),
		Allocs: ratio(allocs),
	}
}

// ratios returns own by other for each round in both: noise that lasts longer than a round falls out.
func ratios(own, other []Sample, f field) (ratios []float64) {
	for _, a := range own {
		for _, b := range other {
			if a.Round == b.Round && f(a.Result) > 0 && f(b.Result) > 0 {
				ratios = append(ratios, f(a.Result)/f(b.Result))
			}
		}
	}
	return ratios
}
