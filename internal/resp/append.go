package resp

import (
	"math"
	"strconv"
)

// The Append functions write one value, or the header of an aggregate, behind dst and return the longer slice. Those
// for aggregates expect the caller to append the elements: as many as announced, twice as many for pairs.

// AppendArray appends the header of an array of n elements.
func AppendArray(dst []byte, n int) []byte { return appendHeader(dst, Array, n) }

// AppendPush appends the header of a push of n elements.
func AppendPush(dst []byte, n int) []byte { return appendHeader(dst, Push, n) }

// AppendMap appends the header of a map of so many pairs.
func AppendMap(dst []byte, pairs int) []byte { return appendHeader(dst, Map, pairs) }

// AppendBulk appends a bulk string.
func AppendBulk[T string | []byte](dst []byte, s T) []byte { return appendBlob(dst, BulkString, s) }

// AppendVerbatim appends a verbatim string of format txt, the one that servers use for their own texts.
func AppendVerbatim(dst []byte, s string) []byte {
	const format = "txt:"
	dst = appendHeader(dst, Verbatim, len(format)+len(s))
	dst = append(append(dst, format...), s...)
	return append(dst, "\r\n"...)
}

// AppendSimple appends a simple string. CR and LF, which it cannot hold, become spaces as in the server.
func AppendSimple(dst []byte, s string) []byte { return appendLine(dst, SimpleString, s) }

// AppendError appends an error whose first word is its code. CR and LF become spaces.
func AppendError(dst []byte, s string) []byte { return appendLine(dst, SimpleError, s) }

// AppendInt appends an integer.
func AppendInt(dst []byte, n int64) []byte {
	dst = strconv.AppendInt(append(dst, byte(Integer)), n, 10)
	return append(dst, "\r\n"...)
}

// AppendDouble appends a double that reads back as the same float64.
func AppendDouble(dst []byte, f float64) []byte {
	return append(AppendFloat(append(dst, byte(Double)), f, 64), "\r\n"...)
}

// AppendBool appends a boolean.
func AppendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, "#t\r\n"...)
	}
	return append(dst, "#f\r\n"...)
}

// AppendNull appends the null of RESP3.
func AppendNull(dst []byte) []byte { return append(dst, "_\r\n"...) }

// AppendNullBulk appends the null string of RESP2.
func AppendNullBulk(dst []byte) []byte { return append(dst, "$-1\r\n"...) }

// AppendNullArray appends the null array of RESP2.
func AppendNullArray(dst []byte) []byte { return append(dst, "*-1\r\n"...) }

// AppendValue appends a value as a server sends it to a client that speaks RESP3, or with proto 2 as it downgrades it
// for one that does not: a map is a flat array, sets and pushes are arrays, null is a null string, a boolean is 1 or 0,
// and doubles, big numbers and verbatim strings are bulk strings. A Value of no kind, or of one that stands for no
// value, is a null; a key without a value at the end of a map is left out.
func AppendValue(dst []byte, v Value, proto int) []byte {
	if proto < 3 {
		v = downgrade(v)
	}
	switch v.Kind {
	case SimpleString, SimpleError, BigNumber:
		return appendLine(dst, v.Kind, v.Str)
	case BulkString, BulkError:
		return appendBlob(dst, v.Kind, v.Str)
	case Verbatim:
		return AppendVerbatim(dst, v.Str)
	case Integer:
		return AppendInt(dst, v.Int)
	case Boolean:
		return AppendBool(dst, v.Int != 0)
	case Double:
		return AppendDouble(dst, v.Float)
	case Array, Set, Push:
		dst = appendHeader(dst, v.Kind, len(v.Elems))
	case Map:
		v.Elems = wholePairs(v.Elems)
		dst = AppendMap(dst, len(v.Elems)/2)
	default:
		if proto < 3 {
			return AppendNullBulk(dst)
		}
		return AppendNull(dst)
	}
	for _, elem := range v.Elems {
		dst = AppendValue(dst, elem, proto)
	}
	return dst
}

// downgrade returns the value of RESP2 that stands for v.
func downgrade(v Value) Value {
	switch v.Kind {
	case Map:
		v.Kind, v.Elems = Array, wholePairs(v.Elems)
	case Set, Push:
		v.Kind = Array
	case Boolean:
		v.Kind = Integer
		if v.Int != 0 {
			v.Int = 1
		}
	case Double:
		v.Kind, v.Str = BulkString, string(AppendFloat(nil, v.Float, 64))
	case BigNumber, Verbatim:
		v.Kind = BulkString
	case BulkError:
		v.Kind = SimpleError
	}
	return v
}

func wholePairs(elems []Value) []Value { return elems[:len(elems)/2*2] }

func appendHeader(dst []byte, kind Kind, n int) []byte {
	switch {
	case 0 <= n && n < 10: // nearly every name, key and count: half the time of the general case
		return append(dst, byte(kind), '0'+byte(n), '\r', '\n')
	case 0 <= n && n < 100:
		return append(dst, byte(kind), '0'+byte(n/10), '0'+byte(n%10), '\r', '\n')
	}
	dst = strconv.AppendInt(append(dst, byte(kind)), int64(n), 10)
	return append(dst, "\r\n"...)
}

func appendBlob[T string | []byte](dst []byte, kind Kind, s T) []byte {
	dst = appendHeader(dst, kind, len(s))
	return append(Append(dst, s), "\r\n"...)
}

// appendLine keeps s from ending the line early, whatever it holds.
func appendLine(dst []byte, kind Kind, s string) []byte {
	dst = append(dst, byte(kind))
	from := len(dst)
	dst = append(dst, s...)
	for i := from; i < len(dst); i++ {
		if dst[i] == '\r' || dst[i] == '\n' {
			dst[i] = ' '
		}
	}
	return append(dst, "\r\n"...)
}

// AppendFloat appends the shortest decimal that reads back as f, a float of 32 or 64 bits. Numbers of ordinary size get
// no exponent, so that a whole number stays an integer to commands that want one.
func AppendFloat(dst []byte, f float64, bits int) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case abs == 0 || abs >= 1e-6 && abs < 1e21: // the range without exponents of JSON and JavaScript
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits)
}
