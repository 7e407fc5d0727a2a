package ledger

import (
	"maps"
	"slices"
	"strings"
)

// checkWrites compares every write with the ledger that the servers hold: what ran, and how often.
func (r Round) checkWrites(f *Figures) (found []Violation) {
	issued := map[string]bool{}
	for _, op := range slices.Concat(r.Records, r.Earlier, r.Bare) {
		if op.Kind == Write {
			issued[op.Key+" "+op.ID] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.Held.Hashes)) {
		for id, count := range r.Held.Hashes[key] {
			if !issued[key+" "+id] {
				found = append(found, violation("ledger", "%s holds %s (%s), which nobody has issued there", key, id, count))
			}
		}
	}
	for _, op := range r.Records {
		if op.Kind == Write {
			found = append(found, r.checkWrite(op, f)...)
		}
	}
	for _, op := range r.Earlier {
		if count, ran := r.Held.Hashes[op.Key][op.ID]; ran && op.Kind == Write {
			found = append(found, violation("unsound", "%s, and ran after its round, as the servers hold %s", op, count))
		}
	}
	for _, op := range r.Bare {
		if op.Outcome != OK {
			continue
		}
		f.BareWrites++
		if _, ran := r.Held.Hashes[op.Key][op.ID]; !ran {
			f.LostBare++
		}
	}
	return found
}

func (r Round) checkWrite(op Record, f *Figures) (found []Violation) {
	count, ran := r.Held.Hashes[op.Key][op.ID]
	if ran {
		f.Ran++
	}
	if ran && count != op.Want {
		found = append(found, violation("duplicate", "%s, and ran more than once: it adds %s, and the servers hold %s", op, op.Want, count))
	}
	switch {
	case op.Spoilt && (ran || op.Outcome == OK):
		found = append(found, violation("ledger", "%s, though a watched key had been written in between", op))
	case ran && op.Outcome == Unknown:
		f.RanUnknown++
	case ran && op.Outcome != OK:
		found = append(found, violation("unsound", "%s, but it ran: the servers hold %s", op, count))
	case !ran && op.Outcome == OK && r.lossy[op.Slot]:
		f.LostWrites++
	case !ran && op.Outcome == OK:
		found = append(found, violation("lost", "%s, but the servers do not hold it", op))
	}
	return found
}

// checkGroups finds transactions and scripts of which only a part ran.
func (r Round) checkGroups(f *Figures) (found []Violation) {
	groups := map[string][]Record{}
	for _, op := range r.Records {
		if op.Kind == Write && op.Group != "" {
			groups[op.Group] = append(groups[op.Group], op)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		var ran, absent []string
		for _, op := range groups[name] {
			if _, ok := r.Held.Hashes[op.Key][op.ID]; ok {
				ran = append(ran, op.ID)
			} else {
				absent = append(absent, op.ID)
			}
		}
		if len(ran) > 0 && len(absent) > 0 {
			found = append(found, violation("ledger", "of one %s, %s ran and %s did not; the first: %s",
				groups[name][0].Via, strings.Join(ran, " "), strings.Join(absent, " "), groups[name][0]))
		}
	}
	return found
}

// checkEchoes finds replies that belong to another command: a nonce that was not asked for, the value of another key, a
// count that a new field cannot have, a script's error that did not come through as it was.
func (r Round) checkEchoes(f *Figures) (found []Violation) {
	for _, op := range r.Records {
		switch {
		case op.Kind == Forged:
			found = append(found, checkForged(op)...)
		case op.Kind != Echo && op.Kind != Write:
		case op.Outcome == OK && op.Got != op.Want:
			found = append(found, violation("echo", "%s, and should have been told %q", op, op.Want))
		case op.Outcome == Nil && !r.lossy[op.Slot]:
			found = append(found, violation("echo", "%s, and should have been told %q", op, op.Want))
		}
	}
	return found
}

// checkForged wants the text of a script's error to reach the caller as it is. It proves nothing, for the script ran:
// the outcome may be unknown, but it is not a refusal. An unknown outcome with another text is a call that was lost.
func checkForged(op Record) []Violation {
	switch {
	case op.Outcome == NotExecuted && strings.Contains(op.Err, op.Want):
		return []Violation{violation("echo", "%s: the text %q of a script's error was taken for a refusal", op, op.Want)}
	case op.Got == op.Want:
		return nil
	case op.Outcome == OK, op.Outcome == Nil, op.Outcome == Answered:
		return []Violation{violation("echo", "%s, and should have been answered by the error %q", op, op.Want)}
	}
	return nil
}
