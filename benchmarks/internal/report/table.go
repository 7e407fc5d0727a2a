package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// baseline is the client that the others are compared with.
const baseline = "rueidis"

// Table writes the rows for people.
func Table(w io.Writer, rows []Row) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	cell := ""
	for _, r := range rows {
		if r.Cell != cell {
			cell = r.Cell
			fmt.Fprintf(table, "\n%s\tops/s\tx %s\tp50 us\tp99 us\tp99.9 us\tCPU us/op\tx %s\tallocs/op\tB/op\tconns\t\n", cell, baseline, baseline)
		}
		m := r.Median
		if m.Unsupported != "" {
			fmt.Fprintf(table, "%s\tn/a\t%s\n", r.Client, m.Unsupported)
			continue
		}
		fmt.Fprintf(table, "%s\t%.0f\t%s\t%.0f\t%.0f\t%.0f\t%.2f\t%s\t%.1f\t%.0f\t%d\t%s\n", r.Client, m.OpsPerSecond, factor(r.Ratio),
			m.P50, m.P99, m.P999, m.CPU, factor(r.CPURatio), m.Allocs, m.Bytes, m.Conns, trouble(r))
	}
	return table.Flush()
}

// factor returns the ratio to the baseline.
func factor(ratios map[string]float64) string {
	if r := ratios[baseline]; r > 0 {
		return fmt.Sprintf("%.2f", r)
	}
	return "-"
}

func trouble(r Row) string {
	if r.Median.Errors == 0 {
		return ""
	}
	return fmt.Sprintf("%d errors: %s", r.Median.Errors, r.Median.FirstError)
}
