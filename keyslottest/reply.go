package keyslottest

import "github.com/keyslot-go/keyslot/internal/resp"

// replies is the output of a connection, in the protocol version the connection speaks. The methods append one value,
// or the head of an aggregate whose elements follow.
type replies struct {
	buf   []byte
	resp3 bool
}

func (r *replies) simple(s string) { r.buf = resp.AppendSimple(r.buf, s) }

func (r *replies) ok() { r.simple("OK") }

// error takes the text with its code: "ERR no such thing".
func (r *replies) error(text string) { r.buf = resp.AppendError(r.buf, text) }

func (r *replies) int(n int64) { r.buf = resp.AppendInt(r.buf, n) }

func (r *replies) bulk(s string) { r.buf = resp.AppendBulk(r.buf, s) }

// text is a bulk string that RESP3 marks as plain text.
func (r *replies) text(s string) {
	if !r.resp3 {
		r.bulk(s)
		return
	}
	r.buf = resp.AppendVerbatim(r.buf, s)
}

func (r *replies) null() {
	if r.resp3 {
		r.buf = resp.AppendNull(r.buf)
		return
	}
	r.buf = resp.AppendNullBulk(r.buf)
}

func (r *replies) nullArray() {
	if r.resp3 {
		r.buf = resp.AppendNull(r.buf)
		return
	}
	r.buf = resp.AppendNullArray(r.buf)
}

func (r *replies) array(n int) { r.buf = resp.AppendArray(r.buf, n) }

// push heads what was not asked for, or is confirmed: an array where there is nothing else.
func (r *replies) push(n int) {
	if !r.resp3 {
		r.array(n)
		return
	}
	r.buf = resp.AppendPush(r.buf, n)
}

// mapOf heads n pairs of key and value.
func (r *replies) mapOf(n int) {
	if r.resp3 {
		r.buf = resp.AppendMap(r.buf, n)
		return
	}
	r.array(2 * n)
}

// set heads n members of a set.
func (r *replies) set(n int) {
	from := len(r.buf)
	r.array(n)
	if r.resp3 {
		r.buf[from] = byte(resp.Set)
	}
}

func (r *replies) version() int {
	if r.resp3 {
		return 3
	}
	return 2
}

func (r *replies) bulks(list []string) {
	r.array(len(list))
	for _, s := range list {
		r.bulk(s)
	}
}
