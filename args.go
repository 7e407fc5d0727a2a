package keyslot

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// encode appends args to the request, or returns which of them cannot be sent and why.
func encode(r *resp.Request, args []any) (index int, reason string) {
	for i, arg := range args {
		if reason := encodeOne(r, arg); reason != "" {
			return i, reason
		}
	}
	return 0, ""
}

func encodeOne(r *resp.Request, arg any) (reason string) {
	switch v := arg.(type) {
	case string:
		r.Arg(v)
	case []byte:
		r.ArgBytes(v)
	case int:
		r.ArgInt(int64(v))
	case int8:
		r.ArgInt(int64(v))
	case int16:
		r.ArgInt(int64(v))
	case int32:
		r.ArgInt(int64(v))
	case int64:
		r.ArgInt(v)
	case uint8:
		r.ArgInt(int64(v))
	case uint16:
		r.ArgInt(int64(v))
	case uint32:
		r.ArgInt(int64(v))
	case uint, uint64, uintptr:
		r.Arg(fmt.Sprint(v))
	case float32:
		r.Arg(strconv.FormatFloat(float64(v), 'g', -1, 32))
	case float64:
		r.ArgFloat(v)
	case bool:
		if v {
			r.ArgInt(1)
		} else {
			r.ArgInt(0)
		}
	case time.Duration:
		return "a time.Duration has no one unit in commands: pass a number of seconds or milliseconds, or use a typed method such as Expire"
	case time.Time:
		return "a time.Time has no one form in commands: pass Unix() or UnixMilli()"
	case encoding.BinaryMarshaler:
		return encodeBinary(r, v)
	default:
		return fmt.Sprintf("a %T cannot be sent: pass a string, []byte, number, bool or encoding.BinaryMarshaler, or use a typed method such as Set or MGet", arg)
	}
	return ""
}

// encodeBinary guards against the nil pointers, maps and functions on which most marshalers panic.
func encodeBinary(r *resp.Request, m encoding.BinaryMarshaler) (reason string) {
	switch v := reflect.ValueOf(m); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan:
		if v.IsNil() {
			return fmt.Sprintf("a nil %T cannot be sent", m)
		}
	}
	b, err := m.MarshalBinary()
	if err != nil {
		return fmt.Sprintf("%T: %v", m, err)
	}
	r.ArgBytes(b)
	return ""
}
