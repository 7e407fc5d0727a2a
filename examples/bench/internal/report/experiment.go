package report

import (
	"fmt"
	"strings"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// span is an experiment: what was done to the cluster, from when to when.
type span struct {
	name     string
	from, to float64
}

// calm reports whether a phase is not an experiment but the time before the first or after one of them.
func calm(p record.Phase) bool { return p.Name == "before" || strings.HasPrefix(p.Name, "after ") }

// spans returns the experiments of a run, the first of them if there are more than mostSpans.
func spans(run record.Run) []span {
	var all []span
	for _, p := range run.Phases {
		if !calm(p) && len(all) < mostSpans {
			all = append(all, span{p.Name, p.At, p.At + p.Seconds})
		}
	}
	return all
}

// overlaps reports whether any of w was measured during s.
func (s span) overlaps(w record.Window) bool {
	return w.At+w.Seconds > s.from && (w.At < s.to || w.At <= s.from)
}

// during returns the windows that s has a part of.
func (s span) during(run record.Run) []record.Window {
	var windows []record.Window
	for _, w := range run.Windows {
		if s.overlaps(w) {
			windows = append(windows, w)
		}
	}
	return windows
}

// phases returns those of a run under names that occur once. A run without any is one.
func phases(run record.Run) []record.Phase {
	if len(run.Phases) == 0 {
		failed, _ := failures(run)
		return []record.Phase{{Name: "whole run", Seconds: length(run), Reads: run.Reads, Writes: run.Writes,
			Errors: int64(failed)}}
	}
	times := map[string]int{}
	named := make([]record.Phase, len(run.Phases))
	for i, p := range run.Phases {
		times[p.Name]++
		if n := times[p.Name]; n > 1 {
			p.Name = fmt.Sprintf("%s (%d)", p.Name, n)
		}
		named[i] = p
	}
	return named
}

// highest returns the highest p95 of any of the windows; 0 if nothing ended in them.
func highest(windows []record.Window, k kind) float64 {
	high := 0.0
	for _, w := range windows {
		high = max(high, k.of(w).P95)
	}
	return high
}
