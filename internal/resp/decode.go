package resp

import "bytes"

// KindOf returns the kind of the value in a frame, whatever attributes precede it; the nulls of RESP2 are Null. It
// returns 0 for bytes that no frame begins with.
func KindOf(frame []byte) Kind {
	if frequent(frame) > 0 {
		return Kind(frame[0])
	}
	d := newDecoder(frame)
	h, err := d.valueHead(0)
	switch {
	case err != nil || h.kind == chunk || h.kind == closing:
		return 0
	case h.n == null:
		return Null
	}
	return h.kind
}

// IsPush reports whether the value in a frame, which is not empty, is a push.
func IsPush(frame []byte) bool { return begun(frame) == Push }

// IsError reports whether the value in a frame is an error, of either kind.
func IsError(frame []byte) bool {
	if len(frame) == 0 {
		return false
	}
	kind := begun(frame)
	return kind == SimpleError || kind == BulkError
}

// begun is KindOf for what the first byte of a frame tells apart: anything but the nulls of RESP2. Attributes are rare.
func begun(frame []byte) Kind {
	if Kind(frame[0]) == Attribute {
		return KindOf(frame)
	}
	return Kind(frame[0])
}

// Payload returns the text of a string, error, number or boolean ("t" or "f") without copying it: a verbatim string
// without its format, an error without its dash. ok is false for aggregates, nulls and streamed strings.
func Payload(frame []byte) (b []byte, ok bool) {
	if n := frequent(frame); n > 0 && n == len(frame) {
		text := 1
		if Kind(frame[0]) == BulkString {
			text = bytes.IndexByte(frame, '\n') + 1
		}
		return frame[text : n-crlf], true
	}
	d := newDecoder(frame)
	h, err := d.valueHead(0)
	if err != nil || d.pos != len(frame) || h.kind == Null || h.kind == chunk || h.kind == closing {
		return nil, false
	}
	switch {
	case h.form == line:
		return frame[d.at+1 : h.end], true
	case h.form == blob && h.n >= 0:
		return frame[h.start():h.stop()], true
	}
	return nil, false
}

// Text is Payload for strings alone: for an error, a number or a boolean, ok is false as well.
func Text(frame []byte) (b []byte, ok bool) {
	if b, ok = Payload(frame); !ok || Kind(frame[0]) == BulkString {
		return b, ok
	}
	kind := KindOf(frame)
	return b, kind == BulkString || kind == SimpleString || kind == Verbatim
}

// Int returns the value of an Integer frame; ok is false for everything else.
func Int(frame []byte) (n int64, ok bool) {
	end := len(frame) - crlf
	if end < 1 || Kind(frame[0]) != Integer || frame[end] != '\r' || frame[end+1] != '\n' {
		return 0, false
	}
	return parseInt(frame[1:end])
}

// Decode returns the value of a frame: streamed values assembled, attributes dropped wherever they are. The value
// shares no memory with the frame; the strings of a frame of up to MaxShared bytes share one copy of it. A frame that a
// Scanner accepted never fails; anything else gives a *ProtocolError at worst, and never takes more memory than a small
// multiple of its length.
func Decode(frame []byte) (Value, error) {
	d := newDecoder(frame)
	var v Value
	err := d.value(&v, 0)
	if err == nil && d.pos != len(frame) {
		err = malformed(frame, d.pos, "bytes behind the value")
	}
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

// MaxShared is the longest frame, in bytes, of which Decode makes one copy for all its strings. That saves an
// allocation for each; a caller who keeps one of them keeps no more than this.
const MaxShared = 4 << 10

// decoder reads one frame from the left.
type decoder struct {
	buf  []byte
	pos  int    // where the next value begins
	at   int    // where the last head began
	room int    // elements that the frame can hold besides those claimed so far
	copy string // of the frame, made for its first string if it is short enough to be shared
	lim  Limits
}

func newDecoder(frame []byte) decoder {
	// Nothing in a frame is longer than the frame.
	all := len(frame)
	return decoder{
		buf:  frame,
		room: all / minValue,
		lim:  Limits{Depth: maxDepth, Line: all, Bulk: all, Elements: all, Frame: all},
	}
}

// head reads the next line, and the bytes that belong to it if it is the head of a blob.
func (d *decoder) head() (head, error) {
	d.at = d.pos
	if d.at >= len(d.buf) {
		return head{}, malformed(d.buf, d.at, "frame is cut short")
	}
	h, err := readHead(d.buf, d.at, 0, &d.lim)
	if err != nil {
		return h, err
	}
	if h.end == 0 || h.size() > len(d.buf)-h.next() {
		return h, malformed(d.buf, d.at, "frame is cut short")
	}
	if h.size() > 0 {
		err = checkBlob(d.buf, h)
	}
	d.pos = h.next() + h.size()
	return h, err
}

// valueHead reads the head of the next value and drops the attributes before it.
func (d *decoder) valueHead(depth int) (head, error) {
	for {
		h, err := d.head()
		if err != nil || h.kind != Attribute {
			return h, err
		}
		if _, err := d.elements(h, depth); err != nil {
			return h, err
		}
	}
}

// value sets v, which is zero, to the next value.
func (d *decoder) value(v *Value, depth int) error {
	h, err := d.valueHead(depth)
	if err != nil {
		return err
	}
	v.Kind = h.kind
	switch {
	case h.kind == chunk, h.kind == closing:
		err = malformed(d.buf, d.at, "value expected")
	case h.n == null:
		v.Kind = Null
	case h.form == line:
		d.scalar(v, h)
	case h.form == blob && h.n == streamed:
		v.Str, err = d.chunks()
	case h.form == blob:
		v.Str = d.string(h.start(), h.stop())
	default:
		v.Elems, err = d.elements(h, depth)
	}
	return err
}

// scalar sets the value of a line.
func (d *decoder) scalar(v *Value, h head) {
	text := d.buf[d.at+1 : h.end]
	switch h.kind {
	case Integer:
		v.Int, _ = parseInt(text)
	case Boolean:
		if text[0] == 't' {
			v.Int = 1
		}
	case Double:
		v.Float = parseDouble(text)
	case SimpleString, SimpleError, BigNumber:
		v.Str = d.string(d.at+1, h.end)
	}
}

// chunks assembles a streamed string.
func (d *decoder) chunks() (string, error) {
	var b bytes.Buffer
	for {
		h, err := d.head()
		switch {
		case err != nil:
			return "", err
		case h.kind != chunk:
			return "", malformed(d.buf, d.at, "chunk of a string expected")
		case h.n == 0:
			return b.String(), nil
		}
		b.Write(d.buf[h.start():h.stop()])
	}
}

// elements reads the elements of an aggregate.
func (d *decoder) elements(h head, depth int) ([]Value, error) {
	if depth == maxDepth {
		return nil, malformed(d.buf, d.at, "aggregates nested deeper than %d", maxDepth)
	}
	if h.n == streamed {
		return d.untilClosed(h, depth)
	}
	// Together, the counts in a complete frame never exceed its room. Checking that before the allocation keeps headers
	// that lie from multiplying.
	if d.room -= h.n; d.room < 0 {
		return nil, malformed(d.buf, d.at, "more elements than bytes")
	}
	if h.n == 0 {
		return nil, nil
	}
	elems := make([]Value, h.n)
	for i := range elems {
		if err := d.value(&elems[i], depth+1); err != nil {
			return nil, err
		}
	}
	return elems, nil
}

// untilClosed reads the elements of a streamed aggregate.
func (d *decoder) untilClosed(h head, depth int) ([]Value, error) {
	var elems []Value
	for d.pos >= len(d.buf) || Kind(d.buf[d.pos]) != closing {
		elems = append(elems, Value{})
		if err := d.value(&elems[len(elems)-1], depth+1); err != nil {
			return nil, err
		}
	}
	if h.kind == Map && len(elems)%2 != 0 {
		return nil, malformed(d.buf, d.pos, "key without a value")
	}
	_, err := d.head()
	return elems, err
}

// string copies a part of the frame.
func (d *decoder) string(from, to int) string {
	if len(d.buf) > MaxShared {
		return string(d.buf[from:to])
	}
	if d.copy == "" {
		d.copy = string(d.buf)
	}
	return d.copy[from:to]
}
