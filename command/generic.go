package command

import (
	"context"
	"time"
)

// Del removes keys and returns how many there were. Keys may lie in any slots: each node gets one write with one DEL per
// slot, so the call is atomic only within a slot, and a *PartsError lists the keys whose removal failed. DEL: O(n), plus
// the size of each aggregate removed.
func (c Commands) Del(ctx context.Context, keys ...string) (int64, error) {
	return run(ctx, c.begin().del(keys), integer)
}

// Del queues DEL.
func (q *Queued) Del(keys ...string) *Future[int64] { return queue(q, q.begin().del(keys), integer) }

func (c *Call) del(keys []string) *Call {
	c.Request.Arg("DEL")
	return c.keys(keys)
}

// Exists returns how many of keys exist; a key given twice counts twice. Keys may lie in any slots, as for Del.
// EXISTS: O(n).
func (c Commands) Exists(ctx context.Context, keys ...string) (int64, error) {
	return run(ctx, c.begin().exists(keys), integer)
}

// Exists queues EXISTS.
func (q *Queued) Exists(keys ...string) *Future[int64] {
	return queue(q, q.begin().exists(keys), integer)
}

func (c *Call) exists(keys []string) *Call {
	c.Request.Arg("EXISTS")
	return c.keys(keys)
}

func (c *Call) keys(keys []string) *Call {
	for _, key := range keys {
		c.Request.Key(key)
	}
	return c
}

// Expire gives key a time to live in whole seconds and reports whether it did: false when there is no such key or a
// condition did not hold. A ttl that is not a whole number of seconds fails before anything is sent; zero or less
// removes the key. EXPIRE: O(1), sent to the primary that owns key's slot.
func (c Commands) Expire(ctx context.Context, key string, ttl time.Duration, opts ...ExpireOption) (bool, error) {
	return run(ctx, c.begin().expire(key, ttl, opts), flag)
}

// Expire queues EXPIRE.
func (q *Queued) Expire(key string, ttl time.Duration, opts ...ExpireOption) *Future[bool] {
	return queue(q, q.begin().expire(key, ttl, opts), flag)
}

func (c *Call) expire(key string, ttl time.Duration, opts []ExpireOption) *Call {
	c.Request.Arg("EXPIRE")
	c.Request.Key(key)
	if ttl%time.Second != 0 {
		c.refuse("time to live " + ttl.String() + " is not a number of seconds")
	}
	c.Request.ArgInt(int64(ttl / time.Second))
	for _, o := range opts {
		c.Request.Arg(o.expireOption())
	}
	return c
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
