package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/keyslot-go/keyslot/benchmarks/internal/load"
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
			fmt.Fprintf(table, "\n%s\tops/s\tx %s\tp50 us\tp99 us\tp99.9 us\tCPU us/op\tx %s\tallocs/op\tB/op\tconns\ttargets\n",
				cell, baseline, baseline)
		}
		r.writeRow(table, row)
	}
	r.writeTargets(table)
	return table.Flush()
}

func (r Report) writeRow(w io.Writer, row Row) {
	m := row.Median
	switch {
	case m.Unsupported != "":
		fmt.Fprintf(w, "%s\tn/a: %s\n", row.Client, m.Unsupported)
	case row.Rounds == 0:
		fmt.Fprintf(w, "%s\tfailed: %s\n", row.Client, m.FirstError)
	default:
		versus := row.Against[baseline]
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%.0f\t%s\t%s\t%.2f\t%s\t%.1f\t%.0f\t%d\t%s%s\n",
			row.Client, m.OpsPerSecond, row.versusBaseline(), m.P50, tail(m.P99), tail(m.P999), m.CPU, factor(versus.CPU),
			m.Allocs, m.Bytes, m.Conns, r.score(row), Trouble(m))
	}
}

// versusBaseline returns the ratio of operations, and how many rounds it rests on where these are not all.
func (r Row) versusBaseline() string {
	versus := r.Against[baseline]
	if versus.Ops == 0 {
		return ""
	}
	return factor(versus.Ops) + of(versus.Rounds, r.Of)
}

// tail returns a high percentile, and a dash where there are too few operations for it.
func tail(micros float64) string {
	if micros == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", micros)
}

// factor returns a ratio, or nothing where there is none.
func factor(ratio float64) string {
	if ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", ratio)
}

// score returns how many of a row's targets are met, and of a cell of NotBehind whether we are behind.
func (r Report) score(row Row) string {
	met, judged := 0, 0
	for _, v := range inCell(r.Verdicts, row.Cell, row.Client) {
		if v.Missing {
			continue
		}
		judged++
		if v.Met {
			met++
		}
	}
	var said []string
	if judged > 0 {
		said = append(said, fmt.Sprintf("%d of %d met", met, judged))
	}
	if verdicts := inCell(r.NotBehind, row.Cell, row.Client); len(verdicts) > 0 && standing(verdicts) != "" {
		said = append(said, standing(verdicts))
	}
	return strings.Join(said, ", ")
}

// Trouble says which operations failed, and is empty where none did.
func Trouble(r load.Result) string {
	var said []string
	if r.Errors > 0 {
		said = append(said, fmt.Sprintf("%d errors", r.Errors))
	}
	if r.WarmUpErrors > 0 {
		said = append(said, fmt.Sprintf("%d errors while warming up", r.WarmUpErrors))
	}
	if len(said) == 0 {
		return ""
	}
	return " " + strings.Join(said, ", ") + ": " + r.FirstError
}

func (r Report) writeTargets(w io.Writer) {
	writeVerdicts(w, "target", r.Verdicts)
	writeVerdicts(w, "not behind "+baseline, r.NotBehind)
	if len(r.Verdicts)+len(r.NotBehind) > 0 {
		fmt.Fprintf(w, "\n%s\n", r.summary())
	}
}

func writeVerdicts(w io.Writer, what string, verdicts []Verdict) {
	if len(verdicts) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\tof\tmetric\tbound\treached\t\n", what)
	for _, v := range verdicts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Cell, v.Client, v.Metric, v.Bound, v.Figure(), v.Said())
	}
}
