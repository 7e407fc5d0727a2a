package wire

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

const (
	firstRead = 4 << 10   // an idle connection holds no more than this to read into
	keepRead  = 256 << 10 // a larger read buffer is dropped as soon as it is empty
	maxFrames = 256       // replies completed under one lock
)

// step reads once and completes calls with what has arrived. It returns false when the connection is dead.
func (c *Conn) step() (alive bool) {
	if len(c.buf) == cap(c.buf) || c.full && cap(c.buf) < keepRead {
		c.growBuf()
	}
	n, err := c.rw.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	c.full = len(c.buf) == cap(c.buf)
	c.bytesRead.Add(int64(n))
	c.woken()
	if perr := c.consume(); perr != nil {
		c.fail(perr)
		return false
	}
	c.noticeLarge()
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded): // from interrupt
		_ = c.rw.SetReadDeadline(time.Time{})
		c.poked.Store(false) // after the deadline: whoever pokes in between has noted why before, and that is looked at next
		c.trimBuf()
		return true
	case errors.Is(err, io.EOF) && len(c.buf) > 0:
		err = io.ErrUnexpectedEOF
	}
	c.fail(notOfCaller(err))
	return false
}

// growBuf makes room to read into.
func (c *Conn) growBuf() {
	buf := resp.Room(grown(cap(c.buf), len(c.buf)+c.scanner.Missing()))
	c.buf = resp.Append(buf, c.buf)
	c.readBuf.Store(int64(cap(buf)))
}

// grown returns the size of the buffer that follows one of size full, for a frame that is known to take whole bytes.
// Whatever a header claims, it is at most eight times what has really arrived. Doubling up to 64 MiB would clear 128
// MiB of memory and copy 64; this clears 73 and copies 9.
func grown(full, whole int) int {
	size := max(firstRead, 2*full)
	switch {
	case full < firstRead:
		return firstRead
	case whole > size:
		return min(whole, 8*full)
	case whole > full+full/4: // close to the end, it fits; less may be but the rest of a line
		return whole
	case whole <= keepRead:
		return min(size, keepRead)
	}
	return size
}

// consume completes calls with all whole frames in the buffer and keeps the rest.
func (c *Conn) consume() error {
	rest := c.buf
	for {
		used, err := c.cut(rest)
		if derr := c.deliver(rest); derr != nil {
			return derr
		}
		if err != nil { // the replies in front of malformed bytes were good
			return err
		}
		rest = rest[used:]
		if len(c.frames) < maxFrames {
			break
		}
	}
	c.framed.Store(c.bytesRead.Load() - int64(len(rest)))
	switch {
	case len(rest) == 0 && cap(c.buf) > keepRead:
		c.buf = nil
		c.readBuf.Store(0)
	case len(rest) < len(c.buf):
		c.buf = c.buf[:copy(c.buf, rest)]
	}
	return nil
}

// cut notes in c.frames where up to maxFrames whole frames at the start of buf end.
func (c *Conn) cut(buf []byte) (used int, err error) {
	if c.frames, err = c.scanner.Ends(c.frames[:0], buf, maxFrames); len(c.frames) > 0 {
		used = c.frames[len(c.frames)-1]
	}
	return used, err
}

// deliver hands the frames noted by cut to the calls they answer. Where they turn out to be out of step with the calls,
// none since the last good fence is handed out: a reply must never answer somebody else.
func (c *Conn) deliver(buf []byte) error {
	c.answers = c.answers[:0]
	if len(c.frames) == 0 {
		return nil
	}
	var lost []*Call
	c.mu.Lock()
	if c.err != nil && c.queue.len() == 0 { // it ended since the read, and its calls have been settled
		err := c.err
		c.mu.Unlock()
		return err
	}
	good, why := c.match(buf)
	if why != nil {
		lost = c.condemn(why)
		lost = append(lost, disbelieve(c.answers[good:], c.desync)...)
	}
	desync := c.desync
	c.mu.Unlock()

	c.handOut(buf, c.answers[:good])
	clear(c.answers)
	if why == nil {
		return nil
	}
	c.bury(lost)
	return desync
}

// answer is the replies to one call that a read has brought: frames[first:next] of the connection, from where the first begins.
type answer struct {
	call              *Call
	from, first, next int
	last              bool // with these the call has all its replies, and was claimed
}

// handOut gives calls the frames that answer them, and tells each waiter once of all its calls that stand next to each other.
func (c *Conn) handOut(buf []byte, answers []answer) {
	var waiter *Waiter // nil at first, of which done(0) takes no notice
	ready := 0         // so many of the waiter's calls are, which it has not been told
	for i := range answers {
		a := &answers[i]
		if a.call.waiter != waiter {
			waiter.done(ready)
			waiter, ready = a.call.waiter, 0
		}
		c.give(buf, a)
		if a.last {
			ready++
		}
	}
	waiter.done(ready)
}

// give copies what answers a call into its memory.
func (c *Conn) give(buf []byte, a *answer) {
	if a.call.Batch != nil {
		a.call.gather(c, buf, a.from, c.frames[a.first:a.next])
		return
	}
	end := c.frames[a.first]
	a.call.Reply = c.ownFrame(buf[a.from:end:end], a.call.Reply)
}

// ownFrame returns a frame in memory of the call's own: copied into that of old, or as it is, where it is all that the
// read buffer holds, which is too large to be kept and not much larger than the frame: the buffer may have been made
// for a reply before it.
func (c *Conn) ownFrame(frame, old []byte) []byte {
	if size := len(frame); size > keepRead && size == len(c.buf) && cap(c.buf)-size <= size/8 {
		c.buf = nil // what is read next goes elsewhere
		return frame
	}
	if cap(old) < len(frame) {
		old = resp.Room(len(frame)) // nothing will follow, for which Append would leave room
	}
	return resp.Append(old[:0], frame)
}

// match takes the calls that the frames answer out of the queue and claims them, and notes in c.answers what each of them
// gets. It returns how many of these are to be believed: all, unless there is a reason to condemn the connection. mu is held.
func (c *Conn) match(buf []byte) (good int, why error) {
	replies, calls, fenced := 0, 0, false
	for next := 0; next < len(c.frames); {
		from, first := 0, next
		if first > 0 {
			from = c.frames[first-1]
		}
		next++ // behind all that is for the same call: see runEnd
		frame := buf[from:c.frames[first]]
		if resp.IsPush(frame) {
			continue
		}
		call := c.owed()
		switch {
		case call == nil:
			return good, ErrSurplusReply
		case call == &c.fence.call:
			verified, err := c.fence.judge(frame)
			if err != nil {
				return good, err
			}
			fenced = true
			c.idle.probing = c.idle.again // which was asked for while this fence was out
			if verified {
				good, replies, c.fence.suspect = len(c.answers), 0, 0
			}
		case c.fence.isAnswer(frame), call.isAsked() && !isOfAsking(frame):
			return good, ErrMisplaced
		case call.isAsked():
		default:
			if call.owing > 1 {
				next = c.runEnd(buf, next, int(call.owing)-1)
			}
			replies += next - first
			if call.state == pending {
				c.answers = append(c.answers, answer{call: call, from: from, first: first, next: next})
			}
		}
		c.queue.answered(call, next-first)
		if call.owing > 0 {
			continue
		}
		if call != &c.fence.call {
			calls++
		}
		c.queue.pop()
		c.answered = call.end
		if call.claim() {
			c.answers[len(c.answers)-1].last = true
		}
	}
	c.conclude(calls, replies, fenced)
	return c.keepPart(buf), nil
}

// conclude draws the conclusions of a read whose frames were all in step: so many calls of callers are done, and so
// many replies are to be vouched for by the next fence, after the one that was answered, if fenced. mu is held.
func (c *Conn) conclude(calls, replies int, fenced bool) {
	if c.idle.again && !c.fence.out && c.err == nil {
		c.probe()
	}
	c.fence.suspect += replies
	if calls > 0 || fenced {
		c.replied(calls)
	}
	c.callNext()
}

// runEnd returns where the frames from next on, at most so many, end to be replies like the one before them. mu is held.
func (c *Conn) runEnd(buf []byte, next, most int) int {
	from, rest := c.frames[next-1], c.frames[next:min(next+most, len(c.frames))]
	for i, end := range rest {
		frame := buf[from:end]
		if resp.IsPush(frame) || c.fence.isAnswer(frame) {
			return next + i
		}
		from = end
	}
	return next + len(rest)
}

// keepPart gives a batch that is not answered whole what it has by now, and returns how many answers are for others.
// Until it is whole its caller may give up at any moment: so this cannot wait until mu, which is held, is let go.
func (c *Conn) keepPart(buf []byte) (others int) {
	others = len(c.answers)
	for others > 0 && !c.answers[others-1].last {
		others--
	}
	for i := range c.answers[others:] {
		c.give(buf, &c.answers[others+i])
	}
	return others
}

// owed returns the call that the next reply answers, or nil if no reply is due: the oldest call's bytes must at least
// have been offered to Write. mu is held.
func (c *Conn) owed() *Call {
	if c.queue.len() == 0 {
		return nil
	}
	if call := c.queue.at(0); call.end <= c.offered {
		return call
	}
	return nil
}

// replied does the bookkeeping after n calls were answered, and perhaps a fence. mu is held.
func (c *Conn) replied(n int) {
	switch {
	case n == 0: // a fence is no sign of company
	case n > 1 || c.queue.len() > 0:
		c.singles = 0
	default:
		c.singles++
	}
	if c.queue.len() == 0 {
		c.idle.since = time.Now()
	}
}
