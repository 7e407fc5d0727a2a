package fakenode_test

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

func dial(t *testing.T, n *fakenode.Net) net.Conn {
	conn, err := n.Dial(t.Context(), "tcp", "a:1")
	require.NoError(t, err)
	return conn
}

func TestPipeBuffersEndsByHalvesAndKeepsDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := fakenode.New()
		defer network.Close()
		node := network.Node("a:1")
		node.On("GET", fakenode.Reaction{Delay: time.Second, Send: "+half", Piece: 2, Gap: time.Second, End: fakenode.FIN})
		node.StopReading()
		conn := dial(t, network)

		begin := time.Now()
		require.NoError(t, conn.SetWriteDeadline(begin.Add(time.Minute)))
		request := "*2\r\n$3\r\nGET\r\n$200000\r\n" + strings.Repeat("x", 200_000) + "\r\n"
		sent, err := io.WriteString(conn, request)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
		require.Equal(t, 64<<10, sent, "a stopped reader leaves the buffer full")

		node.Resume()
		require.NoError(t, conn.SetDeadline(time.Time{}))
		_, err = io.WriteString(conn, request[sent:])
		require.NoError(t, err)
		begin = time.Now()
		reply, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, "+half", string(reply))
		require.Equal(t, 3*time.Second, time.Since(begin))
		require.Equal(t, request, node.Bytes(0))
		require.Len(t, node.Tape(), 1)

		_, err = io.WriteString(conn, "x")
		require.ErrorIs(t, err, syscall.EPIPE)
		require.NoError(t, conn.Close())
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// A node that waits for a request when it is stopped does not serve that one, either.
func TestAStoppedNodeServesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := fakenode.New()
		defer network.Close()
		node := network.Node("a:1")
		node.On("GET", fakenode.Reaction{Send: "+served"})
		conn := dial(t, network)
		synctest.Wait()
		node.StopReading()
		_, err := io.WriteString(conn, "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n")
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, node.Tape())
		node.Resume()
		synctest.Wait()
		require.Len(t, node.Tape(), 1)
	})
}

func TestEndsOfAConnectionAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := fakenode.New()
		defer network.Close()
		node := network.Node("a:1")
		polite, abrupt := dial(t, network), dial(t, network)
		synctest.Wait()
		require.Equal(t, 2, node.Open())
		require.NoError(t, polite.Close())
		require.NoError(t, abrupt.(interface{ SetLinger(sec int) error }).SetLinger(0))
		require.NoError(t, abrupt.Close())
		synctest.Wait()
		require.Equal(t, io.EOF, node.Ended(0))
		require.Equal(t, syscall.ECONNRESET, node.Ended(1))
		require.Zero(t, node.Open())

		cut := dial(t, network)
		synctest.Wait()
		node.Push("+bye\r\n")
		node.Cut(fakenode.RST)
		rest, err := io.ReadAll(cut)
		require.Equal(t, "+bye\r\n", string(rest))
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
}

func TestClosedNodesRefuseAndBlackHolesSwallow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := fakenode.New()
		network.Node("a:1").Close()
		network.BlackHole("b:1")
		for _, addr := range []string{"a:1", "unknown:1"} {
			_, err := network.Dial(t.Context(), "tcp", addr)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := network.Dial(ctx, "tcp", "b:1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

// The whole client runs on fake nodes, by Options.Dial, on a bubble's clock.
func TestClientFindsItsWayThroughAFakeCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := fakenode.New()
		defer network.Close()
		const first, second = "10.0.0.1:7000", "10.0.0.2:7000"
		network.Topology(1, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{first}},
			fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{second}})
		network.Node(first).On("GET", fakenode.Reaction{Send: "+first\r\n"})
		network.Node(second).On("GET", fakenode.Reaction{Send: "+second\r\n"})

		c, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{first}, Dial: network.Dial})
		require.NoError(t, err)
		defer c.Close()
		for key, want := range map[string]string{"bar": "first", "foo": "second"} { // slots 5061 and 12182
			got, err := c.Get(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}
