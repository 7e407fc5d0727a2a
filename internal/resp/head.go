package resp

import (
	"bytes"
	"math"
)

const (
	crlf     = 2 // bytes of a line's end
	minValue = 3 // bytes of the shortest values, "_\r\n" and "+\r\n"
)

// These two occur only inside streamed values.
const (
	chunk   Kind = ';' // ";4\r\npart\r\n"; ";0\r\n" ends the string
	closing Kind = '.' // ".\r\n" ends an aggregate
)

// form is the layout of a value behind its type byte.
type form byte

const (
	unknown   form = iota
	line           // text and CRLF
	blob           // a length and CRLF, so many bytes and CRLF
	aggregate      // a count and CRLF, so many values
	paired         // a count and CRLF, twice as many values
)

func (k Kind) form() form {
	switch k {
	case BulkString, BulkError, Verbatim, chunk:
		return blob
	case SimpleString, SimpleError, Integer, Null, Boolean, Double, BigNumber, closing:
		return line
	case Array, Set, Push:
		return aggregate
	case Map, Attribute:
		return paired
	}
	return unknown
}

// What stands in head.n where a line holds no count.
const (
	null     = -1 // "$-1" and "*-1", the nulls of RESP2
	streamed = -2 // "?": the end is marked, not announced
)

// head is the line that begins a value; where the form is line, it is the whole value. (A fifth field would keep it out
// of registers.)
type head struct {
	kind Kind
	form form
	n    int // bytes of a blob or values of an aggregate (two for each pair), or null, or streamed
	end  int // offset of the CRLF; 0 while it has not been received
}

func (h head) next() int { return h.end + crlf }

// size is the number of bytes that belong to the value behind its line.
func (h head) size() int {
	if h.form != blob || h.n < 0 || h.kind == chunk && h.n == 0 {
		return 0
	}
	return h.n + crlf
}

// readHead reads the line that begins at offset at. The caller knows that no line ends before offset seen: without
// that, a long line arriving byte by byte would be searched from its start each time.
//
// Every verdict depends only on the bytes up to the one that gives it away, so it is the same however they are cut.
func readHead(buf []byte, at, seen int, lim *Limits) (h head, err error) {
	h.kind = Kind(buf[at])
	h.form = h.kind.form()
	switch h.form {
	case unknown:
		return h, malformed(buf, at, "unknown type byte")
	case line:
		if h.end, err = endOfLine(buf, at+1, max(at+1, seen), lim.line()); h.end == 0 || err != nil {
			return h, err
		}
		if reason := checkText(h.kind, buf[at+1:h.end]); reason != "" {
			return h, malformed(buf, at, "%s", reason)
		}
		return h, nil
	case blob:
		h.n, h.end, err = readCount(buf, at, min(lim.bulk(), math.MaxInt-crlf))
	case aggregate:
		h.n, h.end, err = readCount(buf, at, lim.elements())
	case paired:
		h.n, h.end, err = readCount(buf, at, min(lim.elements(), math.MaxInt/2))
		if h.n > 0 {
			h.n *= 2
		}
	}
	return h, err
}

// endOfLine returns the offset of the CRLF of the text that begins at from, 0 while it has not been received.
func endOfLine(buf []byte, from, seen, limit int) (int, error) {
	rest := buf[seen:]
	if cr := bytes.IndexByte(rest, '\r'); cr >= 0 {
		rest = rest[:cr]
	}
	if lf := bytes.IndexByte(rest, '\n'); lf >= 0 {
		rest = rest[:lf]
	}
	end := seen + len(rest)
	switch {
	case end-from > limit:
		return 0, malformed(buf, from-1, "line longer than the limit of %d bytes", limit)
	case end == len(buf):
		return 0, nil
	case buf[end] == '\n':
		return 0, malformed(buf, end, "LF without CR")
	}
	return lineEnd(buf, end)
}

// lineEnd returns end if a CRLF stands there, 0 while that is not known.
func lineEnd(buf []byte, end int) (int, error) {
	if hasCRLF(buf, end) {
		return end, nil
	}
	if end < len(buf) && buf[end] != '\r' || end+1 < len(buf) {
		return 0, malformed(buf, end, "CRLF expected")
	}
	return 0, nil
}

func hasCRLF(buf []byte, at int) bool {
	return at+1 < len(buf) && buf[at] == '\r' && buf[at+1] == '\n'
}

// readCount reads the length or count of the head at offset at, and returns it with the offset of its CRLF, which is 0
// while that has not been received.
func readCount(buf []byte, at, limit int) (n, end int, err error) {
	i := at + 1
	if i == len(buf) {
		return 0, 0, nil
	}
	if buf[i] == '-' || buf[i] == '?' {
		return readMark(buf, at)
	}
	most := min(uint64(limit), 1<<59) // one digit more does not overflow
	var count uint64
	for ; i < len(buf) && isDigit(buf[i]); i++ {
		if i > at+1 && count == 0 {
			return 0, 0, malformed(buf, at, "length with a leading zero")
		}
		if count = count*10 + uint64(buf[i]-'0'); count > most {
			return 0, 0, malformed(buf, at, "length over the limit of %d", limit)
		}
	}
	if i == at+1 {
		return 0, 0, malformed(buf, at, "length is not a number")
	}
	if Kind(buf[at]) == Verbatim && count < verbatimPrefix && i < len(buf) {
		return 0, 0, malformed(buf, at, "verbatim string without a format")
	}
	end, err = lineEnd(buf, i)
	return int(count), end, err
}

// readMark reads what may stand in place of a count: -1 or ?.
func readMark(buf []byte, at int) (n, end int, err error) {
	kind, i := Kind(buf[at]), at+1
	if buf[i] == '?' {
		switch kind {
		case BulkString, Array, Set, Map, Push:
			end, err = lineEnd(buf, i+1)
			return streamed, end, err
		}
		return 0, 0, malformed(buf, at, "a %q cannot be streamed", byte(kind))
	}
	switch {
	case kind != BulkString && kind != Array:
		return 0, 0, malformed(buf, at, "negative length")
	case i+1 == len(buf):
		return 0, 0, nil
	case buf[i+1] != '1':
		return 0, 0, malformed(buf, at, "negative length")
	}
	end, err = lineEnd(buf, i+2)
	return null, end, err
}

// checkBlob checks the bytes behind the line of h, of which all have been received.
func checkBlob(buf []byte, h head) error {
	if h.kind == Verbatim && buf[h.start()-1] != ':' {
		return malformed(buf, h.next(), "verbatim string without a format")
	}
	if !hasCRLF(buf, h.stop()) {
		return malformed(buf, h.stop(), "CRLF expected")
	}
	return nil
}

// start and stop are the offsets of the content of a blob, a verbatim string's without its format.
func (h head) start() int {
	if h.kind == Verbatim {
		return h.next() + verbatimPrefix
	}
	return h.next()
}

func (h head) stop() int { return h.next() + h.n }
