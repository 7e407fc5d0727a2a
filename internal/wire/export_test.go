package wire

import (
	"net"
	"sync/atomic"
	"time"
)

// CountExactly makes the connection believe what a failed Write says, as it does for sockets.
func CountExactly(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exact = true
}

// CountWrites counts the connection's writes. It must be called before the first Send. A conn wrapped by Options.Dial
// would be no socket to it, and be treated otherwise.
func CountWrites(c *Conn) *atomic.Int64 {
	counting := &countingConn{Conn: c.rw}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rw = counting
	return &counting.writes
}

type countingConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// Silence returns what the watchdog makes of ticks with the given gaps between them while nothing arrives.
func Silence(gaps ...time.Duration) (silent []time.Duration) {
	now := time.Now()
	w := watchdog{last: now, since: now}
	for _, gap := range gaps {
		now = now.Add(gap)
		silent = append(silent, w.observe(now, 0, 0, w.slept(now)))
	}
	return silent
}

// Reader says who reads: "the reader", "nobody", "a caller" or "a caller soon".
func Reader(c *Conn) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return map[role]string{theReader: "the reader", nobody: "nobody", aCaller: "a caller", aCallerSoon: "a caller soon"}[c.role]
}

// Polls returns how often a reader that is woken late so many times looks for itself, by what it is told: whether
// others wanted to run, and whether a look found anything.
func Polls(late int, othersRan, found bool) (times int) {
	var p polling
	for range late {
		p.found() // a read of what was there already
		p.late()
		if p.on {
			times++
		}
		for p.on && p.again(othersRan) {
			if found {
				p.found()
				p.on = false
			}
		}
	}
	return times
}

// Window is window for the external tests.
const Window = window

// IsNear reports whether the way to the peer is short.
func IsNear(c *Conn) bool { return c.near() != nil }

// IsWriting reports whether somebody is inside Write.
func IsWriting(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writing
}

// Grown is grown for the external tests.
func Grown(full, whole int) int { return grown(full, whole) }

// Held returns how many bytes of buffers the connection holds.
func Held(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cap(c.fill) + cap(c.spare) + 8*len(c.queue.ring) + int(c.readBuf.Load())
}

// PollsAfter reports whether a reader looks for itself once it has waited for so long.
func PollsAfter(waited time.Duration, opts Options) bool {
	c := &Conn{opts: opts, parked: time.Now().Add(-waited)}
	c.woken()
	return c.poll.on
}

// HogsAfter reports whether yields are given up after some that took so long, each for so many commands of
// others, and until when.
func HogsAfter(joined int64, took ...time.Duration) (hog bool, until time.Duration) {
	var o others
	for _, d := range took {
		o.ran(d, time.Hour, joined)
	}
	return o.hog(time.Now().Add(-time.Hour)), time.Duration(o.until.Load())
}

// Company returns how many commands others have queued since a caller began to read.
func Company(c *Conn) int64 { return c.joined() }

// Yield lets other goroutines run as the connection does, and reports whether it will again.
func Yield(c *Conn) (again bool) {
	c.yield()
	return !c.others.hog(c.born)
}

// Freeze makes a connection that is or was just in use believe that the process has just slept for d.
func Freeze(c *Conn, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch.last, c.watch.next, c.idle.since = c.watch.last.Add(-d), c.watch.next.Add(-d), c.idle.since.Add(-d)
}

// Suspend makes a connection that is in use believe that the machine has just been suspended for d, which the wall
// clock alone shows.
func Suspend(c *Conn, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch.next = c.watch.next.Add(-d)
}
