package resp

// Elements walks over the frames of the elements of an array, a set or a push, without copying.
type Elements struct {
	rest []byte
	left int
}

// Open returns the elements of a frame. ok is false for anything but an array, a set or a push, and for a streamed one,
// which no server sends.
func Open(frame []byte) (e Elements, ok bool) {
	if begins(frame, one) {
		return Elements{rest: frame[len(one):], left: 1}, true
	}
	d := newDecoder(frame)
	h, err := d.valueHead(0)
	if err != nil || h.form != aggregate || h.n < 0 || h.n > d.room {
		return Elements{}, false
	}
	return Elements{rest: frame[d.pos:], left: h.n}, true
}

// OpenPairs returns keys and values in turn, of a map or of an array of even length, as which RESP2 sends a map. ok is
// false for anything else.
func OpenPairs(frame []byte) (e Elements, ok bool) {
	d := newDecoder(frame)
	h, err := d.valueHead(0)
	pairs := err == nil && (h.kind == Map || h.kind == Array)
	if !pairs || h.n < 0 || h.n > d.room || h.n%2 != 0 {
		return Elements{}, false
	}
	return Elements{rest: frame[d.pos:], left: h.n}, true
}

// Enter puts the n elements of the next element, an array, a set or a push, in its place. Unlike Next it does not look
// for the element's end, which takes an allocation: see BenchmarkMembersWithScores of package command.
func (e *Elements) Enter() (n int, ok bool) {
	if e.left == 0 {
		return 0, false
	}
	inner, ok := Open(e.rest)
	if !ok {
		return 0, false
	}
	n = inner.left
	e.rest, e.left = inner.rest, e.left-1+n
	return n, true
}

// Left returns how many elements are still to come; it is never more than the frame has room for.
func (e *Elements) Left() int { return e.left }

// Rest returns the frames of the elements still to come, as they stand.
func (e *Elements) Rest() []byte { return e.rest }

// Next returns the frame of the next element; ok is false when none is left, or what follows is not one.
func (e *Elements) Next() (frame []byte, ok bool) {
	if e.left == 0 {
		return nil, false
	}
	n := frequent(e.rest)
	if n == 0 {
		var s Scanner
		var err error
		if n, err = s.Scan(e.rest); err != nil || n == 0 {
			return nil, false
		}
	}
	frame = e.rest[:n:n]
	e.rest, e.left = e.rest[n:], e.left-1
	return frame, true
}

// Last returns the frame of the last element, if no other is left: it is all the rest, which need not be looked at. The
// frame must be one that a Scanner accepted.
func (e *Elements) Last() (frame []byte, ok bool) {
	if e.left != 1 {
		return nil, false
	}
	frame, e.rest, e.left = e.rest[:len(e.rest):len(e.rest)], nil, 0
	return frame, true
}
