package keyslot

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/wire"
)

// Of two connections made at once only one may ever be used: the other one is surplus, or whoever wanted it has gone.
func TestAFailureIsOverOnceAnyConnectionMadeSinceServes(t *testing.T) {
	aCore(t, func(t *testing.T, c *core, _ *fakenode.Node) {
		n := c.routes.Load().nodes[0]
		dial := func() *wire.Conn {
			conn, err := c.dial(t.Context(), peer{n, n.info()}, wire.Options{Addr: n.addr()})
			require.NoError(t, err)
			return conn
		}
		serve := func(conn *wire.Conn) {
			_, err := query(t.Context(), conn, "PING")
			require.NoError(t, err)
		}
		for serves := range 2 {
			older, made := dial(), [2]*wire.Conn{dial(), dial()}
			n.redial.failed(errors.New("refused"), time.Now())
			n.redial.ended(made[0], nil, time.Now())
			n.redial.ended(made[1], nil, time.Now())
			serve(older)
			require.True(t, n.redial.failing(), "an older one says nothing of new dials")
			made[1-serves].Drain()
			serve(made[serves])
			require.False(t, n.redial.failing())
		}
	})
}

// The node was dialled for one connection more than it has room for, and nobody has wanted another one since.
func TestAFailureIsForgottenWhereNobodyDialsAnyMore(t *testing.T) {
	aCore(t, func(t *testing.T, c *core, _ *fakenode.Node) {
		n := c.routes.Load().nodes[0]
		n.redial.failed(errors.New("max number of clients reached"), time.Now())
		time.Sleep(forgetFailure - time.Second)
		require.True(t, n.redial.failing())
		time.Sleep(2 * time.Second)
		require.False(t, n.redial.failing())
	})
}

// Of several addresses the dials to all but the first that answers are given up.
func TestADialThatWasGivenUpDoesNotHurryRefusedLogins(t *testing.T) {
	var l loginPace
	addr, now := netip.MustParseAddrPort("10.0.0.1:6379"), time.Now()
	refused := &wire.DialError{Phase: wire.PhaseAuth, Err: wire.Refusal("WRONGPASS")}
	l.ended(addr, refused, now)
	l.ended(addr, context.Canceled, now)
	require.ErrorIs(t, l.allow(addr, now), refused)
	l.ended(addr, nil, now)
	require.NoError(t, l.allow(addr, now))
}
