package keyslot

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Options configure a client. Only Endpoints is required; the zero value of every other field is a good default, and a
// negative duration switches off what it bounds, where that is said; a duration of more than ten years counts as ten
// years. What is out of its range is an *OptionError. Options are read once, by New.
type Options struct {
	// Endpoints are where the topology is learnt: the configuration endpoint of the cluster, or several nodes. Each is
	// "host:port", or "host" for port 6379. Every name is resolved anew at each use, to all its addresses.
	//
	// Servers that are not in cluster mode tell no topology. Then this is the primary endpoint, whose name leads to the
	// primary after a failover too; or all nodes, whose roles are asked for: one takes the writes, the others are read
	// from. Keys may be combined at will, for one server has them all.
	Endpoints []string
	// Reader is the reader endpoint of a primary endpoint, host:port like those. The servers behind it answer what
	// ReadFrom lets replicas answer, one connection to each of the addresses that the name has, of five at most. It is
	// not used in cluster mode.
	Reader string

	// Username and Password log in to every node; a password without a username logs in as "default".
	Username, Password string
	// Credentials, if set, is asked for every connection instead of Username and Password, and once more at once where
	// the node refuses what it gave. An error fails that dial: New fails with it; later, commands wait while it is
	// dialled again, and what they fail with wraps it. It may block until ctx ends, and is called from several
	// goroutines. With MaxConnAge connections do not outlive what it returned by long: no connection that is in use is
	// ever logged in again.
	Credentials func(ctx context.Context, node Node) (username, password string, err error)

	// TLS, if set, is used on every connection. An empty ServerName verifies each node by its own name, wherever a
	// redirect leads. Nothing below TLS 1.2 is spoken, whatever MinVersion says.
	TLS *tls.Config
	// Dial, if set, opens the connections instead of a net.Dialer. addr holds an IP address where Resolver gave one. Close
	// and the deadlines of what it returns must neither wait nor call the client: they are used under locks of its own.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Resolver, if set, resolves the names of endpoints and nodes instead of net.DefaultResolver.
	Resolver Resolver
	// MapAddr, if set, says where to dial a node (host:port) that announces an address not reachable from here: behind NAT,
	// or through a bastion. Endpoints are dialled as they are; the connection to one stays in use for the node it led to.
	MapAddr func(node Node) string

	// ConnsPerNode is how many shared connections a node gets, 1 to 64; a slot keeps to one of them. 1 by default,
	// which is also the fastest: more connections mean smaller writes. Requests and replies of 256 KiB and more use a
	// second connection beside each of them, dialled for the first one, so that small commands do not wait behind them.
	ConnsPerNode int
	// MaxInFlight bounds the commands waiting for a reply on one shared connection, 1 to 1,048,576; more of them wait
	// their turn. 16384 by default.
	MaxInFlight int
	// NoPoll makes connections always wait for the runtime to wake them. By default one that waited 4 ms or more for a
	// reply lets other goroutines run from then on and looks into its socket by itself, at most every 20 us, until
	// nothing else wants to run or nothing is found: where a process has more to run than processors, the runtime
	// notices a reply only after up to 10 ms.
	NoPoll bool

	// DialTimeout bounds one dial: name, TCP, TLS, login. 2 s by default.
	DialTimeout time.Duration
	// CommandTimeout bounds a whole call, retries included, whose context has no deadline. 5 s by default; negative: no
	// bound. Commands outlast the death of a primary only if it exceeds the time the cluster takes to fail over:
	// cluster-node-timeout, which is 15 s on a server as shipped, and a few seconds.
	CommandTimeout time.Duration
	// PeerTimeout is how long a node may owe replies without sending a byte, or taking one of a request that is still
	// being written, until its connection is given up. 10 s by default; in that time a link must pass 96 KiB of a
	// request, and 64 KiB of a reply that has begun.
	PeerTimeout time.Duration
	// IdleProbe is how long a connection may be idle, or this process stand still, until PING goes ahead of the next
	// command. 5 s by default; negative: never.
	IdleProbe time.Duration
	// MaxConnAge, if not 0, is the age that no connection in use is to reach, 1 s or more: for credentials that change,
	// and for servers that cut connections off at some age, as ElastiCache does after 12 h where IAM logs in. A
	// connection is replaced by a new one, with credentials asked for anew, at some time in the last quarter of it. The
	// new one is ready first and the old one answers what it has been sent, so that no command fails and those of a
	// slot keep their order. Where the new one cannot be had, the old one goes on, and it is tried again. A blocking
	// command waits for a quarter of MaxConnAge at a time, on connections below three quarters of it; WAIT and WAITAOF
	// wait in one go. Watch is not cut off: its connection is closed when it is done. A Subscription goes over to its
	// new connection with a Gap.
	MaxConnAge time.Duration
	// RefreshAfter is the age at which the slot map is fetched anew, off the path of the command that noticed.
	// 60 s by default; negative: never by age.
	RefreshAfter time.Duration

	// ReadFrom says which nodes answer reads; Primary by default. Client.ReadFrom makes views with another policy.
	ReadFrom ReadPolicy
	// AZ is the availability zone that this process runs in, for AZAffinity, spelled as the servers spell theirs:
	// "us-east-1a" on ElastiCache. By default it is what the environment variable KEYSLOT_AZ says. With a zone, each
	// node is asked for its own once, on its first connection.
	AZ string
	// MaxLag, if not 0, is how old what a replica answers may be, at least 100 ms: a replica that is not known to have all
	// that its primary had so long ago is not read from. Replicas in use and their primaries are asked (INFO) four times
	// within that time, at most ten times a second each, and only while reads go on. Topology shows what came of it.
	MaxLag time.Duration

	// Lazy defers everything New does on the network to the first command, which then returns New's errors.
	Lazy bool
	// ClientName is what CLIENT LIST shows on the servers: printable ASCII without spaces.
	ClientName string
	// Logger, if set, is told what happens off the path of any call: when refreshes begin to fail and when they work
	// again, which primaries have not served their slots for a second and when these slots are known to be served
	// again, which replicas are not read from, when a Consumer waits, and why it could not handle an entry; and, as an
	// error, how many replies were suspect when replies were out of step with their commands.
	Logger *slog.Logger
	// Trace, if set, is told about calls, redirects, retries, refreshes and dials.
	Trace *Trace
}

// hidePassword puts the password where no verb of package fmt finds it when it prints what holds the options: into a function.
func (o *Options) hidePassword() {
	username, password := o.Username, o.Password
	if o.Credentials == nil && password != "" {
		o.Credentials = func(context.Context, Node) (string, string, error) { return username, password, nil }
	}
	o.Username, o.Password = "", ""
}

// Format prints the options under any verb of package fmt, without the password.
func (o Options) Format(f fmt.State, verb rune) {
	type options Options // has no Format of its own
	if o.Password != "" {
		o.Password = "***"
	}
	o.Endpoints = slices.Clone(o.Endpoints)
	for i, endpoint := range o.Endpoints { // a URL that belongs into Open may have been put there
		o.Endpoints[i] = redact(endpoint)
	}
	o.Reader = redact(o.Reader)
	fmt.Fprintf(f, fmt.FormatString(f, verb), options(o))
}

// LogValue is what package log/slog writes of the options: no password.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", o)) }

// Resolver resolves a name to all its addresses; *net.Resolver is one. It must return soon after ctx ends, and is
// called from several goroutines.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	defaultMaxInFlight    = 16384
	defaultDialTimeout    = 2 * time.Second
	defaultCommandTimeout = 5 * time.Second
	defaultPeerTimeout    = 10 * time.Second
	defaultIdleProbe      = 5 * time.Second
	defaultRefreshAfter   = 60 * time.Second
)

// forever is the longest that an option may say. Who writes math.MaxInt64 means never, and times that are added to it overflow.
const forever = 10 * 365 * 24 * time.Hour

// OptionError says which option of New or NewConsumer cannot be used, and why. Nothing was resolved or dialled.
type OptionError struct {
	Option string // name of the field of Options; of another struct behind its name and a dot
	Reason string
}

func (e *OptionError) Error() string {
	if strings.Contains(e.Option, ".") {
		return fmt.Sprintf("keyslot: %s: %s", e.Option, e.Reason)
	}
	return fmt.Sprintf("keyslot: Options.%s: %s", e.Option, e.Reason)
}

// ParseTarget returns the options that target spells, as Open reads it, for a program that wants to set more of them
// before it calls New. A URL may name several hosts, comma between them, and set reader (host:port), client_name,
// dial_timeout, command_timeout, peer_timeout, idle_probe, refresh_after, conns_per_node, max_in_flight and lazy; what
// is negative to be off is for Options only. User and password are percent-encoded. The error is an *EndpointError and
// never shows a password. Nothing is resolved or dialled.
func ParseTarget(target string) (Options, error) {
	spelled, err := parseTarget(target)
	if err != nil {
		return Options{}, err
	}
	return optionsOf(spelled), nil
}

// optionsOf returns the options that a target spells.
func optionsOf(u urlOptions) Options {
	o := Options{
		Endpoints: u.Endpoints, Reader: u.Reader, Username: u.Username, Password: u.Password, ClientName: u.ClientName,
		DialTimeout: u.DialTimeout, CommandTimeout: u.CommandTimeout, PeerTimeout: u.PeerTimeout,
		IdleProbe: u.IdleProbe, RefreshAfter: u.RefreshAfter,
		ConnsPerNode: u.ConnsPerNode, MaxInFlight: u.MaxInFlight, Lazy: u.Lazy,
	}
	if u.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o
}

// withDefaults returns the options with every default filled in, or what is wrong with them.
func (o Options) withDefaults() (Options, error) {
	for _, n := range []struct {
		name         string
		field        *int
		value, limit int
	}{
		{"ConnsPerNode", &o.ConnsPerNode, 1, 64},
		{"MaxInFlight", &o.MaxInFlight, defaultMaxInFlight, 1 << 20},
	} {
		if *n.field < 0 || *n.field > n.limit {
			return o, &OptionError{n.name, fmt.Sprintf("%d is not between 1 and %d", *n.field, n.limit)}
		}
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	for _, d := range []struct {
		name   string
		field  *time.Duration
		value  time.Duration
		canOff bool
	}{
		{"DialTimeout", &o.DialTimeout, defaultDialTimeout, false},
		{"CommandTimeout", &o.CommandTimeout, defaultCommandTimeout, true},
		{"PeerTimeout", &o.PeerTimeout, defaultPeerTimeout, false},
		{"IdleProbe", &o.IdleProbe, defaultIdleProbe, true},
		{"RefreshAfter", &o.RefreshAfter, defaultRefreshAfter, true},
	} {
		if *d.field < 0 && !d.canOff {
			return o, &OptionError{d.name, "must not be negative"}
		}
		*d.field = min(cmp.Or(*d.field, d.value), forever)
	}
	o.MaxConnAge, o.MaxLag = min(o.MaxConnAge, forever), min(o.MaxLag, forever)
	if err := o.check(); err != nil {
		return o, err
	}
	o.AZ = cmp.Or(o.AZ, os.Getenv(zoneVariable))
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Trace == nil {
		o.Trace = &Trace{}
	}
	return o, nil
}

// check returns what is wrong with the options that have no default.
func (o *Options) check() error {
	for _, c := range o.ClientName {
		if c <= ' ' || c > '~' {
			return &OptionError{"ClientName", "must be printable ASCII without spaces"}
		}
	}
	switch {
	case o.ReadFrom > Any:
		return &OptionError{"ReadFrom", fmt.Sprintf("%d is no ReadPolicy", o.ReadFrom)}
	case o.MaxLag != 0 && o.MaxLag < minLagPoll:
		return &OptionError{"MaxLag", fmt.Sprintf("%v is less than %v", o.MaxLag, minLagPoll)}
	case o.MaxConnAge != 0 && o.MaxConnAge < minConnAge:
		return &OptionError{"MaxConnAge", fmt.Sprintf("%v is less than %v", o.MaxConnAge, minConnAge)}
	case o.Username != "" && o.Password == "" && o.Credentials == nil:
		return &OptionError{"Username", "needs Password or Credentials"}
	}
	return nil
}
