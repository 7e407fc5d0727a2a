package keyslot_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// listen answers every connection with reply and hangs up; without a reply it never answers.
func listen(t *testing.T, reply string) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
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
			t.Cleanup(func() { conn.Close() })
		}
	}()
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
