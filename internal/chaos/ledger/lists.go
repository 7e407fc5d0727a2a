package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// list is what is known of one list: one lane pushes 1, 2, 3 ... to it, and at most one lane pops.
type list struct {
	key         string
	pushes      map[int]Record
	popped      []string // in the order of the pops
	unknownPops int      // each may have taken one element that nobody saw
	lossy       bool
}

// checkLists compares the lists with the pushes and pops: each element once, in order, none lost.
func (r Round) checkLists(f *Figures) (found []Violation) {
	lists := map[string]*list{}
	for _, op := range slices.SortedFunc(slices.Values(r.Records), func(a, b Record) int { return cmp.Compare(a.Start, b.Start) }) {
		if op.Kind != Push && op.Kind != Pop {
			continue
		}
		l := lists[op.Key]
		if l == nil {
			l = &list{key: op.Key, pushes: map[int]Record{}, lossy: r.lossy[op.Slot]}
			lists[op.Key] = l
		}
		switch {
		case op.Kind == Push:
			l.pushes[op.N] = op
		case op.Outcome == OK:
			l.popped = append(l.popped, op.Got)
		case op.Outcome == Unknown:
			l.unknownPops++
		}
	}
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		l := lists[key]
		elements := slices.Concat(l.popped, r.Held.Lists[key])
		found = append(found, l.checkElements(elements, f)...)
		found = append(found, l.checkMissing(elements, f)...)
		found = append(found, l.checkLengths()...)
	}
	for _, op := range r.Earlier {
		if op.Kind == Push && slices.Contains(r.Held.Lists[op.Key], strconv.Itoa(op.N)) {
			found = append(found, violation("unsound", "%s, and element %d was pushed after its round", op, op.N))
		}
	}
	return found
}

// checkElements looks at what the list holds, or has given away: each once, of those that were issued, in the order in
// which they were. An element whose push ended unknown may have run late, behind later ones; one that was acknowledged
// was in the list before the next was issued.
func (l *list) checkElements(elements []string, f *Figures) (found []Violation) {
	// A pop that was not replicated before a failover gives its element once more.
	again := l.lossy && len(l.popped) > 0
	seen, high := map[int]bool{}, 0
	for _, element := range elements {
		n, _ := strconv.Atoi(element)
		op, issued := l.pushes[n]
		if !issued {
			found = append(found, violation("sequence", "%s holds %q, which nobody has pushed there", l.key, element))
			continue
		}
		switch {
		case seen[n] && again:
		case seen[n]:
			found = append(found, violation("sequence", "element %d is there twice: %s", n, op))
		case op.Outcome != OK && op.Outcome != Unknown:
			found = append(found, violation("sequence", "element %d is there: %s", n, op))
		case n < high && op.Outcome == Unknown:
			f.Late++
		case n < high && !op.Reordered && !again:
			found = append(found, violation("sequence", "element %d stands behind %d: %s", n, high, op))
		}
		seen[n], high = true, max(high, n)
	}
	return found
}

// checkMissing looks for elements that were acknowledged and are gone.
func (l *list) checkMissing(elements []string, f *Figures) (found []Violation) {
	missing := maps.Clone(l.pushes)
	for _, element := range elements {
		n, _ := strconv.Atoi(element)
		delete(missing, n)
	}
	maps.DeleteFunc(missing, func(_ int, op Record) bool { return op.Outcome != OK })
	if l.lossy {
		f.LostWrites += len(missing)
		return nil
	}
	if len(missing) <= l.unknownPops {
		return nil
	}
	for _, n := range slices.Sorted(maps.Keys(missing)) {
		found = append(found, violation("sequence", "element %d is gone (%d unknown pops): %s", n, l.unknownPops, missing[n]))
	}
	return found
}

// checkLengths looks at what the pushes were told: each makes the list longer, and it is never longer than what was
// issued. A list that is popped from, or that lost a failover, tells nothing by its length.
func (l *list) checkLengths() (found []Violation) {
	if l.lossy || len(l.popped) > 0 || l.unknownPops > 0 {
		return nil
	}
	before := 0
	for _, n := range slices.Sorted(maps.Keys(l.pushes)) {
		op := l.pushes[n]
		if op.Outcome != OK || op.Reordered {
			continue
		}
		length, err := strconv.Atoi(op.Got)
		if err != nil || length <= before || length > n {
			found = append(found, violation("sequence", "the length must be above %d and at most %d: %s", before, n, op))
		}
		before = max(before, length)
	}
	return found
}
