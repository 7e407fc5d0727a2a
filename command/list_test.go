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
	holds(t, "list", []exchange{
		{"BLMove", func(c cs) (any, error) { return c.BLMove(ctx, time.Second, "s", "d", command.Left, command.Right) },
			"BLMOVE s d LEFT RIGHT 1", "a", "$1 a"},
		{"BLMoveBytes", func(c cs) (any, error) { return c.BLMoveBytes(ctx, 0, "s", "d", command.Right, command.Left) },
			"BLMOVE s d RIGHT LEFT 0", []byte("a"), "$1 a"},
		{"BLMPop", func(c cs) (any, error) { return c.BLMPop(ctx, 1500*time.Millisecond, command.Right, 2, "k", "l") },
			"BLMPOP 1.5 2 k l RIGHT COUNT 2", popped, keyAndTwo},
		{"BLPop", func(c cs) (any, error) { return c.BLPop(ctx, time.Microsecond, "k", "l") }, "BLPOP k l 0.001",
			command.Popped{Key: "k", Element: "a"}, "*2 $1 k $1 a"},
		{"BRPop", func(c cs) (any, error) { return c.BRPop(ctx, 0, "k") }, "BRPOP k 0", command.Popped{Key: "k", Element: "a"}, "*2 $1 k $1 a"},
		{"LIndex", func(c cs) (any, error) { return c.LIndex(ctx, "k", -1) }, "LINDEX k -1", "a", "$1 a"},
		{"LIndexBytes", func(c cs) (any, error) { return c.LIndexBytes(ctx, "k", 0) }, "LINDEX k 0", []byte("a"), "$1 a"},
		{"LInsertAfter", func(c cs) (any, error) { return c.LInsertAfter(ctx, "k", "a", "b") }, "LINSERT k AFTER a b", int64(2), ":2"},
		{"LInsertBefore", func(c cs) (any, error) { return c.LInsertBefore(ctx, "k", "a", "b") }, "LINSERT k BEFORE a b", int64(-1), ":-1"},
		{"LLen", func(c cs) (any, error) { return c.LLen(ctx, "k") }, "LLEN k", int64(2), ":2"},
		{"LMove", func(c cs) (any, error) { return c.LMove(ctx, "s", "d", command.Left, command.Left) }, "LMOVE s d LEFT LEFT", "a", "$1 a"},
		{"LMoveBytes", func(c cs) (any, error) { return c.LMoveBytes(ctx, "s", "d", command.Right, command.Right) },
			"LMOVE s d RIGHT RIGHT", []byte("a"), "$1 a"},
		{"LMPop", func(c cs) (any, error) { return c.LMPop(ctx, command.Left, 2, "k", "l") }, "LMPOP 2 k l LEFT COUNT 2", popped, keyAndTwo},
		{"LPop", func(c cs) (any, error) { return c.LPop(ctx, "k") }, "LPOP k", "a", "$1 a"},
		{"LPopBytes", func(c cs) (any, error) { return c.LPopBytes(ctx, "k") }, "LPOP k", []byte("a"), "$1 a"},
		{"LPopCount", func(c cs) (any, error) { return c.LPopCount(ctx, "k", 2) }, "LPOP k 2", ab, twoOf},
		{"LPos", func(c cs) (any, error) { return c.LPos(ctx, "k", "a") }, "LPOS k a", int64(1), ":1"},
		{"LPos", func(c cs) (any, error) { return c.LPos(ctx, "k", "a", command.Rank(-1), command.MaxComparisons(9)) },
			"LPOS k a RANK -1 MAXLEN 9", int64(1), ":1"},
		{"LPosCount", func(c cs) (any, error) { return c.LPosCount(ctx, "k", "a", 2, command.Rank(3)) },
			"LPOS k a COUNT 2 RANK 3", []int64{1, 2}, "*2 :1 :2"},
		{"LPush", func(c cs) (any, error) { return c.LPush(ctx, "k", ab...) }, "LPUSH k a b", int64(2), ":2"},
		{"LPushBytes", func(c cs) (any, error) { return c.LPushBytes(ctx, "k", []byte("a"), []byte("\x00")) }, "LPUSH k a \x00", int64(2), ":2"},
		{"LPushX", func(c cs) (any, error) { return c.LPushX(ctx, "k", ab...) }, "LPUSHX k a b", int64(0), ":0"},
		{"LRange", func(c cs) (any, error) { return c.LRange(ctx, "k", 0, -1) }, "LRANGE k 0 -1", ab, twoOf},
		{"LRem", func(c cs) (any, error) { return c.LRem(ctx, "k", -1, "a") }, "LREM k -1 a", int64(1), ":1"},
		{"LSet", func(c cs) (any, error) { return only(c.LSet(ctx, "k", 1, "a")) }, "LSET k 1 a", nil, "+OK"},
		{"LTrim", func(c cs) (any, error) { return only(c.LTrim(ctx, "k", 0, 9)) }, "LTRIM k 0 9", nil, "+OK"},
		{"RPop", func(c cs) (any, error) { return c.RPop(ctx, "k") }, "RPOP k", "a", "$1 a"},
		{"RPopBytes", func(c cs) (any, error) { return c.RPopBytes(ctx, "k") }, "RPOP k", []byte("a"), "$1 a"},
		{"RPopCount", func(c cs) (any, error) { return c.RPopCount(ctx, "k", 2) }, "RPOP k 2", ab, twoOf},
		{"RPush", func(c cs) (any, error) { return c.RPush(ctx, "k", ab...) }, "RPUSH k a b", int64(2), ":2"},
		{"RPushBytes", func(c cs) (any, error) { return c.RPushBytes(ctx, "k", []byte("a")) }, "RPUSH k a", int64(1), ":1"},
		{"RPushX", func(c cs) (any, error) { return c.RPushX(ctx, "k", ab...) }, "RPUSHX k a b", int64(2), ":2"},
	})
}
