package elasticache_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/elasticache"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// maxLogin is when ElastiCache ends a connection that logged in by IAM.
const maxLogin = 12 * time.Hour

// Two nodes share the slots, and a key of each. Their names are shaped as those of ElastiCache.
const (
	lower = "orders-0001-001.orders.abc123.use1.cache.amazonaws.com:6379"
	upper = "orders-0002-001.orders.abc123.use1.cache.amazonaws.com:6379"
	low   = "hello" // slot 866
	up    = "foo"   // slot 12182
)

// names is the DNS; the configuration endpoint has a record for each node.
var names = map[string][]string{
	configuration: {"10.0.0.1", "10.0.0.2"},
	"orders-0001-001.orders.abc123.use1.cache.amazonaws.com": {"10.0.0.1"},
	"orders-0002-001.orders.abc123.use1.cache.amazonaws.com": {"10.0.0.2"},
}

// cache is a cluster of two scripted nodes that verify every login, as ElastiCache does, and end every connection
// maxLogin after its own.
type cache struct {
	verifier
	net   *fakenode.Net
	nodes [2]*fakenode.Node
	roots *x509.CertPool

	mu sync.Mutex
	// guarded by mu
	logins   int
	refusals []error
	cutOff   int // connections that were still open after maxLogin
}

func newCache(t *testing.T, v verifier) *cache {
	certificate, roots := wildcard(t)
	c := &cache{verifier: v, net: fakenode.New(), roots: roots}
	t.Cleanup(c.net.Close)
	c.net.Topology(1, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}},
		fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
	for i, addr := range []string{lower, upper} {
		node := c.net.Node(addr)
		node.UseTLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
		node.On("GET", fakenode.Reaction{Send: "+value\r\n"})
		node.On("SET", fakenode.Reaction{Send: "+OK\r\n"})
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return c.hello(node, r) })
		c.nodes[i] = node
	}
	return c
}

// hello answers HELLO 3 AUTH user token ..., and leaves other commands to the script.
func (c *cache) hello(node *fakenode.Node, r fakenode.Request) (fakenode.Reaction, bool) {
	if r.Name() != "HELLO" {
		return fakenode.Reaction{}, false
	}
	err := errors.New("no AUTH")
	if len(r.Args) >= 5 && r.Args[2] == "AUTH" {
		err = c.verify(r.Args[3], r.Args[4], time.Now())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.refusals = append(c.refusals, err)
		return fakenode.Reaction{Send: "-WRONGPASS invalid username-password pair or user is disabled.\r\n"}, true
	}
	c.logins++
	time.AfterFunc(maxLogin, func() { c.end(node, r.Conn) })
	return fakenode.Reaction{Send: fakenode.Hello}, true
}

// end is what happens to a connection maxLogin after its login.
func (c *cache) end(node *fakenode.Node, conn int) {
	if node.Ended(conn) != nil {
		return
	}
	c.mu.Lock()
	c.cutOff++
	c.mu.Unlock()
	node.CutConn(conn, fakenode.FIN)
}

// cut resets all connections of a node, and returns once everybody has noticed: a request that crosses a reset may have run.
func (c *cache) cut(node int) {
	c.nodes[node].Cut(fakenode.RST)
	synctest.Wait()
}

func (c *cache) seen() (logins, cutOff int, refusals []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logins, c.cutOff, c.refusals
}

// LookupNetIP makes the cache its own DNS.
func (c *cache) LookupNetIP(_ context.Context, _, host string) (addrs []netip.Addr, err error) {
	for _, record := range names[host] {
		addrs = append(addrs, netip.MustParseAddr(record))
	}
	return addrs, nil
}

// dial connects to the node that has the address.
func (c *cache) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return c.net.Dial(ctx, network, map[string]string{"10.0.0.1:6379": lower, "10.0.0.2:6379": upper}[addr])
}

// options are what elasticache.Options says, on this network.
func (c *cache) options(t *testing.T, iam *elasticache.IAM) keyslot.Options {
	opts, err := elasticache.Options(configuration, iam)
	require.NoError(t, err)
	opts.TLS.RootCAs, opts.Resolver, opts.Dial = c.roots, c, c.dial
	return opts
}

// client connects to the cache; log is what it logs.
func (c *cache) client(t *testing.T, provider aws.CredentialsProvider) (client *keyslot.Client, log *strings.Builder) {
	opts := c.options(t, &elasticache.IAM{Provider: provider, User: c.user})
	log = &strings.Builder{}
	opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	client, err := keyslot.New(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client, log
}

// hourly issues sessions that last an hour, as STS does to a role, and knows each of them again.
type hourly struct{}

func (hourly) Retrieve(context.Context) (aws.Credentials, error) {
	from := time.Now().Truncate(time.Hour)
	s, _ := hourly{}.session(from.UTC().Format(time.RFC3339))
	return aws.Credentials{
		AccessKeyID: from.UTC().Format(time.RFC3339), SecretAccessKey: s.secret, SessionToken: s.token,
		CanExpire: true, Expires: s.expires,
	}, nil
}

func (hourly) session(keyID string) (session, bool) {
	from, err := time.Parse(time.RFC3339, keyID)
	return session{secret: "secret of " + keyID, token: "token/of+" + keyID, expires: from.Add(time.Hour)}, err == nil
}

// For three days nodes end connections at every age, sessions end each hour, and a login is good only for its moment.
func TestThreeDaysWithoutAFailedCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := accepting()
		v.sessions = hourly{}.session
		c := newCache(t, v)
		client, _ := c.client(t, aws.NewCredentialsCache(hourly{}))

		began := time.Now()
		for i := 0; time.Since(began) < 72*time.Hour; i++ {
			for _, key := range []string{low, up} {
				require.NoError(t, client.Set(t.Context(), key, "value"), time.Since(began))
				got, err := client.Get(t.Context(), key)
				require.NoError(t, err, time.Since(began))
				require.Equal(t, "value", got)
			}
			if i%5 == 4 { // every 4 h 25 min
				c.cut(i % 2)
			}
			time.Sleep(53 * time.Minute)
		}
		logins, _, refusals := c.seen()
		require.Empty(t, refusals)
		require.Greater(t, logins, 12, "the connections did end")
	})
}

// Connections in use are replaced in time, also where the provider fails for half an hour of every two.
func TestNoConnectionInUseIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := accepting()
		v.sessions = hourly{}.session
		c := newCache(t, v)
		began := time.Now()
		client, _ := c.client(t, provides(func(ctx context.Context) (aws.Credentials, error) {
			if time.Since(began)%(2*time.Hour) > 90*time.Minute {
				return aws.Credentials{}, errors.New("no answer from the metadata service")
			}
			return hourly{}.Retrieve(ctx)
		}))
		for time.Since(began) < 72*time.Hour {
			for _, key := range []string{low, up} {
				require.NoError(t, client.Set(t.Context(), key, "value"), time.Since(began))
			}
			time.Sleep(31 * time.Minute)
		}
		logins, cutOff, refusals := c.seen()
		require.Empty(t, refusals)
		require.Zero(t, cutOff)
		require.GreaterOrEqual(t, logins, 12, "two nodes, six times or more")
	})
}

// The cache asks for more than the signature: what was just right is refused when it comes late, or to another cache.
func TestTheCacheRefusesWhatItMust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := accepting()
		v.sessions = hourly{}.session
		c := newCache(t, v)
		opts := c.options(t, nil)
		var err error
		opts.Credentials, err = elasticache.IAM{Provider: hourly{}, User: "app", Cache: "billing", Region: "us-east-1"}.Credentials()
		require.NoError(t, err)
		_, err = keyslot.New(t.Context(), opts)
		require.ErrorContains(t, err, "WRONGPASS")
		require.NotContains(t, err.Error(), "Signature")
		_, _, refusals := c.seen()
		require.ErrorContains(t, refusals[0], "another cache")
	})
}

// While the provider is out of order, what is connected goes on; what is not waits for it, as long as its caller does.
func TestAnOutageOfTheProviderEndsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := accepting()
		v.sessions = hourly{}.session
		c := newCache(t, v)
		var mu sync.Mutex
		var outage error // guarded by mu
		setOutage := func(err error) { mu.Lock(); defer mu.Unlock(); outage = err }
		client, _ := c.client(t, provides(func(ctx context.Context) (aws.Credentials, error) {
			mu.Lock()
			defer mu.Unlock()
			if outage != nil {
				return aws.Credentials{}, outage
			}
			return hourly{}.Retrieve(ctx)
		}))
		for _, key := range []string{low, up} {
			require.NoError(t, client.Set(t.Context(), key, "value"))
		}

		down := errors.New("no answer from the metadata service")
		setOutage(down)
		for range 12 {
			time.Sleep(5 * time.Minute)
			for _, key := range []string{low, up} {
				require.NoError(t, client.Set(t.Context(), key, "value"))
			}
		}

		c.cut(1)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := client.Set(ctx, up, "value")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, down)
		var failed *elasticache.CredentialsError
		require.ErrorAs(t, err, &failed)
		require.LessOrEqual(t, time.Since(began), 3*time.Second)
		require.NoError(t, client.Set(t.Context(), low, "value"), "the other node is connected")

		time.AfterFunc(2*time.Second, func() { setOutage(nil) })
		require.NoError(t, client.Set(t.Context(), up, "value"), "within CommandTimeout it is back")
	})
}

// Closing waits for no provider, and a call for no longer than its context says.
func TestAProviderThatHangsHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, accepting())
		c.sessions = hourly{}.session
		released := make(chan struct{})
		defer close(released)
		var hang sync.Once
		client, _ := c.client(t, provides(func(ctx context.Context) (aws.Credentials, error) {
			first := false
			hang.Do(func() { first = true })
			if !first {
				<-released
			}
			return hourly{}.Retrieve(ctx)
		}))
		c.cut(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := client.Set(ctx, up, "value")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.Equal(t, time.Second, time.Since(began))
		require.NoError(t, client.Close())
		require.LessOrEqual(t, time.Since(began), 3*time.Second, "the dial in progress ends with DialTimeout")
	})
}

// A refused login is signed anew, with what the provider has by then.
func TestARefusedTokenIsFollowedByAFreshOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		revoked := map[string]bool{}
		c := newCache(t, accepting())
		c.sessions = func(keyID string) (session, bool) {
			return session{secret: "secret of " + keyID}, !revoked[keyID]
		}
		number := 0
		provider := provides(func(context.Context) (aws.Credentials, error) {
			number++
			id := fmt.Sprint("AKID", number)
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: "secret of " + id}, nil
		})
		revoked["AKID1"] = true
		client, log := c.client(t, provider)
		require.NoError(t, client.Set(t.Context(), low, "value"))
		revoked[fmt.Sprint("AKID", number+1)] = true
		c.cut(0)
		require.NoError(t, client.Set(t.Context(), low, "value"))
		_, _, refusals := c.seen()
		require.Len(t, refusals, 2)
		require.NotContains(t, log.String(), "Signature")
	})
}
