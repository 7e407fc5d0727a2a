package keyslot_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// onlyFirst resolves every name to the address of lower.
type onlyFirst struct{}

func (onlyFirst) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
}

// The map tells the name of the node at an address, and that is what its certificate must carry. An address that no map
// knows has to be in the certificate itself.
func TestARedirectToAnAddressIsVerifiedByTheNodesName(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // for its certificate, which is that of example.com and its authority's
	certified.Close()
	trust := &tls.Config{RootCAs: certified.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		slots := fakenode.Slots(fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
		named := strings.ReplaceAll(slots, "*0\r\n", "*2\r\n$8\r\nhostname\r\n$11\r\nexample.com\r\n")
		unnamed := s.net.Node(spare)
		for _, node := range []*fakenode.Node{s.lower, s.upper, unnamed} {
			node.UseTLS(&tls.Config{Certificates: certified.TLS.Certificates})
			node.On("CLUSTER SLOTS", fakenode.Reaction{Send: named})
			node.On("SET", ok)
		}
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{"example.com"}, Resolver: onlyFirst{}, Dial: s.dial, TLS: trust})
		require.NoError(t, err)
		defer client.Close()

		s.lower.On("SET", says("-MOVED 866 %s", upper))
		require.NoError(t, client.Set(t.Context(), low, "v"))
		require.Len(t, sent(s.upper, "SET"), 1)

		s.upper.On("SET", says("-ASK 866 %s", spare))
		err = client.Set(within(t, time.Second), low, "v")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.NotZero(t, s.dialled(t, spare))
		require.Empty(t, unnamed.Tape(), "nothing is said to a stranger")
	})
}
