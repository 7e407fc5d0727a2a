package report

import (
	"fmt"
	"strings"
	"time"
)

// Report is all that a run of the harness has to say.
type Report struct {
	Settings Settings  `json:"settings"`
	Rows     []Row     `json:"rows"`
	Verdicts []Verdict `json:"targets"`
}

// Settings are what the figures depend on besides the clients.
type Settings struct {
	Go       string        `json:"go"`
	Platform string        `json:"platform"` // such as linux/amd64
	CPUs     int           `json:"cpus"`
	GC       string        `json:"gc"`
	WarmUp   time.Duration `json:"warm_up_ns"`
	Measure  time.Duration `json:"measure_ns"`
	Modules  []string      `json:"modules"`          // the clients and their versions
	Builds   []string      `json:"builds,omitempty"` // digests of the programs that measured; more than one: the code changed between rounds
}

// New returns the report of samples.
func New(settings Settings, samples []Sample) Report {
	rows := Rows(samples)
	return Report{settings, rows, Verdicts(rows)}
}

func (s Settings) lines() []string {
	lines := []string{
		fmt.Sprintf("%s %s, %d CPUs, %s; each run warms up for %v and measures for %v", s.Go, s.Platform, s.CPUs, s.GC, s.WarmUp, s.Measure),
		strings.Join(s.Modules, ", "),
	}
	if len(s.Builds) > 1 {
		lines = append(lines, fmt.Sprintf("NOTE: measured by %d builds of this program, whose code differs", len(s.Builds)))
	}
	return lines
}
