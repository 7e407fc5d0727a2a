package elasticache

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot"
)

const (
	// dialTimeout: AWS gives TCP alone 100 ms in its settings for Lettuce, which are for clients in the same Region
	// (BestPractices.Clients-lettuce-cme). A dial here is the name, TCP, TLS and the login too, and holds up no command
	// that could go elsewhere.
	dialTimeout = 2 * time.Second
	// commandTimeout: AWS gives one attempt 250 ms, and 1 s to FLUSHALL and its like (the same page, for values of 20
	// bytes). Here it is for a whole call with its retries. Planned replacements of nodes complete while writes are
	// served (AutoFailover), so this outlasts them.
	commandTimeout = 5 * time.Second
	// connsPerNode: AWS wants connections reused, and few: a node, or a serverless cache, takes 65,000, and each costs
	// its event loop time (BestPractices.Clients.Redis.Connections).
	connsPerNode = 1
	// idleProbe takes the place of the keep-alive that AWS asks for (BestPractices.Clients-lettuce).
	idleProbe = 5 * time.Second
	// refreshAfter is AWS's period for the refresh of the topology (BestPractices.Clients-lettuce-cme).
	// Redirects ask for it too.
	refreshAfter = 60 * time.Second
	// maxConnAge: ElastiCache ends a connection 12 hours after it logged in by IAM (auth-iam). The last hour is for a
	// provider that is down when a connection is to be replaced.
	maxConnAge = 11 * time.Hour
)

// Options returns options for keyslot.New that follow what AWS recommends, as far as a client of this kind has the same
// settings. They are filled in, to be seen and changed:
//
//   - TLS, version 1.2 or later, which is what ElastiCache accepts (in-transit-encryption), verified against the system's
//     roots by each node's own name. Only an endpoint that begins with redis:// or valkey:// turns it off.
//   - DialTimeout 2 s, CommandTimeout 5 s, ConnsPerNode 1, IdleProbe 5 s, RefreshAfter 60 s; what a URL says goes first.
//   - Credentials of iam, unless that is nil. Its Cache, Region and Serverless are read from the endpoint's name (the first,
//     of several) where they are left out. What contradicts the name is an error. A name that Recognize does not know, such as
//     one of your own, contradicts nothing and tells nothing: Cache and Region have to be given, and Serverless for such a cache.
//   - MaxConnAge 11 h with iam, since ElastiCache ends connections that logged in by IAM after 12 h (auth-iam).
//
// The names of pages are those of the ElastiCache User Guide,
// docs.aws.amazon.com/AmazonElastiCache/latest/dg/NAME.html. An unplanned failover takes longer than CommandTimeout, up
// to half a minute: a call that is to outlast it needs a context, or a CommandTimeout, of more than that. Names are
// resolved at each dial, so there is no cache to shorten.
//
// The endpoint is host, host:port or a URL as keyslot.Open takes it. The error is a *keyslot.EndpointError or a
// *keyslot.OptionError. Nothing is resolved, asked or dialled.
func Options(endpoint string, iam *IAM) (keyslot.Options, error) {
	return options(endpoint, iam, times{dialTimeout, commandTimeout, idleProbe})
}

func options(endpoint string, iam *IAM, by times) (keyslot.Options, error) {
	opts, err := keyslot.ParseTarget(endpoint)
	if err != nil {
		return keyslot.Options{}, err
	}
	if opts.TLS == nil && !strings.Contains(endpoint, "://") {
		opts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	by.complete(&opts)
	if iam == nil {
		return opts, nil
	}
	if err := checkLogin(opts); err != nil {
		return keyslot.Options{}, err
	}
	completed, err := iam.completedBy(opts.Endpoints[0])
	if err != nil {
		return keyslot.Options{}, err
	}
	opts.MaxConnAge = maxConnAge
	opts.Credentials, err = completed.Credentials()
	if err != nil {
		return keyslot.Options{}, err
	}
	return opts, nil
}

// times are what a function has less of than a service.
type times struct{ dialTimeout, commandTimeout, idleProbe time.Duration }

// complete fills in what the endpoint left open.
func (by times) complete(opts *keyslot.Options) {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&opts.DialTimeout, by.dialTimeout},
		{&opts.CommandTimeout, by.commandTimeout},
		{&opts.IdleProbe, by.idleProbe},
		{&opts.RefreshAfter, refreshAfter},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if opts.ConnsPerNode == 0 {
		opts.ConnsPerNode = connsPerNode
	}
}

// checkLogin returns what keeps a client with these options from logging in by IAM.
func checkLogin(opts keyslot.Options) error {
	switch {
	case opts.TLS == nil:
		return &keyslot.OptionError{Option: "TLS", Reason: "IAM authentication needs it: write rediss://, or only host and port"}
	case opts.Username != "" || opts.Password != "":
		return &keyslot.OptionError{Option: "Username", Reason: "the endpoint has a user or password, and there is an IAM user too"}
	}
	return nil
}

// completedBy returns i with what the endpoint's name tells.
func (i IAM) completedBy(endpoint string) (IAM, error) {
	e, longer := recognize(endpoint)
	if e.Kind == Unrecognized {
		return i, nil
	}
	if i.Serverless && e.Kind != Serverless {
		return i, &keyslot.OptionError{Option: "IAM.Serverless", Reason: fmt.Sprintf("the endpoint is a %s endpoint", e.Kind)}
	}
	i.Serverless = e.Kind == Serverless
	switch {
	case i.Cache == "":
		i.Cache = e.Cache
	case e.Cache != "" && i.Cache != e.Cache && i.Cache != longer && checkCache(i.Cache) == "":
		return i, &keyslot.OptionError{Option: "IAM.Cache", Reason: fmt.Sprintf("%q, but the endpoint is of %q", i.Cache, e.Cache)}
	}
	switch {
	case i.Region == "":
		i.Region = e.Region
	case e.Region != "" && i.Region != e.Region:
		return i, &keyslot.OptionError{Option: "IAM.Region", Reason: fmt.Sprintf("%q, but the endpoint is in %q", i.Region, e.Region)}
	}
	return i, nil
}
