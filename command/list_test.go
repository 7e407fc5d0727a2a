package command_test

import (
	"testing"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

func TestMethodsOfLists(t *testing.T) {
	ctx := t.Context()
	type cs = command.Commands
	ab := []string{"a", "b"}
	popped := command.PoppedList{Key: "k", Elements: ab}
	const (
		twoOf     = "*2 $1 a $1 b"
		keyAndTwo = "*2 $1 k *2 $1 a $1 b"
	)
	checkExchanges(t, []exchange{
		{"BLMOVE s d LEFT RIGHT 1", func(c cs) (any, error) { return c.BLMove(ctx, time.Second, "s", "d", command.Left, command.Right) }, "a", lines("$1 a")},
		{"BLMOVE s d RIGHT LEFT 0", func(c cs) (any, error) { return c.BLMoveBytes(ctx, 0, "s", "d", command.Right, command.Left) },
			[]byte("a"), lines("$1 a")},
		{"BLMPOP 1.5 2 k l RIGHT COUNT 2", func(c cs) (any, error) { return c.BLMPop(ctx, 1500*time.Millisecond, command.Right, 2, "k", "l") },
			popped, lines(keyAndTwo)},
		{"BLPOP k l 0.001", func(c cs) (any, error) { return c.BLPop(ctx, time.Microsecond, "k", "l") },
			command.Popped{Key: "k", Element: "a"}, lines("*2 $1 k $1 a")},
		{"BRPOP k 0", func(c cs) (any, error) { return c.BRPop(ctx, 0, "k") }, command.Popped{Key: "k", Element: "a"}, lines("*2 $1 k $1 a")},
		{"LINDEX k -1", func(c cs) (any, error) { return c.LIndex(ctx, "k", -1) }, "a", lines("$1 a")},
		{"LINDEX k 0", func(c cs) (any, error) { return c.LIndexBytes(ctx, "k", 0) }, []byte("a"), lines("$1 a")},
		{"LINSERT k AFTER a b", func(c cs) (any, error) { return c.LInsertAfter(ctx, "k", "a", "b") }, int64(2), lines(":2")},
		{"LINSERT k BEFORE a b", func(c cs) (any, error) { return c.LInsertBefore(ctx, "k", "a", "b") }, int64(-1), lines(":-1")},
		{"LLEN k", func(c cs) (any, error) { return c.LLen(ctx, "k") }, int64(2), lines(":2")},
		{"LMOVE s d LEFT LEFT", func(c cs) (any, error) { return c.LMove(ctx, "s", "d", command.Left, command.Left) }, "a", lines("$1 a")},
		{"LMOVE s d RIGHT RIGHT", func(c cs) (any, error) { return c.LMoveBytes(ctx, "s", "d", command.Right, command.Right) }, []byte("a"), lines("$1 a")},
		{"LMPOP 2 k l LEFT COUNT 2", func(c cs) (any, error) { return c.LMPop(ctx, command.Left, 2, "k", "l") }, popped, lines(keyAndTwo)},
		{"LPOP k", func(c cs) (any, error) { return c.LPop(ctx, "k") }, "a", lines("$1 a")},
		{"LPOP k", func(c cs) (any, error) { return c.LPopBytes(ctx, "k") }, []byte("a"), lines("$1 a")},
		{"LPOP k 2", func(c cs) (any, error) { return c.LPopCount(ctx, "k", 2) }, ab, lines(twoOf)},
		{"LPOS k a", func(c cs) (any, error) { return c.LPos(ctx, "k", "a") }, int64(1), lines(":1")},
		{"LPOS k a RANK -1 MAXLEN 9", func(c cs) (any, error) { return c.LPos(ctx, "k", "a", command.Rank(-1), command.MaxComparisons(9)) },
			int64(1), lines(":1")},
		{"LPOS k a COUNT 2 RANK 3", func(c cs) (any, error) { return c.LPosCount(ctx, "k", "a", 2, command.Rank(3)) }, []int64{1, 2}, lines("*2 :1 :2")},
		{"LPUSH k a b", func(c cs) (any, error) { return c.LPush(ctx, "k", ab...) }, int64(2), lines(":2")},
		{"LPUSH k a \x00", func(c cs) (any, error) { return c.LPushBytes(ctx, "k", []byte("a"), []byte("\x00")) }, int64(2), lines(":2")},
		{"LPUSHX k a b", func(c cs) (any, error) { return c.LPushX(ctx, "k", ab...) }, int64(0), lines(":0")},
		{"LRANGE k 0 -1", func(c cs) (any, error) { return c.LRange(ctx, "k", 0, -1) }, ab, lines(twoOf)},
		{"LREM k -1 a", func(c cs) (any, error) { return c.LRem(ctx, "k", -1, "a") }, int64(1), lines(":1")},
		{"LSET k 1 a", func(c cs) (any, error) { return only(c.LSet(ctx, "k", 1, "a")) }, nil, lines("+OK")},
		{"LSET k 1 a", func(c cs) (any, error) { return only(c.LSetBytes(ctx, "k", 1, []byte("a"))) }, nil, lines("+OK")},
		{"LTRIM k 0 9", func(c cs) (any, error) { return only(c.LTrim(ctx, "k", 0, 9)) }, nil, lines("+OK")},
		{"RPOP k", func(c cs) (any, error) { return c.RPop(ctx, "k") }, "a", lines("$1 a")},
		{"RPOP k", func(c cs) (any, error) { return c.RPopBytes(ctx, "k") }, []byte("a"), lines("$1 a")},
		{"RPOP k 2", func(c cs) (any, error) { return c.RPopCount(ctx, "k", 2) }, ab, lines(twoOf)},
		{"RPUSH k a b", func(c cs) (any, error) { return c.RPush(ctx, "k", ab...) }, int64(2), lines(":2")},
		{"RPUSH k a", func(c cs) (any, error) { return c.RPushBytes(ctx, "k", []byte("a")) }, int64(1), lines(":1")},
		{"RPUSHX k a b", func(c cs) (any, error) { return c.RPushX(ctx, "k", ab...) }, int64(2), lines(":2")},
	})
}
