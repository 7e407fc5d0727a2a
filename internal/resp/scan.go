package resp

import "math"

// Scanner finds where a frame ends in a buffer that grows while the frame arrives. It looks at each byte a bounded
// number of times however the bytes are cut, and keeps a counter per nesting level, nothing else. The zero value is
// ready. A Scanner is for one goroutine.
type Scanner struct {
	Limits Limits

	pos        int     // where the next value begins; everything before it has been checked
	seen       int     // no line ends before this offset
	missing    int     // see Missing
	attributed bool    // an attribute has been read whose value is to come
	open       []level // the values that have begun and not ended, outermost first
}

// level is an aggregate or a streamed string that has begun.
type level struct {
	kind  Kind
	count int  // values to come; of a streamed aggregate the values, of a streamed string the bytes so far
	mark  bool // ends at a mark, not after a count: it is streamed
}

// Scan returns the length of the frame that buf begins with, 0 when more bytes are needed. Between calls buf must only
// grow at its end; after a frame, the next call must get what follows it. The frame is one value with the attributes
// before it, and Decode accepts it.
//
// The error is a *ProtocolError; the same bytes cut in any other way give the same one but for the length of its
// excerpt. It is final.
func (s *Scanner) Scan(buf []byte) (n int, err error) {
	if n = s.quick(buf, s.Limits.least()); n > 0 {
		return n, nil
	}
	return s.closely(buf)
}

// closely is Scan for any frame.
func (s *Scanner) closely(buf []byte) (n int, err error) {
	for s.skip(buf); s.pos < len(buf); s.skip(buf) {
		next, whole, err := s.value(buf)
		if next == 0 || err != nil {
			return 0, err
		}
		if whole {
			s.pos, s.seen, s.missing = 0, 0, 0
			return next, nil
		}
		s.pos = next
	}
	s.missing = minValue
	return 0, nil
}

// Ends appends to ends where the frames that buf begins with end, until there are most of them or no more whole frame
// follows. It is Scan for each of them, and what is left of buf is what the next call must get at its beginning. With
// an error, the frames before the malformed bytes are good.
func (s *Scanner) Ends(ends []int, buf []byte, most int) ([]int, error) {
	least := s.Limits.least()
	for used := 0; used < len(buf) && len(ends) < most; {
		n := s.quick(buf[used:], least)
		if n == 0 {
			var err error
			if n, err = s.closely(buf[used:]); n == 0 || err != nil {
				return ends, err
			}
		}
		used += n
		ends = append(ends, used)
	}
	return ends, nil
}

// quick is Scan for most frames that are there as a whole and take up to least bytes. It returns 0 for those that it
// has to leave to closely.
func (s *Scanner) quick(buf []byte, least int) (n int) {
	if s.pos > 0 {
		return 0
	}
	if n = simple(buf); n > least {
		return 0
	}
	if n > 0 {
		s.seen, s.missing = 0, 0
	}
	return n
}

// skip passes over the frequent frames among the elements of an aggregate, but for its last one, which ends more than itself.
func (s *Scanner) skip(buf []byte) {
	if len(s.open) == 0 || s.open[len(s.open)-1].mark {
		return
	}
	top, longest := &s.open[len(s.open)-1], min(s.Limits.line(), s.Limits.bulk())
	for top.count > 1 {
		n := frequent(buf[s.pos:])
		if n == 0 || n > longest || n > s.Limits.frame()-s.pos {
			return
		}
		s.pos += n
		top.count--
	}
}

// Missing returns a lower bound, at least 1, of the bytes still to come after Scan returned 0: within a string it is
// the rest of it. The number comes from the peer: it may size a read, capped, but not an allocation.
func (s *Scanner) Missing() int { return max(s.missing, 1) }

// value reads what begins at s.pos: a scalar, or no more than the head of an aggregate. It returns the offset behind
// it, 0 when that has not been received, and whether the frame ends there.
func (s *Scanner) value(buf []byte) (next int, whole bool, err error) {
	if err := s.expect(buf); err != nil {
		return 0, false, err
	}
	h, err := readHead(buf, s.pos, s.seen, &s.Limits)
	if err != nil {
		return 0, false, err
	}
	if h.end == 0 {
		s.seen, s.missing = len(buf)-1, 1 // the last byte may be a CR
		return 0, false, nil
	}
	if limit := s.Limits.frame(); h.next() > limit || h.size() > limit-h.next() {
		return 0, false, malformed(buf, s.pos, "frame longer than the limit of %d bytes", limit)
	}
	next = h.next() + h.size()
	if next > len(buf) {
		s.missing = next - len(buf)
		return 0, false, nil
	}
	if h.size() > 0 {
		if err := checkBlob(buf, h); err != nil {
			return 0, false, err
		}
	}
	whole, err = s.advance(buf, h)
	return next, whole, err
}

// begins reports whether buf begins with text.
func begins(buf []byte, text string) bool {
	return len(buf) >= len(text) && string(buf[:len(text)]) == text
}

// one is how an array of one value begins. A part of MGET has no other, if there is a slot for each of its keys.
const one = "*1\r\n"

// simple is frequent for a null and an array of one frequent frame as well.
func simple(buf []byte) int {
	const none = "_\r\n"
	switch {
	case begins(buf, none):
		return len(none)
	case !begins(buf, one):
		return frequent(buf)
	}
	if n := frequent(buf[len(one):]); n > 0 {
		return len(one) + n
	}
	return 0
}

// frequent returns the length of the frame if it is one of those that most replies are, an OK, an integer of 1 to 9
// digits or a bulk string of 1 to 9999 bytes, and all of it is there. For anything else it returns 0: what is missing
// or wrong is for others to say. BenchmarkScan and BenchmarkPayload64 take less than half the time for it.
func frequent(buf []byte) int {
	const ok = "+OK\r\n"
	switch {
	case len(buf) == 0:
		return 0
	case Kind(buf[0]) == Integer:
		return digits(buf)
	case begins(buf, ok):
		return len(ok)
	case Kind(buf[0]) != BulkString:
		return 0
	}
	n, i := 0, 1
	for ; i < min(len(buf), 5) && isDigit(buf[i]); i++ {
		n = n*10 + int(buf[i]-'0')
	}
	if i == 1 || buf[1] == '0' || !hasCRLF(buf, i) || !hasCRLF(buf, i+crlf+n) {
		return 0
	}
	return i + crlf + n + crlf
}

// digits is frequent for an integer.
func digits(buf []byte) int {
	const most = 9
	i := 1
	for i < min(len(buf), 1+most) && isDigit(buf[i]) {
		i++
	}
	if i == 1 || buf[1] == '0' && i > 2 || !hasCRLF(buf, i) {
		return 0
	}
	return i + crlf
}

// expect checks that the type byte at s.pos may stand there.
func (s *Scanner) expect(buf []byte) error {
	kind, top := Kind(buf[s.pos]), level{}
	if n := len(s.open); n > 0 {
		top = s.open[n-1]
	}
	switch {
	case (kind == chunk) != (top.kind == chunk):
		return malformed(buf, s.pos, "chunk of a string expected, or not expected")
	case kind == closing && (!top.mark || s.attributed || top.kind == Map && top.count%2 != 0):
		return malformed(buf, s.pos, "end of an aggregate not expected")
	}
	return nil
}

// advance counts the value that begins with h, and reports whether it completes the frame.
func (s *Scanner) advance(buf []byte, h head) (whole bool, err error) {
	s.attributed = h.kind == Attribute
	switch {
	case h.kind == chunk && h.n > 0:
		top := &s.open[len(s.open)-1]
		if top.count > s.Limits.bulk()-h.n {
			return false, malformed(buf, s.pos, "length over the limit of %d", s.Limits.bulk())
		}
		top.count += h.n
		return false, nil
	case h.kind == chunk, h.kind == closing:
		s.open = s.open[:len(s.open)-1]
		return s.ended(buf)
	case h.form == blob && h.n == streamed:
		s.open = append(s.open, level{kind: chunk, mark: true})
		return false, nil
	case h.form < aggregate, h.n == null:
		return s.ended(buf)
	}
	if len(s.open) == s.Limits.depth() {
		return false, malformed(buf, s.pos, "aggregates nested deeper than the limit of %d", s.Limits.depth())
	}
	switch {
	case h.n == streamed:
		s.open = append(s.open, level{kind: h.kind, mark: true})
	case h.n > 0:
		s.open = append(s.open, level{kind: h.kind, count: h.n})
	case h.kind != Attribute:
		return s.ended(buf)
	}
	return false, nil
}

// ended counts a value that has ended, and with it every aggregate whose last element it is.
func (s *Scanner) ended(buf []byte) (whole bool, err error) {
	for len(s.open) > 0 {
		top := &s.open[len(s.open)-1]
		if top.mark {
			return false, s.countMarked(buf, top)
		}
		if top.count--; top.count > 0 {
			return false, nil
		}
		s.open = s.open[:len(s.open)-1]
		if top.kind == Attribute {
			s.attributed = true // an attribute is not a value: what it belongs to comes now
			return false, nil
		}
	}
	return true, nil
}

// countMarked counts one more value of a streamed aggregate, which no header has limited.
func (s *Scanner) countMarked(buf []byte, top *level) error {
	limit := s.Limits.elements()
	if top.kind == Map {
		limit = min(limit, math.MaxInt/2) * 2
	}
	if top.count == limit {
		return malformed(buf, s.pos, "streamed aggregate over the limit of %d elements", s.Limits.elements())
	}
	top.count++
	return nil
}
