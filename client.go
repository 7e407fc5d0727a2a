package keyslot

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

type commands = command.Commands

// Client is a connection to a whole cluster, made by Open or New; the zero Client cannot be used. All its methods are
// safe for concurrent use; one client serves a process.
// The typed commands, client.Get and so on, are the methods of command.Commands and documented there.
type Client struct {
	commands
	core  *core
	terms *terms
}

// Open connects to the cluster behind target: "host:port", "host" (port 6379), or a URL such as
// "rediss://user:password@host:6379?client_name=api" (rediss is TLS). It is New with the options that ParseTarget,
// which lists them, finds in target.
func Open(ctx context.Context, target string) (*Client, error) {
	opts, err := ParseTarget(target)
	if err != nil {
		return nil, err
	}
	return New(ctx, opts)
}

// New connects to the cluster: it resolves the endpoints, asks the first node that answers for the topology, and dials
// nothing else until a command needs it. It blocks until ctx ends at the longest, or CommandTimeout where ctx has no
// deadline. The error is an *EndpointError or *OptionError for options that cannot work, a *BootstrapError when no
// endpoint gave a usable topology, and says what to do. With Options.Lazy it touches no network.
func New(ctx context.Context, opts Options) (*Client, error) {
	core, err := newCore(opts)
	if err != nil {
		return nil, err
	}
	if !opts.Lazy {
		if err := core.connect(ctx); err != nil {
			core.close()
			return nil, err
		}
	}
	return &Client{commands: command.New(&core.terms), core: core, terms: &core.terms}, nil
}

// Close ends the client at once: commands in flight fail with ErrClosed and an unknown outcome, unsent ones with
// ErrClosed and not executed. It returns nil, when every goroutine and connection is gone; a second call waits for that
// too. It must not be called from a function of Options, such as Trace or Dial: it waits for those to return.
func (c *Client) Close() error {
	c.core.close()
	return nil
}

// Shutdown refuses new commands, waits until those under way have ended or ctx is done, and then closes the client,
// subscriptions included. It returns ctx's error if commands had to be cut off; a nil ctx is an error, and nothing is
// closed. Connections for commands that owe nothing end in order, with TLS's close_notify and without a reset, where
// Close resets them. A Consumer's reads are commands that wait: its context ends it.
//
// A command is under way from its call to its return, a Watch until its function has returned: that function must not
// call Shutdown, which would wait for it until ctx ends. A Scan, HScan and the like are under way for one page at a
// time: the next page gets ErrClosed. End such loops, and Consumers, before.
func (c *Client) Shutdown(ctx context.Context) error { return c.core.shutdown(ctx) }

// Topology returns a snapshot of the cluster as the client sees it. It does not block and asks nobody. Before a Lazy
// client's first command it is empty.
func (c *Client) Topology() Topology {
	r := c.core.routes.Load()
	if r == nil {
		return Topology{}
	}
	t := r.topology(time.Now())
	r.describe(&t, c.core.now())
	return t
}

// Do runs any command and returns its reply; args[0] is the command's name. The command table finds its keys and so the
// node. A command of a module that the table does not know counts as a write whose first argument is its key.
//
// Arguments are string, []byte, the built-in integers, floats and bools (sent as 1 and 0), and encoding.BinaryMarshalers,
// of which MarshalBinary is sent: a UUID's 16 bytes, not its text. Anything else is an *ArgumentError: nil, time.Time,
// time.Duration, and types of your own such as `type ID string`, which need a conversion.
//
// A command without a key goes to any primary (PUBLISH to the one that owns its channel's slot, see Publish), or where
// the command table wants that to every primary or node, the replies joined as it says: DBSIZE is a sum. Where some
// nodes failed, a *PartsError lists them; a primary that is replaced meanwhile is no failure. RANDOMKEY is null only if
// every primary is empty. What has an answer of its own on each node, such as INFO or ROLE, or is done to one node,
// such as CLIENT KILL or CLUSTER FORGET, is refused with the methods that run it on one or all, On and DoEach; so is a
// subcommand of CLUSTER, CONFIG and their like that the table does not know.
//
// A reply has the shape of RESP3, in which HGETALL is a map, ZSCORE a number and ZRANGE WITHSCORES an array of pairs. A
// server that knows only RESP2 sends flat arrays and text; Reply's Map, Float64 and Bool read both. A null reply is a
// Reply with IsNil, not an error. Errors are those of the typed commands; a command that cannot run on a shared
// connection, such as SUBSCRIBE or MULTI, is refused before anything is sent.
func (c *Client) Do(ctx context.Context, args ...any) (Reply, error) {
	args = marshal(args)
	call := c.terms.begin()
	defer call.release()
	call.encode(args)
	if err := call.exec(ctx); err != nil {
		return Reply{}, err
	}
	return call.decode()
}

// run brings calls to their outcomes: when it returns, each has a reply or an error. It is the one place that sends a
// command again. calls is used as scratch space. f carries them; where it is nil they are a single one, sent on its own.
//
//	route -> send -> wait -> classify -> done
//	  ^                          |
//	  +------- pause <-----------+   redirects without pause, refusals and unsent commands with one
//
// What decides whether a command may be sent again is classify, a pure function; this loop only does what it says,
// until the caller's patience ends.
func (c *core) run(ctx context.Context, until time.Time, calls []*call, f *flight) {
	for due := len(calls); ; {
		plain := false
		switch {
		case due == 0: // a new map has come, but what goes with it has to wait
		case f == nil:
			plain = c.sendAlone(ctx, until, calls[0])
		case f.wait != nil:
			f.sendAndWait(ctx, until, calls[:due])
		default:
			plain = f.send(ctx, until, calls[:due])
		}
		if plain { // there is nothing to judge
			calls, due = calls[due:], 0
		}
		calls = c.judgeAll(calls, due, f)
		if len(calls) == 0 {
			return
		}
		var err error
		if due, err = c.awaitDue(ctx, until, calls); err != nil {
			err = calls[0].terms.named(err, until)
			for _, call := range calls {
				call.giveUp(err)
			}
			return
		}
	}
}

// sendAlone makes one attempt of a call and returns when it has come back: with a reply, or with the reason why not.
// One that blocks in turns makes an attempt in each. It reports whether there is a reply that needs no judgement.
func (c *core) sendAlone(ctx context.Context, until time.Time, call *call) (plain bool) {
	plain = c.sendOnce(ctx, until, call)
	for call.blocks && call.waitsOn() {
		plain = c.sendOnce(ctx, until, call)
	}
	return plain
}

// sendOnce sends a call once and waits for it.
func (c *core) sendOnce(ctx context.Context, until time.Time, call *call) (plain bool) {
	w := &call.solo.waiter
	alone := call.blocks || call.apart
	w.Busy = !alone && c.running.crowded() // a connection of its own is not shared
	w.Expect(1)
	err := c.load(call, until)
	switch {
	case err != nil:
	case alone:
		call.ownTrouble()
		call.borrowed, err = call.node.sendDedicated(ctx, until, call.routes, w, call.solo.wires[:])
	default:
		err = call.lane().track(call.large).send(ctx, until, call.routes, w, call.solo.wires[:])
	}
	plain = call.await(ctx, err)
	if alone && call.borrowed != nil && (!call.keeps || !call.answered()) {
		if call.isEvicted() {
			call.borrowed.Drain()
		}
		call.node.giveBack(call.borrowed)
		call.borrowed = nil
	}
	return plain
}

// await waits for a call that was sent, unless err says why it was not, and takes its outcome.
func (call *call) await(ctx context.Context, err error) (plain bool) {
	w := &call.solo.waiter
	if err != nil {
		w.Withdraw(1)
	}
	w.Wait(ctx, call.solo.wires[:])
	return call.came(err)
}

// load aims a call that is sent alone, and makes its wire call ready.
func (c *core) load(call *call, until time.Time) error {
	request, err := c.aim(c.routes.Load(), call, nil)
	if err != nil {
		return err
	}
	out := &call.solo.wire
	out.Request, out.Asking, out.Movable, out.Deadline = request, call.asking, call.isMovable(), until
	return nil
}

// aim decides where a call, of the flight f if not nil, goes with its next attempt, and returns what goes there.
func (c *core) aim(r *routes, call *call, f *flight) (request []byte, err error) {
	if err := c.route(r, call, f); err != nil {
		return nil, err
	}
	call.attempts++
	if call.blocks && call.attempts > 1 {
		call.shorten(time.Now())
	}
	request = call.encoded()
	call.large = c.larges.isLarge(request)
	return request, nil
}

// route finds the node for a call's next attempt: where a redirect pointed, or where the map says.
func (c *core) route(r *routes, call *call, f *flight) error {
	if call.node != nil {
		return nil
	}
	call.routes = r
	switch {
	case call.of != nil:
		var err error
		call.node, err = call.of.primaryFor(call, r)
		return err
	case call.pinned != nil:
		if call.leads && !r.leads(call.pinned) { // by the map that has just ended a pause
			return errLostSlots
		}
		call.node = call.pinned
	case call.slot == command.NoSlot:
		call.node = call.keylessNode(r)
	case call.spreads():
		return c.routeRead(r, call, f)
	default:
		call.node = r.primary(uint16(call.slot))
	}
	if call.node == nil {
		return errNoOwner
	}
	return nil
}

// judgeAll judges the first due of calls, which have come back, and returns those that go on, with the rest.
func (c *core) judgeAll(calls []*call, due int, f *flight) []*call {
	var order overtaking
	waiting := calls[:0]
	for i, call := range calls {
		goesOn := i >= due || c.judge(call)
		if goesOn {
			waiting = append(waiting, call)
		}
		if i < due && len(calls) > 1 {
			order.judged(call, goesOn)
		}
	}
	if order.found && f.ordered {
		return endOvertaken(waiting)
	}
	return waiting
}

// judge settles a call that is done and prepares one that goes on for its next attempt. One whose reply is plain (see
// replied) may never get here.
func (c *core) judge(call *call) (goesOn bool) {
	if call.counted {
		call.ends()
	}
	if call.answered() {
		if call.readonly && c.doubts(call) || call.seeking && call.seekOn() { // not believed, and nothing else is known
			call.verdict, call.refusal = verdict{executed: Unknown}, ""
			return true
		}
		if call.large {
			c.larges.answered(call.encoded(), call.Frame)
		}
		return false
	}
	if e := call.ending; e != nil && e.patience && call.said == "" && !c.isClosed() { // as verdictOn and failLast would find again
		call.err = e.next(call, call.outcome(verdict{executed: ranIf(call.sent)}))
		return false
	}
	if errors.Is(call.lost, errCovered) {
		call.err = errCovered
		return false
	}
	v := c.verdictOn(call)
	if v.action == finish || c.isClosed() || call.isStranded() {
		call.failLast(v, c.isClosed())
		return false
	}
	call.verdict = v
	call.maybe = call.maybe || v.executed == Unknown
	reason := call.failure()
	if v.action != follow {
		c.traceRetry(call, reason)
	}
	call.noteStep(reason)
	c.prepare(call, v)
	return true
}

// verdictOn classifies an attempt that was not answered, and tells those whom it concerns besides the caller.
func (c *core) verdictOn(call *call) verdict {
	call.ownTrouble()
	v := classify(call.lastAttempt())
	if call.refusal != "" {
		c.heed(call.node, call.via, call.refusal)
	}
	if call.readonly {
		v = v.ofReplica()
	}
	if v.refresh {
		c.askRefresh(call, v)
	}
	return v
}

// prepare does what a verdict says: where the call goes next, and when.
func (c *core) prepare(call *call, v verdict) {
	last := call.node
	wait := v.pause
	switch v.action {
	case follow:
		wait = c.followRedirect(call, v)
	case again:
		call.node, call.asking = nil, false
		if wait == noPause && call.attempts > freeResends {
			wait = clusterWait
		}
	case askAgain:
		if !call.asking {
			call.node = nil // the slot may leave the node meanwhile, and the node the cluster
		}
	case elsewhere:
		wait = c.leaveReplica(call, v)
	case redial:
		call.renew()
		if call.redialled {
			wait = clusterWait
		}
		call.redialled = true
	}
	call.readonly = false
	call.due, call.forMap = time.Time{}, false
	if wait == noPause {
		return
	}
	now := time.Now()
	call.due = now.Add(call.pacer(wait).next())
	if last != nil {
		call.due = last.resends.queue(call.due, now)
	}
	call.forMap = wait == clusterWait && v.refresh
}

// followRedirect aims a call where a redirect points, and returns the pause before it goes there.
func (c *core) followRedirect(call *call, v verdict) pause {
	by := call.node
	call.redirects++
	call.node, call.asking = c.redirect(by, v)
	switch {
	case call.node == by: // the server behind this address calls itself by the same name but is not the owner: it was replaced
		c.refresher.request("a redirect to the node that says it")
		call.renew()
		call.node, call.asking = nil, false
		if call.redirects == 1 && c.kind() == serverless { // another server behind the proxy knows better
			return noPause
		}
		return clusterWait
	case call.redirects > freeRedirects:
		return tryAgainWait
	}
	return noPause
}

const (
	// freeRedirects are followed without a pause; more of them mean that two nodes point at each other.
	freeRedirects = 5
	// freeResends follow a lost connection at once; more of them mean that the node drops every connection.
	freeResends = 2
)

// redirect returns the node that a MOVED or ASK points to. MOVED changes the map, ASK does not.
func (c *core) redirect(by *node, v verdict) (to *node, asking bool) {
	from := by.info()
	target := v.target.node(from)
	c.asked.redirected(c.now())
	said := countMoved
	if v.ask {
		said = countAsked
	}
	switch r := c.routes.Load(); {
	case r.kind == serverless: // whatever the proxy says, there is nobody else
		to = r.primary(v.target.slot)
	case r.kind == standalone: // which it will not be for long: see heed
		to = c.nodeAt(target)
	case v.ask:
		if c.spreads.Load() {
			c.asked.note(v.target.slot, c.now())
		}
		to, asking = c.nodeAt(target), true
	default:
		to = c.movedTo(v.target.slot, target)
	}
	c.pool.tallies.count(by, said)
	if c.opts.Trace.Redirected != nil {
		c.opts.Trace.Redirected(RedirectEvent{
			Slot: v.target.slot, Ask: v.ask, From: from.Addr(), To: target.Addr(),
		})
	}
	return to, asking
}

// awaitDue waits until at least one of the calls is due or a new map has come, moves the due ones to the front in their
// order, and returns how many they are. It fails when the caller's patience ends first.
func (c *core) awaitDue(ctx context.Context, until time.Time, calls []*call) (due int, err error) {
	keepStep(calls)
	first := calls[0].due
	var changed <-chan struct{}
	for _, call := range calls {
		if call.due.Before(first) {
			first = call.due
		}
		if call.forMap && (changed == nil || call.routes.outdated()) {
			changed = call.routes.replaced
		}
	}
	isNew, err := c.sleep(ctx, until, first, changed)
	if err != nil {
		return 0, err
	}
	if len(calls) == 1 {
		return 1, nil
	}
	now := time.Now()
	if isNew {
		for _, call := range calls {
			if call.forMap {
				call.due, call.forMap = now, false
			}
		}
		keepStep(calls)
	}
	sort.SliceStable(calls, func(i, j int) bool { return !calls[i].due.After(now) && calls[j].due.After(now) })
	for due < len(calls) && !calls[due].due.After(now) {
		due++
	}
	return due, nil
}

// keepStep makes the calls for one slot due together, when the last of them is: they are sent again in their order.
func keepStep(calls []*call) {
	if len(calls) == 1 {
		return
	}
	due := make(map[int]time.Time)
	for _, call := range calls {
		due[call.step()] = later(due[call.step()], call.due)
	}
	for _, call := range calls {
		if call.slot != command.NoSlot {
			call.due = due[call.step()]
		}
	}
}

// sleep returns nil at the time due, or as soon as a new map is there if changed is not nil, or earlier the reason why
// the caller waits no longer.
func (c *core) sleep(ctx context.Context, until, due time.Time, changed <-chan struct{}) (isNew bool, err error) {
	if !until.IsZero() && until.Before(due) {
		due = until
	}
	if wait := time.Until(due); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-c.done:
			return false, ErrClosed
		case <-changed:
			isNew = true
		case <-t.C:
		}
	}
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case !until.IsZero() && !time.Now().Before(until):
		return false, context.DeadlineExceeded
	}
	return isNew, nil
}
