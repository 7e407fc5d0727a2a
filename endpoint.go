package keyslot

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// defaultPort is where Redis, Valkey and ElastiCache listen, with TLS or without.
	defaultPort = 6379
	// maxTarget bounds what Open reads; an IAM token, the longest password in use, is below 2 KiB.
	maxTarget = 8 << 10
	// maxHost is the length limit of a domain name (RFC 1035, section 2.3.4).
	maxHost = 253
)

// EndpointError is returned by Open, ParseTarget and New for an endpoint that cannot be understood. Nothing was
// resolved or dialled.
type EndpointError struct {
	Endpoint string // the endpoint as given, but without user, password, path and options
	Reason   string // what is wrong and what to write instead; never holds a password
}

func (e *EndpointError) Error() string {
	return fmt.Sprintf("keyslot: endpoint %q: %s", e.Endpoint, e.Reason)
}

// endpoint is one parsed configuration endpoint: a name or an IP address, and a port. It never holds what the name
// resolved to: ElastiCache keeps names and replaces addresses.
type endpoint struct {
	host string // without brackets
	port uint16
}

func (e endpoint) String() string {
	return net.JoinHostPort(e.host, strconv.Itoa(int(e.port)))
}

// node is what the endpoint is to a client that knows nothing else of it.
func (e endpoint) node() Node { return Node{Host: e.host, Port: int(e.port)} }

// parseEndpoints parses Options.Endpoints: "host:port", "host" (port 6379), "[::1]:6379". The error is an *EndpointError.
func parseEndpoints(texts []string) ([]endpoint, error) {
	if len(texts) == 0 {
		return nil, &EndpointError{Reason: "none given: set Options.Endpoints to the configuration endpoint, host:port"}
	}
	endpoints := make([]endpoint, len(texts))
	for i, text := range texts {
		e, err := parseEndpoint(text)
		if err != nil {
			return nil, err
		}
		endpoints[i] = e
	}
	return endpoints, nil
}

// parseEndpoint parses one of them. The error is an *EndpointError.
func parseEndpoint(text string) (endpoint, error) {
	e, err := readEndpoint(text)
	if err != nil {
		return e, &EndpointError{Endpoint: redact(text), Reason: err.Error()}
	}
	return e, nil
}

// urlOptions is what a target given to Open says; each field has the name and meaning of its field in Options, and its
// zero value means that the target does not mention it.
type urlOptions struct {
	Endpoints          []string // each "host:port"
	Reader             string
	Username, Password string
	TLS                bool

	ClientName     string
	DialTimeout    time.Duration
	CommandTimeout time.Duration
	PeerTimeout    time.Duration
	IdleProbe      time.Duration
	RefreshAfter   time.Duration
	ConnsPerNode   int
	MaxInFlight    int
	Lazy           bool
}

// setting is one query option of a URL.
type setting struct {
	name string
	set  func(o *urlOptions, value string) error
}

// settings lists the query options: the fields of Options, in snake_case, that make sense as text. It is never written.
var settings = []setting{
	{"client_name", func(o *urlOptions, value string) error { o.ClientName = value; return nil }},
	{"dial_timeout", duration(func(o *urlOptions) *time.Duration { return &o.DialTimeout })},
	{"command_timeout", duration(func(o *urlOptions) *time.Duration { return &o.CommandTimeout })},
	{"peer_timeout", duration(func(o *urlOptions) *time.Duration { return &o.PeerTimeout })},
	{"idle_probe", duration(func(o *urlOptions) *time.Duration { return &o.IdleProbe })},
	{"refresh_after", duration(func(o *urlOptions) *time.Duration { return &o.RefreshAfter })},
	{"conns_per_node", count(func(o *urlOptions) *int { return &o.ConnsPerNode })},
	{"max_in_flight", count(func(o *urlOptions) *int { return &o.MaxInFlight })},
	{"lazy", flag(func(o *urlOptions) *bool { return &o.Lazy })},
	{"reader", func(o *urlOptions, value string) error {
		e, err := readEndpoint(value)
		if err != nil {
			return fmt.Errorf("must be host:port: %w", err)
		}
		o.Reader = e.String()
		return nil
	}},
}

func duration(field func(*urlOptions) *time.Duration) func(*urlOptions, string) error {
	return func(o *urlOptions, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return errors.New("must be a duration above zero, such as 500ms or 2s")
		}
		*field(o) = d
		return nil
	}
}

func count(field func(*urlOptions) *int) func(*urlOptions, string) error {
	return func(o *urlOptions, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			return errors.New("must be a whole number above zero")
		}
		*field(o) = n
		return nil
	}
}

func flag(field func(*urlOptions) *bool) func(*urlOptions, string) error {
	return func(o *urlOptions, value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("must be true or false")
		}
		*field(o) = b
		return nil
	}
}

// schemes are those of the URLs that Redis and Valkey programs share; with an s at the end they mean TLS.
var schemes = []string{"redis", "rediss", "valkey", "valkeys"}

// parseTarget parses what Open takes: "host:port", "host", or
// redis://[user[:password]@]host[:port][,host[:port]...][/0][?options], with rediss:// for TLS. User and password are
// percent-encoded. The error is an *EndpointError and never shows a password.
//
// net/url is no help here: it refuses several hosts with ports, and its errors quote the whole URL.
func parseTarget(target string) (urlOptions, error) {
	o, err := readTarget(target)
	if err != nil {
		return urlOptions{}, &EndpointError{Endpoint: redact(target), Reason: err.Error()}
	}
	return o, nil
}

func readTarget(target string) (urlOptions, error) {
	if err := checkText(target); err != nil {
		return urlOptions{}, err
	}
	scheme, rest, isURL := cutScheme(target)
	authority, tail := cutAuthority(rest)
	// A raw @ or / in a password makes the URL ambiguous, and guessing could send the password to a DNS server as a host name.
	if strings.Count(authority, "@") > 1 || strings.Contains(tail, "@") {
		return urlOptions{}, errors.New("more than one @, or an @ after a /, ? or #: " +
			"percent-encode such characters in user, password and options (@ is %40, / is %2F, ? is %3F, # is %23)")
	}
	var o urlOptions
	userinfo, hosts, hasUser := strings.Cut(authority, "@")
	if !hasUser {
		userinfo, hosts = "", authority
	}
	switch {
	case !isURL && (hasUser || tail != ""):
		return o, errors.New("only a URL can carry a user, a password or options: write redis://user:password@host:port, or rediss:// for TLS")
	case isURL && !slices.Contains(schemes, scheme):
		return o, errors.New("unknown scheme: write redis:// or valkey://, or with TLS rediss:// or valkeys://")
	}
	o.TLS = scheme == "rediss" || scheme == "valkeys"
	if err := o.readUser(userinfo); err != nil {
		return o, err
	}
	if isURL {
		hosts = strings.ReplaceAll(hosts, "%25", "%") // a URL escapes the zone of [fe80::1%eth0]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		e, err := readEndpoint(host)
		if err != nil {
			return o, err
		}
		o.Endpoints = append(o.Endpoints, e.String())
	}
	return o, o.readTail(tail)
}

func (o *urlOptions) readUser(userinfo string) error {
	user, password, _ := strings.Cut(userinfo, ":")
	var userErr, passwordErr error
	// Path rules, since query rules would turn the + of a base64 password into a space.
	o.Username, userErr = url.PathUnescape(user)
	o.Password, passwordErr = url.PathUnescape(password)
	if userErr != nil || passwordErr != nil {
		return errors.New("a % in the user or password that is not a percent-encoding: write it as %25")
	}
	return nil
}

// readTail reads what follows the hosts: [/[0]][?options].
func (o *urlOptions) readTail(tail string) error {
	if strings.Contains(tail, "#") {
		return errors.New("a # part, which means nothing here: remove it, or percent-encode it as %23")
	}
	path, query, _ := strings.Cut(tail, "?")
	if path != "" && path != "/" && path != "/0" {
		return errors.New("keyslot uses database 0 only: end the path with /0, or leave it out")
	}
	if query == "" {
		return nil
	}
	seen := make(map[string]bool)
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if seen[name] {
			return fmt.Errorf("option %q is given twice", name)
		}
		seen[name] = true
		if err := o.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (o *urlOptions) set(name, escaped string) error {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	if i < 0 {
		return fmt.Errorf("unknown option %q: the options are %s", name, settingNames())
	}
	value, err := url.QueryUnescape(escaped)
	if err != nil {
		return fmt.Errorf("option %s holds a %% that is not a percent-encoding: write it as %%25", name)
	}
	if err := settings[i].set(o, value); err != nil {
		return fmt.Errorf("option %s %w", name, err)
	}
	return nil
}

func settingNames() string {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.name
	}
	return strings.Join(names, ", ")
}

// readEndpoint parses one "host:port", "host" or "[IPv6]:port".
func readEndpoint(text string) (endpoint, error) {
	if err := checkText(text); err != nil {
		return endpoint{}, err
	}
	host, port, hasPort := cutPort(text)
	e := endpoint{host: host, port: defaultPort}
	switch {
	case strings.ContainsAny(text, "/@?#"):
		return e, errors.New("not host:port: a URL, user or option belongs in the target of Open, or in its own field of Options")
	case strings.Contains(port, ":"):
		return e, errors.New("more than one colon: write an IPv6 address in brackets, as in [::1]:6379")
	case host == "":
		return e, errors.New("no host: write host:port")
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return e, errors.New("the port must be a number from 1 to 65535")
		}
		e.port = uint16(n)
	}
	if strings.HasPrefix(host, "[") {
		e.host = strings.TrimSuffix(host[1:], "]")
		if addr, err := netip.ParseAddr(e.host); err != nil || !addr.Is6() || len(e.host) != len(host)-2 {
			return e, errors.New("no IPv6 address between the brackets: write [::1]:6379")
		}
		return e, nil
	}
	if len(host) > maxHost || strings.Trim(host, alphanumerics+"-._") != "" {
		return e, errors.New("the host must be a domain name or an IP address")
	}
	return e, nil
}

const alphanumerics = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func checkText(text string) error {
	switch {
	case text == "":
		return errors.New("empty: write host:port or redis://host:port")
	case len(text) > maxTarget:
		return fmt.Errorf("longer than %d bytes", maxTarget)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("a space, line break or control character: remove it, or percent-encode it in user, password and options")
	}
	return nil
}

// cutScheme splits "scheme://rest"; the scheme comes back in lower case.
func cutScheme(target string) (scheme, rest string, isURL bool) {
	scheme, rest, found := strings.Cut(target, "://")
	if !found || scheme == "" || strings.Trim(scheme, alphanumerics+"+-.") != "" {
		return "", target, false
	}
	return strings.ToLower(scheme), rest, true
}

// cutAuthority splits "user:password@hosts" from the path, query and fragment behind it.
func cutAuthority(rest string) (authority, tail string) {
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

// cutPort splits at the first colon that is not between brackets.
func cutPort(text string) (host, port string, found bool) {
	start := 0
	if strings.HasPrefix(text, "[") {
		start = strings.LastIndexByte(text, ']') + 1
	}
	host, port, found = strings.Cut(text[start:], ":")
	return text[:start] + host, port, found
}

// redact returns a target for an error text: scheme, hosts and ports. What could be a misplaced password is masked too:
// everything before the last @, and a port that is no number.
func redact(target string) string {
	scheme, rest, isURL := cutScheme(target)
	var b strings.Builder
	if isURL {
		b.WriteString(scheme + "://")
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		b.WriteString("***@")
		rest = rest[i+1:]
	}
	hosts, _ := cutAuthority(rest)
	for i, text := range strings.Split(hosts, ",") {
		if i > 0 {
			b.WriteByte(',')
		}
		host, port, hasPort := cutPort(text)
		_, portErr := strconv.ParseUint(port, 10, 64)
		_, ipErr := netip.ParseAddr(text) // IPv6 without its brackets is worth showing
		if hasPort && portErr != nil && ipErr != nil {
			text = host + ":***"
		}
		b.WriteString(text)
	}
	const enough = 256
	if b.Len() > enough {
		return b.String()[:enough] + "..."
	}
	return b.String()
}
