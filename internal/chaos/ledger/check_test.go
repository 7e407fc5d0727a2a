package ledger_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

const (
	books   = "ledger:1:{a}"
	journal = "list:1:{b}7"
	queue   = "queue:1:{c}"
	cell    = "register:1:{d}0"
)

// history is a round in the making: each operation begins when the one before it has ended, a millisecond each.
type history struct{ ledger.Round }

func (h *history) add(op ledger.Record) *ledger.Record {
	op.Start = time.Duration(len(h.Records)) * time.Millisecond
	op.End = op.Start + time.Millisecond
	op.Bound = op.End
	op.ID = fmt.Sprint("op", len(h.Records))
	op.Ctx = ledger.Deadline
	h.Records = append(h.Records, op)
	return &h.Records[len(h.Records)-1]
}

func (h *history) write(outcome ledger.Outcome, held string) *ledger.Record {
	op := h.add(ledger.Record{Kind: ledger.Write, Key: books, Slot: 1, Outcome: outcome, Want: "1"})
	if outcome == ledger.OK {
		op.Got = "1"
	}
	if held != "" {
		h.Held.Hashes[books][op.ID] = held
	}
	return op
}

func (h *history) push(key string, n int, outcome ledger.Outcome, length string) {
	h.add(ledger.Record{Kind: ledger.Push, Key: key, Slot: 2, N: n, Outcome: outcome, Got: length})
}

// sound returns a round in which every promise is kept, though much went wrong.
func sound() *history {
	h := &history{ledger.Round{Held: ledger.Held{
		Hashes: map[string]map[string]string{books: {}},
		Lists:  map[string][]string{journal: {"1", "4", "2"}, queue: {"3"}},
	}}}
	h.write(ledger.OK, "1")
	h.write(ledger.Unknown, "1")
	h.write(ledger.Unknown, "")
	h.write(ledger.NotExecuted, "")
	h.write(ledger.OK, "1").Group = "both"
	h.write(ledger.OK, "1").Group = "both"
	h.add(ledger.Record{Kind: ledger.Echo, Slot: 3, Outcome: ledger.OK, Want: "mine", Got: "mine"})
	h.add(ledger.Record{Kind: ledger.Forged, Outcome: ledger.Answered, Want: "MOVED 1 192.0.2.7:1", Got: "MOVED 1 192.0.2.7:1"})
	h.push(journal, 1, ledger.OK, "1")
	h.push(journal, 2, ledger.Unknown, "") // ran behind 4
	h.push(journal, 3, ledger.NotExecuted, "")
	h.push(journal, 4, ledger.OK, "2")
	h.push(queue, 1, ledger.OK, "1")
	h.push(queue, 2, ledger.OK, "1")
	h.push(queue, 3, ledger.OK, "2")
	h.add(ledger.Record{Kind: ledger.Pop, Key: queue, Slot: 2, Outcome: ledger.OK, Got: "1"})
	h.add(ledger.Record{Kind: ledger.Pop, Key: queue, Slot: 2, Outcome: ledger.Unknown}) // took 2
	register := ledger.Record{Kind: ledger.Register, Key: cell, Slot: 4, Outcome: ledger.OK}
	for _, op := range []ledger.Record{
		{Op: "get"}, {Op: "set", Want: "x"}, {Op: "cas", From: "x", Want: "y", Got: "1"}, {Op: "cas", From: "x", Want: "z", Got: "0"},
		{Op: "get", Got: "y"},
	} {
		register.Op, register.From, register.Want, register.Got = op.Op, op.From, op.Want, op.Got
		h.add(register)
	}
	h.add(ledger.Record{Kind: ledger.Register, Key: cell, Slot: 4, Op: "set", Want: "late", Outcome: ledger.Unknown})
	h.add(register)
	return h
}

// beat notes that the process ran from one time to another.
func (h *history) beat(from, to time.Duration) {
	for at := from; at < to; at += ledger.BeatEvery {
		h.Beats = append(h.Beats, at)
	}
}

func (h *history) find(kind ledger.Kind, outcome ledger.Outcome) *ledger.Record {
	i := slices.IndexFunc(h.Records, func(op ledger.Record) bool { return op.Kind == kind && op.Outcome == outcome })
	return &h.Records[i]
}

func TestARoundInWhichEveryPromiseIsKept(t *testing.T) {
	h := sound()
	h.Records[3].Ctx = ledger.Patient
	h.Records[5].Start -= time.Second
	h.Signs = ledger.Signs{"MOVED": 3}
	figures, found := h.Check()
	require.Empty(t, found)
	require.Equal(t, 4, figures.Ran)
	require.Equal(t, 1, figures.RanUnknown)
	require.Equal(t, 1, figures.Late)
	require.Equal(t, 1, figures.Keys)
	require.Zero(t, figures.LostWrites+figures.Undecided)
	require.Equal(t, map[ledger.Outcome]int{ledger.OK: 16, ledger.Unknown: 5, ledger.NotExecuted: 2, ledger.Answered: 1}, figures.Outcomes)
	require.Equal(t, ledger.Signs{"ok": 16, "unknown": 5, "not executed": 2, "answered": 1, "MOVED": 3, ledger.Broken: 1, ledger.Slow: 1}, figures.Signs)
}

func TestEveryBrokenPromiseIsFound(t *testing.T) {
	for name, row := range map[string]struct {
		breaks func(h *history)
		want   string
	}{
		"a write ran twice":             {func(h *history) { h.Held.Hashes[books]["op0"] = "2" }, "duplicate: .*was told ok.*it adds 1, and the servers hold 2"},
		"an unknown write ran twice":    {func(h *history) { h.Held.Hashes[books]["op1"] = "2" }, "duplicate: .*was told unknown.*servers hold 2"},
		"what was not executed ran":     {func(h *history) { h.Held.Hashes[books]["op3"] = "1" }, "unsound: .*was told not executed.*but it ran"},
		"an acknowledged write is gone": {func(h *history) { delete(h.Held.Hashes[books], "op0") }, "lost: write op0 .*slot 1.*do not hold it"},
		"a write that nobody issued":    {func(h *history) { h.Held.Hashes[books]["op99"] = "1" }, "ledger: .*op99.*nobody has issued"},
		"an error, but it ran":          {func(h *history) { *h.find(ledger.Write, ledger.Unknown) = answered(h.Records[1], "ERR x") }, "unsound: .*but it ran"},
		"not executed in the round before": {func(h *history) {
			h.Records, h.Earlier = nil, ledger.Refused(h.Records)
			h.Held = ledger.Held{Hashes: map[string]map[string]string{books: {"op3": "1"}}}
		}, "unsound: .*ran after its round"},
		"a refused element in the round after": {func(h *history) {
			h.Records, h.Earlier = nil, ledger.Refused(h.Records)
			h.Held = ledger.Held{Lists: map[string][]string{journal: {"3"}}}
		}, "unsound: push .*element 3 was pushed after its round"},
		"half a transaction":             {func(h *history) { h.Records[4].Outcome = ledger.Unknown; delete(h.Held.Hashes[books], "op4") }, "ledger: .*op5 ran and op4 did not"},
		"written between WATCH and EXEC": {func(h *history) { h.Records[0].Spoilt = true }, "ledger: .*watched key had been written"},
		"another's nonce":                {func(h *history) { h.find(ledger.Echo, ledger.OK).Got = "yours" }, `echo: .*"yours".*should have been told "mine"`},
		"another's count":                {func(h *history) { h.find(ledger.Write, ledger.OK).Got = "7" }, `echo: .*"7".*should have been told "1"`},
		"a value is missing":             {func(h *history) { h.find(ledger.Echo, ledger.OK).Outcome = ledger.Nil }, `echo: .*told nil.*"mine"`},
		"a forged redirect changed":      {func(h *history) { h.find(ledger.Forged, ledger.Answered).Got = "MOVED 2 192.0.2.7:1" }, "echo: .*should have been answered by the error"},
		"a forged redirect succeeded":    {func(h *history) { op := h.find(ledger.Forged, ledger.Answered); op.Outcome, op.Got = ledger.OK, "fine" }, "echo: .*should have been answered by the error"},
		"a forged redirect counts as refusal": {func(h *history) {
			op := h.find(ledger.Forged, ledger.Answered)
			op.Outcome, op.Err = ledger.NotExecuted, "gave up: "+op.Want
		}, "echo: .*taken for a refusal"},
		"an answer of another type":         {func(h *history) { *h.find(ledger.Echo, ledger.OK) = answered(*h.find(ledger.Echo, ledger.OK), "") }, "answer: .*nothing in this round"},
		"not executed and unknown at once":  {func(h *history) { h.Records[2].Outcome = ledger.Both }, "answer: .*at once"},
		"an element twice":                  {func(h *history) { h.Held.Lists[journal] = []string{"1", "4", "4"} }, "sequence: element 4 is there twice"},
		"an acknowledged element too late":  {func(h *history) { h.Held.Lists[journal] = []string{"4", "1"} }, "sequence: element 1 stands behind 4"},
		"a refused element is there":        {func(h *history) { h.Held.Lists[journal] = []string{"1", "3", "4"} }, "sequence: element 3 is there"},
		"an acknowledged element is gone":   {func(h *history) { h.Held.Lists[journal] = []string{"1"} }, "sequence: element 4 is gone"},
		"an element that nobody pushed":     {func(h *history) { h.Held.Lists[journal] = []string{"1", "4", "x"} }, `sequence: .*holds "x"`},
		"the length of another list":        {func(h *history) { h.Records[11].Got = "9" }, "sequence: the length must be above 1 and at most 4"},
		"an element popped twice":           {func(h *history) { h.Held.Lists[queue] = []string{"1", "3"} }, "sequence: element 1 is there twice"},
		"more elements gone than were lost": {func(h *history) { h.Held.Lists[queue] = nil }, "sequence: element 2 is gone .1 unknown"},
		"a read from the past":              {func(h *history) { h.Records[21].Got = "x" }, `register: .*first that does not fit: get register op21`},
		"a swap of what was not there":      {func(h *history) { h.Records[20].Got = "1" }, `register: .*first that does not fit: (cas|get) register op2[01]`},
		"what was never written is read":    {func(h *history) { h.Records[17].Got = "ghost" }, `register: .*first that does not fit: get register op17`},
		"a failure where nothing may fail":  {func(h *history) { h.Terms.Seamless = true; h.Records[3].Ctx = ledger.Patient }, "seamless: .*op3"},
		"a failure before its deadline":     {func(h *history) { h.Terms.Seamless = true; h.Records[3].Bound += time.Second }, "seamless: .*op3"},
		"a refusal before its deadline":     {func(h *history) { h.Records[3].Bound += time.Second }, "impatient: .*op3 .*until 1.004s"},
		"a read lost before its deadline": {func(h *history) {
			op := h.find(ledger.Echo, ledger.OK)
			op.Outcome, op.Got, op.Bound = ledger.Unknown, "", time.Second
		}, "impatient: echo"},
		"a call that outlived its context": {func(h *history) { h.Records[0].End = 2 * time.Second; h.beat(0, 30*time.Second) }, "overdue: write op0 .*its time was over at 1ms"},
		"a lane that does not come back":   {func(h *history) { h.Healed = 20 * time.Millisecond; h.Records[0].Lane = 5 }, "recovered: lane 5 .*its last: write op0"},
		"a lane that does nothing":         {func(h *history) { h.Lanes = 2 }, "recovered: lane 1 has no record"},
		"a nemesis that struck nothing": {func(h *history) {
			h.Terms.Expects = []string{"unknown", "MOVED", "TRYAGAIN"}
			h.Signs = ledger.Signs{"MOVED": 1}
		}, "seen: no TRYAGAIN"},
	} {
		t.Run(name, func(t *testing.T) {
			h := sound()
			row.breaks(h)
			_, found := h.Check()
			require.NotEmpty(t, found)
			require.Regexp(t, row.want, found[0].String())
		})
	}
}

func answered(op ledger.Record, words string) ledger.Record {
	op.Outcome, op.Got, op.Err = ledger.Answered, words, "keyslot: "+words
	return op
}

func TestWhatEndsWithItsContextFailsInNoRound(t *testing.T) {
	h := sound()
	h.Terms.Seamless = true
	_, found := h.Check()
	require.Empty(t, found)
}

// What may not be sent again, the caller hears of at once.
func TestWhatEndsBeforeItsTimeForAReason(t *testing.T) {
	for name, reason := range map[string]func(op *ledger.Record){
		"its connection was being watched":  func(op *ledger.Record) { op.Via = "watch" },
		"a watched key has changed":         func(op *ledger.Record) { op.Aborted = true },
		"a later command of the key ran":    func(op *ledger.Record) { op.Via, op.Reordered = "ordered pipeline", true },
		"it may have been executed":         func(op *ledger.Record) { op.Outcome = ledger.Unknown },
		"the servers are told to refuse it": func(op *ledger.Record) { op.Got = "NOPERM no" },
	} {
		t.Run(name, func(t *testing.T) {
			h := sound()
			h.Terms.Answers = []string{"NOPERM"}
			h.Records[3].Bound += time.Second
			reason(&h.Records[3])
			_, found := h.Check()
			require.Empty(t, found)
		})
	}
}

// A search that finds no end shows neither that a promise was kept nor that it was broken.
func TestRegistersThatCannotBeJudged(t *testing.T) {
	h := sound()
	h.RegisterTimeout = 100 * time.Millisecond
	for _, row := range []struct {
		key   string
		found int
	}{{"register:1:{d}1", 0}, {"register:1:{d}2", 1}} {
		// Any of the unknown ones may have run, in any order, before the value that nobody wrote was read.
		for i := range 40 {
			h.add(ledger.Record{Kind: ledger.Register, Key: row.key, Slot: 4, Op: "set", Want: fmt.Sprint(i), Outcome: ledger.Unknown})
		}
		h.add(ledger.Record{Kind: ledger.Register, Key: row.key, Slot: 4, Op: "get", Got: "ghost", Outcome: ledger.OK})
		figures, found := h.Check()
		require.Len(t, found, row.found)
		require.Equal(t, figures.Keys-1, figures.Undecided)
	}
}

// Nobody returns in time from a process that is frozen.
func TestAFrozenProcess(t *testing.T) {
	h := sound()
	h.Records[0].End = 10 * time.Second
	h.beat(0, 500*time.Millisecond)
	h.beat(9500*time.Millisecond, 30*time.Second)
	_, found := h.Check()
	require.Empty(t, found)
}

// Where everything hangs, no other call returns either.
func TestALoadThatHangsAltogether(t *testing.T) {
	h := sound()
	h.beat(0, 30*time.Second)
	for i := range h.Records {
		h.Records[i].End = 10 * time.Second
	}
	_, found := h.Check()
	require.Len(t, found, len(h.Records))
	for _, v := range found {
		require.Equal(t, "overdue", v.Check)
	}
}

// Where an unplanned failover strikes, the servers lose what they had not replicated. It is counted, and everywhere
// else it stays a violation.
func TestDeclaredLosses(t *testing.T) {
	h := sound()
	delete(h.Held.Hashes[books], "op0")
	h.Held.Lists[journal] = []string{"1"}
	h.Held.Lists[queue] = []string{"1", "2", "3"} // the pops were lost, too
	h.find(ledger.Echo, ledger.OK).Outcome = ledger.Nil
	h.Records[21].Got = "from the past"
	h.Terms.Lossy = []ledger.SlotRange{{First: 1, Last: 4}}
	h.Bare = []ledger.Record{{ID: "bare0", Key: books, Kind: ledger.Write, Outcome: ledger.OK}, {ID: "bare1", Key: books, Kind: ledger.Write, Outcome: ledger.OK}}
	h.Held.Hashes[books]["bare0"] = "1"
	figures, found := h.Check()
	require.Empty(t, found)
	require.Equal(t, 2, figures.LostWrites)
	require.Equal(t, []int{2, 1}, []int{figures.BareWrites, figures.LostBare})
	require.Zero(t, figures.Keys)

	h.Terms.Lossy = []ledger.SlotRange{{First: 5, Last: 9}}
	_, found = h.Check()
	checks := map[string]bool{}
	for _, v := range found {
		checks[v.Check] = true
	}
	require.Equal(t, []string{"echo", "lost", "register", "sequence"}, slices.Sorted(maps.Keys(checks)))
}

// A reply that credentials explain is believed in the round that changes them.
func TestDeclaredAnswers(t *testing.T) {
	h := sound()
	*h.find(ledger.Echo, ledger.OK) = answered(*h.find(ledger.Echo, ledger.OK), "NOPERM no")
	_, found := h.Check()
	require.Len(t, found, 1)
	h.Terms.Answers = []string{"NOPERM"}
	_, found = h.Check()
	require.Empty(t, found)
}

func TestTheFirstSuccessAfterHealing(t *testing.T) {
	h := sound()
	h.Healed = 3500 * time.Microsecond
	h.Records[5].Lane = 2
	figures, found := h.Check()
	require.Empty(t, found)
	require.Equal(t, map[int]time.Duration{0: 1500 * time.Microsecond, 2: 2500 * time.Microsecond}, figures.FirstSuccess)
}

func TestWhatHangsByItsNatureNeedNotRecover(t *testing.T) {
	h := sound()
	h.Healed, h.Records[0].Lane = 20*time.Millisecond, 5
	for i := range h.Records {
		h.Records[i].Via = "blpop"
	}
	_, found := h.Check()
	require.NotEmpty(t, found)
	h.Terms.Hangs = []string{"blpop"}
	_, found = h.Check()
	require.Empty(t, found)
}
