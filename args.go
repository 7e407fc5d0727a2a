package keyslot

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// unfit is why an argument cannot be sent, in its place.
type unfit string

// marshal returns args with what marshalers make of themselves in their places. It is to be called before a call is lent:
// a program's code that panics, or queues a command in the same pipeline, must not do so in the middle of a request.
func marshal(args []any) []any {
	own := false
	for i, arg := range args {
		switch v := arg.(type) {
		case string, []byte, int, int64, float64, bool, time.Time, *time.Time:
		case encoding.BinaryMarshaler:
			if !own {
				args, own = slices.Clone(args), true
			}
			args[i] = marshalOne(v)
		}
	}
	return args
}

// marshalOne guards against the nil pointers, maps and functions on which most marshalers panic.
func marshalOne(m encoding.BinaryMarshaler) any {
	switch v := reflect.ValueOf(m); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan:
		if v.IsNil() {
			return unfit(fmt.Sprintf("a nil %T cannot be sent", m))
		}
	}
	b, err := m.MarshalBinary()
	if err != nil {
		return unfit(fmt.Sprintf("%T: %v", m, err))
	}
	return b
}

// encode appends args, which were marshalled, to the request, or returns which of them cannot be sent and why.
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
		r.ArgBytes(resp.AppendFloat(nil, float64(v), 32))
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
	case time.Time, *time.Time:
		return "a time.Time has no one form in commands: pass Unix() or UnixMilli()"
	case unfit:
		return string(v)
	default:
		return fmt.Sprintf("a %T cannot be sent: pass a string, []byte, number, bool or encoding.BinaryMarshaler, "+
			"or use a typed method such as Set or MGet", arg)
	}
	return ""
}

// maxArgument is the servers' default proto-max-bulk-len. They cut off a client that sends more, so it would be tried
// again and again as "not sent".
const maxArgument = 512 << 20

// oversized returns the position of an argument that is longer than limit; -1 if there is none.
func oversized(r *resp.Request, limit int) int {
	if r.Size() <= limit {
		return -1
	}
	for i := range r.Len() {
		if len(r.At(i)) > limit {
			return i
		}
	}
	return -1
}
