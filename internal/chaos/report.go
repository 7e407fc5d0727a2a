package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/keyslot-go/keyslot/internal/chaos/late"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/chaos/nemesis"
)

// report is what a whole run has shown. Its exported fields are the JSON line.
type report struct {
	Seed       uint64          `json:"seed"`
	Seconds    float64         `json:"seconds"`
	Rounds     int             `json:"rounds"`
	Setups     map[string]int  `json:"setups"` // rounds by kind of cluster
	Total      row             `json:"total"`
	Nemeses    map[string]*row `json:"nemeses"`
	Overruns   int             `json:"overrunSamples"`
	Overrun    milliseconds    `json:"overrunP999"`
	Late       []late.Result   `json:"late"`
	Harness    string          `json:"harnessError,omitempty"`
	Violations []broken        `json:"violations"`
	Unproven   []string        `json:"unproven,omitempty"` // what nemeses with too few rounds have not caused
	OK         bool            `json:"ok"`

	overruns []ledger.Overrun
	expects  map[string][]string // by nemesis that ran
}

// row is what one nemesis has shown in all its rounds, or all of them together.
type row struct {
	Rounds      int          `json:"rounds"`
	Commands    int          `json:"commands"`
	Ask         int          `json:"ask"`
	TryAgain    int          `json:"tryagain"`
	Moved       int          `json:"moved"`
	ClusterDown int          `json:"clusterdown"`
	Unknown     int          `json:"unknown"`
	NotExecuted int          `json:"notExecuted"`
	Failed      int          `json:"failed"` // though their context had not ended
	Dials       int          `json:"dials"`
	Topology    int          `json:"topologyCalls"`
	Recovery    milliseconds `json:"recovery"` // longest time of any lane from the healing to its first success
	Lost        int          `json:"lostAcks"` // where the servers may lose them
	BareWrites  int          `json:"bareWrites"`
	BareLost    int          `json:"bareLostAcks"`
	Late        int          `json:"late"`       // elements that ran behind later ones after an unknown
	Keys        int          `json:"registers"`  // checked for linearizability
	Undecided   int          `json:"undecided"`  // of those, not decided in time
	Violations  int          `json:"violations"` // of all kinds

	Broken map[string]int `json:"broken,omitempty"` // violations by check
	Signs  map[string]int `json:"signs"`            // everything that was counted
}

// broken is one violation with what is needed to see it again.
type broken struct {
	Round   int    `json:"round"`
	Nemesis string `json:"nemesis"`
	Setup   string `json:"setup"`
	Check   string `json:"check"`
	Text    string `json:"text"`
}

// milliseconds is a duration as the JSON line has it.
type milliseconds float64

func inMillis(d time.Duration) milliseconds {
	return milliseconds(float64(d.Microseconds()) / 1000)
}

func newReport(seed uint64) *report {
	return &report{Seed: seed, Setups: map[string]int{}, Nemeses: map[string]*row{}, expects: map[string][]string{}}
}

// add takes what came of one round, and returns its longest recovery.
func (r *report) add(o outcome) {
	r.Rounds++
	r.Setups[o.setup.String()]++
	mine := r.Nemeses[o.nemesis.Name]
	if mine == nil {
		mine = &row{}
		r.Nemeses[o.nemesis.Name] = mine
		r.expects[o.nemesis.Name] = o.nemesis.Expects
	}
	for _, row := range []*row{mine, &r.Total} {
		row.add(o)
	}
	r.overruns = append(r.overruns, o.figures.Overruns...)
	r.violate(o, o.violations)
}

// violate notes violations of a round, or of what surrounds it.
func (r *report) violate(o outcome, found []ledger.Violation) {
	for _, v := range found {
		r.Violations = append(r.Violations, broken{
			Round: o.round, Nemesis: o.nemesis.Name, Setup: o.setup.String(), Check: v.Check, Text: v.Text,
		})
	}
}

// addLate takes what the probes for late executions have found.
func (r *report) addLate(results []late.Result) {
	r.Late = results
	for _, result := range results {
		if n := result.Violations(); n > 0 {
			r.violate(outcome{round: -1}, []ledger.Violation{{Check: "late", Text: fmt.Sprintf(
				"%d of %d writes that were given up in a partition did what they must not do: %+v", n, result.Writes, result)}})
		}
	}
}

func (w *row) add(o outcome) {
	f := o.figures
	w.Rounds++
	w.Commands += f.Operations
	w.Ask += f.Signs["ASK"]
	w.TryAgain += f.Signs["TRYAGAIN"]
	w.Moved += f.Signs["MOVED"]
	w.ClusterDown += f.Signs["CLUSTERDOWN"]
	w.Unknown += f.Outcomes[ledger.Unknown]
	w.NotExecuted += f.Outcomes[ledger.NotExecuted]
	w.Failed += f.Signs[ledger.Broken]
	w.Dials += o.traffic.Dials
	w.Topology += o.traffic.Topology
	w.Recovery = max(w.Recovery, inMillis(recovery(f)))
	w.Lost += f.LostWrites
	w.BareWrites += f.BareWrites
	w.BareLost += f.LostBare
	w.Late += f.Late
	w.Keys += f.Keys
	w.Undecided += f.Undecided
	w.Violations += len(o.violations)
	if w.Signs == nil {
		w.Signs, w.Broken = map[string]int{}, map[string]int{}
	}
	for sign, n := range f.Signs {
		w.Signs[sign] += n
	}
	for _, v := range o.violations {
		w.Broken[v.Check]++
	}
}

// recovery is how long the last lane needed after the nemesis had healed.
func recovery(f ledger.Figures) time.Duration {
	var longest time.Duration
	for _, first := range f.FirstSuccess {
		longest = max(longest, first)
	}
	return longest
}

// enoughRounds of a nemesis must have struck: a cut may miss every reply of a second or two.
const enoughRounds = 3

// finish judges the run as a whole.
func (r *report) finish(took time.Duration) {
	r.Seconds = took.Seconds()
	p999, found := ledger.CheckOverruns(r.overruns)
	r.Overruns, r.Overrun = len(r.overruns), inMillis(p999)
	r.violate(outcome{round: -1}, found)
	for _, name := range slices.Sorted(maps.Keys(r.expects)) {
		for _, sign := range r.expects[name] {
			n := r.Nemeses[name]
			if n.Signs[sign] > 0 {
				continue
			}
			text := fmt.Sprintf("%s has caused no %s in %d rounds, so they prove nothing", name, sign, n.Rounds)
			if n.Rounds < enoughRounds {
				r.Unproven = append(r.Unproven, text)
				continue
			}
			r.violate(outcome{round: -1, nemesis: nemesis.Nemesis{Name: name}}, []ledger.Violation{{Check: "seen", Text: text}})
		}
	}
	if r.Violations == nil {
		r.Violations = []broken{} // [] in JSON, not null
	}
	r.OK = len(r.Violations) == 0 && r.Harness == ""
}

// table writes a line for each nemesis. Lossy acks and bare are what servers have lost of what they had acknowledged,
// where that may be; the columns from lost on are violations.
func (r *report) table(out io.Writer) {
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "nemesis\trounds\tcommands\tASK\tTRYAGAIN\tMOVED\tCL.DOWN\tunknown\tnot exec.\tfailed\tdials\ttopology\t"+
		"recovery ms\tlossy acks\tbare\tlost\tduplicates\tunsound\tcrossed\tother\t")
	for _, n := range nemesis.All() {
		if row := r.Nemeses[n.Name]; row != nil {
			row.line(columns, n.Name)
		}
	}
	r.Total.line(columns, "all")
	_ = columns.Flush()
	fmt.Fprintf(out, "context overrun, 99.9th percentile of %d: %v ms\n", r.Overruns, r.Overrun)
	for _, l := range r.Late {
		if l.Skipped != "" {
			fmt.Fprintf(out, "late execution after a partition, %s: skipped: %s\n", l.Engine, l.Skipped)
			continue
		}
		fmt.Fprintf(out, "late execution after a partition, %s: %d of %d writes (%d unknown, %d not executed)\n",
			l.Engine, l.Late, l.Writes, l.Unknown, l.NotExecuted)
	}
}

func (w *row) line(out io.Writer, name string) {
	lost, duplicates, unsound := w.Broken["lost"], w.Broken["duplicate"], w.Broken["unsound"]
	crossed := w.Broken["echo"] + w.Broken["answer"]
	fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%d\t%d of %d\t%d\t%d\t%d\t%d\t%d\t\n",
		name, w.Rounds, w.Commands, w.Ask, w.TryAgain, w.Moved, w.ClusterDown, w.Unknown, w.NotExecuted, w.Failed, w.Dials,
		w.Topology, w.Recovery, w.Lost, w.BareLost, w.BareWrites, lost, duplicates, unsound, crossed,
		w.Violations-lost-duplicates-unsound-crossed)
}

// shownViolations is how many are printed: one fault breaks many promises.
const shownViolations = 40

// violations writes what was broken, and how to see it again, and what was not shown.
func (r *report) violations(out io.Writer) {
	for _, text := range r.Unproven {
		fmt.Fprintln(out, text)
	}
	for i, v := range r.Violations {
		if i == shownViolations {
			fmt.Fprintf(out, "... and %d more\n", len(r.Violations)-i)
			break
		}
		where := "whole run"
		if v.Round >= 0 {
			where = fmt.Sprintf("round %d, %s, %s", v.Round, v.Nemesis, v.Setup)
		}
		fmt.Fprintf(out, "VIOLATION (%s) %s: %s\n", where, v.Check, v.Text)
	}
}

// line writes everything as one line of JSON.
func (r *report) line(out io.Writer) error { return json.NewEncoder(out).Encode(r) }
