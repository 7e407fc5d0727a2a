package keyslot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// blocking is what a blocking command says of its own timeout. The zero value is that of a command that does not block.
type blocking struct {
	arg   int           // position of the timeout
	unit  time.Duration // what the timeout counts
	until time.Time     // when the server should have given up; zero: never
	turn  time.Duration // the longest that it may wait on one connection; 0: any time
	early time.Time     // until when a null is no end of the turn under way, but the server's answer
}

// startBlocking reads a blocking command's own timeout, and returns until when its call may take: the command's timeout
// on top of the patience that every call has; for ever where the command says so and the context does not say otherwise.
func (call *call) startBlocking(until, now time.Time) time.Time {
	index, unit, _ := call.Cmd.BlockTimeout(&call.Request)
	call.ownTrouble()
	call.blocking = blocking{arg: index, unit: unit}
	timeout, err := strconv.ParseFloat(string(call.Request.At(index)), 64)
	switch {
	case err != nil, math.IsNaN(timeout), timeout < 0:
		return until // the server will say what is wrong with it
	case timeout == 0, timeout*float64(unit) > math.MaxInt64/2:
		call.takeTurns(now)
		return time.Time{}
	}
	wait := time.Duration(timeout * float64(unit))
	call.blocking.until = now.Add(wait)
	call.takeTurns(now)
	if until.IsZero() {
		return until
	}
	return until.Add(wait)
}

// takeTurns lets a command wait for a quarter of MaxConnAge at a time, on connections that are so much younger than that:
// whoever ends a connection at its age would leave it unknown whether an element was popped. A null says that none was.
func (call *call) takeTurns(now time.Time) {
	turn := call.terms.core.opts.MaxConnAge / 4
	if turn == 0 || call.Cmd.Name == "WAIT" || call.Cmd.Name == "WAITAOF" { // whose answer is no null, and final
		return
	}
	call.blocking.turn, call.blocking.early = turn, now
	if u := call.blocking.until; u.IsZero() || u.Sub(now) > turn {
		call.shorten(now)
	}
}

// waitsOn reports whether only a turn of a blocking command is over.
func (call *call) waitsOn() bool {
	b := call.blocking
	if b.turn == 0 || !call.answered() || resp.KindOf(call.Frame) != resp.Null {
		return false
	}
	now := time.Now()
	return !now.Before(b.early) && (b.until.IsZero() || b.until.Sub(now) >= time.Millisecond)
}

// shorten rewrites the timeout of a blocking command that is sent again, or waits in turns: what has passed is not
// waited for twice.
func (call *call) shorten(now time.Time) {
	b := call.blocking
	rest := b.turn
	if !b.until.IsZero() {
		// Zero would mean for ever, so a timeout that has passed becomes the shortest there is.
		rest = max(b.until.Sub(now), time.Millisecond)
	}
	if b.turn > 0 {
		rest = min(rest, b.turn)
		call.blocking.early = now.Add(rest / 2)
	}
	if rest == 0 { // for ever, or what the server will refuse
		return
	}
	text := strconv.FormatFloat(rest.Seconds(), 'f', 3, 64)
	if b.unit == time.Millisecond {
		text = strconv.FormatInt(rest.Milliseconds(), 10)
	}
	call.rewrite(map[int]string{b.arg: text})
}

// rewrite replaces arguments that are not keys, by position.
func (call *call) rewrite(args map[int]string) {
	var next resp.Request
	for i := range call.Request.Len() {
		if text, ok := args[i]; ok {
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

// sayLast replaces the $ of an XREAD that blocks, "what is added from now on", by the last id of the stream: sent again
// after a redirect or a lost connection, $ would skip what was added in between. A stream without entries has the id 0,
// and one whose last entry was deleted that of an earlier one, which is as good. A server that refuses to tell, because
// of its access rules for instance, leaves $ as it is.
//
//	C: XREVRANGE key + - COUNT 1
//	S: *1  *2  $n <id>  *m <fields>  |  *0
func (call *call) sayLast(ctx context.Context, until time.Time) error {
	r := &call.Request
	if call.Cmd.Name != "XREAD" {
		return nil
	}
	ctx, cancel := untilThen(ctx, until)
	defer cancel()
	t := *call.terms
	t.reads = Primary // a replica that is behind would name an id whose successors are no news
	t.called, t.within = nil, true
	p := t.pipeline()
	last := map[int]*Future[Reply]{}
	for i, k := range r.Keys() {
		if id := r.Len() - len(r.Keys()) + i; string(r.At(id)) == "$" {
			last[id] = p.Do("XREVRANGE", r.At(k), "+", "-", "COUNT", 1)
		}
	}
	if len(last) == 0 {
		return nil
	}
	_ = p.Exec(ctx) // each future tells
	ids := make(map[int]string, len(last))
	for at, future := range last {
		reply, err := future.Get()
		switch {
		case err == nil:
			ids[at] = lastID(reply)
		case !isRefused(err):
			var e *Error
			errors.As(err, &e)
			return call.fail(NotExecuted, fmt.Errorf("XREVRANGE, to resolve $: %w", call.terms.named(e.Err, until))) // e's outcome is not the XREAD's
		}
	}
	call.rewrite(ids)
	return nil
}

// lastID reads the reply to XREVRANGE: the id of the one entry in it, or what is before every id.
func lastID(reply Reply) string {
	if entries, err := reply.Slice(); err == nil && len(entries) > 0 {
		if entry, err := entries[0].Slice(); err == nil && len(entry) > 0 {
			if id, err := entry[0].Text(); err == nil {
				return id
			}
		}
	}
	return "0"
}

// nudgeAfter is how long a node's shared connection may have been silent while a command blocks there, until the node
// is asked for a sign of life.
const nudgeAfter = 5 * time.Second

// leavePatience is how long a node that has left the cluster may still take to redirect what blocks there: servers look
// once a second for such commands whose slots have gone.
const leavePatience = 2 * time.Second

// lookAfter is told for every 500 ms that a command waits at n. Silence on its connection proves nothing, so that n is
// asked over the shared one: a frozen or unreachable node would hold the command for ever. Where that answers, a dial
// that failed proves nothing either. Once n has lost its slots as well, or left the cluster a while ago, the command is
// given up: whatever such a node still answers is lost.
func (c *core) lookAfter(n *node, waiting *wire.Conn) {
	if n.left(waiting.Addr()) {
		waiting.Abandon(errLeft)
		return
	}
	t := &n.lane(0).small
	conn, missing := t.live(), n.silent()
	var err error
	switch {
	case conn == nil:
		_, err = t.startDial(true)
		missing = missing || t.hangs() || n.redial.failing()
	case n.redial.failing(), n.lostSlots(): // it is in doubt, or should send the command away within a second
		conn.Nudge(dialPatience)
	default:
		conn.Nudge(nudgeAfter)
	}
	switch {
	case errors.Is(err, errRetired):
		if n.dedicated.hasLeft(leavePatience) {
			abandon(n.conns(false))
		}
	case missing && n.lostSlots():
		abandon(n.conns(false))
	case missing:
		c.missed(n, true, "a node where commands block does not answer")
	}
}

// isEvicted reports whether the server ended the command because it is no primary any more. It closes the connection then.
func (call *call) isEvicted() bool {
	if call.lost != nil || call.answered() {
		return false
	}
	text, _ := resp.Payload(call.Frame)
	return strings.HasPrefix(string(text), "UNBLOCKED force unblock")
}
