package command_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

func TestRepliesWithTooFewOrTooManyElementsAreRefused(t *testing.T) {
	scores := func(c command.Commands) (any, error) { return c.ZRangeWithScores(ctx, "z", command.ByIndex(0, 1)) }
	matches := func(c command.Commands) (any, error) {
		return c.GeoSearchWith(ctx, "g", command.FromMember("a"), command.ByRadius(1, command.Miles))
	}
	for _, row := range []struct {
		call  read
		frame string
	}{
		{func(c command.Commands) (any, error) { return c.BLPop(ctx, 0, "k") }, "*3\r\n$1\r\nk\r\n$1\r\na\r\n$1\r\nb\r\n"},
		{func(c command.Commands) (any, error) { return c.LMPop(ctx, command.Left, 1, "k") }, "*3\r\n$1\r\nk\r\n*0\r\n*0\r\n"},
		{scores, "*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n"},
		{scores, "*1\r\n*3\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n"},
		{matches, "*1\r\n*3\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n"},
		{matches, "*1\r\n*5\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n" + palermo3 + ":1\r\n"},
		{func(c command.Commands) (any, error) { return c.XRange(ctx, "s", "-", "+") }, "*1\r\n*2\r\n$3\r\n1-1\r\n*3\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\nf\r\n"},
		{func(c command.Commands) (any, error) { return c.XPending(ctx, "s", "g") }, "*4\r\n:1\r\n$3\r\n1-1\r\n$3\r\n1-1\r\n*1\r\n*1\r\n$1\r\nc\r\n"},
	} {
		_, err := row.call(command.New(server(row.frame)))
		require.ErrorAs(t, err, new(*command.TypeError), "%q", row.frame)
	}
}
