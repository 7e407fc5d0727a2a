package keyslototel_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// eventsOf returns the names of a span's events with their reasons.
func eventsOf(span tracetest.SpanStub) (events []string) {
	for _, e := range span.Events {
		events = append(events, e.Name+" "+told(e.Attributes)["keyslot.reason"].(string))
	}
	return events
}

// other returns a primary that does not own key.
func (s *stage) other(key string) keyslottest.Node {
	for _, shard := range s.cluster.Shards() {
		if shard.Primary.ID != s.cluster.Owner(key).ID {
			return shard.Primary
		}
	}
	panic("one shard only")
}

func TestACallIsASpanWithinItsCallersSpan(t *testing.T) {
	s := begin(t, keyslot.Options{})
	ctx, outer := s.tracers.Tracer("test").Start(t.Context(), "request")
	_, err := s.client.Get(ctx, "user:1")
	require.ErrorIs(t, err, keyslot.Nil)
	outer.End()

	spans := s.spans()
	require.Len(t, spans, 2)
	span, host, port := spans[0], "", 0
	host, text, _ := net.SplitHostPort(s.cluster.Endpoint())
	port, _ = strconv.Atoi(text)
	require.Equal(t, "GET "+s.cluster.Endpoint(), span.Name)
	require.Equal(t, trace.SpanKindClient, span.SpanKind)
	require.Equal(t, outer.SpanContext().SpanID(), span.Parent.SpanID())
	require.Equal(t, codes.Unset, span.Status.Code, "that there is no value is no error")
	require.False(t, span.StartTime.Before(spans[1].StartTime))
	require.False(t, span.EndTime.After(spans[1].EndTime))
	owner := s.cluster.Owner("user:1")
	_, text, _ = net.SplitHostPort(owner.Addr)
	at, _ := strconv.ParseInt(text, 10, 64)
	require.Equal(t, map[string]any{
		"db.system.name": "redis", "db.namespace": "0", "db.operation.name": "GET",
		"server.address": host, "server.port": int64(port),
		"network.peer.address": "127.0.0.1", "network.peer.port": at, "keyslot.slot": int64(keyslot.Slot("user:1")),
	}, told(span.Attributes))
	require.Empty(t, span.Events)
}

func TestACallIsMeasured(t *testing.T) {
	s := begin(t, keyslot.Options{})
	for range 3 {
		require.NoError(t, s.client.Set(t.Context(), "user:1", "ann"))
	}
	_, err := s.client.LPop(t.Context(), "user:1")
	require.ErrorContains(t, err, "WRONGTYPE")
	durations := s.collect(t)["db.client.operation.duration"]
	host, _, _ := net.SplitHostPort(s.cluster.Endpoint())
	require.EqualValues(t, 3, with(durations, map[string]any{"db.system.name": "redis", "db.operation.name": "SET", "server.address": host, "error.type": nil}))
	require.EqualValues(t, 1, with(durations, map[string]any{
		"db.operation.name": "LPOP", "error.type": "WRONGTYPE", "db.response.status_code": "WRONGTYPE",
	}))
	require.NotContains(t, durations[0].attributes, "network.peer.address", "with every node it would be too many series")
}

func TestRedirectsAreEvents(t *testing.T) {
	s := begin(t, keyslot.Options{})
	ctx := t.Context()
	require.NoError(t, s.client.Set(ctx, "user:1", "ann"))
	source, target := s.cluster.Owner("user:1"), s.other("user:1")
	migration, err := s.cluster.Migrate(keyslot.Slot("user:1"), target.ID)
	require.NoError(t, err)
	require.True(t, migration.MoveKey("user:1"))
	s.spans()
	_, err = s.client.Get(ctx, "user:1")
	require.NoError(t, err)
	asked := s.only(t)
	require.Equal(t, []string{"keyslot.redirect ASK"}, eventsOf(asked))
	require.NoError(t, migration.Finish())
	_, err = s.client.Get(ctx, "user:1")
	require.NoError(t, err)
	moved := s.only(t)
	require.Equal(t, []string{"keyslot.redirect MOVED"}, eventsOf(moved))
	all := told(moved.Attributes)
	require.EqualValues(t, 2, all["keyslot.attempts"])
	require.EqualValues(t, 1, all["keyslot.redirects"])
	require.Equal(t, target.Addr, fmt.Sprintf("%v:%v", all["network.peer.address"], all["network.peer.port"]), "who answered in the end")
	require.Equal(t, codes.Unset, moved.Status.Code)

	redirects := s.collect(t)["keyslot.node.redirects"]
	for _, kind := range []string{"MOVED", "ASK"} {
		_, port, _ := net.SplitHostPort(source.Addr)
		at, _ := strconv.ParseInt(port, 10, 64)
		require.EqualValues(t, 1, with(redirects, map[string]any{"keyslot.reason": kind, "network.peer.port": at}))
	}
}

// network.peer.address is an IP address by the conventions, so the name of a node has to go elsewhere.
func TestANodeThatGoesByANameIsNoPeer(t *testing.T) {
	s := beginOn(t, keyslottest.Options{Announce: keyslottest.AnnounceHostname})
	client, _ := s.observed(t, keyslot.Options{}, "")
	require.NoError(t, client.Set(t.Context(), "user:1", "ann"))
	_, text, _ := net.SplitHostPort(s.cluster.Owner("user:1").Addr)
	port, _ := strconv.ParseInt(text, 10, 64)
	all := told(s.only(t).Attributes)
	require.Equal(t, "localhost", all["keyslot.node.address"])
	require.Equal(t, port, all["keyslot.node.port"])
	require.NotContains(t, all, "network.peer.address")
	require.NotContains(t, all, "network.peer.port")

	commands := s.collect(t)["keyslot.node.commands"]
	require.EqualValues(t, 1, with(commands, map[string]any{"keyslot.node.address": "localhost", "keyslot.node.port": port}))
	for _, p := range commands {
		require.NotContains(t, p.attributes, "network.peer.address")
	}
}

func TestARetryIsAnEvent(t *testing.T) {
	s := begin(t, keyslot.Options{})
	_, err := s.cluster.Inject(s.cluster.Owner("user:1").ID, keyslottest.Fault{
		Command: "SET", NoRun: true, Error: "TRYAGAIN Multiple keys request during rehashing of slot", Times: 1,
	})
	require.NoError(t, err)
	require.NoError(t, s.client.Set(t.Context(), "user:1", "ann"))
	span := s.only(t)
	require.Equal(t, []string{"keyslot.retry TRYAGAIN"}, eventsOf(span))
	require.False(t, span.Events[0].Time.Before(span.StartTime))
	require.Equal(t, codes.Unset, span.Status.Code)
	require.EqualValues(t, 1, with(s.collect(t)["keyslot.node.retries"], map[string]any{"keyslot.reason": "TRYAGAIN"}))
}

func TestABatchIsOneSpan(t *testing.T) {
	s := begin(t, keyslot.Options{})
	ctx := t.Context()
	p := s.client.Pipeline()
	p.Get("a")
	p.Get("b")
	require.NoError(t, p.Exec(ctx))
	p.Set("a", "1")
	p.Get("a")
	p.Incr("b")
	require.NoError(t, p.Exec(ctx))
	p.Get("a")
	require.NoError(t, p.Exec(ctx))
	tx := s.client.Tx()
	tx.Incr("{u}a")
	tx.Incr("{u}b")
	require.NoError(t, tx.Exec(ctx))
	_, err := s.client.MGet(ctx, "a", "b", "c")
	require.NoError(t, err)

	var names, sizes []any
	for _, span := range s.spans() {
		names = append(names, told(span.Attributes)["db.operation.name"])
		sizes = append(sizes, told(span.Attributes)["db.operation.batch.size"])
	}
	require.Equal(t, []any{"PIPELINE GET", "PIPELINE", "GET", "MULTI INCR", "MGET"}, names)
	require.Equal(t, []any{int64(2), int64(3), nil, int64(2), nil}, sizes, "one command is no batch, nor is a command with several keys")
}

func TestAFailureHasAStatus(t *testing.T) {
	s := begin(t, keyslot.Options{CommandTimeout: 200 * time.Millisecond})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, try := range []struct {
		kind, status, outcome string
		call                  func() error
	}{
		{"WRONGTYPE", "WRONGTYPE", "answered", func() error { _, err := s.client.LPop(t.Context(), "string"); return err }},
		{"canceled", "", "not_executed", func() error { _, err := s.client.Get(cancelled, "string"); return err }},
		{"invalid_argument", "", "not_executed", func() error { _, err := s.client.Do(t.Context(), "GET", struct{}{}); return err }},
		{"_OTHER", "_OTHER", "unknown", func() error { _, err := s.client.Do(t.Context(), "EVAL", "return", 1, "string"); return err }},
		{"timeout", "READONLY", "not_executed", func() error { _, err := s.client.Do(t.Context(), "APPEND", "string", "x"); return err }},
		{"timeout", "", "unknown", func() error { _, err := s.client.Do(t.Context(), "INCR", "n"); return err }},
	} {
		t.Run(try.kind, func(t *testing.T) {
			require.NoError(t, s.client.Set(t.Context(), "string", "s3cret"))
			for _, node := range s.cluster.Nodes() {
				for name, fault := range map[string]keyslottest.Fault{
					"EVAL": {NoRun: true, Error: "what a script says"}, "INCR": {Stall: true},
					"APPEND": {NoRun: true, Error: "READONLY You can't write against a read only replica."},
				} {
					fault.Command = name
					remove, err := s.cluster.Inject(node.ID, fault)
					require.NoError(t, err)
					defer remove()
				}
			}
			s.spans()
			require.Error(t, try.call())
			span := s.only(t)
			require.Equal(t, codes.Error, span.Status.Code)
			require.NotEmpty(t, span.Status.Description)
			all := told(span.Attributes)
			require.Equal(t, try.kind, all["error.type"])
			require.Equal(t, try.outcome, all["keyslot.outcome"])
			if try.status == "" {
				require.NotContains(t, all, "db.response.status_code")
			} else {
				require.Equal(t, try.status, all["db.response.status_code"])
			}
			require.NotContains(t, fmt.Sprintf("%+v", span), "s3cret")
			require.NotContains(t, span.Status.Description, "script says")
			require.NotContains(t, fmt.Sprintf("%+v", all), "string")
		})
	}
}

func TestNamesAndCodesAreBounded(t *testing.T) {
	s := begin(t, keyslot.Options{})
	node := s.cluster.Owner("key")
	for i := range 600 { // commands that no table knows; each has one reply of its own
		_, err := s.client.Do(t.Context(), fmt.Sprintf("MODULE%d", i), "key")
		require.Error(t, err)
	}
	for i := range 80 {
		code := string([]byte{'E', byte('A' + i/26), byte('A' + i%26)})
		remove, err := s.cluster.Inject(node.ID, keyslottest.Fault{Command: "GET", NoRun: true, Error: code + " odd"})
		require.NoError(t, err)
		_, err = s.client.Get(t.Context(), "key")
		require.ErrorContains(t, err, code)
		remove()
	}
	names, codes := map[any]bool{}, map[any]bool{}
	for _, p := range s.collect(t)["db.client.operation.duration"] {
		names[p.attributes["db.operation.name"]] = true
		codes[p.attributes["error.type"]] = true
	}
	require.Contains(t, names, "_OTHER")
	require.LessOrEqual(t, len(names), 513)
	require.Contains(t, codes, "_OTHER")
	require.LessOrEqual(t, len(codes), 66)
}

func TestTheProgramsOwnTraceIsCalledToo(t *testing.T) {
	var called, dialled int
	s := begin(t, keyslot.Options{Trace: &keyslot.Trace{
		Called:    func(context.Context, keyslot.CallEvent) { called++ },
		Connected: func(keyslot.ConnectEvent) { dialled++ },
	}})
	require.NoError(t, s.client.Ping(t.Context()))
	require.Equal(t, 1, called)
	require.Positive(t, dialled)
	require.Equal(t, "PING "+s.cluster.Endpoint(), s.only(t).Name)
}
