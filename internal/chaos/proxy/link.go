package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one accepted connection with the one to the server that belongs to it.
type link struct {
	// immutable
	front  *Front
	client *net.TCPConn
	done   chan struct{} // closed when the link is ended from here, by fault or by order

	who atomic.Uint32 // Peer

	// guarded by mu
	mu     sync.Mutex
	server *net.TCPConn // nil until it is dialled
	ended  bool
}

// way is one direction of a link. It belongs to the goroutine that passes it.
type way struct {
	link     *link
	dir      Direction
	from, to *net.TCPConn
	passed   *atomic.Int64

	setting uint64 // the fault that left belongs to
	left    int64  // how many bytes may pass until the cut
}

func (l *link) peer() Peer { return Peer(l.who.Load()) }

// run passes everything on until both directions have ended.
func (l *link) run() {
	defer l.close()
	first, ok := l.introduce()
	if !ok {
		return
	}
	server, err := l.dial()
	if err != nil {
		// A server that is not there resets what its kernel had accepted.
		l.end(Reset)
		return
	}
	var answers sync.WaitGroup
	// Ends with the server's side of the link; run waits for it.
	answers.Go(func() {
		(&way{link: l, dir: Replies, from: server, to: l.client, passed: &l.front.replies}).passReplies()
	})
	(&way{link: l, dir: Requests, from: l.client, to: server, passed: &l.front.requests}).passRequests(first)
	answers.Wait()
}

// maxFirst bounds what is read to tell who has connected. A ClientHello is 2 KiB at most with what Go sends.
const maxFirst = 16 << 10

// introduce finds out who has connected, and returns what that took. It returns false where there is nothing to serve.
func (l *link) introduce() (first []byte, ok bool) {
	first = make([]byte, 0, maxFirst)
	peer := Unknown
	for peer == Unknown {
		if len(first) == maxFirst {
			peer = Other
			break
		}
		n, err := l.client.Read(first[len(first):maxFirst])
		first = first[:len(first)+n]
		if err != nil {
			return nil, false
		}
		peer = l.front.classify(first)
	}
	l.who.Store(uint32(peer))
	if peer != Client {
		return first, true
	}
	if l.front.dialled().Silent {
		l.discard()
		return nil, false
	}
	return first, l.gate(Requests)
}

// dialled counts one more dial of a client, and returns the fault that it meets.
func (f *Front) dialled() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials++
	return f.fault
}

// dial connects to the server of the moment.
func (l *link) dial() (*net.TCPConn, error) {
	l.front.mu.Lock()
	addr := l.front.server
	l.front.mu.Unlock()
	conn, err := (&net.Dialer{}).DialContext(l.front.ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	server := conn.(*net.TCPConn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		_ = server.Close()
		return nil, net.ErrClosed
	}
	l.server = server
	return server, nil
}

// end ends the link as the client is to see it. It does nothing, and returns false, where it was ended before.
func (l *link) end(how End) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.ended = true
	close(l.done)
	if how == Finish {
		// What the client still sends is discarded, as closing with bytes unread would be a reset.
		_ = l.client.CloseWrite()
	} else {
		reset(l.client)
	}
	if l.server != nil {
		reset(l.server)
	}
	return true
}

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// close gives the sockets back, and ends whoever still reads from them.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// discard reads what the client sends until it has ended.
func (l *link) discard() { _, _ = io.Copy(io.Discard, l.client) }

// passRequests delivers to the server what has come from the client, first and then the rest.
func (w *way) passRequests(first []byte) {
	delivered := w.deliver(first)
	if delivered {
		delivered = w.pass()
	}
	if !delivered {
		// The server is gone, or the link is ended: what is still on its way to the client tells it, and comes first.
		w.link.discard()
	}
}

// passReplies delivers to the client what comes from the server, until one of them ends.
func (w *way) passReplies() {
	if !w.pass() {
		w.link.end(Reset) // the client is gone, and the server must hear of it
	}
}

// pass delivers until from ends, whose end it passes on too. It returns false where it could not deliver.
func (w *way) pass() bool {
	piece := make([]byte, 32<<10)
	for {
		n, err := w.from.Read(piece)
		if n > 0 && !w.deliver(piece[:n]) {
			return false
		}
		if err == nil {
			continue
		}
		if !w.link.gate(w.dir) {
			return false
		}
		if errors.Is(err, io.EOF) {
			_ = w.to.CloseWrite()
			return true
		}
		w.link.end(Reset)
		return false
	}
}

// deliver writes b as the fault of the moment lets it. It returns false where that cannot be done, or the link is ended.
func (w *way) deliver(b []byte) bool {
	arrived := time.Now()
	for len(b) > 0 {
		if !w.link.gate(w.dir) {
			return false
		}
		fault, setting, changed := w.link.fault()
		if fault.Hold&w.dir != 0 {
			continue
		}
		piece := b
		if w.dir == Replies {
			late := time.Until(arrived.Add(fault.Latency))
			if late > 0 && w.link.wait(changed, late) != elapsed {
				continue
			}
			if fault.Trickle > 0 {
				piece = b[:min(len(b), fault.Trickle)]
				if w.link.wait(changed, time.Millisecond) != elapsed {
					continue
				}
			}
		}
		piece, cut := w.cut(piece, fault.Cut, setting)
		n, err := w.to.Write(piece)
		w.count(n)
		if err != nil {
			return false
		}
		if cut {
			w.link.end(fault.Cut.How)
			return false
		}
		b = b[n:]
	}
	return true
}

// cut shortens piece to what may still pass, and reports whether the connection ends behind it.
func (w *way) cut(piece []byte, cut Cut, setting uint64) ([]byte, bool) {
	of := cut.Of
	if of == 0 {
		of = Replies
	}
	if cut.How == None || of&w.dir == 0 {
		return piece, false
	}
	if w.setting != setting {
		w.setting, w.left = setting, w.link.front.draw(cut)
	}
	piece = piece[:min(int64(len(piece)), w.left)]
	w.left -= int64(len(piece))
	return piece, w.left == 0
}

func (w *way) count(n int) {
	if w.link.peer() == Client {
		w.passed.Add(int64(n))
	}
}

// fault returns what is in effect for this link.
func (l *link) fault() (fault Fault, setting uint64, changed <-chan struct{}) {
	fault, setting, changed = l.front.now()
	if l.peer() != Client {
		fault = Fault{}
	}
	return fault, setting, changed
}

// gate waits while dir is held. It returns false where the link has ended meanwhile.
func (l *link) gate(dir Direction) bool {
	held := false
	for {
		fault, _, changed := l.fault()
		if fault.Hold&dir == 0 {
			break
		}
		held = true
		if l.wait(changed, forever) == over {
			return false
		}
	}
	if held && dir == Requests && wasReset(l.client) {
		// Its network would have lost these bytes, and never sends them again.
		l.end(Reset)
		return false
	}
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

// What a wait ended with.
type waited uint8

const (
	elapsed   waited = iota
	otherwise        // another fault was set
	over             // the link has ended
)

const forever time.Duration = -1

// wait blocks for d, or until something else happens.
func (l *link) wait(changed <-chan struct{}, d time.Duration) waited {
	var after <-chan time.Time
	if d != forever {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-after:
		return elapsed
	case <-changed:
		return otherwise
	case <-l.done:
		return over
	}
}
