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
	maxBatch  = 256       // replies completed under one lock
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
		c.poked.Store(false) // after the deadline: who pokes in between has said before what for
		c.trimBuf()
		return true
	case errors.Is(err, io.EOF) && len(c.buf) > 0:
		err = io.ErrUnexpectedEOF
	}
	c.fail(err)
	return false
}

// consume completes calls with all whole frames in the buffer and keeps the rest.
func (c *Conn) consume() error {
	rest := c.buf
	for {
		used, err := c.cut(rest)
		if err != nil {
			return err
		}
		if derr := c.deliver(rest); derr != nil {
			return derr
		}
		rest = rest[used:]
		if len(c.frames) < maxBatch {
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

// cut notes in c.frames where up to maxBatch whole frames at the start of buf end. Replies in front of malformed bytes
// are still good.
func (c *Conn) cut(buf []byte) (used int, err error) {
	c.frames = c.frames[:0]
	for used < len(buf) && len(c.frames) < maxBatch {
		n, err := c.scanner.Scan(buf[used:])
		if err != nil {
			if len(c.frames) > 0 {
				_ = c.deliver(buf)
			}
			return used, err
		}
		if n == 0 {
			break
		}
		used += n
		c.frames = append(c.frames, used)
	}
	return used, nil
}

// deliver hands the frames noted by cut to the calls they answer. Where they turn out to be out of step with the calls, none
// since the last good fence is handed out: a reply must never answer somebody else.
func (c *Conn) deliver(buf []byte) error {
	if len(c.frames) == 0 {
		return nil
	}
	c.batch = c.batch[:0]
	var (
		lost   []*Call
		desync *DesyncError
	)
	c.mu.Lock()
	if c.err != nil && c.queue.len() == 0 { // it ended since the read, and its calls have been settled
		err := c.err
		c.mu.Unlock()
		return err
	}
	good, why := c.match(buf)
	if why != nil {
		lost, desync = c.condemn(why)
		lost = append(lost, disbelieve(c.batch[good:], desync)...)
	}
	c.mu.Unlock()

	c.handOut(buf, c.batch[:good])
	clear(c.batch)
	if desync == nil {
		return nil
	}
	c.buryCondemned(lost, desync)
	return desync
}

// handOut gives calls the frames that answer them, and tells each waiter once of all its calls that stand next to each other.
func (c *Conn) handOut(buf []byte, calls []*Call) {
	var waiter *Waiter
	start, ready := 0, 0 // so many of the waiter's calls are, which it has not been told
	for i, call := range calls {
		frame := buf[start:c.frames[i]:c.frames[i]]
		start = c.frames[i]
		if call == nil {
			continue
		}
		if call.waiter != waiter {
			waiter.done(ready)
			waiter, ready = call.waiter, 0
		}
		if call.Replies > 1 {
			call.Reply = append(call.Reply, frame...)
		} else {
			call.Reply = c.ownFrame(frame, call.Reply)
		}
		ready++
	}
	waiter.done(ready)
}

// match takes the calls that the frames answer out of the queue and claims them, into c.batch: nil for a frame that nobody waits
// for. It returns how many of these are to be believed: all, unless there is a reason to condemn the connection. mu is held.
func (c *Conn) match(buf []byte) (good int, why error) {
	start, replies, fenced := 0, 0, false
	for _, end := range c.frames {
		frame := buf[start:end]
		start = end
		if resp.IsPush(frame) {
			c.batch = append(c.batch, nil)
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
			fenced, c.idle.probing = true, c.idle.again
			if verified {
				good, replies, c.fence.suspect = len(c.batch), 0, 0
			}
		case c.fence.isAnswer(frame):
			return good, ErrMisplaced
		case call.skip > 0:
			if !call.gather(frame) {
				return good, ErrMisplaced
			}
			c.batch = append(c.batch, nil)
			continue
		default:
			replies++
		}
		c.queue.pop()
		c.answered = call.end
		if !call.claim() {
			call = nil
		}
		c.batch = append(c.batch, call)
	}
	if c.idle.again && !c.fence.out && c.err == nil {
		c.probe()
	}
	c.fence.suspect += replies
	if replies > 0 || fenced {
		c.replied(replies)
	}
	return len(c.batch), nil
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

// replied does the bookkeeping after n replies to calls, and perhaps one to a fence. mu is held.
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
	c.callNext()
}
