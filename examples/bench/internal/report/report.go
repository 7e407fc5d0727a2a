// Package report shows a benchmark: as a page to put into a design review, and as a picture for a README.
package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

//go:embed page.html
var markup string

//go:embed page.css
var pageStyle string

// chartStyle is what a chart needs wherever it stands.
//
//go:embed chart.css
var chartStyle string

// script is plain XML text: without "<" and "&", so that the page can be read as XML too.
//
//go:embed page.js
var script string

// page is what page.html shows.
type page struct {
	Title    string
	Finding  string
	Rest     string // of the finding
	Policy   string // Content-Security-Policy
	Style    template.CSS
	Script   template.JS
	Facts    []fact
	Clients  int
	Overlays []strip
	Conns    figure
	Strips   []strip
	Notes    []string
	Whole    table
	Phases   table
	Errors   table
	Usage    table
	Spread   table
	Settings []record.Setting
	Lines    []timeline
}

// fact is a line of the head.
type fact struct {
	Name, Value string
	Code        bool
}

// timeline is what happened in one run.
type timeline struct {
	Name   string
	Open   bool
	Events table
}

// Write writes r as one HTML page that needs no other file and no network; its policy forbids both. It draws of each
// client's repetitions the middle one, and says so. It returns the errors of w, does not change r, and takes whatever r
// holds: what is no number counts as nothing, and every text is escaped.
func Write(w io.Writer, r record.Record) error {
	t, err := template.New("page").Parse(markup)
	if err != nil {
		return err
	}
	return t.Execute(w, newPage(clean(r)))
}

func newPage(r record.Record) page {
	style := variables() + chartStyle + pageStyle
	all := group(r.Runs)
	p := page{
		Title:    cmp.Or(r.Title, "Benchmark"),
		Policy:   fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'", digest(style), digest(script)),
		Style:    template.CSS(style),
		Script:   template.JS(script),
		Facts:    facts(r, all),
		Clients:  len(all),
		Settings: r.Settings,
	}
	p.Finding, p.Rest = finding(all)
	if len(all) == 0 {
		return p
	}
	st := newStage(all)
	if len(all) > 1 {
		for _, k := range kinds {
			p.Overlays = append(p.Overlays, st.overlay(k))
		}
	}
	p.Conns = connsFigure(all)
	p.Strips = st.strips()
	p.Notes = notes(all)
	p.Whole, p.Errors = wholeTable(all), errorTable(all)
	if slices.ContainsFunc(all, func(s *series) bool { return len(s.spans) > 0 }) {
		p.Phases = phaseTable(all)
	}
	p.Usage, p.Spread = usageTable(all), spreadTable(all)
	p.Lines = timelines(all)
	return p
}

// digest names a style or script for a Content-Security-Policy.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// facts are what has to be known to do it again.
func facts(r record.Record, all []*series) []fact {
	var known []fact
	add := func(name string, code bool, parts ...string) {
		var have []string
		for _, part := range parts {
			if part != "" {
				have = append(have, part)
			}
		}
		if len(have) > 0 {
			known = append(known, fact{name, strings.Join(have, ", "), code})
		}
	}
	add("Command", true, r.Command)
	if !r.Started.IsZero() {
		add("Date", false, r.Started.UTC().Format("2 January 2006, 15:04 UTC"))
	}
	add("Server", false, r.Server.Version, r.Server.Where, r.Server.Endpoint)
	m := r.Machine
	add("Machine", false, m.CPU, plural(m.CPUs, "CPU"), memory(m.Memory), m.OS, m.Go, load(m))
	var versions []string
	seen := map[string]bool{}
	for _, s := range all {
		if name := strings.TrimSpace(s.client + " " + s.shown.Version); name != "" && !seen[name] {
			seen[name] = true
			versions = append(versions, name)
		}
	}
	add("Clients", false, versions...)
	if len(all) > 0 {
		run := all[0].shown
		add("Measured", false, spellDuration(length(run))+" each", "after "+spellDuration(run.Warmup)+" of warm-up",
			repetitions(all))
	}
	return known
}

func repetitions(all []*series) string {
	most := 0
	for _, s := range all {
		most = max(most, len(s.runs))
	}
	return plural(most, "repetition")
}

func plural(n int, word string) string {
	switch {
	case n <= 0:
		return ""
	case n == 1:
		return "1 " + word
	}
	return count(float64(n)) + " " + word + "s"
}

func memory(bytes int64) string {
	if bytes <= 0 {
		return ""
	}
	return short(float64(bytes)/(1<<30)) + " GiB"
}

func load(m record.Machine) string {
	if m.Load < 0 || m.OS == "" {
		return ""
	}
	return "load before the start " + short(m.Load)
}

// spellDuration uses minutes where they are whole ones.
func spellDuration(seconds float64) string {
	if minutes := seconds / 60; minutes > 1 && minutes == math.Trunc(minutes) {
		return short(minutes) + gap + "min"
	}
	return moment(seconds)
}

// notes say what a reader of the charts has to know, for this record.
func notes(all []*series) []string {
	said := []string{
		"Time counts from the end of the warm-up. All clients have the same axes. Shaded: an experiment, " +
			"from its beginning to its end; dotted: the cluster's map became another.",
		"A window is drawn at its middle. Where no operation ended, a line has a gap.",
	}
	if most := all[0].merged; most > 1 {
		said = append(said, fmt.Sprintf("There are %s windows, of which each %s neighbours are drawn as one: "+
			"counts added, of percentiles the highest.",
			count(float64(len(all[0].shown.Windows))), count(float64(most))))
	}
	for _, s := range all {
		if s.shown.CutShort {
			said = append(said, "The run of "+s.name+" was interrupted: it is shorter than it should be.")
		}
	}
	for _, s := range all {
		if len(s.runs) > 1 {
			said = append(said, "Of several repetitions the charts show the middle one by p95 of reads; "+
				"the spread is in a table below, failures count in all.")
			break
		}
	}
	return said
}

// timelines are of all runs; of each series the one that is drawn comes first, and the first of all is open.
func timelines(all []*series) []timeline {
	var lines []timeline
	for _, s := range all {
		for _, run := range s.runs {
			name := s.name
			if len(s.runs) > 1 {
				name = fmt.Sprintf("%s, repetition %d", s.name, run.Repetition)
				if run.Repetition == s.shown.Repetition {
					name += " (drawn above)"
				}
			}
			events := table{Columns: labelled("time", "kind", "event")}
			events.long(2)
			for _, e := range run.Events {
				events.add("", moment(e.At), e.Kind, e.Text)
				if e.Kind == record.Failure {
					events.bad(1)
				}
			}
			heading := fmt.Sprintf("%s: %s", name, cmp.Or(plural(len(run.Events), "event"), "no events"))
			lines = append(lines, timeline{Name: heading, Events: events, Open: len(lines) == 0})
		}
	}
	return lines
}
