package command_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

func TestMethodsOfKeys(t *testing.T) {
	ctx := t.Context()
	type cs = command.Commands
	ab := []string{"a", "b"}
	at := time.UnixMilli(5500)
	some := []command.Optional[string]{{Value: "a", OK: true}, {}}
	const (
		names = "*2 $1 a $1 b"
		twoOf = "*2 $1 a $-1 | *2 $1 a _"
	)
	holds(t, "generic", []exchange{
		{"Copy", func(c cs) (any, error) { return c.Copy(ctx, "s", "d", command.Replace) }, "COPY s d REPLACE", true, ":1"},
		{"Del", func(c cs) (any, error) { return c.Del(ctx, ab...) }, "DEL a b", int64(2), ":2"},
		{"Dump", func(c cs) (any, error) { return c.Dump(ctx, "k") }, "DUMP k", []byte("\x00\xff"), "$2 \x00\xff"},
		{"Exists", func(c cs) (any, error) { return c.Exists(ctx, ab...) }, "EXISTS a b", int64(2), ":2"},
		{"Expire", func(c cs) (any, error) { return c.Expire(ctx, "k", time.Minute, command.IfNoTTL) }, "EXPIRE k 60 NX", true, ":1"},
		{"ExpireAt", func(c cs) (any, error) { return c.ExpireAt(ctx, "k", at, command.IfTTL) }, "EXPIREAT k 5 XX", true, ":1"},
		{"ExpireTime", func(c cs) (any, error) { return c.ExpireTime(ctx, "k") }, "EXPIRETIME k", time.Unix(5, 0), ":5"},
		{"ExpireTime", func(c cs) (any, error) { return c.ExpireTime(ctx, "k") }, "EXPIRETIME k", time.Time{}, ":-1"},
		{"Keys", func(c cs) (any, error) { return c.Keys(ctx, "*") }, "KEYS *", ab, names},
		{"ObjectEncoding", func(c cs) (any, error) { return c.ObjectEncoding(ctx, "k") }, "OBJECT ENCODING k", "raw", "$3 raw"},
		{"ObjectFreq", func(c cs) (any, error) { return c.ObjectFreq(ctx, "k") }, "OBJECT FREQ k", int64(9), ":9"},
		{"ObjectIdleTime", func(c cs) (any, error) { return c.ObjectIdleTime(ctx, "k") }, "OBJECT IDLETIME k", 9 * time.Second, ":9"},
		{"ObjectRefCount", func(c cs) (any, error) { return c.ObjectRefCount(ctx, "k") }, "OBJECT REFCOUNT k", int64(1), ":1"},
		{"Persist", func(c cs) (any, error) { return c.Persist(ctx, "k") }, "PERSIST k", false, ":0"},
		{"PExpire", func(c cs) (any, error) { return c.PExpire(ctx, "k", -time.Millisecond, command.IfLater) }, "PEXPIRE k -1 GT", true, ":1"},
		{"PExpireAt", func(c cs) (any, error) { return c.PExpireAt(ctx, "k", at, command.IfSooner) }, "PEXPIREAT k 5500 LT", true, ":1"},
		{"PExpireTime", func(c cs) (any, error) { return c.PExpireTime(ctx, "k") }, "PEXPIRETIME k", at, ":5500"},
		{"PExpireTime", func(c cs) (any, error) { return c.PExpireTime(ctx, "k") }, "PEXPIRETIME k", time.Time{}, ":-1"},
		{"PTTL", func(c cs) (any, error) { return c.PTTL(ctx, "k") }, "PTTL k", 5500 * time.Millisecond, ":5500"},
		{"PTTL", func(c cs) (any, error) { return c.PTTL(ctx, "k") }, "PTTL k", time.Duration(math.MaxInt64), ":9223372036854775807"},
		{"RandomKey", func(c cs) (any, error) { return c.RandomKey(ctx) }, "RANDOMKEY", "a", "$1 a"},
		{"Rename", func(c cs) (any, error) { return only(c.Rename(ctx, "a", "b")) }, "RENAME a b", nil, "+OK"},
		{"RenameNX", func(c cs) (any, error) { return c.RenameNX(ctx, "a", "b") }, "RENAMENX a b", true, ":1"},
		{"Restore", func(c cs) (any, error) {
			return only(c.Restore(ctx, "k", 0, []byte("v"), command.Replace, command.IdleTime(time.Minute)))
		}, "RESTORE k 0 v REPLACE IDLETIME 60", nil, "+OK"},
		{"RestoreAt", func(c cs) (any, error) { return only(c.RestoreAt(ctx, "k", at, []byte("v"), command.Freq(9))) },
			"RESTORE k 5500 v ABSTTL FREQ 9", nil, "+OK"},
		{"Sort", func(c cs) (any, error) {
			return c.Sort(ctx, "k", command.ByPattern("{k}*"), command.Limit(1, 2), command.Desc, command.Alpha)
		}, "SORT k BY {k}* LIMIT 1 2 DESC ALPHA", ab, names},
		{"SortGet", func(c cs) (any, error) { return c.SortGet(ctx, "k", []string{"#", "{k}*"}, command.Alpha) },
			"SORT k ALPHA GET # GET {k}*", some, twoOf},
		{"SortRO", func(c cs) (any, error) { return c.SortRO(ctx, "k", command.Desc) }, "SORT_RO k DESC", ab, names},
		{"SortROGet", func(c cs) (any, error) { return c.SortROGet(ctx, "k", []string{"#"}) }, "SORT_RO k GET #", some, twoOf},
		{"SortStore", func(c cs) (any, error) {
			return c.SortStore(ctx, "d", "k", command.GetPattern("#"), command.ByPattern("nosort"), command.Limit(0, 9), command.Alpha, command.Desc)
		}, "SORT k GET # BY nosort LIMIT 0 9 ALPHA DESC STORE d", int64(2), ":2"},
		{"Touch", func(c cs) (any, error) { return c.Touch(ctx, ab...) }, "TOUCH a b", int64(2), ":2"},
		{"TTL", func(c cs) (any, error) { return c.TTL(ctx, "k") }, "TTL k", 5 * time.Second, ":5"},
		{"TTL", func(c cs) (any, error) { return c.TTL(ctx, "k") }, "TTL k", command.NoTTL, ":-1"},
		{"Type", func(c cs) (any, error) { return c.Type(ctx, "k") }, "TYPE k", "none", "+none"},
		{"Unlink", func(c cs) (any, error) { return c.Unlink(ctx, ab...) }, "UNLINK a b", int64(2), ":2"},
	})
}

func TestNoSuchKeyIsNilForWhatReadsATimeToLive(t *testing.T) {
	ctx := t.Context()
	for name, call := range map[string]read{
		"TTL":         func(c command.Commands) (any, error) { return c.TTL(ctx, "k") },
		"PTTL":        func(c command.Commands) (any, error) { return c.PTTL(ctx, "k") },
		"ExpireTime":  func(c command.Commands) (any, error) { return c.ExpireTime(ctx, "k") },
		"PExpireTime": func(c command.Commands) (any, error) { return c.PExpireTime(ctx, "k") },
	} {
		_, err := call(answering(":-2\r\n"))
		require.ErrorIs(t, err, command.Nil, name)
	}
}
