package command_test

import (
	"testing"

	"github.com/keyslot-go/keyslot/command"
)

func TestMethodsOfSets(t *testing.T) {
	ctx := t.Context()
	type cs = command.Commands
	ab := []string{"a", "b"}
	const twoOf = "*2 $1 a $1 b | ~2 $1 a $1 b"
	checkExchanges(t, []exchange{
		{"SADD k a b", func(c cs) (any, error) { return c.SAdd(ctx, "k", ab...) }, int64(2), lines(":2")},
		{"SCARD k", func(c cs) (any, error) { return c.SCard(ctx, "k") }, int64(2), lines(":2")},
		{"SDIFF k l", func(c cs) (any, error) { return c.SDiff(ctx, "k", "l") }, ab, lines(twoOf)},
		{"SDIFFSTORE d k l", func(c cs) (any, error) { return c.SDiffStore(ctx, "d", "k", "l") }, int64(2), lines(":2")},
		{"SINTER k l", func(c cs) (any, error) { return c.SInter(ctx, "k", "l") }, ab, lines(twoOf)},
		{"SINTERCARD 2 k l", func(c cs) (any, error) { return c.SInterCard(ctx, "k", "l") }, int64(2), lines(":2")},
		{"SINTERCARD 2 k l LIMIT 9", func(c cs) (any, error) { return c.SInterCardLimit(ctx, 9, "k", "l") }, int64(2), lines(":2")},
		{"SINTERSTORE d k l", func(c cs) (any, error) { return c.SInterStore(ctx, "d", "k", "l") }, int64(2), lines(":2")},
		{"SISMEMBER k a", func(c cs) (any, error) { return c.SIsMember(ctx, "k", "a") }, true, lines(":1")},
		{"SMEMBERS k", func(c cs) (any, error) { return c.SMembers(ctx, "k") }, ab, lines(twoOf)},
		{"SMEMBERS k", func(c cs) (any, error) { return c.SMembers(ctx, "k") }, []string{}, lines("*0 | ~0")},
		{"SMISMEMBER k a b", func(c cs) (any, error) { return c.SMIsMember(ctx, "k", ab...) }, []bool{true, false}, lines("*2 :1 :0")},
		{"SMOVE s d a", func(c cs) (any, error) { return c.SMove(ctx, "s", "d", "a") }, false, lines(":0")},
		{"SPOP k", func(c cs) (any, error) { return c.SPop(ctx, "k") }, "a", lines("$1 a")},
		{"SPOP k 2", func(c cs) (any, error) { return c.SPopCount(ctx, "k", 2) }, ab, lines(twoOf)},
		{"SRANDMEMBER k", func(c cs) (any, error) { return c.SRandMember(ctx, "k") }, "a", lines("$1 a")},
		{"SRANDMEMBER k -2", func(c cs) (any, error) { return c.SRandMemberCount(ctx, "k", -2) }, ab, lines(twoOf)},
		{"SREM k a b", func(c cs) (any, error) { return c.SRem(ctx, "k", ab...) }, int64(2), lines(":2")},
		{"SUNION k l", func(c cs) (any, error) { return c.SUnion(ctx, "k", "l") }, ab, lines(twoOf)},
		{"SUNIONSTORE d k l", func(c cs) (any, error) { return c.SUnionStore(ctx, "d", "k", "l") }, int64(2), lines(":2")},
	})
}

func TestMethodsOfHyperLogLogs(t *testing.T) {
	ctx := t.Context()
	type cs = command.Commands
	checkExchanges(t, []exchange{
		{"PFADD k a b", func(c cs) (any, error) { return c.PFAdd(ctx, "k", "a", "b") }, true, lines(":1")},
		{"PFADD k", func(c cs) (any, error) { return c.PFAdd(ctx, "k") }, false, lines(":0")},
		{"PFCOUNT k l", func(c cs) (any, error) { return c.PFCount(ctx, "k", "l") }, int64(2), lines(":2")},
		{"PFMERGE d k l", func(c cs) (any, error) { return only(c.PFMerge(ctx, "d", "k", "l")) }, nil, lines("+OK")},
	})
}
