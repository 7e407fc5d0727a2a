package keyslot

import (
	"context"
	"errors"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// Trace holds functions that the client calls when something happens. Each may be nil. They are called from several
// goroutines, on the path of commands, and must not block.
type Trace struct {
	// Redirected is called for every MOVED and ASK that is followed.
	Redirected func(RedirectEvent)
	// Retried is called for every other attempt that is to be made again, before the pause that it may take. A command
	// whose caller's patience ends in that pause is not sent again after all.
	Retried func(RetryEvent)
	// Refreshed is called after every attempt to refresh the slot map.
	Refreshed func(RefreshEvent)
	// Connected is called at the end of every dial, of those too that failed or were no longer wanted.
	Connected func(ConnectEvent)
	// Desynced is called when a connection is closed because its replies are out of step with its commands.
	Desynced func(DesyncEvent)
	// Called is called at the end of every call that the program made, on its goroutine and with its context, before
	// the call returns: of each command, once even where it was split or sent again, of each Exec as a whole, and of
	// each command or Exec within Watch. The commands of a Consumer and each page of a scan are calls of their own;
	// what a Subscription sends is none, nor is an Exec of nothing. There is no hook for the beginning: start and
	// duration are in the event, so that a span can be made when it has ended. Without Called no clock is read for it,
	// and nothing is gathered.
	Called func(context.Context, CallEvent)
}

// CallEvent is one call that the program made, from its beginning to its outcome. It never holds arguments or keys, but
// for those that a script puts into an error of its own.
type CallEvent struct {
	// Command is the command's name in upper case, with the subcommand where it has one: "GET", "CONFIG GET". Of a
	// batch it is the name that all its commands have, and empty where they differ. A name that the command table does
	// not know is what the program passed.
	Command string
	// Batch is empty for a single command, "PIPELINE" for what Pipeline.Exec or WriteAndWait ran, and "MULTI" for Tx.Exec.
	Batch string
	Size  int // commands in the batch; 1 for a single command, however many keys it has
	Slot  int // 0-16383; -1 where there is no key, or keys of several slots
	// Node is the host:port that answered or was tried last; empty where it was none or more than one.
	Node     string
	Start    time.Time
	Duration time.Duration // until the outcome was known; retries and pauses included
	// Attempts is how often commands of the call were sent or about to be, and Redirects how many MOVED and ASK were
	// followed: of all commands and parts together.
	Attempts, Redirects int
	// Steps are the attempts that were to be made again, the first 8 of each command or part, and the first 32 of them
	// all. nil where there are none, which is usual.
	Steps []CallStep
	// Err is how the call failed: what the method returns, but for replies of another type than it wants. Nil is no failure.
	Err error
}

// CallStep is one attempt of a call that was to be made again: the last one too, where the caller's patience
// ended in the pause.
type CallStep struct {
	At     time.Time // when it had failed
	Node   string    // host:port; empty where none was known
	Reason string    // MOVED or ASK for a redirect that was followed; else as RetryEvent says it
}

// RedirectEvent is one redirect.
type RedirectEvent struct {
	Slot     uint16
	Ask      bool   // ASK; otherwise MOVED
	From, To string // host:port
}

// RetryEvent is one attempt of one command, or of one part of it, that is to be made again.
type RetryEvent struct {
	Slot int    // -1 for a command without a key
	Node string // host:port of the attempt that failed; empty where none was known
	// Reason is the first word of what the server said: TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN, READONLY,
	// NOREPLICAS, BUSY, UNBLOCKED, NOAUTH, ERR (too many clients), and from a replica, or where no address is known,
	// MOVED or ASK. Without a reply it is
	//   - "unserved": no node is known to serve the slot
	//   - "dial": there is no connection to the node
	//   - "unsent": the connection ended, or the node left, before the request was written whole
	//   - "lost": the connection ended before the reply
	//   - "silent": the node did not answer in time
	//   - "desync": the connection's replies were out of step with its commands
	//   - "deposed": the node was silent and has lost its slots
	//   - "doubt": a replica said that a key is missing while slots move, and the primary is asked too
	Reason string
	// Unknown says that this attempt, or one before it, may have run. Only what may run twice is sent again then.
	Unknown bool
}

// RefreshEvent is one refresh of the slot map.
type RefreshEvent struct {
	Reason  string // why it was asked for
	Asked   int    // nodes asked
	Changed bool   // a new map was installed
	Err     error  // why it brought no usable answer: the last map stays in use
}

// ConnectEvent is one dial.
type ConnectEvent struct {
	Node  string        // host:port as the cluster names it; of an endpoint, the address that was tried
	Took  time.Duration // credentials, name, TCP, TLS and login together
	Phase string        // which of them failed: resolve, dial, tls, hello or auth; empty: none
	Err   error         // why; nil: connected
}

// DesyncEvent is the end of a connection whose replies are out of step with its commands: the server, or something
// between, has left one out, sent one twice, or sent one that nobody asked for.
type DesyncEvent struct {
	Node string // host:port
	// Suspect is how many replies callers have had on the connection since it was last known to be in step. Some of them
	// may belong to other commands; they cannot be recalled. Commands still in flight have failed with an unknown outcome.
	Suspect int
	Err     error // what has shown it
}

// retryDoubt is the reason to ask a primary too.
const retryDoubt = "doubt"

// traceRetry counts and tells that an attempt is to be made again.
func (c *core) traceRetry(call *call, reason string) {
	c.pool.tallies.count(call.node, retriedFor(reason))
	if c.opts.Trace.Retried == nil {
		return
	}
	e := RetryEvent{Slot: call.slot, Reason: reason, Unknown: call.maybe}
	if call.node != nil {
		e.Node = call.node.addr()
	}
	c.opts.Trace.Retried(e)
}

// traceDial counts and tells that a dial has ended.
func (c *core) traceDial(to peer, began time.Time, err error) {
	what := countDialled
	if err != nil {
		what = countDialFailed
	}
	c.pool.tallies.count(to.node, what)
	if c.opts.Trace.Connected == nil {
		return
	}
	e := ConnectEvent{Node: to.info.Addr(), Took: time.Since(began), Err: err}
	if err != nil {
		e.Phase = phaseOf(err, false)
	}
	c.opts.Trace.Connected(e)
}

// traceDesync tells the logger too: data may be wrong, whether anybody traces or not.
func (c *core) traceDesync(o *openConn, at Node, e *wire.DesyncError) {
	c.pool.tallies.countDesync(o)
	c.opts.Logger.Error("keyslot: connection closed, its replies were out of step with its commands",
		"node", at.Addr(), "suspect replies", e.Suspect, "error", e.Err)
	if c.opts.Trace.Desynced != nil {
		c.opts.Trace.Desynced(DesyncEvent{Node: at.Addr(), Suspect: e.Suspect, Err: e.Err})
	}
}

// failure names why an attempt was not answered, as RetryEvent lists it.
func (call *call) failure() string {
	var (
		err    = call.lost
		dial   *wire.DialError
		unfit  *unfitError
		desync *wire.DesyncError
	)
	switch {
	case err == nil:
		return ServerError(call.refusal).Code()
	case errors.Is(err, errNoOwner), errors.Is(err, errNoReplica):
		return "unserved"
	case errors.As(err, &dial), errors.As(err, &unfit), errors.Is(err, errSlowReplica):
		return "dial"
	case errors.Is(err, errSilentReplica), errors.Is(err, wire.ErrPeerSilent), errors.Is(err, wire.ErrPeerTrickles),
		errors.Is(err, errSwallowed):
		return "silent"
	case errors.As(err, &desync):
		return "desync"
	case errors.Is(err, errDeposed):
		return "deposed"
	case call.sent:
		return "lost"
	}
	return "unsent"
}
