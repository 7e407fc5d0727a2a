package keyslototel_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslototel"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// stage is a client of a cluster in this process, and what it tells.
type stage struct {
	cluster   *keyslottest.Cluster
	client    *keyslot.Client
	telemetry *keyslototel.Telemetry
	tracers   *sdktrace.TracerProvider
	exporter  *tracetest.InMemoryExporter
	meters    *sdkmetric.MeterProvider
	reader    *sdkmetric.ManualReader
}

func begin(t *testing.T, opts keyslot.Options) *stage {
	t.Helper()
	s := beginOn(t, keyslottest.Options{})
	s.client, s.telemetry = s.observed(t, opts, "")
	return s
}

// beginOn starts a cluster that no client has yet.
func beginOn(t *testing.T, opts keyslottest.Options) *stage {
	t.Helper()
	cluster := keyslottest.Run(t, opts)
	s := &stage{cluster: cluster, exporter: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	s.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.exporter))
	s.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader))
	return s
}

// observed returns a client of the cluster that tells the stage's providers of itself, under that name.
func (s *stage) observed(t *testing.T, opts keyslot.Options, name string) (*keyslot.Client, *keyslototel.Telemetry) {
	t.Helper()
	opts.Endpoints = []string{s.cluster.Endpoint()}
	telemetry, err := keyslototel.Instrument(&opts, keyslototel.Config{TracerProvider: s.tracers, MeterProvider: s.meters, Name: name})
	require.NoError(t, err)
	client, err := keyslot.New(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	require.NoError(t, telemetry.Observe(client))
	return client, telemetry
}

// spans returns the spans that have ended since the last time.
func (s *stage) spans() tracetest.SpanStubs {
	defer s.exporter.Reset()
	return s.exporter.GetSpans()
}

// only returns the one span that has ended since the last time.
func (s *stage) only(t *testing.T) tracetest.SpanStub {
	t.Helper()
	spans := s.spans()
	require.Len(t, spans, 1)
	return spans[0]
}

// told returns attributes by name.
func told(attributes []attribute.KeyValue) map[string]any {
	all := make(map[string]any)
	for _, a := range attributes {
		all[string(a.Key)] = a.Value.AsInterface()
	}
	return all
}

// point is one series of a metric: a sum, a gauge, or how many measurements a histogram has.
type point struct {
	attributes map[string]any
	value      float64
}

// collect returns all series by the names of their metrics.
func (s *stage) collect(t *testing.T) map[string][]point {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, s.reader.Collect(t.Context(), &data))
	all := make(map[string][]point)
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			all[m.Name] = pointsOf(m.Data)
		}
	}
	return all
}

func pointsOf(data metricdata.Aggregation) (points []point) {
	switch data := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			points = append(points, point{told(p.Attributes.ToSlice()), float64(p.Value)})
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			points = append(points, point{told(p.Attributes.ToSlice()), float64(p.Value)})
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			points = append(points, point{told(p.Attributes.ToSlice()), p.Value})
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			points = append(points, point{told(p.Attributes.ToSlice()), float64(p.Count)})
		}
	}
	return points
}

// with returns the sum of the series that have these attributes.
func with(points []point, attributes map[string]any) (sum float64) {
	for _, p := range points {
		matches := true
		for name, value := range attributes {
			matches = matches && p.attributes[name] == value
		}
		if matches {
			sum += p.value
		}
	}
	return sum
}
