package elasticache

import (
	"fmt"
	"time"

	"github.com/keyslot-go/keyslot"
)

const (
	// functionCommandTimeout: a function ends after 3 s unless told otherwise (AWS Lambda Developer Guide, "Configure
	// Lambda function timeout"), and with it its environment. It should be told of a cache that is away before.
	functionCommandTimeout = 2 * time.Second
	// functionDialTimeout leaves time for a second dial within that.
	functionDialTimeout = time.Second
	// functionIdleProbe: what ends idle connections, or forgets them, takes longer than this; a server's own timeout is
	// counted in whole seconds. The PING costs the first command after a second of nothing one round trip.
	functionIdleProbe = time.Second
	// maxConns: "you can have up to 65,000 concurrent client connections" on each node, and on each serverless cache
	// (BestPractices.Clients.Redis.Connections).
	maxConns = 65000
)

// Lambda returns Options for a function on AWS Lambda, whose client is made once, outside the handler, and kept. What differs:
//
//   - Lazy: an environment that is initialized ahead of use, or never needs the cache, connects to nothing. The first command
//     asks one node for the topology, and dials those nodes only that are used.
//   - CommandTimeout 2 s, DialTimeout 1 s: a function ends after 3 s unless it is told otherwise. The context of a handler has the
//     function's deadline, which goes first: let calls end a moment before it, or a cache that is away costs the environment.
//   - IdleProbe 1 s: between invocations the process is frozen, and its connections may be gone when it goes on. Who was idle for
//     so long, by the monotonic or the wall clock, sends PING first, or dials anew; no command is risked.
//
// Nothing runs between invocations: 300 ms after the last command there is no timer, and a goroutine for each connection
// that waits for its end. Nothing has to be closed either; with SIGTERM, Client.Shutdown takes leave of the servers.
//
// The arguments and errors are those of Options. Nothing is resolved, asked or dialled.
func Lambda(endpoint string, iam *IAM) (keyslot.Options, error) {
	opts, err := options(endpoint, iam, times{functionDialTimeout, functionCommandTimeout, functionIdleProbe})
	if err != nil {
		return keyslot.Options{}, err
	}
	opts.Lazy = true
	return opts, nil
}

// Budget is the connections that many clients of one cache may have open at once. A node takes 65,000 of them, and so
// does a serverless cache as a whole (BestPractices.Clients.Redis.Connections). Those for blocking commands, Watch,
// WriteAndWait and subscriptions come on top, and for a moment so does the successor of one that reaches MaxConnAge.
type Budget struct {
	// Environments is how many clients there may be: the reserved concurrency of a function, for each environment
	// serves one invocation at a time; without it that of the account, 1,000 by default; or the processes of a service.
	// A negative one, as of a sum that went wrong, does not fit.
	Environments int
	// Options are those of each client. ConnsPerNode and ReadFrom count, and what the first endpoint's name tells.
	Options keyslot.Options
	// Large says that values of 256 KiB or more are read or written, which travel on connections of their own.
	Large bool
}

// Conns returns how many connections all clients together may have to one node, or to a serverless cache.
func (b Budget) Conns() int { return b.Environments * b.each() }

// Fits reports whether the node, or the serverless cache, takes as many.
func (b Budget) Fits() bool { return b.Environments >= 0 && b.Environments <= b.MaxEnvironments() }

// MaxEnvironments returns how many clients fit.
func (b Budget) MaxEnvironments() int { return maxConns / b.each() }

// String returns the sum on one line: "1000 environments x 1 connection to each node = 1000 of 65000: fits, up to 65000
// environments".
func (b Budget) String() string {
	each, to := b.each(), "each node"
	if b.isServerless() {
		to = "the serverless cache"
	}
	verdict := "too many"
	switch {
	case b.Environments < 0:
		verdict = "no such number"
	case b.Fits():
		verdict = "fits"
	}
	return fmt.Sprintf("%s x %s to %s = %d of %d: %s, up to %s", count(b.Environments, "environment"), count(each, "connection"), to,
		b.Conns(), maxConns, verdict, count(b.MaxEnvironments(), "environment"))
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// each returns how many connections one client may have, but for those that come on top.
func (b Budget) each() int {
	n := max(b.Options.ConnsPerNode, 1)
	if b.Large {
		n *= 2
	}
	if b.Options.ReadFrom != keyslot.Primary {
		// Reads from a replica have their own, beside those from when it was the primary or was asked who is. Of a
		// serverless cache they go to port 6380, which is the same cache.
		n *= 2
	}
	return n
}

func (b Budget) isServerless() bool {
	return len(b.Options.Endpoints) > 0 && Recognize(b.Options.Endpoints[0]).Kind == Serverless
}
