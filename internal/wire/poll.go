package wire

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// starved is how long a wait makes whoever reads suspect that the runtime woke it late. In a process whose run
	// queue is never empty the runtime looks at its sockets every 10 ms only (runtime.sysmon).
	starved = 4 * time.Millisecond
	// crowded is how long a yield takes at least if other goroutines ran meanwhile; with nothing else to run it takes
	// some 0.2 us.
	crowded = 4 * time.Microsecond
	// pollEvery is how often a reader that waits for a reply looks into the socket at most.
	pollEvery = 20 * time.Microsecond
	// maxMisses are more looks than a reply takes to come even where the servers share the busy processors.
	maxMisses = 64
	// maxPause is how many late wakes do not begin polling where it was always in vain.
	maxPause = 1 << 10
	// hogging is how long a yield takes at least where those who run meanwhile do not yield themselves: the runtime
	// lets each of them have 10 ms. Many who send something take as long together, and are what the yield was for: each
	// command of theirs is worth hogCommand, for those that go over other connections are not seen.
	hogging    = 4 * time.Millisecond
	hogCommand = time.Millisecond
	// maxHogged such yields in a row are no accident of a busy machine.
	maxHogged = 3
	// hogged is how long nobody yields then.
	hogged = time.Second
	// stareFor is how long whoever reads looks into the socket instead, without a pause: longer than a server near by
	// takes to answer, for a hundredth of what it would lose by giving up the processor.
	stareFor = 100 * time.Microsecond
)

// polling says whether to look into the socket before waiting for it. It begins when a wait took long, ends when nobody
// else wants to run, and becomes rare where it finds nothing.
type polling struct {
	on      bool
	last    time.Time // when it last looked
	stare   time.Time // since when it looks without a yield; zero: it does not
	entered int64     // guarded by Conn.mu: commands that had been queued when a caller began to read, or at the last joined
	misses  int       // looks in a row that found nothing
	pause   int       // late wakes that do not begin it, doubled by each time it was in vain
	left    int       // of pause
}

func (p *polling) late() {
	if p.left > 0 {
		p.left--
		return
	}
	p.on, p.misses = true, 0
}

// found notes a read that did not have to wait: a success only if it had to look more than once.
func (p *polling) found() {
	if p.on && p.misses > 0 {
		p.misses, p.pause = 0, 0
	}
}

// again reports whether to look once more, after a yield during which others ran, or did not.
func (p *polling) again(othersRan bool) bool {
	if othersRan && p.misses < maxMisses {
		p.misses++
		return true
	}
	if p.on = false; othersRan {
		p.pause = min(2*p.pause+1, maxPause)
		p.left = p.pause
	}
	return false
}

// woken notes how long the runtime took to wake whoever reads. It may have been the reply that took so long; then
// looking will not find it sooner.
func (c *Conn) woken() {
	switch {
	case c.parked.IsZero():
		c.poll.found()
	case time.Since(c.parked) >= starved && !c.opts.NoPoll:
		c.poll.late()
	}
	c.parked, c.poll.stare = time.Time{}, time.Time{}
}

// lookAgain reports whether to look into the socket once more before waiting for it.
func (c *Conn) lookAgain() (again bool) {
	if !c.others.hog(c.born) {
		return c.poll.again(c.yield())
	}
	now := time.Now()
	if c.poll.stare.IsZero() {
		c.poll.stare = now
	}
	return now.Sub(c.poll.stare) < stareFor
}

// yield lets other goroutines run, and reports whether to look into the socket: not if there was nothing else to run,
// for then the runtime will look (the cells "beside CPU-bound goroutines" of benchmarks/).
func (c *Conn) yield() (look bool) {
	for {
		began := time.Now()
		runtime.Gosched()
		now := time.Now()
		took, joined := now.Sub(began), int64(0)
		if took >= hogging {
			joined = c.joined()
		}
		c.others.ran(took, now.Sub(c.born), joined)
		if took < crowded {
			return false
		}
		if now.Sub(c.poll.last) >= pollEvery {
			c.poll.last = now
			return true
		}
	}
}

// joined returns how many commands others have queued since a caller began to read, or since it was last asked.
func (c *Conn) joined() (commands int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	commands, c.poll.entered = c.queue.entered-c.poll.entered, c.queue.entered
	return commands
}

// others are the goroutines that run during a yield. Where they do not yield themselves, to let them run is to wait
// for all that they have to do, and what was to come meanwhile, company for a write or a reply, is not worth that.
// Safe for concurrent use.
type others struct {
	long  atomic.Int32 // yields in a row that took too long for what came of them
	until atomic.Int64 // when the next yield is tried, as a time since the connection was born; 0: now
}

// ran records a yield: how long it took, when it ended, since the connection was born, and how many commands joined meanwhile.
func (o *others) ran(took, at time.Duration, joined int64) {
	long := took >= hogging && took >= time.Duration(joined)*hogCommand
	switch {
	case long && o.long.Add(1) >= maxHogged:
		o.until.Store(int64(at + hogged))
	case !long && o.long.Load() > 0:
		o.long.Store(0)
	}
}

// hog reports whether not to yield to them.
func (o *others) hog(born time.Time) bool {
	until := o.until.Load()
	return until > 0 && int64(time.Since(born)) < until
}
