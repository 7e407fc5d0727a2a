package keyslottest

import "strconv"

// replies is the output of a connection, in the protocol version the connection speaks. The methods append one value, or
// the head of an aggregate whose elements follow.
type replies struct {
	buf   []byte
	resp3 bool
}

func (r *replies) raw(s string) { r.buf = append(r.buf, s...) }

func (r *replies) simple(s string) { r.line('+', s) }

func (r *replies) ok() { r.raw("+OK\r\n") }

// error takes the text with its code: "ERR no such thing".
func (r *replies) error(text string) { r.line('-', text) }

func (r *replies) line(kind byte, s string) {
	r.buf = append(r.buf, kind)
	start := len(r.buf)
	r.buf = append(r.buf, s...)
	// Text that came from a client must not be able to end the line early.
	for i := start; i < len(r.buf); i++ {
		if r.buf[i] == '\r' || r.buf[i] == '\n' {
			r.buf[i] = ' '
		}
	}
	r.raw("\r\n")
}

func (r *replies) head(kind byte, n int64) {
	r.buf = append(r.buf, kind)
	r.buf = strconv.AppendInt(r.buf, n, 10)
	r.raw("\r\n")
}

func (r *replies) int(n int64) { r.head(':', n) }

func (r *replies) bulk(s string) {
	r.head('$', int64(len(s)))
	r.raw(s)
	r.raw("\r\n")
}

// text is a bulk string that RESP3 marks as plain text.
func (r *replies) text(s string) {
	if !r.resp3 {
		r.bulk(s)
		return
	}
	r.head('=', int64(len(s)+len("txt:")))
	r.raw("txt:")
	r.raw(s)
	r.raw("\r\n")
}

func (r *replies) null() {
	if r.resp3 {
		r.raw("_\r\n")
		return
	}
	r.raw("$-1\r\n")
}

func (r *replies) nullArray() {
	if r.resp3 {
		r.raw("_\r\n")
		return
	}
	r.raw("*-1\r\n")
}

func (r *replies) array(n int) { r.head('*', int64(n)) }

// mapOf heads n pairs of key and value.
func (r *replies) mapOf(n int) {
	if r.resp3 {
		r.head('%', int64(n))
		return
	}
	r.array(2 * n)
}

func (r *replies) bulks(list []string) {
	r.array(len(list))
	for _, s := range list {
		r.bulk(s)
	}
}
