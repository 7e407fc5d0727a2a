package keyslot

import (
	"math"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// blocking is what a blocking command says of its own timeout. The zero value is that of a command that does not block.
type blocking struct {
	arg   int           // position of the timeout
	unit  time.Duration // what the timeout counts
	until time.Time     // when the server should have given up; zero: never
}

// startBlocking reads a blocking command's own timeout, and returns until when its call may take: the command's timeout on
// top of the patience that every call has; for ever where the command says so and the context does not say otherwise.
func (call *call) startBlocking(until, now time.Time) time.Time {
	index, unit, _ := call.cmd.BlockTimeout(&call.Request)
	call.getsIntoTrouble()
	call.blocking = blocking{arg: index, unit: unit}
	timeout, err := strconv.ParseFloat(string(call.Request.At(index)), 64)
	switch {
	case err != nil, math.IsNaN(timeout), timeout < 0:
		return until // the server will say what is wrong with it
	case timeout == 0, timeout*float64(unit) > math.MaxInt64/2:
		return time.Time{}
	}
	wait := time.Duration(timeout * float64(unit))
	call.blocking.until = now.Add(wait)
	if until.IsZero() {
		return until
	}
	return until.Add(wait)
}

// shorten rewrites the timeout of a blocking command that is sent again: what has passed is not waited for twice.
func (call *call) shorten(now time.Time) {
	b := call.blocking
	if b.until.IsZero() {
		return
	}
	// Zero would mean for ever, so a timeout that has passed becomes the shortest there is.
	rest := max(b.until.Sub(now), time.Millisecond)
	var text string
	if b.unit == time.Millisecond {
		text = strconv.FormatInt(rest.Milliseconds(), 10)
	} else {
		text = strconv.FormatFloat(rest.Seconds(), 'f', 3, 64)
	}
	var next resp.Request
	for i := range call.Request.Len() {
		if i == b.arg {
			next.Arg(text)
		} else {
			next.ArgBytes(call.Request.At(i))
		}
	}
	for _, k := range call.Request.Keys() {
		next.AppendKey(k)
	}
	call.Request = next
}
