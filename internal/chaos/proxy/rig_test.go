package proxy_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
)

// hello is how a client begins; the servers of these tests send back what they get.
const hello = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"

const (
	patience = 10 * time.Second
	// silence is how long nothing must come for a test to believe that nothing will.
	silence = 100 * time.Millisecond
)

// begin starts an echo server with a Front.
func begin(t *testing.T) *proxy.Front {
	t.Helper()
	front, err := proxy.Listen("127.0.0.1:0", echo(t, ""), proxy.Plain)
	require.NoError(t, err)
	t.Cleanup(front.Close)
	return front
}

// echo starts a server that sends back all that it gets, behind a greeting.
func echo(t *testing.T, greeting string) string {
	return serve(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, greeting)
		_, _ = io.Copy(conn, conn)
	})
}

// recording is a server that says what it got once a connection has ended, and how it ended.
func recording(t *testing.T) (addr string, got <-chan received) {
	all := make(chan received, 10)
	return serve(t, func(conn net.Conn) {
		b, err := io.ReadAll(conn)
		all <- received{string(b), err}
	}), all
}

type received struct {
	bytes string
	err   error // nil: FIN
}

func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() { // ends with the listener
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { // ends with the connection, which the test's Front closes
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); running.Wait() })
	return listener.Addr().String()
}

// peer is one end of a test's conversation.
type peer struct {
	*net.TCPConn
	t *testing.T
}

// dial connects to addr and sends first.
func dial(t *testing.T, addr, first string) peer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	p := peer{conn.(*net.TCPConn), t}
	p.send(first)
	return p
}

// greeted connects as a client and reads what comes back.
func greeted(t *testing.T, addr string) peer {
	t.Helper()
	p := dial(t, addr, hello)
	p.gets(hello)
	return p
}

func (p peer) send(text string) {
	p.t.Helper()
	_, err := io.WriteString(p, text)
	require.NoError(p.t, err)
}

// gets requires that text comes next.
func (p peer) gets(text string) {
	p.t.Helper()
	require.NoError(p.t, p.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, len(text))
	n, err := io.ReadFull(p, b)
	require.NoError(p.t, err, "after %q", b[:n])
	require.Equal(p.t, text, string(b))
}

// hearsNothing requires that nothing comes, and the connection stays.
func (p peer) hearsNothing() {
	p.t.Helper()
	require.NoError(p.t, p.SetReadDeadline(time.Now().Add(silence)))
	n, err := p.Read(make([]byte, 1))
	require.ErrorIs(p.t, err, os.ErrDeadlineExceeded)
	require.Zero(p.t, n)
}

// ends reads until the connection has ended, and returns what came and how it ended.
func (p peer) ends() (string, proxy.End) {
	p.t.Helper()
	require.NoError(p.t, p.SetReadDeadline(time.Now().Add(patience)))
	b, err := io.ReadAll(p)
	switch {
	case err == nil:
		return string(b), proxy.Finish
	case errors.Is(err, syscall.ECONNRESET):
		return string(b), proxy.Reset
	default:
		require.NoError(p.t, err)
		return "", proxy.None
	}
}

// reset closes the connection by RST.
func (p peer) reset() {
	p.t.Helper()
	require.NoError(p.t, p.SetLinger(0))
	require.NoError(p.t, p.Close())
}
