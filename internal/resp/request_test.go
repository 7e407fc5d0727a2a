package resp_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

func TestRequest(t *testing.T) {
	var r resp.Request
	require.Empty(t, r.Frame(), "no command, no bytes")

	r.Arg("BITOP")
	r.Arg("AND")
	r.Key("dest")
	r.KeyBytes([]byte{0, '\r', '\n'})
	r.ArgInt(math.MinInt64)
	r.ArgFloat(-1.5)
	r.ArgFloat(math.Inf(-1))
	r.ArgBytes(nil)

	const args = "$5\r\nBITOP\r\n$3\r\nAND\r\n$4\r\ndest\r\n$3\r\n\x00\r\n\r\n" +
		"$20\r\n-9223372036854775808\r\n$4\r\n-1.5\r\n$4\r\n-inf\r\n$0\r\n\r\n"
	require.Equal(t, "*8\r\n"+args, string(r.Frame()))
	require.Equal(t, 8, r.Len())
	require.Equal(t, []int{2, 3}, r.Keys())
	require.Equal(t, "dest", string(r.At(2)))
	require.Equal(t, "\x00\r\n", string(r.At(3)))
	require.Empty(t, r.At(7))

	// The frame is not final: more arguments may follow, until there are so many that the header grows.
	r.Arg("x")
	r.Arg("y")
	r.AppendKey(9)
	require.Equal(t, "*10\r\n"+args+"$1\r\nx\r\n$1\r\ny\r\n", string(r.Frame()))
	require.Equal(t, []int{2, 3, 9}, r.Keys())

	r.Reset()
	require.Zero(t, r.Len())
	require.Empty(t, r.Keys())
	require.Empty(t, r.Frame())
	r.Arg("PING")
	require.Equal(t, "*1\r\n$4\r\nPING\r\n", string(r.Frame()))
}

// A request that begins with an encoded name is that which begins with the name, however many arguments follow.
func TestOpenIsArgOfAnEncodedName(t *testing.T) {
	var m resp.Requests
	for n := range 12 {
		var opened, plain resp.Request
		m.Begin(&opened)
		opened.Open("*1\r\n$4\r\nMGET\r\n", len("MGET"))
		for i := range n {
			opened.Key(strings.Repeat("k", i))
		}
		m.Begin(&plain)
		plain.Arg("MGET")
		for i := range n {
			plain.Key(strings.Repeat("k", i))
		}
		require.Equal(t, string(plain.Frame()), string(opened.Frame()))
		require.Equal(t, plain.Keys(), opened.Keys())
		requireRequest(t, &opened, 1+n)
	}
	var alone resp.Request
	alone.Open("*1\r\n$4\r\nPING\r\n", len("PING"))
	requireRequest(t, &alone, 1)
}

// Requests that share memory are whole each, also when the keys of one are found after others were written.
func TestRequestsShareMemory(t *testing.T) {
	var m resp.Requests
	for range 2 {
		var get resp.Request
		m.Begin(&get)
		get.Arg("GET")
		get.Key("a")
		var do resp.Request
		m.Begin(&do)
		do.Arg("HSET")
		do.Arg("h")
		var set resp.Request
		m.Begin(&set)
		set.Arg("SET")
		set.Key("b")
		set.Arg("v")
		do.AppendKey(1)
		require.Equal(t, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", string(get.Frame()))
		require.Equal(t, "*2\r\n$4\r\nHSET\r\n$1\r\nh\r\n", string(do.Frame()))
		require.Equal(t, "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\nv\r\n", string(set.Frame()))
		for _, r := range []resp.Request{get, do, set} {
			require.Equal(t, []int{1}, r.Keys())
			require.Less(t, len(r.At(1)), r.Size())
		}
		m.Reset(1 << 10)
	}
	var large resp.Request
	m.Begin(&large)
	large.Arg(strings.Repeat("v", 2<<10))
	m.Reset(1 << 10)
	m.Begin(&large)
	large.Arg("PING")
	require.Less(t, large.Footprint(), 1<<10)
}

// With the tenth argument the header grows, of whichever request: that moves its own arguments and nobody else's.
func TestRequestsOfManyArgumentsShareMemory(t *testing.T) {
	var m resp.Requests
	var all [3 * 12]resp.Request
	args := func(i int) (args []string) {
		for arg := range 1 + i%12 {
			args = append(args, strings.Repeat(string(rune('a'+i%26)), arg))
		}
		return args
	}
	for i := range all {
		m.Begin(&all[i])
		for arg, s := range args(i) {
			all[i].Arg(s)
			require.Equal(t, arg+1, strings.Count(string(all[i].Frame()), "$"), "whole at any time")
		}
		all[i].AppendKey(i % 12)
	}
	for i := range all {
		want := resp.AppendArray(nil, 1+i%12)
		for arg, s := range args(i) {
			want = resp.AppendBulk(want, s)
			require.Equal(t, s, string(all[i].At(arg)))
		}
		require.Equal(t, string(want), string(all[i].Frame()))
		require.Equal(t, []int{i % 12}, all[i].Keys())
	}
}

// Appending to an argument cannot reach the one behind it.
func TestRequestArgumentsAreFenced(t *testing.T) {
	var r resp.Request
	r.Arg("GET")
	r.Key("key")
	_ = append(r.At(0), "overwritten"...)
	require.Equal(t, "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", string(r.Frame()))
}

func TestArgFloat(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1", -0.1: "-0.1", 100000000: "100000000", 1e20: "100000000000000000000", 1e21: "1e+21", 1e-6: "0.000001",
		1e-7: "1e-07", math.MaxFloat64: "1.7976931348623157e+308", math.SmallestNonzeroFloat64: "5e-324", math.Inf(1): "inf",
	} {
		var r resp.Request
		r.ArgFloat(f)
		require.Equal(t, want, string(r.At(0)))
	}
}

func TestRequestAllocatesNothingWhenReused(t *testing.T) {
	var r resp.Request
	value := []byte(strings.Repeat("v", 60<<10))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r.Reset()
		r.Arg("SET")
		r.Key("key")
		r.ArgBytes(value[:30<<10])
		r.ArgInt(-1234567)
		r.ArgFloat(-1.7976931348623157e+308)
		if len(r.Frame()) == 0 || len(r.At(1)) == 0 || len(r.Keys()) == 0 {
			panic("no frame")
		}
	}))
}

// One large value in a pooled request is not kept for ever: after Reset the next small one needs new memory.
func TestResetGivesUpLargeMemory(t *testing.T) {
	for name, fill := range map[string]func(*resp.Request){
		"value": func(r *resp.Request) { r.Arg(strings.Repeat("v", 300<<10)) },
		"arguments": func(r *resp.Request) {
			for range 20_000 {
				r.Arg("")
			}
		},
		"keys": func(r *resp.Request) {
			for i := range 40_000 {
				r.AppendKey(i)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r resp.Request
			fill(&r)
			r.Reset()
			require.LessOrEqual(t, r.Footprint(), 256<<10)
		})
	}
}
