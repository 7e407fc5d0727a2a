package resp

import "strconv"

// Request is one command as it goes over the wire: an array of bulk strings, written once, with the place of each
// argument and which of them are keys. The first argument is the command's name. The zero value is ready; Reset makes
// it so again and keeps its memory. It is for one goroutine.
type Request struct {
	buf  []byte // headRoom bytes for the array's header, then the arguments
	args []span
	keys []int
}

// span is where the bytes of an argument lie in the buffer.
type span struct{ from, to int }

// headRoom holds the longest array header: "*", 19 digits, CRLF.
const headRoom = 22

// Arg appends an argument.
func (r *Request) Arg(s string) { appendArg(r, s) }

// ArgBytes appends a copy of b as an argument.
func (r *Request) ArgBytes(b []byte) { appendArg(r, b) }

// ArgInt appends n in decimal.
func (r *Request) ArgInt(n int64) {
	var text [20]byte // "-9223372036854775808"
	appendArg(r, strconv.AppendInt(text[:0], n, 10))
}

// ArgFloat appends the shortest decimal that reads back as f; the infinities are inf and -inf.
func (r *Request) ArgFloat(f float64) {
	var text [32]byte // 17 digits, sign, point and, below 1e-6 or from 1e21 on, an exponent of four characters
	appendArg(r, appendFloat(text[:0], f))
}

// Key appends an argument that is a key.
func (r *Request) Key(s string) {
	r.AppendKey(len(r.args))
	appendArg(r, s)
}

// KeyBytes appends a copy of b as an argument that is a key.
func (r *Request) KeyBytes(b []byte) {
	r.AppendKey(len(r.args))
	appendArg(r, b)
}

// AppendKey says that the argument at index is a key.
func (r *Request) AppendKey(index int) { r.keys = append(r.keys, index) }

// Len returns the number of arguments, the command's name included.
func (r *Request) Len() int { return len(r.args) }

// At returns argument i, which must be less than Len. The slice is valid until the next append or Reset.
func (r *Request) At(i int) []byte {
	arg := r.args[i]
	return r.buf[arg.from:arg.to:arg.to]
}

// Keys returns the indexes of the arguments that are keys, in the order they were named. The slice is valid until the
// next append or Reset.
func (r *Request) Keys() []int { return r.keys }

// Frame returns the encoded command. The slice is valid until the next append or Reset.
func (r *Request) Frame() []byte {
	if len(r.args) == 0 {
		return nil // servers ignore "*0", so a reply to it would never come
	}
	// The header goes right before the arguments, at the end of the room kept for it: nothing has to move.
	var text [headRoom]byte
	header := AppendArray(text[:0], len(r.args))
	from := headRoom - len(header)
	copy(r.buf[from:], header)
	return r.buf[from:]
}

// Reset empties the request. Memory beyond 64 KiB is given up, so that one large value does not stay in a pool for ever.
func (r *Request) Reset() {
	const keep = 64 << 10
	const spanSize, indexSize = 16, 8
	if cap(r.buf) > keep || cap(r.args) > keep/spanSize || cap(r.keys) > keep/indexSize {
		*r = Request{}
		return
	}
	r.buf, r.args, r.keys = r.buf[:0], r.args[:0], r.keys[:0]
}

func appendArg[T string | []byte](r *Request, s T) {
	if len(r.buf) == 0 {
		r.buf = append(r.buf, make([]byte, headRoom)...)
	}
	r.buf = AppendBulk(r.buf, s)
	to := len(r.buf) - crlf
	r.args = append(r.args, span{to - len(s), to})
}
