package keyslototel

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/keyslot-go/keyslot"
)

// Attributes that no convention has.
const (
	attemptsKey  = attribute.Key("keyslot.attempts")
	nodeKey      = attribute.Key("keyslot.node.address") // of a node that has a name
	nodePortKey  = attribute.Key("keyslot.node.port")
	outcomeKey   = attribute.Key("keyslot.outcome")
	reasonKey    = attribute.Key("keyslot.reason")
	redirectsKey = attribute.Key("keyslot.redirects")
	slotKey      = attribute.Key("keyslot.slot")
)

// maxDescription bounds the text of an error in a span, in bytes. What a server says may be long.
const maxDescription = 256

// called makes the span of a call that has ended, and measures the call.
func (t *Telemetry) called(ctx context.Context, e keyslot.CallEvent) {
	of := nameOf(&e)
	op := t.operation(of)
	var why failure
	record := op.succeeds
	if e.Err != nil {
		why = failureOf(e.Err)
		record = t.failing(of, why)
	}
	if t.spanless {
		t.duration.Record(ctx, e.Duration.Seconds(), record...)
		return
	}
	start := make([]trace.SpanStartOption, 0, 4)
	ctx, span := t.tracer.Start(ctx, op.span, append(append(start, op.start...), trace.WithTimestamp(e.Start))...)
	if span.IsRecording() {
		describe(span, &e, why)
	}
	t.duration.Record(ctx, e.Duration.Seconds(), record...) // within the span, for exemplars
	span.End(trace.WithTimestamp(e.Start.Add(e.Duration)))
}

// describe says how the call of a span went.
func describe(span trace.Span, e *keyslot.CallEvent, why failure) {
	attributes := make([]attribute.KeyValue, 0, 8)
	attributes = appendPeer(attributes, e.Node)
	if e.Size != 1 {
		attributes = append(attributes, semconv.DBOperationBatchSize(e.Size))
	}
	if e.Slot >= 0 {
		attributes = append(attributes, slotKey.Int(e.Slot))
	}
	if len(e.Steps) > 0 {
		attributes = append(attributes, attemptsKey.Int(e.Attempts), redirectsKey.Int(e.Redirects))
	}
	for _, s := range e.Steps {
		span.AddEvent(eventOf(s.Reason), trace.WithTimestamp(s.At),
			trace.WithAttributes(appendPeer([]attribute.KeyValue{reasonKey.String(s.Reason)}, s.Node)...))
	}
	if e.Err != nil {
		attributes = append(why.appendTo(attributes), outcomeKey.String(outcomeOf(e.Err)))
		span.SetStatus(codes.Error, describeError(e, why))
	}
	span.SetAttributes(attributes...)
}

// describeError returns the text of an error, which holds no arguments, unless a script may have put some into its own.
func describeError(e *keyslot.CallEvent, why failure) string {
	if e.Command == "" || strings.HasPrefix(e.Command, "EVAL") || strings.HasPrefix(e.Command, "FCALL") {
		return why.kind
	}
	text := e.Err.Error()
	return strings.ToValidUTF8(text[:min(len(text), maxDescription)], "?") // exporters want it valid
}

// eventOf is the name of the event that a step is.
func eventOf(reason string) string {
	if reason == "MOVED" || reason == "ASK" {
		return "keyslot.redirect"
	}
	return "keyslot.retry"
}

// appendPeer appends the address of a node, host:port, unless it is empty. By the conventions network.peer.address is
// an IP address, and no name; and server.address, which could be one, is where the whole database is.
func appendPeer(to []attribute.KeyValue, node string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(node)
	if err != nil {
		return to
	}
	number, _ := strconv.Atoi(port)
	if _, err := netip.ParseAddr(host); err != nil {
		return append(to, nodeKey.String(host), nodePortKey.Int(number))
	}
	return append(to, semconv.NetworkPeerAddress(host), semconv.NetworkPeerPort(number))
}
