package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

const (
	// fenceCalls and fenceEvery are after how many calls, or after how long with calls, a fence goes ahead of the next call.
	// A busy server gets 0.4 % more commands by it, of the cheapest kind, and a quiet connection one PING a second at most.
	fenceCalls = 256
	fenceEvery = time.Second
)

// ErrMisplaced means that a reply cannot be the one that was due: a fence's nonce did not come, or in another place, or
// ASKING was answered with something that is neither OK nor an error.
var ErrMisplaced = errors.New("a reply is not the one that was due")

// DesyncError means that the replies of a connection are out of step with its calls: one was left out, doubled or
// nobody's, and nothing tells which. It ends the connection.
type DesyncError struct {
	Err     error // what has shown it: ErrMisplaced, ErrSurplusReply, or a caller's reason
	Suspect int   // replies that callers have had since the connection was last known to be in step
}

func (e *DesyncError) Error() string {
	return fmt.Sprintf("replies out of step with commands: %v; %d replies since the last good fence are suspect", e.Err, e.Suspect)
}

// Unwrap returns what has shown it.
func (e *DesyncError) Unwrap() error { return e.Err }

// fence is a PING with a nonce that goes out among the calls from time to time. Only a stream of replies that is in
// step with its calls has the nonce in the fence's place. Guarded by Conn.mu.
type fence struct {
	left    int       // calls that may be queued before the next one
	suspect int       // replies handed out since the last good one
	out     bool      // the last one has not been answered yet
	refused bool      // the server will not have it: no more of them, for servers keep a log of what they refuse
	answer  []byte    // what the last one is to be answered with: the end of its request
	at      time.Time // when it was queued
	call    Call
}

var fencePing = resp.AppendBulk(resp.AppendArray(nil, 2), "PING")

// fenceIfDue puts a fence ahead of the call that is about to be queued. In front of it, a fence costs the call nothing but
// the server's microsecond; behind it, a caller that is alone would have to leave its reading to the reader. mu is held.
func (c *Conn) fenceIfDue(commands int) {
	f := &c.fence
	if f.left -= commands; f.left >= 0 || f.out || f.refused || c.opts.Blocking {
		return
	}
	c.enqueueFence()
	f.left -= commands
}

// enqueueFence queues a fence; there is none in the queue. mu is held.
func (c *Conn) enqueueFence() {
	f := &c.fence
	f.left, f.at, f.out = fenceCalls, time.Now(), true
	var nonce [16]byte
	digits := strconv.AppendUint(nonce[:0], rand.Uint64()|1<<63, 36) // 13 of them
	request := resp.AppendBulk(append(f.call.Request[:0], fencePing...), digits)
	f.answer = request[len(fencePing):]
	c.enqueueQuiet(&f.call, request)
}

// age makes a fence due that has been left out for long, if there were calls since. mu is held.
func (f *fence) age(now time.Time) {
	if f.left < fenceCalls && now.Sub(f.at) >= fenceEvery {
		f.left = min(f.left, 0)
	}
}

// judge decides what the reply in the place of a fence means. An error proves nothing, for BUSY, LOADING and their like
// are said to any command, by servers that have all replies in step; nor does a plain PONG, which is what some proxies
// say. mu is held.
func (f *fence) judge(frame []byte) (good bool, err error) {
	f.out = false
	switch {
	case bytes.Equal(frame, f.answer):
		return true, nil
	case resp.IsError(frame):
		text, _ := resp.Payload(frame)
		said := Refusal(text)
		f.refused = said.has("NOPERM") || strings.HasPrefix(string(said), "ERR unknown command")
		return false, nil
	case string(frame) == "+PONG\r\n":
		return false, nil
	}
	return false, ErrMisplaced
}

// isAnswer reports whether a reply in another place is a fence's. It is found out here and not at the fence, because
// the caller of that place would have had it. mu is held.
func (f *fence) isAnswer(frame []byte) bool {
	return len(frame) == len(f.answer) && bytes.Equal(frame, f.answer)
}

// Condemn ends the connection because of a reply that makes no sense to its caller, who says why. It does not wait.
func (c *Conn) Condemn(why error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	lost := c.condemn(why)
	c.mu.Unlock()
	c.bury(lost)
}

// condemn makes the connection dead because its replies are out of step, and claims the calls it still holds, for
// bury. mu is held.
func (c *Conn) condemn(why error) (lost []*Call) {
	c.desync = &DesyncError{Err: why, Suspect: c.fence.suspect}
	return c.die(c.desync)
}

// disbelieve settles calls that the read which condemns the connection has answered: nobody knows whether with their
// own replies. The connection's mu is held.
func disbelieve(answers []answer, desync *DesyncError) (lost []*Call) {
	for _, a := range answers {
		if a.last {
			a.call.lose(desync, a.call.end)
			lost = append(lost, a.call)
		}
	}
	return lost
}
