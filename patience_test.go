package keyslot_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Whose patience has ended: a timeout on the way to a node is not the caller's, and ends no call.

func TestARoleThatIsToldTooLateEndsNoRead(t *testing.T) {
	late := fakenode.Reaction{Delay: 10 * time.Second, Send: fakenode.Connected}
	set := func(f *flock) { f.node[replica1].On("ROLE", late, late, fakenode.Reaction{Send: fakenode.Connected}) }
	readStory(t, keyslot.Options{ReadFrom: keyslot.Replica}, three[:2], set, func(t *testing.T, f *flock) {
		who, err := f.client.Timeout(time.Hour).Get(context.Background(), "key")
		require.NoError(t, err)
		require.Equal(t, replica1, who)
		require.Less(t, time.Since(f.began), 6*time.Second, "two dials of 2 s, and their pauses")
	})
}

// The pace of dials is the node's, and so is the reason of the last failure.
func TestARoleThatWasToldTooLateEndsNoWriteOnceTheReplicaIsPromoted(t *testing.T) {
	set := func(f *flock) {
		f.node[replica1].On("ROLE", fakenode.Reaction{Delay: 10 * time.Second, Send: fakenode.Connected})
		f.node[replica1].On("SET", ok)
	}
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], set, func(t *testing.T, f *flock) {
		require.Equal(t, primary, f.get(t))
		time.Sleep(2*time.Second + time.Microsecond) // the dial has just failed
		f.net.Topology(2, oneShard(replica1, primary))
		f.node[primary].On("SET", says("-MOVED 12539 %s", replica1))
		f.began = time.Now()
		require.NoError(t, f.client.Timeout(time.Hour).Set(context.Background(), "key", "v"))
		require.LessOrEqual(t, time.Since(f.began), 550*time.Millisecond, "the first pause of the node, and the longest of a call")
	})
}

func TestARoleThatIsToldTooLateByAGroupsPrimaryEndsNoWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{net: fakenode.New()}
		defer s.net.Close()
		node, role := s.net.Node(lower), says("*3\r\n$6\r\nmaster\r\n:7\r\n*0")
		node.On("HELLO", says("-ERR unknown command 'HELLO'")) // which would tell the role
		node.On("CLUSTER SLOTS", says("-ERR This instance has cluster support disabled"))
		node.On("ROLE", role)
		node.On("SET", ok)
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: s.dial})
		require.NoError(t, err)
		defer client.Close()
		node.On("ROLE", fakenode.Reaction{Delay: 3 * time.Second, Send: role.Send}, role)
		node.Cut(fakenode.RST)
		synctest.Wait()
		began := time.Now()
		require.NoError(t, client.Timeout(time.Hour).Set(t.Context(), "key", "v"))
		require.LessOrEqual(t, time.Since(began), 2550*time.Millisecond, "a dial of 2 s, and the same pauses")
	})
}

// moody is a connection of Options.Dial that ends with an error of its own, which may be a context's.
type moody struct {
	net.Conn
	end *atomic.Pointer[error]
}

func (c moody) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if own := c.end.Load(); err != nil && own != nil {
		err = *own
	}
	return n, err
}

func (c moody) Write(b []byte) (int, error) {
	if own := c.end.Load(); own != nil && strings.Contains(string(b), "APPEND") {
		_ = c.Close()
		return 0, *own
	}
	return c.Conn.Write(b)
}

func TestAConnectionThatEndsWithAContextsErrorEndsNoCall(t *testing.T) {
	for _, own := range []error{context.Canceled, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			network := fakenode.New()
			defer network.Close()
			network.Topology(1, oneShard(lower))
			node := network.Node(lower)
			node.On("GET", fakenode.Reaction{End: fakenode.RST}, value)
			node.On("SET", fakenode.Reaction{End: fakenode.RST})
			var end atomic.Pointer[error]
			client, err := keyslot.New(t.Context(), keyslot.Options{
				Endpoints: []string{lower},
				Dial: func(ctx context.Context, kind, addr string) (net.Conn, error) {
					conn, err := network.Dial(ctx, kind, addr)
					return moody{conn, &end}, err
				},
			})
			require.NoError(t, err)
			defer client.Close()
			end.Store(&own)
			_, err = client.Get(t.Context(), "key")
			require.NoError(t, err, "a read is sent again")
			err = client.Set(t.Context(), "key", "v")
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
			require.NotErrorIs(t, err, own, "nobody has given it up")
			_, err = client.Append(t.Context(), "key", "v")
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
			require.NotErrorIs(t, err, own)
		})
	}
}
