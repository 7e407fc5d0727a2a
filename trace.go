package keyslot

import (
	"errors"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// Trace holds functions that the client calls when something happens. Each may be nil. They are called from several
// goroutines, on the path of commands, and must not block.
type Trace struct {
	// Redirected is called for every MOVED and ASK that is followed.
	Redirected func(RedirectEvent)
	// Retried is called for every other attempt that is to be made again, before the pause that it may take. A command whose
	// caller's patience ends in that pause is not sent again after all.
	Retried func(RetryEvent)
	// Refreshed is called after every attempt to refresh the slot map.
	Refreshed func(RefreshEvent)
	// Connected is called at the end of every dial, of those too that failed or were no longer wanted.
	Connected func(ConnectEvent)
	// Desynced is called when a connection is closed because its replies are out of step with its commands.
	Desynced func(DesyncEvent)
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
	// Reason is the first word of what the server said: TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN, READONLY, NOREPLICAS, BUSY,
	// UNBLOCKED, NOAUTH, ERR (too many clients), and from a replica, or where no address is known, MOVED or ASK. Without a
	// reply it is
	//   - "unserved": no node is known to serve the slot
	//   - "dial": there is no connection to the node
	//   - "unsent": the connection ended, or the node left, before the request was written whole
	//   - "lost": the connection ended before the reply
	//   - "silent": the node did not answer in time
	//   - "desync": the connection's replies were out of step with its commands
	//   - "fenced": the node was silent and has lost its slots
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
	Err     error  // why no node answered
}

// ConnectEvent is one dial.
type ConnectEvent struct {
	Node  string        // host:port as the cluster names it; of an endpoint, the address that was tried
	Took  time.Duration // credentials, name, TCP, TLS and login together
	Phase string        // which of them failed: resolve, dial, tls, hello or auth; empty: none
	Err   error         // why; nil: connected
}

// DesyncEvent is the end of a connection whose replies are out of step with its commands: the server, or something between,
// has left one out, sent one twice, or sent one that nobody asked for.
type DesyncEvent struct {
	Node string // host:port
	// Suspect is how many replies callers have had on the connection since it was last known to be in step. Some of them may
	// belong to other commands; they cannot be recalled. Commands still in flight have failed with an unknown outcome.
	Suspect int
	Err     error // what has shown it
}

// retryDoubt is the reason to ask a primary too.
const retryDoubt = "doubt"

// traceRetry tells that an attempt is to be made again.
func (c *core) traceRetry(call *call, reason string) {
	if c.opts.Trace.Retried == nil {
		return
	}
	e := RetryEvent{Slot: call.slot, Reason: reason, Unknown: call.maybe}
	if call.node != nil {
		e.Node = call.node.addr()
	}
	c.opts.Trace.Retried(e)
}

// traceDial tells that a dial has ended.
func (c *core) traceDial(to Node, began time.Time, err error) {
	if c.opts.Trace.Connected == nil {
		return
	}
	e := ConnectEvent{Node: to.Addr(), Took: time.Since(began), Err: err}
	if err != nil {
		e.Phase = phaseOf(err, false)
	}
	c.opts.Trace.Connected(e)
}

// traceDesync tells the logger too: data may be wrong, whether anybody traces or not.
func (c *core) traceDesync(at Node, e *wire.DesyncError) {
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
	case errors.Is(err, errFenced):
		return "fenced"
	case call.wire.Sent:
		return "lost"
	}
	return "unsent"
}
