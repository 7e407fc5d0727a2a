package wire

import (
	"cmp"
	"container/list"
	"context"
	"time"
)

// line is where callers wait for room in the queue, first come, first served: whoever makes room holds it for those in
// front, so that a large batch is not starved by small ones that would fit sooner. Guarded by Conn.mu.
type line struct {
	turns    list.List // of *turn
	commands int       // for which room is held until they enter
	bytes    int
}

// turn is one caller's place in the line.
type turn struct {
	commands int
	bytes    int
	movable  bool          // all its calls are
	called   chan struct{} // closed when room is held for the turn, or there will never be any
	held     bool          // guarded by Conn.mu
	err      error         // guarded by Conn.mu: why there will never be any, where the connection lives on
}

// admit returns with room for calls in the queue, or with the reason why they cannot enter. mu is held, and released
// only while waiting.
func (c *Conn) admit(ctx context.Context, w *Waiter, calls []*Call) error {
	if err := c.refusal(); err != nil {
		return err
	}
	c.lookFirst(w)
	if c.err != nil {
		return c.err
	}
	commands := commandsOf(calls)
	if c.line.turns.Len() == 0 && c.hasRoom(commands) {
		return nil
	}
	t := &turn{commands: commands, movable: true, called: make(chan struct{})}
	for _, call := range calls {
		t.bytes += call.length()
		t.movable = t.movable && call.Movable
	}
	place := c.line.turns.PushBack(t)
	c.callReader() // room is made by replies
	c.mu.Unlock()
	err := t.wait(ctx, calls[0].Deadline)
	c.mu.Lock()
	c.line.turns.Remove(place)
	if t.held {
		c.line.commands -= t.commands
		c.line.bytes -= t.bytes
	}
	if err == nil {
		err = cmp.Or(t.err, c.refusal())
	}
	if err != nil {
		c.callNext()
	}
	return err
}

// refusal returns why no call may enter, or nil. mu is held.
func (c *Conn) refusal() error {
	if c.err == nil && c.draining {
		return ErrClosed
	}
	return c.err
}

// hasRoom reports whether n more commands may enter. A batch larger than the limit enters an empty queue alone. mu is held.
func (c *Conn) hasRoom(n int) bool {
	if c.idle.probing {
		return false
	}
	ahead := c.queue.commands + c.line.commands
	return ahead == 0 || ahead+n <= c.opts.MaxInFlight && len(c.fill)+c.line.bytes < maxFill
}

// admitNow is admit for calls that do not wait: it reports whether there is room. A batch larger than the limit does
// not enter an empty queue. mu is held.
func (c *Conn) admitNow(w *Waiter, calls []*Call) bool {
	if c.refusal() != nil {
		return false
	}
	c.lookFirst(w)
	n := commandsOf(calls)
	return c.err == nil && c.line.turns.Len() == 0 &&
		c.queue.commands+c.line.commands+n <= c.opts.MaxInFlight && c.hasRoom(n)
}

func commandsOf(calls []*Call) (n int) {
	for _, call := range calls {
		n += call.Commands()
	}
	return n
}

// callNext calls those in front of the line for whom there is room, or everybody when nobody may enter any more.
// mu is held.
func (c *Conn) callNext() {
	for front := c.line.turns.Front(); front != nil; front = c.line.turns.Front() {
		t := front.Value.(*turn)
		if c.refusal() == nil {
			if !c.hasRoom(t.commands) {
				return
			}
			t.held = true
			c.line.commands += t.commands
			c.line.bytes += t.bytes
		}
		c.line.turns.Remove(front)
		close(t.called)
	}
}

// giveBack sends those away, with cause, whose calls are all Movable. Conn.mu is held.
func (l *line) giveBack(cause error) {
	for place := l.turns.Front(); place != nil; {
		t, next := place.Value.(*turn), place.Next()
		if t.movable {
			t.err = cause
			l.turns.Remove(place)
			close(t.called)
		}
		place = next
	}
}

// wait returns when the turn is called, or why its caller does not wait any longer.
func (t *turn) wait(ctx context.Context, deadline time.Time) error {
	var expired <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-t.called:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-expired:
		return context.DeadlineExceeded
	}
}
