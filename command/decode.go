package command

import (
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// decoder reads the reply of a call as one Go type. Short strings go where others are, unless there is no packer.
type decoder[T any] func(c *Call, p *packer) (T, error)

// nothing is for commands whose reply says OK.
func nothing(*Call, *packer) (struct{}, error) { return struct{}{}, nil }

func text(c *Call, p *packer) (string, error) {
	b, ok := resp.Payload(c.Frame)
	if !ok {
		return "", c.mismatch("a string")
	}
	return p.text(b), nil
}

func integer(c *Call, _ *packer) (int64, error) {
	n, ok := resp.Int(c.Frame)
	if !ok {
		return 0, c.mismatch("an integer")
	}
	return n, nil
}

// flag is for commands that answer 1 where they did something.
func flag(c *Call, _ *packer) (bool, error) {
	n, err := integer(c, nil)
	return n == 1, err
}

func optionals(c *Call, p *packer) ([]Optional[string], error) {
	elems, ok := resp.Open(c.Frame)
	if !ok {
		return nil, c.mismatch("an array of strings")
	}
	if p == nil {
		p = &packer{next: len(c.Frame)}
	}
	out := make([]Optional[string], 0, elems.Left())
	for elems.Left() > 0 {
		elem, ok := elems.Next()
		if !ok {
			return nil, c.mismatch("an array of strings")
		}
		switch resp.KindOf(elem) {
		case resp.Null:
			out = append(out, Optional[string]{})
		case resp.BulkString, resp.SimpleString, resp.Verbatim:
			b, _ := resp.Payload(elem)
			out = append(out, Optional[string]{Value: p.text(b), OK: true})
		default:
			return nil, c.mismatch("an array of strings")
		}
	}
	return out, nil
}

func reply(c *Call, _ *packer) (Reply, error) {
	v, err := resp.Decode(c.Frame)
	if err != nil {
		return Reply{}, &Error{Command: string(c.Request.At(0)), Slot: NoSlot, Outcome: Unknown, Err: err}
	}
	return Reply{v}, nil
}

// mismatch is the error for a reply of another type than the command promises. A null is Nil.
func (c *Call) mismatch(want string) error {
	if resp.KindOf(c.Frame) == resp.Null {
		return Nil
	}
	return &Error{
		Command: string(c.Request.At(0)), Slot: NoSlot, Outcome: Answered,
		Err: &TypeError{Want: want, Got: kindName(resp.KindOf(c.Frame))},
	}
}

const (
	// maxPacked is the longest string that shares its memory with others.
	maxPacked = 128
	// minBlock and maxBlock are the sizes of that memory. Whoever keeps one string keeps its block.
	minBlock = 64
	maxBlock = 1 << 10
)

// packer copies strings out of replies, short ones into blocks that several share: 100 values of 64 bytes take 7
// allocations in place of 100. A nil packer copies each by itself. It is for one goroutine.
type packer struct {
	block strings.Builder // only ever appended to, so that what was cut from it stays as it is
	next  int             // size of the next block, within the limits
}

func (p *packer) text(b []byte) string {
	if p == nil || len(b) > maxPacked {
		return string(b)
	}
	if p.block.Cap()-p.block.Len() < len(b) {
		size := min(max(p.next, minBlock, len(b)), maxBlock)
		p.next = 2 * size
		p.block.Reset()
		p.block.Grow(size)
	}
	from := p.block.Len()
	p.block.Write(b)
	return p.block.String()[from:]
}
