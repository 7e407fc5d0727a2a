package worker

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
	"github.com/keyslot-go/keyslot/internal/chaos/names"
)

// settings are the options of the client.
func (w *worker) settings() (keyslot.Options, error) {
	o := w.options
	settings := keyslot.Options{
		Endpoints: o.Endpoints, Resolver: w.guard, Dial: w.guard.dial, Trace: w.guard.trace(),
		CommandTimeout: o.CommandTimeout, DialTimeout: o.DialTimeout, PeerTimeout: o.PeerTimeout,
		IdleProbe: o.IdleProbe, RefreshAfter: o.RefreshAfter, ConnsPerNode: o.ConnsPerNode, ClientName: "chaos",
	}
	if o.CA != "" {
		authorities := x509.NewCertPool()
		if !authorities.AppendCertsFromPEM([]byte(o.CA)) {
			return settings, errors.New("the authorities are no PEM certificates")
		}
		settings.TLS = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	if o.Login != nil {
		settings.Credentials = func(context.Context, keyslot.Node) (username, password string, err error) {
			login := w.login.Load()
			return cmp.Or(login.Username, "default"), login.Password, nil
		}
	}
	return settings, nil
}

// What only a forged redirect names: addresses for documentation (RFC 5737) and a name that cannot exist (RFC 6761).
const (
	forgedNetwork = "192.0.2.0/24"
	forgedAddr    = "192.0.2.7:6379"
	forgedName    = "forged.invalid"
)

// guard stands between the client and the network: it resolves names, counts what the client tells, and keeps it from
// following a forged redirect. Safe for concurrent use.
type guard struct {
	// immutable
	server string // resolves names; empty: the system does
	forged netip.Prefix

	mu         sync.Mutex
	signs      ledger.Signs // guarded by mu
	violations []string     // guarded by mu
}

func newGuard(server string) *guard {
	return &guard{server: server, forged: netip.MustParsePrefix(forgedNetwork), signs: ledger.Signs{}}
}

// reset forgets what was counted before the round.
func (g *guard) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.signs, g.violations = ledger.Signs{}, nil
}

// told returns what was counted in the round.
func (g *guard) told() (ledger.Signs, []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	signs, violations := g.signs, g.violations
	g.signs, g.violations = ledger.Signs{}, nil
	return signs, violations
}

func (g *guard) saw(sign string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.signs[sign]++
}

func (g *guard) refuse(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.violations = append(g.violations, err.Error())
	return err
}

func (g *guard) trace() *keyslot.Trace {
	return &keyslot.Trace{
		Redirected: func(e keyslot.RedirectEvent) {
			if e.Ask {
				g.saw("ASK")
			} else {
				g.saw("MOVED")
			}
		},
		Retried: func(e keyslot.RetryEvent) { g.saw(e.Reason) },
		Connected: func(e keyslot.ConnectEvent) {
			if e.Err != nil {
				g.saw("failed dial")
			}
		},
		Refreshed: func(e keyslot.RefreshEvent) {
			g.saw("refresh")
			if e.Err != nil {
				g.saw("failed refresh")
			}
		},
	}
}

// dial is what the client does by itself, but for forged addresses.
func (g *guard) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	if g.forged.Contains(to.Addr()) {
		return nil, g.refuse("the client dialled %s, which only a forged redirect names", addr)
	}
	g.saw("dials")
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// LookupNetIP asks the driver's resolver.
func (g *guard) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if host == forgedName {
		return nil, g.refuse("the client looked up %s, which only a forged redirect names", host)
	}
	if g.server == "" {
		return net.DefaultResolver.LookupNetIP(ctx, network, host)
	}
	return names.Resolver{Server: g.server}.LookupNetIP(ctx, network, host)
}
