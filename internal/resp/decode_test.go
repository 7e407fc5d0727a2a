package resp_test

import (
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

func mustDecode(t *testing.T, frame string) resp.Value {
	t.Helper()
	v, err := resp.Decode([]byte(frame))
	require.NoError(t, err)
	return v
}

func str(s string) resp.Value    { return resp.Value{Kind: resp.BulkString, Str: s} }
func simple(s string) resp.Value { return resp.Value{Kind: resp.SimpleString, Str: s} }
func integer(n int64) resp.Value { return resp.Value{Kind: resp.Integer, Int: n} }
func of(k resp.Kind, elems ...resp.Value) resp.Value {
	return resp.Value{Kind: k, Elems: elems}
}

func TestDecode(t *testing.T) {
	for frame, want := range map[string]resp.Value{
		"+OK\r\n":                     simple("OK"),
		"-ERR no\r\n":                 {Kind: resp.SimpleError, Str: "ERR no"},
		":-9223372036854775808\r\n":   integer(math.MinInt64),
		"$5\r\na\r\nb\x00\r\n":        str("a\r\nb\x00"),
		"$-1\r\n":                     {Kind: resp.Null},
		"*-1\r\n":                     {Kind: resp.Null},
		"_\r\n":                       {Kind: resp.Null},
		"#t\r\n":                      {Kind: resp.Boolean, Int: 1},
		"#f\r\n":                      {Kind: resp.Boolean},
		",-1.5e3\r\n":                 {Kind: resp.Double, Float: -1500},
		",-inf\r\n":                   {Kind: resp.Double, Float: math.Inf(-1)},
		",1e999\r\n":                  {Kind: resp.Double, Float: math.Inf(1)},
		"(-123456789012345678901\r\n": {Kind: resp.BigNumber, Str: "-123456789012345678901"},
		"(what a script returned\r\n": {Kind: resp.BigNumber, Str: "what a script returned"},
		"!6\r\nERR\r\n.\r\n":          {Kind: resp.BulkError, Str: "ERR\r\n."},
		"=8\r\nmkd:# hi\r\n":          {Kind: resp.Verbatim, Str: "# hi"},
		"*0\r\n":                      {Kind: resp.Array},
		"*2\r\n:1\r\n*1\r\n$-1\r\n":   of(resp.Array, integer(1), of(resp.Array, resp.Value{Kind: resp.Null})),
		"%1\r\n+k\r\n~1\r\n:1\r\n":    of(resp.Map, simple("k"), of(resp.Set, integer(1))),
		"*2\r\n>1\r\n+p\r\n:1\r\n":    of(resp.Array, of(resp.Push, simple("p")), integer(1)),

		// Attributes vanish, wherever they are.
		"|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n":                             str("v"),
		"*2\r\n|1\r\n+a\r\n|1\r\n+x\r\n+y\r\n+b\r\n:1\r\n:2\r\n":      of(resp.Array, integer(1), integer(2)),
		"%1\r\n|0\r\n+k\r\n|1\r\n+a\r\n%0\r\n:1\r\n":                  of(resp.Map, simple("k"), integer(1)),
		"|0\r\n|1\r\n+a\r\n$?\r\n;1\r\nb\r\n;0\r\n>1\r\n+message\r\n": of(resp.Push, simple("message")),

		// Streamed values look like the others.
		"$?\r\n;4\r\nHell\r\n;7\r\no\r\n\r\n!!\r\n;0\r\n": str("Hello\r\n\r\n!!"),
		"$?\r\n;0\r\n": str(""),
		"*?\r\n.\r\n":  {Kind: resp.Array},
		"*?\r\n:1\r\n|1\r\n+a\r\n+b\r\n~?\r\n.\r\n.\r\n": of(resp.Array, integer(1), resp.Value{Kind: resp.Set}),
		"%?\r\n+k\r\n>?\r\n:1\r\n.\r\n.\r\n":             of(resp.Map, simple("k"), of(resp.Push, integer(1))),
	} {
		t.Run(frame, func(t *testing.T) { require.Equal(t, want, mustDecode(t, frame)) })
	}
	require.True(t, math.IsNaN(mustDecode(t, ",nan\r\n").Float))
	require.True(t, math.IsNaN(mustDecode(t, ",-nan\r\n").Float))
}

// Bytes that no Scanner has seen are refused just the same.
func TestDecodeRefusesWhatIsNotOneFrame(t *testing.T) {
	for _, in := range []string{
		"", "+OK", "$5\r\nhel", "*2\r\n:1\r\n", "+OK\r\n+OK\r\n", "|1\r\n+a\r\n+b\r\n", "*?\r\n:1\r\n", "$?\r\n;1\r\na\r\n",
		"$?\r\n+a\r\n", ";0\r\n", ".\r\n", "%?\r\n+k\r\n.\r\n", "*?\r\n|0\r\n.\r\n", strings.Repeat("*?\r\n", 1000),
		strings.Repeat("|1\r\n", 1000),
	} {
		_, err := resp.Decode([]byte(in))
		var fault *resp.ProtocolError
		require.ErrorAs(t, err, &fault, in)
	}
}

// Headers that lie do not add up: memory stays in proportion to what was received.
func TestDecodeNeverAllocatesByAClaim(t *testing.T) {
	for _, in := range []string{
		"*16777216\r\n:1\r\n",
		strings.Repeat("*300\r\n", 100) + strings.Repeat(":1\r\n", 200), // each claim alone would fit
		"$536870912\r\nabc",
		"|8388608\r\n+a\r\n",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = resp.Decode([]byte(in))
		runtime.ReadMemStats(&after)
		// A Value of 64 bytes for each 3 bytes received is 22 to 1; the rest is the fault and its text.
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10+22*len(in)), in[:10])
	}
}

// A Value keeps nothing of the buffer it came from.
func TestDecodeCopies(t *testing.T) {
	for _, size := range []int{10, 10_000} { // one copy for all strings, and one for each
		frame := resp.AppendBulk(resp.AppendArray(nil, 1), strings.Repeat("a", size))
		v, err := resp.Decode(frame)
		require.NoError(t, err)
		clear(frame)
		require.Equal(t, strings.Repeat("a", size), v.Elems[0].Str)
	}
}

// Strings of a short frame are parts of one copy; of a long one, keeping an element must not keep all of it.
func TestDecodeSharesOnlyShortCopies(t *testing.T) {
	for size, allocs := range map[int]float64{20: 2, 100: 101} {
		frame := resp.AppendArray(nil, 100)
		for range 100 {
			frame = resp.AppendBulk(frame, strings.Repeat("a", size))
		}
		require.Equal(t, allocs, testing.AllocsPerRun(10, func() { _, _ = resp.Decode(frame) }))
	}
}

func TestViewsOfAFrame(t *testing.T) {
	for _, c := range []struct {
		frame   string
		kind    resp.Kind
		payload string
		scalar  bool
	}{
		{"+OK\r\n", resp.SimpleString, "OK", true},
		{"-ERR\r\n", resp.SimpleError, "ERR", true},
		{"$2\r\nhi\r\n", resp.BulkString, "hi", true},
		{"$0\r\n\r\n", resp.BulkString, "", true},
		{"!3\r\nERR\r\n", resp.BulkError, "ERR", true},
		{"=6\r\ntxt:hi\r\n", resp.Verbatim, "hi", true},
		{":12\r\n", resp.Integer, "12", true},
		{",1.5\r\n", resp.Double, "1.5", true},
		{"(99\r\n", resp.BigNumber, "99", true},
		{"#t\r\n", resp.Boolean, "t", true},
		{"|1\r\n+a\r\n+b\r\n$2\r\nhi\r\n", resp.BulkString, "hi", true},
		{"$-1\r\n", resp.Null, "", false},
		{"*-1\r\n", resp.Null, "", false},
		{"_\r\n", resp.Null, "", false},
		{"$?\r\n;0\r\n", resp.BulkString, "", false},
		{"*1\r\n:1\r\n", resp.Array, "", false},
		{">0\r\n", resp.Push, "", false},
		{"$2\r\nhi", 0, "", false},
		{"x\r\n", 0, "", false},
		{";0\r\n", 0, "", false},
		{"|1\r\n+a\r\n+b\r\n", 0, "", false},
		{"", 0, "", false},
	} {
		t.Run(c.frame, func(t *testing.T) {
			require.Equal(t, c.kind, resp.KindOf([]byte(c.frame)))
			payload, ok := resp.Payload([]byte(c.frame))
			require.Equal(t, c.scalar, ok)
			require.Equal(t, c.payload, string(payload))
			n, ok := resp.Int([]byte(c.frame))
			require.Equal(t, c.kind == resp.Integer, ok)
			require.True(t, !ok || n == 12)
		})
	}
	_, ok := resp.Payload([]byte("+OK\r\n+OK\r\n"))
	require.False(t, ok)
}

func TestViewsAllocateNothing(t *testing.T) {
	bulk, number := []byte("$5\r\nhello\r\n"), []byte(":12\r\n")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, ok := resp.Payload(bulk); !ok || resp.KindOf(bulk) != resp.BulkString {
			panic("not a string")
		}
		if n, ok := resp.Int(number); !ok || n != 12 {
			panic("not an integer")
		}
	}))
}
