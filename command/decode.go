package command

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// decoder reads the reply of a call as one Go type. Short strings go where others are, unless there is no packer.
type decoder[T any] func(c *Call, p *packer) (T, error)

// nothing is for commands whose reply says OK.
func nothing(*Call, *packer) (struct{}, error) { return struct{}{}, nil }

func text(c *Call, p *packer) (string, error) {
	b, ok := resp.Payload(c.Frame)
	switch {
	case !ok:
		return "", c.mismatch("a string")
	case c.Own:
		p = asIs
	}
	return p.text(b), nil
}

// ownBytes returns the reply in memory of the caller's own.
func ownBytes(c *Call, _ *packer) ([]byte, error) {
	b, ok := resp.Payload(c.Frame)
	switch {
	case !ok:
		return nil, c.mismatch("a string")
	case c.Own:
		return slices.Clip(b), nil
	}
	return append([]byte{}, b...), nil
}

// appendText copies the reply behind dst, now that it is whole: until then nobody but the caller may touch dst, which
// is the caller's again the moment it gives up.
func appendText(c *Call, dst []byte) ([]byte, error) {
	b, ok := resp.Payload(c.Frame)
	if !ok {
		return dst, c.mismatch("a string")
	}
	grown := resp.Append(dst, b)
	if cap(grown) > cap(dst) { // what was there before is nobody's business: see resp.Room
		clear(grown[len(grown):cap(grown)])
	}
	return grown, nil
}

func integer(c *Call, _ *packer) (int64, error) {
	n, ok := resp.Int(c.Frame)
	if !ok {
		return 0, c.mismatch("an integer")
	}
	return n, nil
}

// slotNumber is for commands that answer with a slot.
func slotNumber(c *Call, _ *packer) (uint16, error) {
	const slots = 16384
	n, err := integer(c, nil)
	if err == nil && (n < 0 || n >= slots) {
		err = c.mismatch("a slot")
	}
	if err != nil {
		return 0, err
	}
	return uint16(n), nil
}

// flag is for commands that answer 1 where they did something.
func flag(c *Call, _ *packer) (bool, error) {
	n, err := integer(c, nil)
	return n == 1, err
}

// done is for commands that answer OK where they did something, and null where not.
func done(c *Call, _ *packer) (bool, error) { return resp.KindOf(c.Frame) != resp.Null, nil }

// number reads a floating point number, which RESP2 sends as a string.
func number(c *Call, _ *packer) (float64, error) {
	f, ok := floatOf(c.Frame)
	if !ok {
		return 0, c.mismatch("a number")
	}
	return f, nil
}

func texts(c *Call, p *packer) ([]string, error) { return list(c, p, "an array of strings", textOf) }

func optionals(c *Call, p *packer) ([]Optional[string], error) {
	return list(c, p, "an array of strings", optional(textOf))
}

func integers(c *Call, p *packer) ([]int64, error) {
	return list(c, p, "an array of integers", integerOf)
}

// flags is for arrays of 1 and 0.
func flags(c *Call, p *packer) ([]bool, error) {
	return list(c, p, "an array of integers", func(frame []byte, _ *packer) (bool, bool) {
		n, ok := resp.Int(frame)
		return n == 1, ok
	})
}

// textMap reads a map of strings, which RESP2 sends as an array.
func textMap(c *Call, p *packer) (map[string]string, error) {
	const want = "a map of strings"
	elems, ok := resp.OpenPairs(c.Frame)
	if !ok {
		return nil, c.mismatch(want)
	}
	p = c.packer(p)
	m := make(map[string]string, elems.Left()/2)
	for elems.Left() > 0 {
		key, keyOK := next(&elems, p, textOf)
		value, valueOK := next(&elems, p, textOf)
		if !keyOK || !valueOK {
			return nil, c.mismatch(want)
		}
		m[key] = value
	}
	return m, nil
}

// packer returns p, or the call's own if there is none.
func (c *Call) packer(p *packer) *packer {
	if p == nil {
		if c.pack == nil {
			c.pack = new(packer)
		}
		c.pack.next = len(c.Frame)
		if c.Elements != nil {
			c.pack.next = c.Elements.size
		}
		return c.pack
	}
	return p
}

// element reads one element of a reply, from its frame.
type element[T any] func(frame []byte, p *packer) (T, bool)

func textOf(frame []byte, p *packer) (string, bool) {
	b, ok := resp.Text(frame)
	if !ok {
		return "", false
	}
	return p.text(b), true
}

func floatOf(frame []byte) (float64, bool) {
	switch resp.KindOf(frame) {
	case resp.Double, resp.Integer, resp.BulkString:
		b, _ := resp.Payload(frame)
		return parseFloat(string(b))
	}
	return 0, false
}

// parseFloat reads a number. Servers count in a wider type where they have one: what is too large for a float64
// becomes infinite.
func parseFloat(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

func integerOf(frame []byte, _ *packer) (int64, bool) { return resp.Int(frame) }

func numberOf(frame []byte, _ *packer) (float64, bool) { return floatOf(frame) }

// optional is for elements that may be null.
func optional[T any](of element[T]) element[Optional[T]] {
	return func(frame []byte, p *packer) (Optional[T], bool) {
		if v, ok := of(frame, p); ok {
			return Optional[T]{Value: v, OK: true}, true
		}
		return Optional[T]{}, resp.KindOf(frame) == resp.Null
	}
}

// next reads the next one of elems.
func next[T any](elems *resp.Elements, p *packer, of element[T]) (value T, ok bool) {
	frame, ok := elems.Next()
	if !ok {
		return value, false
	}
	return of(frame, p)
}

// list reads an array or a set whose elements are alike.
func list[T any](c *Call, p *packer, want string, of element[T]) ([]T, error) {
	p = c.packer(p)
	var out []T
	var ok bool
	if c.Elements != nil {
		out, ok = elementsOf(c.Elements, p, of)
	} else {
		out, ok = listOf(of)(c.Frame, p)
	}
	if !ok {
		return nil, c.mismatch(want)
	}
	return out, nil
}

// listOf is list for an element that is a list.
func listOf[T any](of element[T]) element[[]T] {
	return func(frame []byte, p *packer) ([]T, bool) {
		elems, ok := resp.Open(frame)
		if !ok {
			return nil, false
		}
		out := make([]T, 0, elems.Left())
		for elems.Left() > 0 {
			v, ok := next(&elems, p, of)
			if !ok {
				return nil, false
			}
			out = append(out, v)
		}
		return out, true
	}
}

// tree reads a reply of many shapes, or one that is read rarely, by the accessors of Reply. Their errors come back as
// they are but for a *TypeError, which is told as that of the command.
func tree[T any](c *Call, read func(Reply) (T, error)) (value T, err error) {
	whole, err := reply(c, nil)
	if err != nil {
		return value, err
	}
	if whole.IsNil() {
		return value, Nil
	}
	if value, err = read(whole); err == nil {
		return value, nil
	}
	if errors.Is(err, Nil) { // something inside is missing
		err = &TypeError{Want: "more than there is", Got: kindName(resp.Null)}
	}
	return value, c.fail(Answered, err)
}

// valueOf is resp.Decode, but a string in memory of its own stays where it is.
func valueOf(frame []byte, own bool) (resp.Value, error) {
	if own && resp.KindOf(frame) == resp.BulkString {
		if b, ok := resp.Payload(frame); ok {
			return resp.Value{Kind: resp.BulkString, Str: asIs.text(b)}, nil
		}
	}
	return resp.Decode(frame)
}

func reply(c *Call, _ *packer) (Reply, error) {
	v, err := c.Value()
	if err != nil {
		return Reply{}, c.fail(Unknown, err)
	}
	return Reply{v}, nil
}

// mismatch is the error for a reply of another type than the command promises. A null is Nil.
func (c *Call) mismatch(want string) error {
	got := c.kind()
	if got == resp.Null {
		return Nil
	}
	return c.fail(Answered, &TypeError{Want: want, Got: kindName(got)})
}

const (
	// maxPacked is the longest string that shares its memory with others.
	maxPacked = 128
	// minBlock and maxBlock are the sizes of that memory. Whoever keeps one string keeps its block.
	minBlock = 64
	maxBlock = 1 << 10
)

// packer copies strings out of replies, short ones into blocks that several share: 100 values of 64 bytes take 10
// allocations in place of 100. A nil packer copies each by itself. It is for one goroutine.
type packer struct {
	block strings.Builder // only ever appended to, so that what was cut from it stays as it is
	next  int             // size of the next block, within the limits
}

// asIs is the packer of replies in memory of their own: see Call.Own. It copies nothing.
var asIs = new(packer)

func (p *packer) text(b []byte) string {
	switch {
	case p == asIs:
		return unsafe.String(unsafe.SliceData(b), len(b))
	case p == nil || len(b) > maxPacked:
		return string(b)
	}
	if p.block.Cap()-p.block.Len() < len(b) {
		size := min(max(p.next, minBlock, len(b)), maxBlock)
		p.next = 2 * size
		p.block.Reset()
		p.block.Grow(size)
	}
	from := p.block.Len()
	p.block.Write(b)
	return p.block.String()[from:]
}
