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
	checkExchanges(t, []exchange{
		{"COPY s d REPLACE", func(c cs) (any, error) { return c.Copy(ctx, "s", "d", command.Replace) }, true, lines(":1")},
		{"DEL a b", func(c cs) (any, error) { return c.Del(ctx, ab...) }, int64(2), lines(":2")},
		{"DUMP k", func(c cs) (any, error) { return c.Dump(ctx, "k") }, []byte("\x00\xff"), lines("$2 \x00\xff")},
		{"EXISTS a b", func(c cs) (any, error) { return c.Exists(ctx, ab...) }, int64(2), lines(":2")},
		{"EXPIRE k 60 NX", func(c cs) (any, error) { return c.Expire(ctx, "k", time.Minute, command.IfNoTTL) }, true, lines(":1")},
		{"EXPIREAT k 5 XX", func(c cs) (any, error) { return c.ExpireAt(ctx, "k", at, command.IfTTL) }, true, lines(":1")},
		{"EXPIRETIME k", func(c cs) (any, error) { return c.ExpireTime(ctx, "k") }, time.Unix(5, 0), lines(":5")},
		{"EXPIRETIME k", func(c cs) (any, error) { return c.ExpireTime(ctx, "k") }, time.Time{}, lines(":-1")},
		{"KEYS *", func(c cs) (any, error) { return c.Keys(ctx, "*") }, ab, lines(names)},
		{"OBJECT ENCODING k", func(c cs) (any, error) { return c.ObjectEncoding(ctx, "k") }, "raw", lines("$3 raw")},
		{"OBJECT FREQ k", func(c cs) (any, error) { return c.ObjectFreq(ctx, "k") }, int64(9), lines(":9")},
		{"OBJECT IDLETIME k", func(c cs) (any, error) { return c.ObjectIdleTime(ctx, "k") }, 9 * time.Second, lines(":9")},
		{"OBJECT REFCOUNT k", func(c cs) (any, error) { return c.ObjectRefCount(ctx, "k") }, int64(1), lines(":1")},
		{"PERSIST k", func(c cs) (any, error) { return c.Persist(ctx, "k") }, false, lines(":0")},
		{"PEXPIRE k -1 GT", func(c cs) (any, error) { return c.PExpire(ctx, "k", -time.Millisecond, command.IfLater) }, true, lines(":1")},
		{"PEXPIREAT k 5500 LT", func(c cs) (any, error) { return c.PExpireAt(ctx, "k", at, command.IfSooner) }, true, lines(":1")},
		{"PEXPIRETIME k", func(c cs) (any, error) { return c.PExpireTime(ctx, "k") }, at, lines(":5500")},
		{"PEXPIRETIME k", func(c cs) (any, error) { return c.PExpireTime(ctx, "k") }, time.Time{}, lines(":-1")},
		{"PTTL k", func(c cs) (any, error) { return c.PTTL(ctx, "k") }, 5500 * time.Millisecond, lines(":5500")},
		{"PTTL k", func(c cs) (any, error) { return c.PTTL(ctx, "k") }, time.Duration(math.MaxInt64), lines(":9223372036854775807")},
		{"RANDOMKEY", func(c cs) (any, error) { return c.RandomKey(ctx) }, "a", lines("$1 a")},
		{"RENAME a b", func(c cs) (any, error) { return only(c.Rename(ctx, "a", "b")) }, nil, lines("+OK")},
		{"RENAMENX a b", func(c cs) (any, error) { return c.RenameNX(ctx, "a", "b") }, true, lines(":1")},
		{"RESTORE k 0 v REPLACE IDLETIME 60", func(c cs) (any, error) {
			return only(c.Restore(ctx, "k", 0, []byte("v"), command.Replace, command.IdleTime(time.Minute)))
		}, nil, lines("+OK")},
		{"RESTORE k 5500 v ABSTTL FREQ 9", func(c cs) (any, error) { return only(c.RestoreAt(ctx, "k", at, []byte("v"), command.Freq(9))) },
			nil, lines("+OK")},
		{"RESTORE k 1 v ABSTTL", func(c cs) (any, error) { return only(c.RestoreAt(ctx, "k", time.Unix(0, 999999), []byte("v"))) }, nil, lines("+OK")},
		{"RESTORE k 1 v ABSTTL", func(c cs) (any, error) { return only(c.RestoreAt(ctx, "k", time.Unix(0, 0), []byte("v"))) }, nil, lines("+OK")},
		{"SORT k BY {k}* LIMIT 1 2 DESC ALPHA", func(c cs) (any, error) {
			return c.Sort(ctx, "k", command.ByPattern("{k}*"), command.Limit(1, 2), command.Desc, command.Alpha)
		}, ab, lines(names)},
		{"SORT k ALPHA GET # GET {k}*", func(c cs) (any, error) { return c.SortGet(ctx, "k", []string{"#", "{k}*"}, command.Alpha) }, some, lines(twoOf)},
		{"SORT_RO k DESC", func(c cs) (any, error) { return c.SortRO(ctx, "k", command.Desc) }, ab, lines(names)},
		{"SORT_RO k GET #", func(c cs) (any, error) { return c.SortROGet(ctx, "k", []string{"#"}) }, some, lines(twoOf)},
		{"SORT k GET # BY nosort LIMIT 0 9 ALPHA DESC STORE d", func(c cs) (any, error) {
			return c.SortStore(ctx, "d", "k", command.GetPattern("#"), command.ByPattern("nosort"), command.Limit(0, 9), command.Alpha, command.Desc)
		}, int64(2), lines(":2")},
		{"TOUCH a b", func(c cs) (any, error) { return c.Touch(ctx, ab...) }, int64(2), lines(":2")},
		{"TTL k", func(c cs) (any, error) { return c.TTL(ctx, "k") }, 5 * time.Second, lines(":5")},
		{"TTL k", func(c cs) (any, error) { return c.TTL(ctx, "k") }, command.NoTTL, lines(":-1")},
		{"TYPE k", func(c cs) (any, error) { return c.Type(ctx, "k") }, "none", lines("+none")},
		{"UNLINK a b", func(c cs) (any, error) { return c.Unlink(ctx, ab...) }, int64(2), lines(":2")},
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
