package command_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

func failed(outcome command.Outcome, cause error) *command.Error {
	return &command.Error{Command: "GET", Slot: 7, Node: "10.0.0.1:6379", Outcome: outcome, Err: cause}
}

func TestAnErrorTellsItsOutcomeAndItsCause(t *testing.T) {
	for _, row := range []struct {
		outcome        command.Outcome
		isNot, unknown bool
	}{{command.Answered, false, false}, {command.NotExecuted, true, false}, {command.Unknown, false, true}} {
		err := fmt.Errorf("wrapped: %w", failed(row.outcome, fmt.Errorf("%w; last answer: %w", context.Canceled, command.ServerError("BUSY x"))))
		require.Equal(t, row.isNot, errors.Is(err, command.ErrNotExecuted))
		require.Equal(t, row.unknown, errors.Is(err, command.ErrUnknownOutcome))
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, command.Nil)
		var server command.ServerError
		require.ErrorAs(t, err, &server)
		require.Equal(t, "BUSY", server.Code())
		var trail *command.Error
		require.ErrorAs(t, err, &trail)
		require.Equal(t, row.outcome, trail.Outcome)
	}
}

func TestAnErrorReadsAsASentence(t *testing.T) {
	require.EqualError(t, failed(command.Answered, command.ServerError("WRONGTYPE x")), "keyslot: GET (slot 7) at 10.0.0.1:6379: WRONGTYPE x")
	require.EqualError(t, failed(command.NotExecuted, command.ErrClosed), "keyslot: GET (slot 7) at 10.0.0.1:6379: client closed [not executed]")
	require.EqualError(t, &command.Error{
		Command: "PING", Slot: command.NoSlot, Phase: "dial", Attempts: 3, Redirects: 1, Outcome: command.NotExecuted, Err: context.Canceled,
	}, "keyslot: PING, dial: context canceled [not executed after 3 attempts, 1 redirects]")
	parts := command.NewPartsError("MGET", 2, []command.Part{{Err: failed(command.NotExecuted, command.ErrClosed)}}, true)
	require.EqualError(t, parts, "keyslot: MGET failed for 1 of 2 parts, the first: GET (slot 7) at 10.0.0.1:6379: client closed [not executed]")
}

// What an error of the network begins with has been said by then.
func TestAnErrorSaysNothingTwice(t *testing.T) {
	for cause, want := range map[string]string{
		"read: connection reset by peer":              "read: connection reset by peer",
		"read 10.0.0.1:6379: connection reset":        "read: connection reset",
		"read 10.0.0.9:6379: connection reset":        "read: read 10.0.0.9:6379: connection reset",
		"keyslot: read: connection reset":             "read: connection reset",
		"given up; last attempt: read: no connection": "read: given up; last attempt: read: no connection",
	} {
		e := failed(command.Unknown, errors.New(cause))
		e.Phase = "read"
		require.EqualError(t, e, "keyslot: GET (slot 7) at 10.0.0.1:6379, "+want+" [outcome unknown]")
	}
}

func TestFailuresAreRetryableTogetherIfEachIsAndTheRestMayRunTwice(t *testing.T) {
	for _, row := range []struct {
		failed []bool // whether each is retryable, of three commands
		again  bool   // whether what succeeded may run twice
		want   bool
	}{
		{[]bool{true}, true, true}, {[]bool{true}, false, false}, {[]bool{true, true, true}, false, true}, {[]bool{true, false}, true, false},
		{[]bool{false}, true, false},
	} {
		var parts []command.Part
		for _, retryable := range row.failed {
			e := failed(command.NotExecuted, context.DeadlineExceeded)
			e.Retryable = retryable
			require.Equal(t, retryable, errors.Is(fmt.Errorf("wrapped: %w", e), command.ErrRetryable))
			parts = append(parts, command.Part{Err: e})
		}
		require.Equal(t, row.want, errors.Is(command.NewPipelineError(3, parts, row.again), command.ErrRetryable), "%v", row.failed)
		require.Equal(t, row.want, errors.Is(command.NewPartsError("DEL", 3, parts, row.again), command.ErrRetryable), "%v", row.failed)
	}
}

func TestServerErrorCode(t *testing.T) {
	for text, code := range map[string]string{"": "", "ERR": "ERR", "ERR x y": "ERR", " x": ""} {
		require.Equal(t, code, command.ServerError(text).Code())
	}
}

// A split command was not executed only if no part of it was, and its outcome is unknown if that of any part is.
func TestPartsTogether(t *testing.T) {
	not := failed(command.NotExecuted, command.ErrClosed)
	unknown := failed(command.Unknown, context.DeadlineExceeded)
	answered := failed(command.Answered, command.ServerError("WRONGTYPE x"))
	for _, row := range []struct {
		name               string
		total              int
		failed             []error
		isNot, isUnknown   bool
		isClosed, isServer bool
	}{
		{"no part ran", 2, []error{not, not}, true, false, true, false},
		{"one of two was not executed, the other succeeded", 2, []error{not}, false, false, true, false},
		{"one refused, one answered", 2, []error{not, answered}, false, false, true, true},
		{"one unknown among the not executed", 3, []error{not, unknown, not}, false, true, true, false},
		{"one unknown, the others succeeded", 3, []error{unknown}, false, true, false, false},
		{"all unknown", 1, []error{unknown}, false, true, false, false},
		{"all answered", 1, []error{answered}, false, false, false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var parts []command.Part
			for i, err := range row.failed {
				parts = append(parts, command.Part{Key: fmt.Sprint("secret", i), Err: err})
			}
			err := error(command.NewPartsError("DEL", row.total, parts, false))
			require.Equal(t, row.isNot, errors.Is(err, command.ErrNotExecuted))
			require.Equal(t, row.isUnknown, errors.Is(err, command.ErrUnknownOutcome))
			require.Equal(t, row.isClosed, errors.Is(err, command.ErrClosed))
			require.Equal(t, row.isServer, errors.As(err, new(command.ServerError)))
			require.NotContains(t, err.Error(), "secret")
			var together *command.PartsError
			require.ErrorAs(t, fmt.Errorf("wrapped: %w", err), &together)
			require.Equal(t, parts, together.Parts())
			require.Equal(t, row.total, together.Total)

			err = command.NewPipelineError(row.total, parts, false)
			require.Equal(t, row.isNot, errors.Is(err, command.ErrNotExecuted))
			require.Equal(t, row.isUnknown, errors.Is(err, command.ErrUnknownOutcome))
			require.Equal(t, row.isClosed, errors.Is(err, command.ErrClosed))
			require.Equal(t, row.isServer, errors.As(err, new(command.ServerError)))
			var pipeline *command.PipelineError
			require.ErrorAs(t, fmt.Errorf("wrapped: %w", err), &pipeline)
			require.Equal(t, []int{row.total, len(row.failed)}, []int{pipeline.Total, pipeline.Failed})
		})
	}
}
