package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fronts stand before the nodes of a cluster: what the function dials, and how it ends its connections, is seen here.
type fronts struct {
	running sync.WaitGroup

	mu sync.Mutex
	// guarded by mu
	dials   int
	ended   int // of these
	resets  int // of these, by the function
	closers []io.Closer
	mute    int // connections up to this one pass nothing any more
}

// before listens for a node; it has the form of realcluster.Front.
func (f *fronts) before(_ int, server string) (addr string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	f.closers = append(f.closers, listener)
	f.mu.Unlock()
	f.running.Go(func() { // ends with the listener; stop waits for it
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			f.adopt(client, server)
		}
	})
	return listener.Addr().String(), nil
}

func (f *fronts) adopt(client net.Conn, server string) {
	node, err := net.Dial("tcp", server)
	if err != nil {
		client.Close()
		return
	}
	f.mu.Lock()
	f.dials++
	number := f.dials
	f.closers = append(f.closers, client, node)
	f.mu.Unlock()
	// Both end with their connections; stop waits for them.
	f.running.Go(func() {
		err := f.pass(number, node, client)
		f.mu.Lock()
		f.ended++
		if errors.Is(err, syscall.ECONNRESET) {
			f.resets++
		}
		f.mu.Unlock()
		node.Close()
	})
	f.running.Go(func() {
		_ = f.pass(number, client, node)
		client.Close()
	})
}

// pass copies until from ends, and returns how it did.
func (f *fronts) pass(number int, to, from net.Conn) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		f.mu.Lock()
		mute := number <= f.mute
		f.mu.Unlock()
		if n > 0 && !mute {
			_, _ = to.Write(buf[:n]) // if it has ended, the other direction sees it
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// forget lets nothing pass on the connections there are, and says nothing of it: as a NAT that has dropped its state.
func (f *fronts) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mute = f.dials
}

func (f *fronts) count() (dials, ended, resets int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials, f.ended, f.resets
}

// waitForEnds waits until all connections have ended, and returns how many of them by a reset.
func (f *fronts) waitForEnds(t *testing.T) (resets int) {
	t.Helper()
	require.Eventually(t, func() bool {
		dials, ended, reset := f.count()
		resets = reset
		return ended == dials
	}, 5*time.Second, time.Millisecond)
	return resets
}

func (f *fronts) stop() {
	f.mu.Lock()
	for _, c := range f.closers {
		c.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// A front that cannot tell a reset from an orderly end would let every test about it pass.
func TestFrontsTellAResetFromAnOrderlyEnd(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer echo.Close()
	go func() { // ends with the listener
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); conn.Close() }() // ends with the connection
		}
	}()
	f := &fronts{}
	defer f.stop()
	addr, err := f.before(0, echo.Addr().String())
	require.NoError(t, err)
	for i, linger := range []int{-1, 0} {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		_, err = conn.Write([]byte("x"))
		require.NoError(t, err)
		_, err = io.ReadFull(conn, make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).SetLinger(linger))
		require.NoError(t, conn.Close())
		require.Equal(t, i, f.waitForEnds(t), "the second one by a reset")
	}
}
