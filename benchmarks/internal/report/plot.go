package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

//go:embed page.html
var page string

// plot is what page.html shows.
type plot struct {
	Settings []string
	Legend   []key
	Sections []section
	Judged   []judged
	Summary  string
}

// judged is a table of verdicts.
type judged struct {
	Title    string
	Verdicts []Verdict
}

// key is an entry of the legend.
type key struct {
	Client string
	Color  string
}

// section shows the cells of one setting, which differ only in their number of goroutines.
type section struct {
	Name   string
	Charts []template.HTML
	Rows   []figures
}

// figures is a row in numbers.
type figures struct {
	Cell, Client string
	Reason       string // why there are none
	Figures      []string
}

// HTML returns a page with charts of the report, which needs no other file.
func (r Report) HTML() ([]byte, error) {
	legend := newLegend(r.Rows)
	shown := plot{Settings: r.Settings.lines(), Legend: legend, Summary: r.summary()}
	for _, of := range []judged{{"targets", r.Verdicts}, {"not behind " + baseline, r.NotBehind}} {
		if len(of.Verdicts) > 0 {
			shown.Judged = append(shown.Judged, of)
		}
	}
	for _, rows := range bySetting(r.Rows) {
		shown.Sections = append(shown.Sections, newSection(rows, legend))
	}
	t, err := template.New("page").Parse(page)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, shown)
	return out.Bytes(), err
}

// palette are colours that can be told apart, also by the colour-blind; ours comes first.
var palette = []string{"#d1242f", "#1f6feb", "#54aeff", "#1a7f37", "#8fd19e", "#8250df", "#bf8700", "#e377c2", "#57606a", "#8c564b"}

// newLegend gives each client a colour, in the order of their first rows.
func newLegend(rows []Row) []key {
	var legend []key
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[r.Client] {
			seen[r.Client] = true
			legend = append(legend, key{r.Client, palette[len(legend)%len(palette)]})
		}
	}
	return legend
}

// bySetting splits rows by what stands before the number of goroutines in the names of their cells.
func bySetting(rows []Row) [][]Row {
	var settings [][]Row
	last := ""
	for _, r := range rows {
		name, _ := splitCell(r.Cell)
		if len(settings) == 0 || name != last {
			settings = append(settings, nil)
			last = name
		}
		settings[len(settings)-1] = append(settings[len(settings)-1], r)
	}
	return settings
}

func newSection(rows []Row, legend []key) section {
	name, _ := splitCell(rows[0].Cell)
	s := section{Name: name}
	for _, c := range []chart{
		{title: "throughput, × " + baseline, value: timesBaseline},
		{title: "client CPU, µs per operation", value: func(r Row) float64 { return r.Median.CPU }, logarithmic: true},
		{title: "p99, µs", value: func(r Row) float64 { return r.Median.P99 }, logarithmic: true},
	} {
		s.Charts = append(s.Charts, template.HTML(c.svg(rows, legend))) // made of numbers and our own words alone
	}
	for _, r := range rows {
		s.Rows = append(s.Rows, newFigures(r))
	}
	return s
}

func timesBaseline(r Row) float64 {
	if r.Client == baseline && r.Rounds > 0 {
		return 1
	}
	return r.Against[baseline].Ops
}

func newFigures(r Row) figures {
	m, f := r.Median, figures{Cell: r.Cell, Client: r.Client}
	switch {
	case m.Unsupported != "":
		f.Reason = "n/a: " + m.Unsupported
	case r.Rounds == 0:
		f.Reason = "failed: " + m.FirstError
	default:
		versus := r.Against[baseline]
		f.Figures = []string{
			fmt.Sprintf("%.0f", m.OpsPerSecond), r.versusBaseline(), fmt.Sprintf("%.0f", m.P50), tail(m.P99),
			tail(m.P999), fmt.Sprintf("%.2f", m.CPU), factor(versus.CPU), fmt.Sprintf("%.1f", m.Allocs),
			fmt.Sprintf("%.0f", m.Bytes), fmt.Sprint(m.Conns) + Trouble(m),
		}
	}
	return f
}
