// Package fakenode is a node that does to its clients what a test tells it to, byte by byte: replies in pieces, late,
// twice or never, pushes, resets. It keeps a tape of every byte it was sent. Connections are in memory, for stories
// told inside a testing/synctest bubble, or on loopback TCP, for what needs real sockets.
package fakenode

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/loopback"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// Request is one command as it arrived.
type Request struct {
	Conn int // which of the node's connections, counted from 0 in the order of arrival
	Args []string
}

// Name returns the command's first word in upper case, and of a container command the second too ("CLUSTER SLOTS").
func (r Request) Name() string {
	name := strings.ToUpper(r.Args[0])
	if (name == "CLUSTER" || name == "CLIENT") && len(r.Args) > 1 {
		name += " " + strings.ToUpper(r.Args[1])
	}
	return name
}

// End is what becomes of a connection after a reaction.
type End int

// The ends of a reaction.
const (
	Stay End = iota
	FIN      // close
	RST      // reset
)

// Reaction is what a node does about a request, in this order. The zero Reaction swallows the request. Requests behind
// it on the same connection wait.
type Reaction struct {
	After <-chan struct{} // wait until it is closed, unless nil
	Delay time.Duration   // then this long
	Send  string          // then send these bytes: a reply, half of one, two, a push before it, none ...
	Piece int             // in writes of so many bytes; 0: in one
	Gap   time.Duration   // with so long between them
	End   End
}

// Handler reacts to a request; ok is false to leave it to the script and the defaults. It is called from several goroutines.
type Handler func(r Request) (reaction Reaction, ok bool)

// Node is one scripted node. Its methods are safe for concurrent use.
type Node struct {
	// immutable
	id   string
	addr string
	net  *Net
	stop chan struct{} // closed by Close
	work sync.WaitGroup

	mu sync.Mutex
	// guarded by mu
	tls       *tls.Config
	greeting  *Reaction
	handler   Handler
	script    map[string][]Reaction
	reading   chan struct{} // closed while the node reads
	gap       time.Duration // before each read
	cutAfter  int           // bytes after which a connection is reset, negative: never
	tape      []Request
	conns     []*served
	listeners []net.Listener
	closed    bool
}

// served is one connection of a node.
type served struct {
	net.Conn
	bytes []byte // guarded by Node.mu: everything received
	gone  bool   // guarded by Node.mu
	cause error  // guarded by Node.mu: what reading ended with
}

// On scripts the reactions to a command, by Request.Name: the next ones in turn, the last one for good.
func (n *Node) On(name string, reactions ...Reaction) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.script[name] = reactions
}

// Handle asks h first about every request.
func (n *Node) Handle(h Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handler = h
}

// Greet reacts to new connections before they have said anything.
func (n *Node) Greet(r Reaction) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.greeting = &r
}

// UseTLS makes new connections speak TLS.
func (n *Node) UseTLS(conf *tls.Config) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tls = conf
}

// StopReading leaves what clients send in the connection's buffer, as a stopped process does, until Resume.
func (n *Node) StopReading() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reading = make(chan struct{})
}

// Resume undoes StopReading.
func (n *Node) Resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.reading)
}

// ReadEvery makes the node pause for gap before each read, of 16 KiB at most, as behind a slow link.
func (n *Node) ReadEvery(gap time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gap = gap
}

// CutAfter resets every connection once it has received so many bytes: none behind them are on the tape.
func (n *Node) CutAfter(bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cutAfter = bytes
}

// Push sends bytes to every open connection now.
func (n *Node) Push(bytes string) {
	for _, c := range n.open() {
		_, _ = io.WriteString(c, bytes)
	}
}

// Cut ends every open connection.
func (n *Node) Cut(end End) {
	for _, c := range n.open() {
		hangUp(c, end)
	}
}

// CutConn ends one connection, which may have ended already.
func (n *Node) CutConn(conn int, end End) {
	n.mu.Lock()
	c := n.conns[conn]
	n.mu.Unlock()
	hangUp(c, end)
}

// Tape returns the requests received so far, in the order of their arrival.
func (n *Node) Tape() []Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Request(nil), n.tape...)
}

// Bytes returns every byte received so far on a connection.
func (n *Node) Bytes(conn int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return string(n.conns[conn].bytes)
}

// Received returns every byte received so far, connection by connection.
func (n *Node) Received() (bytes []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		bytes = append(bytes, string(c.bytes))
	}
	return bytes
}

// Ended returns how the client ended a connection: io.EOF for a polite end, nil while it is open.
func (n *Node) Ended(conn int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.conns[conn].cause
}

// Open returns how many connections are open as far as the node has noticed.
func (n *Node) Open() int { return len(n.open()) }

func (n *Node) open() (open []*served) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		if !c.gone {
			open = append(open, c)
		}
	}
	return open
}

// Listen lets the node be reached over loopback TCP too, and returns where.
func (n *Node) Listen() (addr string, err error) {
	l, err := loopback.Listen("127.0.0.1:0")
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	n.listeners = append(n.listeners, l)
	n.mu.Unlock()
	n.work.Go(func() { // ends with Close
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.accept(conn)
		}
	})
	return l.Addr().String(), nil
}

// Close resets all connections, refuses new ones and waits until the node's goroutines have ended.
func (n *Node) Close() {
	n.mu.Lock()
	if !n.closed {
		n.closed = true
		close(n.stop)
	}
	for _, l := range n.listeners {
		_ = l.Close()
	}
	n.mu.Unlock()
	n.Cut(RST)
	n.work.Wait()
}

// accept serves a new connection, and reports whether the node takes any.
func (n *Node) accept(raw net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		hangUp(raw, RST)
		return false
	}
	c := &served{Conn: raw}
	if n.tls != nil {
		c.Conn = tls.Server(raw, n.tls)
	}
	number, greeting := len(n.conns), n.greeting
	n.conns = append(n.conns, c)
	n.work.Go(func() { // ends with the connection; Close ends it
		if greeting == nil || n.react(c, *greeting) {
			n.serve(c, number)
		}
		n.mu.Lock()
		c.gone = true
		n.mu.Unlock()
		_ = c.Close()
	})
	return true
}

func (n *Node) serve(c *served, number int) {
	var (
		scanner resp.Scanner
		pending []byte
		chunk   = make([]byte, 16<<10)
	)
	for {
		if !n.pause(n.beforeRead()) || !n.awaitReading() {
			return
		}
		size, err := c.Read(chunk)
		n.noteEnd(c, err)
		if size > 0 && !n.awaitReading() { // it may have been stopped meanwhile
			return
		}
		pending = append(pending, n.record(c, chunk[:size])...)
		for len(pending) > 0 {
			used, err := scanner.Scan(pending)
			if err != nil {
				return
			}
			if used == 0 {
				break
			}
			request := n.note(number, pending[:used])
			pending = pending[used:]
			if !n.react(c, n.reaction(request)) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (n *Node) noteEnd(c *served, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c.cause = err
}

func (n *Node) beforeRead() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gap
}

// awaitReading waits until the node may read, and reports whether it lives.
func (n *Node) awaitReading() bool {
	n.mu.Lock()
	reading := n.reading
	n.mu.Unlock()
	select {
	case <-reading:
		return true
	case <-n.stop:
		return false
	}
}

// record puts received bytes on the connection's tape and returns those that count.
func (n *Node) record(c *served, bytes []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cutAfter >= 0 && len(c.bytes)+len(bytes) >= n.cutAfter {
		bytes = bytes[:n.cutAfter-len(c.bytes)]
		hangUp(c, RST)
	}
	c.bytes = append(c.bytes, bytes...)
	return bytes
}

// note puts a request on the node's tape.
func (n *Node) note(conn int, frame []byte) Request {
	request := Request{Conn: conn, Args: []string{""}}
	if v, err := resp.Decode(frame); err == nil && len(v.Elems) > 0 {
		request.Args = request.Args[:0]
		for _, arg := range v.Elems {
			request.Args = append(request.Args, arg.Str)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tape = append(n.tape, request)
	return request
}

func (n *Node) reaction(r Request) Reaction {
	n.mu.Lock()
	handler := n.handler
	scripted := n.script[r.Name()]
	if len(scripted) > 1 {
		n.script[r.Name()] = scripted[1:]
	}
	n.mu.Unlock()
	if handler != nil {
		if reaction, ok := handler(r); ok {
			return reaction
		}
	}
	if len(scripted) > 0 {
		return scripted[0]
	}
	return Reaction{Send: n.net.answer(n, r)}
}

// react reports whether the connection goes on.
func (n *Node) react(c *served, r Reaction) bool {
	if r.After != nil {
		select {
		case <-r.After:
		case <-n.stop:
			return false
		}
	}
	if !n.pause(r.Delay) {
		return false
	}
	for rest := r.Send; rest != ""; {
		size := len(rest)
		if r.Piece > 0 {
			size = min(size, r.Piece)
		}
		if _, err := io.WriteString(c, rest[:size]); err != nil {
			return true // the client has gone, but what it had sent goes on the tape
		}
		rest = rest[size:]
		if rest != "" && !n.pause(r.Gap) {
			return false
		}
	}
	if r.End != Stay {
		hangUp(c, r.End)
	}
	return r.End == Stay
}

// pause waits, and reports whether the node is still there afterwards.
func (n *Node) pause(d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.stop:
		return false
	}
}

// hangUp closes a connection, below TLS if it is to be reset.
func hangUp(conn net.Conn, end End) {
	if c, ok := conn.(*served); ok {
		conn = c.Conn
	}
	if end == RST {
		if t, ok := conn.(*tls.Conn); ok {
			conn = t.NetConn()
		}
		if l, ok := conn.(interface{ SetLinger(sec int) error }); ok {
			_ = l.SetLinger(0)
		}
	}
	_ = conn.Close()
}
