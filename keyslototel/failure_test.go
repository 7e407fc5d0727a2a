package keyslototel_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// A command that ran out of time while its shard had no primary is one that ran out of time: the server's last word
// stands beside it.
func TestACallThatRanOutOfTimeIsATimeoutWhateverTheServerSaidLast(t *testing.T) {
	s := begin(t, keyslot.Options{})
	_, err := s.cluster.Inject(s.cluster.Owner("n").ID, keyslottest.Fault{Command: "INCR", Error: "CLUSTERDOWN The cluster is down"})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.client.Incr(ctx, "n")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorAs(t, err, new(keyslot.ServerError))
	span := told(s.only(t).Attributes)
	require.Equal(t, "timeout", span["error.type"])
	require.Equal(t, "CLUSTERDOWN", span["db.response.status_code"])
}

// Of several failures the first counts, whatever ended the others.
func TestTheFirstFailureOfABatchSaysItsType(t *testing.T) {
	s := begin(t, keyslot.Options{})
	require.NoError(t, s.client.Set(t.Context(), "n", "text"))
	s.spans()
	_, err := s.cluster.Inject(s.cluster.Owner("n").ID, keyslottest.Fault{Command: "DECR", Error: "CLUSTERDOWN The cluster is down"})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	p := s.client.Pipeline()
	p.LLen("n")
	p.Decr("n")
	require.ErrorIs(t, p.Exec(ctx), context.DeadlineExceeded)
	require.Equal(t, "WRONGTYPE", told(s.only(t).Attributes)["error.type"])
}

// A login that a server refuses is no answer to the command that waits for the connection.
func TestARefusedLoginIsNoResponseToTheCommand(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		s := begin(t, keyslot.Options{Lazy: lazy})
		if !lazy {
			require.NoError(t, s.client.Set(t.Context(), "n", "1"))
			s.spans()
		}
		for _, node := range s.cluster.Nodes() {
			_, err := s.cluster.Inject(node.ID, keyslottest.Fault{Command: "HELLO", Error: "WRONGPASS invalid username-password pair or user is disabled."})
			require.NoError(t, err)
			_, err = s.cluster.Inject(node.ID, keyslottest.Fault{Command: "INCR", NoRun: true, Reset: true})
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := s.client.Idempotent().Incr(ctx, "n")
		require.ErrorContains(t, err, "WRONGPASS")
		require.ErrorAs(t, err, new(keyslot.ServerError))
		span := told(s.only(t).Attributes)
		require.NotContains(t, span, "db.response.status_code")
		require.Equal(t, map[bool]string{false: "timeout", true: "bootstrap"}[lazy], span["error.type"])
	}
}
