package resp

import (
	"math"
	"strconv"
)

// verbatimPrefix is the length of the format in front of a verbatim string, such as "txt:".
const verbatimPrefix = 4

// checkText returns what is wrong with the line of a value of the given kind, nothing if it is right. The text of a big
// number is not looked at: a script can return any, and an error would cost everybody on the connection.
func checkText(kind Kind, text []byte) (reason string) {
	ok := true
	switch kind {
	case Integer:
		_, ok = parseInt(text)
		reason = "not an integer of 64 bits"
	case Boolean:
		ok = len(text) == 1 && (text[0] == 't' || text[0] == 'f')
		reason = "boolean other than t and f"
	case Double:
		ok = isDouble(text)
		reason = "not a double"
	case Null, closing:
		ok = len(text) == 0
		reason = "text where none belongs"
	}
	if ok {
		return ""
	}
	return reason
}

// parseInt reads the one way servers write an integer: decimal, no leading zeros, no plus, no minus zero.
func parseInt(text []byte) (int64, bool) {
	digits := text
	negative := len(text) > 0 && text[0] == '-'
	limit := uint64(math.MaxInt64)
	if negative {
		digits, limit = text[1:], limit+1
	}
	const longest = 19 // digits of the largest; as many nines fit a uint64
	if len(digits) == 0 || len(digits) > longest || digits[0] == '0' && len(text) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if n > limit {
		return 0, false
	}
	if negative {
		return -int64(n), true // -int64(1<<63) wraps to itself, which is right
	}
	return int64(n), true
}

// isDouble reports whether text is [+-]digits[.digits][e[+-]digits], inf, -inf or nan. C libraries print some NaNs with
// a sign, and so do servers before Redis 7.2.
func isDouble(text []byte) bool {
	switch string(text) {
	case "inf", "-inf", "nan", "-nan":
		return true
	}
	rest, ok := cutDigits(cutSign(text))
	if ok && len(rest) > 0 && rest[0] == '.' {
		rest, ok = cutDigits(rest[1:])
	}
	if ok && len(rest) > 0 && (rest[0] == 'e' || rest[0] == 'E') {
		rest, ok = cutDigits(cutSign(rest[1:]))
	}
	return ok && len(rest) == 0
}

// parseDouble reads a text that isDouble accepts; what is too large for a float64 becomes infinite.
func parseDouble(text []byte) float64 {
	if string(text) == "-nan" {
		return math.NaN()
	}
	f, _ := strconv.ParseFloat(string(text), 64)
	return f
}

func cutSign(text []byte) []byte {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		return text[1:]
	}
	return text
}

// cutDigits returns what follows the digits that text begins with, and whether there were any.
func cutDigits(text []byte) ([]byte, bool) {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return text[n:], n > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
