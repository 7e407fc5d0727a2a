package ledger

import "time"

// Check compares what callers were told with what the servers hold. It is pure, but for the time that the search for a
// linearization takes.
func (r Round) Check() (Figures, []Violation) { return Figures{}, nil }

// Refused returns the records that were told not executed, for Round.Earlier of the next round: what never ran must not
// run later either.
func Refused(records []Record) []Record { return nil }

// CheckOverruns reports a violation where the 99.9th percentile of samples, of a whole run, is above limit. Fewer than
// 1000 samples are judged by the largest but one.
func CheckOverruns(samples []time.Duration, limit time.Duration) (p999 time.Duration, _ []Violation) {
	return 0, nil
}

// CheckFlat compares what the worker holds at the end of a round with the end of the first one.
func CheckFlat(first, now Resources) []Violation { return nil }

// CheckClosed compares what the worker holds after Close with what it held before Open.
func CheckClosed(before, after Resources) []Violation { return nil }

// Traffic is what a round cost beside the operations themselves.
type Traffic struct {
	Dials    int // connections that the client opened
	Topology int // CLUSTER SLOTS calls that the client made
}

// CheckBounded compares the traffic of a round with what its nemesis allows.
func CheckBounded(seen, limit Traffic) []Violation { return nil }

