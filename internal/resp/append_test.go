package resp_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

func TestAppend(t *testing.T) {
	for want, got := range map[string][]byte{
		"*0\r\n":                    resp.AppendArray(nil, 0),
		"*10\r\n":                   resp.AppendArray(nil, 10),
		"*9\r\n":                    resp.AppendArray(nil, 9),
		"*99\r\n":                   resp.AppendArray(nil, 99),
		"*100\r\n":                  resp.AppendArray(nil, 100),
		"*123\r\n":                  resp.AppendArray(nil, 123),
		">3\r\n":                    resp.AppendPush(nil, 3),
		"%1\r\n":                    resp.AppendMap(nil, 1),
		"$2\r\n\r\n\r\n":            resp.AppendBulk(nil, "\r\n"),
		"$1\r\na\r\n":               resp.AppendBulk(nil, []byte("a")),
		"=6\r\ntxt:hi\r\n":          resp.AppendVerbatim(nil, "hi"),
		"+a  b\r\n":                 resp.AppendSimple(nil, "a\r\nb"),
		"-ERR a  +OK\r\n":           resp.AppendError(nil, "ERR a\r\n+OK"),
		":-9223372036854775808\r\n": resp.AppendInt(nil, math.MinInt64),
		",0.1\r\n":                  resp.AppendDouble(nil, 0.1),
		",1000000\r\n":              resp.AppendDouble(nil, 1e6),
		",1e+21\r\n":                resp.AppendDouble(nil, 1e21),
		",-0\r\n":                   resp.AppendDouble(nil, math.Copysign(0, -1)),
		",inf\r\n":                  resp.AppendDouble(nil, math.Inf(1)),
		",-inf\r\n":                 resp.AppendDouble(nil, math.Inf(-1)),
		",nan\r\n":                  resp.AppendDouble(nil, math.NaN()),
		"#t\r\n":                    resp.AppendBool(nil, true),
		"#f\r\n":                    resp.AppendBool(nil, false),
		"_\r\n":                     resp.AppendNull(nil),
		"$-1\r\n":                   resp.AppendNullBulk(nil),
		"*-1\r\n":                   resp.AppendNullArray(nil),
	} {
		require.Equal(t, want, string(got))
	}
}

// A server has one reply in mind and says it as the client understands it.
func TestAppendValueInBothProtocols(t *testing.T) {
	for _, c := range []struct {
		name         string
		v            resp.Value
		resp3, resp2 string
	}{
		{"simple", simple("OK"), "+OK\r\n", "+OK\r\n"},
		{"error", resp.Value{Kind: resp.SimpleError, Str: "ERR"}, "-ERR\r\n", "-ERR\r\n"},
		{"integer", integer(5), ":5\r\n", ":5\r\n"},
		{"bulk", str("a"), "$1\r\na\r\n", "$1\r\na\r\n"},
		{"null", resp.Value{Kind: resp.Null}, "_\r\n", "$-1\r\n"},
		{"nothing", resp.Value{}, "_\r\n", "$-1\r\n"},
		{"an attribute is no value", of(resp.Attribute), "_\r\n", "$-1\r\n"},
		{"true", resp.Value{Kind: resp.Boolean, Int: -2}, "#t\r\n", ":1\r\n"},
		{"false", resp.Value{Kind: resp.Boolean}, "#f\r\n", ":0\r\n"},
		{"double", resp.Value{Kind: resp.Double, Float: 1.5}, ",1.5\r\n", "$3\r\n1.5\r\n"},
		{"big number", resp.Value{Kind: resp.BigNumber, Str: "12"}, "(12\r\n", "$2\r\n12\r\n"},
		{"verbatim", resp.Value{Kind: resp.Verbatim, Str: "a"}, "=5\r\ntxt:a\r\n", "$1\r\na\r\n"},
		{"bulk error", resp.Value{Kind: resp.BulkError, Str: "ERR\nx"}, "!5\r\nERR\nx\r\n", "-ERR x\r\n"},
		{"set in array", of(resp.Array, of(resp.Set, integer(1))), "*1\r\n~1\r\n:1\r\n", "*1\r\n*1\r\n:1\r\n"},
		{"push", of(resp.Push, simple("p")), ">1\r\n+p\r\n", "*1\r\n+p\r\n"},
		{"map", of(resp.Map, simple("k"), resp.Value{}), "%1\r\n+k\r\n_\r\n", "*2\r\n+k\r\n$-1\r\n"},
		{"map with a lone key", of(resp.Map, integer(1), integer(2), integer(3)), "%1\r\n:1\r\n:2\r\n", "*2\r\n:1\r\n:2\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.resp3, string(resp.AppendValue(nil, c.v, 3)))
			require.Equal(t, "before"+c.resp2, string(resp.AppendValue([]byte("before"), c.v, 2)))
		})
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 4096)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := resp.AppendPush(resp.AppendMap(resp.AppendArray(buf, 3), 200), 2)
		b = resp.AppendBulk(resp.AppendBulk(b, "text"), buf[:1])
		b = resp.AppendSimple(resp.AppendError(b, "ERR"), "OK")
		b = resp.AppendDouble(resp.AppendInt(resp.AppendVerbatim(b, "text"), -1234), 0.125)
		b = resp.AppendBool(resp.AppendNull(b), true)
		if len(b) == 0 {
			panic("nothing appended")
		}
	}))
}

// Long strings are copied piece by piece, into memory that is there or has to be found.
func TestAppendOfAnyLength(t *testing.T) {
	const piece = 64 << 10
	before := strings.Repeat("before", 20_000)
	for _, size := range []int{0, 1, piece - 1, piece, piece + 1, 3 * piece, 3*piece + 1} {
		s := strings.Repeat("0123456789", size/10+1)[:size]
		for _, room := range []int{0, size - 1, size, size + 10} {
			dst := append(make([]byte, 0, len(before)+max(room, 0)), before...)
			require.True(t, before+s == string(resp.Append(dst, s)), "%d bytes, room for %d", size, room)
			require.True(t, before+s == string(resp.Append(dst, []byte(s))), "%d bytes, room for %d", size, room)
		}
	}
}
