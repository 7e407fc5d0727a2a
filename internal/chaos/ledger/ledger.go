// Package ledger compares what callers were told with what the servers hold. The worker writes a Record of every
// operation; after each round Read takes the truth from the servers, by a RESP reader that shares nothing with keyslot,
// and Round.Check says what does not fit. All checks are pure: records and values in, violations out.
package ledger

import (
	"fmt"
	"time"
)

// Violation is one broken promise.
type Violation struct {
	// Check is duplicate, unsound, lost, ledger, echo, answer, sequence, register, seamless, impatient, overdue,
	// recovered, seen, context, flat, closed or bounded; and of the driver: worker, late or stuck.
	Check string
	Text  string // what was done, when and in which slot, what the caller was told, and what the server holds
}

func (v Violation) String() string { return v.Check + ": " + v.Text }

func violation(check, format string, args ...any) Violation {
	return Violation{Check: check, Text: fmt.Sprintf(format, args...)}
}

// SlotRange is the slots First to Last, both included.
type SlotRange struct{ First, Last uint16 }

// Contains reports whether slot lies in the range.
func (r SlotRange) Contains(slot uint16) bool { return r.First <= slot && slot <= r.Last }

// Terms are what the nemesis of a round may do. The zero value allows no loss.
type Terms struct {
	// Lossy are the slots of the shard that an unplanned failover struck, where acknowledged writes that were not yet
	// replicated are lost by the servers. They are counted there, and violations elsewhere.
	Lossy []SlotRange
	// Seamless says that no operation may fail whose context did not end: a planned change of the cluster.
	Seamless bool
	// Answers are codes of error replies that callers may see, such as NOPERM while credentials change. No other is
	// believed, but for those that the load itself asks for.
	Answers []string
	// Hangs are ways (Record.Via) that end with the caller's patience only, where nothing tells that the connection is
	// dead: a lane whose last operation went so need not have recovered.
	Hangs []string
	// Expects are the names of Signs of which the round must show at least one each.
	Expects []string
}

// Round is all that is known of one round.
type Round struct {
	Records []Record
	Earlier []Record // of the round before: those told not executed must still be absent, see Refused
	Bare    []Record // of a Bare that ran beside a lossy nemesis
	Held    Held     // of all keys of the three
	Terms   Terms
	Lanes   int           // how many there were, numbered from 0: each must have a record
	Healed  time.Duration // when the nemesis had healed, by the worker's clock; 0: not said, and recovery is not checked
	Signs   Signs         // what the worker counted

	// Beats are when the worker's process ran for certain, in order: a goroutine that wakes at intervals of BeatEvery
	// has noted the time.
	Beats []time.Duration

	// RegisterTimeout bounds the search for a linearization of one key; 0 means 10 s. A key not decided by then is
	// counted; more than half of them are a violation.
	RegisterTimeout time.Duration

	lossy map[uint16]bool // slots of Terms.Lossy, where the servers may have lost what was acknowledged
}

// BeatEvery is the interval between two of Round.Beats while the process runs.
const BeatEvery = 50 * time.Millisecond

// Held is what the servers hold.
type Held struct {
	Hashes map[string]map[string]string // hash by key: field to value
	Lists  map[string][]string          // list by key
}

// Signs count what was seen in a round, by name. The worker tells MOVED and ASK, the reasons of keyslot.Trace.Retried,
// such as TRYAGAIN, CLUSTERDOWN and lost, and dials, failed dial, refresh and failed refresh. Check adds the outcomes,
// Broken and Slow.
type Signs map[string]int

// Signs of a fault in the operations themselves. Some outcomes are unknown in any round, for the load cancels calls.
const (
	Broken = "broken" // failed, though the context had not ended
	Slow   = "slow"   // took SlowAfter or more
)

// SlowAfter is more than any operation takes on a calm cluster, on a busy machine, but for those that wait at the server.
const SlowAfter = 250 * time.Millisecond

// Figures are the numbers of one round for the report.
type Figures struct {
	Operations int             // records
	Outcomes   map[Outcome]int // of all operations
	Signs      Signs           // Round.Signs and those that Check adds
	Ran        int             // writes that the servers hold
	RanUnknown int             // of those, told unknown
	Late       int             // elements of lists that ran behind later ones after an unknown
	LostWrites int             // acknowledged and lost in Terms.Lossy
	BareWrites int             // acknowledged to Round.Bare
	LostBare   int             // of those, lost
	Keys       int             // register keys checked
	Undecided  int             // of those, not decided in time

	Overruns     []Overrun             // of the sampled calls
	FirstSuccess map[int]time.Duration // by lane, after Round.Healed; lanes without one are absent
}

// Resources are what a process holds.
type Resources struct {
	Goroutines  int   `json:"goroutines"`
	Descriptors int   `json:"descriptors"` // open file descriptors; 0 where they cannot be counted
	Resident    int64 `json:"resident"`    // bytes of memory, after a collection; 0 where they cannot be told
}
