package command_test

import (
	"math"
	"testing"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

func TestMethodsOfHashes(t *testing.T) {
	ctx := t.Context()
	type cs = command.Commands
	at := time.UnixMilli(5500)
	states := []command.FieldState{command.FieldMissing, command.FieldWithoutTTL, command.FieldUnchanged, command.FieldChanged, command.FieldRemoved}
	someValues := []command.Optional[string]{{Value: "1", OK: true}, {}}
	someLeft := []command.Optional[time.Duration]{{Value: 5 * time.Second, OK: true}, {Value: command.NoTTL, OK: true}, {}}
	someEnds := []command.Optional[time.Time]{{Value: time.Unix(5, 0), OK: true}, {OK: true}, {}}
	ab := []command.Field{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}
	const (
		fiveStates = "*5 :-2 :-1 :0 :1 :2"
		twoOf      = "*2 $1 1 $-1 | *2 $1 1 _"
		names      = "*2 $1 a $1 b"
	)
	checkExchanges(t, []exchange{
		{"HDEL k a b", func(c cs) (any, error) { return c.HDel(ctx, "k", "a", "b") }, int64(2), lines(":2")},
		{"HEXISTS k a", func(c cs) (any, error) { return c.HExists(ctx, "k", "a") }, true, lines(":1")},
		{"HEXPIRE k 60 NX FIELDS 2 a b", func(c cs) (any, error) { return c.HExpire(ctx, "k", time.Minute, []string{"a", "b"}, command.IfNoTTL) },
			states, lines(fiveStates)},
		{"HEXPIREAT k 5 XX FIELDS 1 a", func(c cs) (any, error) { return c.HExpireAt(ctx, "k", at, []string{"a"}, command.IfTTL) }, states, lines(fiveStates)},
		{"HEXPIRETIME k FIELDS 2 a b", func(c cs) (any, error) { return c.HExpireTime(ctx, "k", "a", "b") }, someEnds, lines("*3 :5 :-1 :-2")},
		{"HGET k a", func(c cs) (any, error) { return c.HGet(ctx, "k", "a") }, "1", lines("$1 1")},
		{"HGETALL k", func(c cs) (any, error) { return c.HGetAll(ctx, "k") },
			map[string]string{"a": "1", "b": "2"}, lines("*4 $1 a $1 1 $1 b $1 2 | %2 $1 a $1 1 $1 b $1 2")},
		{"HGETALL k", func(c cs) (any, error) { return c.HGetAll(ctx, "k") }, map[string]string{}, lines("*0 | %0")},
		{"HGET k a", func(c cs) (any, error) { return c.HGetBytes(ctx, "k", "a") }, []byte("1"), lines("$1 1")},
		{"HGETDEL k FIELDS 2 a b", func(c cs) (any, error) { return c.HGetDel(ctx, "k", "a", "b") }, someValues, lines(twoOf)},
		{"HGETEX k EX 60 FIELDS 2 a b", func(c cs) (any, error) { return c.HGetEx(ctx, "k", []string{"a", "b"}, command.EX(time.Minute)) },
			someValues, lines(twoOf)},
		{"HGETEX k PERSIST FIELDS 2 a b", func(c cs) (any, error) { return c.HGetEx(ctx, "k", []string{"a", "b"}, command.Persist) },
			someValues, lines(twoOf)},
		{"HINCRBY k a -2", func(c cs) (any, error) { return c.HIncrBy(ctx, "k", "a", -2) }, int64(-1), lines(":-1")},
		{"HINCRBYFLOAT k a 0.5", func(c cs) (any, error) { return c.HIncrByFloat(ctx, "k", "a", 0.5) }, 1.5, lines("$3 1.5 | ,1.5")},
		{"HINCRBYFLOAT k a 1", func(c cs) (any, error) { return c.HIncrByFloat(ctx, "k", "a", 1) }, math.Inf(1), lines("$5 1e400 | ,1e400")},
		{"HKEYS k", func(c cs) (any, error) { return c.HKeys(ctx, "k") }, []string{"a", "b"}, lines(names)},
		{"HLEN k", func(c cs) (any, error) { return c.HLen(ctx, "k") }, int64(2), lines(":2")},
		{"HMGET k a b", func(c cs) (any, error) { return c.HMGet(ctx, "k", "a", "b") }, someValues, lines(twoOf)},
		{"HPERSIST k FIELDS 2 a b", func(c cs) (any, error) { return c.HPersist(ctx, "k", "a", "b") }, states, lines(fiveStates)},
		{"HPEXPIRE k 1 GT FIELDS 1 a", func(c cs) (any, error) {
			return c.HPExpire(ctx, "k", time.Millisecond, []string{"a"}, command.IfLater)
		}, states, lines(fiveStates)},
		{"HPEXPIREAT k 5500 LT FIELDS 1 a", func(c cs) (any, error) { return c.HPExpireAt(ctx, "k", at, []string{"a"}, command.IfSooner) },
			states, lines(fiveStates)},
		{"HPEXPIRETIME k FIELDS 1 a", func(c cs) (any, error) { return c.HPExpireTime(ctx, "k", "a") }, someEnds, lines("*3 :5000 :-1 :-2")},
		{"HPTTL k FIELDS 1 a", func(c cs) (any, error) { return c.HPTTL(ctx, "k", "a") }, someLeft, lines("*3 :5000 :-1 :-2")},
		{"HRANDFIELD k", func(c cs) (any, error) { return c.HRandField(ctx, "k") }, "a", lines("$1 a")},
		{"HRANDFIELD k -2", func(c cs) (any, error) { return c.HRandFieldCount(ctx, "k", -2) }, []string{"a", "b"}, lines(names)},
		{"HRANDFIELD k 2 WITHVALUES", func(c cs) (any, error) { return c.HRandFieldWithValues(ctx, "k", 2) },
			ab, lines("*4 $1 a $1 1 $1 b $1 2 | *2 *2 $1 a $1 1 *2 $1 b $1 2")},
		{"HRANDFIELD k 0 WITHVALUES", func(c cs) (any, error) { return c.HRandFieldWithValues(ctx, "k", 0) }, []command.Field{}, lines("*0")},
		{"HSET k a 1 b 2", func(c cs) (any, error) { return c.HSet(ctx, "k", ab...) }, int64(2), lines(":2")},
		{"HSET k a 1 b 2", func(c cs) (any, error) {
			return c.HSet(ctx, "k", command.FieldsOf(map[string]string{"b": "2", "a": "1"})...)
		}, int64(0), lines(":0")},
		{"HSET k a \x00", func(c cs) (any, error) { return c.HSetBytes(ctx, "k", "a", []byte("\x00")) }, true, lines(":1")},
		{"HSETEX k FNX PX 1 FIELDS 2 a 1 b 2", func(c cs) (any, error) {
			return c.HSetEx(ctx, "k", ab, command.IfFieldsAbsent, command.PX(time.Millisecond))
		}, true, lines(":1")},
		{"HSETEX k FXX KEEPTTL FIELDS 1 a 1", func(c cs) (any, error) { return c.HSetEx(ctx, "k", ab[:1], command.IfFieldsPresent, command.KeepTTL) },
			false, lines(":0")},
		{"HSETEX k EXAT 5 FIELDS 1 a 1", func(c cs) (any, error) { return c.HSetEx(ctx, "k", ab[:1], command.ExAt(at)) }, true, lines(":1")},
		{"HSETEX k NX EX 60 FIELDS 1 a 1", func(c cs) (any, error) {
			return c.HSetEx(ctx, "k", ab[:1], command.IfHashAbsent, command.EX(time.Minute))
		}, true, lines(":1")},
		{"HSETEX k XX PXAT 5500 FIELDS 1 a 1", func(c cs) (any, error) { return c.HSetEx(ctx, "k", ab[:1], command.IfHashPresent, command.PxAt(at)) },
			true, lines(":1")},
		{"HSETNX k a 1", func(c cs) (any, error) { return c.HSetNX(ctx, "k", "a", "1") }, false, lines(":0")},
		{"HSETNX k a 1", func(c cs) (any, error) { return c.HSetNXBytes(ctx, "k", "a", []byte("1")) }, true, lines(":1")},
		{"HSTRLEN k a", func(c cs) (any, error) { return c.HStrLen(ctx, "k", "a") }, int64(3), lines(":3")},
		{"HTTL k FIELDS 2 a b", func(c cs) (any, error) { return c.HTTL(ctx, "k", "a", "b") }, someLeft, lines("*3 :5 :-1 :-2")},
		{"HVALS k", func(c cs) (any, error) { return c.HVals(ctx, "k") }, []string{"a", "b"}, lines(names)},
	})
}
