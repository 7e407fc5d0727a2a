package keyslot_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/keyslot-go/keyslot"
)

// town has names, the addresses that they lead to, and what stands at each address. All three change as they do behind
// the endpoints of a service. It resolves and dials for a client; its methods are safe for concurrent use.
type town struct {
	connect func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	names map[string][]netip.Addr // guarded by mu
	stand map[string]string       // guarded by mu; by host:port: where the server is; "" swallows dials
}

func newTown() *town {
	return &town{connect: new(net.Dialer).DialContext, names: map[string][]netip.Addr{}, stand: map[string]string{}}
}

// call lets a name lead to these addresses, and no others.
func (w *town) call(name string, addrs ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[name] = nil
	for _, addr := range addrs {
		w.names[name] = append(w.names[name], netip.MustParseAddr(addr))
	}
}

// put lets a server stand at an address; where none does, dials are refused.
func (w *town) put(addr, server string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stand[addr] = server
}

func (w *town) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.names[host]) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return append([]netip.Addr(nil), w.names[host]...), nil
}

func (w *town) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	server, known := w.stand[addr]
	w.mu.Unlock()
	switch {
	case !known:
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	case server == "":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return w.connect(ctx, network, server)
}

// options returns opts for a client that lives here.
func (w *town) options(opts keyslot.Options) keyslot.Options {
	opts.Resolver, opts.Dial = w, w.dial
	return opts
}

// clear takes away what stands at an address.
func (w *town) clear(addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.stand, addr)
}
