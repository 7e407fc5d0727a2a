package keyslot_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// ofOneNode are the commands that change one node, or describe it: nobody but the caller can know which.
var ofOneNode = strings.Split("ACL,ACL LOAD,ACL LOG,BGREWRITEAOF,BGSAVE,"+
	"CLIENT GETREDIR,CLIENT ID,CLIENT INFO,CLIENT KILL,CLIENT LIST,CLIENT PAUSE,CLIENT TRACKINGINFO,CLIENT UNBLOCK,CLIENT UNPAUSE,"+
	"CLUSTER,CLUSTER ADDSLOTS,CLUSTER ADDSLOTSRANGE,CLUSTER BUMPEPOCH,CLUSTER CANCELSLOTMIGRATIONS,CLUSTER COUNT-FAILURE-REPORTS,"+
	"CLUSTER DELSLOTS,CLUSTER DELSLOTSRANGE,CLUSTER FAILOVER,CLUSTER FLUSHSLOTS,CLUSTER FORGET,CLUSTER GETSLOTMIGRATIONS,CLUSTER LINKS,"+
	"CLUSTER MEET,CLUSTER MIGRATESLOTS,CLUSTER MIGRATION,CLUSTER MYID,CLUSTER MYSHARDID,CLUSTER REPLICATE,CLUSTER RESET,CLUSTER SAVECONFIG,"+
	"CLUSTER SET-CONFIG-EPOCH,CLUSTER SETSLOT,COMMANDLOG,CONFIG,FAILOVER,FT.CONFIG,FUNCTION,FUNCTION STATS,INFO,LASTSAVE,"+
	"LATENCY,LATENCY DOCTOR,LATENCY GRAPH,LATENCY HISTOGRAM,LATENCY HISTORY,LATENCY LATEST,"+
	"MEMORY,MEMORY DOCTOR,MEMORY MALLOC-STATS,MEMORY STATS,MODULE,MODULE LIST,MODULE LOAD,MODULE LOADEX,MODULE UNLOAD,"+
	"PUBSUB,PUBSUB CHANNELS,PUBSUB NUMPAT,PUBSUB NUMSUB,REPLICAOF,ROLE,SAVE,SCRIPT,SLAVEOF,SLOWLOG", ",")

// ofAnyNode are those without a key that any primary may answer: what all of them say alike, or what suits whoever asks.
var ofAnyNode = strings.Split("ACL CAT,ACL DRYRUN,ACL GENPASS,ACL GETUSER,ACL LIST,ACL USERS,ACL WHOAMI,CLIENT GETNAME,"+
	"CLUSTER INFO,CLUSTER KEYSLOT,CLUSTER NODES,CLUSTER REPLICAS,CLUSTER SHARDS,CLUSTER SLAVES,CLUSTER SLOTS,"+
	"COMMAND,COMMAND COUNT,COMMAND DOCS,COMMAND GETKEYS,COMMAND GETKEYSANDFLAGS,COMMAND INFO,COMMAND LIST,CONFIG GET,ECHO,"+
	"FT.AGGREGATE,FT.ALIASADD,FT.ALIASDEL,FT.ALIASUPDATE,FT.ALTER,FT.CREATE,FT.DICTADD,FT.DICTDEL,FT.DICTDUMP,FT.DROPINDEX,FT.EXPLAIN,"+
	"FT.EXPLAINCLI,FT.HYBRID,FT.INFO,FT.PROFILE,FT.SEARCH,FT.SPELLCHECK,FT.SYNDUMP,FT.SYNUPDATE,FT.TAGVALS,FT._LIST,"+
	"FUNCTION DUMP,FUNCTION LIST,LOLWUT,PFSELFTEST,PING,PUBLISH,SCRIPT SHOW,SWAPDB,TIME,TS.MGET,TS.MRANGE,TS.MREVRANGE,TS.QUERYINDEX", ",")

// A command that is about one node runs on the node that the caller names, and on no other: FLUSHSLOTS at a random
// primary would be an outage.
func TestWhatIsAboutOneNodeIsRefusedWithoutAView(t *testing.T) {
	_, c := begin(t, keyslottest.Options{Shards: 2}, keyslot.Options{})
	var refusals, anywhere []string
	for cmd := range spec.All() {
		call := callOf(cmd)
		if keys, err := cmd.AppendKeys(nil, call); err != nil || len(keys) > 0 || cmd.Refuse != "" {
			continue
		}
		_, slot := cmd.SlotArg(call)
		if cmd.Request == spec.RequestDefault && !slot && !strings.HasSuffix(cmd.Name, " HELP") {
			anywhere = append(anywhere, cmd.Name)
		}
		_, err := c.Do(t.Context(), anys(call)...)
		if err == nil || !strings.Contains(err.Error(), "a view made by Client.On(ToNode(...))") || cmd.Request == spec.RequestSpecial {
			continue
		}
		require.Contains(t, refused(t, err, 0), "Client.DoEach", cmd.Name)
		refusals = append(refusals, cmd.Name)
	}
	require.Equal(t, ofOneNode, refusals)
	require.Equal(t, ofAnyNode, anywhere)
}

// callOf returns a call of the command: its name, and as many numbers as it needs, or one more where it takes more; for
// a container, a subcommand that there is not.
func callOf(cmd *spec.Command) words {
	call := strings.Fields(cmd.Name)
	if cmd.Flags.Has(spec.Container) && cmd.Arity < -1 {
		call = append(call, "NEW")
	}
	return append(call, slices.Repeat([]string{"1"}, max(cmd.Arity-len(call), -cmd.Arity-len(call)+1, 0))...)
}

// The view that names the node runs them.
func TestWhatIsAboutOneNodeRunsOnAViewOfIt(t *testing.T) {
	cluster, c := begin(t, keyslottest.Options{Shards: 2}, keyslot.Options{})
	for range 4 { // a node that is chosen at random might be the right one
		for _, n := range cluster.Nodes() {
			id, err := c.On(keyslot.ToNode(n.ID)).ClusterMyID(t.Context())
			require.NoError(t, err)
			require.Equal(t, n.ID, id)
		}
	}
}
