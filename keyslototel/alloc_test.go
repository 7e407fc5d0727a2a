// What is counted under the race detector would be its own.

//go:build !race

package keyslototel_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslototel"
)

// How many allocations a call costs more. Those of a span are mostly the SDK's.
func TestAllocationsOfACall(t *testing.T) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	for _, row := range []struct {
		name   string
		config keyslototel.Config
		most   float64
	}{
		{"metrics", keyslototel.Config{TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: meters}, 0},
		{"spans that are not sampled", keyslototel.Config{
			TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())), MeterProvider: metricnoop.NewMeterProvider(),
		}, 7},
		{"spans", keyslototel.Config{TracerProvider: sdktrace.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider()}, 10},
	} {
		var opts keyslot.Options
		_, err := keyslototel.Instrument(&opts, row.config)
		require.NoError(t, err)
		ctx := context.Background()
		event := keyslot.CallEvent{
			Command: "GET", Size: 1, Slot: 7, Node: "10.0.0.1:6379", Start: time.Now(), Duration: time.Millisecond, Attempts: 1,
		}
		opts.Trace.Called(ctx, event) // prepares the operation
		require.LessOrEqual(t, testing.AllocsPerRun(500, func() { opts.Trace.Called(ctx, event) }), row.most, row.name)
	}
}
