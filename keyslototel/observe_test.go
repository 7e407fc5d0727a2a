package keyslototel_test

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslototel"
	"github.com/keyslot-go/keyslot/keyslottest"
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

// Two clients of one endpoint would share their series, and their counters fall when one of them stops.
func TestClientsWithNamesHaveSeriesOfTheirOwn(t *testing.T) {
	s := beginOn(t, keyslottest.Options{})
	first, _ := s.observed(t, keyslot.Options{}, "orders")
	second, stopped := s.observed(t, keyslot.Options{}, "sessions")
	nameless, _ := s.observed(t, keyslot.Options{}, "")
	for i, c := range []*keyslot.Client{first, second, second, nameless, nameless, nameless, nameless} {
		require.NoError(t, c.Set(t.Context(), "user:1", strconv.Itoa(i)))
	}
	peer := s.cluster.Owner("user:1").Addr
	_, text, _ := net.SplitHostPort(peer)
	port, _ := strconv.ParseInt(text, 10, 64)
	for _, span := range s.spans() {
		require.NotContains(t, told(span.Attributes), "keyslot.client.name", "a span is one call's, whoever made it")
	}

	all := s.collect(t)
	for metric, points := range all {
		require.NotEmpty(t, points, metric)
		for _, name := range []any{"orders", "sessions", nil} {
			require.True(t, slices.ContainsFunc(points, func(p point) bool { return p.attributes["keyslot.client.name"] == name }), metric)
		}
	}
	own := func(name any) map[string]any {
		return map[string]any{"keyslot.client.name": name, "network.peer.port": port}
	}
	commands := all["keyslot.node.commands"]
	require.EqualValues(t, 1, with(commands, own("sessions"))-with(commands, own("orders")))
	require.EqualValues(t, 3, with(commands, own(nil))-with(commands, own("orders")))
	for pool, name := range map[string]any{"orders/" + peer: "orders", "sessions/" + peer: "sessions", peer: nil} {
		for _, metric := range []string{"db.client.connection.count", "db.client.connection.create_time"} {
			series := map[string]any{"db.client.connection.pool.name": pool, "keyslot.client.name": name}
			require.EqualValues(t, 1, with(all[metric], series), "the name of a pool is unique in the program")
		}
	}

	require.NoError(t, stopped.Stop())
	after := s.collect(t)["keyslot.node.commands"]
	require.Equal(t, with(commands, own("orders")), with(after, own("orders")))
	require.Zero(t, with(after, own("sessions")))
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
