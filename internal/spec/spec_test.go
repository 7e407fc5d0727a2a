package spec_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/stretchr/testify/require"
)

func command(t *testing.T, name string) *spec.Command {
	t.Helper()
	c, ok := spec.ByName(name)
	require.True(t, ok, name)
	return c
}

func TestEveryNameIsFoundBothWays(t *testing.T) {
	last := ""
	for c := range spec.All() {
		require.Less(t, last, c.Name, "sorted, and each name once")
		last = c.Name
		require.Equal(t, strings.ToUpper(c.Name), c.Name)
		require.Same(t, c, command(t, c.Name))
		found, ok := spec.Lookup(words(strings.Fields(strings.ToLower(c.Name))))
		require.True(t, ok)
		require.Same(t, c, found)
		require.Equal(t, len(strings.Fields(c.Name)), c.Words)
		require.NotZero(t, c.Arity, c.Name)
		require.LessOrEqual(t, c.Words, max(c.Arity, -c.Arity), c.Name)
	}
	_, ok := spec.ByName("get")
	require.False(t, ok)
}

func TestArityCountsArgumentsWithoutTheName(t *testing.T) {
	for _, test := range []struct {
		call, want string
	}{
		{"GET k", ""},
		{"GET", "GET takes 1 argument, got 0"},
		{"GET a b c", "GET takes 1 argument, got 3"},
		{"PING", ""},
		{"PING a b", ""},
		{"SET k", "SET takes at least 2 arguments, got 1"},
		{"DEL", "DEL takes at least 1 argument, got 0"},
		{"TIME now", "TIME takes 0 arguments, got 1"},
		{"XGROUP CREATE s", "XGROUP CREATE takes at least 3 arguments, got 1"},
		{"CONFIG", "CONFIG takes at least 1 argument, got 0"},
	} {
		call := split(test.call)
		c, ok := spec.Lookup(call)
		require.True(t, ok)
		err := c.CheckArity(len(call))
		if test.want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, test.want)
		var ae *spec.ArityError
		require.True(t, errors.As(err, &ae))
		require.Equal(t, c.Name, ae.Command)
	}
}

func TestBlockTimeout(t *testing.T) {
	for _, test := range []struct {
		call  string
		index int // 0: does not block
		unit  time.Duration
	}{
		{"BLPOP a b 1.5", 3, time.Second},
		{"BLMOVE a b LEFT RIGHT 2", 5, time.Second},
		{"BRPOPLPUSH a b 2", 3, time.Second},
		{"BZPOPMIN a 2", 2, time.Second},
		{"BLMPOP 2 1 a LEFT", 1, time.Second},
		{"BZMPOP 2 1 a MIN", 1, time.Second},
		{"XREAD STREAMS a 0", 0, 0},
		{"XREAD STREAMS BLOCK 0", 0, 0},
		{"XREAD COUNT 1 block 500 STREAMS a $", 4, time.Millisecond},
		{"XREADGROUP GROUP BLOCK block COUNT 1 STREAMS a >", 0, 0},
		{"XREADGROUP GROUP g c BLOCK 0 STREAMS a >", 5, time.Millisecond},
		{"XREAD BLOCK", 0, 0},
		{"WAIT 1 100", 2, time.Millisecond},
		{"WAITAOF 1 1 100", 3, time.Millisecond},
		{"LPOP a", 0, 0},
	} {
		c, ok := spec.Lookup(split(test.call))
		require.True(t, ok)
		index, unit, blocks := c.BlockTimeout(split(test.call))
		require.Equal(t, test.index > 0, blocks, test.call)
		require.Equal(t, test.index, index, test.call)
		require.Equal(t, test.unit, unit, test.call)
	}
}

// A blocking command without a known timeout would be given the deadline of an ordinary one.
func TestEveryBlockingCommandHasATimeout(t *testing.T) {
	for c := range spec.All() {
		call := append(words(strings.Fields(c.Name)), "BLOCK", "1", "1", "1", "1", "1", "1")
		_, _, blocks := c.BlockTimeout(call)
		require.Equal(t, c.Flags.Has(spec.Blocking), blocks, c.Name)
	}
}

func TestWhatMayGoToAReplica(t *testing.T) {
	for name, want := range map[string]bool{
		"GET": true, "MGET": true, "PFCOUNT": true, "EVAL_RO": true, "FCALL_RO": true, "XREAD": true, "SORT_RO": true,
		"GEORADIUS_RO": true, "KEYS": true, "DBSIZE": true, "JSON.GET": true, "HTTL": true,
		"SET": false, "GETEX": false, "EVAL": false, "FCALL": false, "XREADGROUP": false, "SORT": false,
		"GEORADIUS": false, "BITFIELD": false, "HGETEX": false, "PUBLISH": false, "OBJECT": false,
		"OBJECT ENCODING": true, "OBJECT IDLETIME": false, "OBJECT FREQ": false, "TOUCH": false,
	} {
		require.Equal(t, want, command(t, name).ReplicaSafe(), name)
	}
}

func TestWhatMayBeRepeated(t *testing.T) {
	for call, want := range map[string]bool{
		"GET k": true, "EVAL_RO s 0": true, "SCAN 0": true, "DBSIZE": true, "RANDOMKEY": true, "PING": true, "ECHO a": true,
		"TIME": true, "INFO": true, "CLUSTER SLOTS": true, "CONFIG GET a": true, "SORT k": true, "OBJECT HELP": true,
		"GEORADIUS k 1 1 1 m": true, "XREAD BLOCK 0 STREAMS a $": true,
		"SET k v": false, "GETEX k": false, "EVAL s 0": false, "XREADGROUP GROUP g c STREAMS a >": false, "PUBLISH c m": false,
		"SORT k STORE d": false, "SORT": false, "GEORADIUS k 1 1 1 m STOREDIST d": false, "ACL LOG": false, "CONFIG SET a b": false,
		"TOUCH k": true, "OBJECT IDLETIME k": true,
		"FT.CURSOR READ i 1": false, "OBJECT NEWER k": false, "CLUSTER NEWER": false, "SPUBLISH c m": false,
	} {
		c, ok := spec.Lookup(split(call))
		require.True(t, ok, call)
		require.Equal(t, want, c.Repeatable(split(call)), call)
	}
}

// No row claims to write and not to.
func TestFlagsDoNotContradictEachOther(t *testing.T) {
	for c := range spec.All() {
		if c.Flags.Has(spec.Write) {
			require.Zero(t, c.Flags&(spec.ReadOnly|spec.SideEffectFree), c.Name)
		}
		if c.Flags.Has(spec.RouteOnly) {
			require.True(t, c.HasKeys(), c.Name)
		}
		if c.Request == spec.RequestMultiShard {
			require.True(t, c.HasKeys(), c.Name)
		}
	}
}

func TestWhatIsSplitBySlot(t *testing.T) {
	var split []string
	for c := range spec.All() {
		if c.Request == spec.RequestMultiShard {
			split = append(split, c.Name)
		}
	}
	require.Equal(t, []string{"DEL", "EXISTS", "MGET", "MSET", "TOUCH", "UNLINK"}, split, "the atomic MSETNX and MSETEX are not")
}

func TestPolicies(t *testing.T) {
	for name, want := range map[string][2]any{
		"GET":           {spec.RequestDefault, spec.ResponseDefault},
		"PING":          {spec.RequestDefault, spec.ResponseAllSucceeded},
		"DEL":           {spec.RequestMultiShard, spec.ResponseSum},
		"MSET":          {spec.RequestMultiShard, spec.ResponseAllSucceeded},
		"MGET":          {spec.RequestMultiShard, spec.ResponseDefault},
		"DBSIZE":        {spec.RequestAllShards, spec.ResponseSum},
		"KEYS":          {spec.RequestAllShards, spec.ResponseDefault},
		"FLUSHALL":      {spec.RequestAllShards, spec.ResponseAllSucceeded},
		"SCRIPT LOAD":   {spec.RequestAllNodes, spec.ResponseAllSucceeded},
		"SCRIPT KILL":   {spec.RequestAllShards, spec.ResponseOneSucceeded},
		"SCRIPT EXISTS": {spec.RequestAllShards, spec.ResponseAnd},
		"WAIT":          {spec.RequestAllShards, spec.ResponseMin},
		"SCAN":          {spec.RequestSpecial, spec.ResponseSpecial},
	} {
		c := command(t, name)
		require.Equal(t, want, [2]any{c.Request, c.Response}, name)
	}
}

func TestSlotArg(t *testing.T) {
	for _, test := range []struct {
		call string
		slot uint16
		ok   bool
	}{
		{"CLUSTER COUNTKEYSINSLOT 16383", 16383, true},
		{"cluster getkeysinslot 0 10", 0, true},
		{"CLUSTER COUNTKEYSINSLOT 16384", 0, false},
		{"CLUSTER COUNTKEYSINSLOT -1", 0, false},
		{"CLUSTER COUNTKEYSINSLOT 4294967296", 0, false},
		{"CLUSTER COUNTKEYSINSLOT x", 0, false},
		{"CLUSTER COUNTKEYSINSLOT", 0, false},
		{"CLUSTER KEYSLOT 7", 0, false},
		{"GET 7", 0, false},
	} {
		c, ok := spec.Lookup(split(test.call))
		require.True(t, ok)
		slot, ok := c.SlotArg(split(test.call))
		require.Equal(t, test.ok, ok, test.call)
		require.Equal(t, test.slot, slot, test.call)
	}
}

// Commands that change a connection, or the count of replies on it, must never reach one that others use.
func TestWhatIsRefusedOnSharedConnections(t *testing.T) {
	refused := strings.Fields(`SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR SYNC PSYNC
		REPLCONF HELLO RESET QUIT AUTH SELECT MULTI EXEC DISCARD WATCH UNWATCH ASKING READONLY READWRITE SHUTDOWN DEBUG WAIT
		WAITAOF CLIENT|REPLY CLIENT|TRACKING CLIENT|CACHING CLIENT|NO-TOUCH CLIENT|NO-EVICT CLIENT|CAPA CLIENT|SETNAME
		CLIENT|SETINFO CLIENT|IMPORT-SOURCE CLIENT SCRIPT|DEBUG CLUSTER|SYNCSLOTS`)
	var got []string
	for c := range spec.All() {
		if c.Refuse != "" {
			got = append(got, strings.ReplaceAll(c.Name, " ", "|"))
			require.Contains(t, c.Refuse, " ", c.Name)
			require.False(t, strings.HasSuffix(c.Refuse, "."), "a clause, not a sentence: %s", c.Name)
		}
	}
	slices.Sort(refused)
	slices.Sort(got)
	require.Equal(t, refused, got)
	require.Empty(t, command(t, "CLIENT ID").Refuse)
	c, _ := spec.Lookup(words{"CLIENT", "FUTURE"})
	require.NotEmpty(t, c.Refuse, "an unknown CLIENT subcommand may change the connection")
}
