package keyslototel

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/keyslot-go/keyslot"
)

// A reader endpoint has a row for each of its addresses, all under one name. One of them that is silent, or cannot be
// dialled, must not be hidden by the next one that is well.
func TestRowsOfOneAddressAreToldTogether(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	telemetry, err := Instrument(&keyslot.Options{Endpoints: []string{"primary:6379"}}, Config{
		TracerProvider: noop.NewTracerProvider(), MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	})
	require.NoError(t, err)
	i, all, err := telemetry.makeInstruments()
	require.NoError(t, err)
	row := keyslot.NodeStats{Node: keyslot.Node{Host: "reader", Port: 6379}, Role: "replica", Commands: 2, Conns: 1}
	ill := row
	ill.Silent, ill.DialError, ill.Busy, ill.InFlight = true, "dial", 1, 3
	stats := keyslot.Stats{Nodes: []keyslot.NodeStats{{Node: keyslot.Node{Host: "primary", Port: 6379}, Role: "primary"}, ill, row}}
	_, err = telemetry.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		i.observe(telemetry, to, stats)
		return nil
	}, all...)
	require.NoError(t, err)

	var data metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &data))
	sums := map[string]int64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch of := m.Data.(type) {
		case metricdata.Gauge[int64]:
			for _, p := range of.DataPoints {
				sums[m.Name] += p.Value
			}
		case metricdata.Sum[int64]:
			for _, p := range of.DataPoints {
				sums[m.Name] += p.Value
			}
		}
	}
	require.EqualValues(t, 1, sums["keyslot.node.silent"])
	require.EqualValues(t, 1, sums["keyslot.node.failing"])
	require.EqualValues(t, 4, sums["keyslot.node.commands"])
	require.EqualValues(t, 2, sums["db.client.connection.count"])
	require.EqualValues(t, 3, sums["keyslot.node.in_flight"])
	require.EqualValues(t, 3, sums["keyslot.topology.nodes"])
}
