package keyslot_test

import (
	"context"
	"crypto/tls"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// slowDNS answers nobody.
type slowDNS struct{}

func (slowDNS) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A context often ends before DialTimeout: what is known by then of each address, and in which phase it is, is
// worth more than that.
func TestAStartThatRanOutOfTimeSaysWhatItWaitedFor(t *testing.T) {
	const hole, mute = "10.0.0.7:6379", "10.0.0.8:6379"
	for name, test := range map[string]struct {
		opts   keyslot.Options
		phase  string
		advice string
	}{
		"a dial": {keyslot.Options{Endpoints: []string{hole}}, "dial " + hole,
			"no answer: check host, port and firewall, and use rediss:// or set Options.TLS if it wants TLS"},
		"a dial, for TLS": {keyslot.Options{Endpoints: []string{hole}, TLS: &tls.Config{}}, "dial " + hole,
			"no answer: check host, port and firewall"},
		"a TLS handshake": {keyslot.Options{Endpoints: []string{mute}, TLS: &tls.Config{}}, "tls " + mute,
			"no answer to the TLS handshake: use redis:// or leave Options.TLS nil if the server speaks no TLS"},
		"HELLO": {keyslot.Options{Endpoints: []string{mute}}, "hello " + mute,
			"no answer: check host, port and firewall, and use rediss:// or set Options.TLS if it wants TLS"},
		"the topology": {keyslot.Options{Endpoints: []string{lower}}, lower + ": CLUSTER SLOTS", ""},
		"credentials": {keyslot.Options{Endpoints: []string{lower}, Credentials: func(ctx context.Context, _ keyslot.Node) (user, password string, err error) {
			<-ctx.Done()
			return "", "", ctx.Err()
		}}, "auth " + lower + ": credentials", ""},
		"DNS": {keyslot.Options{Endpoints: []string{"shop.test:6379"}, Resolver: slowDNS{}}, "resolve shop.test",
			"DNS does not answer: check the name of the endpoint and the resolver"},
	} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.net.BlackHole(hole)
			s.net.Node(mute).StopReading()
			s.lower.On("CLUSTER SLOTS", stuck())
			opts := test.opts
			opts.Dial = s.net.Dial
			_, err := keyslot.New(within(t, 500*time.Millisecond), opts)
			var boot *keyslot.BootstrapError
			require.ErrorAs(t, err, &boot, name)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorContains(t, err, ": "+test.phase+": context deadline exceeded", name)
			require.Equal(t, test.advice, boot.Advice, name)

			opts.CommandTimeout = 600 * time.Millisecond
			_, err = keyslot.New(t.Context(), opts)
			require.ErrorContains(t, err, test.phase+": CommandTimeout of 600ms: context deadline exceeded", name)

			opts.Lazy = true
			client, err := keyslot.New(t.Context(), opts)
			require.NoError(t, err)
			defer client.Close()
			for range 2 { // the second command may find the dial of the first one under way
				err = client.Set(within(t, 500*time.Millisecond), low, "v")
				require.ErrorContains(t, err, ": "+test.phase+": context deadline exceeded", name)
				require.ErrorIs(t, err, keyslot.ErrRetryable)
				require.ErrorIs(t, err, keyslot.ErrNotExecuted)
			}
		})
	}
}

// An address that has failed already is named beside those that are still waited for.
func TestAStartThatRanOutOfTimeSaysWhatHasFailed(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.BlackHole("10.0.0.7:6379")
		s.net.Node("10.0.0.8:6379").On("HELLO", fakenode.Reaction{Send: wrongpass + "\r\n"})
		opts := keyslot.Options{Endpoints: []string{"10.0.0.7:6379", "10.0.0.8:6379", "10.0.0.9:6379"}, Dial: s.net.Dial}
		_, err := keyslot.New(within(t, 500*time.Millisecond), opts)
		require.ErrorContains(t, err, "dial 10.0.0.7:6379: context deadline exceeded; ")
		require.ErrorContains(t, err, "dial 10.0.0.9:6379: connection refused")
		require.ErrorContains(t, err, wrongpass[1:])
		require.ErrorContains(t, err, "(check Username and Password)")
	})
}
