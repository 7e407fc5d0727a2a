package keyslot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// lookupEvery is the least time between two lookups of one name. ElastiCache gives its names a DNS TTL of 5 to 10
	// s; a client that has lost all nodes finds new records within a second of their coming, retryLimit included.
	lookupEvery = 500 * time.Millisecond
	// dnsPatience is how long a lookup keeps callers from addresses known before. A resolver nearby answers in 1 to 100 ms.
	dnsPatience = 500 * time.Millisecond
	// maxNames bounds the answers kept: the endpoints and, with TLS, the names of at most 500 nodes and their past selves.
	maxNames = 1024
)

var errResolverClosed = errors.New("resolver closed")

// resolver looks names up anew at every use, with two limits: one lookup per name at a time, and at most one per
// lookupEvery. Callers in between share the last answer. Safe for concurrent use.
type resolver struct {
	// immutable
	source  Resolver
	timeout time.Duration // of one lookup

	lookups sync.WaitGroup

	// guarded by mu
	mu      sync.Mutex
	answers map[string]*answer // the newest answer per name
	closed  bool
}

// answer is the outcome of one lookup.
type answer struct {
	// immutable
	asked  time.Time
	cancel context.CancelFunc
	last   []netip.Addr // the addresses known before
	done   chan struct{}

	// written before done is closed, immutable from then on
	addrs []netip.Addr
	err   error
}

func newResolver(source Resolver, timeout time.Duration) *resolver {
	return &resolver{source: source, timeout: timeout, answers: make(map[string]*answer)}
}

// resolve returns every A and AAAA record of host, or host itself if it is an IP address. The slice is shared: it must
// not be changed. It waits for a lookup, but never beyond ctx. When DNS fails or is slow, the addresses it gave last
// are returned; when it answers that the name does not exist, that is an error.
func (r *resolver) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := r.ask(ctx, host).wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	return addrs, nil
}

// ask returns the answer to share, or starts a lookup.
func (r *resolver) ask(ctx context.Context, host string) *answer {
	if addr, err := netip.ParseAddr(host); err == nil {
		return answered([]netip.Addr{addr}, nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return answered(nil, errResolverClosed)
	}
	last, known := r.answers[host]
	if known && (!last.finished() || time.Since(last.asked) < lookupEvery) {
		return last
	}
	if !known && len(r.answers) >= maxNames {
		maps.DeleteFunc(r.answers, func(_ string, a *answer) bool { return a.finished() })
	}
	// The lookup serves every caller that shares it, so it outlives the one that started it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeout)
	a := &answer{asked: time.Now(), cancel: cancel, done: make(chan struct{})}
	if known {
		a.last = last.addrs
	}
	r.answers[host] = a
	r.lookups.Go(func() { // ends with the lookup, at its timeout or at close, which waits for it
		defer cancel()
		defer close(a.done)
		a.complete(r.source.LookupNetIP(ctx, "ip", host))
	})
	return a
}

// close ends the lookups under way and waits for them. Later calls of resolve fail.
func (r *resolver) close() {
	r.mu.Lock()
	r.closed = true
	for _, a := range r.answers {
		a.cancel()
	}
	r.mu.Unlock()
	r.lookups.Wait()
}

func (a *answer) wait(ctx context.Context) ([]netip.Addr, error) {
	var patience <-chan time.Time
	if len(a.last) > 0 {
		timer := time.NewTimer(dnsPatience)
		defer timer.Stop()
		patience = timer.C
	}
	select {
	case <-a.done:
		return a.addrs, a.err
	case <-patience:
		return a.last, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// complete records what DNS said. Silence is no reason to forget the addresses known before; "no such name" is.
func (a *answer) complete(addrs []netip.Addr, err error) {
	var dns *net.DNSError
	gone := errors.As(err, &dns) && dns.IsNotFound
	switch {
	case err != nil && !gone && len(a.last) > 0:
		a.addrs = a.last
	case err != nil:
		a.err = err
	case len(addrs) == 0:
		a.err = errors.New("the name has no addresses")
	default:
		a.addrs = addrs
	}
}

func (a *answer) finished() bool { return isOver(a.done) }

func answered(addrs []netip.Addr, err error) *answer {
	done := make(chan struct{})
	close(done)
	return &answer{done: done, addrs: addrs, err: err}
}

// candidate is one address that may answer for a configured endpoint. The name of the endpoint is what TLS verifies.
type candidate struct {
	endpoint endpoint
	addr     netip.AddrPort
}

// candidatesAt returns the candidates for an endpoint whose name has these addresses.
func candidatesAt(to endpoint, addrs []netip.Addr) []candidate {
	candidates := make([]candidate, len(addrs))
	for i, a := range addrs {
		candidates[i] = candidate{endpoint: to, addr: netip.AddrPortFrom(a.Unmap(), to.port)}
	}
	return candidates
}

func (c candidate) String() string {
	if addr := c.addr.String(); addr != c.endpoint.String() {
		return c.endpoint.String() + " (" + addr + ")"
	}
	return c.endpoint.String()
}

// wrap adds where err came from, unless that is all in err already.
func (c candidate) wrap(err error) error {
	var dial *wire.DialError
	if errors.As(err, &dial) && dial.Addr == c.String() {
		return err
	}
	return fmt.Errorf("%s: %w", c, err)
}

// candidates resolves all endpoints at the same time and returns every address once, in the order to try them:
// shuffled, so that clients spread over the nodes, and with IPv4 and IPv6 alternating, so that a family without a route
// costs one step. It fails only when no endpoint has an address. It waits for DNS, at most until ctx ends; once one
// name has an address, for the others no longer than dnsPatience.
func (r *resolver) candidates(ctx context.Context, endpoints []endpoint) ([]candidate, error) {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	hurry := time.AfterFunc(math.MaxInt64, enough)
	defer hurry.Stop()
	soon := sync.OnceFunc(func() { hurry.Reset(dnsPatience) })
	addrs, errs := make([][]netip.Addr, len(endpoints)), make([]error, len(endpoints))
	var waits sync.WaitGroup
	for i, e := range endpoints {
		asked := r.ask(ctx, e.host)
		waits.Go(func() { // ends with ctx; this function waits for it
			if addrs[i], errs[i] = asked.wait(ctx); len(addrs[i]) > 0 {
				soon()
			}
		})
	}
	waits.Wait()
	var found []candidate
	var failures []error
	seen := make(map[netip.AddrPort]bool)
	for i, e := range endpoints {
		if errs[i] != nil {
			failures = append(failures, fmt.Errorf("resolve %s: %w", e.host, errs[i]))
		}
		for _, addr := range addrs[i] {
			at := netip.AddrPortFrom(addr.Unmap(), e.port)
			if !seen[at] {
				seen[at] = true
				found = append(found, candidate{endpoint: e, addr: at})
			}
		}
	}
	if len(found) == 0 {
		return nil, raceError(failures)
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return alternate(found), nil
}

// alternate reorders candidates so that the families take turns, beginning with that of the first.
func alternate(candidates []candidate) []candidate {
	var families [2][]candidate
	for _, c := range candidates {
		family := 0
		if c.addr.Addr().Is4() != candidates[0].addr.Addr().Is4() {
			family = 1
		}
		families[family] = append(families[family], c)
	}
	ordered := make([]candidate, 0, len(candidates))
	for i := range candidates {
		for _, family := range families {
			if i < len(family) {
				ordered = append(ordered, family[i])
			}
		}
	}
	return ordered
}

// state reports whether a name is being looked up, or else why the last lookup brought no address; nil if it did.
func (r *resolver) state(host string) (underWay bool, failed error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch a, known := r.answers[host]; {
	case !known:
		return false, nil
	case !a.finished():
		return true, nil
	default:
		return false, a.err
	}
}
