package keyslot

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// Refreshes in a healthy cluster: two at once (a redirect, and the one that follows while slots move), then one a second.
	refreshBurst    = 2
	refreshInterval = time.Second

	// Refreshes while callers cannot be served: 100 to 200 ms apart at first, 100 to 500 ms later, until the cluster has
	// been quiet for urgentQuiet. With 5,000 clients that ask 2 of 1,500 nodes each, a node sends about 20 maps a second.
	urgentFloor = 100 * time.Millisecond
	urgentFirst = 100 * time.Millisecond
	urgentLimit = 400 * time.Millisecond
	urgentQuiet = 5 * time.Second

	// After refreshes that failed: DNS or every node is away. The limit decides how fast a client finds a rebuilt cluster.
	retryFirst = 200 * time.Millisecond
	retryLimit = 400 * time.Millisecond

	// Clients that see the same redirect ask within this window: a millisecond for each node above smallCluster, at most 1 s.
	smallCluster = 10
	herdLimit    = time.Second
)

// refresher runs one topology refresh at a time, off the path of the callers that ask for it. While nothing is asked it
// has no goroutine and no timer: a frozen Lambda has nothing to catch up with. Safe for concurrent use.
type refresher struct {
	// immutable
	run    func(ctx context.Context, reason string, urgent bool) error // must return soon after ctx ends
	nodes  func() int                                                  // cluster size, for the jitter
	logger *slog.Logger                                                // may be nil

	wake    chan struct{} // tells a waiting loop that the round has become urgent; one slot
	running sync.WaitGroup

	// guarded by mu
	mu      sync.Mutex
	next    *round             // asked for and not started; a loop is running while there is one
	active  *round             // under way
	stop    context.CancelFunc // ends the loop; nil while there is none
	closed  bool
	pace    pace
	failing bool // what the logger was told last
}

// round is one refresh and those who wait for it.
type round struct {
	reason    string // the first one given
	urgent    bool
	notBefore time.Time // asked, plus the jitter
	done      chan struct{}
	err       error // written before done is closed
}

func newRefresher(run func(ctx context.Context, reason string, urgent bool) error, nodes func() int, logger *slog.Logger) *refresher {
	return &refresher{run: run, nodes: nodes, logger: logger, wake: make(chan struct{}, 1), pace: newPace()}
}

// request asks for a refresh, because a reply has shown that the map is old. It never blocks. Requests made while a
// refresh is under way lead to one more, since that one may have asked before the change.
func (r *refresher) request(reason string) {
	size := r.nodes() // not under the lock: it is the client's
	r.mu.Lock()
	defer r.mu.Unlock()
	r.demand(reason, false, herdDelay(size))
}

// urgent is request for a caller that cannot be served until the map is better: no jitter, and a faster pace.
func (r *refresher) urgent(reason string) { r.urgentIn(0, reason) }

// urgentIn is urgent for a round that starts after a delay at the earliest, unless one is due before.
func (r *refresher) urgentIn(delay time.Duration, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.demand(reason, true, delay)
}

// wait blocks until the refresh under way has ended, or an urgent one if there is none, and returns its error; but
// never beyond ctx, whose error it returns then.
func (r *refresher) wait(ctx context.Context, reason string) error {
	r.mu.Lock()
	joined := r.active
	if joined == nil {
		joined = r.demand(reason, true, 0)
	}
	r.mu.Unlock()
	if joined == nil {
		return ErrClosed
	}
	select {
	case <-joined.done:
		return joined.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close cancels the refresh under way and waits until it has ended. It must not be called by run.
func (r *refresher) close() {
	r.mu.Lock()
	r.closed = true
	if r.stop != nil {
		r.stop()
	}
	r.mu.Unlock()
	r.running.Wait()
}

// demand returns the round to come, or nil after close. Called with mu held.
func (r *refresher) demand(reason string, urgent bool, jitter time.Duration) *round {
	if r.closed {
		return nil
	}
	due := time.Now().Add(jitter)
	if r.next != nil {
		if urgent {
			r.next.urgent = true
			if due.Before(r.next.notBefore) {
				r.next.notBefore = due
			}
			signal(r.wake)
		}
		return r.next
	}
	r.next = &round{reason: reason, urgent: urgent, notBefore: due, done: make(chan struct{})}
	if r.stop == nil {
		// The refresh belongs to the client, not to the caller that happened to ask.
		ctx, stop := context.WithCancel(context.Background())
		r.stop = stop
		r.running.Go(func() { r.loop(ctx) }) // ends when nothing is asked, or at close, which waits for it
	}
	return r.next
}

func (r *refresher) loop(ctx context.Context) {
	for {
		delay, more := r.plan()
		switch {
		case !more:
			return
		case delay == 0:
			r.refresh(ctx)
		default:
			due := time.NewTimer(delay)
			select {
			case <-due.C:
			case <-r.wake:
			case <-ctx.Done():
			}
			due.Stop()
		}
	}
}

// plan makes the next round active if it is due, else returns how long it has to wait. Without more to do, the loop ends.
func (r *refresher) plan() (delay time.Duration, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed && r.next != nil {
		r.next.err = ErrClosed
		close(r.next.done)
		r.next = nil
	}
	if r.next == nil {
		r.stop()
		r.stop = nil
		return 0, false
	}
	now := time.Now()
	if delay = r.pace.earliest(r.next).Sub(now); delay > 0 {
		return delay, true
	}
	r.active, r.next = r.next, nil
	r.pace.started(r.active, now)
	return 0, true
}

func (r *refresher) refresh(ctx context.Context) {
	done := r.active // only this goroutine writes it
	err := r.run(ctx, done.reason, done.urgent)

	r.mu.Lock()
	if r.closed {
		err = ErrClosed
	}
	r.pace.ended(err, time.Now())
	changed := r.failing != (err != nil) && !r.closed
	r.failing = err != nil
	r.active, done.err = nil, err
	close(done.done)
	r.mu.Unlock()

	// A change is worth a line; the same failure five times a second is not.
	if !changed || r.logger == nil {
		return
	}
	if err != nil {
		r.logger.Warn("keyslot: topology refresh failed, the last map stays in use", "reason", done.reason, "error", err)
	} else {
		r.logger.Info("keyslot: topology refresh works again", "reason", done.reason)
	}
}

// pace decides when a refresh may start. Guarded by its refresher's mu.
type pace struct {
	spent    time.Time // when the token bucket of refreshBurst tokens will be full again
	urgentAt time.Time // when the next urgent refresh may start
	retryAt  time.Time // when the next one may start after a failure

	floor  time.Duration // between urgent refreshes; on top comes what urgent draws
	urgent pacer
	retry  pacer
}

func newPace() pace {
	return pace{
		floor:  urgentFloor,
		urgent: pacer{first: urgentFirst, limit: urgentLimit},
		retry:  pacer{first: retryFirst, limit: retryLimit},
	}
}

// earliest returns when a round may start.
func (p *pace) earliest(next *round) time.Time {
	free := p.spent.Add(-(refreshBurst - 1) * refreshInterval)
	if next.urgent {
		free = p.urgentAt
	}
	return later(next.notBefore, later(free, p.retryAt))
}

func (p *pace) started(current *round, now time.Time) {
	// An urgent refresh takes a token too, but never below zero: a failover must not delay the refreshes after it.
	full := later(p.spent, now).Add(refreshInterval)
	if limit := now.Add(refreshBurst * refreshInterval); full.After(limit) {
		full = limit
	}
	p.spent = full
	if !current.urgent {
		return
	}
	if now.Sub(p.urgentAt) > urgentQuiet {
		p.urgent.reset()
	}
	p.urgentAt = now.Add(p.floor + p.urgent.next())
}

func (p *pace) ended(err error, now time.Time) {
	if err != nil {
		p.retryAt = now.Add(p.retry.next())
		return
	}
	p.retry.reset()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// herdDelay draws how long a client waits before it asks about a change that all others see too. The slot that moved is
// patched by then, so nobody waits for this.
func herdDelay(nodes int) time.Duration {
	window := min(time.Duration(nodes-smallCluster)*time.Millisecond, herdLimit)
	if window <= 0 {
		return 0
	}
	return rand.N(window)
}
