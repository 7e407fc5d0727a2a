package command

import (
	"context"
	"time"
)

// Get returns the value of key, or Nil when there is none. GET: O(1), sent to the primary that owns key's slot.
func (c Commands) Get(ctx context.Context, key string) (string, error) {
	return run(ctx, c.begin().get(key), text)
}

// Get queues GET.
func (q *Queued) Get(key string) *Future[string] { return queue(q, q.begin().get(key), text) }

func (c *Call) get(key string) *Call {
	c.Request.Arg("GET")
	c.Request.Key(key)
	return c
}

// Set sets key to value, whatever it held, and drops its time to live unless KeepTTL is given. SET: O(1), sent to the
// primary that owns key's slot.
func (c Commands) Set(ctx context.Context, key, value string, opts ...SetOption) error {
	return only(run(ctx, c.begin().set(key, value, opts), nothing))
}

// Set queues SET.
func (q *Queued) Set(key, value string, opts ...SetOption) *Future[struct{}] {
	return queue(q, q.begin().set(key, value, opts), nothing)
}

func (c *Call) set(key, value string, opts []SetOption) *Call {
	c.Request.Arg("SET")
	c.Request.Key(key)
	c.Request.Arg(value)
	for _, o := range opts {
		switch o := o.(type) {
		case Expiry:
			o.encode(c)
		case setFlag:
			c.Request.Arg(string(o))
		}
	}
	return c
}

// Incr adds 1 to the integer at key, which counts as 0 when missing, and returns the sum. INCR: O(1), sent to the
// primary that owns key's slot.
func (c Commands) Incr(ctx context.Context, key string) (int64, error) {
	return run(ctx, c.begin().incr(key), integer)
}

// Incr queues INCR.
func (q *Queued) Incr(key string) *Future[int64] { return queue(q, q.begin().incr(key), integer) }

func (c *Call) incr(key string) *Call {
	c.Request.Arg("INCR")
	c.Request.Key(key)
	return c
}

// MGet returns the values of keys in their order, a missing one with OK false; a key given twice is answered twice.
// Keys may lie in any slots: each node gets one write with one MGET per slot, so values of different slots are not read
// at one moment. A failure of any part fails the call with a *PartsError. Values of up to 128 bytes share memory in blocks
// of up to 1 KiB: clone the few of very many that you keep for long. MGET: O(n).
func (c Commands) MGet(ctx context.Context, keys ...string) ([]Optional[string], error) {
	return run(ctx, c.begin().mGet(keys), optionals)
}

// MGet queues MGET.
func (q *Queued) MGet(keys ...string) *Future[[]Optional[string]] {
	return queue(q, q.begin().mGet(keys), optionals)
}

func (c *Call) mGet(keys []string) *Call {
	c.Request.Arg("MGET")
	return c.keys(keys)
}

// Pair is a key and its value, for MSet.
type Pair struct{ Key, Value string }

// MSet sets each key to its value; of two pairs with the same key the later wins. Keys may lie in any slots: each node
// gets one write with one MSET per slot, so the call is atomic only within a slot, and a *PartsError lists the keys that
// were not set. MSET: O(n).
func (c Commands) MSet(ctx context.Context, pairs ...Pair) error {
	return only(run(ctx, c.begin().mSet(pairs), nothing))
}

// MSet queues MSET.
func (q *Queued) MSet(pairs ...Pair) *Future[struct{}] {
	return queue(q, q.begin().mSet(pairs), nothing)
}

func (c *Call) mSet(pairs []Pair) *Call {
	c.Request.Arg("MSET")
	for _, p := range pairs {
		c.Request.Key(p.Key)
		c.Request.Arg(p.Value)
	}
	return c
}

// SetOption is an optional argument of Set: EX, PX or KeepTTL.
type SetOption interface{ setOption() }

// Expiry is the time to live that EX and PX give.
type Expiry struct {
	token string
	ttl   time.Duration
	unit  time.Duration
}

func (Expiry) setOption() {}

func (e Expiry) encode(call *Call) {
	call.Request.Arg(e.token)
	if e.ttl <= 0 || e.ttl%e.unit != 0 {
		call.refuse("time to live " + e.ttl.String() + " is not a positive number of " + unitName(e.unit))
	}
	call.Request.ArgInt(int64(e.ttl / e.unit))
}

func unitName(d time.Duration) string {
	if d == time.Second {
		return "seconds"
	}
	return "milliseconds"
}

// EX gives a key a time to live in whole seconds; any other duration fails before anything is sent: see PX.
func EX(ttl time.Duration) Expiry { return Expiry{"EX", ttl, time.Second} }

// PX gives a key a time to live in whole milliseconds; any other duration fails before anything is sent.
func PX(ttl time.Duration) Expiry { return Expiry{"PX", ttl, time.Millisecond} }

type setFlag string

func (setFlag) setOption() {}

// KeepTTL leaves the key's time to live as it is.
const KeepTTL setFlag = "KEEPTTL"
