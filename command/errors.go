package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	// Nil is the error for "there is no such value": GET of a missing key. It says nothing went wrong.
	Nil = errors.New("keyslot: nil")
	// ErrNotExecuted matches an error that proves that the command never ran and never will: it was not sent whole, or
	// the server refused it before running it. It is safe to send the command again.
	ErrNotExecuted = errors.New("keyslot: not executed")
	// ErrUnknownOutcome matches an error after which the command may have run, or may still run: it was sent whole and
	// no reply came.
	ErrUnknownOutcome = errors.New("keyslot: outcome unknown")
	// ErrRetryable matches an error after which the same command may be sent again as it is: it was not executed, or
	// running it twice does no harm, and what was lacking may come. The client has sent it again itself until its
	// context or CommandTimeout ended, so a retry needs time of its own. What would fail in the same way is not
	// retryable: a refusal such as NOPERM, a wrong argument, ErrClosed; nor is ErrTxAborted, after which the caller
	// reads again first. The first map of a Lazy client is the exception: what New would fail with ends its first
	// commands at once, not tried again within the call.
	ErrRetryable = errors.New("keyslot: retryable")
	// ErrTxAborted is the cause when a transaction on watched keys did not run because one of them may have changed:
	// another client wrote to it, it expired, or its slot moved, or the connection ended before EXEC was sent. Nothing
	// has run; read again, and try again.
	ErrTxAborted = errors.New("keyslot: transaction aborted")
	// ErrClosed is the cause where Close or Shutdown ended a command, or kept it from beginning.
	ErrClosed = errors.New("keyslot: client closed")
)

// Outcome is what is known of a failed command.
type Outcome uint8

// The outcomes.
const (
	Answered    Outcome = iota // the server answered: with an error, after which it may have run in part, or with a reply of another type
	NotExecuted                // proven: never ran and never will
	Unknown                    // sent whole and unanswered, or it failed half-way: it may have run
)

func (o Outcome) String() string {
	switch o {
	case Answered:
		return "answered"
	case NotExecuted:
		return "not executed"
	case Unknown:
		return "outcome unknown"
	}
	return "Outcome(" + strconv.Itoa(int(o)) + ")"
}

// NoSlot is the Slot of an Error whose command has no key.
const NoSlot = -1

// Error is how a command fails: what is known of its outcome, the cause, and the trail that led there. It never holds
// arguments or keys. Unwrap gives the cause: a ServerError, an *ArgumentError, a *TypeError, ErrClosed, the context's
// error, or an error of the network.
type Error struct {
	Command   string // name of the command
	Slot      int    // 0-16383, or NoSlot
	Node      string // host:port of the last node tried; empty if none was
	Attempts  int    // how often the command was sent or about to be, each turn of a blocking one included
	Redirects int    // MOVED and ASK followed
	// Phase is where the last attempt ended: resolve, dial, tls, hello, auth, write, read. It is empty where the server
	// replied or no node was tried.
	Phase     string
	Outcome   Outcome
	Retryable bool // the same command may be sent again: see ErrRetryable
	Err       error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("keyslot: ")
	b.WriteString(e.Command)
	if e.Slot != NoSlot {
		b.WriteString(" (slot " + strconv.Itoa(e.Slot) + ")")
	}
	if e.Node != "" {
		b.WriteString(" at " + e.Node)
	}
	if e.Phase != "" {
		b.WriteString(", " + e.Phase)
	}
	b.WriteString(": " + e.cause())
	if e.Outcome != Answered {
		b.WriteString(" [" + e.Outcome.String())
		if e.Attempts > 1 {
			fmt.Fprintf(&b, " after %d attempts, %d redirects", e.Attempts, e.Redirects)
		}
		b.WriteString("]")
	}
	return b.String()
}

// cause is the text of Err without what stands in front of it already: whose error it is, its phase, its node.
func (e *Error) cause() string {
	text := strings.TrimPrefix(fmt.Sprint(e.Err), "keyslot: ")
	if e.Phase == "" {
		return text
	}
	return strings.TrimPrefix(strings.TrimPrefix(text, e.Phase+": "), e.Phase+" "+e.Node+": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is answer which outcome the command had, and whether it is ErrRetryable.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotExecuted:
		return e.Outcome == NotExecuted
	case ErrUnknownOutcome:
		return e.Outcome == Unknown
	case ErrRetryable:
		return e.Retryable
	}
	return false
}

// ServerError is an error reply as the server sent it, "WRONGTYPE Operation against a ...", but for the arguments of
// the command that it quotes: "NOGROUP No such key '?' ...". What a script raises is its own, whatever it quotes.
//
// It is also among the causes where a server refused a connection that a command waited for (Error.Phase is hello or
// auth), and of what New returns where a server refused that or CLUSTER SLOTS: no command was answered then.
type ServerError string

func (e ServerError) Error() string { return string(e) }

// Code returns the first word of the reply: WRONGTYPE, NOPERM, ERR ...
func (e ServerError) Code() string {
	code, _, _ := strings.Cut(string(e), " ")
	return code
}

// ArgumentError says what is wrong with an argument. Nothing was sent.
type ArgumentError struct {
	Index  int // position of the argument; 0, the command's name, where the command as a whole cannot be sent
	Reason string
}

func (e *ArgumentError) Error() string {
	if e.Index == 0 { // the command as a whole
		return e.Reason
	}
	return fmt.Sprintf("argument %d: %s", e.Index, e.Reason)
}

// TypeError says that a reply has another type than was asked for.
type TypeError struct {
	Want, Got string
}

func (e *TypeError) Error() string { return "reply is " + e.Got + ", not " + e.Want }

// Part is how one part of a command that was split over slots or nodes failed, or one command of a pipeline.
type Part struct {
	Key   string // the key, where a command was split by keys
	Index int    // the position of the command, in a pipeline or transaction; else 0
	Node  string // the node that answered or was tried last
	Err   error
}

// PartsError is how a command fails that was split over slots or ran on several nodes: MGET, MSET, DEL, EXISTS, UNLINK
// and TOUCH over keys of several slots, DBSIZE, FLUSHALL and their like. They are not atomic, and the parts that are
// not listed have succeeded.
//
// It is ErrNotExecuted only if no part ran, and ErrUnknownOutcome if the outcome of any part is unknown.
type PartsError struct {
	Command string
	Total   int // how many parts there were: keys, where the command was split by keys, each as often as it was given; else nodes
	parts   *parts
	again   bool // what has succeeded may run twice
}

// NewPartsError returns the error of the failed parts out of total; again says that the others, which have
// succeeded, may run twice.
func NewPartsError(name string, total int, failed []Part, again bool) *PartsError {
	return &PartsError{Command: name, Total: total, parts: (*parts)(&failed), again: again}
}

// Parts lists the failed parts in the order of the call.
func (e *PartsError) Parts() []Part { return e.parts.list() }

func (e *PartsError) Error() string {
	text := fmt.Sprintf("keyslot: %s failed for %d of %d parts", e.Command, len(e.Parts()), e.Total)
	if len(e.Parts()) > 0 {
		text += ", the first: " + e.Parts()[0].cause()
	}
	return text
}

// Is makes errors.Is answer for the command as a whole: ErrNotExecuted holds of all parts or not at all; ErrRetryable of all
// that failed, if those that did not may run twice; any other error, such as the context's, if it is the cause in one of them.
func (e *PartsError) Is(target error) bool { return is(e.Parts(), target, e.Total, e.again) }

// As finds the first part's error that target can hold, so that errors.As reaches a ServerError in a part.
func (e *PartsError) As(target any) bool { return as(e.Parts(), target) }

// PipelineError is how Exec of a pipeline fails, or of a transaction that ran: some of the queued commands did, and
// their futures say how. The others have succeeded.
//
// It is ErrNotExecuted only if no command ran, and ErrUnknownOutcome if the outcome of any is unknown.
type PipelineError struct {
	Total  int // how many commands were executed together
	Failed int // how many of them failed
	parts  *parts
	again  bool // what has succeeded may run twice
}

// NewPipelineError returns the error of the failed commands out of total; again says that the others, which have
// succeeded, may run twice.
func NewPipelineError(total int, failed []Part, again bool) *PipelineError {
	return &PipelineError{Total: total, Failed: len(failed), parts: (*parts)(&failed), again: again}
}

// Parts lists the failed commands in the order in which they were queued.
func (e *PipelineError) Parts() []Part { return e.parts.list() }

func (e *PipelineError) Error() string {
	text := fmt.Sprintf("keyslot: %d of %d queued commands failed", e.Failed, e.Total)
	if len(e.Parts()) > 0 {
		first := e.Parts()[0]
		text += fmt.Sprintf(", the first, at index %d: %s", first.Index, first.cause())
	}
	return text
}

// Is makes errors.Is answer for the pipeline as a whole: ErrNotExecuted holds of all commands or not at all; ErrRetryable
// of all that failed, if those that did not may run twice; any other error, such as the context's, if it is the cause in
// one of them. The failed ones alone may be retryable where the pipeline is not: each of Parts says so of itself.
func (e *PipelineError) Is(target error) bool { return is(e.Parts(), target, e.Total, e.again) }

// As finds the first command's error that target can hold.
func (e *PipelineError) As(target any) bool { return as(e.Parts(), target) }

// cause is the text of Err behind that of the whole.
func (p Part) cause() string { return strings.TrimPrefix(fmt.Sprint(p.Err), "keyslot: ") }

// parts are the failed ones of several. Errors point to them, so that %#v of an error shows no keys; nil, in the zero
// error, has none.
type parts []Part

func (ps *parts) list() []Part {
	if ps == nil {
		return nil
	}
	return *ps
}

func is(failed []Part, target error, total int, again bool) bool {
	//nolint:errorlint // errors.Is asks with the sentinel itself
	not, retryable := target == ErrNotExecuted, target == ErrRetryable
	if len(failed) == 0 || len(failed) < total && (not || retryable && !again) {
		return false
	}
	all := not || retryable
	for _, p := range failed {
		if errors.Is(p.Err, target) != all {
			return !all
		}
	}
	return all
}

func as(failed []Part, target any) bool {
	for _, p := range failed {
		if errors.As(p.Err, target) {
			return true
		}
	}
	return false
}
