package command

import (
	"math"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot/internal/spec"
)

// What the generated encoders append to a request besides strings and numbers.

// open begins the request with a command of the table, which saves looking it up: head is the frame of a request of its
// name alone. That is a constant, which the compiler copies without a call where open is inlined.
func (c *Call) open(row spec.Row, head string) {
	c.Cmd = row.Command()
	c.Request.Open(head, len(c.Cmd.Name))
}

// seconds is exact, for a second more or less is not what the caller said.
func (c *Call) seconds(d time.Duration) {
	if d%time.Second != 0 {
		c.refuse(d.String() + " is not a whole number of seconds" + c.finer())
	}
	c.Request.ArgInt(int64(d / time.Second))
}

// finer names the method that takes milliseconds where c's takes seconds, if there is one.
func (c *Call) finer() string {
	switch c.Cmd {
	case spec.EXPIRE.Command():
		return ": use PExpire"
	case spec.HEXPIRE.Command():
		return ": use HPExpire"
	}
	return ""
}

func (c *Call) millis(d time.Duration) { c.Request.ArgMillis(d) }

func (c *Call) ttlSeconds(d time.Duration) {
	switch {
	case d <= 0:
		c.refuseTTL(d)
	case d%time.Second != 0:
		c.refuse("time to live " + d.String() + " is not a whole number of seconds: use PX")
	}
	c.Request.ArgInt(int64(d / time.Second))
}

func (c *Call) ttlMillis(d time.Duration) {
	if d <= 0 {
		c.refuseTTL(d)
	}
	c.millis(d)
}

func (c *Call) refuseTTL(d time.Duration) {
	c.refuse("time to live " + d.String() + " is not positive")
}

// wait is how long a command may block, in seconds. Servers take zero for ever, so what is shorter than a millisecond
// must not become zero.
func (c *Call) wait(d time.Duration) {
	c.checkWait(d)
	c.Request.Arg(strconv.FormatFloat(roundedUp(d).Seconds(), 'f', -1, 64))
}

// waitMillis is wait in milliseconds.
func (c *Call) waitMillis(d time.Duration) {
	c.checkWait(d)
	c.Request.ArgInt(roundedUp(d).Milliseconds())
}

func (c *Call) checkWait(d time.Duration) {
	if d < 0 {
		c.refuse("a command cannot wait for " + d.String() + "; zero is for ever")
	}
}

func roundedUp(d time.Duration) time.Duration {
	rest := d % time.Millisecond
	switch {
	case rest <= 0:
		return d
	case d > math.MaxInt64-time.Millisecond: // up would be below zero
		return d - rest
	}
	return d - rest + time.Millisecond
}

func (c *Call) bit(b bool) {
	if b {
		c.Request.Arg("1")
	} else {
		c.Request.Arg("0")
	}
}

func (c *Call) unix(t time.Time) {
	c.checkTime(t)
	c.Request.ArgInt(t.Unix())
}

func (c *Call) unixMillis(t time.Time) {
	c.checkTime(t)
	c.Request.ArgInt(t.UnixMilli())
}

func (c *Call) yesNo(b bool) {
	if b {
		c.Request.Arg("yes")
	} else {
		c.Request.Arg("no")
	}
}

// noOption is what is wrong with an option that the type switch of its interface does not know. Its type is not told,
// for which it would have to be allocated.
const noOption = "an option is nil, or of a type that is not package command's"

// checkTime refuses what a server would take for a time long past, at which the key is removed. It counts milliseconds
// in an int64, in which UnixMilli wraps around.
func (c *Call) checkTime(t time.Time) {
	const most = math.MaxInt64 / 1000
	switch s := t.Unix(); {
	case t.IsZero():
		c.refuse("the zero time, which ExpireTime returns where there is no time to live, would be one in the past: " +
			"for none use Persist, or leave the option out, or Restore with 0")
	case s <= -most || s >= most:
		c.refuse("time " + strconv.FormatInt(s, 10) + " s from 1970 is more than servers can hold")
	}
}
