package keyslototel

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/keyslot-go/keyslot"
)

// scope is the name of the instrumentation scope of all spans and metrics.
const scope = "github.com/keyslot-go/keyslot/keyslototel"

// Config says where to and under which name. Its zero value works.
type Config struct {
	// TracerProvider and MeterProvider are those of package otel by default. One of package noop switches spans or metrics off.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// System is the value of db.system.name: "redis" by default, which is what the conventions have for both. They
	// allow a value of one's own, such as "valkey".
	System string
	// Name tells this client from others of the program that have the same endpoints and MeterProvider; such clients
	// need one each. Without it they share the series of each metric: counters are sums, which fall when one stops, and
	// that looks like a restart, and of a gauge the last word counts. It is keyslot.client.name on each metric, since
	// the conventions have no such attribute, and begins the names of pools, which they want unique in a program. Spans
	// go without. One that differs from process to process makes new series for each. Empty leaves it out.
	Name string
}

// Telemetry is what one client tells OpenTelemetry. It is made by Instrument, and safe for concurrent use.
type Telemetry struct {
	// immutable
	tracer     trace.Tracer
	spanless   bool // the tracer makes none
	meter      metric.Meter
	duration   metric.Float64Histogram
	createTime metric.Float64Histogram
	name       string               // Config.Name
	server     []attribute.KeyValue // on everything: which database, and where
	target     string               // the end of each span's name

	operations atomic.Pointer[map[name]*operation] // an immutable snapshot; replaced under mu

	mu           sync.Mutex
	registration metric.Registration // guarded by mu: nil while no client is observed
}

// Instrument lets a client that will be made with opts tell OpenTelemetry of its calls and dials. What opts.Trace has
// already is called as well, and first. Each client needs a Telemetry of its own. Nothing is blocked for or dialled.
// The error is that of a MeterProvider that refuses an instrument.
func Instrument(opts *keyslot.Options, config Config) (*Telemetry, error) {
	if config.TracerProvider == nil {
		config.TracerProvider = otel.GetTracerProvider()
	}
	if config.MeterProvider == nil {
		config.MeterProvider = otel.GetMeterProvider()
	}
	if config.System == "" {
		config.System = semconv.DBSystemNameRedis.Value.AsString()
	}
	t := &Telemetry{
		tracer: config.TracerProvider.Tracer(scope, trace.WithInstrumentationVersion(keyslot.Version), trace.WithSchemaURL(semconv.SchemaURL)),
		meter:  config.MeterProvider.Meter(scope, metric.WithInstrumentationVersion(keyslot.Version), metric.WithSchemaURL(semconv.SchemaURL)),
		name:   config.Name,
		server: []attribute.KeyValue{semconv.DBSystemNameKey.String(config.System)},
	}
	_, t.spanless = config.TracerProvider.(noop.TracerProvider)
	t.addServer(opts.Endpoints)
	t.operations.Store(&map[name]*operation{})
	if err := t.makeHistograms(); err != nil {
		return nil, err
	}
	opts.Trace = t.joined(opts.Trace)
	return t, nil
}

// defaultPort is that of endpoints which name none.
const defaultPort = "6379"

// addServer notes where the database is, as it is configured: not the node that serves, which network.peer tells. The
// conventions want the target in the name of a span where there is one.
func (t *Telemetry) addServer(endpoints []string) {
	addrs := make([]string, len(endpoints))
	for i, e := range endpoints {
		if strings.ContainsAny(e, "@/") { // a URL is no endpoint, New will say so, and may hold a password
			return
		}
		host, port, err := net.SplitHostPort(e)
		if err != nil {
			host, port = strings.Trim(e, "[]"), defaultPort
		}
		addrs[i] = net.JoinHostPort(host, port)
		if number, err := strconv.Atoi(port); err == nil && len(endpoints) == 1 {
			t.server = append(t.server, semconv.ServerAddress(host), semconv.ServerPort(number))
			t.target = " " + addrs[i]
			return
		}
	}
	if len(addrs) > 0 {
		t.server = append(t.server, semconv.ServerAddress(strings.Join(addrs, ",")))
	}
}

func (t *Telemetry) makeHistograms() (err error) {
	t.duration, err = t.meter.Float64Histogram("db.client.operation.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of database client operations."),
		// What the conventions recommend.
		metric.WithExplicitBucketBoundaries(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10))
	if err != nil {
		return err
	}
	t.createTime, err = t.meter.Float64Histogram("db.client.connection.create_time",
		metric.WithUnit("s"), metric.WithDescription("The time it took to create a new connection."),
		metric.WithExplicitBucketBoundaries(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10))
	return err
}

// joined returns a Trace that calls first's functions and then ours.
func (t *Telemetry) joined(first *keyslot.Trace) *keyslot.Trace {
	var own keyslot.Trace
	if first != nil {
		own = *first
	}
	called, connected := own.Called, own.Connected
	own.Called = func(ctx context.Context, e keyslot.CallEvent) {
		if called != nil {
			called(ctx, e)
		}
		t.called(ctx, e)
	}
	own.Connected = func(e keyslot.ConnectEvent) {
		if connected != nil {
			connected(e)
		}
		t.connected(e)
	}
	return &own
}

// connected measures a dial. Those that failed are counted by the client.
func (t *Telemetry) connected(e keyslot.ConnectEvent) {
	if e.Err == nil {
		t.createTime.Record(context.Background(), e.Took.Seconds(), t.with(t.pool(e.Node)))
	}
}

// pool returns the name of the connections to a node.
func (t *Telemetry) pool(node string) attribute.KeyValue {
	if t.name != "" {
		node = t.name + "/" + node
	}
	return semconv.DBClientConnectionPoolName(node)
}

// with returns the attributes that all metrics have, and those.
func (t *Telemetry) with(more ...attribute.KeyValue) metric.MeasurementOption {
	all := make([]attribute.KeyValue, 0, len(t.server)+1+len(more))
	all = append(all, t.server...)
	if t.name != "" {
		all = append(all, clientKey.String(t.name))
	}
	return metric.WithAttributeSet(attribute.NewSet(append(all, more...)...))
}
