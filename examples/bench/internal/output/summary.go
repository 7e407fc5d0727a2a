package output

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// Summary writes tables for people: each client over all its runs, what experiments changed, and the errors.
func Summary(w io.Writer, r record.Record) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\n%s\n%s, %s, at %s\n", r.Title, r.Server.Version, r.Server.Where, r.Server.Endpoint)
	fmt.Fprintf(w, "%s, %d CPUs, %s, %s%s\n", cmp.Or(r.Machine.CPU, "CPU not known"), r.Machine.CPUs, r.Machine.OS, r.Machine.Go,
		loadOf(r.Machine))
	groups := grouped(r.Runs)
	overall(out, groups)
	if err := out.Flush(); err != nil {
		return err
	}
	phases(out, r.Runs)
	if err := out.Flush(); err != nil {
		return err
	}
	return failures(w, r.Runs)
}

func loadOf(m record.Machine) string {
	if m.Load < 0 {
		return ""
	}
	return fmt.Sprintf(", load average %.2f before the start", m.Load)
}

// group is all runs of one client with one kind of connections.
type group struct {
	name string
	runs []record.Run
}

func grouped(runs []record.Run) []group {
	var groups []group
	for _, run := range runs {
		name := run.Client + " " + run.Conns
		i := slices.IndexFunc(groups, func(g group) bool { return g.name == name })
		if i < 0 {
			groups = append(groups, group{name: name})
			i = len(groups) - 1
		}
		groups[i].runs = append(groups[i].runs, run)
	}
	return groups
}

// overall has one line for each client: the median of its runs and, of several, how far they spread around it.
func overall(out io.Writer, groups []group) {
	fmt.Fprintln(out, "\n\tops/s\tread p50\tp95\tp99\twrite p50\tp95\tp99\terrors\tredirects\tCPU/op\tallocs/op\tdials\tconns\t")
	for _, g := range groups {
		of := func(value func(record.Run) float64) (median, spread float64) { return g.median(value) }
		rate, rateSpread := of(rateOf)
		cells := []string{g.title(), count(rate)}
		for _, value := range []func(record.Run) float64{
			func(r record.Run) float64 { return r.Reads.P50 }, func(r record.Run) float64 { return r.Reads.P95 },
			func(r record.Run) float64 { return r.Reads.P99 }, func(r record.Run) float64 { return r.Writes.P50 },
			func(r record.Run) float64 { return r.Writes.P95 }, func(r record.Run) float64 { return r.Writes.P99 },
		} {
			median, _ := of(value)
			cells = append(cells, Micros(median))
		}
		errors, _ := of(func(r record.Run) float64 { return float64(errorsOf(r)) })
		redirects, _ := of(func(r record.Run) float64 { return float64(redirectsOf(r)) })
		cpu, cpuSpread := g.cost(func(r record.Run) float64 { return r.Usage.CPUPerOp })
		allocs, _ := g.cost(func(r record.Run) float64 { return r.Usage.AllocsPerOp })
		dials, _ := of(func(r record.Run) float64 { return float64(r.Usage.Dials) })
		conns, _ := of(func(r record.Run) float64 { return float64(r.Usage.Conns) })
		cells = append(cells, count(errors), count(redirects), each(cpu, "us"), each(allocs, ""), known(dials), known(conns))
		fmt.Fprintln(out, strings.Join(cells, "\t")+"\t")
		if len(g.runs) > 1 {
			_, read := of(func(r record.Run) float64 { return r.Reads.P95 })
			_, write := of(func(r record.Run) float64 { return r.Writes.P95 })
			fmt.Fprintf(out, "spread\t%s\t\t%s\t\t\t%s\t\t\t\t%s\t\t\t\t\n", share(rateSpread), share(read), share(write),
				share(cpuSpread))
		}
	}
}

func (g group) title() string {
	if len(g.runs) == 1 {
		return g.name
	}
	return fmt.Sprintf("%s, median of %d", g.name, len(g.runs))
}

// median returns the median of a value over all runs, and the distance of the lowest from the highest as a share of it.
func (g group) median(value func(record.Run) float64) (median, spread float64) {
	var all []float64
	for _, run := range g.runs {
		all = append(all, value(run))
	}
	slices.Sort(all)
	middle := len(all) / 2
	median = all[middle]
	if len(all)%2 == 0 {
		median = (all[middle-1] + all[middle]) / 2
	}
	if median > 0 {
		spread = (all[len(all)-1] - all[0]) / median
	}
	return median, spread
}

// cost is median for what an operation cost, without the runs in which none ended; 0 where that is all of them.
func (g group) cost(value func(record.Run) float64) (median, spread float64) {
	g.runs = slices.DeleteFunc(slices.Clone(g.runs), func(r record.Run) bool { return value(r) == 0 })
	if len(g.runs) == 0 {
		return 0, 0
	}
	return g.median(value)
}

func rateOf(r record.Run) float64 {
	return float64(r.Reads.Count+r.Writes.Count) / max(r.Duration, 1e-9)
}

func errorsOf(r record.Run) (n int64) {
	for _, e := range r.Errors {
		n += e.Count
	}
	return n
}

func redirectsOf(r record.Run) (n int64) {
	for _, w := range r.Windows {
		n += w.Redirects
	}
	return n
}

// phases has a line for each stretch between experiments, where there were any.
func phases(out io.Writer, runs []record.Run) {
	if !slices.ContainsFunc(runs, func(r record.Run) bool { return len(r.Phases) > 1 }) {
		return
	}
	fmt.Fprintln(out, "\n\tphase\tseconds\tops/s\tread p50\tp95\tp99\tmax\twrite p50\tp95\tp99\tmax\terrors\t")
	for _, run := range runs {
		for _, p := range run.Phases {
			fmt.Fprintf(out, "%s %s #%d\t%s\t%.1f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t\n",
				run.Client, run.Conns, run.Repetition, p.Name, p.Seconds,
				count(float64(p.Reads.Count+p.Writes.Count)/max(p.Seconds, 1e-9)),
				Micros(p.Reads.P50), Micros(p.Reads.P95), Micros(p.Reads.P99), Micros(p.Reads.Max),
				Micros(p.Writes.P50), Micros(p.Writes.P95), Micros(p.Writes.P99), Micros(p.Writes.Max), p.Errors)
		}
	}
}

func failures(w io.Writer, runs []record.Run) error {
	for _, run := range runs {
		if run.CutShort {
			fmt.Fprintf(w, "\n%s %s #%d was interrupted after %.1f s\n", run.Client, run.Conns, run.Repetition, run.Duration)
		}
		for _, e := range run.Errors {
			fmt.Fprintf(w, "%s %s #%d: %d x %s\n", run.Client, run.Conns, run.Repetition, e.Count, e.Text)
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

func count(f float64) string { return Grouped(int64(math.Round(f))) }

// known writes a count, of which a negative one is not known.
func known(f float64) string {
	if f < 0 {
		return "-"
	}
	return count(f)
}

// each writes what an operation cost, of which 0 is not known.
func each(cost float64, unit string) string {
	if cost == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%s", cost, unit)
}

func share(f float64) string { return fmt.Sprintf("+-%.0f %%", 50*f) }
