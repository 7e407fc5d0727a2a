package resp

import "fmt"

// Limits bounds what a peer may send. The zero value of a field means its default. A high limit costs nothing until it
// is reached: memory follows the bytes received, never a length they claim.
type Limits struct {
	// Depth is how many aggregates may lie inside one another: default 32, at most 128 because Decode recurses.
	// Of the server's own replies COMMAND DOCS nests deepest, well below; only scripts and modules can go further.
	Depth int
	// Line is the length in bytes of a line of text without its type byte and CRLF: default 64 KiB, the server's own
	// limit for a line (PROTO_INLINE_MAX_SIZE).
	Line int
	// Bulk is the length in bytes of a string, all chunks of a streamed one together: default 512 MiB, the server's
	// proto-max-bulk-len.
	Bulk int
	// Elements is the count that the header of an aggregate may claim, or a streamed one may reach, a pair counting as
	// one: default 16 Mi. A decoded Value takes 64 bytes, so the elements of one array stay within 1 GiB.
	Elements int
	// Frame is the length in bytes of a whole frame, its attributes included: default 1 GiB.
	Frame int
}

// maxDepth bounds the recursion of Decode, which does not know the limits that a Scanner had.
const maxDepth = 128

func (l *Limits) depth() int    { return min(orDefault(l.Depth, 32), maxDepth) }
func (l *Limits) line() int     { return orDefault(l.Line, 64<<10) }
func (l *Limits) bulk() int     { return orDefault(l.Bulk, 512<<20) }
func (l *Limits) elements() int { return orDefault(l.Elements, 16<<20) }
func (l *Limits) frame() int    { return orDefault(l.Frame, 1<<30) }

// least is the length of a frame that no limit forbids.
func (l *Limits) least() int { return min(l.line(), l.bulk(), l.frame()) }

func orDefault(limit, otherwise int) int {
	if limit > 0 {
		return limit
	}
	return otherwise
}

// ProtocolError says that bytes are not RESP, or are more than the limits allow. The stream they came from has lost its
// framing: nothing after them can be believed.
type ProtocolError struct {
	Reason  string // what is wrong
	Offset  int    // where, in bytes from the start of the frame
	Excerpt string // the bytes from there on, at most 4
}

// Error gives the reason, the offset and the excerpt, quoted; it stays below 300 bytes.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("resp: %s at offset %d: %q", e.Reason, e.Offset, e.Excerpt)
}

func malformed(buf []byte, at int, format string, args ...any) error {
	// Four bytes tell HTTP or TLS. More could be somebody's value, and errors are logged.
	const excerpt = 4
	return &ProtocolError{
		Reason:  fmt.Sprintf(format, args...),
		Offset:  at,
		Excerpt: string(buf[at:min(len(buf), at+excerpt)]),
	}
}
