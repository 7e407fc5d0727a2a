package servers_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/benchmarks/internal/servers"
)

func TestProxyDelaysRepliesAndKeepsTheirBytes(t *testing.T) {
	addrs, err := servers.ServeFake(1)
	require.NoError(t, err)
	detours, err := servers.ServeProxies(addrs)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", detours[0])
	require.NoError(t, err)
	defer conn.Close()
	replies := bufio.NewReader(conn)
	for range 3 {
		start := time.Now()
		_, err = io.WriteString(conn, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n")
		require.NoError(t, err)
		head, err := replies.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "$64\r\n", head)
		value, err := replies.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("v", 64)+"\r\n", value)
		require.GreaterOrEqual(t, time.Since(start), servers.Delay)
	}
}

func TestFakeNodesRefuseWhatIsNoCommand(t *testing.T) {
	for _, text := range []string{"GET a\r\n", "*-1\r\n", "*99999\r\n", "*1\r\n:1\r\n", "*1\r\n$9999999\r\n", "*1\r\n$3\r\nGE",
		"*x\r\n", "*1"} {
		_, err := servers.ReadCommand(bufio.NewReader(strings.NewReader(text)), nil)
		require.Error(t, err, "%q", text)
	}
	args, err := servers.ReadCommand(bufio.NewReader(strings.NewReader("*2\r\n$3\r\nGET\r\n$0\r\n\r\n")), nil)
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("GET"), {}}, args)
}
