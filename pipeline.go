package keyslot

import (
	"context"
	"slices"

	"github.com/keyslot-go/keyslot/command"
)

type queued = command.Queued

// Pipeline collects commands for any slots and runs them together: each node gets its commands in one write. It is made
// by Client.Pipeline, for one goroutine at a time; what it offers besides Exec and Do are the methods of command.Queued.
//
//	p := client.Pipeline()
//	visits, last := p.Incr("visits"), p.Get("last")
//	err := p.Exec(ctx)
//
// The commands are not atomic together, and others may come between them. Those of one slot run in the order in which they
// were queued, unless one of them is refused for the moment, by a node that is loading for instance, and is sent again
// behind the others. Where one of those has a key of it, and either writes, the future of the refused one says Reordered;
// an Ordered pipeline does not send it again. A transaction is the tool for order without exceptions: see Client.Tx.
type Pipeline struct {
	queued
	batch   batch
	into    *batch // which commands are queued in: batch, or that of WriteAndWait
	ordered bool
}

// Pipeline returns an empty pipeline. It costs next to nothing: make one for each batch, or use one again after Exec.
func (c *Client) Pipeline() *Pipeline { return c.terms.pipeline() }

func (t *terms) pipeline() *Pipeline {
	p := &Pipeline{batch: batch{terms: t}}
	p.queueIn(&p.batch)
	return p
}

func (p *Pipeline) queueIn(b *batch) {
	p.queued, p.into = command.NewQueued(b), b
}

// Ordered makes the pipeline, for good, keep the order of its commands for each key at the cost of some that do not run:
// one that was refused for the moment, while a later one with a key of it ran, is not sent again but fails as not executed.
// It returns the pipeline. Its reads go to primaries, whatever the client's ReadPolicy: they have to see what it wrote.
func (p *Pipeline) Ordered() *Pipeline {
	p.ordered = true
	t := *p.into.terms
	t.reads = Primary
	p.into.terms = &t
	return p
}

// Do queues any command, as Client.Do runs it. An argument that cannot be sent is the future's error.
func (p *Pipeline) Do(args ...any) *Future[Reply] { return p.into.do(&p.queued, args) }

// Exec runs the commands queued since the last Exec and returns when each has its outcome, or soon after ctx is done; a
// ctx without a deadline is bounded by Options.CommandTimeout. It returns nil unless a command failed, else a
// *PipelineError; the futures have the replies either way. Nil is no failure. With nothing queued it returns nil at
// once, and does not look at ctx.
//
// Each command is redirected, refused and sent again by itself, by the rules for a single one; one that was answered is
// never sent again. A very large pipeline is sent in pieces, so that other callers get their turn. A blocking command,
// such as BLPOP, is refused: it would hold up those behind it. So is Exec of a pipeline that is WriteAndWait's, with an
// *ArgumentError.
func (p *Pipeline) Exec(ctx context.Context) error {
	f := p.batch.flight
	if f == nil {
		return p.nothingToExec()
	}
	p.batch.flight = nil
	f.ordered = p.ordered
	defer f.release()
	began := p.batch.terms.began()
	f.exec(ctx, p.batch.terms)
	err := f.settle(&p.queued)
	f.report(ctx, p.batch.terms, began, nil, err)
	return err
}

// nothingToExec is Exec of an empty batch.
func (p *Pipeline) nothingToExec() error {
	if p.into == &p.batch || p.into == nil {
		return nil
	}
	return misuse("WAIT", "the pipeline is WriteAndWait's, which runs it when the function that queues commands has returned: leave Exec out")
}

// batch lends calls to the typed commands of a pipeline, and keeps them in their order.
type batch struct {
	terms  *terms
	flight *flight // nil while nothing is queued
}

// Begin lends a call that is kept until Exec.
func (b *batch) Begin() *command.Call { return &b.begin().Call }

func (b *batch) begin() *call {
	if b.flight == nil {
		b.flight = b.terms.core.flight()
	}
	call := b.flight.queue()
	call.terms = b.terms
	return call
}

func (b *batch) do(q *queued, args []any) *Future[Reply] {
	args = marshal(args)
	call := b.begin()
	call.encode(args)
	return command.QueueReply(q, &call.Call)
}

// exec brings every command queued to its outcome.
func (f *flight) exec(ctx context.Context, t *terms) {
	now, until, err := t.enter(ctx)
	if err != nil {
		f.refuseAll(err)
		return
	}
	defer f.core.running.leave()
	f.waiter.Now = now
	f.calls = slices.Grow(f.calls, f.queued)
	for i := range f.queued {
		call := f.at(i)
		call.terms = t // a pipeline may become an ordered one after it was queued
		call.err = f.add(call)
	}
	if len(f.calls) > 0 {
		f.core.run(ctx, until, f.calls, f)
	}
	for _, call := range f.splits {
		call.join()
	}
}

// add makes a queued call part of what is sent.
func (f *flight) add(call *call) error {
	if err := call.check(); err != nil {
		return err
	}
	splits, err := call.plan()
	switch {
	case err != nil:
		return err
	case call.blocks:
		return call.refuse(0, call.Name()+" waits at the server and would hold up the rest of the pipeline: run it by itself")
	case splits:
		f.split(call)
	default:
		f.calls = append(f.calls, call)
	}
	return nil
}

// settle gives the futures their outcomes, and returns the failures among them as one error.
func (f *flight) settle(q *queued) error {
	if failed := f.settleEach(q); failed != nil {
		return command.NewPipelineError(f.queued, failed, f.isRepeatable())
	}
	return nil
}

// isRepeatable reports whether all that has succeeded may run twice.
func (f *flight) isRepeatable() bool {
	for i := range f.queued {
		if call := f.at(i); call.err == nil && !call.isRepeatable() {
			return false
		}
	}
	return true
}

// settleEach gives the futures their outcomes, and returns the failures among them.
func (f *flight) settleEach(q *queued) (failed []command.Part) {
	for i := range f.queued {
		call := f.at(i)
		if err := command.Settle(q, &call.Call, call.err); err != nil {
			if failed == nil {
				failed = make([]command.Part, 0, f.failedFrom(i))
			}
			failed = append(failed, command.Part{Index: i, Node: nodeOf(err), Err: err})
		}
	}
	return failed
}

// failedFrom returns how many commands have failed from the first one on, which is one of them: a reply that cannot be
// read may make it more.
func (f *flight) failedFrom(first int) (n int) {
	for i := first; i < f.queued; i++ {
		if f.at(i).err != nil {
			n++
		}
	}
	return n
}
