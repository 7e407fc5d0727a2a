package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

// The replies are those of redis-server 7.0.15 and valkey-server 8.0.1, but for XDELEX and XACKDEL.
const (
	entry11 = "*2\r\n$3\r\n1-1\r\n*4\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\nf\r\n$1\r\nw\r\n"
	entry30 = "*2\r\n$3\r\n3-0\r\n*2\r\n$1\r\nh\r\n$1\r\n2\r\n"
)

var (
	first = command.StreamEntry{ID: "1-1", Fields: []command.Field{{"f", "v"}, {"f", "w"}}}
	third = command.StreamEntry{ID: "3-0", Fields: []command.Field{{"h", "2"}}}
	ids   = []string{"1-1", "3-0"}
)

func TestEntriesAreAddedAndRemoved(t *testing.T) {
	fields := []command.Field{{"f", "v"}, {"f", "w"}}
	const id = "$3\r\n1-1\r\n"
	checkExchanges(t, []exchange{
		{"XADD s * f v f w", func(c command.Commands) (any, error) { return c.XAdd(ctx, "s", fields) }, "1-1", in(id)},
		{"XADD s NOMKSTREAM MAXLEN ~ 1000 LIMIT 10 4-* f v", func(c command.Commands) (any, error) {
			return c.XAdd(ctx, "s", fields[:1], command.ID("4-*"), command.NoMkStream, command.MaxLen(1000).ApproxLimit(10))
		}, command.Nil, in(null2, null3)},
		{"XADD s MINID 1 KEEPREF * f v", func(c command.Commands) (any, error) {
			return c.XAdd(ctx, "s", fields[:1], command.MinID("1"), command.KeepRef)
		}, "1-1", in(id)},
		{"XTRIM s MAXLEN 2", func(c command.Commands) (any, error) { return c.XTrim(ctx, "s", command.MaxLen(2)) }, int64(4), in(":4\r\n")},
		{"XTRIM s MINID ~ 5-0 DELREF", func(c command.Commands) (any, error) {
			return c.XTrim(ctx, "s", command.MinID("5-0").Approx(), command.DelRef)
		}, int64(4), in(":4\r\n")},
		{"XTRIM s MAXLEN ~ 2 LIMIT 0", func(c command.Commands) (any, error) { return c.XTrim(ctx, "s", command.MaxLen(2).ApproxLimit(0)) }, int64(4), in(":4\r\n")},
		{"XLEN s", func(c command.Commands) (any, error) { return c.XLen(ctx, "s") }, int64(5), in(":5\r\n")},
		{"XDEL s 1-1 3-0", func(c command.Commands) (any, error) { return c.XDel(ctx, "s", ids...) }, int64(1), in(":1\r\n")},
		{"XDELEX s ACKED IDS 2 1-1 3-0", func(c command.Commands) (any, error) { return c.XDelEx(ctx, "s", ids, command.Acked) },
			[]command.EntryState{command.EntryDeleted, command.EntryKept}, in("*2\r\n:1\r\n:2\r\n")},
		{"XACKDEL s g IDS 2 1-1 3-0", func(c command.Commands) (any, error) { return c.XAckDel(ctx, "s", "g", ids) },
			[]command.EntryState{command.EntryMissing, command.EntryDeleted}, in("*2\r\n:-1\r\n:1\r\n")},
		{"XACK s g 1-1 3-0", func(c command.Commands) (any, error) { return c.XAck(ctx, "s", "g", ids...) }, int64(2), in(":2\r\n")},
		{"XSETID s 20-0 ENTRIESADDED 30 MAXDELETEDID 7-0", func(c command.Commands) (any, error) {
			return nil, c.XSetID(ctx, "s", "20-0", command.EntriesAdded(30), command.MaxDeletedID("7-0"))
		}, nil, in(ok)},
	})
	_, err := command.New(server(id)).XAdd(ctx, "s", fields, command.Trim{})
	require.ErrorAs(t, err, new(*command.ArgumentError))
}

func TestEntriesAreRead(t *testing.T) {
	two, streams := []command.StreamEntry{first, third}, []command.Stream{{"s", "0"}, {"t", "1-1"}}
	const gone = "*2\r\n$3\r\n2-0\r\n"
	read := []command.StreamEntries{{"s", []command.StreamEntry{first}}, {"t", []command.StreamEntry{third}}}
	reads := in("*2\r\n*2\r\n$1\r\ns\r\n*1\r\n"+entry11+"*2\r\n$1\r\nt\r\n*1\r\n"+entry30, "%2\r\n$1\r\ns\r\n*1\r\n"+entry11+"$1\r\nt\r\n*1\r\n"+entry30)
	checkExchanges(t, []exchange{
		{"XRANGE s - +", func(c command.Commands) (any, error) { return c.XRange(ctx, "s", "-", "+") }, two, in("*2\r\n" + entry11 + entry30)},
		{"XRANGE s (1-1 + COUNT 1", func(c command.Commands) (any, error) { return c.XRange(ctx, "s", "(1-1", "+", command.Count(1)) }, two[:1], in("*1\r\n" + entry11)},
		{"XREVRANGE s + - COUNT 0", func(c command.Commands) (any, error) { return c.XRevRange(ctx, "s", "+", "-", command.Count(0)) }, two[:0], in("*0\r\n", nullArray2, null3)},
		{"XREAD STREAMS s t 0 1-1", func(c command.Commands) (any, error) { return c.XRead(ctx, streams) }, read, reads},
		{"XREAD COUNT 2 BLOCK 5 STREAMS s 0", func(c command.Commands) (any, error) {
			return c.XRead(ctx, streams[:1], command.Count(2), command.Block(5*time.Millisecond))
		}, command.Nil, in(nullArray2, null3)},
		{"XREADGROUP GROUP g c COUNT 2 BLOCK 1 NOACK STREAMS s t 0 1-1", func(c command.Commands) (any, error) {
			return c.XReadGroup(ctx, "g", "c", streams, command.Count(2), command.Block(1), command.NoAck)
		}, read, reads},
		{"XREADGROUP GROUP g c STREAMS s 0", func(c command.Commands) (any, error) { return c.XReadGroup(ctx, "g", "c", streams[:1]) },
			[]command.StreamEntries{{"s", []command.StreamEntry{{ID: "2-0"}, third}}},
			in("*1\r\n*2\r\n$1\r\ns\r\n*2\r\n"+gone+"*-1\r\n"+entry30, "%1\r\n$1\r\ns\r\n*2\r\n"+gone+"_\r\n"+entry30)},
	})
	checkExchanges(t, []exchange{ // what Redis 8.4 adds to claimed entries is passed over
		{"XREADGROUP GROUP g c STREAMS s >", func(c command.Commands) (any, error) {
			return c.XReadGroup(ctx, "g", "c", []command.Stream{{"s", ">"}})
		},
			read[:1], in("%1\r\n$1\r\ns\r\n*1\r\n" + strings.Replace(entry11, "*2", "*4", 1) + ":1500\r\n:2\r\n")},
	})
	value, found := first.Value("f")
	require.True(t, found)
	require.Equal(t, "v", value)
	_, found = first.Value("g")
	require.False(t, found)
}

func TestEntriesAreClaimed(t *testing.T) {
	idle := 1500 * time.Millisecond
	checkExchanges(t, []exchange{
		{"XCLAIM s g c 1500 1-1 3-0", func(c command.Commands) (any, error) { return c.XClaim(ctx, "s", "g", "c", idle, ids) },
			[]command.StreamEntry{first}, in("*1\r\n"+entry11, "*2\r\n"+entry11+"*-1\r\n")},
		{"XCLAIM s g c 0 1-1 3-0 IDLE 1500 RETRYCOUNT 7 FORCE LASTID 3-0 JUSTID", func(c command.Commands) (any, error) {
			return c.XClaimJustID(ctx, "s", "g", "c", 0, ids, command.IdleFor(idle), command.Deliveries(7), command.Force, command.LastID("3-0"))
		}, ids, in("*2\r\n$3\r\n1-1\r\n$3\r\n3-0\r\n")},
		{"XCLAIM s g c 0 1-1 TIME 3000", func(c command.Commands) (any, error) {
			return c.XClaim(ctx, "s", "g", "c", 0, ids[:1], command.DeliveredAt(time.Unix(3, 0)))
		}, []command.StreamEntry{}, in("*0\r\n")},
		{"XAUTOCLAIM s g c 1500 - COUNT 2", func(c command.Commands) (any, error) {
			return c.XAutoClaim(ctx, "s", "g", "c", idle, "-", command.Count(2))
		}, command.Claimed{Next: "0-0", Entries: []command.StreamEntry{first, third}, Deleted: []string{"6-0"}},
			in("*3\r\n$3\r\n0-0\r\n*2\r\n" + entry11 + entry30 + "*1\r\n$3\r\n6-0\r\n")},
		{"XAUTOCLAIM s g c 1500 -", func(c command.Commands) (any, error) { return c.XAutoClaim(ctx, "s", "g", "c", idle, "-") },
			command.Claimed{Next: "0-0", Entries: []command.StreamEntry{first}}, in("*2\r\n$3\r\n0-0\r\n*2\r\n*-1\r\n" + entry11)},
		{"XAUTOCLAIM s g c 0 3-0 JUSTID", func(c command.Commands) (any, error) { return c.XAutoClaimJustID(ctx, "s", "g", "c", 0, "3-0") },
			command.ClaimedIDs{Next: "3-0", IDs: []string{"1-1"}, Deleted: []string{}}, in("*3\r\n$3\r\n3-0\r\n*1\r\n$3\r\n1-1\r\n*0\r\n")},
		{"XPENDING s g", func(c command.Commands) (any, error) { return c.XPending(ctx, "s", "g") },
			command.PendingSummary{Count: 3, First: "1-1", Last: "3-0", Consumers: []command.PendingConsumer{{"c1", 3}}},
			in("*4\r\n:3\r\n$3\r\n1-1\r\n$3\r\n3-0\r\n*1\r\n*2\r\n$2\r\nc1\r\n$1\r\n3\r\n")},
		{"XPENDING none g", func(c command.Commands) (any, error) { return c.XPending(ctx, "none", "g") },
			command.PendingSummary{}, in("*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n", "*4\r\n:0\r\n_\r\n_\r\n_\r\n")},
		{"XPENDING s g IDLE 1500 - + 10 c1", func(c command.Commands) (any, error) {
			return c.XPendingRange(ctx, "s", "g", "-", "+", 10, command.OfConsumer("c1"), command.MinIdle(idle))
		}, []command.PendingEntry{{"1-1", "c1", idle, 2}}, in("*1\r\n*4\r\n$3\r\n1-1\r\n$2\r\nc1\r\n:1500\r\n:2\r\n")},
		{"XPENDING s g - + 10", func(c command.Commands) (any, error) { return c.XPendingRange(ctx, "s", "g", "-", "+", 10) }, []command.PendingEntry{}, in("*0\r\n")},
	})
}

func TestGroupsAreKept(t *testing.T) {
	checkExchanges(t, []exchange{
		{"XGROUP CREATE s g $ MKSTREAM ENTRIESREAD 3", func(c command.Commands) (any, error) {
			return nil, c.XGroupCreate(ctx, "s", "g", "$", command.MkStream, command.EntriesRead(3))
		}, nil, in(ok)},
		{"XGROUP SETID s g 0 ENTRIESREAD 2", func(c command.Commands) (any, error) {
			return nil, c.XGroupSetID(ctx, "s", "g", "0", command.EntriesRead(2))
		}, nil, in(ok)},
		{"XGROUP CREATECONSUMER s g c", func(c command.Commands) (any, error) { return c.XGroupCreateConsumer(ctx, "s", "g", "c") }, true, in(":1\r\n")},
		{"XGROUP DELCONSUMER s g c", func(c command.Commands) (any, error) { return c.XGroupDelConsumer(ctx, "s", "g", "c") }, int64(2), in(":2\r\n")},
		{"XGROUP DESTROY s g", func(c command.Commands) (any, error) { return c.XGroupDestroy(ctx, "s", "g") }, false, in(":0\r\n")},
	})
}
