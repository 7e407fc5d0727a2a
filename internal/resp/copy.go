package resp

// piece is how many bytes are copied at a time at most: few enough to take microseconds, and enough not to notice the calls.
const piece = 64 << 10

// Append appends s to dst as append does, but a long s piece by piece. The runtime cannot interrupt a copy, and a collection, which
// the memory for a long one is likely to begin, has to: until the end of a single copy of 64 MiB no other goroutine would run
// (BenchmarkSmallBesideLarge).
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
		grown := make([]byte, from, max(to+piece, cap(dst)+cap(dst)/4))
		copyLong(grown, dst)
		dst = grown
	}
	dst = dst[:to]
	copyLong(dst[from:], s)
	return dst
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
