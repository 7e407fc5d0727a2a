package wire_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// stream dials, and closes the stream at the end of the test.
func stream(t *testing.T, opts wire.Options) *wire.Stream {
	s, err := wire.DialStream(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(s.Abandon)
	return s
}

func TestAStreamReturnsWhateverComesFrameByFrame(t *testing.T) {
	large := bulk(1 << 20)
	for _, piece := range []int{1, 7, 4096, 1 << 20} {
		node, opts := newNode(t)
		reply := ">2\r\n+a\r\n:1\r\n+OK\r\n" + bulk(5000) + "-ERR no\r\n"
		if piece > 7 {
			reply += large + large
		}
		node.On("SUBSCRIBE", fakenode.Reaction{Send: reply + "*0\r\n", Piece: piece, End: fakenode.FIN})
		s := stream(t, opts)
		require.NoError(t, s.Write(request("SUBSCRIBE", "a")))
		var frames []string
		for {
			frame, err := s.Next()
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
			frames = append(frames, string(frame))
		}
		require.Equal(t, reply+"*0\r\n", strings.Join(frames, ""), "pieces of %d", piece)
		require.Equal(t, ">2\r\n+a\r\n:1\r\n", frames[0])
		require.EqualValues(t, len(reply)+4, s.Received())
	}
}

func TestAStreamEndsWithTheReason(t *testing.T) {
	node, opts := newNode(t)
	node.On("HALF", fakenode.Reaction{Send: "+O", End: fakenode.FIN})
	node.On("DEEP", fakenode.Reaction{Send: strings.Repeat("*1\r\n", 10) + "+a\r\n"})
	for command, check := range map[string]func(error) bool{
		"HALF": func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
		"DEEP": func(err error) bool { return errors.As(err, new(*resp.ProtocolError)) },
	} {
		s := stream(t, opts)
		require.NoError(t, s.Write(request(command)))
		_, err := s.Next()
		require.True(t, check(err), "%s: %v", command, err)
	}
	opts.Addr = "nowhere:1"
	_, err := wire.DialStream(t.Context(), opts)
	require.ErrorAs(t, err, new(*wire.DialError))
}

func TestAStreamWaitsForAPeerThatTakesNothingForPeerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		s := stream(t, opts)
		node.StopReading()
		defer node.Resume()
		began := time.Now()
		require.ErrorIs(t, s.Write(request("ECHO", strings.Repeat("v", 4<<20))), os.ErrDeadlineExceeded)
		require.Equal(t, opts.PeerTimeout, time.Since(began))
	})
}

func TestAbandoningAStreamEndsItsReadAndItsWrite(t *testing.T) {
	node, opts := newNode(t)
	addr, err := node.Listen()
	require.NoError(t, err)
	ca := newAuthority(t)
	node.UseTLS(ca.server(t, "127.0.0.1"))
	opts.Addr, opts.Dial, opts.TLS = addr, nil, ca.client()
	s := stream(t, opts)
	node.StopReading()
	defer node.Resume()
	ended := make(chan error, 2)
	go func() { _, err := s.Next(); ended <- err }()
	go func() {
		err := error(nil)
		for err == nil {
			err = s.Write(request("ECHO", strings.Repeat("v", 1<<20)))
		}
		ended <- err
	}()
	s.Abandon()
	require.Error(t, <-ended)
	require.Error(t, <-ended)
}
