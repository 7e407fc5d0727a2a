package keyslototel

import (
	"maps"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/keyslot-go/keyslot"
)

const (
	// maxOperations bounds the names of operations, and maxFailures the kinds of failures of each: the names come from
	// the program and the codes from servers, who may say anything. Those beyond are otherName.
	maxOperations = 512
	maxFailures   = 64
	otherName     = "_OTHER"
)

// name is what a call is named by.
type name struct{ batch, command string }

// nameOf returns the name of a call. A batch of one command is none, say the conventions.
func nameOf(e *keyslot.CallEvent) name {
	if e.Size == 1 {
		return name{command: e.Command}
	}
	return name{e.Batch, e.Command}
}

// String is the name of the operation: "GET", "PIPELINE", "MULTI GET".
func (n name) String() string {
	switch {
	case n.batch == "":
		return n.command
	case n.command == "":
		return n.batch
	}
	return n.batch + " " + n.command
}

// operation is what is prepared for all calls of one name, so that each allocates little. It is immutable.
type operation struct {
	span       string
	attributes []attribute.KeyValue
	start      []trace.SpanStartOption
	succeeds   []metric.RecordOption
	fails      map[failure][]metric.RecordOption
}

func (t *Telemetry) newOperation(of name) *operation {
	op := &operation{span: of.String() + t.target, attributes: []attribute.KeyValue{
		semconv.DBOperationName(of.String()),
		semconv.DBNamespace("0"), // all that a cluster has
	}}
	op.start = []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(append(op.attributes, t.server...)...),
	}
	op.succeeds = []metric.RecordOption{t.with(op.attributes...)}
	return op
}

// operation returns what is prepared for a name.
func (t *Telemetry) operation(of name) *operation {
	if op := (*t.operations.Load())[of]; op != nil {
		return op
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, op := t.prepare(of)
	return op
}

// prepare is operation for one that is new, as far as anybody knows, and returns the name too that it goes by. mu is held.
func (t *Telemetry) prepare(of name) (name, *operation) {
	all := *t.operations.Load()
	if all[of] == nil && len(all) >= maxOperations {
		of = name{command: otherName}
	}
	op := all[of]
	if op == nil {
		op = t.newOperation(of)
		t.replace(of, op)
	}
	return of, op
}

// replace publishes a copy of the operations with op for that name. mu is held.
func (t *Telemetry) replace(of name, op *operation) {
	next := maps.Clone(*t.operations.Load())
	next[of] = op
	t.operations.Store(&next)
}

// failing returns how calls of a name are measured that fail in this way.
func (t *Telemetry) failing(of name, why failure) []metric.RecordOption {
	if record := t.operation(of).fails[why]; record != nil {
		return record
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	of, op := t.prepare(of)
	if op.fails[why] == nil && len(op.fails) >= maxFailures {
		why = failure{kind: otherName}
	}
	record := op.fails[why]
	if record == nil {
		record = []metric.RecordOption{t.with(why.appendTo(append([]attribute.KeyValue{}, op.attributes...))...)}
		next := *op
		next.fails = maps.Clone(op.fails)
		if next.fails == nil {
			next.fails = map[failure][]metric.RecordOption{}
		}
		next.fails[why] = record
		t.replace(of, &next)
	}
	return record
}
