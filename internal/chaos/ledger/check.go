package ledger

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Check compares what callers were told with what the servers hold. It is pure, but for the time that the search for a
// linearization takes.
func (r Round) Check() (Figures, []Violation) {
	f := Figures{Outcomes: map[Outcome]int{}, Signs: Signs{}, FirstSuccess: map[int]time.Duration{}}
	r.lossy = map[uint16]bool{}
	for _, s := range r.Terms.Lossy {
		for slot := int(s.First); slot <= int(s.Last); slot++ {
			r.lossy[uint16(slot)] = true
		}
	}
	r.count(&f)
	var found []Violation
	for _, check := range []func(*Figures) []Violation{
		r.checkWrites, r.checkGroups, r.checkEchoes, r.checkAnswers, r.checkLists, r.checkRegisters, r.checkReturns, r.checkRecovered, r.checkSeen,
	} {
		found = append(found, check(&f)...)
	}
	return f, found
}

// Refused returns the records that were told not executed, for Round.Earlier of the next round: what never ran must not
// run later either.
func Refused(records []Record) []Record {
	var refused []Record
	for _, op := range records {
		if op.Outcome == NotExecuted {
			refused = append(refused, op)
		}
	}
	return refused
}

func (r Round) count(f *Figures) {
	f.Operations = len(r.Records)
	maps.Copy(f.Signs, r.Signs)
	for _, op := range r.Records {
		f.Outcomes[op.Outcome]++
		f.Signs[string(op.Outcome)]++
		if op.failedEarly() {
			f.Signs[Broken]++
		}
		if op.End-op.Start >= SlowAfter && op.Kind != Pop {
			f.Signs[Slow]++
		}
		if op.Sampled {
			f.Overruns = append(f.Overruns, Overrun{Call: op.End - op.Bound, Bare: op.End - op.Bound - op.Overran})
		}
	}
}

// succeeded reports whether the caller got what it asked for. A forged redirect's text is that, too, and that watched
// keys may have changed.
func (r Record) succeeded() bool {
	return r.Outcome == OK || r.Outcome == Nil || r.Aborted || r.Kind == Forged && r.Got == r.Want
}

// failedEarly reports whether the operation failed although its context had not ended: Bound is never later than that.
func (r Record) failedEarly() bool {
	return !r.succeeded() && (r.Ctx == Patient || r.End < r.Bound)
}

// mayBeSentAgain reports whether the operation ended so that the client may send it again, which is then for the caller's
// patience to end: it was not executed, or it only reads. There are three exceptions. A watch ends with its connection,
// an aborted transaction is the caller's to begin anew, and an ordered pipeline holds back what was overtaken.
func (r Record) mayBeSentAgain() bool {
	if r.Via == "watch" || r.Aborted || r.Via == "ordered pipeline" && r.Reordered {
		return false
	}
	reads := r.Kind == Echo && !strings.Contains(r.Via, "eval") || r.Op == "get"
	return r.Outcome == NotExecuted || r.Outcome == Unknown && reads
}

// checkAnswers finds errors that came without a reason. The servers refuse nothing of the load, so an error reply, or a reply
// of another type than the command has, was somebody else's; and only the caller's patience ends what may be sent again.
func (r Round) checkAnswers(f *Figures) (found []Violation) {
	for _, op := range r.Records {
		code, _, _ := strings.Cut(op.Got, " ")
		switch {
		case op.Outcome == Both:
			found = append(found, violation("answer", "%s: not executed and unknown at once", op))
		case op.Outcome == Answered && op.Kind != Forged && !slices.Contains(r.Terms.Answers, code):
			found = append(found, violation("answer", "%s: nothing in this round gives a reason for this answer", op))
		case r.Terms.Seamless && op.failedEarly():
			found = append(found, violation("seamless", "%s: nothing may fail in this round", op))
		case op.End < op.Bound && op.mayBeSentAgain() && !slices.Contains(r.Terms.Answers, code):
			found = append(found, violation("impatient", "%s: the client could have gone on until %v", op, op.Bound.Round(time.Microsecond)))
		}
	}
	return found
}

// overdue is how late a call may return on a machine with more to run than processors. CheckOverruns is for the fine scale.
const overdue = time.Second

// checkReturns finds calls that went on although their time was over. Time in which the process did not run does not count.
func (r Round) checkReturns(f *Figures) (found []Violation) {
	for _, op := range r.Records {
		first, _ := slices.BinarySearch(r.Beats, op.Bound)
		last, _ := slices.BinarySearch(r.Beats, op.End)
		if last-first >= int(overdue/BeatEvery) {
			found = append(found, violation("overdue", "%s: its time was over at %v", op, op.Bound.Round(time.Microsecond)))
		}
	}
	return found
}

// checkRecovered finds lanes without a success after the nemesis had healed, and those that have done nothing at all.
func (r Round) checkRecovered(f *Figures) (found []Violation) {
	last := map[int]Record{}
	for _, op := range r.Records {
		if before, ok := last[op.Lane]; !ok || op.End > before.End {
			last[op.Lane] = op
		}
		if r.Healed == 0 || op.End < r.Healed || !op.succeeded() {
			continue
		}
		if first, ok := f.FirstSuccess[op.Lane]; !ok || op.End-r.Healed < first {
			f.FirstSuccess[op.Lane] = op.End - r.Healed
		}
	}
	for lane := range r.Lanes {
		if _, ok := last[lane]; !ok {
			found = append(found, violation("recovered", "lane %d has no record of the whole round", lane))
		}
	}
	if r.Healed == 0 {
		return found
	}
	for _, lane := range slices.Sorted(maps.Keys(last)) {
		if _, ok := f.FirstSuccess[lane]; !ok && !slices.Contains(r.Terms.Hangs, last[lane].Via) {
			found = append(found, violation("recovered", "lane %d had no success after the nemesis had healed at %v; its last: %s",
				lane, r.Healed.Round(time.Millisecond), last[lane]))
		}
	}
	return found
}

// checkSeen finds signs that the nemesis should have caused and did not: a fault that struck nothing proves nothing.
func (r Round) checkSeen(f *Figures) (found []Violation) {
	for _, sign := range r.Terms.Expects {
		if f.Signs[sign] == 0 {
			found = append(found, violation("seen", "no %s in the whole round", sign))
		}
	}
	return found
}
