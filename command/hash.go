package command

import (
	"maps"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Field is a field and its value, of a hash or of an entry of a stream.
type Field struct{ Name, Value string }

func (f Field) encode(c *Call) {
	c.Request.Arg(f.Name)
	c.Request.Arg(f.Value)
}

// FieldsOf returns the entries of m as fields for HSet, in the order of their names.
func FieldsOf(m map[string]string) []Field {
	fields := make([]Field, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fields = append(fields, Field{name, m[name]})
	}
	return fields
}

// FieldState is what became of a field whose time to live was to be changed. The numbers are the server's.
type FieldState int64

// What HExpire, its variants and HPersist return.
const (
	FieldMissing    FieldState = -2 // there is no such field, or no such hash
	FieldWithoutTTL FieldState = -1 // HPersist: it has no time to live
	FieldUnchanged  FieldState = 0  // a condition did not hold
	FieldChanged    FieldState = 1
	FieldRemoved    FieldState = 2 // its time to live ended at once
)

func fieldStates(c *Call, p *packer) ([]FieldState, error) {
	return list(c, p, "an array of integers", func(frame []byte, _ *packer) (FieldState, bool) {
		n, ok := resp.Int(frame)
		return FieldState(n), ok
	})
}

func fieldsLeftInSeconds(c *Call, _ *packer) ([]Optional[time.Duration], error) {
	return ofFields(c, secondsLeft)
}

func fieldsLeftInMillis(c *Call, _ *packer) ([]Optional[time.Duration], error) {
	return ofFields(c, millisLeft)
}

func fieldEndsInSeconds(c *Call, _ *packer) ([]Optional[time.Time], error) {
	return ofFields(c, endSeconds)
}

func fieldEndsInMillis(c *Call, _ *packer) ([]Optional[time.Time], error) {
	return ofFields(c, endMillis)
}

// fieldList reads fields with their values: [name, value, name, value] in RESP2, [[name, value], [name, value]] in RESP3.
func fieldList(c *Call, p *packer) ([]Field, error) {
	const want = "an array of fields and values"
	elems, ok := resp.Open(c.Frame)
	if !ok {
		return nil, c.mismatch(want)
	}
	p = c.packer(p)
	fields := make([]Field, 0, elems.Left())
	for elems.Left() > 0 {
		f, ok := nextField(&elems, p)
		if !ok {
			return nil, c.mismatch(want)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func nextField(elems *resp.Elements, p *packer) (f Field, ok bool) {
	frame, ok := elems.Next()
	if !ok {
		return f, false
	}
	if pair, nested := resp.Open(frame); nested {
		elems = &pair
		if f.Name, ok = next(elems, p, textOf); ok {
			f.Value, ok = next(elems, p, textOf)
		}
		return f, ok && elems.Left() == 0
	}
	if f.Name, ok = textOf(frame, p); ok {
		f.Value, ok = next(elems, p, textOf)
	}
	return f, ok
}
