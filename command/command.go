// Package command holds the typed commands of keyslot, their options and their replies. A Client embeds Commands, so
// most programs meet this package only for an option (command.EX), a reply type (command.Optional) or an error.
package command

import (
	"bytes"
	"context"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// Commands are the typed commands, as the client and its views offer them. They are safe for concurrent use.
//
// Every method blocks until the command's outcome is known or ctx is done; a ctx without a deadline is bounded by
// Options.CommandTimeout. Every error but Nil is an *Error (or a *PartsError, where a command was split over
// slots): errors.Is(err, ErrNotExecuted) and errors.Is(err, ErrUnknownOutcome) say what happened to the command,
// errors.As gives, as a ServerError, the server's own words. A command of many keys that is given none fails before
// anything is sent.
type Commands struct{ lender Lender }

// New returns the commands whose calls lender lends. The client calls it; a program has no need to.
func New(lender Lender) Commands { return Commands{lender} }

// Lender lends the calls that commands are. The client implements it for itself and its views, for pipelines,
// transactions and Watch.
type Lender interface {
	// Begin lends an empty call, to be encoded, run once and then ended.
	Begin() *Call
}

func (c Commands) begin() *Call { return c.lender.Begin() }

// Call is one command between its caller and the core: first the request, then the reply.
//
// A command is written once, as an encoder (a method of Call, such as get) and a decoder (such as text). The typed
// method of Commands runs the two at once, that of Queued keeps the call with a future for its reply.
type Call struct {
	Request resp.Request
	Frame   []byte // the reply, one complete RESP frame, and no error once run has succeeded; valid until end, or longer: see Own

	// Elements is the reply in place of Frame, of a command that ran in parts and whose reply is an array.
	Elements *Elements

	Cmd *spec.Command // what the table says of the command; nil: nothing, or it was not looked up yet

	future settler // of a queued call
	err    error   // what is wrong with an argument; nothing is sent then

	// Reordered says that the command, refused at first, ran behind a later one of its pipeline that has a key of it.
	Reordered bool

	// Own says that Frame is in memory of its own, which nobody will write to again: the value of a reply may stay there.
	Own bool

	// what a queued call has no use for
	run  func(ctx context.Context) error
	end  func()
	pack *packer // for the strings of a reply that is no pipeline's; made when it is first needed
}

// NewCall returns a call that core lends again and again. run sends the request and sets Frame, or Elements, or fails,
// in the first place with what Refused says; end takes the call back.
func NewCall(run func(ctx context.Context) error, end func()) Call { return Call{run: run, end: end} }

// Name returns the command's name as the table spells it. Of a command that the table does not know, only the first
// word is certain not to be data.
func (c *Call) Name() string {
	if c.Cmd != nil {
		return c.Cmd.Name
	}
	if c.Request.Len() == 0 {
		return "command"
	}
	first := c.Request.At(0)
	if space := bytes.IndexAny(first, " \t\r\n"); space >= 0 {
		first = first[:space]
	}
	return string(first)
}

// fail returns the error of a command that ends here, which nobody has routed or nobody can read.
func (c *Call) fail(outcome Outcome, err error) error {
	return &Error{Command: c.Name(), Slot: NoSlot, Outcome: outcome, Err: err}
}

// Refuse notes an argument that cannot be sent; the first one counts.
func (c *Call) Refuse(index int, reason string) {
	if c.err == nil {
		c.err = c.fail(NotExecuted, &ArgumentError{Index: index, Reason: reason})
	}
}

// refuse is Refuse for the argument that is encoded next.
func (c *Call) refuse(reason string) { c.Refuse(c.Request.Len(), reason) }

// Refused returns what is wrong with an argument, or nil.
func (c *Call) Refused() error { return c.err }

// finish gives the call back to the core, which may lend it to another caller at once.
func (c *Call) finish() { c.end() }

// Forget makes the call empty again but for its Request and Frame, for the next caller.
func (c *Call) Forget() {
	c.Elements, c.Cmd, c.err, c.future, c.Reordered, c.Own = nil, nil, nil, nil, false, false
	if c.pack != nil {
		*c.pack = packer{}
	}
}

// Value returns the reply as it is, in memory that is the caller's.
func (c *Call) Value() (resp.Value, error) {
	if c.Elements != nil {
		return c.Elements.value()
	}
	return valueOf(c.Frame, c.Own)
}

// kind returns the type of the reply.
func (c *Call) kind() resp.Kind {
	if c.Elements != nil {
		return resp.Array
	}
	return resp.KindOf(c.Frame)
}

// run runs an encoded call, decodes its reply, and ends it.
func run[T any](ctx context.Context, c *Call, decode decoder[T]) (value T, err error) {
	defer c.finish()
	if err = c.run(ctx); err != nil {
		return value, err
	}
	return decode(c, nil)
}

// only is the error of a command whose reply tells nothing else.
func only(_ struct{}, err error) error { return err }

// Optional is a value that may be missing, such as one of MGET's.
type Optional[T any] struct {
	Value T
	OK    bool // false when there is no value
}
