package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Options say how to open one connection and how it behaves. They are read-only once given to Dial.
type Options struct {
	Addr       string // host:port
	ServerName string // the name TLS verifies; empty: the host of Addr
	TLS        *tls.Config
	Dial       func(ctx context.Context, network, addr string) (net.Conn, error) // nil: a net.Dialer

	Username, Password string
	// OnPhase, if set, is called as each phase begins; must not block.
	OnPhase func(Phase)
	// Relogin, if set, is asked for other credentials once, where the server refuses these.
	Relogin func(ctx context.Context) (username, password string, err error)

	ClientName      string
	LibName, LibVer string

	MaxInFlight int           // commands in flight beyond which Send waits: a batch is many
	PeerTimeout time.Duration // silence, while replies are due, after which the peer is dead; 0: never
	IdleProbe   time.Duration // idle time after which PING goes ahead of the next command; 0: never
	MaxAge      time.Duration // age at which OnOld is called; 0: never
	NoPoll      bool          // readers wait for the system to wake them, and never look for themselves
	Blocking    bool          // for blocking commands: silence is no reason to give the peer up
	OnSilent    func(*Conn)   // called for every 500 ms that the peer owes replies in silence; must not block
	OnEnd       func()        // called once when the connection's last goroutine is about to end; must not block

	// OnOld is called every 250 ms while a connection is in use that has reached MaxAge; must not block.
	OnOld func(c *Conn)
	// OnDesync is called by the reader goroutine when the connection has ended because its replies were out of step
	// with its calls; must not block.
	OnDesync func(*DesyncError)
	// OnLarge is called once for each Large reply, before it is whole, with the request that it answers; must not block.
	OnLarge func(c *Conn, request []byte)
}

// Server is what a node said of itself in the handshake.
type Server struct {
	Proto   int    // RESP version in use: 3, or 2 where HELLO was refused
	Mode    string // "cluster", "standalone" ..., empty under RESP2
	Role    string // "master" or "replica", empty under RESP2
	Version string
	AZ      string // its availability zone, where it tells (Valkey 9)
	ID      int64  // of the connection, as CLIENT LIST has it; 0 under RESP2
}

// Phase is the step at which a dial failed.
type Phase string

// The phases of a dial, in order. Resolving names is the caller's.
const (
	PhaseDial  Phase = "dial"
	PhaseTLS   Phase = "tls"
	PhaseHello Phase = "hello"
	PhaseAuth  Phase = "auth"
)

// DialError says which step of opening a connection failed. Nothing was sent but the handshake.
type DialError struct {
	Phase Phase
	Addr  string
	Err   error
}

func (e *DialError) Error() string {
	cause := e.Err
	//nolint:errorlint // only where it is the outermost error would the address be said twice
	if op, ok := cause.(*net.OpError); ok {
		cause = op.Err
	}
	return fmt.Sprintf("%s %s: %v", e.Phase, e.Addr, cause)
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// Refusal is an error reply of the server to a step of the handshake, without the credentials that it may quote.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// has reports whether the reply has the given code (its first word).
func (r Refusal) has(code string) bool {
	first, _, _ := strings.Cut(string(r), " ")
	return first == code
}

// handshakeLimits bound what a server may send before it is trusted with commands.
var handshakeLimits = resp.Limits{Depth: 4, Line: 4 << 10, Bulk: 64 << 10, Elements: 256, Frame: 256 << 10}

// Dial opens a connection and introduces the client to the server, all within ctx. It fails with a *DialError.
func Dial(ctx context.Context, opts Options) (*Conn, error) {
	c, err := dial(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.start()
	return c, nil
}

// dial opens a connection that nobody reads yet.
func dial(ctx context.Context, opts Options) (*Conn, error) {
	opts.enter(PhaseDial)
	raw, err := dialRaw(ctx, &opts)
	if err != nil {
		return nil, &DialError{PhaseDial, opts.Addr, err}
	}
	// Every step below reads or writes raw: a dead context ends it at once.
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	c, err := establish(ctx, raw, opts)
	if err == nil && !stop() {
		err = &DialError{PhaseHello, opts.Addr, ctx.Err()}
	}
	if err != nil {
		stop()
		abort(raw)
		return nil, withCause(ctx, err)
	}
	return c, nil
}

func (opts *Options) enter(phase Phase) {
	if opts.OnPhase != nil {
		opts.OnPhase(phase)
	}
}

func dialRaw(ctx context.Context, opts *Options) (net.Conn, error) {
	if opts.Dial != nil {
		return opts.Dial(ctx, "tcp", opts.Addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", opts.Addr)
}

// withCause puts the context's error in place of the I/O timeout that it provoked.
func withCause(ctx context.Context, err error) error {
	var de *DialError
	if ctx.Err() != nil && errors.As(err, &de) {
		de.Err = ctx.Err()
	}
	return err
}

// establish makes a Conn of raw: socket options, TLS, HELLO.
func establish(ctx context.Context, raw net.Conn, opts Options) (*Conn, error) {
	c := &Conn{
		raw: raw, rw: raw, opts: opts, exact: isExact(raw), born: time.Now(),
		recalled: make(chan struct{}, 1), over: make(chan struct{}), ended: make(chan struct{}),
	}
	c.poke = c.interrupt
	tune(raw, opts.PeerTimeout)
	if c.socket = newSocket(raw); c.socket != nil {
		c.rw, c.room = c.socket, c.socket.source.SendBuffer()/2
	}
	if opts.TLS != nil {
		opts.enter(PhaseTLS)
		t := tls.Client(c.rw, tlsConfig(&opts))
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, &DialError{PhaseTLS, opts.Addr, err}
		}
		c.rw = t
	}
	opts.enter(PhaseHello)
	c.scanner.Limits = handshakeLimits
	if phase, err := c.login(ctx); err != nil {
		return nil, &DialError{phase, opts.Addr, err}
	}
	c.scanner = resp.Scanner{}
	c.opts.OnPhase = nil // whoever it tells outlives no dial
	return c, nil
}

// tlsConfig completes the caller's configuration. Nothing below TLS 1.2 is spoken, even where GODEBUG or the caller
// allows it: no server that speaks RESP3 needs it.
func tlsConfig(opts *Options) *tls.Config {
	conf := opts.TLS.Clone()
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	if conf.ServerName == "" {
		conf.ServerName = opts.ServerName
	}
	if conf.ServerName == "" {
		conf.ServerName, _, _ = net.SplitHostPort(opts.Addr)
	}
	return conf
}

// isExact reports whether a failed Write tells how many bytes the kernel took. TLS keeps it exact: a partly written
// record cannot be decrypted, and after a failed Write the connection is dead.
func isExact(raw net.Conn) bool {
	switch raw.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// start lets the connection take calls.
func (c *Conn) start() {
	c.idle.since = time.Now()
	c.fence.left, c.fence.at = fenceCalls, c.idle.since
	if c.socket != nil {
		c.socket.empty = c.nothingToRead
	}
	go c.read() // ends when the connection dies or has been drained; Wait waits for it
}

// introduce queues, ahead of the first command and in the same write, what the server should know but need not answer
// first; a server that refuses (CLIENT SETINFO is Redis 7.2) is as good. mu is held.
func (c *Conn) introduce() {
	if c.introduced {
		return
	}
	c.introduced = true
	for _, field := range [][2]string{{"LIB-NAME", c.opts.LibName}, {"LIB-VER", c.opts.LibVer}} {
		if field[1] != "" {
			c.enqueueQuiet(new(Call), command("CLIENT", "SETINFO", field[0], field[1]))
		}
	}
}

// login is hello, and once more where the server refused what Relogin can better: the session that signed a token may
// have ended meanwhile. After WRONGPASS a server keeps the connection. The same credentials again would only be counted.
func (c *Conn) login(ctx context.Context) (Phase, error) {
	phase, err := c.hello()
	var refused Refusal
	if c.opts.Relogin == nil || phase != PhaseAuth || !errors.As(err, &refused) {
		return phase, err
	}
	username, password, failed := c.opts.Relogin(ctx)
	if failed != nil || username == c.opts.Username && password == c.opts.Password {
		return phase, err
	}
	c.opts.Username, c.opts.Password = username, password
	return c.hello()
}

// hello agrees on the protocol and logs in. Nothing else may be sent before its reply: a server allows a client that
// has not authenticated only small requests, and an error text such as "max number of clients reached" must not be
// taken for the reply to a command.
//
//	C: HELLO 3 [AUTH user password] [SETNAME name]
//	S: %7 server .. version .. proto 3 id .. mode cluster ..    -> RESP3
//	S: -NOPROTO .. | -ERR unknown command .. | -NOPERM ..       -> RESP2: AUTH, CLIENT SETNAME
//	S: -WRONGPASS .. | -NOAUTH .. | -ERR max number of clients  -> failed
func (c *Conn) hello() (Phase, error) {
	args := []string{"HELLO", "3"}
	if c.opts.Password != "" {
		args = append(args, "AUTH", cmp.Or(c.opts.Username, "default"), c.opts.Password)
	}
	if c.opts.ClientName != "" {
		args = append(args, "SETNAME", c.opts.ClientName)
	}
	v, err := c.roundTrip(args...)
	var refused Refusal
	switch {
	case err == nil && v.Kind != resp.Map:
		return PhaseHello, ErrNotHello
	case err == nil:
		c.server = serverOf(v)
		return "", nil
	case !errors.As(err, &refused):
		return PhaseHello, err
	case refused.has("NOPROTO"), refused.has("NOPERM"), strings.HasPrefix(string(refused), "ERR unknown command"):
		return c.hello2()
	case refused.has("WRONGPASS"), refused.has("NOAUTH"):
		return PhaseAuth, err
	}
	return PhaseHello, err
}

// hello2 is the handshake with a server that speaks only RESP2.
func (c *Conn) hello2() (Phase, error) {
	c.server = Server{Proto: 2}
	if c.opts.Password != "" {
		c.opts.enter(PhaseAuth)
		auth := []string{"AUTH", c.opts.Password}
		if c.opts.Username != "" {
			auth = []string{"AUTH", c.opts.Username, c.opts.Password}
		}
		if _, err := c.roundTrip(auth...); err != nil {
			return PhaseAuth, err
		}
	}
	var refused Refusal
	if c.opts.ClientName != "" {
		if _, err := c.roundTrip("CLIENT", "SETNAME", c.opts.ClientName); err != nil && !errors.As(err, &refused) {
			return PhaseHello, err
		}
	}
	// A PING tells a server that wants a password from one that is ready.
	if _, err := c.roundTrip("PING"); errors.As(err, &refused) && refused.has("NOAUTH") {
		return PhaseAuth, err
	} else if err != nil && !errors.As(err, &refused) {
		return PhaseHello, err
	}
	return "", nil
}

// roundTrip sends one command of the handshake and returns its reply; the reader does not run yet.
func (c *Conn) roundTrip(args ...string) (resp.Value, error) {
	// A failed write is not the end: a server that turns clients away says why and closes before it is asked anything.
	_, unsent := c.rw.Write(command(args...))
	c.buf = c.buf[:0]
	for {
		if len(c.buf) == cap(c.buf) {
			c.growBuf()
		}
		n, err := c.rw.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		frame, serr := c.scanReply()
		switch {
		case serr != nil:
			return resp.Value{}, serr
		case frame > 0 && frame < len(c.buf):
			return resp.Value{}, ErrSurplusReply
		case frame > 0:
			v, derr := resp.Decode(c.buf)
			c.buf = c.buf[:0]
			if v.Kind == resp.SimpleError || v.Kind == resp.BulkError {
				return v, Refusal(resp.Conceal(v.Str, resp.Words(args)))
			}
			return v, cmp.Or(unsent, derr)
		case err != nil:
			return resp.Value{}, cmp.Or(unsent, err)
		}
	}
}

// scanReply returns the length of the reply that the buffer begins with, 0 while it is not whole. Pushes in front of it
// are dropped: they answer nothing.
func (c *Conn) scanReply() (int, error) {
	for {
		n, err := c.scanner.Scan(c.buf)
		if n == 0 || err != nil || !resp.IsPush(c.buf[:n]) {
			return n, err
		}
		c.buf = c.buf[:copy(c.buf, c.buf[n:])]
	}
}

// serverOf reads HELLO's reply, a map of name and value.
func serverOf(v resp.Value) Server {
	s := Server{Proto: 3}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		value := v.Elems[i+1]
		switch v.Elems[i].Str {
		case "proto":
			s.Proto = int(value.Int)
		case "mode":
			s.Mode = value.Str
		case "role":
			s.Role = value.Str
		case "version":
			s.Version = value.Str
		case "availability_zone":
			s.AZ = value.Str
		case "id":
			s.ID = value.Int
		}
	}
	return s
}

func command(args ...string) []byte {
	b := resp.AppendArray(nil, len(args))
	for _, a := range args {
		b = resp.AppendBulk(b, a)
	}
	return b
}
