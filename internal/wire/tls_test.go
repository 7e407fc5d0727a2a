package wire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// authority is a certificate authority for one test.
type authority struct {
	cert        *x509.Certificate
	key         *ecdsa.PrivateKey
	from, until time.Time // of the certificates of servers
}

func newAuthority(t *testing.T) authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(100, 0, 0), // a bubble's clock starts in the year 2000
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{cert, key, cert.NotBefore, cert.NotAfter}
}

// server returns the configuration of a server with a certificate for name.
func (a authority) server(t *testing.T, name string) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: a.from, NotAfter: a.until}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// client returns the configuration of a client that trusts the authority.
func (a authority) client() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &tls.Config{RootCAs: roots}
}

func TestTLSVerifiesTheNameOfTheNode(t *testing.T) {
	ca := newAuthority(t)
	for _, c := range []struct{ certified, option, config, err string }{
		{certified: "127.0.0.1"},
		{certified: "node.example.com", option: "node.example.com"},
		{certified: "node.example.com", option: "ignored.example.com", config: "node.example.com"},
		{certified: "node.example.com", err: "127.0.0.1"},
		{certified: "127.0.0.1", option: "node.example.com", err: "node.example.com"},
	} {
		node, opts := newNode(t)
		node.Handle(echo)
		node.UseTLS(ca.server(t, c.certified))
		addr, err := node.Listen()
		require.NoError(t, err)
		opts.Addr, opts.Dial, opts.ServerName, opts.TLS = addr, nil, c.option, ca.client()
		opts.TLS.ServerName = c.config
		conn, err := wire.Dial(t.Context(), opts)
		if c.err == "" {
			require.NoError(t, err)
			reply, err := try(t.Context(), conn, "GET", "a")
			require.NoError(t, err)
			require.Equal(t, "+a\r\n", reply)
			conn.Close()
			continue
		}
		var failed *wire.DialError
		var untrusted *tls.CertificateVerificationError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, wire.PhaseTLS, failed.Phase)
		require.ErrorAs(t, err, &untrusted)
		require.ErrorContains(t, err, c.err)
		require.Empty(t, node.Tape())
	}
}

// Whatever is wrong with the peer's certificate has a type of its own, and nothing is said to the peer.
func TestTLSTrustsNobodyByChance(t *testing.T) {
	ca := newAuthority(t)
	outlived := ca
	outlived.from, outlived.until = time.Unix(0, 0), time.Unix(1, 0)
	for name, c := range map[string]struct {
		server, client *tls.Config
		is             func(error) bool
	}{
		"another authority": {newAuthority(t).server(t, "node"), ca.client(), is[x509.UnknownAuthorityError]},
		"no authority":      {ca.server(t, "node"), &tls.Config{}, is[x509.UnknownAuthorityError]},
		"another name":      {ca.server(t, "other"), ca.client(), is[x509.HostnameError]},
		"expired":           {outlived.server(t, "node"), ca.client(), is[x509.CertificateInvalidError]},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.UseTLS(c.server)
				opts.TLS = c.client
				_, err := wire.Dial(t.Context(), opts)
				require.True(t, c.is(err), "%v", err)
				require.ErrorAs(t, err, new(*tls.CertificateVerificationError))
				var failed *wire.DialError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, wire.PhaseTLS, failed.Phase)
				require.Empty(t, node.Tape())
			})
		})
	}
}

func is[T error](err error) bool { return errors.As(err, new(T)) }

func TestTLSIsNeverOlderThan12(t *testing.T) {
	ca := newAuthority(t)
	for name, allow := range map[string]func(*tls.Config){
		"by default":             func(*tls.Config) {},
		"where less is allowed":  func(conf *tls.Config) { conf.MinVersion = tls.VersionTLS10 },
		"where less is demanded": func(conf *tls.Config) { conf.MaxVersion = tls.VersionTLS11 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				old := ca.server(t, "node")
				old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
				node.UseTLS(old)
				opts.TLS = ca.client()
				allow(opts.TLS)
				_, err := wire.Dial(t.Context(), opts)
				require.Error(t, err)
				require.Empty(t, node.Tape())
				minimum := opts.TLS.MinVersion
				require.Equal(t, name == "where less is allowed", minimum != 0, "the caller's configuration is the caller's")
			})
		})
	}
}

func TestTLSToAServerThatSpeaksNoneOrStalls(t *testing.T) {
	ca := newAuthority(t)
	for name, c := range map[string]struct {
		greeting string
		is       func(error) bool
	}{
		"plaintext error": {"-ERR max number of clients reached\r\n", func(err error) bool {
			var notTLS tls.RecordHeaderError
			return errors.As(err, &notTLS)
		}},
		"silence": {"", func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node, opts := newNode(t)
				node.Greet(fakenode.Reaction{Send: c.greeting})
				node.StopReading()
				opts.TLS = ca.client()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := wire.Dial(ctx, opts)
				var failed *wire.DialError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, wire.PhaseTLS, failed.Phase)
				require.True(t, c.is(err), "%v", err)
			})
		})
	}
}

// A record of which the last byte is missing cannot be read: what crypto/tls says of a failed Write is exact.
func TestAfterAFailedWriteOverTLSItIsKnownExactlyWhatWasSent(t *testing.T) {
	ca := newAuthority(t)
	server := ca.server(t, "node")
	const size = 3000 // several records of a batch, and several calls in one
	for k := mathrand.IntN(797); k < 13*size; k += 797 {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.UseTLS(server)
			node.On("SET", fakenode.Reaction{})
			opts.TLS = ca.client()
			wrapped := limitLater(&opts)
			conn := connect(t, opts)
			wire.CountExactly(conn)
			wrapped().allow(k)
			var calls []*wire.Call
			for i := range 12 {
				calls = append(calls, &wire.Call{Request: request("SET", string(rune('a'+i)), strings.Repeat("x", size))})
			}
			send(t, t.Context(), conn, calls...)
			synctest.Wait()
			tape := commands(node)
			ran := 0
			for _, call := range calls {
				if call.Sent {
					ran++
				}
				require.Equal(t, call.Err != nil, conn.Err() != nil)
			}
			if conn.Err() != nil {
				require.Len(t, tape, ran, "after %d bytes", k)
			}
		})
	}
}

// limitLater makes the next connection one that can be limited after its handshake.
func limitLater(opts *wire.Options) func() *limited {
	var conn *limited
	dial := opts.Dial
	opts.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		raw, err := dial(ctx, network, addr)
		conn = &limited{Conn: raw, left: 1 << 30}
		return conn, err
	}
	return func() *limited { return conn }
}

func (l *limited) allow(bytes int) { l.left = bytes }

// Options.Dial may speak TLS itself. Giving up must not wait until its close_notify is written.
func TestAbandoningTLSDoesNotWaitForThePeer(t *testing.T) {
	ca := newAuthority(t)
	server := ca.server(t, "node")
	for _, own := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			node, opts := newNode(t)
			node.UseTLS(server)
			node.Handle(echo)
			var raw net.Conn
			dial, client := opts.Dial, ca.client()
			client.ServerName = "node"
			opts.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				var err error
				if raw, err = dial(ctx, network, addr); own {
					return tls.Client(raw, client), err
				}
				return raw, err
			}
			if !own {
				opts.TLS = client
			}
			conn := connect(t, opts)
			synctest.Wait()
			node.StopReading()
			send(t, t.Context(), conn, get(1)...) // the last that is read
			synctest.Wait()
			require.NoError(t, raw.SetWriteDeadline(time.Now().Add(time.Second)))
			_, err := raw.Write(make([]byte, 1<<20)) // nothing fits any more
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.NoError(t, raw.SetWriteDeadline(time.Time{}))

			begin := time.Now()
			conn.Close()
			require.Equal(t, begin, time.Now())
		})
	}
}

func TestDrainOverTLSSaysGoodbye(t *testing.T) {
	ca := newAuthority(t)
	server := ca.server(t, "node")
	synctest.Test(t, func(t *testing.T) {
		node, opts := newNode(t)
		node.UseTLS(server)
		node.Handle(echo)
		opts.TLS = ca.client()
		conn := connect(t, opts)
		owed := send(t, t.Context(), conn, get(2)...)
		conn.Drain()
		require.Equal(t, []string{"+0\r\n", "+1\r\n"}, replies(owed.wait(t.Context())))
		conn.Wait()
		synctest.Wait()
		require.EqualError(t, node.Ended(0), "EOF", "an end without close_notify would be an unexpected one")
	})
}
