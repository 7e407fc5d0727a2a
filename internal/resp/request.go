package resp

import (
	"strconv"
	"time"
)

// Request is one command as it goes over the wire: an array of bulk strings, written once, with the place of each
// argument and which of them are keys. The first argument is the command's name. The zero value is ready; Reset makes
// it so again and keeps its memory. It is for one goroutine.
type Request struct {
	mem  *Requests // where it is written; nil while it is empty
	text span      // in mem.buf: room for the array's header, then the arguments
	args few       // in mem.args
	keys few       // in mem.keys
}

// Requests is memory that requests share, each written after the one before is complete: a batch of them takes no more
// allocations than one. The zero value is ready. It is for one goroutine.
type Requests struct {
	buf  []byte
	args []span
	keys []int
}

// span is where a part of something lies.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// few is a span of arguments: a server takes no more than fit 32 bits, and a batch walks over many requests.
type few struct{ from, to int32 }

func (f few) len() int { return int(f.to - f.from) }

func fewAt(n int) few { return few{int32(n), int32(n)} }

const (
	// headRoom holds the longest array header: "*", 19 digits, CRLF.
	headRoom = 22
	// shortHead is the header of fewer than fewArgs arguments, which is kept up to date from the first one on.
	shortHead = "*0\r\n"
	fewArgs   = 10
)

// Begin makes r an empty request behind those written so far, none of which may be appended to any more. It is valid
// until Reset. Field by field: a Request made elsewhere and copied here would be read in wider pieces than it was just
// written in, which a processor has to wait for, once for each command of a pipeline.
func (m *Requests) Begin(r *Request) {
	r.mem = m
	r.text.from, r.text.to = len(m.buf), len(m.buf)
	r.args.from, r.args.to = int32(len(m.args)), int32(len(m.args))
	r.keys.from, r.keys.to = int32(len(m.keys)), int32(len(m.keys))
}

// Size returns how many bytes the requests are.
func (m *Requests) Size() int { return len(m.buf) }

// Reset forgets all requests, and gives up memory beyond keep bytes.
func (m *Requests) Reset(keep int) {
	const spanSize, indexSize = 16, 8
	if cap(m.buf) > keep || cap(m.args) > keep/spanSize || cap(m.keys) > keep/indexSize {
		*m = Requests{}
		return
	}
	m.buf, m.args, m.keys = m.buf[:0], m.args[:0], m.keys[:0]
}

// Open begins the request with the name of a command, which is size bytes long: head is the Frame of a request of that name
// alone. Its last lines are those of appendArg: with a function for both it would be too large for the compiler to inline.
func (r *Request) Open(head string, size int) {
	m := r.memory()
	m.buf = append(m.buf, head...)
	r.text.to = len(m.buf)
	to := r.text.to - crlf
	m.args = append(m.args, span{to - size, to})
	r.args.to++
}

// Arg appends an argument.
func (r *Request) Arg(s string) { appendArg(r, s) }

// ArgBytes appends a copy of b as an argument.
func (r *Request) ArgBytes(b []byte) { appendArg(r, b) }

// ArgInt appends n in decimal.
func (r *Request) ArgInt(n int64) {
	var text [20]byte // "-9223372036854775808"
	appendArg(r, strconv.AppendInt(text[:0], n, 10))
}

// ArgMillis appends d in milliseconds. A part of one is rounded away from zero: less than one is neither none nor for ever.
func (r *Request) ArgMillis(d time.Duration) {
	n, rest := int64(d/time.Millisecond), d%time.Millisecond
	switch {
	case rest > 0:
		n++
	case rest < 0:
		n--
	}
	r.ArgInt(n)
}

// ArgFloat appends the shortest decimal that reads back as f; the infinities are inf and -inf.
func (r *Request) ArgFloat(f float64) {
	var text [32]byte // 17 digits, sign, point and, below 1e-6 or from 1e21 on, an exponent of four characters
	appendArg(r, AppendFloat(text[:0], f, 64))
}

// Key appends an argument that is a key.
func (r *Request) Key(s string) {
	appendArg(r, s)
	r.AppendKey(r.args.len() - 1)
}

// KeyBytes appends a copy of b as an argument that is a key.
func (r *Request) KeyBytes(b []byte) {
	appendArg(r, b)
	r.AppendKey(r.args.len() - 1)
}

// AppendKey says that the argument at index is a key. It may be called when other requests have been written behind
// this one, provided that they get no key in between.
func (r *Request) AppendKey(index int) {
	m := r.memory()
	if r.keys.len() == 0 {
		r.keys = fewAt(len(m.keys))
	}
	m.keys = append(m.keys, index)
	r.keys.to++
}

// Len returns the number of arguments, the command's name included.
func (r *Request) Len() int { return r.args.len() }

// Size returns the number of bytes of the encoded command, or a few more.
func (r *Request) Size() int { return r.text.len() }

// At returns argument i, which must be less than Len. The slice is valid until the next append or Reset.
func (r *Request) At(i int) []byte {
	arg := r.mem.args[int(r.args.from)+i]
	return r.mem.buf[arg.from:arg.to:arg.to]
}

// Keys returns the indexes of the arguments that are keys, in the order they were named. The slice is valid until the
// next append or Reset.
func (r *Request) Keys() []int {
	if r.mem == nil {
		return nil
	}
	return r.mem.keys[r.keys.from:r.keys.to:r.keys.to]
}

// Frame returns the encoded command. The slice is valid until the next append or Reset.
func (r *Request) Frame() []byte {
	if r.Len() == 0 {
		return nil // servers ignore "*0", so a reply to it would never come
	}
	if r.Len() < fewArgs {
		return r.mem.buf[r.text.from:r.text.to:r.text.to]
	}
	// The header goes right before the arguments, at the end of the room kept for it: nothing has to move.
	var text [headRoom]byte
	header := AppendArray(text[:0], r.Len())
	from := r.text.from + headRoom - len(header)
	copy(r.mem.buf[from:], header)
	return r.mem.buf[from:r.text.to:r.text.to]
}

// Reset empties a request that shares its memory with no other. Memory beyond 256 KiB is given up, so that one large value
// does not stay in a pool; of what is smaller there may be many, and new memory for each costs more than to fill it.
func (r *Request) Reset() {
	const keep = 256 << 10
	if r.mem != nil {
		r.mem.Reset(keep)
		r.mem.Begin(r)
	}
}

func appendArg[T string | []byte](r *Request, s T) {
	m := r.memory()
	if r.text.len() == 0 {
		m.buf = append(m.buf, shortHead...)
	}
	m.buf = AppendBulk(m.buf, s)
	to := len(m.buf) - crlf
	m.args = append(m.args, span{to - len(s), to})
	r.text.to = len(m.buf)
	r.args.to++
	switch n := r.args.len(); {
	case n < fewArgs:
		m.buf[r.text.from+1]++
	case n == fewArgs:
		r.makeHeadRoom()
	}
}

// memory returns where the request is written.
func (r *Request) memory() *Requests {
	if r.mem == nil {
		r.mem = new(Requests)
	}
	return r.mem
}

// makeHeadRoom moves the arguments away from the short header, for any one.
func (r *Request) makeHeadRoom() {
	const by = headRoom - len(shortHead)
	m, from := r.mem, r.text.from+len(shortHead)
	m.buf = append(m.buf, make([]byte, by)...)
	moveLong(m.buf[from:], by)
	for i := range m.args[r.args.from:] {
		arg := &m.args[int(r.args.from)+i]
		arg.from, arg.to = arg.from+by, arg.to+by
	}
	r.text.to = len(m.buf)
}
