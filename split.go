package keyslot

import (
	"context"
	"errors"
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
	if len(r.Keys()) == 0 {
		if err := call.findKeys(); err != nil {
			return false, err
		}
	}
	if call.cmd != nil {
		_, _, call.blocks = call.cmd.BlockTimeout(r)
	}
	keys := r.Keys()
	if len(keys) == 0 {
		return call.planKeyless()
	}
	call.slot = int(slotOf(r.At(keys[0])))
	for _, k := range keys[1:] {
		slot := int(slotOf(r.At(k)))
		if slot == call.slot {
			continue
		}
		if call.cmd == nil || call.cmd.Request != spec.RequestMultiShard {
			reason := fmt.Sprintf("its key is in slot %d and the first one in slot %d; %s is one command for one node: "+
				"give the keys a common hash tag, like {user:1}:name", slot, call.slot, call.name())
			return false, call.refuse(k, reason)
		}
		if step, last := keys[1]-keys[0], keys[len(keys)-1]; r.Len()-last != step {
			return false, call.refuse(0, call.name()+" lacks what belongs to its last key") // the other parts would run
		}
		call.slot = command.NoSlot
		return true, nil
	}
	return false, nil
}

// findKeys looks the keys up in the command table. A command that it does not know is taken for one of a module, whose
// first argument is the key.
func (call *call) findKeys() error {
	r := &call.Request
	if call.cmd == nil {
		if r.Len() > 1 {
			r.AppendKey(1)
		}
		return nil
	}
	var scratch [16]int
	keys, err := call.cmd.AppendKeys(scratch[:0], r)
	if err != nil {
		return call.refuse(0, err.Error())
	}
	for _, k := range keys {
		r.AppendKey(k)
	}
	return nil
}

// planKeyless routes a command without a key: to any primary, or to all nodes that its policy names.
func (call *call) planKeyless() (splits bool, err error) {
	call.slot = command.NoSlot
	if call.cmd == nil {
		return false, nil
	}
	if slot, ok := call.cmd.SlotArg(&call.Request); ok { // only the slot's owner can count its keys
		call.slot = int(slot)
		return false, nil
	}
	switch call.cmd.Request {
	case spec.RequestAllShards, spec.RequestAllNodes:
		switch {
		case call.cmd.Name == "PING": // one node's answer is what PING is asked for
			return false, nil
		case !joinable(call.cmd):
			return false, call.refuse(0, call.cmd.Name+" has an answer of its own on each node, which this version does not join")
		}
		return true, nil
	case spec.RequestSpecial:
		return false, call.refuse(0, call.cmd.Name+" walks one node at a time, which this version does not route")
	}
	return false, nil
}

// split is a command that runs as several: one part for each slot of its keys, or for each node. The parts are not
// atomic together. It is lent by the core's pool.
type split struct {
	parts []part
	byKey []keyOf // in the order of the call; empty: it is split by node
	table []int32 // a hash table of the parts by slot: 0 is free, n is part n-1
}

// part is one of the commands that run instead of a split one.
type part struct {
	*call
	first, last int           // of its keys, in split.byKey
	elems       resp.Elements // of its reply, those that have not been joined
}

// keyOf says to which part a key belongs, and which key comes after it there: none where that is 0.
type keyOf struct{ part, next int }

// release keeps the split for another command. Its parts are the flight's.
func (s *split) release(c *core) {
	clear(s.parts)
	s.parts, s.byKey = s.parts[:0], s.byKey[:0]
	c.splits.Put(s)
}

// split makes a call's parts and adds them to the flight. They are in order of their first key.
func (f *flight) split(call *call) {
	s := f.core.splits.Get().(*split)
	call.split = s
	f.splits = append(f.splits, call)
	if len(call.Request.Keys()) == 0 {
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
			s.parts = append(s.parts, part{call: f.part(call, int(slot), nil), first: i, last: i})
			*n = int32(len(s.parts))
		} else {
			p := &s.parts[*n-1]
			s.byKey[p.last].next = i
			p.last = i
		}
		s.byKey = append(s.byKey, keyOf{part: int(*n) - 1})
	}
	for i := range s.parts {
		sub := &s.parts[i].Request
		*sub = f.requests.Begin()
		sub.ArgBytes(r.At(0))
		for k, more := s.parts[i].first, true; more; more = k > 0 {
			sub.KeyBytes(r.At(keys[k]))
			next := r.Len()
			if k+1 < len(keys) {
				next = keys[k+1]
			}
			for arg := keys[k] + 1; arg < next; arg++ {
				sub.ArgBytes(r.At(arg))
			}
			k = s.byKey[k].next
		}
	}
}

// expect makes room for the parts of so many keys: the table stays at most half full.
func (s *split) expect(keys int) {
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

// splitByNode makes a part for each primary, or for each node where the policy says so.
func (f *flight) splitByNode(call *call) {
	routes := f.core.routes.Load()
	nodes := routes.primaries()
	if call.cmd.Request == spec.RequestAllNodes {
		nodes = routes.nodes
	}
	for _, n := range nodes {
		part := part{call: f.part(call, command.NoSlot, n)}
		part.Request = f.requests.Begin()
		for i := range call.Request.Len() {
			part.Request.ArgBytes(call.Request.At(i))
		}
		call.split.parts = append(call.split.parts, part)
	}
}

// part returns an empty call for a part of another one.
func (f *flight) part(of *call, slot int, n *node) *call {
	part := f.call()
	part.terms, part.cmd, part.slot, part.pinned = of.terms, of.cmd, slot, n
	return part
}

// runSplit runs a single command's parts, and joins them.
func (call *call) runSplit(ctx context.Context, until time.Time) error {
	f := call.core.flight()
	defer f.release()
	f.split(call)
	call.core.run(ctx, until, f.calls, f)
	call.join()
	return call.err
}

// join makes the replies of the parts the call's, or their failures its error.
func (call *call) join() {
	s := call.split
	call.split = nil
	defer s.release(call.core)
	if len(s.parts) == 0 {
		call.err = call.fail(NotExecuted, errNoOwner)
		return
	}
	call.Reordered = slices.ContainsFunc(s.parts, func(p part) bool { return p.Reordered })
	if call.err = s.failures(call); call.err != nil {
		return
	}
	frame, err := s.joined(call)
	if err != nil {
		call.err = call.fail(Unknown, err)
		return
	}
	call.wire.Reply, call.Frame = frame, frame
}

// failures returns the parts that failed, key by key or node by node; nil if none did.
func (s *split) failures(call *call) error {
	var failed []command.Part
	if s.isByNode() {
		for _, part := range s.parts {
			if part.err != nil {
				failed = append(failed, command.Part{Node: nodeOf(part.err), Err: part.err})
			}
		}
		// One success is enough for SCRIPT KILL and FUNCTION KILL: the script runs on one node.
		if len(failed) == 0 || call.cmd.Response == spec.ResponseOneSucceeded && len(failed) < len(s.parts) {
			return nil
		}
		return command.NewPartsError(call.name(), len(s.parts), failed)
	}
	for i, of := range s.byKey {
		if err := s.parts[of.part].err; err != nil {
			key := string(call.Request.At(call.Request.Keys()[i]))
			failed = append(failed, command.Part{Key: key, Node: nodeOf(err), Err: err})
		}
	}
	if failed == nil {
		return nil
	}
	return command.NewPartsError(call.name(), len(s.byKey), failed)
}

func (s *split) isByNode() bool { return len(s.byKey) == 0 }

func nodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Node
	}
	return ""
}

// joinable reports whether the replies of several nodes can be joined.
func joinable(cmd *spec.Command) bool {
	switch cmd.Response {
	case spec.ResponseAllSucceeded, spec.ResponseOneSucceeded, spec.ResponseSum, spec.ResponseMin, spec.ResponseAnd:
		return true
	}
	return cmd.Name == "KEYS"
}

var errUnlike = errors.New("the parts of the command were answered with replies that do not fit together")

// joined makes one reply frame of the parts' frames, by the command's response policy.
func (s *split) joined(call *call) ([]byte, error) {
	dst := call.wire.Reply[:0]
	switch call.cmd.Response {
	case spec.ResponseAllSucceeded:
		return append(dst, s.parts[0].Frame...), nil
	case spec.ResponseOneSucceeded:
		for _, part := range s.parts {
			if part.err == nil {
				return append(dst, part.Frame...), nil
			}
		}
	case spec.ResponseSum, spec.ResponseMin:
		return s.joinInts(dst, call.cmd.Response)
	case spec.ResponseAnd:
		return s.joinAnd(dst)
	}
	return s.joinArrays(dst)
}

func (s *split) joinInts(dst []byte, policy spec.ResponsePolicy) ([]byte, error) {
	var total int64
	for i, part := range s.parts {
		n, ok := resp.Int(part.Frame)
		switch {
		case !ok:
			return nil, errUnlike
		case i == 0:
			total = n
		case policy == spec.ResponseMin:
			total = min(total, n)
		default:
			total += n
		}
	}
	return resp.AppendInt(dst, total), nil
}

// joinAnd joins arrays of 1 and 0, such as SCRIPT EXISTS: 1 where every node says 1.
func (s *split) joinAnd(dst []byte) ([]byte, error) {
	var all []int64
	for _, part := range s.parts {
		elems, ok := resp.Open(part.Frame)
		if !ok || all != nil && elems.Left() != len(all) {
			return nil, errUnlike
		}
		if all == nil {
			all = slices.Repeat([]int64{1}, elems.Left())
		}
		for i := range all {
			elem, _ := elems.Next()
			n, ok := resp.Int(elem)
			if !ok {
				return nil, errUnlike
			}
			all[i] = min(all[i], n)
		}
	}
	dst = resp.AppendArray(dst, len(all))
	for _, n := range all {
		dst = resp.AppendInt(dst, n)
	}
	return dst, nil
}

// joinArrays puts the elements of the parts' arrays together: in the order of the keys, or node after node.
func (s *split) joinArrays(dst []byte) ([]byte, error) {
	total := 0
	for i := range s.parts {
		var ok bool
		if s.parts[i].elems, ok = resp.Open(s.parts[i].Frame); !ok {
			return nil, errUnlike
		}
		total += s.parts[i].elems.Left()
	}
	dst = resp.AppendArray(dst, total)
	if s.isByNode() {
		for i := range s.parts {
			dst = append(dst, s.parts[i].elems.Rest()...)
		}
		return dst, nil
	}
	if total != len(s.byKey) {
		return nil, errUnlike
	}
	for _, of := range s.byKey {
		elem, ok := s.parts[of.part].elems.Next()
		if !ok {
			return nil, errUnlike
		}
		dst = append(dst, elem...)
	}
	return dst, nil
}
