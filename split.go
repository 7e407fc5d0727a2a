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

// plan finds where a call goes: it sets its slot, or how it is split. Nothing is sent by then, so every error is "not
// executed".
func (call *call) plan() error {
	r := &call.Request
	if len(r.Keys()) == 0 {
		if err := call.findKeys(); err != nil {
			return err
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
			return call.refuse(k, reason)
		}
		if step, last := keys[1]-keys[0], keys[len(keys)-1]; r.Len()-last != step {
			return call.refuse(0, call.name()+" lacks what belongs to its last key") // the other parts would run
		}
		call.slot = command.NoSlot
		call.splitByKey()
		return nil
	}
	return nil
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
func (call *call) planKeyless() error {
	call.slot = command.NoSlot
	if call.cmd == nil {
		return nil
	}
	if slot, ok := call.cmd.SlotArg(&call.Request); ok { // only the slot's owner can count its keys
		call.slot = int(slot)
		return nil
	}
	switch call.cmd.Request {
	case spec.RequestAllShards, spec.RequestAllNodes:
		if call.cmd.Name == "PING" { // one node's answer is what PING is asked for
			return nil
		}
		return call.splitByNode()
	case spec.RequestSpecial:
		return call.refuse(0, call.cmd.Name+" walks one node at a time, which this version does not route")
	}
	return nil
}

// split is a command that runs as several: one part for each slot of its keys, or for each node. The parts are not
// atomic together. It is lent by the core's pool.
type split struct {
	parts  []*call
	byNode bool
	of     []int // by key, in the order of the call: the part that has it

	bySlot []int32         // a hash table of the parts, by slot: 0 is free, n is part n-1
	elems  []resp.Elements // by part: those of its reply that have not been joined
}

// release gives the parts back, and the split itself.
func (s *split) release(c *core) {
	for _, part := range s.parts {
		part.release()
	}
	clear(s.parts)
	clear(s.elems)
	s.parts, s.of, s.elems, s.byNode = s.parts[:0], s.of[:0], s.elems[:0], false
	c.splits.Put(s)
}

// splitByKey makes a part for each slot, with the keys of that slot and what stands behind each key, in their order.
func (call *call) splitByKey() {
	r := &call.Request
	keys := r.Keys()
	s := call.core.splits.Get().(*split)
	s.expect(len(keys))
	for i, k := range keys {
		p := s.partOf(call, slotOf(r.At(k)))
		s.of = append(s.of, p)
		sub := &s.parts[p].Request
		sub.KeyBytes(r.At(k))
		next := r.Len()
		if i+1 < len(keys) {
			next = keys[i+1]
		}
		for j := k + 1; j < next; j++ {
			sub.ArgBytes(r.At(j))
		}
	}
	call.split = s
}

// expect makes room for the parts of so many keys: the table stays at most half full.
func (s *split) expect(keys int) {
	size := 1 << bits.Len(uint(min(keys, slotCount))*2-1)
	s.bySlot = slices.Grow(s.bySlot[:0], size)[:size]
	clear(s.bySlot)
}

// partOf returns the part that has slot, made if need be. (Against a map, MGET of 100 keys saves 4 us.)
func (s *split) partOf(call *call, slot uint16) int {
	mask := len(s.bySlot) - 1
	for i := int(slot) & mask; ; i = (i + 1) & mask {
		n := int(s.bySlot[i])
		if n == 0 {
			s.parts = append(s.parts, call.part(int(slot), nil))
			s.bySlot[i] = int32(len(s.parts))
			return len(s.parts) - 1
		}
		if s.parts[n-1].slot == int(slot) {
			return n - 1
		}
	}
}

// splitByNode makes a part for each primary, or for each node where the policy says so.
func (call *call) splitByNode() error {
	if !joinable(call.cmd) {
		return call.refuse(0, call.cmd.Name+" has an answer of its own on each node, which this version does not join")
	}
	routes := call.core.routes.Load()
	nodes := routes.primaries()
	if call.cmd.Request == spec.RequestAllNodes {
		nodes = routes.nodes
	}
	if len(nodes) == 0 {
		return call.fail(NotExecuted, errNoOwner)
	}
	s := call.core.splits.Get().(*split)
	s.byNode = true
	for _, n := range nodes {
		part := call.part(command.NoSlot, n)
		for i := 1; i < call.Request.Len(); i++ {
			part.Request.ArgBytes(call.Request.At(i))
		}
		s.parts = append(s.parts, part)
	}
	call.split = s
	return nil
}

// part returns a call for a part of this one, with the command's name and nothing else.
func (call *call) part(slot int, n *node) *call {
	part := call.core.begin()
	part.cmd, part.slot, part.pinned = call.cmd, slot, n
	part.Request.ArgBytes(call.Request.At(0))
	return part
}

// runSplit runs a call's parts, and joins them.
func (call *call) runSplit(ctx context.Context, until time.Time) error {
	f := call.core.flight()
	defer f.release()
	f.add(call)
	call.core.run(ctx, until, f.calls, f)
	call.joinParts()
	return call.err
}

// joinParts makes the parts' replies the call's, or their failures its error.
func (call *call) joinParts() {
	s := call.split
	call.split = nil
	defer s.release(call.core)
	if call.err = s.failures(call); call.err != nil {
		return
	}
	frame, err := s.join(call)
	if err != nil {
		call.err = call.fail(Unknown, err)
		return
	}
	call.wire.Reply, call.Frame = frame, frame
}

// failures returns the parts that failed, key by key or node by node; nil if none did.
func (s *split) failures(call *call) error {
	var failed []command.Part
	if s.byNode {
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
	for i, p := range s.of {
		if err := s.parts[p].err; err != nil {
			key := string(call.Request.At(call.Request.Keys()[i]))
			failed = append(failed, command.Part{Key: key, Node: nodeOf(err), Err: err})
		}
	}
	if failed == nil {
		return nil
	}
	return command.NewPartsError(call.name(), len(s.of), failed)
}

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

// join makes one reply frame of the parts' frames, by the command's response policy.
func (s *split) join(call *call) ([]byte, error) {
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
	for _, part := range s.parts {
		elems, ok := resp.Open(part.Frame)
		if !ok {
			return nil, errUnlike
		}
		s.elems = append(s.elems, elems)
		total += elems.Left()
	}
	dst = resp.AppendArray(dst, total)
	if s.byNode {
		for _, elems := range s.elems {
			dst = append(dst, elems.Rest()...)
		}
		return dst, nil
	}
	if total != len(s.of) {
		return nil, errUnlike
	}
	for _, p := range s.of {
		elem, ok := s.elems[p].Next()
		if !ok {
			return nil, errUnlike
		}
		dst = append(dst, elem...)
	}
	return dst, nil
}
