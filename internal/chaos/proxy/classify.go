package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// Peer is who has opened a connection.
type Peer uint8

// What is known of a peer.
const (
	Unknown Peer = iota // more bytes are needed
	Client
	Other // a server, redis-cli, a test's own probe
)

// Classify says who has opened a connection by the first bytes that came on it. It is asked again with more of them
// while it answers Unknown, up to 16 KiB, after which the peer is Other.
type Classify func(first []byte) Peer

// hello is how keyslot begins every connection, whatever version of the protocol the server then has. Servers begin with
// PING or AUTH (replication), AUTH, SELECT or RESTORE-ASKING (MIGRATE), and redis-cli without -3 with what it is asked for.
var hello = []byte("\r\n$5\r\nHELLO\r\n")

// Plain tells clients on plain connections by their first command, which is HELLO.
func Plain(first []byte) Peer {
	if len(first) == 0 {
		return Unknown
	}
	if first[0] != '*' {
		return Other
	}
	header := bytes.IndexByte(first, '\r')
	if header < 0 {
		return unlessLong(first)
	}
	rest := first[header:]
	if len(rest) < len(hello) {
		if bytes.EqualFold(rest, hello[:len(rest)]) {
			return Unknown
		}
		return Other
	}
	if bytes.EqualFold(rest[:len(hello)], hello) {
		return Client
	}
	return Other
}

// unlessLong gives a first line up when it is longer than any array header.
func unlessLong(first []byte) Peer {
	if len(first) > 16 {
		return Other
	}
	return Unknown
}

// TLS tells clients by the server name in their ClientHello. keyslot sends the name of the node, provided that nodes
// announce host names; servers dial each other by address, and redis-cli sends a name only with --sni.
func TLS(first []byte) Peer {
	var name string
	errSeen := errors.New("seen")
	server := tls.Server(replay{bytes.NewReader(first)}, &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name = hello.ServerName
			return nil, errSeen
		},
	})
	err := server.Handshake()
	switch {
	case errors.Is(err, errSeen) && name != "":
		return Client
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Unknown
	default:
		return Other
	}
}

// replay is a connection that has received some bytes and then ends; what is written to it goes nowhere.
type replay struct{ *bytes.Reader }

func (replay) Write(b []byte) (int, error)      { return len(b), nil }
func (replay) Close() error                     { return nil }
func (replay) LocalAddr() net.Addr              { return nil }
func (replay) RemoteAddr() net.Addr             { return nil }
func (replay) SetDeadline(time.Time) error      { return nil }
func (replay) SetReadDeadline(time.Time) error  { return nil }
func (replay) SetWriteDeadline(time.Time) error { return nil }
