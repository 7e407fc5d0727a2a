package keyslot

import (
	"errors"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// errReordered is why an ordered pipeline does not send a command again.
var errReordered = errors.New("refused, and a later command of the pipeline with the same key has run already")

// overtaking finds the commands of an attempt that were refused while a later one with a key of theirs ran: sent again,
// they run behind it. The zero value is ready for an attempt.
type overtaking struct {
	refused map[int]*overtaken // by step
	found   bool
}

// overtaken is the calls of one step that were refused.
type overtaken struct {
	all    []*call
	byKey  map[string][]*call // those of all that have the key
	blind  []*call            // those whose keys nobody knows
	sorted int                // how many of all are in byKey or blind
}

// judged is told what became of the calls of an attempt, in their order.
func (o *overtaking) judged(later *call, goesOn bool) {
	switch {
	case later.slot == command.NoSlot:
	case goesOn:
		if o.refused == nil {
			o.refused = make(map[int]*overtaken)
		}
		step := later.step()
		if o.refused[step] == nil {
			o.refused[step] = new(overtaken)
		}
		o.refused[step].all = append(o.refused[step].all, later)
	case o.refused != nil && later.ran():
		refused := o.refused[later.step()]
		switch {
		case refused == nil:
		case later.hidesKeys():
			o.mark(refused.all, later)
		default:
			refused.sort()
			o.mark(refused.blind, later)
			for _, k := range later.Request.Keys() {
				o.mark(refused.byKey[string(later.Request.At(k))], later)
			}
		}
	}
}

// mark notes that earlier calls, which may share a key with a later one, run behind it.
func (o *overtaking) mark(earlier []*call, later *call) {
	for _, call := range earlier {
		if !call.onlyReads() || !later.onlyReads() {
			call.Reordered, o.found = true, true
		}
	}
}

// sort brings the calls in order by their keys: a step may be the whole of a large pipeline, too many to
// compare each with each.
func (o *overtaken) sort() {
	if o.byKey == nil {
		o.byKey = make(map[string][]*call)
	}
	for _, call := range o.all[o.sorted:] {
		if call.hidesKeys() {
			o.blind = append(o.blind, call)
			continue
		}
		for _, k := range call.Request.Keys() {
			key := string(call.Request.At(k))
			o.byKey[key] = append(o.byKey[key], call)
		}
	}
	o.sorted = len(o.all)
}

// step says with which calls this one keeps its order: those of its slot, and all of a group without cluster mode,
// where one command may have keys of any slots.
func (call *call) step() int {
	if call.slot != command.NoSlot && call.terms.core.isStandalone() {
		return 0
	}
	return call.slot
}

// ran reports whether a call that is done may have run.
func (call *call) ran() bool {
	var e *Error
	return call.err == nil || !errors.As(call.err, &e) || e.Outcome != NotExecuted
}

func (call *call) onlyReads() bool { return call.Cmd != nil && call.Cmd.Flags.Has(spec.ReadOnly) }

// endOvertaken ends those of calls that were overtaken, and returns the others.
func endOvertaken(calls []*call) []*call {
	rest := calls[:0]
	for _, call := range calls {
		if call.Reordered {
			call.err = call.fail(call.outcome(call.verdict), errReordered)
		} else {
			rest = append(rest, call)
		}
	}
	return rest
}
