package keyslottest

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	readSize  = 16 << 10
	flushSize = 64 << 10 // replies of a pipeline are written together up to about this size
	// aheadSize is how much a client may send behind a blocking command before the node stops reading, as its query
	// buffer would be full.
	aheadSize = 1 << 20
)

// conn is one connection of a client to a node. Its goroutine runs serve.
type conn struct {
	// immutable
	node    *node
	cluster *Cluster
	id      int64
	tcp     net.Conn
	nc      net.Conn // tcp, or TLS over it; set before serve starts
	gone    chan struct{}
	kill    func() // drops the connection at once; safe to call from anywhere, more than once

	// owned by serve
	parser  requestParser
	in      []byte
	read    int // how much of in is parsed
	out     replies
	closing bool // close once the replies are written
	pushing bool // push writes, and serve leaves to it what it has answered
	held    bool // by a fault, which may cut the reply
	session

	// guarded by Cluster.mu
	subscribed subscriptions
	outbox     outbox
}

// session is what the server remembers of a client. It is owned by serve.
type session struct {
	authed   bool
	readonly bool
	asking   bool
	name     string
	lib      [2]string // name and version, as set by CLIENT SETINFO
	tx       *transaction
	watch    *watch  // what is in it is guarded by Cluster.mu
	blocked  *waiter // set by a command that has to wait
}

func newConn(n *node, tcp net.Conn, id int64) *conn {
	cn := &conn{node: n, cluster: n.cluster, id: id, tcp: tcp, nc: tcp, gone: make(chan struct{})}
	cn.authed = n.cluster.opts.Password == ""
	cn.kill = sync.OnceFunc(func() {
		close(cn.gone)
		tcp.Close() // not the TLS conn above it, whose goodbye could block
	})
	return cn
}

func (cn *conn) serve() {
	defer cn.end()
	for !cn.closing {
		args, err := cn.next()
		if bad := protocolError(""); errors.As(err, &bad) {
			cn.out.error("ERR " + bad.Error())
			break
		}
		if err != nil {
			return // the client is gone, or the node is
		}
		if !cn.step(args) {
			return
		}
		if len(cn.out.buf) > flushSize && cn.flush() != nil {
			return
		}
	}
	if cn.drain() == nil && cn.node.cluster.opts.TLS != nil {
		_ = cn.nc.SetWriteDeadline(time.Now().Add(time.Second))
		_ = cn.nc.(*tls.Conn).CloseWrite()
	}
}

func (cn *conn) end() {
	cn.kill()
	cn.cluster.mu.Lock()
	delete(cn.node.conns, cn)
	cn.endWatch()
	cn.leaveAll()
	cn.cluster.mu.Unlock()
}

// next returns the next request. Before it waits for one, it writes what has been answered.
func (cn *conn) next() ([]string, error) {
	for {
		args, taken, err := cn.parser.next(cn.in[cn.read:], cn.authed)
		cn.read += taken
		switch {
		case err != nil:
			return nil, err
		case len(args) > 0:
			return args, nil
		case taken > 0:
			continue
		}
		if err := cn.flush(); err != nil {
			return nil, err
		}
		if err := cn.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads once. The buffer grows only as bytes arrive: it doubles when it is full.
func (cn *conn) fill() error {
	if cn.read > 0 {
		cn.in = cn.in[:copy(cn.in, cn.in[cn.read:])]
		cn.read = 0
	}
	if len(cn.in) == 0 && cap(cn.in) > aheadSize {
		cn.in = nil // do not keep a big request's memory for ever
	}
	if cap(cn.in)-len(cn.in) < readSize/2 {
		grown := make([]byte, len(cn.in), 2*cap(cn.in)+readSize)
		copy(grown, cn.in)
		cn.in = grown
	}
	n, err := cn.nc.Read(cn.in[len(cn.in):cap(cn.in)])
	cn.in = cn.in[:len(cn.in)+n]
	if n > 0 {
		return nil
	}
	return err
}

func (cn *conn) flush() error {
	if len(cn.out.buf) == 0 {
		return nil
	}
	if cn.pushing {
		cn.cluster.mu.Lock()
		defer cn.cluster.mu.Unlock()
		cn.postReplies()
		return nil
	}
	_, err := cn.nc.Write(cn.out.buf)
	if cap(cn.out.buf) > aheadSize {
		cn.out.buf = nil
	}
	cn.out.buf = cn.out.buf[:0]
	return err
}

// step answers one request, subject to the faults injected into the node. It returns false when the connection is to be
// dropped without another byte.
func (cn *conn) step(args []string) bool {
	if cn.node.faulty.Load() {
		return cn.faultyStep(args)
	}
	return cn.answer(args)
}

// answer runs one request and waits as long as it blocks.
func (cn *conn) answer(args []string) bool {
	w, ok := cn.locked(args)
	return ok && (w == nil || cn.wait(w))
}

// locked runs one request under mu. Once the node has been stopped it runs none, even if it had been received: a test
// that stopped a node may rely on that.
func (cn *conn) locked(args []string) (w *waiter, ok bool) {
	cn.cluster.mu.Lock()
	defer cn.cluster.mu.Unlock()
	select {
	case <-cn.gone:
		return nil, false
	default:
	}
	cn.process(args)
	if cn.pushing && !cn.held {
		cn.postReplies()
	}
	w, cn.blocked = cn.blocked, nil
	return w, true
}

// pause waits for d, and returns false if the connection ends meanwhile.
func (cn *conn) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-cn.gone:
		return false
	}
}

// reset ends the connection with an RST, so that the client sees an error and not an orderly end.
func (cn *conn) reset() {
	if tcp, ok := cn.tcp.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	cn.kill()
}

// readAhead keeps reading while a command blocks: only so can a client that went away be noticed. It closes ended when
// the client is gone; stop ends it and keeps what was read for later.
func (cn *conn) readAhead() (ended <-chan struct{}, stop func()) {
	lost, done := make(chan struct{}), make(chan struct{})
	var ahead []byte
	go func() { // ends by stop, or with the connection
		defer close(done)
		buf := make([]byte, readSize)
		for len(ahead) < aheadSize {
			n, err := cn.nc.Read(buf)
			ahead = append(ahead, buf[:n]...)
			if netErr := net.Error(nil); errors.As(err, &netErr) && netErr.Timeout() {
				return
			}
			if err != nil {
				close(lost)
				return
			}
		}
	}()
	return lost, func() {
		_ = cn.nc.SetReadDeadline(time.Unix(1, 0))
		<-done
		_ = cn.nc.SetReadDeadline(time.Time{})
		cn.in = append(cn.in, ahead...)
	}
}
