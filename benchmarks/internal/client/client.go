// Package client makes one small interface of several Redis Cluster clients, each at the defaults its documentation
// gives, so that one load drives them all.
package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Client is what the load needs of a client. All methods but Close are safe for concurrent use, and block until the
// reply is there. A workload that a client cannot do returns an *Unsupported.
type Client interface {
	// Get returns the value of key.
	Get(ctx context.Context, key string) (string, error)
	// Set sets key to value.
	Set(ctx context.Context, key, value string) error
	// MGet reads keys of any slots, each as a string, and returns how many bytes the values have together.
	MGet(ctx context.Context, keys []string) (int, error)
	// Pipeline sends one command for each key, of any slots, in as few writes as the client can: GET for the keys at even
	// places, SET to value for the others. It reads the values as strings and returns how many bytes they have together.
	Pipeline(ctx context.Context, keys []string, value string) (int, error)
	// Close ends the client.
	Close()
}

// Config says how to reach the cluster.
type Config struct {
	Addrs  []string          // nodes to learn the topology from, host:port
	TLS    *tls.Config       // nil: plain TCP
	CA     []byte            // what TLS trusts, PEM, for a client that takes no tls.Config
	Detour map[string]string // where to dial a node, by the address it announces; nil: there
}

// reach returns where to dial a node that announces addr.
func (c Config) reach(addr string) string {
	if there, mapped := c.Detour[addr]; mapped {
		return there
	}
	return addr
}

// dial connects to a node that announces addr.
func (c Config) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, c.reach(addr))
}

// Unsupported says that a client cannot do what was asked, whatever the server; the cell prints n/a and the reason.
type Unsupported struct {
	Reason string
}

func (e *Unsupported) Error() string { return "n/a: " + e.Reason }

// maker opens the client that Open knows by name.
type maker struct {
	name string
	open func(ctx context.Context, cfg Config) (Client, error)
}

// makers lists every client of this build, in the order in which they run.
func makers() []maker {
	return append([]maker{
		{"keyslot", openKeyslot(1)},
		{"rueidis", openRueidis(0)},
		{"rueidis-delay20", openRueidis(rueidisDelay)},
		{"goredis", openGoRedis},
		{"goredis-auto", openGoRedisAuto},
		{"radix", openRadix},
		{"floor", openFloor},
		{"keyslot-2conns", openKeyslot(2)},
		{"keyslot-4conns", openKeyslot(4)},
	}, makersOfTags()...)
}

// Names returns the names that Open knows, in the order in which the clients run.
func Names() []string {
	var names []string
	for _, m := range makers() {
		names = append(names, m.name)
	}
	return names
}

// Open connects the client called name.
func Open(ctx context.Context, name string, cfg Config) (Client, error) {
	i := slices.IndexFunc(makers(), func(m maker) bool { return m.name == name })
	if i < 0 {
		return nil, fmt.Errorf("no client %q, there are %s", name, strings.Join(Names(), ", "))
	}
	return makers()[i].open(ctx, cfg)
}
