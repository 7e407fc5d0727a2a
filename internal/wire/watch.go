package wire

import (
	"context"
	"io"
	"time"
)

const (
	// tick is how often the watchdog looks at a connection with calls in flight; an idle connection has no timer.
	tick = 250 * time.Millisecond
	// suspectAfter is how long a peer may owe replies without a byte passing before OnSilent is called, and how often
	// it is called from then on: the one answer that matters may come later, when the cluster has replaced the node.
	suspectAfter = 500 * time.Millisecond
	// probeTimeout is how long an idle connection may take to answer PING before it is given up.
	probeTimeout = 500 * time.Millisecond
	// lookAfter is how long a connection may be idle without a look at whether the peer has closed it, or sent
	// anything: the reader notices, but in a busy process it may take a while until it runs.
	lookAfter = 500 * time.Microsecond
)

// idleness says since when a connection has had nothing to do, and whether it is being probed. Guarded by Conn.mu.
type idleness struct {
	since   time.Time
	probing bool
	again   bool // a fence was out, whose answer may be older than what the probe is for: the probe follows that answer
}

func (i *idleness) lasted(now time.Time) time.Duration { return passed(i.since, now) }

// lookFirst looks after a connection before a command is risked on it: one that has had nothing to do the peer may have
// closed, and the process may have been frozen and the connection cut meanwhile. After a long silence, and where
// something has come that nobody asked for, PING goes ahead of the command; it costs nothing when lost, a command may.
// Until its answer comes nobody enters. mu is held.
func (c *Conn) lookFirst(w *Waiter) {
	if c.follows {
		return
	}
	now := w.now()
	if c.queue.len() > 0 {
		// The tick that would tell is late too: who comes first after a freeze may come before it.
		if c.overslept(now) {
			c.probeBeforeTick(now)
		}
		return
	}
	switch idle := c.idle.lasted(now); {
	case c.opts.wantsProbe(idle):
		c.probeBeforeTick(now)
	case idle >= lookAfter && c.role == theReader && c.socket != nil:
		switch unread, ended := c.socket.source.Peek(); {
		case ended:
			c.die(io.EOF) // the reader will find out by itself, and bury it
		case unread: // nobody has asked for it: a stray reply, the goodbye of TLS, or a mere push
			c.probe()
		}
	}
}

// probeBeforeTick probes where the watchdog's tick may be as late as the caller. It is not to find out once more, nor
// to hold against the PING how long other replies have been due. mu is held.
func (c *Conn) probeBeforeTick(now time.Time) {
	c.watch.next, c.watch.since = now, now
	c.probe()
}

// Nudge asks the peer of a connection that has had nothing to do for so long whether it is still there. It does not
// wait: OnSilent is called if no answer comes, and the connection given up.
func (c *Conn) Nudge(idle time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusal() == nil && c.queue.len() == 0 && !c.follows && c.idle.lasted(time.Now()) >= idle {
		c.probe()
	}
}

// probe queues PING, before whose answer nobody enters: see match and hasRoom. A fence that is out already has another
// one follow it. mu is held.
func (c *Conn) probe() {
	c.idle.probing = true
	if c.idle.again = c.fence.out; c.idle.again {
		return
	}
	c.enqueueFence()
	c.armWatchdog(time.Time{})
	c.callReader()
	if !c.flushing {
		c.flushing = true
		c.flushers.Add(1)
		go c.flushRest()
	}
}

func (o *Options) wantsProbe(idle time.Duration) bool { return o.IdleProbe > 0 && idle >= o.IdleProbe }

// enqueueQuiet queues a command of the connection's own, whose reply nobody waits for. mu is held.
func (c *Conn) enqueueQuiet(call *Call, request []byte) {
	call.Request = request
	call.state = claimed
	c.own++
	c.enqueue(call)
}

// watchdog notices a peer that stops answering, and callers whose deadline only the connection keeps. Its timer runs
// only while calls are in flight. Guarded by Conn.mu.
type watchdog struct {
	timer *time.Timer
	armed bool
	next  time.Time // when the timer fires
	last  time.Time // the last look
	since time.Time // when progress was last seen
	head  int64     // end of the oldest call then
	bytes int64     // Conn.progress by then
	told  time.Time // when OnSilent was last called for this silence; zero: not yet

	trickle Trickle
}

func (w *watchdog) stop() {
	w.armed = false
	if w.timer != nil {
		w.timer.Stop()
	}
}

// lookAt sets the timer to the next tick, or to a deadline before it.
func (w *watchdog) lookAt(now, deadline time.Time) {
	w.next = now.Add(tick)
	if !deadline.IsZero() && deadline.Before(w.next) {
		w.next = deadline
	}
	w.timer.Reset(w.next.Sub(now))
}

// forget ends a silence, whatever comes next. The timer goes on: the last look is yet to come.
func (w *watchdog) forget() { w.head, w.told = -1, time.Time{} }

// armWatchdog starts the timer unless it runs, so that it looks at deadline (zero: none) at the latest. mu is held.
func (c *Conn) armWatchdog(deadline time.Time) {
	w := &c.watch
	if w.armed {
		if !deadline.IsZero() && deadline.Before(w.next) {
			w.lookAt(time.Now(), deadline)
		}
		return
	}
	wakeMonitor()
	now := time.Now()
	w.armed, w.told, w.last, w.since, w.trickle.since = true, time.Time{}, now, now, now
	w.head = c.queue.at(0).end
	w.bytes = c.bytesRead.Load() + w.head // that it is written at once will be no news
	if w.timer == nil {
		w.timer = time.AfterFunc(tick, c.tick)
	}
	w.lookAt(now, deadline)
}

// tick is the watchdog's tick, on a timer's goroutine.
func (c *Conn) tick() {
	now := time.Now()
	c.mu.Lock()
	overslept := c.overslept(now)
	if overslept {
		c.probe() // what is in flight is at risk already; nothing else is to be
	}
	c.fence.age(now)
	if c.role == aCallerSoon { // it waits for a slower one, and what has come here is not to look like silence
		c.callReader()
	}
	if c.opts.OnOld != nil && c.refusal() == nil && c.isOld(now) {
		defer c.opts.OnOld(c) // not under the lock
	}
	if c.err != nil || c.queue.len() == 0 {
		c.watch.armed = c.rest(now)
		c.mu.Unlock()
		return
	}
	head, bytes := c.progress()
	framed, received := c.framed.Load(), c.bytesRead.Load()
	slept := c.watch.slept(now) || overslept // which the wall clock alone may show
	if slept {
		bytes = received + head // the PING is yet to be written: that it was will be no news at the next look
	}
	trickled := c.watch.trickle.Observe(now, framed, received, slept || framed == received)
	silent := c.watch.observe(now, head, bytes, slept)
	if c.follows { // nothing is owed before it is written
		silent, c.watch.since = 0, now
	}
	expired, nearest := c.expire(now)
	suspect := silent >= suspectAfter && now.Sub(c.watch.told) >= suspectAfter
	if suspect {
		c.watch.told = now
	}
	probing, poke := c.idle.probing, c.concernsReader(expired)
	c.watch.lookAt(now, nearest)
	c.mu.Unlock()

	c.finishClaimed(expired, poke)
	if probing && silent >= probeTimeout {
		c.fail(ErrProbeFailed)
	}
	switch {
	case c.opts.PeerTimeout > 0 && trickled >= c.opts.PeerTimeout:
		c.fail(ErrPeerTrickles)
	case c.opts.PeerTimeout > 0 && silent >= c.opts.PeerTimeout && !c.opts.Blocking: // for a blocking command it is no silence
		c.fail(ErrPeerSilent)
	case suspect && c.opts.OnSilent != nil:
		c.opts.OnSilent(c)
	}
}

// overslept reports whether this process stood still for so long that nothing more may be risked on the connection,
// though it was in use: the replies that are found then, which may be all that was owed, came before or meanwhile, and
// the peer may be gone since. A Blocking connection's own commands hold up an answer, and so may a slow command
// anywhere: to be late by less than a silence that counts is no reason. mu is held.
func (c *Conn) overslept(now time.Time) bool {
	late := passed(c.watch.next, now)
	return c.watch.armed && c.err == nil && !c.idle.probing && !c.follows && !c.opts.Blocking &&
		late >= suspectAfter && c.opts.wantsProbe(late)
}

// rest leaves a connection with nothing in flight to the reader goroutine, so that its end is noticed, and trims it. It
// returns whether to look again instead: while somebody is yet to leave Write or the reader's role, and as long as a
// caller that is alone comes again and again, until a tick after its last reply. mu is held.
func (c *Conn) rest(now time.Time) (again bool) {
	if c.err != nil {
		return false
	}
	switch due := c.idle.since.Add(tick); {
	case c.flushing, c.alone != nil:
		c.watch.lookAt(now, time.Time{})
	case c.role == nobody && now.Before(due):
		c.watch.lookAt(now, due)
	default:
		c.callReader()
		c.trim()
		return false
	}
	return true
}

// progress returns where the oldest call ends, and how many bytes have passed: all that were received, and those that
// Write accepted up to that end. What is accepted behind it says nothing: a frozen peer's socket takes more requests.
// mu is held, and calls are in flight.
func (c *Conn) progress() (head, bytes int64) {
	head = c.queue.at(0).end
	return head, c.bytesRead.Load() + min(c.written.Load(), head)
}

// Silent reports whether for 500 ms or more the peer has owed replies and no byte has passed.
func (c *Conn) Silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isSilent()
}

// isSilent is Silent. mu is held.
func (c *Conn) isSilent() bool {
	w := &c.watch
	if !w.armed || w.told.IsZero() || c.err != nil || c.queue.len() == 0 {
		return false
	}
	_, bytes := c.progress()
	return w.bytes == bytes
}

// slept notes the time and reports whether this look comes so late that this process must have slept, not the peer.
func (w *watchdog) slept(now time.Time) bool {
	late := now.Sub(w.last) > 2*tick
	w.last = now
	return late
}

// observe returns for how long there was no progress: the same oldest call, and no byte passed.
func (w *watchdog) observe(now time.Time, head, bytes int64, slept bool) time.Duration {
	if slept || head != w.head || bytes != w.bytes {
		w.since, w.head, w.bytes, w.told = now, head, bytes, time.Time{}
	}
	return now.Sub(w.since)
}

// expire claims the calls whose deadline has passed and settles them as given up; the caller finishes them without the
// lock. It also returns the nearest deadline of the others. mu is held.
func (c *Conn) expire(now time.Time) (expired []*Call, nearest time.Time) {
	for i := c.queue.len() - 1; i >= 0; i-- {
		call := c.queue.at(i)
		if call.Deadline.IsZero() || call.state != pending {
			continue
		}
		if now.Before(call.Deadline) {
			if nearest.IsZero() || call.Deadline.Before(nearest) {
				nearest = call.Deadline
			}
			continue
		}
		if !call.claim() {
			continue
		}
		c.giveUpLocked(call, context.DeadlineExceeded)
		expired = append(expired, call)
	}
	return expired, nearest
}
