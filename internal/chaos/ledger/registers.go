package ledger

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// registerTimeout bounds the search for one key.
const registerTimeout = 10 * time.Second

// answer is what an operation on a register was told, if it was told.
type answer struct {
	known bool
	value string
}

// register is the model of one key: its state is the value, empty for none.
var register = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		op, told := input.(Record), output.(answer)
		switch op.Op {
		case "get":
			return told.value == state, state
		case "set":
			return true, op.Want
		}
		if state != op.From {
			return !told.known || told.value == "0", state
		}
		return !told.known || told.value == "1", op.Want
	},
}

// checkRegisters looks, for each key, for an order of its operations that explains what each was told. Where the
// servers may lose writes there need not be one.
func (r Round) checkRegisters(f *Figures) (found []Violation) {
	keys := map[string][]Record{}
	for _, op := range r.Records {
		if op.Kind == Register && !r.lossy[op.Slot] && op.Outcome != NotExecuted && op.Outcome != Answered {
			keys[op.Key] = append(keys[op.Key], op)
		}
	}
	timeout := cmp.Or(r.RegisterTimeout, registerTimeout)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		f.Keys++
		switch porcupine.CheckOperationsTimeout(register, history(keys[key], math.MaxInt64), timeout) {
		case porcupine.Unknown:
			f.Undecided++
		case porcupine.Illegal:
			op := misfit(keys[key], timeout)
			found = append(found, violation("register", "no order of the %d operations on %s explains what they were told; "+
				"the first that does not fit: %s %s (from %q to %q)",
				len(keys[key]), key, op.Op, op, op.From, op.Want))
		}
	}
	if 2*f.Undecided > f.Keys {
		found = append(found, violation("register", "of %d keys %d could not be judged within %v each, so the round proves little",
			f.Keys, f.Undecided, timeout))
	}
	return found
}

// history returns what was known at a moment: operations that had not returned by then, or never told their outcome,
// are open for ever. Open reads change nothing and are left out.
func history(ops []Record, until time.Duration) []porcupine.Operation {
	var known []porcupine.Operation
	for _, op := range ops {
		told := answer{known: op.Outcome == OK || op.Outcome == Nil, value: op.Got}
		end := int64(op.End)
		if !told.known || op.End > until {
			told, end = answer{}, math.MaxInt64
		}
		if op.Start > until || !told.known && op.Op == "get" {
			continue
		}
		known = append(known, porcupine.Operation{ClientId: op.Lane, Input: op, Call: int64(op.Start), Output: told, Return: end})
	}
	return known
}

// misfit returns the operation whose return made the history one that no order explains.
func misfit(ops []Record, timeout time.Duration) Record {
	ops = slices.SortedFunc(slices.Values(ops), func(a, b Record) int { return cmp.Compare(a.End, b.End) })
	first := sort.Search(len(ops)-1, func(i int) bool {
		return porcupine.CheckOperationsTimeout(register, history(ops, ops[i].End), timeout) == porcupine.Illegal
	})
	return ops[first]
}
