package wire_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

const nodeAddr = "node:6379"

// newNode returns a scripted node and the options that dial it, both for the length of the test.
func newNode(t *testing.T) (*fakenode.Node, wire.Options) {
	network := fakenode.New()
	t.Cleanup(network.Close)
	node := network.Node(nodeAddr)
	return node, wire.Options{Addr: nodeAddr, Dial: network.Dial, MaxInFlight: 64, PeerTimeout: 10 * time.Second}
}

// connect dials, and closes the connection at the end of the test.
func connect(t *testing.T, opts wire.Options) *wire.Conn {
	conn, err := wire.Dial(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

func request(args ...string) []byte {
	b := resp.AppendArray(nil, len(args))
	for _, arg := range args {
		b = resp.AppendBulk(b, arg)
	}
	return b
}

// get returns n calls, GET 0, GET 1 ...
func get(n int) []*wire.Call {
	calls := make([]*wire.Call, n)
	for i := range calls {
		calls[i] = &wire.Call{Request: request("GET", strconv.Itoa(i))}
	}
	return calls
}

// set returns a call that is size bytes long, and a few more.
func set(size int) *wire.Call {
	return &wire.Call{Request: request("SET", "k", strings.Repeat("x", size))}
}

// sending is calls on their way.
type sending struct {
	waiter wire.Waiter
	calls  []*wire.Call
}

// send sends calls, which must be admitted.
func send(t *testing.T, ctx context.Context, conn *wire.Conn, calls ...*wire.Call) *sending {
	s := &sending{calls: calls}
	s.waiter.Expect(len(calls))
	require.NoError(t, conn.Send(ctx, &s.waiter, calls))
	return s
}

// offer offers calls and writes them; nil: they were not taken.
func offer(conn *wire.Conn, calls ...*wire.Call) *sending {
	s := &sending{calls: calls}
	s.waiter.Expect(len(calls))
	if !conn.Offer(&s.waiter, calls) {
		return nil
	}
	s.waiter.Flush()
	return s
}

func (s *sending) wait(ctx context.Context) []*wire.Call {
	s.waiter.Wait(ctx, s.calls)
	return s.calls
}

// replies are what the calls were answered, or their errors.
func replies(calls []*wire.Call) (texts []string) {
	for _, call := range calls {
		if call.Err != nil {
			texts = append(texts, "error: "+call.Err.Error())
			continue
		}
		texts = append(texts, string(call.Reply))
	}
	return texts
}

// try sends one command and returns its reply or its error.
func try(ctx context.Context, conn *wire.Conn, args ...string) (string, error) {
	call := &wire.Call{Request: request(args...)}
	var w wire.Waiter
	w.Expect(1)
	if err := conn.Send(ctx, &w, []*wire.Call{call}); err != nil {
		return "", err
	}
	w.Wait(ctx, []*wire.Call{call})
	return string(call.Reply), call.Err
}

// commands are the requests on the node's tape that are not of the handshake, PING without its nonce.
func commands(node *fakenode.Node) (names []string) {
	for _, r := range node.Tape() {
		switch r.Name() {
		case "HELLO":
		case "PING":
			names = append(names, "PING")
		default:
			names = append(names, strings.Join(r.Args, " "))
		}
	}
	return names
}

// echo lets the node answer GET with its key.
func echo(r fakenode.Request) (fakenode.Reaction, bool) {
	if r.Name() != "GET" {
		return fakenode.Reaction{}, false
	}
	return fakenode.Reaction{Send: "+" + r.Args[1] + "\r\n"}, true
}

// looker is what a connection in memory can do and a socket can.
type looker interface {
	ReadElse(b []byte, empty func() (again bool)) (int, error)
	Peek() (unread, ended bool)
	SendBuffer() int
}

// inner is the connection in memory that another one is around.
type inner struct {
	net.Conn
	looker
}

// within makes outer, which holds it, the connection that is dialled.
func (i *inner) within(outer net.Conn, opts *wire.Options) {
	dial := opts.Dial
	opts.Dial = func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		i.Conn, err = dial(ctx, network, addr)
		i.looker = i.Conn.(looker)
		return outer, err
	}
}

// watched is a connection in memory that tells what is done with it. The functions are set while nobody uses it.
type watched struct {
	inner
	onWrite, onRead func()       // called first, unless nil
	found           atomic.Int64 // reads that got something without waiting, by looking again
}

// dialled makes connections watched.
func (w *watched) dialled(opts *wire.Options) { w.within(w, opts) }

func (w *watched) Write(b []byte) (int, error) {
	if w.onWrite != nil {
		w.onWrite()
	}
	return w.Conn.Write(b)
}

func (w *watched) ReadElse(b []byte, empty func() (again bool)) (int, error) {
	if w.onRead != nil {
		w.onRead()
	}
	if empty == nil { // the handshake's
		return w.looker.ReadElse(b, nil)
	}
	looks := false
	n, err := w.looker.ReadElse(b, func() bool { looks = empty(); return looks })
	if looks && n > 0 {
		w.found.Add(1)
	}
	return n, err
}
