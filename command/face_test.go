package command_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
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
