package keyslototel_test

import (
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslototel"
)

func TestNodesAndTopologyAreObserved(t *testing.T) {
	s := begin(t, keyslot.Options{})
	for _, key := range []string{"a", "b", "c", "d"} {
		require.NoError(t, s.client.Set(t.Context(), key, "1"))
	}
	all := s.collect(t)
	require.Len(t, all["keyslot.node.in_flight"], 3)
	require.GreaterOrEqual(t, with(all["keyslot.node.commands"], nil), 4.0)
	require.Positive(t, with(all["keyslot.node.io"], map[string]any{"network.io.direction": "transmit"}))
	require.Positive(t, with(all["keyslot.node.io"], map[string]any{"network.io.direction": "receive"}))
	require.EqualValues(t, 3, with(all["db.client.connection.count"], nil))
	require.EqualValues(t, 3, with(all["db.client.connection.create_time"], nil))
	require.EqualValues(t, 3, with(all["keyslot.node.dials"], map[string]any{"keyslot.result": "success"}))
	require.EqualValues(t, 3, with(all["keyslot.topology.nodes"], map[string]any{"keyslot.node.role": "primary"}))
	require.EqualValues(t, 1, with(all["keyslot.topology.refreshes"], map[string]any{"keyslot.reason": "first map", "keyslot.result": "success"}))
	require.EqualValues(t, s.client.Topology().Epoch, with(all["keyslot.topology.epoch"], nil))
	require.Len(t, all["keyslot.topology.age"], 1)
	require.Zero(t, with(all["keyslot.node.failing"], nil)+with(all["keyslot.node.silent"], nil))
}

// What was counted of a node that leaves is told on; how it stands no longer is.
func TestANodeThatLeavesKeepsItsCounters(t *testing.T) {
	s := begin(t, keyslot.Options{RefreshAfter: 50 * time.Millisecond})
	gone := s.cluster.Owner("user:1")
	require.NoError(t, s.client.Set(t.Context(), "user:1", "ann"))
	_, port, _ := net.SplitHostPort(gone.Addr)
	number, _ := strconv.ParseInt(port, 10, 64)
	peer := map[string]any{"network.peer.port": number}
	before := with(s.collect(t)["keyslot.node.commands"], peer)
	require.Positive(t, before)

	moving := keyslot.Slot("user:1")
	require.NoError(t, s.cluster.MoveSlots(t.Context(), gone.ID, s.other("user:1").ID, moving))
	_, err := s.client.Get(t.Context(), "user:1")
	require.NoError(t, err)
	require.NoError(t, s.cluster.RemoveShard(t.Context(), gone.ID))
	require.Eventually(t, func() bool {
		_, err := s.client.Get(t.Context(), "user:1")
		now := s.collect(t)
		return err == nil && with(now["keyslot.topology.nodes"], nil) == 2 && len(now["keyslot.node.in_flight"]) == 2
	}, 10*time.Second, 10*time.Millisecond)
	after := s.collect(t)
	require.GreaterOrEqual(t, with(after["keyslot.node.commands"], peer), before)
	require.EqualValues(t, 1, with(after["keyslot.node.redirects"], peer))
}

func TestOneClientIsObservedUntilStop(t *testing.T) {
	s := begin(t, keyslot.Options{})
	require.Error(t, s.telemetry.Observe(s.client))
	require.NoError(t, s.telemetry.Stop())
	require.NoError(t, s.telemetry.Stop())
	require.NotContains(t, s.collect(t), "keyslot.node.commands")
	require.NoError(t, s.telemetry.Observe(s.client))
	require.Contains(t, s.collect(t), "keyslot.node.commands")
}

// reluctant refuses the first callback, as the SDK does: with a registration beside the error.
type reluctant struct {
	noop.MeterProvider
	meter *reluctantMeter
}

type reluctantMeter struct {
	noop.Meter
	asked int
}

func (r reluctant) Meter(string, ...metric.MeterOption) metric.Meter { return r.meter }

func (m *reluctantMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	if m.asked++; m.asked == 1 {
		return noop.Registration{}, errors.New("refused")
	}
	return noop.Registration{}, nil
}

func TestAClientWhoseCallbackIsRefusedIsNotObserved(t *testing.T) {
	telemetry, err := keyslototel.Instrument(&keyslot.Options{}, keyslototel.Config{MeterProvider: reluctant{meter: &reluctantMeter{}}})
	require.NoError(t, err)
	require.ErrorContains(t, telemetry.Observe(nil), "refused")
	require.NoError(t, telemetry.Observe(nil), "it may be tried again")
}
