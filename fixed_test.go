package keyslot_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// fixedCluster is a cluster whose nodes answer from fixed bytes and allocate nothing, so that what a test or a
// benchmark counts is the client's. Every key has a value of 64 bytes.
type fixedCluster struct {
	listeners []net.Listener
	slots     []byte // the reply to CLUSTER SLOTS
	work      sync.WaitGroup
	mute      atomic.Bool // nothing is answered

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

var fixedValue = resp.AppendBulk(nil, strings.Repeat("v", 64))

func startFixedCluster(t testing.TB, nodes int) *fixedCluster {
	t.Helper()
	c := &fixedCluster{slots: resp.AppendArray(nil, nodes)}
	for i := range nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c.listeners = append(c.listeners, l)
		const slots = 16384
		c.slots = fmt.Appendf(c.slots, "*3\r\n:%d\r\n:%d\r\n*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$3\r\nid%d\r\n",
			i*slots/nodes, (i+1)*slots/nodes-1, l.Addr().(*net.TCPAddr).Port, i)
		c.work.Go(func() { c.accept(l, i) })
	}
	t.Cleanup(c.close)
	return c
}

// startFixedShard starts a primary and a replica, which serve all slots.
func startFixedShard(t testing.TB) *fixedCluster {
	c := startFixedCluster(t, 2)
	c.slots = []byte("*1\r\n*4\r\n:0\r\n:16383\r\n")
	for i, l := range c.listeners {
		c.slots = fmt.Appendf(c.slots, "*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$3\r\nid%d\r\n", l.Addr().(*net.TCPAddr).Port, i)
	}
	return c
}

func (c *fixedCluster) addr() string { return c.listeners[0].Addr().String() }

func (c *fixedCluster) close() {
	for _, l := range c.listeners {
		_ = l.Close()
	}
	c.mu.Lock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.work.Wait()
}

func (c *fixedCluster) accept(l net.Listener, node int) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
		c.work.Go(func() { c.serve(conn, node) })
	}
}

func (c *fixedCluster) serve(conn net.Conn, node int) {
	var (
		scanner resp.Scanner
		in      = make([]byte, 0, 256<<10)
		out     []byte
	)
	for {
		if len(in) == cap(in) {
			in = slices.Grow(in, len(in))
		}
		n, err := conn.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in, out = in[:len(in)+n], out[:0]
		rest := in
		for {
			n, err := scanner.Scan(rest)
			if n == 0 || err != nil {
				break
			}
			out = c.answer(out, rest[:n], node)
			rest = rest[n:]
		}
		in = in[:copy(in, rest)]
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

func (c *fixedCluster) answer(out, request []byte, node int) []byte {
	args, _ := resp.Open(request)
	count := args.Left()
	name, _ := args.Next()
	name, _ = resp.Payload(name)
	if c.mute.Load() {
		return out
	}
	switch string(name) {
	case "GET":
		return append(out, fixedValue...)
	case "MGET":
		out = resp.AppendArray(out, count-1)
		for range count - 1 {
			out = append(out, fixedValue...)
		}
		return out
	case "PING": // of a fence
		nonce, _ := args.Next()
		return append(out, nonce...)
	case "ROLE":
		return append(out, fakenode.Connected...)
	case "HELLO":
		return append(out, fakenode.Hello...)
	case "CLUSTER":
		switch {
		case bytes.Contains(request, []byte("SLOTS")):
			return append(out, c.slots...)
		case bytes.Contains(request, []byte("INFO")):
			return append(out, "$43\r\ncluster_state:ok\r\ncluster_current_epoch:6\r\n\r\n"...)
		}
		return fmt.Appendf(out, "$3\r\nid%d\r\n", node)
	}
	return append(out, "+OK\r\n"...)
}

// hundred are the keys of a batch, spread over all slots.
var hundred = func() (keys []string) {
	for i := range 100 {
		keys = append(keys, fmt.Sprint("user:", i))
	}
	return keys
}()

// mixed runs a pipeline of 50 GETs and 50 SETs.
func mixed(ctx context.Context, client *keyslot.Client, value string) error {
	p := client.Pipeline()
	for i := 0; i < len(hundred); i += 2 {
		p.Get(hundred[i])
		p.Set(hundred[i+1], value)
	}
	return p.Exec(ctx)
}

const largeSize = 10_000

// largePipeline returns one of largeSize SETs.
func largePipeline(client *keyslot.Client) *keyslot.Pipeline {
	p := client.Pipeline()
	for i := range largeSize {
		p.Set(hundred[i%len(hundred)], "value")
	}
	return p
}
