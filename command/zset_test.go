package command_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

// The replies are those of redis-server 7.0.15 and valkey-server 8.0.1.
const (
	flatScores   = "*6\r\n$1\r\nm\r\n$4\r\n-inf\r\n$1\r\na\r\n$3\r\n2.5\r\n$1\r\np\r\n$3\r\ninf\r\n"
	nestedScores = "*3\r\n*2\r\n$1\r\nm\r\n,-inf\r\n*2\r\n$1\r\na\r\n,2.5\r\n*2\r\n$1\r\np\r\n,inf\r\n"
	null2        = "$-1\r\n"
	nullArray2   = "*-1\r\n"
	null3        = "_\r\n"
	members      = "*2\r\n$1\r\na\r\n$1\r\nb\r\n"
)

var scores = []command.Scored{{"m", math.Inf(-1)}, {"a", 2.5}, {"p", math.Inf(1)}}

func TestZAddAndItsVariants(t *testing.T) {
	checkExchanges(t, []exchange{
		{"ZADD z -inf m 2.5 a inf p", func(c command.Commands) (any, error) { return c.ZAdd(ctx, "z", scores) }, int64(3), in(":3\r\n")},
		{"ZADD z XX GT 1 a", func(c command.Commands) (any, error) {
			return c.ZAdd(ctx, "z", []command.Scored{{"a", 1}}, command.IfPresent, command.IfGreater)
		}, int64(0), in(":0\r\n")},
		{"ZADD z NX CH 1 a", func(c command.Commands) (any, error) {
			return c.ZAddCh(ctx, "z", []command.Scored{{"a", 1}}, command.IfAbsent)
		}, int64(1), in(":1\r\n")},
		{"ZADD z LT INCR -0.5 a", func(c command.Commands) (any, error) { return c.ZAddIncr(ctx, "z", -0.5, "a", command.IfLess) },
			2.5, in("$3\r\n2.5\r\n", ",2.5\r\n")},
		{"ZADD z NX INCR 1 a", func(c command.Commands) (any, error) { return c.ZAddIncr(ctx, "z", 1, "a", command.IfAbsent) },
			command.Nil, in(null2, null3)},
		{"ZINCRBY z 1.5 a", func(c command.Commands) (any, error) { return c.ZIncrBy(ctx, "z", 1.5, "a") }, math.Inf(1), in("$3\r\ninf\r\n", ",inf\r\n")},
	})
}

func TestZRangeAndItsVariants(t *testing.T) {
	names := []string{"a", "b"}
	checkExchanges(t, []exchange{
		{"ZRANGE z 0 -1", func(c command.Commands) (any, error) { return c.ZRange(ctx, "z", command.ByIndex(0, -1)) }, names, in(members)},
		{"ZRANGE z 0 9 REV", func(c command.Commands) (any, error) { return c.ZRange(ctx, "z", command.ByIndex(0, 9), command.Rev) },
			[]string{}, in("*0\r\n")},
		{"ZRANGE z 1 (2.5 BYSCORE LIMIT 1 -1", func(c command.Commands) (any, error) {
			return c.ZRange(ctx, "z", command.ByScore(1, command.Exclusive(2.5)), command.Limit(1, -1))
		}, names, in(members)},
		{"ZRANGE z inf (1 BYSCORE LIMIT 0 2 REV", func(c command.Commands) (any, error) {
			return c.ZRange(ctx, "z", command.ByScore(command.Exclusive(1), math.Inf(1)), command.Limit(0, 2), command.Rev)
		}, names, in(members)},
		{"ZRANGE z [a + BYLEX", func(c command.Commands) (any, error) { return c.ZRange(ctx, "z", command.ByLex("a", command.LexMax)) },
			names, in(members)},
		{"ZRANGE z (b - BYLEX REV", func(c command.Commands) (any, error) {
			return c.ZRange(ctx, "z", command.ByLex(command.LexMin, command.Exclusive("b")), command.Rev)
		}, names, in(members)},
		{"ZRANGE z 0 2 WITHSCORES", func(c command.Commands) (any, error) { return c.ZRangeWithScores(ctx, "z", command.ByIndex(0, 2)) },
			scores, in(flatScores, nestedScores)},
		{"ZRANGE z inf -inf BYSCORE REV LIMIT 0 3 WITHSCORES", func(c command.Commands) (any, error) {
			return c.ZRangeWithScores(ctx, "z", command.ByScore(math.Inf(-1), math.Inf(1)), command.Rev, command.Limit(0, 3))
		}, []command.Scored{}, in("*0\r\n")},
		{"ZRANGESTORE d z (1 (9007199254740992 BYSCORE", func(c command.Commands) (any, error) {
			return c.ZRangeStore(ctx, "d", "z", command.ByScore(command.Exclusive(1), command.Exclusive(int64(1<<53))))
		}, int64(2), in(":2\r\n")},
		{"ZCOUNT z 1 (5", func(c command.Commands) (any, error) {
			return c.ZCount(ctx, "z", command.ByScore(int64(1), command.Exclusive(5)))
		}, int64(4), in(":4\r\n")},
		{"ZLEXCOUNT z - (c", func(c command.Commands) (any, error) {
			return c.ZLexCount(ctx, "z", command.ByLex(command.LexMin, command.Exclusive("c")))
		}, int64(4), in(":4\r\n")},
		{"ZREMRANGEBYSCORE z -inf 5", func(c command.Commands) (any, error) {
			return c.ZRemRangeByScore(ctx, "z", command.ByScore(math.Inf(-1), 5))
		}, int64(4), in(":4\r\n")},
		{"ZREMRANGEBYLEX z [a [b", func(c command.Commands) (any, error) { return c.ZRemRangeByLex(ctx, "z", command.ByLex("a", "b")) },
			int64(2), in(":2\r\n")},
		{"ZREMRANGEBYRANK z 0 -2", func(c command.Commands) (any, error) { return c.ZRemRangeByRank(ctx, "z", 0, -2) }, int64(2), in(":2\r\n")},
		{"ZREM z a b", func(c command.Commands) (any, error) { return c.ZRem(ctx, "z", "a", "b") }, int64(2), in(":2\r\n")},
	})
}

func TestRangesThatCannotBeSent(t *testing.T) {
	for _, call := range []read{
		func(c command.Commands) (any, error) {
			return c.ZRange(ctx, "z", command.ByIndex(0, 1), command.Limit(0, 1))
		},
		func(c command.Commands) (any, error) { return c.ZRange(ctx, "z", nil) },
		func(c command.Commands) (any, error) { return c.ZRangeWithScores(ctx, "z", &command.IndexRange{}) },
	} {
		_, err := call(command.New(server(members)))
		require.ErrorAs(t, err, new(*command.ArgumentError))
		require.ErrorIs(t, err, command.ErrNotExecuted)
	}
}

func TestSetsOfSortedSets(t *testing.T) {
	keys, names := []string{"k", "l"}, []string{"a", "b"}
	checkExchanges(t, []exchange{
		{"ZDIFF 2 k l", func(c command.Commands) (any, error) { return c.ZDiff(ctx, keys...) }, names, in(members)},
		{"ZDIFF 2 k l WITHSCORES", func(c command.Commands) (any, error) { return c.ZDiffWithScores(ctx, keys...) }, scores, in(flatScores, nestedScores)},
		{"ZDIFFSTORE d 2 k l", func(c command.Commands) (any, error) { return c.ZDiffStore(ctx, "d", keys...) }, int64(2), in(":2\r\n")},
		{"ZINTER 2 k l WEIGHTS 1 2.5 AGGREGATE MIN", func(c command.Commands) (any, error) {
			return c.ZInter(ctx, keys, command.Weights(1, 2.5), command.AggregateMin)
		}, names, in(members)},
		{"ZINTER 2 k l AGGREGATE MAX WITHSCORES", func(c command.Commands) (any, error) { return c.ZInterWithScores(ctx, keys, command.AggregateMax) },
			scores, in(flatScores, nestedScores)},
		{"ZINTERSTORE d 2 k l AGGREGATE SUM", func(c command.Commands) (any, error) {
			return c.ZInterStore(ctx, "d", keys, command.AggregateSum)
		}, int64(2), in(":2\r\n")},
		{"ZINTERCARD 2 k l", func(c command.Commands) (any, error) { return c.ZInterCard(ctx, keys...) }, int64(1), in(":1\r\n")},
		{"ZINTERCARD 2 k l LIMIT 1", func(c command.Commands) (any, error) { return c.ZInterCardLimit(ctx, 1, keys...) }, int64(1), in(":1\r\n")},
		{"ZUNION 2 k l", func(c command.Commands) (any, error) { return c.ZUnion(ctx, keys) }, names, in(members)},
		{"ZUNION 2 k l WEIGHTS 0 1 WITHSCORES", func(c command.Commands) (any, error) { return c.ZUnionWithScores(ctx, keys, command.Weights(0, 1)) },
			scores, in(flatScores, nestedScores)},
		{"ZUNIONSTORE d 2 k l", func(c command.Commands) (any, error) { return c.ZUnionStore(ctx, "d", keys) }, int64(2), in(":2\r\n")},
	})
}

func TestMembersAndScores(t *testing.T) {
	checkExchanges(t, []exchange{
		{"ZCARD z", func(c command.Commands) (any, error) { return c.ZCard(ctx, "z") }, int64(2), in(":2\r\n")},
		{"ZSCORE z a", func(c command.Commands) (any, error) { return c.ZScore(ctx, "z", "a") }, 2.5, in("$3\r\n2.5\r\n", ",2.5\r\n")},
		{"ZSCORE z none", func(c command.Commands) (any, error) { return c.ZScore(ctx, "z", "none") }, command.Nil, in(null2, null3)},
		{"ZMSCORE z a none", func(c command.Commands) (any, error) { return c.ZMScore(ctx, "z", "a", "none") },
			[]command.Optional[float64]{{Value: 2.5, OK: true}, {}}, in("*2\r\n$3\r\n2.5\r\n$-1\r\n", "*2\r\n,2.5\r\n_\r\n")},
		{"ZRANK z a", func(c command.Commands) (any, error) { return c.ZRank(ctx, "z", "a") }, int64(2), in(":2\r\n")},
		{"ZRANK z none", func(c command.Commands) (any, error) { return c.ZRank(ctx, "z", "none") }, command.Nil, in(null2, null3)},
		{"ZREVRANK z a", func(c command.Commands) (any, error) { return c.ZRevRank(ctx, "z", "a") }, int64(2), in(":2\r\n")},
		{"ZRANK z a WITHSCORE", func(c command.Commands) (any, error) { return c.ZRankWithScore(ctx, "z", "a") },
			command.Ranked{Rank: 2, Score: 2.5}, in("*2\r\n:2\r\n$3\r\n2.5\r\n", "*2\r\n:2\r\n,2.5\r\n")},
		{"ZREVRANK z none WITHSCORE", func(c command.Commands) (any, error) { return c.ZRevRankWithScore(ctx, "z", "none") },
			command.Nil, in(nullArray2, null3)},
		{"ZRANDMEMBER z", func(c command.Commands) (any, error) { return c.ZRandMember(ctx, "z") }, "a", in("$1\r\na\r\n")},
		{"ZRANDMEMBER none", func(c command.Commands) (any, error) { return c.ZRandMember(ctx, "none") }, command.Nil, in(null2, null3)},
		{"ZRANDMEMBER z -2", func(c command.Commands) (any, error) { return c.ZRandMemberCount(ctx, "z", -2) }, []string{"a", "b"}, in(members)},
		{"ZRANDMEMBER z 3 WITHSCORES", func(c command.Commands) (any, error) { return c.ZRandMemberWithScores(ctx, "z", 3) },
			scores, in(flatScores, nestedScores)},
	})
}

func TestMembersThatAreTaken(t *testing.T) {
	a := command.Scored{Member: "a", Score: 2.5}
	popped := in("*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n$3\r\n2.5\r\n", "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n,2.5\r\n")
	checkExchanges(t, []exchange{
		{"ZPOPMIN z", func(c command.Commands) (any, error) { return c.ZPopMin(ctx, "z") },
			a, in("*2\r\n$1\r\na\r\n$3\r\n2.5\r\n", "*2\r\n$1\r\na\r\n,2.5\r\n")},
		{"ZPOPMAX none", func(c command.Commands) (any, error) { return c.ZPopMax(ctx, "none") }, command.Nil, in("*0\r\n")},
		{"ZPOPMIN z 3", func(c command.Commands) (any, error) { return c.ZPopMinCount(ctx, "z", 3) }, scores, in(flatScores, nestedScores)},
		{"ZPOPMAX z 3", func(c command.Commands) (any, error) { return c.ZPopMaxCount(ctx, "z", 3) }, []command.Scored{}, in("*0\r\n")},
		{"ZMPOP 2 y z MIN COUNT 1", func(c command.Commands) (any, error) { return c.ZMPopMin(ctx, 1, "y", "z") },
			command.PoppedMembers{Key: "z", Members: []command.Scored{a}}, popped},
		{"ZMPOP 1 z MAX COUNT 1", func(c command.Commands) (any, error) { return c.ZMPopMax(ctx, 1, "z") }, command.Nil, in(nullArray2, null3)},
		{"BZPOPMIN y z 0.25", func(c command.Commands) (any, error) { return c.BZPopMin(ctx, 250*time.Millisecond, "y", "z") },
			command.PoppedMember{Key: "z", Scored: a}, in("*3\r\n$1\r\nz\r\n$1\r\na\r\n$3\r\n2.5\r\n", "*3\r\n$1\r\nz\r\n$1\r\na\r\n,2.5\r\n")},
		{"BZPOPMAX z 0", func(c command.Commands) (any, error) { return c.BZPopMax(ctx, 0, "z") }, command.Nil, in(nullArray2, null3)},
		{"BZMPOP 1 2 y z MIN COUNT 1", func(c command.Commands) (any, error) { return c.BZMPopMin(ctx, time.Second, 1, "y", "z") },
			command.PoppedMembers{Key: "z", Members: []command.Scored{a}}, popped},
		{"BZMPOP 1 1 z MAX COUNT 1", func(c command.Commands) (any, error) { return c.BZMPopMax(ctx, time.Second, 1, "z") },
			command.Nil, in(nullArray2, null3)},
	})
}
