package keyslottest

import (
	"math"
	"strconv"

	"github.com/keyslot-go/keyslot/internal/resp"
)

const (
	errOverflow = "ERR increment or decrement would overflow"
	errInfinite = "ERR increment would produce NaN or Infinity"
)

// decrementBy refuses the one number that has no opposite.
func decrementBy(_ *store, out *replies, r request) bool {
	if by, err := strconv.ParseInt(r.args[2], 10, 64); err != nil || by != math.MinInt64 {
		return false
	}
	out.error("ERR decrement would overflow")
	return true
}

// incrementField refuses what does not fit into 64 bits: miniredis goes round.
func incrementField(s *store, out *replies, r request) bool {
	by, err := strconv.ParseInt(r.args[3], 10, 64)
	field := s.ask("HGET", r.args[1], r.args[2])
	if err != nil || field.Kind != resp.BulkString {
		return false
	}
	switch was, err := strconv.ParseInt(field.Str, 10, 64); {
	case err != nil:
		out.error("ERR hash value is not an integer")
	case by > 0 && was > math.MaxInt64-by, by < 0 && was < math.MinInt64-by:
		out.error(errOverflow)
	default:
		return false
	}
	return true
}

// incrementFieldByFloat refuses what is infinite before it looks at the key.
func incrementFieldByFloat(s *store, out *replies, r request) bool {
	by, err := strconv.ParseFloat(r.args[3], 64)
	if err != nil || math.IsNaN(by) {
		return false // a number that only a long double has room for, or none
	}
	if math.IsInf(by, 0) {
		out.error("ERR value is NaN or Infinity")
		return true
	}
	field := s.ask("HGET", r.args[1], r.args[2])
	if field.Kind != resp.BulkString {
		return false
	}
	switch was, err := strconv.ParseFloat(field.Str, 64); {
	case math.IsNaN(was), err != nil && !math.IsInf(was, 0):
		out.error("ERR hash value is not a float")
	case err == nil && math.IsInf(was, 0):
		out.error(errInfinite)
	default:
		return false
	}
	return true
}

// incrementByFloat refuses a result that is infinite after all else.
func incrementByFloat(s *store, out *replies, r request) bool {
	by, err := strconv.ParseFloat(r.args[2], 64)
	value := s.ask("GET", r.args[1])
	if err != nil || value.Kind == resp.SimpleError {
		return false
	}
	was := 0.0
	if value.Kind == resp.BulkString {
		was, err = strconv.ParseFloat(value.Str, 64)
	}
	if err != nil || math.IsNaN(was) || math.IsNaN(by) || !math.IsInf(was, 0) && !math.IsInf(by, 0) {
		return false
	}
	out.error(errInfinite)
	return true
}
