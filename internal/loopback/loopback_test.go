package loopback_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/loopback"
)

func TestPortZeroIsOneThatTheKernelGivesToNobody(t *testing.T) {
	for range 20 {
		l, err := loopback.Listen("127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		require.True(t, 10000 <= port && port < 32768, port)
	}
}

func TestListenFails(t *testing.T) {
	l, err := loopback.Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for addr, says := range map[string]string{
		l.Addr().String(): "address already in use",
		"192.0.2.1:0":     "cannot assign requested address", // RFC 5737: nobody's
		"127.0.0.1":       "missing port",
	} {
		_, err := loopback.Listen(addr)
		require.ErrorContains(t, err, says)
	}
}

func TestAcceptEndsWithClose(t *testing.T) {
	for range 100 {
		l, err := loopback.Listen("127.0.0.1:0")
		require.NoError(t, err)
		ended := make(chan error)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed)
		require.ErrorIs(t, l.Close(), net.ErrClosed)
	}
}

// A child has a copy of the listening socket from the fork until it executes its program.
func TestDialsAreRefusedWhateverChildrenHold(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere a socket listens until the last copy is closed")
	}
	var forks sync.WaitGroup
	var done atomic.Bool
	defer forks.Wait()
	defer done.Store(true)
	program := filepath.Join(t.TempDir(), "none") // the fork comes first, then the child finds nothing to execute
	for range 4 {
		forks.Go(func() { // ends with the test
			for !done.Load() {
				_ = exec.Command(program).Run()
			}
		})
	}
	l, err := loopback.Listen("127.0.0.1:0")
	require.NoError(t, err)
	for range 500 {
		require.NoError(t, l.Close())
		_, err = net.Dial("tcp", l.Addr().String())
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		l, err = loopback.Listen(l.Addr().String())
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
}
