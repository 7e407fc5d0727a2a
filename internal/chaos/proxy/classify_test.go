package proxy_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/chaos/proxy"
)

func TestPlainTellsClientsByHello(t *testing.T) {
	t.Parallel()
	for first, want := range map[string]proxy.Peer{
		"":                             proxy.Unknown,
		"*":                            proxy.Unknown,
		"*4\r\n$5\r":                   proxy.Unknown,
		"*4\r\n$5\r\nHELL":             proxy.Unknown,
		"*4\r\n$5\r\nHELLO\r\n$1\r\n3": proxy.Client,
		"*1\r\n$5\r\nhello\r\n":        proxy.Client,
		"*1\r\n$4\r\nPING\r\n":         proxy.Other, // a replica
		"*1\r\n$4":                     proxy.Other,
		"*3\r\n$4\r\nAUTH\r\n":         proxy.Other, // a replica, MIGRATE
		"*2\r\n$6\r\nSELECT\r\n":       proxy.Other, // MIGRATE
		"*2\r\n$7\r\nCLUSTER\r\n":      proxy.Other, // redis-cli
		"PING\r\n":                     proxy.Other,
		"*00000000000000000000000000":  proxy.Other,
		"\x16\x03\x01":                 proxy.Other, // TLS
	} {
		require.Equal(t, want, proxy.Plain([]byte(first)), "%q", first)
	}
}

func TestTLSTellsClientsByTheNameTheyVerify(t *testing.T) {
	t.Parallel()
	named := clientHello(t, "node-1.keyslot.test")
	for n := range named {
		require.Equal(t, proxy.Unknown, proxy.TLS(named[:n]), "%d bytes", n)
	}
	require.Equal(t, proxy.Client, proxy.TLS(named))
	require.Equal(t, proxy.Other, proxy.TLS(clientHello(t, "127.0.0.1")), "Go sends no name for an address, as servers do")
	require.Equal(t, proxy.Other, proxy.TLS([]byte("*2\r\n$5\r\nHELLO\r\n")))
}

// clientHello returns what a client that verifies name sends first.
func clientHello(t *testing.T, name string) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() { // ends when theirs is closed
		defer close(done)
		_ = tls.Client(ours, &tls.Config{ServerName: name}).Handshake()
	}()
	b := make([]byte, 16<<10)
	n, err := theirs.Read(b)
	require.NoError(t, err)
	theirs.Close()
	<-done
	return b[:n]
}
