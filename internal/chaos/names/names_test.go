package names_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/names"
)

var _ keyslot.Resolver = names.Resolver{}

var first, second = netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("::1")

func begin(t *testing.T) (*names.Server, names.Resolver) {
	t.Helper()
	server, err := names.Listen()
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server, names.Resolver{Server: server.Addr()}
}

func TestRecordsFlip(t *testing.T) {
	t.Parallel()
	server, resolver := begin(t)
	for _, records := range [][]netip.Addr{{first}, {second}, {first, second}} {
		server.Set("cfg.keyslot.test", records...)
		got, err := resolver.LookupNetIP(t.Context(), "ip", "cfg.keyslot.test")
		require.NoError(t, err)
		require.Equal(t, records, got)
	}
	require.Equal(t, 3, server.Asked("cfg.keyslot.test"))
}

// The client forgets a name that is gone, and keeps to what it knew of one that cannot be looked up.
func TestGoneIsNotFailed(t *testing.T) {
	t.Parallel()
	server, resolver := begin(t)
	server.Set("was.keyslot.test", first)
	server.Set("was.keyslot.test")
	var failure *net.DNSError
	for _, name := range []string{"was.keyslot.test", "never.keyslot.test"} {
		_, err := resolver.LookupNetIP(t.Context(), "ip", name)
		require.ErrorAs(t, err, &failure)
		require.True(t, failure.IsNotFound)
	}
	server.SetTrouble(names.Trouble{Fail: true})
	_, err := resolver.LookupNetIP(t.Context(), "ip", "was.keyslot.test")
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.IsNotFound)
	server.SetTrouble(names.Trouble{})
	server.Close()
	_, err = resolver.LookupNetIP(t.Context(), "ip", "was.keyslot.test")
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.IsNotFound)
}

func TestSlowLookupsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	server, resolver := begin(t)
	server.Set("slow.keyslot.test", first)
	server.SetTrouble(names.Trouble{Delay: 20 * time.Millisecond})
	began := time.Now()
	_, err := resolver.LookupNetIP(t.Context(), "ip", "slow.keyslot.test")
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)

	server.SetTrouble(names.Trouble{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = resolver.LookupNetIP(ctx, "ip", "slow.keyslot.test")
	var failure *net.DNSError
	require.ErrorAs(t, err, &failure)
	require.True(t, failure.IsTimeout)
}
