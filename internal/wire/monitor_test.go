package wire_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

const servePeer = "KEYSLOT_TEST_PEER"

// TestServePeer is no test but a process that answers. It says where it listens, and ends with its input.
func TestServePeer(t *testing.T) {
	if os.Getenv(servePeer) == "" {
		t.Skip("runs as a process of TestTheRuntimeIsAwakeWhereACommandIsUnderWay")
	}
	network := fakenode.New()
	defer network.Close()
	node := network.Node(nodeAddr)
	node.Handle(echo)
	addr, err := node.Listen()
	require.NoError(t, err)
	fmt.Println(addr)
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// A process that was idle has a runtime that sleeps for up to a minute, and does not take the only processor from a
// goroutine that computes. It would hold up this test in about half of its rounds.
func TestTheRuntimeIsAwakeWhereACommandIsUnderWay(t *testing.T) {
	peer := exec.Command(os.Args[0], "-test.run=^TestServePeer$")
	peer.Env = append(os.Environ(), servePeer+"=1")
	stdin, err := peer.StdinPipe()
	require.NoError(t, err)
	stdout, err := peer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, peer.Start())
	defer func() {
		_ = stdin.Close()
		_ = peer.Wait()
	}()
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)

	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 8 {
		conn := connect(t, wire.Options{Addr: strings.TrimSpace(addr), MaxInFlight: 64, PeerTimeout: time.Minute})
		mustEcho(t, conn, "before")
		time.Sleep(300 * time.Millisecond) // until the watchdog has had its last look
		var enough, tired atomic.Bool
		var computing sync.WaitGroup
		computing.Go(func() {
			for stop := time.Now().Add(20 * time.Second); !enough.Load() && !tired.Load(); {
				tired.Store(time.Now().After(stop))
			}
		})
		mustEcho(t, conn, "now")
		enough.Store(true)
		computing.Wait()
		require.False(t, tired.Load(), "nobody took the processor from the goroutine that computes")
	}
}
