package keyslottest

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	lua "github.com/yuin/gopher-lua"
)

// maxJSONDepth is how deep arrays and objects may lie in each other.
const maxJSONDepth = 1000

// jsonError is what encoding or decoding throws.
type jsonError string

// newJSON makes the table cjson, with the replies and errors of lua-cjson 2.1.
func newJSON(l *lua.LState) *lua.LTable {
	null := l.NewUserData()
	guarded := func(name string, f func(l *lua.LState) lua.LValue) lua.LGFunction {
		return func(l *lua.LState) int {
			defer func() {
				if r := recover(); r != nil {
					text, ours := r.(jsonError)
					if !ours {
						panic(r)
					}
					throw(l, string(text), 1)
				}
			}()
			if l.GetTop() != 1 {
				panic(jsonError("bad argument #1 to '" + name + "' (expected 1 argument)"))
			}
			l.Push(f(l))
			return 1
		}
	}
	module := l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{
		"encode": guarded("encode", func(l *lua.LState) lua.LValue {
			var out strings.Builder
			encodeJSON(&out, l.Get(1), 0)
			return lua.LString(out.String())
		}),
		"decode": guarded("decode", func(l *lua.LState) lua.LValue {
			switch v := l.Get(1).(type) {
			case lua.LString, lua.LNumber:
				d := jsonDecoder{l: l, null: null, text: luaText(v)}
				d.next()
				value := d.value()
				if d.kind != "T_END" {
					d.fail("the end")
				}
				return value
			default:
				panic(jsonError(fmt.Sprintf("bad argument #1 to 'decode' (string expected, got %s)", v.Type())))
			}
		}),
	})
	module.RawSetString("null", null)
	module.RawSetString("_NAME", lua.LString("cjson"))
	module.RawSetString("_VERSION", lua.LString("2.1.0"))
	return module
}

func encodeJSON(out *strings.Builder, v lua.LValue, depth int) {
	switch v := v.(type) {
	case *lua.LNilType, *lua.LUserData: // of which cjson.null is the only one
		out.WriteString("null")
	case lua.LBool:
		out.WriteString(strconv.FormatBool(bool(v)))
	case lua.LString:
		encodeJSONString(out, string(v))
	case lua.LNumber:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			panic(jsonError("Cannot serialise number: must not be NaN or Inf"))
		}
		out.WriteString(formatNumber(float64(v), 14))
	case *lua.LTable:
		encodeJSONTable(out, v, depth+1)
	default:
		panic(jsonError("Cannot serialise " + v.Type().String() + ": type not supported"))
	}
}

func encodeJSONTable(out *strings.Builder, table *lua.LTable, depth int) {
	if depth > maxJSONDepth {
		panic(jsonError(fmt.Sprintf("Cannot serialise, excessive nesting (%d)", depth)))
	}
	if length := arrayLength(table); length > 0 {
		for i := range length {
			out.WriteByte("[,"[min(i, 1)])
			encodeJSON(out, table.RawGetInt(i+1), depth)
		}
		out.WriteByte(']')
		return
	}
	separator := byte('{')
	table.ForEach(func(key, value lua.LValue) {
		out.WriteByte(separator)
		separator = ','
		switch key := key.(type) {
		case lua.LString:
			encodeJSONString(out, string(key))
		case lua.LNumber:
			out.WriteString(`"` + formatNumber(float64(key), 14) + `"`)
		default:
			panic(jsonError("Cannot serialise " + key.Type().String() + ": table key must be a number or string"))
		}
		out.WriteByte(':')
		encodeJSON(out, value, depth)
	})
	if separator == '{' {
		out.WriteByte('{')
	}
	out.WriteByte('}')
}

// arrayLength is the greatest index of a table that has nothing but positive ones, and else 0. More than half of a long
// array has to be there.
func arrayLength(table *lua.LTable) int {
	most, count, other := 0, 0, false
	table.ForEach(func(key, _ lua.LValue) {
		n, ok := key.(lua.LNumber)
		if !ok || n < 1 || n != lua.LNumber(math.Floor(float64(n))) {
			other = true
			return
		}
		most, count = max(most, int(n)), count+1
	})
	if other {
		return 0
	}
	if most > 10 && most > 2*count {
		panic(jsonError("Cannot serialise table: excessively sparse array"))
	}
	return most
}

func encodeJSONString(out *strings.Builder, s string) {
	out.WriteByte('"')
	for _, c := range []byte(s) {
		switch at := strings.IndexByte("\"\\/\b\f\n\r\t", c); {
		case at >= 0:
			out.WriteByte('\\')
			out.WriteByte(`"\/bfnrt`[at])
		case c < ' ' || c == 127:
			fmt.Fprintf(out, `\u%04x`, c)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
}

// jsonDecoder reads one token after the other.
type jsonDecoder struct {
	l     *lua.LState
	null  lua.LValue
	text  string
	pos   int
	depth int

	// the token that was read last
	kind  string // as lua-cjson names it in errors
	at    int
	token lua.LValue // of a string, number, boolean or null
}

func (d *jsonDecoder) fail(expected string) {
	panic(jsonError(fmt.Sprintf("Expected %s but found %s at character %d", expected, d.kind, d.at+1)))
}

var (
	jsonMarks = map[byte]string{
		'{': "T_OBJ_BEGIN", '}': "T_OBJ_END", '[': "T_ARR_BEGIN", ']': "T_ARR_END", ',': "T_COMMA", ':': "T_COLON",
	}
	jsonNumber = regexp.MustCompile(`^(?i:[+-]?(0x[0-9a-f]+|[0-9]+\.?[0-9]*(e[+-]?[0-9]+)?|inf(inity)?|nan))`)
)

func (d *jsonDecoder) next() {
	for d.pos < len(d.text) && strings.IndexByte(" \t\n\r", d.text[d.pos]) >= 0 {
		d.pos++
	}
	d.at = d.pos
	if d.pos == len(d.text) {
		d.kind = "T_END"
		return
	}
	rest := d.text[d.pos:]
	if mark := jsonMarks[rest[0]]; mark != "" {
		d.kind = mark
		d.pos++
		return
	}
	for word, value := range map[string]lua.LValue{"true": lua.LTrue, "false": lua.LFalse, "null": d.null} {
		if strings.HasPrefix(rest, word) {
			d.kind, d.token = "T_VALUE", value
			d.pos += len(word)
			return
		}
	}
	if rest[0] == '"' {
		d.string()
		return
	}
	digits := jsonNumber.FindString(rest)
	switch number, ok := parseJSONNumber(digits); {
	case ok:
		d.kind, d.token = "T_NUMBER", lua.LNumber(number)
		d.pos += len(digits)
	case rest[0] == '-':
		d.kind = "invalid number"
	default:
		d.kind = "invalid token"
	}
}

func parseJSONNumber(digits string) (f float64, ok bool) {
	if n, err := strconv.ParseInt(digits, 0, 64); err == nil && strings.ContainsAny(digits, "xX") {
		return float64(n), true
	}
	f, err := strconv.ParseFloat(digits, 64)
	return f, digits != "" && (err == nil || math.IsInf(f, 0))
}

func (d *jsonDecoder) string() {
	var s strings.Builder
	for i := d.pos + 1; i < len(d.text); i++ {
		switch c := d.text[i]; c {
		case '"':
			d.kind, d.token, d.pos = "T_STRING", lua.LString(s.String()), i+1
			return
		case '\\':
			taken, bad := unescapeJSON(&s, d.text[i+1:])
			if bad != "" {
				d.kind, d.at = bad, i
				return
			}
			i += taken
		default:
			s.WriteByte(c)
		}
	}
	d.kind, d.at = "unexpected end of string", len(d.text)
}

// unescapeJSON writes what the escape (without its backslash) stands for.
func unescapeJSON(s *strings.Builder, text string) (taken int, bad string) {
	if text == "" {
		return 0, "invalid escape code"
	}
	if at := strings.IndexByte(`"\/bfnrt`, text[0]); at >= 0 {
		s.WriteByte("\"\\/\b\f\n\r\t"[at])
		return 1, ""
	}
	if text[0] != 'u' {
		return 0, "invalid escape code"
	}
	unit, ok := utf16Unit(text)
	taken = 5
	if ok && utf16.IsSurrogate(unit) {
		var low rune
		if low, ok = utf16Unit(strings.TrimPrefix(text[taken:], `\`)); ok {
			unit = utf16.DecodeRune(unit, low)
			ok = unit != '\uFFFD'
			taken += 6
		}
	}
	if !ok {
		return 0, "invalid unicode escape code"
	}
	s.WriteRune(unit)
	return taken, ""
}

// utf16Unit reads uXXXX.
func utf16Unit(text string) (unit rune, ok bool) {
	if len(text) < 5 || text[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[1:5], 16, 16)
	return rune(n), err == nil
}

// value reads what begins with the token that was read, and the token behind it.
func (d *jsonDecoder) value() lua.LValue {
	switch d.kind {
	case "T_STRING", "T_NUMBER", "T_VALUE":
		value := d.token
		d.next()
		return value
	case "T_ARR_BEGIN":
		d.descend()
		return d.array()
	case "T_OBJ_BEGIN":
		d.descend()
		return d.object()
	}
	d.fail("value")
	return nil
}

func (d *jsonDecoder) descend() {
	if d.depth++; d.depth > maxJSONDepth {
		panic(jsonError(fmt.Sprintf("Found too many nested data structures (%d) at character %d", d.depth, d.at+1)))
	}
	d.next()
}

func (d *jsonDecoder) ascend(table *lua.LTable) lua.LValue {
	d.depth--
	d.next()
	return table
}

// more reports whether another element follows, behind a comma, and reads its first token.
func (d *jsonDecoder) more(end, expected string) bool {
	if d.kind == end {
		return false
	}
	if d.kind != "T_COMMA" {
		d.fail(expected)
	}
	d.next()
	return true
}

func (d *jsonDecoder) array() lua.LValue {
	const end = "T_ARR_END"
	list := d.l.NewTable()
	for i, more := 1, d.kind != end; more; i, more = i+1, d.more(end, "comma or array end") {
		list.RawSetInt(i, d.value())
	}
	return d.ascend(list)
}

func (d *jsonDecoder) object() lua.LValue {
	const end = "T_OBJ_END"
	object := d.l.NewTable()
	for more := d.kind != end; more; more = d.more(end, "comma or object end") {
		if d.kind != "T_STRING" {
			d.fail("object key string")
		}
		key := d.token
		d.next()
		if d.kind != "T_COLON" {
			d.fail("colon")
		}
		d.next()
		object.RawSet(key, d.value())
	}
	return d.ascend(object)
}
