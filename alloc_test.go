// sync.Pool forgets at random under the race detector, so what is counted here would be its own.

//go:build !race

package keyslot_test

import (
	"bytes"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// fixedNode is a cluster of one node that answers from fixed bytes and allocates nothing, so that what a benchmark counts
// is the client's.
type fixedNode struct {
	listener net.Listener
	slots    []byte
	work     sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

func startFixedNode(t testing.TB) *fixedNode {
	t.Helper()
	l := &fixedNode{}
	var err error
	l.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.listener.Addr().(*net.TCPAddr).Port
	l.slots = fmt.Appendf(nil, "$2\r\nid\r\n$43\r\ncluster_state:ok\r\ncluster_current_epoch:6\r\n\r\n*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$2\r\nid\r\n", port)
	l.work.Go(func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.mu.Lock()
			l.conns = append(l.conns, conn)
			l.mu.Unlock()
			l.work.Go(func() { l.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.listener.Close()
		l.mu.Lock()
		for _, conn := range l.conns {
			_ = conn.Close()
		}
		l.mu.Unlock()
		l.work.Wait()
	})
	return l
}

// answers are by a part of the request that no other has. Requests arrive whole and one at a time.
var answers = []struct{ part, reply []byte }{
	{[]byte("\r\nGET\r\n"), []byte("$5\r\nvalue\r\n")},
	{[]byte("\r\nSET\r\n"), []byte("+OK\r\n")},
	{[]byte("\r\nHELLO\r\n"), []byte(fakenode.Hello)},
}

var introduction = []byte("SETINFO")

func (l *fixedNode) serve(conn net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		request := buf[:n]
		for range bytes.Count(request, introduction) {
			_, _ = conn.Write(answers[1].reply)
		}
		if bytes.Contains(request, []byte("SLOTS")) {
			_, _ = conn.Write(l.slots)
			continue
		}
		for _, a := range answers {
			if bytes.Contains(request, a.part) {
				_, _ = conn.Write(a.reply)
				break
			}
		}
	}
}

func TestAllocationsOfACommand(t *testing.T) {
	l := startFixedNode(t)
	client := connect(t, keyslot.Options{Endpoints: []string{l.listener.Addr().String()}, RefreshAfter: -1})
	ctx := t.Context()
	buffer, bytes := make([]byte, 0, 64), []byte("value")
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	for _, row := range []struct {
		name  string
		count float64
		run   func() error
	}{
		{"GET", 1, func() error { _, err := client.Get(ctx, "key"); return err }},
		{"SET", 0, func() error { return client.Set(ctx, "key", "value") }},
		{"GET into the caller's buffer", 0, func() error { _, err := client.GetAppend(ctx, buffer, "key"); return err }},
		{"GET as bytes", 1, func() error { _, err := client.GetBytes(ctx, "key"); return err }},
		{"SET of bytes", 0, func() error { return client.SetBytes(ctx, "key", bytes) }},
		{"Do GET", 1, func() error { _, err := client.Do(ctx, "GET", "key"); return err }},
	} {
		require.NoError(t, row.run())
		got := testing.AllocsPerRun(500, func() {
			if err := row.run(); err != nil {
				t.Error(err)
			}
		})
		require.Equal(t, row.count, got, row.name)
	}
}
