package keyslot_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestElementsOfACollection(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	do := func(args ...any) {
		_, err := client.Do(t.Context(), args...)
		require.NoError(t, err)
	}
	do("HSET", "h", "name", "ann", "age", "7")
	do("SADD", "s", "a", "b")
	do("ZADD", "z", "1.5", "one", "-inf", "none")

	fields := map[string]string{}
	for field, err := range client.HScan(t.Context(), "h", "") {
		require.NoError(t, err)
		fields[field.Name] = field.Value
	}
	require.Equal(t, map[string]string{"name": "ann", "age": "7"}, fields)
	for field, err := range client.HScan(t.Context(), "h", "n*", 10) {
		require.NoError(t, err)
		require.Equal(t, command.Field{Name: "name", Value: "ann"}, field)
	}
	members := map[string]bool{}
	for member, err := range client.SScan(t.Context(), "s", "") {
		require.NoError(t, err)
		members[member] = true
	}
	require.Equal(t, map[string]bool{"a": true, "b": true}, members)
	for scored, err := range client.ZScan(t.Context(), "z", "o*") {
		require.NoError(t, err)
		require.Equal(t, command.Scored{Member: "one", Score: 1.5}, scored)
	}
	for range client.SScan(t.Context(), "missing", "") {
		require.Fail(t, "a missing key has no members")
	}
	for _, err := range client.SScan(t.Context(), "h", "") {
		var refusal keyslot.ServerError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, "WRONGTYPE", refusal.Code())
	}
}

// A cursor means nothing to another node.
func TestElementsBeginAnewOnAnotherNode(t *testing.T) {
	for _, redirect := range []string{"-MOVED 866 " + upper, "-ASK 866 " + upper} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On("SSCAN", keysOf("7", "a"), says("%s", redirect))
			s.upper.On("SSCAN", keysOf("0"), keysOf("5", "b"), keysOf("0", "a", "c"))
			var seen []string
			for member, err := range s.client.SScan(t.Context(), low, "") {
				require.NoError(t, err)
				seen = append(seen, member)
			}
			require.Equal(t, []string{"a", "b", "a", "c"}, seen)
			var cursors []string
			for _, r := range sent(s.upper, "SSCAN") {
				cursors = append(cursors, r.Args[2])
			}
			require.Equal(t, []string{"7", "0", "5"}, cursors)
		})
	}
}

func TestElementsEndWithTheirCallerOrWithNonsense(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		endless := keysOf("5", "a")
		endless.Delay = time.Millisecond
		s.lower.On("SSCAN", endless)
		var last error
		for _, err := range s.client.SScan(within(t, time.Second), low, "") {
			last = err
		}
		require.ErrorIs(t, last, context.DeadlineExceeded)
		for range s.client.SScan(t.Context(), low, "") {
			break
		}
		for _, reply := range []string{"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nx\r\n", "+OK\r\n"} {
			s.lower.On("ZSCAN", fakenode.Reaction{Send: reply})
			for _, err := range s.client.ZScan(t.Context(), low, "") {
				require.ErrorAs(t, err, new(*command.TypeError), "%q", reply)
			}
		}
	})
}

func TestElementsAreSeenWhileTheirKeyMoves(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		const key = "k596"
		require.Zero(t, keyslot.Slot(key), "the first slot moves first")
		for i := range 3000 {
			_, err := client.Do(t.Context(), "SADD", key, i)
			require.NoError(t, err)
		}
		seen, moved := map[string]bool{}, false
		for member, err := range client.SScan(t.Context(), key, "", 20) {
			require.NoError(t, err)
			seen[member] = true
			if len(seen) == 1500 && !moved {
				moved = true
				require.NoError(t, cluster.Reshard(t.Context(), cluster.Node(0), cluster.Node(1), 1))
			}
		}
		require.True(t, moved)
		for i := range 3000 {
			require.True(t, seen[fmt.Sprint(i)], "%d", i)
		}
	})
}
