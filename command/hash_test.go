package command_test

import (
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
	holds(t, "hash", []exchange{
		{"HDel", func(c cs) (any, error) { return c.HDel(ctx, "k", "a", "b") }, "HDEL k a b", int64(2), ":2"},
		{"HExists", func(c cs) (any, error) { return c.HExists(ctx, "k", "a") }, "HEXISTS k a", true, ":1"},
		{"HExpire", func(c cs) (any, error) { return c.HExpire(ctx, "k", time.Minute, []string{"a", "b"}, command.IfNoTTL) },
			"HEXPIRE k 60 NX FIELDS 2 a b", states, fiveStates},
		{"HExpireAt", func(c cs) (any, error) { return c.HExpireAt(ctx, "k", at, []string{"a"}, command.IfTTL) },
			"HEXPIREAT k 5 XX FIELDS 1 a", states, fiveStates},
		{"HExpireTime", func(c cs) (any, error) { return c.HExpireTime(ctx, "k", "a", "b") }, "HEXPIRETIME k FIELDS 2 a b", someEnds, "*3 :5 :-1 :-2"},
		{"HGet", func(c cs) (any, error) { return c.HGet(ctx, "k", "a") }, "HGET k a", "1", "$1 1"},
		{"HGetAll", func(c cs) (any, error) { return c.HGetAll(ctx, "k") }, "HGETALL k",
			map[string]string{"a": "1", "b": "2"}, "*4 $1 a $1 1 $1 b $1 2 | %2 $1 a $1 1 $1 b $1 2"},
		{"HGetAll", func(c cs) (any, error) { return c.HGetAll(ctx, "k") }, "HGETALL k", map[string]string{}, "*0 | %0"},
		{"HGetBytes", func(c cs) (any, error) { return c.HGetBytes(ctx, "k", "a") }, "HGET k a", []byte("1"), "$1 1"},
		{"HGetDel", func(c cs) (any, error) { return c.HGetDel(ctx, "k", "a", "b") }, "HGETDEL k FIELDS 2 a b", someValues, twoOf},
		{"HGetEx", func(c cs) (any, error) { return c.HGetEx(ctx, "k", []string{"a", "b"}, command.EX(time.Minute)) },
			"HGETEX k EX 60 FIELDS 2 a b", someValues, twoOf},
		{"HGetEx", func(c cs) (any, error) { return c.HGetEx(ctx, "k", []string{"a", "b"}, command.Persist) },
			"HGETEX k PERSIST FIELDS 2 a b", someValues, twoOf},
		{"HIncrBy", func(c cs) (any, error) { return c.HIncrBy(ctx, "k", "a", -2) }, "HINCRBY k a -2", int64(-1), ":-1"},
		{"HIncrByFloat", func(c cs) (any, error) { return c.HIncrByFloat(ctx, "k", "a", 0.5) }, "HINCRBYFLOAT k a 0.5", 1.5, "$3 1.5 | ,1.5"},
		{"HKeys", func(c cs) (any, error) { return c.HKeys(ctx, "k") }, "HKEYS k", []string{"a", "b"}, names},
		{"HLen", func(c cs) (any, error) { return c.HLen(ctx, "k") }, "HLEN k", int64(2), ":2"},
		{"HMGet", func(c cs) (any, error) { return c.HMGet(ctx, "k", "a", "b") }, "HMGET k a b", someValues, twoOf},
		{"HPersist", func(c cs) (any, error) { return c.HPersist(ctx, "k", "a", "b") }, "HPERSIST k FIELDS 2 a b", states, fiveStates},
		{"HPExpire", func(c cs) (any, error) {
			return c.HPExpire(ctx, "k", time.Millisecond, []string{"a"}, command.IfLater)
		}, "HPEXPIRE k 1 GT FIELDS 1 a", states, fiveStates},
		{"HPExpireAt", func(c cs) (any, error) { return c.HPExpireAt(ctx, "k", at, []string{"a"}, command.IfSooner) },
			"HPEXPIREAT k 5500 LT FIELDS 1 a", states, fiveStates},
		{"HPExpireTime", func(c cs) (any, error) { return c.HPExpireTime(ctx, "k", "a") }, "HPEXPIRETIME k FIELDS 1 a", someEnds, "*3 :5000 :-1 :-2"},
		{"HPTTL", func(c cs) (any, error) { return c.HPTTL(ctx, "k", "a") }, "HPTTL k FIELDS 1 a", someLeft, "*3 :5000 :-1 :-2"},
		{"HRandField", func(c cs) (any, error) { return c.HRandField(ctx, "k") }, "HRANDFIELD k", "a", "$1 a"},
		{"HRandFieldCount", func(c cs) (any, error) { return c.HRandFieldCount(ctx, "k", -2) }, "HRANDFIELD k -2", []string{"a", "b"}, names},
		{"HRandFieldWithValues", func(c cs) (any, error) { return c.HRandFieldWithValues(ctx, "k", 2) }, "HRANDFIELD k 2 WITHVALUES",
			ab, "*4 $1 a $1 1 $1 b $1 2 | *2 *2 $1 a $1 1 *2 $1 b $1 2"},
		{"HRandFieldWithValues", func(c cs) (any, error) { return c.HRandFieldWithValues(ctx, "k", 0) }, "HRANDFIELD k 0 WITHVALUES", []command.Field{}, "*0"},
		{"HSet", func(c cs) (any, error) { return c.HSet(ctx, "k", ab...) }, "HSET k a 1 b 2", int64(2), ":2"},
		{"HSet", func(c cs) (any, error) {
			return c.HSet(ctx, "k", command.FieldsOf(map[string]string{"b": "2", "a": "1"})...)
		}, "HSET k a 1 b 2", int64(0), ":0"},
		{"HSetBytes", func(c cs) (any, error) { return c.HSetBytes(ctx, "k", "a", []byte("\x00")) }, "HSET k a \x00", true, ":1"},
		{"HSetEx", func(c cs) (any, error) {
			return c.HSetEx(ctx, "k", ab, command.IfFieldsAbsent, command.PX(time.Millisecond))
		}, "HSETEX k FNX PX 1 FIELDS 2 a 1 b 2", true, ":1"},
		{"HSetEx", func(c cs) (any, error) { return c.HSetEx(ctx, "k", ab[:1], command.IfFieldsPresent, command.KeepTTL) },
			"HSETEX k FXX KEEPTTL FIELDS 1 a 1", false, ":0"},
		{"HSetEx", func(c cs) (any, error) { return c.HSetEx(ctx, "k", ab[:1], command.ExAt(at)) }, "HSETEX k EXAT 5 FIELDS 1 a 1", true, ":1"},
		{"HSetEx", func(c cs) (any, error) {
			return c.HSetEx(ctx, "k", ab[:1], command.IfHashAbsent, command.EX(time.Minute))
		}, "HSETEX k NX EX 60 FIELDS 1 a 1", true, ":1"},
		{"HSetEx", func(c cs) (any, error) { return c.HSetEx(ctx, "k", ab[:1], command.IfHashPresent, command.PxAt(at)) },
			"HSETEX k XX PXAT 5500 FIELDS 1 a 1", true, ":1"},
		{"HSetNX", func(c cs) (any, error) { return c.HSetNX(ctx, "k", "a", "1") }, "HSETNX k a 1", false, ":0"},
		{"HStrLen", func(c cs) (any, error) { return c.HStrLen(ctx, "k", "a") }, "HSTRLEN k a", int64(3), ":3"},
		{"HTTL", func(c cs) (any, error) { return c.HTTL(ctx, "k", "a", "b") }, "HTTL k FIELDS 2 a b", someLeft, "*3 :5 :-1 :-2"},
		{"HVals", func(c cs) (any, error) { return c.HVals(ctx, "k") }, "HVALS k", []string{"a", "b"}, names},
	})
}
