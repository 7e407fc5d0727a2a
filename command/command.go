// Package command holds the typed commands of keyslot, their options and their replies. A Client embeds Commands, so
// most programs meet this package only for an option (command.EX), a reply type (command.Optional) or an error.
package command

import (
	"context"
	"slices"
	"unsafe"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Commands are the typed commands, as the client and its views offer them. They are safe for concurrent use.
//
// Every method blocks until the command's outcome is known or ctx is done; a ctx without a deadline is bounded by
// Options.CommandTimeout. Every error but Nil is an *Error (or a *PartsError, where a command was split over
// slots): errors.Is(err, ErrNotExecuted) and errors.Is(err, ErrUnknownOutcome) say what happened to the command,
// errors.As gives, as a ServerError, the server's own words. A command of many keys that is given none fails before
// anything is sent.
type Commands struct{ core Core }

// New returns the commands that run on core. The client calls it; a program has no need to.
func New(core Core) Commands { return Commands{core} }

// Core runs the commands. The client implements it.
type Core interface {
	// Begin lends an empty call, to be encoded, run once and then ended.
	Begin() *Call
}

// Call is one command between its caller and the core: first the request, then the reply.
type Call struct {
	Request resp.Request
	Frame   []byte // the reply, one complete RESP frame and never an error; valid until end, or longer: see Kept

	run func(ctx context.Context) error
	end func()
	err error // what is wrong with an argument; nothing is sent then
}

// Kept is the largest Frame, in bytes, whose memory the core uses again after end. A larger one is left to whoever has the
// reply, so that a large value need not be copied once more.
const Kept = 64 << 10

// NewCall returns a call that core lends again and again. run sends the request and sets Frame or fails; end takes the
// call back.
func NewCall(run func(ctx context.Context) error, end func()) Call { return Call{run: run, end: end} }

// refuse notes an argument that cannot be sent; the first one counts.
func (c *Call) refuse(reason string) {
	if c.err == nil {
		c.err = &Error{
			Command: string(c.Request.At(0)), Slot: NoSlot, Outcome: NotExecuted,
			Err: &ArgumentError{Index: c.Request.Len(), Reason: reason},
		}
	}
}

func (c *Call) exec(ctx context.Context) error {
	if c.err != nil {
		return c.err
	}
	return c.run(ctx)
}

// finish gives the call back to the core, which may lend it to another caller at once.
func (c *Call) finish() {
	c.err = nil
	c.end()
}

// Each of the following runs the call, decodes its reply as one Go type, and ends it.

func (c *Call) none(ctx context.Context) error {
	defer c.finish()
	return c.exec(ctx)
}

func (c *Call) text(ctx context.Context) (string, error) {
	defer c.finish()
	if err := c.exec(ctx); err != nil {
		return "", err
	}
	b, ok := resp.Payload(c.Frame)
	if !ok {
		return "", c.mismatch("a string")
	}
	if len(c.Frame) > Kept { // nobody writes there any more; see BenchmarkSmallBesideLarge
		return unsafe.String(unsafe.SliceData(b), len(b)), nil
	}
	return string(b), nil
}

// bytes returns the reply in memory of the caller's own.
func (c *Call) bytes(ctx context.Context) ([]byte, error) {
	defer c.finish()
	if err := c.exec(ctx); err != nil {
		return nil, err
	}
	b, ok := resp.Payload(c.Frame)
	if !ok {
		return nil, c.mismatch("a string")
	}
	if len(c.Frame) > Kept {
		return slices.Clip(b), nil
	}
	return append([]byte{}, b...), nil
}

// appendText copies the reply behind dst once it is whole: until then nobody but the caller may touch dst, which is the
// caller's again the moment it gives up.
func (c *Call) appendText(ctx context.Context, dst []byte) ([]byte, error) {
	defer c.finish()
	if err := c.exec(ctx); err != nil {
		return dst, err
	}
	b, ok := resp.Payload(c.Frame)
	if !ok {
		return dst, c.mismatch("a string")
	}
	return append(dst, b...), nil
}

func (c *Call) int64(ctx context.Context) (int64, error) {
	defer c.finish()
	if err := c.exec(ctx); err != nil {
		return 0, err
	}
	n, ok := resp.Int(c.Frame)
	if !ok {
		return 0, c.mismatch("an integer")
	}
	return n, nil
}

func (c *Call) flag(ctx context.Context) (bool, error) {
	n, err := c.int64(ctx)
	return n == 1, err
}

func (c *Call) optionals(ctx context.Context) ([]Optional[string], error) {
	defer c.finish()
	if err := c.exec(ctx); err != nil {
		return nil, err
	}
	v, err := resp.Decode(c.Frame)
	if err != nil || v.Kind != resp.Array {
		return nil, c.mismatch("an array of strings")
	}
	out := make([]Optional[string], len(v.Elems))
	for i, e := range v.Elems {
		out[i] = Optional[string]{Value: e.Str, OK: e.Kind != resp.Null}
	}
	return out, nil
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

// Optional is a value that may be missing, such as one of MGET's.
type Optional[T any] struct {
	Value T
	OK    bool // false when there is no value
}
