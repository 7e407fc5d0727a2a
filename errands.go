package keyslot

import "sync"

// errands are short goroutines of the client's own, off the path of any call. close waits for them.
type errands struct {
	mu     sync.Mutex
	closed bool // guarded by mu
	work   sync.WaitGroup
}

// run starts do, unless the client is closed.
func (e *errands) run(do func()) (started bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.work.Go(do) // what ends it, its caller says
	}
	return !e.closed
}

func (e *errands) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.work.Wait()
}
