package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Table writes the report for people: what each client reached, cell by cell, and what the targets say.
func (r Report) Table(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range r.Settings.lines() {
		fmt.Fprintln(w, line)
	}
	cell := ""
	for _, row := range r.Rows {
		if row.Cell != cell {
			cell = row.Cell
			fmt.Fprintf(table, "\n%s\tops/s\tx %s\tp50 us\tp99 us\tp99.9 us\tCPU us/op\tx %s\tallocs/op\tB/op\tconns\ttargets\n", cell, baseline, baseline)
		}
		writeRow(table, row, r.Verdicts)
	}
	r.writeTargets(table)
	return table.Flush()
}

func writeRow(w io.Writer, r Row, verdicts []Verdict) {
	m := r.Median
	switch {
	case m.Unsupported != "":
		fmt.Fprintf(w, "%s\tn/a: %s\n", r.Client, m.Unsupported)
	case r.Rounds == 0:
		fmt.Fprintf(w, "%s\tfailed: %s\n", r.Client, m.FirstError)
	default:
		versus := r.Against[baseline]
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%.0f\t%.0f\t%.0f\t%.2f\t%s\t%.1f\t%.0f\t%d\t%s%s\n", r.Client, m.OpsPerSecond, times(versus, r),
			m.P50, m.P99, m.P999, m.CPU, factor(versus.CPU), m.Allocs, m.Bytes, m.Conns, score(r, verdicts), trouble(m.Errors, m.FirstError))
	}
}

// times returns the ratio of operations, and how many rounds it rests on where these are not all.
func times(versus Ratios, r Row) string {
	if versus.Ops == 0 {
		return ""
	}
	return factor(versus.Ops) + of(versus.Rounds, r.Of)
}

// factor returns a ratio, or nothing where there is none.
func factor(ratio float64) string {
	if ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", ratio)
}

// score returns how many of a row's targets are met.
func score(r Row, verdicts []Verdict) string {
	met, judged := 0, 0
	for _, v := range verdicts {
		if v.Cell != r.Cell || v.Client != r.Client || v.Missing {
			continue
		}
		judged++
		if v.Met {
			met++
		}
	}
	if judged == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d met", met, judged)
}

func trouble(errors uint64, first string) string {
	if errors == 0 {
		return ""
	}
	return fmt.Sprintf(" %d errors: %s", errors, first)
}

func (r Report) writeTargets(w io.Writer) {
	if len(r.Verdicts) == 0 {
		return
	}
	met, without := 0, 0
	fmt.Fprintf(w, "\ntarget\tof\tmetric\tbound\treached\t\n")
	for _, v := range r.Verdicts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Cell, v.Client, v.Metric, v.Bound, v.Figure(), v.Said())
		if v.Met {
			met++
		}
		if v.Missing {
			without++
		}
	}
	fmt.Fprintf(w, "\n%d of %d targets met%s; there are %d in all\n", met, len(r.Verdicts), noVerdict(without), TargetCount())
}

func noVerdict(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d without a verdict", n)
}
