package keyslot

import (
	"context"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

// terms are what a client or one of its views says of the calls made through it. They are immutable, so that any number
// of calls share them.
type terms struct {
	core       *core
	timeout    time.Duration // as Options.CommandTimeout
	idempotent bool          // commands may be sent again though they may have run
	once       bool          // nor may their caller send them again: they belong to a watch
	reads      ReadPolicy    // which nodes answer reads
	to         Route         // where commands go; nil: where their keys and the command table say
	within     bool          // they are part of a command that has entered: see gate

	called func(context.Context, CallEvent) // as Trace.Called; nil for what the client does of its own accord
}

// Begin lends a call to a typed command.
func (t *terms) Begin() *command.Call { return &t.begin().Call }

func (t *terms) begin() *call {
	call := t.core.begin()
	call.terms = t
	return call
}

// on returns a client with other terms and the same core.
func (c *Client) on(t terms) *Client {
	return &Client{commands: command.New(&t), core: c.core, terms: &t}
}

// Timeout returns a view of the client on which d bounds every call whose context has no deadline, retries included, in
// place of Options.CommandTimeout; negative: no bound. Zero is Options.CommandTimeout again. It shares everything with
// the client, costs one small allocation, and is made to be kept. It does not block.
func (c *Client) Timeout(d time.Duration) *Client {
	t := *c.terms
	t.timeout = d
	if d == 0 {
		t.timeout = c.core.opts.CommandTimeout
	}
	return c.on(t)
}

// Idempotent returns a view of the client whose commands are sent again when a connection ended before their reply
// came, as reads always are: for writes that may run twice without harm, such as SET or SADD. Commands that block and
// take something, such as BLPOP, are not sent again here either. It shares everything with the client, costs one small
// allocation, and is made to be kept. It does not block.
func (c *Client) Idempotent() *Client {
	t := *c.terms
	t.idempotent = true
	return c.on(t)
}
