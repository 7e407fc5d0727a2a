package proxy

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/keyslot-go/keyslot/internal/loopback"
)

// Front is a listener in front of one server. Its methods are safe for concurrent use.
type Front struct {
	// immutable
	addr     string
	classify Classify
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc

	running sync.WaitGroup // all goroutines of the Front

	requests, replies atomic.Int64

	// guarded by mu
	mu       sync.Mutex
	server   string
	fault    Fault
	changed  chan struct{}      // closed, and replaced, when another fault is set
	setting  uint64             // how often one was set
	listener *loopback.Listener // nil while dials are refused
	links    map[*link]struct{}
	dials    int
}

// Listen begins to accept connections at addr for server, both host:port. Port 0 of addr is one that is free. On Linux
// any 127.0.0.N is a host of its own, and several Fronts can have the same port. The caller must call Close.
func Listen(addr, server string, classify Classify) (*Front, error) {
	listener, err := loopback.Listen(addr)
	if err != nil {
		return nil, err
	}
	f := &Front{
		addr: listener.Addr().String(), classify: classify, server: server, listener: listener,
		changed: make(chan struct{}), links: make(map[*link]struct{}),
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.accept(listener)
	return f, nil
}

// Addr returns the host:port at which the Front listens.
func (f *Front) Addr() string { return f.addr }

// Set puts another fault in place of the present one. What is being written at that moment may still pass. It fails
// only where the port that Refuse gave up cannot be listened on again.
func (f *Front) Set(fault Fault) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
	f.setting++
	close(f.changed)
	f.changed = make(chan struct{})
	if fault.Refuse && f.listener != nil {
		_ = f.listener.Close() // which ends its accept loop
		f.listener = nil
	}
	if fault.Refuse || f.listener != nil || f.ctx.Err() != nil {
		return nil
	}
	listener, err := loopback.Listen(f.addr)
	if err != nil {
		return err
	}
	f.listener = listener
	f.accept(listener)
	return nil
}

// Retarget makes connections accepted from now on lead to another server; those present stay with theirs.
func (f *Front) Retarget(server string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = server
}

// Reset ends all connections of clients by RST, and returns how many. Their server sees a reset too.
func (f *Front) Reset() int { return f.end(Reset) }

// Finish ends all connections of clients by FIN, and returns how many: in the middle of a reply, as it happens.
func (f *Front) Finish() int { return f.end(Finish) }

func (f *Front) end(how End) int {
	ended := 0
	for _, l := range f.present() {
		if l.peer() == Client && l.end(how) {
			ended++
		}
	}
	return ended
}

// Counts returns what the Front has seen of clients.
func (f *Front) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := Counts{Dials: f.dials, Requests: f.requests.Load(), Replies: f.replies.Load()}
	for l := range f.links {
		if l.peer() == Client {
			counts.Open++
		}
	}
	return counts
}

// Close stops listening, ends all connections by RST and waits until everything that belongs to the Front has ended.
func (f *Front) Close() {
	f.mu.Lock()
	f.cancel()
	if f.listener != nil {
		_ = f.listener.Close()
		f.listener = nil
	}
	f.mu.Unlock()
	for _, l := range f.present() {
		if !l.end(Reset) {
			l.close() // finished, but its client does not close
		}
	}
	f.running.Wait()
}

func (f *Front) present() []*link {
	f.mu.Lock()
	defer f.mu.Unlock()
	links := make([]*link, 0, len(f.links))
	for l := range f.links {
		links = append(links, l)
	}
	return links
}
