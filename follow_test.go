package keyslot

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever waits reads the outcome a moment later, and meanwhile another listener may ask or fail.
func TestTheErrorOfASubscriptionNamesTheNodeThatRefused(t *testing.T) {
	refusal, other := errors.New("NOPERM"), errors.New("lost")
	s := &Subscription{kind: &shardChannels}
	o := &opening{done: make(chan struct{})}
	o.asking("first")
	o.failed("first", refusal)
	o.resolve(refusal)
	o.asking("second")
	o.failed("second", other)
	o.resolve(other)

	require.Equal(t, refusal, o.err)
	var trail *Error
	require.ErrorAs(t, s.fail(o, o.err), &trail)
	require.Equal(t, "first", trail.Node)
	require.Equal(t, 1, trail.Attempts)
}
