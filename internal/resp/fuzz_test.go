package resp_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// tight are limits low enough for a fuzzer to reach each of them.
var tight = resp.Limits{Depth: 4, Line: 24, Bulk: 40, Elements: 6, Frame: 120}

var loose = resp.Limits{Depth: 32, Line: 64 << 10, Bulk: 512 << 20, Elements: 16 << 20, Frame: 1 << 30}

// scanAll is Scan with everything there at once.
func scanAll(in []byte, lim resp.Limits) (int, error) {
	s := resp.Scanner{Limits: lim}
	return s.Scan(in)
}

// However the bytes of a stream are cut, the scanner finds the same frames and the same fault, at the same place.
func FuzzScan(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		for _, lim := range []resp.Limits{tight, loose} {
			n, err := scanAll(in, lim)
			require.False(t, n < 0 || n > len(in) || n > 0 && err != nil)
			random := rand.New(rand.NewPCG(seed, 0))
			requireSameCut(t, in, lim, n, err, func() int { return 1 })
			requireSameCut(t, in, lim, n, err, func() int { return 1 + random.IntN(9) })
			requireSameEnds(t, in, lim, func() int { return 1 + random.IntN(40) })
		}
	})
}

// requireSameEnds requires of Ends, with a stream that comes in steps, what Scan says of one frame after the other.
func requireSameEnds(t *testing.T, in []byte, lim resp.Limits, step func() int) {
	t.Helper()
	var want, got []int
	var wantErr, gotErr error
	for s, from := (resp.Scanner{Limits: lim}), 0; from < len(in); {
		var n int
		if n, wantErr = s.Scan(in[from:]); n == 0 {
			break
		}
		from += n
		want = append(want, from)
	}
	const most = 3
	s, from := resp.Scanner{Limits: lim}, 0
	for have := 0; have < len(in) && gotErr == nil; {
		have = min(have+step(), len(in))
		for full := true; full && gotErr == nil; {
			var ends []int
			ends, gotErr = s.Ends(ends, in[from:have], most)
			for _, end := range ends {
				got = append(got, from+end)
			}
			if full = len(ends) == most; len(ends) > 0 {
				from = got[len(got)-1]
			}
		}
	}
	require.Equal(t, want, got)
	requireSameFault(t, wantErr, gotErr)
}

func requireSameCut(t *testing.T, in []byte, lim resp.Limits, n int, err error, step func() int) {
	t.Helper()
	s := resp.Scanner{Limits: lim}
	for have := 0; have < len(in); {
		have = min(have+step(), len(in))
		gotN, gotErr := s.Scan(in[:have])
		if gotN == 0 && gotErr == nil {
			require.Positive(t, s.Missing())
			if n > 0 {
				require.LessOrEqual(t, have+s.Missing(), n, "Missing counts bytes that never come")
			}
			continue
		}
		require.Equal(t, n, gotN)
		requireSameFault(t, err, gotErr)
		return
	}
	require.Zero(t, n)
	require.NoError(t, err)
}

func requireSameFault(t *testing.T, want, got error) {
	t.Helper()
	var a, b *resp.ProtocolError
	require.Equal(t, errors.As(want, &a), errors.As(got, &b))
	if a != nil {
		require.Equal(t, a.Reason, b.Reason)
		require.Equal(t, a.Offset, b.Offset)
	}
}

// The scanner and the decoder agree with the naive one, and what was decoded survives a round trip.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		_, _ = resp.KindOf(in), requirePayloadInside(t, in)
		_, _ = resp.Decode(in)
		for _, lim := range []resp.Limits{tight, loose} {
			want, wantN, wantErr := naiveDecode(in, lim)
			n, err := scanAll(in, lim)
			if wantErr != nil {
				require.Zero(t, n, "accepted, but: %v", wantErr)
				require.False(t, errors.Is(wantErr, errBad) && err == nil, "waits for more of what is malformed")
				continue
			}
			require.NoError(t, err)
			require.Equal(t, wantN, n)
			got, err := resp.Decode(in[:n])
			require.NoError(t, err)
			requireSameValue(t, want, got)
			requireRoundTrip(t, got)
			requireViews(t, in[:n], got)
		}
	})
}

func requirePayloadInside(t *testing.T, in []byte) bool {
	t.Helper()
	b, ok := resp.Payload(in)
	require.True(t, !ok || bytes.Contains(in, b))
	return ok
}

func requireRoundTrip(t *testing.T, v resp.Value) {
	t.Helper()
	again, err := resp.Decode(resp.AppendValue(nil, v, 3))
	require.NoError(t, err)
	requireSameValue(t, v, again)

	frame := resp.AppendValue(nil, v, 2)
	n, err := scanAll(frame, loose)
	require.NoError(t, err)
	require.Equal(t, len(frame), n)
}

// requireViews checks what reads a frame without decoding it.
func requireViews(t *testing.T, frame []byte, v resp.Value) {
	t.Helper()
	require.Equal(t, v.Kind, resp.KindOf(frame))
	if n, ok := resp.Int(frame); ok {
		require.Equal(t, resp.Value{Kind: resp.Integer, Int: n}, v)
	}
	switch b, ok := resp.Payload(frame); v.Kind {
	case resp.SimpleString, resp.SimpleError, resp.BulkError, resp.BigNumber, resp.Verbatim:
		require.True(t, ok)
		require.Equal(t, v.Str, string(b))
	case resp.BulkString:
		require.True(t, !ok || v.Str == string(b), "ok is false only where it was streamed")
	case resp.Null, resp.Array, resp.Set, resp.Map, resp.Push:
		require.False(t, ok)
	}
}

func requireSameValue(t *testing.T, want, got resp.Value) {
	t.Helper()
	if math.IsNaN(want.Float) && math.IsNaN(got.Float) {
		want.Float, got.Float = 0, 0
	}
	require.Equal(t, len(want.Elems), len(got.Elems))
	for i := range want.Elems {
		requireSameValue(t, want.Elems[i], got.Elems[i])
	}
	want.Elems, got.Elems = nil, nil
	require.Equal(t, want, got)
}

// Whatever the arguments, the frame of a request is one array that holds them.
func FuzzRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, name string, key []byte, n int64, score float64, more uint8) {
		var r resp.Request
		for range 2 { // the second time in memory that has been used
			r.Reset()
			r.Arg(name)
			r.KeyBytes(key)
			r.ArgInt(n)
			r.ArgFloat(score)
			for range more {
				r.ArgBytes(key)
			}
			requireRequest(t, &r, 4+int(more))
		}
		require.Equal(t, name, string(r.At(0)))
		require.Equal(t, []int{1}, r.Keys())
		require.Equal(t, string(key), string(r.At(1)))

		v, err := resp.Decode([]byte(":" + string(r.At(2)) + "\r\n"))
		require.NoError(t, err)
		require.Equal(t, n, v.Int)
		v, err = resp.Decode([]byte("," + string(r.At(3)) + "\r\n"))
		require.NoError(t, err)
		requireSameValue(t, resp.Value{Kind: resp.Double, Float: score}, v)
	})
}

func requireRequest(t *testing.T, r *resp.Request, length int) {
	t.Helper()
	require.Equal(t, length, r.Len())
	v, err := resp.Decode(r.Frame())
	require.NoError(t, err)
	require.Equal(t, resp.Array, v.Kind)
	require.Len(t, v.Elems, r.Len())
	for i, arg := range v.Elems {
		require.Equal(t, resp.Value{Kind: resp.BulkString, Str: string(r.At(i))}, arg)
	}
}
