package command

import (
	"math"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// NoTTL is what TTL, PTTL, HTTL and HPTTL return for what lives for ever.
const NoTTL time.Duration = -1

// What servers answer in place of a time to live.
const (
	noSuchThing = -2
	noTTL       = -1
)

func leftInSeconds(c *Call, _ *packer) (time.Duration, error) { return ofKey(c, secondsLeft) }

func leftInMillis(c *Call, _ *packer) (time.Duration, error) { return ofKey(c, millisLeft) }

func endInSeconds(c *Call, _ *packer) (time.Time, error) { return ofKey(c, endSeconds) }

func endInMillis(c *Call, _ *packer) (time.Time, error) { return ofKey(c, endMillis) }

// wholeSeconds reads how long something took, in seconds.
func wholeSeconds(c *Call, _ *packer) (time.Duration, error) {
	n, err := integer(c, nil)
	return times(n, time.Second), err
}

// ofKey reads a number that a key has, unless there is no such key.
func ofKey[T any](c *Call, value func(n int64) T) (v T, err error) {
	n, err := integer(c, nil)
	switch {
	case err != nil:
		return v, err
	case n == noSuchThing:
		return v, Nil
	}
	return value(n), nil
}

// ofFields reads an array with a number for each field, unless there is no such field.
func ofFields[T any](c *Call, value func(n int64) T) ([]Optional[T], error) {
	return list(c, nil, "an array of integers", func(frame []byte, _ *packer) (Optional[T], bool) {
		n, ok := resp.Int(frame)
		if !ok || n == noSuchThing {
			return Optional[T]{}, ok
		}
		return Optional[T]{Value: value(n), OK: true}, true
	})
}

func secondsLeft(n int64) time.Duration { return left(n, time.Second) }

func millisLeft(n int64) time.Duration { return left(n, time.Millisecond) }

func left(n int64, unit time.Duration) time.Duration {
	if n == noTTL {
		return NoTTL
	}
	return times(n, unit)
}

// times is n units. Servers keep a time to live of millions of years, a Duration holds 292 of them: it stops there.
func times(n int64, unit time.Duration) time.Duration {
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64
	}
	return time.Duration(n) * unit
}

func endSeconds(n int64) time.Time {
	if n == noTTL {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

func endMillis(n int64) time.Time {
	if n == noTTL {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// restoreAt keeps the first millisecond of 1970 from being sent as 0, which means for ever.
func (c *Call) restoreAt(key string, at time.Time, value []byte, opts []RestoreOption) *Call {
	if at.Unix() == 0 && at.UnixMilli() == 0 { // a time that wraps around to 0 is still to be refused
		at = time.UnixMilli(1)
	}
	c.Request.Arg("RESTORE")
	c.Request.Key(key)
	c.unixMillis(at)
	c.Request.ArgBytes(value)
	c.Request.Arg("ABSTTL")
	c.restoreOptions(opts)
	return c
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
