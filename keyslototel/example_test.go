package keyslototel_test

import (
	"context"
	"fmt"
	"log"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslototel"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// A service gives its own providers, with an exporter such as OTLP; these keep everything in memory.
func ExampleInstrument() {
	cluster, err := keyslottest.Start(keyslottest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()

	ctx := context.Background()
	opts := keyslot.Options{Endpoints: []string{cluster.Endpoint()}}
	telemetry, err := keyslototel.Instrument(&opts, keyslototel.Config{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	})
	if err != nil {
		log.Fatal(err)
	}
	client, err := keyslot.New(ctx, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := telemetry.Observe(client); err != nil {
		log.Fatal(err)
	}
	defer telemetry.Stop()

	_ = client.Set(ctx, "user:1", "ann")
	_, _ = client.LPop(ctx, "user:1") // a list's command on a string

	for _, span := range spans.GetSpans() {
		for _, a := range span.Attributes {
			if a.Key == "db.operation.name" || a.Key == "error.type" {
				fmt.Println(a.Key, a.Value.AsString())
			}
		}
	}
	var metrics metricdata.ResourceMetrics
	_ = reader.Collect(ctx, &metrics)
	fmt.Println(metrics.ScopeMetrics[0].Scope.Name)
	// Output:
	// db.operation.name SET
	// db.operation.name LPOP
	// error.type WRONGTYPE
	// github.com/keyslot-go/keyslot/keyslototel
}
