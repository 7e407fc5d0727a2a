package command_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

func TestRepliesOfServersAreRead(t *testing.T) {
	ctx := t.Context()
	for _, row := range []struct {
		name  string
		read  read
		want  any
		resp2 string
		resp3 string // the same, if empty
	}{
		{"TIME", func(c command.Commands) (any, error) { return c.Time(ctx) }, time.UnixMicro(3000004), "*2\r\n$1\r\n3\r\n$1\r\n4\r\n", ""},
		{"LATENCY HISTORY", func(c command.Commands) (any, error) { return c.LatencyHistory(ctx, "command") },
			[]command.LatencySpike{{time.Unix(3, 0), 4 * time.Millisecond}}, "*1\r\n*2\r\n:3\r\n:4\r\n", ""},
		{"LATENCY LATEST", func(c command.Commands) (any, error) { return c.LatencyLatest(ctx) },
			[]command.LatencyEvent{{"fork", time.Unix(3, 0), 4 * time.Millisecond, 5 * time.Millisecond}},
			"*1\r\n*4\r\n$4\r\nfork\r\n:3\r\n:4\r\n:5\r\n", "*1\r\n*5\r\n$4\r\nfork\r\n:3\r\n:4\r\n:5\r\n:6\r\n"},
		{"SLOWLOG GET", func(c command.Commands) (any, error) { return c.SlowLogGet(ctx, 1) },
			[]command.SlowCommand{{1, time.Unix(3, 0), 4 * time.Microsecond, []string{"GET", "a"}, "addr", "name"}},
			"*1\r\n*6\r\n:1\r\n:3\r\n:4\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n$4\r\naddr\r\n$4\r\nname\r\n", ""},
		{"PUBSUB NUMSUB", func(c command.Commands) (any, error) { return c.PubSubNumSub(ctx, "a") },
			map[string]int64{"a": 1}, "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"},
		{"CLUSTER INFO", func(c command.Commands) (any, error) { return c.ClusterInfo(ctx) },
			map[string]string{"cluster_state": "ok", "x": "1:2"}, "$25\r\ncluster_state:ok\r\nx:1:2\r\n\r\n", "=29\r\ntxt:cluster_state:ok\r\nx:1:2\r\n\r\n"},
		{"FUNCTION LIST", func(c command.Commands) (any, error) { return c.FunctionList(ctx) },
			[]command.Library{{Name: "l", Engine: "LUA", Functions: []command.Function{{Name: "f", Flags: []string{"no-writes"}}}}},
			"*1\r\n*6\r\n+library_name\r\n$1\r\nl\r\n+engine\r\n$3\r\nLUA\r\n+functions\r\n*1\r\n*6\r\n+name\r\n$1\r\nf\r\n+description\r\n$-1\r\n+flags\r\n*1\r\n+no-writes\r\n",
			"*1\r\n%3\r\n+library_name\r\n$1\r\nl\r\n+engine\r\n$3\r\nLUA\r\n+functions\r\n*1\r\n%3\r\n+name\r\n$1\r\nf\r\n+description\r\n_\r\n+flags\r\n~1\r\n+no-writes\r\n"},
		{"CONFIG GET", func(c command.Commands) (any, error) { return c.ConfigGet(ctx, "a") },
			map[string]string{"a": "1"}, "*2\r\n$1\r\na\r\n$1\r\n1\r\n", "%1\r\n$1\r\na\r\n$1\r\n1\r\n"},
		{"LCS IDX", func(c command.Commands) (any, error) { return c.LCSIdx(ctx, "a", "b") },
			command.CommonRanges{Len: 2, Ranges: []command.CommonRange{{[2]int64{0, 1}, [2]int64{4, 5}, 2}}},
			"*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:0\r\n:1\r\n*2\r\n:4\r\n:5\r\n:2\r\n$3\r\nlen\r\n:2\r\n",
			"%2\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:0\r\n:1\r\n*2\r\n:4\r\n:5\r\n:2\r\n$3\r\nlen\r\n:2\r\n"},
	} {
		for _, frame := range []string{row.resp2, row.resp3} {
			if frame == "" {
				continue
			}
			got, err := row.read(answering(frame))
			require.NoError(t, err, "%s %q", row.name, frame)
			require.Equal(t, row.want, got, "%s %q", row.name, frame)
		}
		isAnOutcome(t, row.name, row.read)
	}
}

// isAnOutcome gives a command replies that it does not expect. None may be a panic, and a null is Nil.
func isAnOutcome(t *testing.T, name string, read read) {
	t.Helper()
	for _, frame := range []string{":1\r\n", "*0\r\n", "*1\r\n_\r\n", "*1\r\n*0\r\n", "*1\r\n%0\r\n", "*1\r\n-ERR x\r\n", "%1\r\n+a\r\n*0\r\n", "$0\r\n\r\n", "#t\r\n"} {
		_, err := read(answering(frame))
		if err != nil {
			require.NotErrorIs(t, err, command.Nil, "%s %q", name, frame)
			require.ErrorAs(t, err, new(*command.Error), fmt.Sprint(name, " ", frame))
		}
	}
	_, err := read(answering("_\r\n"))
	require.ErrorIs(t, err, command.Nil, name)
}

func TestAUserThatIsMissingIsNil(t *testing.T) {
	for _, null := range []string{"_\r\n", "$-1\r\n", "*-1\r\n"} {
		_, err := answering(null).ACLGetUser(t.Context(), "nobody")
		require.ErrorIs(t, err, command.Nil, "%q", null)
	}
	user, err := answering("%1\r\n$5\r\nflags\r\n*0\r\n").ACLGetUser(t.Context(), "somebody")
	require.NoError(t, err)
	require.Equal(t, "[flags []]", user.String())
}
