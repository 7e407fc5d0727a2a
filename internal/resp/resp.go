// Package resp is the codec of the Redis serialization protocol, versions 2 and 3: it turns commands into bytes and
// bytes into replies. It knows no network and starts no goroutine.
package resp

// Kind is the type of a RESP value: the first byte of its frame.
type Kind byte

// The kinds of RESP2 (the first five) and RESP3.
const (
	SimpleString Kind = '+'
	SimpleError  Kind = '-'
	Integer      Kind = ':'
	BulkString   Kind = '$'
	Array        Kind = '*'

	Null      Kind = '_' // also what the RESP2 nulls $-1 and *-1 decode to
	Boolean   Kind = '#'
	Double    Kind = ','
	BigNumber Kind = '('
	BulkError Kind = '!'
	Verbatim  Kind = '='
	Map       Kind = '%'
	Set       Kind = '~'
	Attribute Kind = '|'
	Push      Kind = '>'
)

// Value is one decoded reply. It owns its memory.
type Value struct {
	Kind Kind
	// Str is the text of a string, an error, a big number or a verbatim string (without its "txt:" prefix).
	Str string
	// Int is the value of an Integer, and 1 or 0 for a Boolean.
	Int int64
	// Float is the value of a Double.
	Float float64
	// Elems are the elements of an Array, a Set or a Push, and key, value, key, value ... of a Map.
	Elems []Value
}
