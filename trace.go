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

// failure names why an attempt was not answered, as RetryEvent lists it.
func (call *call) failure() string {
	var (
		err   = call.lost
		dial  *wire.DialError
		unfit *unfitError
	)
	switch {
	case err == nil:
		return ServerError(call.refusal).Code()
	case errors.Is(err, errNoOwner), errors.Is(err, errNoReplica):
		return "unserved"
	case errors.As(err, &dial), errors.As(err, &unfit), errors.Is(err, errSlowReplica):
		return "dial"
	case errors.Is(err, errSilentReplica), errors.Is(err, wire.ErrPeerSilent):
		return "silent"
	case errors.Is(err, errFenced):
		return "fenced"
	case call.wire.Sent:
		return "lost"
	}
	return "unsent"
}
