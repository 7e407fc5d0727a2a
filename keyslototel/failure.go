package keyslototel

import (
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/keyslot-go/keyslot"
)

// failure is how a call failed, in as few words as there are kinds.
type failure struct {
	kind   string // error.type
	status string // db.response.status_code; empty without an error reply
}

// failureOf returns what is known of an error. Of a call of several commands the first failure counts. What ran out of
// time wraps the last answer of a server too, which was not the end of it; what a server refused a login or New with is
// no answer to a command.
func failureOf(err error) failure {
	err = firstOf(err)
	var (
		reply keyslot.ServerError
		trail *keyslot.Error
		f     failure
	)
	refused := errors.As(err, &trail) && (trail.Phase == "hello" || trail.Phase == "auth")
	first := errors.As(err, new(*keyslot.BootstrapError))
	if !refused && !first && errors.As(err, &reply) {
		f.status = codeOf(reply)
	}
	switch {
	case errors.Is(err, keyslot.ErrTxAborted):
		f.kind = "transaction_aborted"
	case errors.Is(err, keyslot.ErrClosed):
		f.kind = "client_closed"
	case errors.Is(err, context.Canceled):
		f.kind = "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		f.kind = "timeout"
	case f.status != "":
		f.kind = f.status
	case errors.As(err, new(*keyslot.ArgumentError)):
		f.kind = "invalid_argument"
	case errors.Is(err, keyslot.ErrUnknownNode):
		f.kind = "unknown_node"
	case first:
		f.kind = "bootstrap"
	case trail != nil && trail.Phase != "":
		f.kind = "connection_" + trail.Phase
	default:
		f.kind = otherName
	}
	return f
}

// firstOf returns the first failure of a call of several commands or parts, or err itself.
func firstOf(err error) error {
	var batch *keyslot.PipelineError
	if errors.As(err, &batch) && len(batch.Parts()) > 0 {
		err = batch.Parts()[0].Err
	}
	var split *keyslot.PartsError
	if errors.As(err, &split) && len(split.Parts()) > 0 {
		err = split.Parts()[0].Err
	}
	return err
}

// codeOf returns the code of an error reply: WRONGTYPE, ERR. A script may return any text as an error, and what is no
// word in upper case is none of the server's codes.
func codeOf(reply keyslot.ServerError) string {
	code := reply.Code()
	if code == "" || len(code) > 32 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return otherName
	}
	return code
}

func (f failure) appendTo(to []attribute.KeyValue) []attribute.KeyValue {
	if f.status != "" {
		to = append(to, semconv.DBResponseStatusCode(f.status))
	}
	return append(to, semconv.ErrorTypeKey.String(f.kind))
}

// outcomeOf says what became of a failed call: whether it has run.
func outcomeOf(err error) string {
	switch {
	case errors.Is(err, keyslot.ErrNotExecuted):
		return "not_executed"
	case errors.Is(err, keyslot.ErrUnknownOutcome):
		return "unknown"
	}
	return "answered"
}
