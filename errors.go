package keyslot

import (
	"context"
	"errors"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// What the typed commands and Do return. The documentation of each is in package command.
type (
	Reply           = command.Reply
	Optional[T any] = command.Optional[T]
	// Future is the reply to come of a command in a Pipeline or a Tx.
	Future[T any] = command.Future[T]

	// Error is how a command fails: outcome, cause and trail.
	Error = command.Error
	// PartsError is how a command fails that was split over slots or nodes.
	PartsError = command.PartsError
	// PipelineError is how Exec of a Pipeline or a Tx fails.
	PipelineError = command.PipelineError
	// ServerError is an error reply in the server's own words.
	ServerError = command.ServerError
	// ArgumentError says which argument cannot be sent, and why.
	ArgumentError = command.ArgumentError
	// Outcome is what is known of a failed command.
	Outcome = command.Outcome
)

// The outcomes of a failed command.
const (
	Answered    = command.Answered
	NotExecuted = command.NotExecuted
	Unknown     = command.Unknown
)

// The errors to compare with errors.Is. They are never changed.
var (
	Nil               = command.Nil
	ErrNotExecuted    = command.ErrNotExecuted
	ErrUnknownOutcome = command.ErrUnknownOutcome
	ErrRetryable      = command.ErrRetryable
	ErrTxAborted      = command.ErrTxAborted
	ErrClosed         = command.ErrClosed
	// ErrUnknownNode is the cause of an error on a view whose ToNode names no node of the topology, and of a scan with
	// such an OwnedBy. Nothing was sent. On a view the topology is asked for anew meanwhile, in case the node has just
	// joined. It is not ErrRetryable, for a name may as well be wrong.
	ErrUnknownNode = errors.New("keyslot: no such node in the topology")
)

var (
	errNoOwner    = errors.New("no node is known to serve the slot")
	errLostSlots  = errors.New("the node has lost its slots")
	errRetired    = errors.New("the node is not listed any more: it failed or left")
	errGivenUp    = errors.New("given up by its caller")
	errSwallowed  = errors.New("the connection swallows what is sent, while its node answers on another")
	errDeposed    = errors.New("the node stopped answering and has lost its slots")
	errLeft       = errors.New("the endpoint leads to another primary by now")
	errCovered    = errors.New("other parts cover the slots of this one")
	errScattered  = errors.New("the node has lost its slots to several new ones: run the command again")
	errNilContext = errors.New("keyslot: the context is nil")
)

// misuse is the error of a call that cannot be one of the command, whatever becomes of the cluster.
func misuse(name, reason string) error {
	return &Error{Command: name, Slot: command.NoSlot, Outcome: NotExecuted, Err: &ArgumentError{Reason: reason}}
}

// unsubscribedError is why a subscription that was closed takes no more channels. It is ErrClosed too.
type unsubscribedError struct{}

func (unsubscribedError) Error() string        { return "subscription closed" }
func (unsubscribedError) Is(target error) bool { return target == ErrClosed }

// phaseOf names the step that err ended, for the trail of an Error.
func phaseOf(err error, sent bool) string {
	var (
		resolve *resolveError
		dial    *wire.DialError
		wait    *waitError
	)
	switch {
	case errors.Is(err, errNoOwner), errors.Is(err, errNoReplica), errors.Is(err, errRetired), errors.Is(err, errLostSlots),
		errors.Is(err, errScattered):
		return ""
	case errors.As(err, &resolve):
		return "resolve"
	case errors.As(err, &dial):
		return string(dial.Phase)
	case errors.As(err, &wait), errors.Is(err, errSlowReplica):
		return string(wire.PhaseDial)
	case sent:
		return "read"
	}
	return "write"
}

// replyIn returns the error reply that a command had. What a server refuses a dial with, or a question about the
// topology, is none.
func replyIn(err error) (said ServerError, ok bool) {
	var (
		dial     *wire.DialError
		topology *TopologyError
	)
	if errors.As(err, &dial) || errors.As(err, &topology) {
		return "", false
	}
	ok = errors.As(err, &said)
	return said, ok
}

// mayBeSentAgain reports whether another call with a command that failed with that outcome is safe, and wanted. Whether
// it is worth it, the cause says: see passes.
func (call *call) mayBeSentAgain(outcome Outcome) bool {
	return !call.terms.once && (outcome == NotExecuted || outcome == Unknown && call.isRepeatable())
}

// passes reports whether what ended a command was time, or circumstances that pass.
func passes(cause error) bool {
	if errors.Is(cause, ErrClosed) {
		return false
	}
	var bootstrap *BootstrapError
	return errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) ||
		errors.Is(cause, errScattered) || errors.Is(cause, errReordered) || errors.As(cause, &bootstrap)
}

// isPatience reports whether err is the end of the caller's own patience, and not that of a dial.
func isPatience(err error) bool {
	var dial *wire.DialError
	return (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) && !errors.As(err, &dial)
}
