package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
)

func TestErrorsAreCountedByKind(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{Port: 7000}, Err: errors.New("connection reset by peer")}
	lost := &keyslot.Error{Command: "SET", Slot: 5, Node: "127.0.0.1:7000", Phase: "read", Outcome: keyslot.Unknown,
		Err: errors.New("keyslot: connection reset by peer")}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{keyslot.ServerError("CLUSTERDOWN The cluster is down"), "CLUSTERDOWN The cluster is down"},
		{keyslot.ServerError("MOVED 1234 127.0.0.1:7001"), "MOVED N node"},
		{fmt.Errorf("%w: %w", keyslot.ErrUnknownOutcome, reset), "unknown outcome: read: connection reset by peer"},
		{lost, "unknown outcome: keyslot: connection reset by peer"},
		{fmt.Errorf("%w: %w", keyslot.ErrNotExecuted, context.DeadlineExceeded), "not executed: deadline exceeded"},
		{errors.New(`dial tcp 10.0.0.7:6379: i/o timeout for "user:1"`), "dial tcp node: i/o timeout for ?"},
	} {
		require.Equal(t, tc.want, textOf(tc.err))
	}
}
