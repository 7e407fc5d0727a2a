package command

import (
	"math"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// NoTTL is what TTL, PTTL, HTTL and HPTTL return for what lives for ever.
const NoTTL time.Duration = -1

// What the commands that read a time to live answer in its place; any other number is one.
const (
	noSuchThing = -2
	noTTL       = -1
)

func leftInSeconds(c *Call, _ *packer) (time.Duration, error) { return leftOf(c, time.Second) }

func leftInMillis(c *Call, _ *packer) (time.Duration, error) { return leftOf(c, time.Millisecond) }

func endInSeconds(c *Call, _ *packer) (time.Time, error) { return endOf(c, secondsSinceEpoch) }

func endInMillis(c *Call, _ *packer) (time.Time, error) { return endOf(c, time.UnixMilli) }

// wholeSeconds reads how long something took, in seconds.
func wholeSeconds(c *Call, _ *packer) (time.Duration, error) {
	n, err := integer(c, nil)
	return times(n, time.Second), err
}

func leftOf(c *Call, unit time.Duration) (time.Duration, error) {
	n, err := integer(c, nil)
	if err == nil && n == noSuchThing {
		err = Nil
	}
	if err != nil {
		return 0, err
	}
	return left(n, unit), nil
}

func left(n int64, unit time.Duration) time.Duration {
	if n == noTTL {
		return NoTTL
	}
	return times(n, unit)
}

func endOf(c *Call, at func(int64) time.Time) (time.Time, error) {
	n, err := integer(c, nil)
	if err == nil && n == noSuchThing {
		err = Nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return endAt(n, at), nil
}

func endAt(n int64, at func(int64) time.Time) time.Time {
	if n == noTTL {
		return time.Time{}
	}
	return at(n)
}

func secondsSinceEpoch(n int64) time.Time { return time.Unix(n, 0) }

// times is n units. Servers keep a time to live of millions of years, a Duration holds 292 of them: it stops there.
func times(n int64, unit time.Duration) time.Duration {
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64
	}
	return time.Duration(n) * unit
}

// perField reads an array with a number for each field, in which noSuchThing stands for a field that is missing.
func perField[T any](c *Call, value func(n int64) T) ([]Optional[T], error) {
	return list(c, nil, "an array of integers", func(frame []byte, _ *packer) (Optional[T], bool) {
		n, ok := resp.Int(frame)
		if !ok || n == noSuchThing {
			return Optional[T]{}, ok
		}
		return Optional[T]{Value: value(n), OK: true}, true
	})
}

func (c *Call) sortGet(key string, patterns []string, opts []SortOption) *Call {
	return c.sort(key, opts).patterns(patterns)
}

func (c *Call) sortROGet(key string, patterns []string, opts []SortOption) *Call {
	return c.sortRO(key, opts).patterns(patterns)
}

// patterns adds what SORT is to get. Without any it would return the elements.
func (c *Call) patterns(patterns []string) *Call {
	for _, pattern := range patterns {
		c.Request.Arg("GET")
		c.Request.Arg(pattern)
	}
	return c
}
