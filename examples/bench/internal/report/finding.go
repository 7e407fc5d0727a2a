package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// finding says in a sentence what came out, of the first client; rest compares the others with it.
func finding(all []*series) (lead, rest string) {
	if len(all) == 0 {
		return "Nothing was measured.", ""
	}
	lead = fmt.Sprintf("%s; %s operations failed.", latencyFound(all[0]), failuresOf(all[0]))
	var others []string
	for i, s := range all[1:] {
		verb := ""
		if i == 0 {
			verb = " failed"
		}
		others = append(others, failuresOf(s)+verb+" with "+s.name)
	}
	if len(others) > 0 {
		rest = enumerate(others) + ". "
	}
	return lead, strings.TrimSpace(rest + reuseFound(all))
}

// latencyFound tells the highest p95 of any window, during each experiment and apart from them.
func latencyFound(s *series) string {
	k, whole := kinds[0], s.shown.Reads
	if whole.Count == 0 {
		k, whole = kinds[1], s.shown.Writes
	}
	subject := fmt.Sprintf("%s: p95 of %s ", s.name, k.name)
	switch {
	case whole.Count == 0:
		return s.name + ": no operation ended"
	case highest(s.shown.Windows, k) == 0:
		return subject + "was " + latency(whole.P95)
	}
	each := " in every window of " + moment(s.shown.Windows[0].Seconds)
	if len(s.spans) == 0 {
		return subject + "stayed under " + latency(ceiling(highest(s.shown.Windows, k))) + each
	}
	var during, nothingEnded []string
	for _, experiment := range s.spans {
		high := highest(experiment.during(s.shown), k)
		if high == 0 {
			nothingEnded = append(nothingEnded, shorten(experiment.name))
			continue
		}
		during = append(during, latency(ceiling(high))+" during "+shorten(experiment.name))
	}
	if high := highest(s.undisturbed(), k); high > 0 {
		during = append(during, latency(ceiling(high))+" otherwise")
	}
	found := subject + "stayed under " + enumerate(during) + "," + each
	if len(nothingEnded) > 0 {
		found += "; none ended during " + enumerate(nothingEnded)
	}
	return found
}

// undisturbed returns the windows that no experiment had a part of.
func (s *series) undisturbed() []record.Window {
	return slices.DeleteFunc(slices.Clone(s.shown.Windows), func(w record.Window) bool {
		return slices.ContainsFunc(s.spans, func(experiment span) bool { return experiment.overlaps(w) })
	})
}

// failuresOf counts in all repetitions, also in those that are not drawn.
func failuresOf(s *series) string {
	failed, operations := 0.0, 0.0
	for _, run := range s.runs {
		f, n := failures(run)
		failed, operations = failed+f, operations+n
	}
	return count(failed) + " of " + count(operations)
}

// reuseFound compares the two kinds of connections of the first client that has both.
func reuseFound(all []*series) string {
	for _, p := range pairs(all) {
		if p.fresh > 0 && p.reused > 0 {
			return fmt.Sprintf("A new connection for each call made p95 of %s with %s %s times as long.", p.kind, p.client,
				short(p.fresh/p.reused))
		}
	}
	return ""
}

// pair is the p95 of one kind of operation over whole runs, with connections reused and with one for each call; 0 where
// there is none.
type pair struct {
	client, kind  string
	hue           string
	reused, fresh float64
}

// pairs returns those of the clients that were run both ways.
func pairs(all []*series) []pair {
	var found []pair
	for _, anew := range all {
		if !anew.fresh {
			continue
		}
		for _, reused := range all {
			if reused.client != anew.client || reused.fresh {
				continue
			}
			found = append(found,
				pair{anew.client, "reads", anew.hue, reused.shown.Reads.P95, anew.shown.Reads.P95},
				pair{anew.client, "writes", anew.hue, reused.shown.Writes.P95, anew.shown.Writes.P95})
		}
	}
	return found
}

// enumerate joins with commas and one "and".
func enumerate(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}

// mostRunes is what fits above a plot and into a sentence.
const mostRunes = 20

// shorten cuts a name that is too long for a label; it stands in full in the timeline.
func shorten(name string) string { return shortenTo(name, mostRunes) }

func shortenTo(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
