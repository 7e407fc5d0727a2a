package ledger

import (
	"slices"
	"time"
)

// OverrunLimit is how much later than a bare goroutine a caller may return when its context ends, at the 99.9th
// percentile.
const OverrunLimit = 5 * time.Millisecond

// Overrun is how long after the end of one context a call returned, and a bare goroutine that waited for it.
type Overrun struct{ Call, Bare time.Duration }

// CheckOverruns returns the 99.9th percentile of how much later than bare goroutines callers returned, of all samples
// of a run, and a violation if it is above OverrunLimit. Of fewer than 2000 samples one may be above it.
//
// A machine with more to run than processors delays now this goroutine, now the other, by more than the limit. Its
// share is taken off in two ways, of which the smaller result counts, for a client that is late is late in both: call
// by call, less what the bare goroutine was later than the call, and all calls beside all bare goroutines.
func CheckOverruns(samples []Overrun) (p999 time.Duration, found []Violation) {
	few := max(1, len(samples)/1000)
	last := len(samples) - 1 - few
	if last < few {
		return 0, nil
	}
	calls, bares, differences := make([]time.Duration, len(samples)), make([]time.Duration, len(samples)), make([]time.Duration, len(samples))
	for i, s := range samples {
		calls[i], bares[i], differences[i] = s.Call, s.Bare, s.Call-s.Bare
	}
	slices.Sort(calls)
	slices.Sort(bares)
	slices.Sort(differences)
	p999 = max(0, min(differences[last]+min(0, differences[few]), calls[last]-bares[last]))
	if p999 > OverrunLimit {
		found = append(found, violation("context", "of %d calls whose context ended, %d returned %v or more after it, "+
			"and as many bare goroutines %v; call by call that is %v later, or %v sooner",
			len(samples), few+1, calls[last], bares[last], differences[last], -differences[few]))
	}
	return p999, found
}

// What a worker may hold more than at the end of the first round. Rounds differ in the connections that they leave behind:
// a shared one and one for large values to each node, and idle ones of blocking commands and of watched transactions.
const (
	flatCount    = 64
	flatResident = 64 << 20
)

// CheckFlat compares what the worker holds at the end of a round with the end of the first one.
func CheckFlat(first, now Resources) (found []Violation) {
	if now.Goroutines > first.Goroutines+flatCount {
		found = append(found, violation("flat", "%d goroutines, after the first round %d", now.Goroutines, first.Goroutines))
	}
	if now.Descriptors > first.Descriptors+flatCount {
		found = append(found, violation("flat", "%d descriptors, after the first round %d", now.Descriptors, first.Descriptors))
	}
	if now.Resident > first.Resident+flatResident {
		found = append(found, violation("flat", "%d MiB of memory, after the first round %d MiB", now.Resident>>20, first.Resident>>20))
	}
	return found
}

// CheckClosed compares what the worker holds after Close with what it held before Open: goroutines and descriptors are
// all gone. Memory is the runtime's to keep.
func CheckClosed(before, after Resources) (found []Violation) {
	if after.Goroutines > before.Goroutines {
		found = append(found, violation("closed", "%d goroutines after Close, before Open %d", after.Goroutines, before.Goroutines))
	}
	if after.Descriptors > before.Descriptors {
		found = append(found, violation("closed", "%d descriptors after Close, before Open %d", after.Descriptors, before.Descriptors))
	}
	return found
}

// Traffic is what a round cost beside the operations themselves.
type Traffic struct {
	Dials    int // connections that the client opened
	Topology int // CLUSTER SLOTS calls that the client made
}

// CheckBounded compares the traffic of a round with what its nemesis allows.
func CheckBounded(seen, limit Traffic) (found []Violation) {
	if seen.Dials > limit.Dials {
		found = append(found, violation("bounded", "%d connections were dialled, of at most %d", seen.Dials, limit.Dials))
	}
	if seen.Topology > limit.Topology {
		found = append(found, violation("bounded", "the topology was asked for %d times, of at most %d", seen.Topology, limit.Topology))
	}
	return found
}
