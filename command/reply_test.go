package command_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
)

func reply(t *testing.T, frame string) command.Reply {
	t.Helper()
	v, err := resp.Decode([]byte(frame))
	require.NoError(t, err, "%q", frame)
	return command.NewReply(v)
}

// accessors are those whose results can be compared; a value that has no such form is left out of the rows below.
var accessors = map[string]func(command.Reply) (any, error){
	"Text":    func(r command.Reply) (any, error) { return r.Text() },
	"Bytes":   func(r command.Reply) (any, error) { return r.Bytes() },
	"Int64":   func(r command.Reply) (any, error) { return r.Int64() },
	"Float64": func(r command.Reply) (any, error) { return r.Float64() },
	"Bool":    func(r command.Reply) (any, error) { return r.Bool() },
	"Strings": func(r command.Reply) (any, error) { return r.Strings() },
	"Slice": func(r command.Reply) (any, error) {
		elems, err := r.Slice()
		return len(elems), err
	},
	"Map": func(r command.Reply) (any, error) {
		m, err := r.Map()
		return len(m), err
	},
}

type values map[string]any

var replyRows = []struct {
	kind, frame string
	values      values // by accessor; the others fail with a *TypeError
}{
	{"simple string", "+OK\r\n", values{"Text": "OK", "Bytes": []byte("OK")}},
	{"bulk string", "$2\r\nhi\r\n", values{"Text": "hi", "Bytes": []byte("hi")}},
	{"empty bulk string", "$0\r\n\r\n", values{"Text": "", "Bytes": []byte{}}},
	{"number in a bulk string", "$2\r\n-7\r\n", values{"Text": "-7", "Bytes": []byte("-7"), "Int64": int64(-7), "Float64": -7.0}},
	{"fraction in a bulk string", "$3\r\n1.5\r\n", values{"Text": "1.5", "Bytes": []byte("1.5"), "Float64": 1.5}},
	{"number that is too large in a bulk string", "$5\r\n1e400\r\n", values{"Text": "1e400", "Bytes": []byte("1e400"), "Float64": math.Inf(1)}},
	{"verbatim", "=6\r\ntxt:hi\r\n", values{"Text": "hi", "Bytes": []byte("hi")}},
	{"integer", ":42\r\n", values{"Text": "42", "Bytes": []byte("42"), "Int64": int64(42), "Float64": 42.0}},
	{"integer 1", ":1\r\n", values{"Text": "1", "Bytes": []byte("1"), "Int64": int64(1), "Float64": 1.0, "Bool": true}},
	{"integer 0", ":0\r\n", values{"Text": "0", "Bytes": []byte("0"), "Int64": int64(0), "Float64": 0.0, "Bool": false}},
	{"true", "#t\r\n", values{"Text": "1", "Bytes": []byte("1"), "Int64": int64(1), "Bool": true}},
	{"false", "#f\r\n", values{"Text": "0", "Bytes": []byte("0"), "Int64": int64(0), "Bool": false}},
	{"double", ",1.5\r\n", values{"Text": "1.5", "Bytes": []byte("1.5"), "Float64": 1.5}},
	{"whole double", ",3000000\r\n", values{"Text": "3000000", "Bytes": []byte("3000000"), "Int64": int64(3000000), "Float64": 3e6}},
	{"large double", ",9223372036854775808\r\n", values{"Text": "9223372036854776000", "Bytes": []byte("9223372036854776000"), "Float64": 0x1p63}},
	{"infinity", ",inf\r\n", values{"Text": "inf", "Bytes": []byte("inf"), "Float64": math.Inf(1)}},
	{"minus infinity", ",-inf\r\n", values{"Text": "-inf", "Bytes": []byte("-inf"), "Float64": math.Inf(-1)}},
	{"big number", "(3492890328409238509324850943850943825024385\r\n", values{
		"Text": "3492890328409238509324850943850943825024385", "Bytes": []byte("3492890328409238509324850943850943825024385")}},
	{"small big number", "(12\r\n", values{"Text": "12", "Bytes": []byte("12"), "Int64": int64(12)}},
	{"empty array", "*0\r\n", values{"Slice": 0, "Strings": []string{}, "Map": 0}},
	{"array", "*2\r\n$1\r\na\r\n:1\r\n", values{"Slice": 2, "Strings": []string{"a", "1"}, "Map": 1}},
	{"odd array", "*1\r\n$1\r\na\r\n", values{"Slice": 1, "Strings": []string{"a"}}},
	{"nested array", "*2\r\n*0\r\n*0\r\n", values{"Slice": 2}},
	{"set", "~1\r\n+a\r\n", values{"Slice": 1, "Strings": []string{"a"}}},
	{"map", "%1\r\n+a\r\n+b\r\n", values{"Slice": 2, "Strings": []string{"a", "b"}, "Map": 1}},
}

func TestEachAccessorOnEachKindOfReply(t *testing.T) {
	for _, row := range replyRows {
		for name, read := range accessors {
			t.Run(row.kind+"/"+name, func(t *testing.T) {
				got, err := read(reply(t, row.frame))
				want, ok := row.values[name]
				if !ok {
					var mismatch *command.TypeError
					require.ErrorAs(t, err, &mismatch)
					require.NotEmpty(t, mismatch.Got)
					return
				}
				require.NoError(t, err)
				require.Equal(t, want, got)
			})
		}
	}
}

func TestNilAndErrorsUnderEachAccessor(t *testing.T) {
	for name, read := range accessors {
		t.Run(name, func(t *testing.T) {
			for _, frame := range []string{"$-1\r\n", "*-1\r\n", "_\r\n"} {
				require.True(t, reply(t, frame).IsNil())
				_, err := read(reply(t, frame))
				require.Equal(t, command.Nil, err)
			}
			_, err := read(command.Reply{})
			require.Equal(t, command.Nil, err, "the zero Reply is a null")
			for _, frame := range []string{"-WRONGTYPE x\r\n", "!11\r\nWRONGTYPE x\r\n"} {
				r := reply(t, frame)
				require.False(t, r.IsNil())
				require.Equal(t, command.ServerError("WRONGTYPE x"), r.Err())
				_, err := read(r)
				require.True(t, errors.As(err, new(command.ServerError)), "%v", err)
			}
		})
	}
}

func TestElementsKeepTheirNullsAndErrors(t *testing.T) {
	r := reply(t, "*3\r\n$1\r\na\r\n_\r\n-ERR x\r\n")
	_, err := r.Strings()
	require.ErrorAs(t, err, new(*command.TypeError))
	elems, err := r.Slice()
	require.NoError(t, err)
	require.True(t, elems[1].IsNil())
	require.Equal(t, command.ServerError("ERR x"), elems[2].Err())
	require.NoError(t, elems[0].Err())
}

func TestMapKeepsTheLastOfEqualKeysAndRefusesKeysThatAreNoText(t *testing.T) {
	m, err := reply(t, "*4\r\n+a\r\n:1\r\n+a\r\n:2\r\n").Map()
	require.NoError(t, err)
	last, err := m["a"].Int64()
	require.NoError(t, err)
	require.Equal(t, int64(2), last)
	_, err = reply(t, "*2\r\n*0\r\n:1\r\n").Map()
	require.ErrorAs(t, err, new(*command.TypeError))
	_, err = reply(t, "*2\r\n_\r\n:1\r\n").Map()
	require.ErrorAs(t, err, new(*command.TypeError))
}

func TestRepliesReadWellInLogs(t *testing.T) {
	nested := resp.Value{Kind: resp.Array, Elems: []resp.Value{
		{Kind: resp.BulkString, Str: "a"}, {Kind: resp.Integer, Int: 7}, {Kind: resp.Null},
		{Kind: resp.SimpleError, Str: "WRONGTYPE no list"},
	}}
	require.Equal(t, "[a 7 (nil) (WRONGTYPE no list)]", command.NewReply(nested).String())
	require.Equal(t, "(nil)", command.Reply{}.String())
}
