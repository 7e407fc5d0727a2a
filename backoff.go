package keyslot

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// pacer draws the delays between attempts at one thing that keeps failing. Each delay lies evenly between 0 and a
// ceiling (full jitter: clients that failed together do not come back together); the ceiling starts at first and
// doubles up to limit. A pacer never gives up, the caller's deadline does that. It is for one goroutine at a time.
type pacer struct {
	first, limit time.Duration
	source       *backoff.ExponentialBackOff // nil before the first retry: it allocates, and most calls never need one
}

// next returns the delay before the next attempt and raises the ceiling.
func (p *pacer) next() time.Duration {
	if p.source == nil {
		p.source = backoff.NewExponentialBackOff(
			// The source draws from interval ± interval×factor, so half the ceiling and a factor of 1 give 0 to ceiling.
			backoff.WithInitialInterval(p.first/2),
			backoff.WithMaxInterval(p.limit/2),
			backoff.WithRandomizationFactor(1),
			backoff.WithMultiplier(2),
			backoff.WithMaxElapsedTime(0),
		)
	}
	return p.source.NextBackOff()
}

// reset brings the ceiling back to first, after a success.
func (p *pacer) reset() {
	if p.source != nil {
		p.source.Reset()
	}
}

// seldom allows something once, and then again after pauses that grow as those of its pacer do, until nobody has asked
// for seldomQuiet. It is for one goroutine at a time.
type seldom struct {
	pace   pacer
	notyet time.Time
}

const seldomQuiet = 10 * time.Second

func (s *seldom) allows(now time.Time) bool {
	if now.Before(s.notyet) {
		return false
	}
	if now.Sub(s.notyet) > seldomQuiet {
		s.pace.reset()
	}
	s.notyet = now.Add(s.pace.next())
	return true
}

// limiter spaces the commands that are sent to a node again: when thousands of them wait for one that is down, they
// come back as a queue and not as a wave. It delays; it never refuses. Safe for concurrent use.
type limiter struct {
	mu   sync.Mutex
	next time.Time // guarded by mu: when the next one may go
}

const (
	// resendsPerSecond is how many commands are sent to one node again in a second, redirects aside. A node answers at
	// least ten times as many.
	resendsPerSecond = 10_000
	// longestQueue is until when places are given. Callers who give up leave theirs empty, and come back for others: a
	// queue without an end would outlast the trouble by as long as that had lasted.
	longestQueue = time.Second
)

// queue returns when a command that is due at due may be sent. Places are given from now on, not from due on: a long pause of
// one command must not delay the short one of another. A command that finds the queue full is sent at a random time within it.
func (l *limiter) queue(due, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	place := later(l.next, now)
	if place.Sub(now) >= longestQueue {
		return later(due, now.Add(rand.N(longestQueue)))
	}
	l.next = place.Add(time.Second / resendsPerSecond)
	return later(due, place)
}
