package command

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Reply is what Do returns: one reply of any type. It owns its memory and may be kept. The zero Reply is a null.
//
// Each accessor reads the reply as one Go type. It fails with Nil for a null, with a ServerError for an error inside an
// aggregate, and with a *TypeError for a reply of another type, or a null inside an aggregate that must hold none.
type Reply struct{ v resp.Value }

// NewReply returns the reply that v is.
func NewReply(v resp.Value) Reply { return Reply{v} }

// IsNil reports whether the reply is a null: there is no such value.
func (r Reply) IsNil() bool { return r.v.Kind == resp.Null || r.v.Kind == 0 }

// Err returns the error that the reply is, or nil. Only an element of an aggregate can be one.
func (r Reply) Err() error {
	if r.v.Kind == resp.SimpleError || r.v.Kind == resp.BulkError {
		return ServerError(r.v.Str)
	}
	return nil
}

// String returns the reply for people to read, in logs and tests; Text is for programs.
func (r Reply) String() string {
	if elems, err := r.Slice(); err == nil {
		return fmt.Sprint(elems)
	}
	text, err := r.Text()
	if err != nil {
		return "(" + strings.TrimPrefix(err.Error(), "keyslot: ") + ")" // (nil), or an error inside an aggregate
	}
	return text
}

// Text returns the reply as text: a string of any kind, a number as servers write it, the infinities being inf and
// -inf, or a boolean as 1 or 0, as RESP2 has it.
func (r Reply) Text() (string, error) {
	switch r.v.Kind {
	case resp.SimpleString, resp.BulkString, resp.Verbatim, resp.BigNumber:
		return r.v.Str, nil
	case resp.Integer, resp.Boolean:
		return strconv.FormatInt(r.v.Int, 10), nil
	case resp.Double:
		return string(resp.AppendFloat(nil, r.v.Float, 64)), nil
	}
	return "", r.mismatch("a string")
}

// Bytes is Text as a byte slice.
func (r Reply) Bytes() ([]byte, error) {
	s, err := r.Text()
	if err != nil {
		return nil, err
	}
	return []byte(s), nil
}

// Int64 returns the reply as an integer: an integer, a double that is whole, a boolean as 1 or 0, or a string that
// holds an integer.
func (r Reply) Int64() (int64, error) {
	switch r.v.Kind {
	case resp.Integer, resp.Boolean:
		return r.v.Int, nil
	case resp.Double: // which RESP2 sends as a string
		if f := r.v.Float; f == math.Trunc(f) && f >= math.MinInt64 && f < math.MaxInt64 {
			return int64(f), nil
		}
	case resp.BulkString, resp.SimpleString, resp.BigNumber:
		if n, err := strconv.ParseInt(r.v.Str, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, r.mismatch("an integer")
}

// Float64 returns the reply as a floating point number: a double, an integer, or a string that holds a number.
func (r Reply) Float64() (float64, error) {
	switch r.v.Kind {
	case resp.Double:
		return r.v.Float, nil
	case resp.Integer:
		return float64(r.v.Int), nil
	case resp.BulkString, resp.SimpleString:
		if f, ok := parseFloat(r.v.Str); ok {
			return f, nil
		}
	}
	return 0, r.mismatch("a number")
}

// Bool returns the reply as a boolean: a boolean, or the integer 1 or 0.
func (r Reply) Bool() (bool, error) {
	if (r.v.Kind == resp.Boolean || r.v.Kind == resp.Integer) && (r.v.Int == 0 || r.v.Int == 1) {
		return r.v.Int == 1, nil
	}
	return false, r.mismatch("a boolean")
}

// Slice returns the elements of an array, a set or a push; a map's as key, value, key, value.
func (r Reply) Slice() ([]Reply, error) {
	switch r.v.Kind {
	case resp.Array, resp.Set, resp.Push, resp.Map:
		out := make([]Reply, len(r.v.Elems))
		for i, e := range r.v.Elems {
			out[i] = Reply{e}
		}
		return out, nil
	}
	return nil, r.mismatch("an array")
}

// Strings returns the elements of an array or a set as text. A null among them is a *TypeError: use Slice for replies
// that may hold one.
func (r Reply) Strings() ([]string, error) {
	elems, err := r.Slice()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(elems))
	for i, e := range elems {
		if out[i], err = e.elementText(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// elementText is Text of an element that must not be null: Nil would say that there is no reply at all.
func (r Reply) elementText() (string, error) {
	if r.IsNil() {
		return "", &TypeError{Want: "a string", Got: kindName(resp.Null)}
	}
	return r.Text()
}

// Map returns a map, or an array of key, value, key, value as RESP2 sends it. Keys are read as text; of equal keys the
// last counts.
func (r Reply) Map() (map[string]Reply, error) {
	elems, err := r.Slice()
	if err != nil || len(elems)%2 != 0 {
		return nil, r.mismatch("a map")
	}
	out := make(map[string]Reply, len(elems)/2)
	for i := 0; i < len(elems); i += 2 {
		key, err := elems[i].elementText()
		if err != nil {
			return nil, err
		}
		out[key] = elems[i+1]
	}
	return out, nil
}

func (r Reply) mismatch(want string) error {
	if r.IsNil() {
		return Nil
	}
	if err := r.Err(); err != nil {
		return err
	}
	return &TypeError{Want: want, Got: kindName(r.v.Kind)}
}

func kindName(k resp.Kind) string {
	switch k {
	case resp.SimpleString, resp.BulkString, resp.Verbatim:
		return "a string"
	case resp.Integer:
		return "an integer"
	case resp.Array, resp.Set, resp.Push:
		return "an array"
	case resp.Map:
		return "a map"
	case resp.Boolean:
		return "a boolean"
	case resp.Double, resp.BigNumber:
		return "a number"
	case resp.Null:
		return "nil"
	}
	return "an error"
}
