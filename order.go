package keyslot

import (
	"bytes"
	"errors"

	"github.com/keyslot-go/keyslot/command"
)

// errReordered is why an ordered pipeline does not send a command again.
var errReordered = errors.New("refused, and a later command of the pipeline with the same key has run already")

// overtaking finds the commands of an attempt that were refused while a later one with a key of theirs ran: sent again, they
// run behind it. The zero value is ready for an attempt.
type overtaking struct {
	refused map[int][]*call // by step
	found   bool
}

// judged is told what became of the calls of an attempt, in their order.
func (o *overtaking) judged(this *call, goesOn bool) {
	switch {
	case this.slot == command.NoSlot:
	case goesOn:
		if o.refused == nil {
			o.refused = make(map[int][]*call)
		}
		o.refused[this.step()] = append(o.refused[this.step()], this)
	case o.refused != nil && this.ran():
		for _, earlier := range o.refused[this.step()] {
			if earlier.sharesKey(this) && (!earlier.onlyReads() || !this.onlyReads()) {
				earlier.Reordered, o.found = true, true
			}
		}
	}
}

// step says with which calls this one keeps its order: those of its slot, and all of a group without cluster mode, where one
// command may have keys of any slots.
func (call *call) step() int {
	if call.slot != command.NoSlot && call.core.isStandalone() {
		return 0
	}
	return call.slot
}

// ran reports whether a call that is done may have run.
func (call *call) ran() bool {
	var e *Error
	return call.err == nil || !errors.As(call.err, &e) || e.Outcome != NotExecuted
}

func (call *call) onlyReads() bool { return call.cmd != nil && call.cmd.ReplicaSafe() }

// sharesKey reports whether two commands for one slot have a key in common, or may have one.
func (call *call) sharesKey(other *call) bool {
	if call.hidesKeys() || other.hidesKeys() {
		return true
	}
	for _, k := range call.Request.Keys() {
		for _, l := range other.Request.Keys() {
			if bytes.Equal(call.Request.At(k), other.Request.At(l)) {
				return true
			}
		}
	}
	return false
}

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
