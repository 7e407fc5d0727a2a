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
	holds(t, "set", []exchange{
		{"SAdd", func(c cs) (any, error) { return c.SAdd(ctx, "k", ab...) }, "SADD k a b", int64(2), ":2"},
		{"SCard", func(c cs) (any, error) { return c.SCard(ctx, "k") }, "SCARD k", int64(2), ":2"},
		{"SDiff", func(c cs) (any, error) { return c.SDiff(ctx, "k", "l") }, "SDIFF k l", ab, twoOf},
		{"SDiffStore", func(c cs) (any, error) { return c.SDiffStore(ctx, "d", "k", "l") }, "SDIFFSTORE d k l", int64(2), ":2"},
		{"SInter", func(c cs) (any, error) { return c.SInter(ctx, "k", "l") }, "SINTER k l", ab, twoOf},
		{"SInterCard", func(c cs) (any, error) { return c.SInterCard(ctx, "k", "l") }, "SINTERCARD 2 k l", int64(2), ":2"},
		{"SInterCardLimit", func(c cs) (any, error) { return c.SInterCardLimit(ctx, 9, "k", "l") }, "SINTERCARD 2 k l LIMIT 9", int64(2), ":2"},
		{"SInterStore", func(c cs) (any, error) { return c.SInterStore(ctx, "d", "k", "l") }, "SINTERSTORE d k l", int64(2), ":2"},
		{"SIsMember", func(c cs) (any, error) { return c.SIsMember(ctx, "k", "a") }, "SISMEMBER k a", true, ":1"},
		{"SMembers", func(c cs) (any, error) { return c.SMembers(ctx, "k") }, "SMEMBERS k", ab, twoOf},
		{"SMembers", func(c cs) (any, error) { return c.SMembers(ctx, "k") }, "SMEMBERS k", []string{}, "*0 | ~0"},
		{"SMIsMember", func(c cs) (any, error) { return c.SMIsMember(ctx, "k", ab...) }, "SMISMEMBER k a b", []bool{true, false}, "*2 :1 :0"},
		{"SMove", func(c cs) (any, error) { return c.SMove(ctx, "s", "d", "a") }, "SMOVE s d a", false, ":0"},
		{"SPop", func(c cs) (any, error) { return c.SPop(ctx, "k") }, "SPOP k", "a", "$1 a"},
		{"SPopCount", func(c cs) (any, error) { return c.SPopCount(ctx, "k", 2) }, "SPOP k 2", ab, twoOf},
		{"SRandMember", func(c cs) (any, error) { return c.SRandMember(ctx, "k") }, "SRANDMEMBER k", "a", "$1 a"},
		{"SRandMemberCount", func(c cs) (any, error) { return c.SRandMemberCount(ctx, "k", -2) }, "SRANDMEMBER k -2", ab, twoOf},
		{"SRem", func(c cs) (any, error) { return c.SRem(ctx, "k", ab...) }, "SREM k a b", int64(2), ":2"},
		{"SUnion", func(c cs) (any, error) { return c.SUnion(ctx, "k", "l") }, "SUNION k l", ab, twoOf},
		{"SUnionStore", func(c cs) (any, error) { return c.SUnionStore(ctx, "d", "k", "l") }, "SUNIONSTORE d k l", int64(2), ":2"},
	})
}

func TestMethodsOfHyperLogLogs(t *testing.T) {
	ctx := t.Context()
	type cs = command.Commands
	holds(t, "hyperloglog", []exchange{
		{"PFAdd", func(c cs) (any, error) { return c.PFAdd(ctx, "k", "a", "b") }, "PFADD k a b", true, ":1"},
		{"PFAdd", func(c cs) (any, error) { return c.PFAdd(ctx, "k") }, "PFADD k", false, ":0"},
		{"PFCount", func(c cs) (any, error) { return c.PFCount(ctx, "k", "l") }, "PFCOUNT k l", int64(2), ":2"},
		{"PFMerge", func(c cs) (any, error) { return only(c.PFMerge(ctx, "d", "k", "l")) }, "PFMERGE d k l", nil, "+OK"},
	})
}
