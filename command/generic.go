package command

import (
	"context"
	"time"
)

// Del removes keys and returns how many there were. Keys may lie in any slots: each node gets one write with one DEL per
// slot, so the call is atomic only within a slot, and a *PartsError lists the keys whose removal failed. DEL: O(n), plus
// the size of each aggregate removed.
func (c Commands) Del(ctx context.Context, keys ...string) (int64, error) {
	return c.countKeys(ctx, "DEL", keys)
}

// Exists returns how many of keys exist; a key given twice counts twice. Keys may lie in any slots, as for Del.
// EXISTS: O(n).
func (c Commands) Exists(ctx context.Context, keys ...string) (int64, error) {
	return c.countKeys(ctx, "EXISTS", keys)
}

func (c Commands) countKeys(ctx context.Context, name string, keys []string) (int64, error) {
	call := c.core.Begin()
	call.Request.Arg(name)
	for _, key := range keys {
		call.Request.Key(key)
	}
	return call.int64(ctx)
}

// Expire gives key a time to live in whole seconds and reports whether it did: false when there is no such key or a
// condition did not hold. A ttl that is not a whole number of seconds fails before anything is sent; zero or less
// removes the key. EXPIRE: O(1), sent to the primary that owns key's slot.
func (c Commands) Expire(ctx context.Context, key string, ttl time.Duration, opts ...ExpireOption) (bool, error) {
	call := c.core.Begin()
	call.Request.Arg("EXPIRE")
	call.Request.Key(key)
	if ttl%time.Second != 0 {
		call.refuse("time to live " + ttl.String() + " is not a number of seconds")
	}
	call.Request.ArgInt(int64(ttl / time.Second))
	for _, o := range opts {
		call.Request.Arg(o.expireOption())
	}
	return call.flag(ctx)
}

// ExpireOption is an optional argument of Expire: IfNoTTL, IfTTL, IfLater or IfSooner.
type ExpireOption interface{ expireOption() string }

type expireIf string

func (e expireIf) expireOption() string { return string(e) }

// The conditions under which Expire sets the time to live (Redis 7.0).
const (
	IfNoTTL  expireIf = "NX" // only if the key has no time to live
	IfTTL    expireIf = "XX" // only if the key has one
	IfLater  expireIf = "GT" // only if the new one ends later
	IfSooner expireIf = "LT" // only if the new one ends sooner
)
