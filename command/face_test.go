package command_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// What waits at the server would hold up what is queued behind it, and so is refused in every pipeline and transaction.
func TestWhatWaitsCannotBeQueued(t *testing.T) {
	for _, name := range []string{"BLPop", "BRPop", "BLMove", "BLMoveBytes", "BLMPop", "BZPopMin", "BZPopMax", "BZMPopMin", "BZMPopMax"} {
		_, alone := reflect.TypeFor[command.Commands]().MethodByName(name)
		_, queued := reflect.TypeFor[*command.Queued]().MethodByName(name)
		require.True(t, alone, name)
		require.False(t, queued, name)
	}
	_, queued := reflect.TypeFor[*command.Queued]().MethodByName("XRead")
	require.True(t, queued, "it waits with Block only")
}

// An option that is nil was meant to be one.
func TestANilOptionIsRefused(t *testing.T) {
	ctx, c := t.Context(), answering("+OK\r\n")
	var pointer *command.Trim
	_, zrange := c.ZRange(ctx, "k", command.ByIndex(0, 1), nil)
	_, xadd := c.XAdd(ctx, "k", []command.Field{{Name: "f", Value: "v"}}, pointer)
	_, combine := c.ZUnion(ctx, []string{"k"}, nil)
	_, nowhere := c.ZRange(ctx, "k", nil)
	for _, err := range []error{c.Set(ctx, "k", "v", nil), c.Set(ctx, "k", "v", command.KeepTTL, nil), zrange, xadd, combine, nowhere} {
		var wrong *command.ArgumentError
		require.ErrorAs(t, err, &wrong)
		require.ErrorIs(t, err, command.ErrNotExecuted)
		require.Regexp(t, "nil|not one of", wrong.Reason)
	}
}

func TestBytesGoInAndOutAsStringsDo(t *testing.T) {
	type cs = command.Commands
	raw := []byte("a\x00b")
	checkExchanges(t, []exchange{
		{"SET k a\x00b NX", func(c cs) (any, error) { return c.SetNXBytes(ctx, "k", raw) }, true, in("+OK\r\n")},
		{"SET k a\x00b XX KEEPTTL", func(c cs) (any, error) { return c.SetXXBytes(ctx, "k", raw, command.KeepTTL) }, true, in("+OK\r\n")},
		{"SET k a\x00b IFEQ old", func(c cs) (any, error) { return c.SetIfEqBytes(ctx, "k", raw, []byte("old")) }, true, in("+OK\r\n")},
		{"SET k a\x00b GET", func(c cs) (any, error) { return c.SetGetBytes(ctx, "k", raw) }, []byte("old"), in("$3\r\nold\r\n")},
		{"APPEND k a\x00b", func(c cs) (any, error) { return c.AppendBytes(ctx, "k", raw) }, int64(3), in(":3\r\n")},
		{"GETRANGE k 0 -1", func(c cs) (any, error) { return c.GetRangeBytes(ctx, "k", 0, -1) }, raw, in("$3\r\na\x00b\r\n")},
		{"SETRANGE k 2 a\x00b", func(c cs) (any, error) { return c.SetRangeBytes(ctx, "k", 2, raw) }, int64(5), in(":5\r\n")},
		{"CLUSTER KEYSLOT k", func(c cs) (any, error) { return c.ClusterKeySlot(ctx, "k") }, uint16(7629), in(":7629\r\n")},
	})
	_, err := answering(":16384\r\n").ClusterKeySlot(ctx, "k")
	require.ErrorAs(t, err, new(*command.TypeError))
}

// A null among the elements is no answer that there is no reply.
func TestANullElementIsNoNilReply(t *testing.T) {
	null := resp.Value{Kind: resp.Null}
	list := command.NewReply(resp.Value{Kind: resp.Array, Elems: []resp.Value{{Kind: resp.BulkString, Str: "a"}, null}})
	_, err := list.Strings()
	require.NotErrorIs(t, err, command.Nil)
	require.Equal(t, &command.TypeError{Want: "a string", Got: "nil"}, err)
	_, err = command.NewReply(resp.Value{Kind: resp.Map, Elems: []resp.Value{null, null}}).Map()
	require.Equal(t, &command.TypeError{Want: "a string", Got: "nil"}, err)
	_, err = command.NewReply(null).Strings()
	require.ErrorIs(t, err, command.Nil)
}

// A program that makes an error of its own, or forgets what is in it, can print it and ask it.
func TestErrorsThatHoldNothingCanBeAsked(t *testing.T) {
	for _, err := range []interface {
		error
		Parts() []command.Part
	}{
		new(command.PartsError), new(command.PipelineError), command.NewPartsError("MGET", 0, nil, true), command.NewPipelineError(2, nil, true),
	} {
		require.NotEmpty(t, err.Error())
		require.Empty(t, err.Parts())
		for _, is := range []error{command.ErrNotExecuted, command.ErrUnknownOutcome, command.ErrRetryable, command.ErrClosed} {
			require.NotErrorIs(t, err, is)
		}
		require.False(t, errors.As(err, new(command.ServerError)))
	}
	require.NotEmpty(t, command.NewPartsError("MGET", 1, []command.Part{{Key: "k"}}, true).Error())
	require.NotEmpty(t, command.NewPipelineError(1, []command.Part{{}}, true).Error())
	require.Equal(t, "Outcome(3)", command.Outcome(3).String())
}
