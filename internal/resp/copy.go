package resp

import (
	"strings"
	"unsafe"
)

// piece is how many bytes are copied at a time at most: few enough to take microseconds, and enough not to notice the calls.
const piece = 64 << 10

// Append appends s to dst as append does, but a long s piece by piece. The runtime cannot interrupt a copy, and a
// collection, which the memory for a long one is likely to begin, has to: until the end of a single copy of 64 MiB no
// other goroutine would run (BenchmarkSmallBesideLarge).
func Append[T string | []byte](dst []byte, s T) []byte {
	if len(s) <= piece {
		return append(dst, s...)
	}
	return appendLong(dst, s)
}

func appendLong[T string | []byte](dst []byte, s T) []byte {
	from, to := len(dst), len(dst)+len(s)
	if to > cap(dst) {
		// What follows, if only the end of the argument, must not move it all: append would, in one piece.
		grown := Room(max(to+piece, cap(dst)+cap(dst)/4))[:from]
		copyLong(grown, dst)
		dst = grown
	}
	dst = dst[:to]
	copyLong(dst[from:], s)
	return dst
}

// Room returns an empty slice with room for size bytes or some more, of which size is at least one. What nobody has
// written there may be anything. The runtime clears what make returns, which takes as long as to copy as much
// (BenchmarkLargeValues): only a strings.Builder is trusted to write all that it shows. Nobody sees its string, so it
// does not matter that its bytes change.
func Room(size int) []byte {
	var b strings.Builder
	b.Grow(size)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), b.Cap())[:0]
}

func copyLong[T string | []byte](dst []byte, s T) {
	for from := 0; from < len(s); from += piece {
		copyPiece(dst[from:], s[from:min(from+piece, len(s))])
	}
}

// copyPiece is not inlined because a goroutine is interrupted where it calls a function.
//
//go:noinline
func copyPiece[T string | []byte](dst []byte, s T) { copy(dst, s) }

// moveLong moves all of b but its last bytes, of which there are by, as many bytes towards its end.
func moveLong(b []byte, by int) {
	for end := len(b) - by; end > 0; end -= piece {
		from := max(end-piece, 0)
		copyPiece(b[from+by:], b[from:end])
	}
}
