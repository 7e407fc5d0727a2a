package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is all that a run of the harness has to say.
type Report struct {
	Settings  Settings  `json:"settings"`
	Rows      []Row     `json:"rows"`
	Verdicts  []Verdict `json:"targets"`
	NotBehind []Verdict `json:"not_behind"` // in the cells without a target for ops/s beside the baseline
}

// Settings are what the figures depend on besides the clients.
type Settings struct {
	Platform string        `json:"platform"` // such as linux/amd64
	CPUs     int           `json:"cpus"`
	GC       string        `json:"gc"`
	WarmUp   time.Duration `json:"warm_up_ns"`
	Measure  time.Duration `json:"measure_ns"`
	Builds   []Build       `json:"builds,omitempty"` // the programs that measured; more than one: the code changed between rounds
	Servers  []string      `json:"servers"`          // what they talked to; New fills it in from the samples, as the rounds
	Rounds   int           `json:"rounds"`           // of the cell that has the most
	Fewest   int           `json:"fewest_rounds"`    // of the one that has the fewest
}

// Build says which program measured.
type Build struct {
	Digest string `json:"build"`
	Commit string `json:"commit,omitempty"` // what it was built from, with " (modified)" where that is not all; empty: unknown
	Go     string `json:"go,omitempty"`     // the version that built it
	Peers  string `json:"peers,omitempty"`  // modules of the clients in it with their versions, as JoinPeers has them
}

// between separates the peers of a Build, which is one string so that builds can be compared.
const between = ", "

// JoinPeers returns modules, each as "path version", as a Build has them.
func JoinPeers(modules []string) string { return strings.Join(modules, between) }

// New returns the report of samples, in their order.
func New(settings Settings, samples []Sample) Report {
	rows := Rows(withoutTails(samples, settings.Measure))
	settings.learn(samples)
	return Report{settings, rows, Verdicts(rows), NotBehind(rows)}
}

// summary counts what is met. The cells of NotBehind are counted apart, so that the number of targets is what it
// is without them.
func (r Report) summary() string {
	met, without := 0, 0
	for _, v := range r.Verdicts {
		if v.Met {
			met++
		}
		if v.Missing {
			without++
		}
	}
	said := fmt.Sprintf("%d of %d targets met%s (there are %d in all)", met, len(r.Verdicts), noVerdict(without), TargetCount())
	if len(r.NotBehind) == 0 {
		return said
	}
	cells := map[string][]Verdict{}
	for _, v := range r.NotBehind {
		cells[v.Cell] = append(cells[v.Cell], v)
	}
	count := map[string]int{}
	for _, verdicts := range cells {
		count[standing(verdicts)]++
	}
	return said + fmt.Sprintf("; not behind %s: %d of %d cells%s (those without a target for ops/s beside it)",
		baseline, count["not behind"], len(cells), noVerdict(count[""]))
}

func noVerdict(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d without a verdict", n)
}

// learn fills in what only samples know.
func (s *Settings) learn(samples []Sample) {
	s.Servers, s.Rounds, s.Fewest = nil, 0, 0
	for _, cell := range group(samples, func(s Sample) string { return s.Cell }) {
		rounds := countRounds(cell)
		if s.Fewest == 0 || rounds < s.Fewest {
			s.Fewest = rounds
		}
		s.Rounds = max(s.Rounds, rounds)
	}
	for _, served := range group(samples, func(s Sample) string { return s.Server }) {
		if server := served[0].Server; server != "" {
			s.Servers = append(s.Servers, server)
		}
	}
}

func (s Settings) lines() []string {
	lines := []string{
		fmt.Sprintf("%s %s, %d CPUs, %s; each run warms up for %v and measures for %v",
			known(distinct(s.Builds, func(b Build) string { return b.Go }), "unknown Go version"),
			s.Platform, s.CPUs, s.GC, s.WarmUp, s.Measure),
		fmt.Sprintf("%s against %s, commit %s", s.rounds(), known(s.Servers, "unknown servers"),
			known(distinct(s.Builds, func(b Build) string { return b.Commit }), "unknown")),
		s.peers(),
	}
	if builds := distinct(s.Builds, func(b Build) string { return b.Digest }); len(builds) > 1 {
		lines = append(lines,
			fmt.Sprintf("NOTE: measured by %d builds of this program, whose code, clients or Go version differ", len(builds)))
	}
	return lines
}

// peers returns the clients that were measured, each with all of its versions.
func (s Settings) peers() string {
	var all []string
	for _, b := range s.Builds {
		for peer := range strings.SplitSeq(b.Peers, between) {
			if peer != "" && !slices.Contains(all, peer) {
				all = append(all, peer)
			}
		}
	}
	if len(all) == 0 {
		return "clients of unknown versions"
	}
	return JoinPeers(slices.Sorted(slices.Values(all)))
}

func (s Settings) rounds() string {
	switch {
	case s.Fewest != s.Rounds:
		return fmt.Sprintf("%d to %d rounds", s.Fewest, s.Rounds)
	case s.Rounds == 1:
		return "1 round"
	default:
		return fmt.Sprintf("%d rounds", s.Rounds)
	}
}

// distinct returns what of says of builds, where it says something, each once.
func distinct(builds []Build, of func(Build) string) []string {
	var all []string
	for _, b := range builds {
		if what := of(b); what != "" && !slices.Contains(all, what) {
			all = append(all, what)
		}
	}
	return all
}

// known lists values, or says otherwise where there are none, as of a journal from before they were noted.
func known(values []string, otherwise string) string {
	if len(values) == 0 {
		return otherwise
	}
	return strings.Join(values, " and ")
}
