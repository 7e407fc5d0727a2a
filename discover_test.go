package keyslot_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// listen answers every connection with reply and hangs up; without a reply it never answers.
func listen(t *testing.T, reply string) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var answering sync.WaitGroup
	t.Cleanup(func() { l.Close(); answering.Wait() })
	answering.Go(func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if reply != "" {
				io.WriteString(conn, reply)
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn)
				conn.Close()
				continue
			}
			defer conn.Close() // when nobody comes any more
		}
	})
	return l.Addr().String()
}

func TestBootstrapErrorSaysWhatToDo(t *testing.T) {
	open, err := keyslottest.Start(keyslottest.Options{})
	require.NoError(t, err)
	defer open.Close()
	locked, err := keyslottest.Start(keyslottest.Options{Password: "secret"})
	require.NoError(t, err)
	defer locked.Close()

	for target, advice := range map[string]string{
		"127.0.0.1:1":                      "nothing listens there: check host and port",
		"rediss://" + open.Endpoint():      "the server speaks no TLS: use redis:// or leave Options.TLS nil",
		locked.Endpoint():                  "the server wants a password: set Username and Password, or Credentials",
		"redis://:no@" + locked.Endpoint(): "check Username and Password",
		listen(t, "HTTP/1.1 400 Bad Request\r\n\r\n"): "what answers there speaks no RESP: check host and port, " +
			"and use rediss:// or set Options.TLS if it wants TLS",
		"redis://" + listen(t, "") + "?dial_timeout=100ms": "no answer: check host, port and firewall, " +
			"and use rediss:// or set Options.TLS if it wants TLS",
		"rediss://" + listen(t, "") + "?dial_timeout=100ms": "no answer to the TLS handshake: " +
			"use redis:// or leave Options.TLS nil if the server speaks no TLS",
	} {
		_, err := keyslot.Open(t.Context(), target)
		var boot *keyslot.BootstrapError
		require.ErrorAs(t, err, &boot, target)
		require.Equal(t, advice, boot.Advice, err)
	}
}

func TestBootstrapErrorNamesAnAddressOnce(t *testing.T) {
	_, err := keyslot.Open(t.Context(), "127.0.0.1:1")
	require.EqualError(t, err, "keyslot: no usable cluster behind 127.0.0.1:1: "+
		"dial 127.0.0.1:1: connect: connection refused (nothing listens there: check host and port)")
	_, err = keyslot.Open(t.Context(), "localhost:1")
	require.ErrorContains(t, err, "localhost:1 (127.0.0.1:1): dial 127.0.0.1:1: connect: connection refused")
}

// Rounds go on, because nodes may be found that take the login; those that have refused it count each attempt.
func TestRefusedLoginsAtTheEndpointsArePaced(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower, upper}, Password: "old", Dial: s.dial})
		require.NoError(t, err)
		defer client.Close()
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.On("HELLO", says(wrongpass))
			node.Cut(fakenode.RST)
		}
		before := len(sent(s.lower, "HELLO")) + len(sent(s.upper, "HELLO"))
		_, err = client.Get(within(t, 10*time.Second), low)
		require.ErrorContains(t, err, "WRONGPASS")
		require.Less(t, len(sent(s.lower, "HELLO"))+len(sent(s.upper, "HELLO"))-before, 40)

		s.lower.On("HELLO", fakenode.Reaction{Send: fakenode.Hello})
		s.lower.On("GET", value)
		_, err = client.Get(within(t, 11*time.Second), low)
		require.NoError(t, err, "a password that works again is noticed as soon as at a node")
	})
}
