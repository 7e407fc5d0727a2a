package keyslot

import (
	"errors"
	"slices"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// join makes the replies of the parts the call's, or their failures its error.
func (call *call) join() {
	s := call.split
	if s.isByNode() {
		s.parts = slices.DeleteFunc(s.parts, func(p part) bool { return errors.Is(p.err, errCovered) })
		if len(s.parts) == 0 {
			call.err = call.fail(NotExecuted, errNoOwner)
			return
		}
	}
	call.Reordered = slices.ContainsFunc(s.parts, func(p part) bool { return p.Reordered })
	if call.each != nil {
		*call.each = s.replies()
		call.err = s.failures(call, 0)
		return
	}
	if call.err = s.failures(call, call.Cmd.Response); call.err != nil {
		return
	}
	if !s.isByNode() && call.Cmd.Response == spec.ResponseDefault {
		if err := s.collect(); err != nil {
			call.err = call.fail(Unknown, err)
			return
		}
		call.Elements = &s.elems
		return
	}
	memory := new([]byte)
	if call.solo != nil {
		memory = &call.solo.wire.Reply
	}
	frame, err := s.joined((*memory)[:0], call.Cmd.Response)
	if err != nil {
		call.err = call.fail(Unknown, err)
		return
	}
	*memory, call.Frame = frame, frame
}

// failures returns the parts that failed, key by key or node by node; nil if none did, or if one success is enough.
func (s *split) failures(call *call, policy spec.ResponsePolicy) error {
	var failed []command.Part
	if s.isByNode() {
		for _, part := range s.parts {
			if part.err != nil {
				failed = append(failed, command.Part{Node: nodeOf(part.err), Err: part.err})
			}
		}
		if policy == spec.ResponseOneSucceeded {
			failed = killFailures(failed, len(s.parts))
		}
		if len(failed) == 0 {
			return nil
		}
		return command.NewPartsError(call.Name(), len(s.parts), failed, call.isRepeatable())
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
	return command.NewPartsError(call.Name(), len(s.byKey), failed, call.isRepeatable())
}

// killFailures returns what to tell of the failures of SCRIPT KILL or FUNCTION KILL at some of total nodes: that
// nothing runs at a node comes last, and is none where something was killed elsewhere.
func killFailures(failed []command.Part, total int) []command.Part {
	var idle []command.Part
	rest := slices.DeleteFunc(slices.Clone(failed), func(p command.Part) bool {
		said, _ := replyIn(p.Err)
		isIdle := said.Code() == "NOTBUSY"
		if isIdle {
			idle = append(idle, p)
		}
		return isIdle
	})
	if len(failed) < total {
		return rest
	}
	return append(rest, idle...)
}

func (s *split) isByNode() bool { return len(s.byKey) == 0 }

func nodeOf(err error) string {
	if e, ok := err.(*Error); ok { //nolint:errorlint // as most are: the search below costs an allocation
		return e.Node
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Node
	}
	return ""
}

var errUnlike = errors.New("the parts of the command were answered with replies that do not fit together")

// joined makes one reply frame of the parts' frames, by a response policy.
func (s *split) joined(dst []byte, policy spec.ResponsePolicy) ([]byte, error) {
	switch policy {
	case spec.ResponseAllSucceeded:
		return resp.Append(dst, s.parts[0].Frame), nil
	case spec.ResponseOneSucceeded:
		for _, part := range s.parts {
			if part.err == nil {
				return resp.Append(dst, part.Frame), nil
			}
		}
	case spec.ResponseSum:
		return s.fold(dst, func(a, b int64) int64 { return a + b })
	case spec.ResponseMin, spec.ResponseAnd: // true is 1
		return s.fold(dst, func(a, b int64) int64 { return min(a, b) })
	case spec.ResponseMax, spec.ResponseOr:
		return s.fold(dst, func(a, b int64) int64 { return max(a, b) })
	}
	return s.joinArrays(dst)
}

// fold makes one integer of those of the parts, or one array of integers of arrays of one length: SCRIPT EXISTS is 1
// where every node says 1.
func (s *split) fold(dst []byte, two func(a, b int64) int64) ([]byte, error) {
	var scratch, more [8]int64
	total, scalar, ok := appendInts(scratch[:0], s.parts[0].Frame)
	for _, part := range s.parts[1:] {
		ns, isInt, fits := appendInts(more[:0], part.Frame)
		ok = ok && fits && isInt == scalar && len(ns) == len(total)
		if !ok {
			break
		}
		for i, n := range ns {
			total[i] = two(total[i], n)
		}
	}
	switch {
	case !ok:
		return nil, errUnlike
	case scalar:
		return resp.AppendInt(dst, total[0]), nil
	}
	dst = resp.AppendArray(dst, len(total))
	for _, n := range total {
		dst = resp.AppendInt(dst, n)
	}
	return dst, nil
}

// appendInts appends an integer, or the integers of an array; ok is false for any other frame.
func appendInts(dst []int64, frame []byte) (_ []int64, scalar, ok bool) {
	if n, ok := resp.Int(frame); ok {
		return append(dst, n), true, true
	}
	elems, ok := resp.Open(frame)
	for ok && elems.Left() > 0 {
		var elem []byte
		if elem, ok = elems.Next(); ok {
			var n int64
			n, ok = resp.Int(elem)
			dst = append(dst, n)
		}
	}
	return dst, false, ok
}

// joinArrays puts the elements of the parts' arrays together, node after node.
func (s *split) joinArrays(dst []byte) ([]byte, error) {
	total, size, err := s.open() // the headers of the parts take at least the room of the one in their place
	if err != nil {
		return nil, err
	}
	if cap(dst) < size { // to grow step by step is to copy long strings again and again
		dst = resp.Room(size)
	}
	dst = resp.AppendArray(dst, total)
	for i := range s.parts {
		dst = resp.Append(dst, s.parts[i].elems.Rest())
	}
	return dst, nil
}

// collect lists the elements of the parts' arrays in the order of the keys. It fails unless there is one for each.
func (s *split) collect() error {
	total, _, err := s.open()
	if err != nil || total != len(s.byKey) {
		return errUnlike
	}
	for _, of := range s.byKey {
		p := &s.parts[of.part]
		elem, ok := p.elems.Last() // the only one of most parts: its end need not be looked for
		if !ok {
			elem, ok = p.elems.Next()
		}
		if !ok {
			return errUnlike
		}
		s.elems.Add(elem, p.Own && p.first == p.last)
	}
	return nil
}

// open begins to read the parts' replies. It returns how many elements and bytes they have, and fails unless all are arrays.
func (s *split) open() (elements, size int, err error) {
	for i := range s.parts {
		p, ok := &s.parts[i], false
		if p.elems, ok = resp.Open(p.Frame); !ok {
			return 0, 0, errUnlike
		}
		elements, size = elements+p.elems.Left(), size+len(p.Frame)
	}
	return elements, size, nil
}
