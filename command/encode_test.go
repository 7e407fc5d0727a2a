package command_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

// timed are all that take a time.
func timed(c command.Commands, at time.Time) map[string]error {
	errs := map[string]error{
		"SetPxAt":   c.Set(ctx, "k", "v", command.PxAt(at)),
		"SetExAt":   c.Set(ctx, "k", "v", command.ExAt(at)),
		"RestoreAt": c.RestoreAt(ctx, "k", at, nil),
	}
	_, errs["ExpireAt"] = c.ExpireAt(ctx, "k", at)
	_, errs["PExpireAt"] = c.PExpireAt(ctx, "k", at)
	_, errs["HExpireAt"] = c.HExpireAt(ctx, "k", at, []string{"f"})
	_, errs["HPExpireAt"] = c.HPExpireAt(ctx, "k", at, []string{"f"})
	_, errs["XClaim"] = c.XClaim(ctx, "k", "g", "c", 0, []string{"1-1"}, command.DeliveredAt(at))
	return errs
}

// A key would be removed at once by a time that has wrapped around, or by the one that stands for none.
func TestTimesThatAServerWouldTakeForThePastAreRefused(t *testing.T) {
	for name, row := range map[string]struct {
		at   time.Time
		want string
	}{
		"the last":   {time.Unix(1<<63-62135596801, 999999999), "more than servers can hold"},
		"a far one":  {time.Unix(math.MaxInt64, 0), "more than servers can hold"},
		"too far":    {time.Unix(math.MaxInt64/1000+1, 0), "more than servers can hold"},
		"wraps":      {time.Unix(1<<61+5, 0), "more than servers can hold"},
		"wraps to 0": {time.Unix(1<<61, 0), "more than servers can hold"},
		"long ago":   {time.Unix(math.MinInt64/1000-1, 0), "more than servers can hold"},
		"zero":       {time.Time{}, "use Persist"},
		"zero there": {time.Time{}.In(time.FixedZone("", 3600)), "use Persist"},
	} {
		for method, err := range timed(command.New(server(ok)), row.at) {
			require.ErrorIs(t, err, command.ErrNotExecuted, "%s %s", method, name)
			require.ErrorAs(t, err, new(*command.ArgumentError))
			require.ErrorContains(t, err, row.want)
		}
	}
	for _, at := range []time.Time{time.Unix(math.MaxInt64/1000-1, 999999999), time.Unix(1, 0), time.Unix(-1, 0), time.Unix(0, 0)} {
		for method, err := range timed(command.New(server(ok)), at) {
			require.NotErrorIs(t, err, command.ErrNotExecuted, "%s %v", method, at)
		}
	}
}

func TestTheLongestWaitsDoNotWrapAround(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		math.MaxInt64:                        {"9223372036.854", "9223372036854"},
		math.MaxInt64 - time.Millisecond:     {"9223372036.854", "9223372036854"},
		math.MaxInt64 - time.Millisecond - 1: {"9223372036.854", "9223372036854"},
		1:                                    {"0.001", "1"},
		0:                                    {"0", "0"},
	} {
		s := server("_\r\n")
		c := command.New(s)
		_, err := c.BLPop(ctx, d, "k")
		require.ErrorIs(t, err, command.Nil)
		require.Equal(t, "BLPOP k "+want[0], s.sent())
		_, err = c.XRead(ctx, []command.Stream{{Key: "k", After: "0"}}, command.Block(d))
		require.NotErrorIs(t, err, command.ErrNotExecuted)
		require.Equal(t, "XREAD BLOCK "+want[1]+" STREAMS k 0", s.sent())
	}
}

// A time to live with a random part, which keeps keys from ending all at once, ends in nanoseconds.
func TestAPartOfAMillisecondIsRoundedUp(t *testing.T) {
	for ttl, want := range map[time.Duration]string{
		1: "1", time.Millisecond: "1", time.Millisecond + 1: "2", 62723078070 * time.Nanosecond: "62724", math.MaxInt64: "9223372036855",
		0: "0", -1: "-1", -time.Millisecond: "-1", -time.Millisecond - 1: "-2", math.MinInt64: "-9223372036855",
	} {
		s := server(":1\r\n")
		_, err := command.New(s).PExpire(ctx, "k", ttl)
		require.NoError(t, err)
		require.Equal(t, want, string(s.call.Request.At(2)), "%v", ttl)
		if s := server(ok); ttl > 0 {
			require.NoError(t, command.New(s).Set(ctx, "k", "v", command.PX(ttl)))
			require.Equal(t, want, string(s.call.Request.At(4)), "%v", ttl)
		}
	}
}

// In seconds it is refused, and the error says what takes it.
func TestAPartOfASecondIsRefusedWhereSecondsAreSent(t *testing.T) {
	const ttl = 62723078070 * time.Nanosecond
	c := command.New(server(":1\r\n"))
	_, expire := c.Expire(ctx, "k", ttl)
	_, hExpire := c.HExpire(ctx, "k", ttl, []string{"f"})
	for want, err := range map[string]error{
		"time to live 1m2.72307807s is not a whole number of seconds: use PX": c.Set(ctx, "k", "v", command.EX(ttl)),
		"time to live 0s is not positive":                                     c.Set(ctx, "k", "v", command.PX(0)),
		"time to live -1.5s is not positive":                                  c.Set(ctx, "k", "v", command.EX(-1500*time.Millisecond)),
		"1m2.72307807s is not a whole number of seconds: use PExpire":         expire,
		"1m2.72307807s is not a whole number of seconds: use HPExpire":        hExpire,
	} {
		require.ErrorIs(t, err, command.ErrNotExecuted)
		require.ErrorContains(t, err, want)
	}
}
