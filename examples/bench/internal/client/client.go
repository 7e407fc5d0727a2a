// Package client makes one small interface of several Redis Cluster clients, each at the defaults that its
// documentation gives, so that one load drives them all.
package client

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/keyslot-go/keyslot"
)

// Client is what the load needs of a client. All methods but Close are safe for concurrent use and block until the
// reply is there. Reads return how many bytes the values have together, and ErrMissing where there is none.
type Client interface {
	// Get reads a key.
	Get(ctx context.Context, key string) (int, error)
	// Set writes a key.
	Set(ctx context.Context, key, value string) error
	// MGet reads keys of one slot with one command.
	MGet(ctx context.Context, keys []string) (int, error)
	// MSet writes value to keys of one slot with one command.
	MSet(ctx context.Context, keys []string, value string) error
	// GetEach reads keys of any slots, one command for each in as few writes as the client can.
	GetEach(ctx context.Context, keys []string) (int, error)
	// SetEach writes value to keys of any slots in the same way.
	SetEach(ctx context.Context, keys []string, value string) error
	// Close ends the client.
	Close()
}

// ErrMissing says that a key is not there which the benchmark has written.
var ErrMissing = errors.New("a key that was written is missing")

// Settings say how a client reaches the cluster, and what it may do there.
type Settings struct {
	Options      keyslot.Options // endpoints, TLS and login; every client takes them from here
	ReplicaReads bool
	Observer     Observer
}

// Observer is told what goes on in a client, as far as that can be seen. Its functions must not block.
type Observer struct {
	Redirected func(ask bool)
	Refreshed  func(what string) // "new map", "same map", "no answer"
	Dialled    func()
}

// maker opens the client that Open knows by name.
type maker struct {
	name   string
	module string // that it comes from; empty: this one
	open   func(ctx context.Context, s Settings) (Client, error)
}

func makers() []maker {
	return []maker{
		{"keyslot", "", openKeyslot},
		{"goredis", "github.com/redis/go-redis/v9", openGoRedis},
		{"rueidis", "github.com/redis/rueidis", openRueidis},
	}
}

// Names returns the names that Open knows.
func Names() []string {
	var names []string
	for _, m := range makers() {
		names = append(names, m.name)
	}
	return names
}

// Open connects the client called name.
func Open(ctx context.Context, name string, s Settings) (Client, error) {
	i := slices.IndexFunc(makers(), func(m maker) bool { return m.name == name })
	if i < 0 {
		return nil, fmt.Errorf("no client %q, there are %s", name, strings.Join(Names(), ", "))
	}
	return makers()[i].open(ctx, s)
}

// Version returns the version of the client called name, as this program was built.
func Version(name string) string {
	i := slices.IndexFunc(makers(), func(m maker) bool { return m.name == name })
	info, ok := debug.ReadBuildInfo()
	if i < 0 || !ok {
		return ""
	}
	module := makers()[i].module
	if module == "" {
		return checkout(info)
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return ""
}

// checkout names the revision that the program was built from, where `go build` has noted it; `go run` does not.
func checkout(info *debug.BuildInfo) string {
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "this checkout"
}
