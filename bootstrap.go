package keyslot

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// BootstrapError says why New, or the first command of a Lazy client, found neither a cluster nor a primary
// behind the endpoints.
type BootstrapError struct {
	Endpoints []string
	Advice    string // what to do, where the cause tells
	Err       error  // what each address answered, and which names have none
}

func (e *BootstrapError) Error() string {
	advice := ""
	if e.Advice != "" {
		advice = " (" + e.Advice + ")"
	}
	why := strings.ReplaceAll(fmt.Sprint(e.Err), "keyslot: ", "") // whose error it is, the beginning says
	return fmt.Sprintf("keyslot: no usable cluster behind %s: %s%s", strings.Join(e.Endpoints, ", "), why, advice)
}

// Unwrap returns what each address answered, and which names have none.
func (e *BootstrapError) Unwrap() error { return e.Err }

// connect is ready for New.
func (c *core) connect(ctx context.Context) error {
	if ctx == nil {
		return c.bootstrapError(errNilContext)
	}
	return c.terms.ready(ctx, c.terms.patience(ctx, time.Now()))
}

// ready returns when there is a map to route by. Only a Lazy client's first commands wait for it.
func (t *terms) ready(ctx context.Context, until time.Time) error {
	c := t.core
	if c.routes.Load() != nil {
		return nil
	}
	ctx, cancel := untilThen(ctx, until)
	defer cancel()
	err := ctx.Err()
	if err == nil {
		// The work is shared by all who wait and outlives each of them.
		err = c.refresher.wait(ctx, "first map")
	}
	var known *BootstrapError
	switch {
	case c.routes.Load() != nil:
		return nil
	case errors.As(err, &known), errors.Is(err, ErrClosed):
		return err
	}
	return c.bootstrapError(c.waitedFor(t.named(err, until)))
}

// waitedFor returns what a first map was waited for when why ended the wait, and what has failed by then.
func (c *core) waitedFor(why error) error {
	waiting, failed := c.first.failures(why)
	unresolved, nameless := c.names(why)
	waiting = append(waiting, unresolved...)
	if len(waiting) == 0 { // the next round is yet to begin
		waiting = []error{why}
	}
	return raceError(slices.Concat(waiting, failed, nameless))
}

// names returns the endpoints whose names DNS is asked for, which why keeps from getting any further, and those
// without addresses.
func (c *core) names(why error) (unresolved, nameless []error) {
	for _, e := range c.endpoints {
		switch underWay, err := c.resolver.state(e.host); {
		case underWay:
			unresolved = append(unresolved, &resolveError{fmt.Errorf("resolve %s: %w", e.host, why)})
		case err != nil:
			nameless = append(nameless, fmt.Errorf("resolve %s: %w", e.host, err))
		}
	}
	return unresolved, nameless
}

// learnFirst installs the first usable map that an endpoint gives.
func (c *core) learnFirst(ctx context.Context) (asked int, changed bool, err error) {
	c.first.restart()
	first, asked, err := c.askEndpoints(ctx, c.endpoints)
	if err == nil && first.view.kind == standalone {
		first, err = c.lead(ctx, first)
	}
	if err != nil {
		return asked, false, c.bootstrapError(c.withNameless(err))
	}
	installed, changed, why := c.installBest([]*view{first.view}, 1, true)
	c.reuse(first)
	switch {
	case installed:
		c.first.restart()
		return asked, changed, nil
	case c.isClosed(): // no map is installed any more
		return asked, false, ErrClosed
	}
	return asked, false, c.bootstrapError(errors.New(why.String()))
}

// withNameless adds to why no address was of use those endpoints that have none. If all have none, that is what err says.
func (c *core) withNameless(err error) error {
	_, nameless := c.names(err)
	if len(nameless) == 0 || len(nameless) == len(c.endpoints) {
		return err
	}
	return raceError(append([]error{err}, nameless...))
}

// bootstrapError adds what to do, where the cause tells.
func (c *core) bootstrapError(cause error) error {
	return &BootstrapError{Endpoints: c.opts.Endpoints, Advice: advice(cause, c.opts.TLS != nil), Err: cause}
}

// advice returns what to do about the usual causes of a failed start. A server that wants TLS hangs up on plain text,
// answers with an alert, or waits for more; one that speaks none takes a ClientHello for the start of a line and waits
// for its end. overTLS says what the client speaks.
func advice(cause error, overTLS bool) string {
	andTLS := ", and use rediss:// or set Options.TLS if it wants TLS"
	if overTLS {
		andTLS = ""
	}
	var (
		refused     wire.Refusal
		topology    *TopologyError
		malformed   *resp.ProtocolError
		noTLS       tls.RecordHeaderError
		certificate *tls.CertificateVerificationError
		dns         *net.DNSError
	)
	switch {
	case errors.As(cause, &replicaError{}), errors.Is(cause, errNoPrimary):
		return "replicas take no writes: set Options.Endpoints to the primary endpoint, or to all nodes, and Options.Reader to the reader endpoint"
	case errors.As(cause, &topology):
		return adviceOn(topology)
	case errors.As(cause, &refused):
		return adviceOnRefusal(refused)
	case errors.As(cause, &noTLS):
		return "the server speaks no TLS: use redis:// or leave Options.TLS nil"
	case errors.As(cause, &certificate):
		return "the server's certificate does not verify: set Options.TLS with its RootCAs and ServerName"
	case errors.As(cause, &dns) && dns.IsNotFound:
		return "check the name of the endpoint"
	case errors.As(cause, &malformed):
		return "what answers there speaks no RESP: check host and port" + andTLS
	case errors.Is(cause, syscall.ECONNREFUSED):
		return "nothing listens there: check host and port"
	case errors.Is(cause, io.EOF), errors.Is(cause, syscall.ECONNRESET):
		if overTLS {
			return "the server hung up: use redis:// or leave Options.TLS nil if it speaks no TLS"
		}
		return "the server hung up: use rediss:// or set Options.TLS if it wants TLS"
	case errors.Is(cause, context.DeadlineExceeded):
		return adviceOnSilence(cause, andTLS)
	}
	return ""
}

func adviceOnSilence(cause error, andTLS string) string {
	var (
		dial *wire.DialError
		dns  *resolveError
	)
	switch {
	case errors.As(cause, &dial) && dial.Phase == wire.PhaseTLS:
		return "no answer to the TLS handshake: use redis:// or leave Options.TLS nil if the server speaks no TLS"
	case dial == nil && errors.As(cause, &dns):
		return "DNS does not answer: check the name of the endpoint and the resolver"
	case dial == nil || dial.Phase == wire.PhaseAuth: // Credentials takes long, or whoever answered is slow
		return ""
	}
	return "no answer: check host, port and firewall" + andTLS
}

func adviceOn(e *TopologyError) string {
	switch {
	case strings.HasPrefix(e.Reply, "NOPERM"):
		return "the user needs permission for CLUSTER SLOTS: +cluster|slots +cluster|info +cluster|myid"
	case e.Reply == "" && e.Reason == emptyCluster:
		return "the cluster is empty: assign slots first, with redis-cli --cluster create"
	}
	return ""
}

func adviceOnRefusal(r wire.Refusal) string {
	switch ServerError(r).Code() {
	case "WRONGPASS":
		return "check Username and Password"
	case "NOAUTH":
		return "the server wants a password: set Username and Password, or Credentials"
	case "DENIED":
		return "the server is in protected mode: give it a password, or an address to bind to"
	}
	return ""
}
