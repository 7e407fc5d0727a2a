//go:build unix

package wire

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tcpPair returns the two ends of a connection, the first as a Conn uses it.
func tcpPair(t *testing.T) (*socket, *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	raw, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	peer, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = raw.Close()
		_ = peer.Close()
	})
	s := newSocket(raw)
	require.NotNil(t, s)
	return s, peer.(*net.TCPConn)
}

func TestASocketWaitsForTheRestOfWhatTheKernelDoesNotTakeAtOnce(t *testing.T) {
	s, peer := tcpPair(t)
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20)
	got := make(chan []byte)
	go func() { // ends with the connection
		all, _ := io.ReadAll(peer)
		got <- all
	}()
	n, err := s.Write(sent)
	require.NoError(t, err)
	require.Len(t, sent, n)
	n, err = s.Write(nil)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, s.Close())
	require.True(t, bytes.Equal(sent, <-got))
}

func TestASocketSaysHowMuchItsPeerHadRoomFor(t *testing.T) {
	s, peer := tcpPair(t)
	sent := make([]byte, 64<<20)
	require.NoError(t, s.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	n, err := s.Write(sent)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Less(t, n, len(sent))
	more, err := s.Write(sent[:1])
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "it has passed")
	require.Zero(t, more)
	require.NoError(t, s.Close())
	got, err := io.Copy(io.Discard, peer)
	require.NoError(t, err)
	require.EqualValues(t, n, got)
}

func TestASocketSaysWhyItIsOfNoUse(t *testing.T) {
	s, peer := tcpPair(t)
	require.NoError(t, peer.SetLinger(0))
	require.NoError(t, peer.Close()) // with a reset
	require.Eventually(t, func() bool { _, ended := s.source.Peek(); return ended }, time.Minute, time.Millisecond)
	_, err := s.Write([]byte("lost"))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.NoError(t, s.Close())
	_, err = s.Write([]byte("late"))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = s.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)

	s, peer = tcpPair(t)
	require.NoError(t, peer.SetLinger(0))
	require.NoError(t, peer.Close())
	_, err = s.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}
