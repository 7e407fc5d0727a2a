package keyslot_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// A scan goes where the keys are. Who asks for those of one node must not get those of all.
func TestAScanOfAViewWithARouteIsRefused(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 2}, keyslot.Options{})
	require.NoError(t, client.Set(t.Context(), "a", "1"))
	before := cluster.Stats("").Commands
	for _, to := range []keyslot.Route{keyslot.ToNode(cluster.Endpoint()), keyslot.ToKey("a"), keyslot.ToNodes} {
		view := client.On(to)
		var errs []error
		for _, err := range view.Scan(t.Context(), "") {
			errs = append(errs, err)
		}
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], keyslot.ErrNotExecuted)
		require.ErrorAs(t, errs[0], new(*keyslot.ArgumentError))
		require.ErrorContains(t, errs[0], "OwnedBy")
		for _, err := range view.HScan(t.Context(), "a", "") {
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
			require.ErrorContains(t, err, "On(nil)")
		}
	}
	require.Equal(t, before, cluster.Stats("").Commands)
	for key, err := range client.On(keyslot.ToNodes).On(nil).Scan(t.Context(), "") {
		require.NoError(t, err)
		require.Equal(t, "a", key)
	}
}

// A subscription at one node must not be taken for one at another.
func TestASubscriptionOfAViewWithARouteIsRefused(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, to := range []keyslot.Route{keyslot.ToNode(lower), keyslot.ToKey(low), keyslot.ToNodes} {
			view := s.client.On(to)
			for name, subscribe := range map[string]func(context.Context, ...string) (*keyslot.Subscription, error){
				"SUBSCRIBE": view.Subscribe, "PSUBSCRIBE": view.PSubscribe, "SSUBSCRIBE": view.SSubscribe,
				"events": view.KeyspaceEvents,
			} {
				_, err := subscribe(t.Context(), "__keyevent@0__:set")
				require.Contains(t, refused(t, err, 0), "On(nil)", name)
			}
		}
		require.Empty(t, sent(s.lower, "SUBSCRIBE"))
		require.Empty(t, sent(s.upper, "SUBSCRIBE"))
	})
}

// A script that only reads is queued as one: it is not kept from running twice.
func TestAScriptThatReadsIsQueuedAsARead(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	p := client.Pipeline()
	script := keyslot.NewScript("return ARGV[1]")
	write, read := script.Queue(p, []string{"k"}, "a"), script.QueueReadOnly(p, []string{"k"}, "b")
	wrong := script.QueueReadOnly(p, nil, nil)
	zero := new(keyslot.Script).QueueReadOnly(p, nil)
	require.Error(t, p.Exec(t.Context()))
	for future, want := range map[*keyslot.Future[keyslot.Reply]]string{write: "a", read: "b"} {
		reply, err := future.Get()
		require.NoError(t, err)
		require.Equal(t, want, reply.String())
	}
	require.ErrorContains(t, wrong.Err(), "EVAL_RO: argument 3")
	require.ErrorContains(t, zero.Err(), "zero Script")
}

func TestReadPoliciesSayTheirNames(t *testing.T) {
	for policy, want := range map[keyslot.ReadPolicy]string{
		keyslot.Primary: "Primary", keyslot.PreferReplica: "PreferReplica", keyslot.Replica: "Replica", keyslot.AZAffinity: "AZAffinity",
		keyslot.Any: "Any", 9: "ReadPolicy(9)",
	} {
		require.Equal(t, want, fmt.Sprint(policy))
	}
}
