package resp_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

func frames() []string {
	return []string{
		"+OK\r\n", "+\r\n", "-ERR no\r\n", ":0\r\n", ":-9223372036854775808\r\n", ":9223372036854775807\r\n",
		"$0\r\n\r\n", "$2\r\n\r\n\r\n", "$5\r\nhello\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "*1\r\n:1\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
		"_\r\n", "#t\r\n", "#f\r\n", "!5\r\nERR a\r\n", "=6\r\ntxt:hi\r\n", "=4\r\ntxt:\r\n", "(-12345678901234567890123\r\n",
		",1.5\r\n", ",10\r\n", ",-1e+300\r\n", ",inf\r\n", ",-inf\r\n", ",nan\r\n", ",-nan\r\n",
		"%0\r\n", "%1\r\n+k\r\n%1\r\n+a\r\n*0\r\n", "~2\r\n:1\r\n:2\r\n", ">0\r\n", ">2\r\n+message\r\n$1\r\nx\r\n",
		"*2\r\n>1\r\n+p\r\n:1\r\n", // a nested push is an element
		"|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n", "|0\r\n|0\r\n+OK\r\n", "|1\r\n|1\r\n+a\r\n+b\r\n+k\r\n*0\r\n>1\r\n+p\r\n",
		"*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n", // an attribute is not
		"$?\r\n;0\r\n", "$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n",
		"*?\r\n.\r\n", "*?\r\n:1\r\n*?\r\n.\r\n.\r\n", "~?\r\n:1\r\n.\r\n", "%?\r\n+k\r\n$?\r\n;0\r\n.\r\n", ">?\r\n+p\r\n.\r\n",
	}
}

// Each frame is found where it ends, not before it is whole and without a byte of what follows.
func TestScanFindsTheEndOfEveryKindOfFrame(t *testing.T) {
	for _, frame := range frames() {
		t.Run(frame, func(t *testing.T) {
			var s resp.Scanner
			for have := range len(frame) {
				n, err := s.Scan([]byte(frame[:have]))
				require.NoError(t, err)
				require.Zero(t, n, "after %q", frame[:have])
				require.LessOrEqual(t, have+s.Missing(), len(frame))
			}
			for range 2 { // the second time shows that nothing is left of the first
				n, err := s.Scan([]byte(frame + "+next\r\n"))
				require.NoError(t, err)
				require.Equal(t, len(frame), n)
			}
			require.Equal(t, resp.KindOf([]byte(frame)), mustDecode(t, frame).Kind)
		})
	}
}

// A connection's scanner meets frame after frame; what it remembered of one must not leak into the next.
func TestScanFollowsAStream(t *testing.T) {
	var s resp.Scanner
	for _, first := range frames() {
		for _, frame := range []string{first, ":1\r\n", "+OK\r\n", ":2\r\n"} {
			for have := range len(frame) {
				n, err := s.Scan([]byte(frame[:have]))
				require.NoError(t, err)
				require.Zero(t, n)
			}
			n, err := s.Scan([]byte(frame))
			require.NoError(t, err)
			require.Equal(t, len(frame), n)
		}
	}
}

// All frames in a row, in which most come to pass in their shortest way and some do not, end where Scan ends them one by one.
func TestEndsIsScanForOneFrameAfterTheOther(t *testing.T) {
	stream := strings.Join(frames(), ":1\r\n")
	for size := 1; size <= len(stream); size++ {
		requireSameEnds(t, []byte(stream), loose, func() int { return size })
	}
	requireSameEnds(t, []byte(stream+"$40\r\n"+strings.Repeat("x", 40)+"\r\n"), tight, func() int { return 7 })
	requireSameEnds(t, []byte("+OK\r\n$1\r\na\r\n:1x\r\n"), loose, func() int { return 5 })
}

// Every malformation is refused, once only the bytes given have arrived, as a ProtocolError that points at it.
func TestScanRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		offset   int
	}{
		{"wrong type byte", "x", 0},
		{"inline reply", "HTTP/1.1 400 Bad Request\r\n", 0},
		{"TLS alert", "\x15\x03\x03\x00\x02", 0},
		{"empty line", "\r\n", 0},
		{"wrong type byte inside an array", "*2\r\n:1\r\nx", 8},
		{"LF without CR", "+OK\n", 3},
		{"CR without LF", "+O\rK\r\n", 2},
		{"CR without LF behind a length", "$5\rx", 2},
		{"bad CRLF behind a string", "$2\r\nhixx", 6},
		{"bad CR behind a string", "$2\r\nhi\r\r", 6},
		{"string longer than announced", "$1\r\nhi\r\n", 5},
		{"negative string", "$-2", 0},
		{"negative array", "*-2", 0},
		{"minus zero array", "*-0", 0},
		{"minus one and more", "$-11\r\n", 3},
		{"minus one of a map", "%-1\r\n", 0},
		{"minus one of a push", ">-1\r\n", 0},
		{"length without digits", "$\r", 0},
		{"length with plus", "$+5\r\n", 0},
		{"length with a leading zero", "$05", 0},
		{"length with a letter", "*1a", 2},
		{"length with a space", "$ 5\r\n", 0},
		{"huge string", "$9223372036854775807", 0},
		{"terabyte string", "$1099511627776", 0},
		{"string length beyond 64 bits", "$99999999999999999999999", 0},
		{"huge array", "*9223372036854775807", 0},
		{"huge map", "%9223372036854775807", 0},
		{"empty integer", ":\r\n", 0},
		{"integer with plus", ":+1\r\n", 0},
		{"minus alone", ":-\r\n", 0},
		{"minus zero", ":-0\r\n", 0},
		{"integer with a leading zero", ":01\r\n", 0},
		{"integer with a letter", ":1a\r\n", 0},
		{"integer over 64 bits", ":9223372036854775808\r\n", 0},
		{"integer under 64 bits", ":-9223372036854775809\r\n", 0},
		{"huge integer", ":99999999999999999999\r\n", 0},
		{"line without end", "+" + strings.Repeat("x", 64<<10+1), 0},
		{"boolean of another letter", "#x\r\n", 0},
		{"boolean of two letters", "#tt\r\n", 0},
		{"null with text", "_x\r\n", 0},
		{"empty double", ",\r\n", 0},
		{"double in hexadecimal", ",0x1p-2\r\n", 0},
		{"double with underscore", ",1_0\r\n", 0},
		{"double without fraction", ",1.\r\n", 0},
		{"double without exponent", ",1e\r\n", 0},
		{"infinity spelt out", ",Infinity\r\n", 0},
		{"verbatim shorter than its format", "=3\r\n", 0},
		{"verbatim without a colon", "=5\r\ntxt-a\r\n", 4},
		{"chunk outside of a string", ";4\r\n", 0},
		{"end without a beginning", ".", 0},
		{"end of an aggregate with a count", "*1\r\n.", 4},
		{"end behind a key", "%?\r\n+k\r\n.", 8},
		{"end behind an attribute", "*?\r\n|1\r\n+a\r\n+b\r\n.", 16},
		{"value inside a streamed string", "$?\r\n$", 4},
		{"streamed error", "!?", 0},
		{"streamed attribute", "|?", 0},
		{"negative chunk", "$?\r\n;-1", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s resp.Scanner
			n, err := s.Scan([]byte(c.in))
			require.Zero(t, n)
			var fault *resp.ProtocolError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, c.offset, fault.Offset, fault.Error())
			require.LessOrEqual(t, len(fault.Excerpt), 4)
			require.Less(t, len(fault.Error()), 300)
			_, err = resp.Decode([]byte(c.in))
			require.ErrorAs(t, err, &fault)
		})
	}
}

// What a limit names passes, one more does not.
func TestScanKeepsItsLimits(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("*1\r\n", n) + ":1\r\n" }
	for _, c := range []struct {
		name         string
		lim          resp.Limits
		passes, over string
	}{
		{"depth by default", resp.Limits{}, nested(32), nested(33)},
		{"depth", resp.Limits{Depth: 2}, nested(2), nested(3)},
		{"depth is capped", resp.Limits{Depth: math.MaxInt}, nested(128), nested(129)},
		{"depth of attributes", resp.Limits{Depth: 1}, "|1\r\n+a\r\n+b\r\n*0\r\n", "|1\r\n+a\r\n*0\r\n+v\r\n"},
		{"line by default", resp.Limits{}, "-" + strings.Repeat("x", 64<<10) + "\r\n", "-" + strings.Repeat("x", 64<<10+1) + "\r\n"},
		{"line", resp.Limits{Line: 4}, "+four\r\n", "+fives\r\n"},
		{"line of an OK", resp.Limits{Line: 1}, "+O\r\n", "+OK\r\n"},
		{"bulk", resp.Limits{Bulk: 4}, "$4\r\nfour\r\n", "$5\r\nfives\r\n"},
		{"bulk header", resp.Limits{Bulk: 4}, "$4\r\nfour\r\n", "$5"},
		{"bulk in chunks", resp.Limits{Bulk: 4}, "$?\r\n;3\r\nfou\r\n;1\r\nr\r\n;0\r\n", "$?\r\n;3\r\nfou\r\n;2\r\nrs\r\n"},
		{"elements", resp.Limits{Elements: 1}, "*1\r\n:1\r\n", "*2\r\n"},
		{"pairs", resp.Limits{Elements: 1}, "%1\r\n:1\r\n:2\r\n", "%2\r\n"},
		{"streamed elements", resp.Limits{Elements: 1}, "*?\r\n:1\r\n.\r\n", "*?\r\n:1\r\n:2\r\n"},
		{"many streamed elements", resp.Limits{Elements: 3}, "*?\r\n:1\r\n:2\r\n:3\r\n.\r\n", "*?\r\n:1\r\n:2\r\n:3\r\n:4\r\n"},
		{"streamed pairs", resp.Limits{Elements: 1}, "%?\r\n:1\r\n:2\r\n.\r\n", "%?\r\n:1\r\n:2\r\n:3\r\n"},
		{"frame", resp.Limits{Frame: 10}, "$4\r\nfour\r\n", "$5\r\nfives\r\n"},
		{"frame of elements", resp.Limits{Frame: 12}, "*2\r\n:1\r\n:2\r\n", "*2\r\n:1\r\n:22\r\n"},
		{"frame of attributes", resp.Limits{Frame: 16}, "|0\r\n|0\r\n|0\r\n:1\r\n", "|0\r\n|0\r\n|0\r\n|0\r\n:1\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := scanAll([]byte(c.passes), c.lim)
			require.NoError(t, err)
			require.Equal(t, len(c.passes), n)
			_, err = resp.Decode([]byte(c.passes))
			require.NoError(t, err)

			var fault *resp.ProtocolError
			_, err = scanAll([]byte(c.over), c.lim)
			require.ErrorAs(t, err, &fault)
			require.Contains(t, fault.Reason, "limit of")
		})
	}
}

// A million brackets are refused at the 33rd, before the rest has been looked at, and overflow no stack.
func TestNestingAMillionDeep(t *testing.T) {
	bomb := []byte(strings.Repeat("*1\r\n", 1_000_000))
	var fault *resp.ProtocolError
	_, err := scanAll(bomb, resp.Limits{})
	require.ErrorAs(t, err, &fault)
	require.Equal(t, 32*len("*1\r\n"), fault.Offset)
	_, err = resp.Decode(bomb)
	require.ErrorAs(t, err, &fault)
	require.Equal(t, 128*len("*1\r\n"), fault.Offset)
}

// A header that announces the largest string allowed costs no memory, and says how much is to come.
func TestMissingIsTheRestOfAString(t *testing.T) {
	var s resp.Scanner
	in := []byte("$536870912\r\nabc")
	n, err := s.Scan(in)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, 512<<20-len("abc")+len("\r\n"), s.Missing())
}

// Arriving in small parts, frames that invite searching again from the start take time in proportion to their length.
func TestScanWorkIsLinear(t *testing.T) {
	for name, frame := range map[string]string{
		"line":     "+" + strings.Repeat("x", 8<<20) + "\r\n",
		"string":   "$8388608\r\n" + strings.Repeat("x", 8<<20) + "\r\n",
		"array":    "*200000\r\n" + strings.Repeat(":1\r\n", 200_000),
		"streamed": "$?\r\n" + strings.Repeat(";1\r\nx\r\n", 150_000) + ";0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := resp.Scanner{Limits: resp.Limits{Line: 8 << 20}}
			in := []byte(frame)
			began := time.Now()
			for have := 1; have < len(in); have += 64 {
				if n, err := s.Scan(in[:have]); n != 0 || err != nil {
					t.Fatal(have, n, err)
				}
			}
			n, err := s.Scan(in)
			require.NoError(t, err)
			require.Equal(t, len(in), n)
			// Linear work is some 10 ms, instrumented 1 s at most; quadratic work would be half a minute and more.
			require.Less(t, time.Since(began), 10*time.Second)
		})
	}
}

// Elements of the usual kinds are passed over in a hurry, but not beyond the limit.
func TestScanStopsAtTheElementThatIsTooMuch(t *testing.T) {
	var s resp.Scanner
	s.Limits.Frame = 14
	_, err := s.Scan([]byte("*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n"))
	var fault *resp.ProtocolError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, 12, fault.Offset, "of the third element")
}

// Even limits as wide as an int leave no number that overflows one.
func TestScanWithoutLimits(t *testing.T) {
	const most = math.MaxInt
	lim := resp.Limits{Depth: most, Line: most, Bulk: most, Elements: most, Frame: most}
	for _, kind := range "$!=*%~>|" {
		for _, n := range []uint{most/2 + 1, most - 2, most - 1, most} {
			in := fmt.Appendf(nil, "%c%d\r\n:1\r\n", kind, n)
			got, _ := scanAll(in, lim)
			require.Zero(t, got)
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	var s resp.Scanner
	for _, frame := range []string{"$5\r\nhello\r\n", "+OK\r\n", ":12\r\n", "*2\r\n%1\r\n$1\r\na\r\n,1.5\r\n:1\r\n", "$?\r\n;1\r\na\r\n;0\r\n"} {
		in := []byte(frame)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if n, err := s.Scan(in); n != len(in) || err != nil {
				panic(fmt.Sprint(n, err))
			}
		}), frame)
	}
}

func TestProtocolErrorSaysWhatAndWhere(t *testing.T) {
	_, err := scanAll([]byte("*2\r\n:1\r\n"+strings.Repeat("\x00", 100)), resp.Limits{})
	var fault *resp.ProtocolError
	require.True(t, errors.As(err, &fault))
	require.Equal(t, `resp: unknown type byte at offset 8: "`+strings.Repeat(`\x00`, 4)+`"`, err.Error())
}
