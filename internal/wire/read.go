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

// deliver hands the frames noted by cut to the calls they answer. The first reply too many is an error: it must never
// answer the next caller.
func (c *Conn) deliver(buf []byte) error {
	if len(c.frames) == 0 {
		return nil
	}
	start := 0
	var popped int
	var surplus bool
	c.batch = c.batch[:0]
	c.mu.Lock()
	for _, end := range c.frames {
		frame := buf[start:end]
		start = end
		if resp.KindOf(frame) == resp.Push {
			c.batch = append(c.batch, nil)
			continue
		}
		call := c.owed()
		if call == nil {
			surplus = true
			break
		}
		if call.skip > 0 {
			call.gather(frame)
			c.batch = append(c.batch, nil)
			continue
		}
		c.queue.pop()
		c.answered = call.end
		if call == &c.idle.ping {
			c.idle.probing = false
		}
		c.batch = append(c.batch, call)
		popped++
	}
	if popped > 0 {
		c.replied(popped)
	}
	c.mu.Unlock()

	start = 0
	for i, call := range c.batch {
		end := c.frames[i]
		if call != nil && call.claim() {
			if call.Replies > 1 {
				call.Reply = append(call.Reply, buf[start:end]...)
			} else {
				call.Reply = c.replyFrom(buf, start, end, call.Reply)
			}
			call.finish()
		}
		start = end
	}
	clear(c.batch)
	if surplus {
		return ErrSurplusReply
	}
	return nil
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

// replied does the bookkeeping after n popped replies. mu is held.
func (c *Conn) replied(n int) {
	c.singles++
	if n > 1 || c.queue.len() > 0 {
		c.singles = 0
	}
	if c.queue.len() == 0 {
		c.idle.since = time.Now()
	}
	c.callNext()
}
