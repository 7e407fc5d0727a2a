package keyslot

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// plan finds where a call goes: it sets its slot, or reports that the call has to be split. Nothing is sent by then, so
// every error is "not executed".
func (call *call) plan() (splits bool, err error) {
	r := &call.Request
	keys := r.Keys()
	if len(keys) == 0 {
		if err := call.findKeys(); err != nil {
			return false, err
		}
		keys = r.Keys()
		call.apart = call.Cmd != nil && call.Cmd.Flags.Has(spec.AllowBusy)
	}
	if call.Cmd != nil {
		_, _, call.blocks = call.Cmd.BlockTimeout(r)
	}
	switch {
	case call.each != nil:
		return call.planEach()
	case call.terms.to != nil:
		return call.planOn(call.terms.to)
	case len(keys) == 0:
		return call.planKeyless()
	}
	call.slot = int(slotOf(r.At(keys[0])))
	if len(keys) > 1 && call.terms.core.isStandalone() {
		return false, nil
	}
	for _, k := range keys[1:] {
		slot := int(slotOf(r.At(k)))
		if slot == call.slot {
			continue
		}
		if call.Cmd == nil || call.Cmd.Request != spec.RequestMultiShard {
			reason := fmt.Sprintf("%s is in slot %d and the first one in slot %d; %s is one command for one node: %s",
				call.keyAt(k), slot, call.slot, call.Name(), shareSlot)
			return false, call.refuse(k, reason)
		}
		if step, last := keys[1]-keys[0], keys[len(keys)-1]; r.Len()-last != step {
			return false, call.refuse(0, "the last key has no value") // the other parts would run
		}
		call.slot = command.NoSlot
		return true, nil
	}
	return false, nil
}

// findKeys looks the keys up in the command table. A command that it does not know is taken for one of a module, whose
// first argument is the key, unless the view says which slot it is for.
func (call *call) findKeys() error {
	r := &call.Request
	if call.Cmd == nil {
		if r.Len() > 1 && !call.hidesKeys() {
			r.AppendKey(1)
		}
		return nil
	}
	var scratch [16]int
	keys, err := call.Cmd.AppendKeys(scratch[:0], r)
	if err != nil {
		return call.refuse(0, err.Error())
	}
	for _, k := range keys {
		r.AppendKey(k)
	}
	return nil
}

// hidesKeys reports whether nobody knows which arguments are keys, but their slot, which the view says.
func (call *call) hidesKeys() bool {
	_, told := call.terms.to.(slotRoute)
	return told && call.Cmd == nil
}

// split is a command that runs as several: one part for each slot of its keys, or for each node. The parts are not
// atomic together. It is lent by the core's pool.
type split struct {
	parts []part
	byKey []keyOf          // in the order of the call; empty: it is split by node
	elems command.Elements // of their replies, where these are arrays with an element for each key
	table []int32          // a hash table of the parts by slot: 0 is free, n is part n-1

	flight *flight // of the parts of a single command; nil: they are in that of a pipeline
}

// part is one of the commands that run instead of a split one.
type part struct {
	*call
	first, last int           // of its keys, in split.byKey
	home        *routes       // of a part for a primary: the map by which its node leads the slots it stands for
	elems       resp.Elements // of its reply, those that have not been joined
}

// keyOf says to which part a key belongs, and which key comes after it there, unless it is the part's last.
type keyOf struct{ part, next int }

// release ends the split, of which the reply has been read, and keeps it for another command.
func (s *split) release(c *core) {
	if s.flight != nil {
		s.flight.release()
		s.flight = nil
	}
	if cap(s.byKey) > keepCalls {
		return
	}
	clear(s.parts)
	s.parts, s.byKey = s.parts[:0], s.byKey[:0]
	s.elems.Reset()
	c.splits.Put(s)
}

// split makes a call's parts and adds them to the flight. They are in order of their first key.
func (f *flight) split(call *call) {
	s := f.core.splits.Get().(*split)
	call.split = s
	f.splits = append(f.splits, call)
	if call.each != nil || call.terms.to != nil || len(call.Request.Keys()) == 0 {
		f.splitByNode(call)
	} else {
		f.splitByKey(call)
	}
	for i := range s.parts {
		f.calls = append(f.calls, s.parts[i].call)
	}
}

// splitByKey makes a part for each slot, with the keys of that slot and what stands behind each key, in their order.
func (f *flight) splitByKey(call *call) {
	r, s := &call.Request, call.split
	keys := r.Keys()
	s.expect(len(keys))
	for i, k := range keys {
		slot := slotOf(r.At(k))
		n := s.place(slot)
		if *n == 0 {
			s.parts = append(s.parts, part{})
			p := &s.parts[len(s.parts)-1]
			p.call, p.first, p.last = f.part(call, int(slot), nil), i, i
			*n = int32(len(s.parts))
		} else {
			p := &s.parts[*n-1]
			s.byKey[p.last].next = i
			p.last = i
		}
		s.byKey = append(s.byKey, keyOf{part: int(*n) - 1})
	}
	for i := range s.parts {
		p := &s.parts[i]
		sub := &p.Request
		f.begin(sub)
		sub.ArgBytes(r.At(0))
		for k := p.first; ; k = s.byKey[k].next {
			end := r.Len()
			if k+1 < len(keys) {
				end = keys[k+1]
			}
			sub.KeyBytes(r.At(keys[k]))
			for arg := keys[k] + 1; arg < end; arg++ {
				sub.ArgBytes(r.At(arg))
			}
			if k == p.last {
				break
			}
		}
	}
}

// expect makes room for so many keys and their parts: the table stays at most half full.
func (s *split) expect(keys int) {
	s.byKey = slices.Grow(s.byKey, keys)
	size := 1 << bits.Len(uint(min(keys, slotCount)*2-1))
	s.table = slices.Grow(s.table[:0], size)[:size]
	clear(s.table)
}

// place returns where the table has the part of slot, or has room for it.
func (s *split) place(slot uint16) *int32 {
	mask := len(s.table) - 1
	for i := int(slot) & mask; ; i = (i + 1) & mask {
		n := &s.table[i]
		if *n == 0 || s.parts[*n-1].slot == int(slot) {
			return n
		}
	}
}

// part returns an empty call for a part of another one.
func (f *flight) part(of *call, slot int, n *node) *call {
	sub := f.call()
	sub.terms, sub.Cmd, sub.slot, sub.pinned, sub.apart = of.terms, of.Cmd, slot, n, of.apart
	return sub
}

// runSplit runs a single command's parts, and joins them.
func (call *call) runSplit(ctx context.Context, until time.Time) error {
	f := call.terms.core.flight()
	f.split(call)
	call.split.flight = f // until the reply, which is in memory of the flight, has been read
	f.waiter.Now = call.solo.waiter.Now
	call.terms.core.run(ctx, until, f.calls, f)
	call.join()
	if call.terms.called != nil {
		call.sumUp(f)
	}
	return call.err
}
