package keyslototel

import (
	"context"
	"errors"
	"iter"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/keyslot-go/keyslot"
)

// Attributes of metrics that no convention has.
const (
	clientKey = attribute.Key("keyslot.client.name")
	roleKey   = attribute.Key("keyslot.node.role")
	resultKey = attribute.Key("keyslot.result") // one of the next two
	succeeded = "success"
	failed    = "failure"
)

// instruments are what is read from Client.Stats whenever metrics are collected.
type instruments struct {
	conns, inFlight, nodes                                         metric.Int64ObservableUpDownCounter
	commands, bytes, redirects, retries, dials, desyncs, refreshes metric.Int64ObservableCounter
	failing, silent, epoch                                         metric.Int64ObservableGauge
	age                                                            metric.Float64ObservableGauge
}

var errObserving = errors.New("keyslototel: a client is observed already: Instrument once for each")

// Observe reads client.Stats whenever metrics are collected, until Stop. client is the one that was made with the
// options that Instrument was given. It fails while a client is observed, and with what a MeterProvider says that
// refuses an instrument or the callback; then nothing is observed.
func (t *Telemetry) Observe(client *keyslot.Client) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.registration != nil {
		return errObserving
	}
	i, all, err := t.makeInstruments()
	if err != nil {
		return err
	}
	registration, err := t.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		i.observe(t, to, client.Stats())
		return nil
	}, all...)
	if err != nil { // the SDK returns a registration even then
		return err
	}
	t.registration = registration
	return nil
}

// Stop ends what Observe has begun, so that the client is held no longer. Calling it again does nothing. The error is that
// of a MeterProvider that cannot remove the callback; that of the SDK has none. Telemetry counts as stopped all the same.
func (t *Telemetry) Stop() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.registration == nil {
		return nil
	}
	err := t.registration.Unregister()
	t.registration = nil
	return err
}

func (t *Telemetry) makeInstruments() (i *instruments, all []metric.Observable, err error) {
	i = new(instruments)
	var failures []error
	counter := func(name, unit, description string) metric.Int64ObservableCounter {
		c, err := t.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		all, failures = append(all, c), append(failures, err)
		return c
	}
	upDown := func(name, unit, description string) metric.Int64ObservableUpDownCounter {
		c, err := t.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		all, failures = append(all, c), append(failures, err)
		return c
	}
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		g, err := t.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		all, failures = append(all, g), append(failures, err)
		return g
	}
	i.conns = upDown("db.client.connection.count", "{connection}", "The number of connections that are currently in the state.")
	i.commands = counter("keyslot.node.commands", "{command}", "Commands given to connections of the node, each attempt of each.")
	i.inFlight = upDown("keyslot.node.in_flight", "{command}", "Commands that wait for their reply.")
	i.bytes = counter("keyslot.node.io", "By", "RESP on connections for commands, without TLS.")
	i.redirects = counter("keyslot.node.redirects", "{redirect}", "Redirects that the node answered with and that were followed.")
	i.retries = counter("keyslot.node.retries", "{retry}", "Attempts at the node that were to be made again.")
	i.dials = counter("keyslot.node.dials", "{dial}", "Dials that have ended.")
	i.desyncs = counter("keyslot.node.desyncs", "{connection}", "Connections closed because their replies were out of step.")
	i.failing = gauge("keyslot.node.failing", "1", "1 while dials to the node fail and are held back.")
	i.silent = gauge("keyslot.node.silent", "1", "1 while the node owes replies in silence and is suspected.")
	i.nodes = upDown("keyslot.topology.nodes", "{node}", "Nodes that the slot map lists.")
	i.refreshes = counter("keyslot.topology.refreshes", "{refresh}", "Attempts to refresh the slot map.")
	i.epoch = gauge("keyslot.topology.epoch", "{epoch}", "Epoch of the slot map in use.")
	i.age, err = t.meter.Float64ObservableGauge("keyslot.topology.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the answer was asked for that the slot map is built on."))
	return i, append(all, i.age), errors.Join(append(failures, err)...)
}

// observe tells a snapshot of the client.
func (i *instruments) observe(t *Telemetry, to metric.Observer, s keyslot.Stats) {
	roles := map[string]int64{"primary": 0, "replica": 0}
	for rows := range byAddress(s.Nodes) {
		addr := rows[0].Node.Addr()
		peer := appendPeer(nil, addr)
		for n := range rows {
			i.count(t, to, &rows[n], peer)
			if role := rows[n].Role; role != "" {
				roles[role]++
			}
		}
		i.state(t, to, rows, addr, peer)
	}
	i.count(t, to, &s.Elsewhere, nil)
	for role, n := range roles {
		to.ObserveInt64(i.nodes, n, t.with(roleKey.String(role)))
	}
	for reason, n := range s.Refreshes {
		bad := s.RefreshesFailed[reason]
		to.ObserveInt64(i.refreshes, n-bad, t.with(reasonKey.String(reason), resultKey.String(succeeded)))
		to.ObserveInt64(i.refreshes, bad, t.with(reasonKey.String(reason), resultKey.String(failed)))
	}
	if len(s.Nodes) > 0 {
		to.ObserveInt64(i.epoch, int64(s.Epoch), t.with())
		to.ObserveFloat64(i.age, s.MapAge.Seconds(), t.with())
	}
}

// count tells what of a node is counted, also when it has left: what was told once is told as long as the client has
// it. What most nodes never have is told from its first time on.
func (i *instruments) count(t *Telemetry, to metric.Observer, n *keyslot.NodeStats, peer []attribute.KeyValue) {
	tell := func(c metric.Int64ObservableCounter, value int64, more ...attribute.KeyValue) {
		if value > 0 {
			to.ObserveInt64(c, value, t.with(append(more, peer...)...))
		}
	}
	tell(i.commands, n.Commands)
	tell(i.bytes, n.BytesWritten, semconv.NetworkIODirectionTransmit)
	tell(i.bytes, n.BytesRead, semconv.NetworkIODirectionReceive)
	tell(i.redirects, n.Moved, reasonKey.String("MOVED"))
	tell(i.redirects, n.Asked, reasonKey.String("ASK"))
	for reason, value := range n.Retries {
		tell(i.retries, value, reasonKey.String(reason))
	}
	tell(i.dials, n.Dials, resultKey.String(succeeded))
	tell(i.dials, n.DialsFailed, resultKey.String(failed))
	tell(i.desyncs, n.Desyncs)
}

// byAddress yields the rows of each address, which stand next to each other. A reader endpoint has several: the
// counters of one series are added up by who collects, but of a gauge told twice the last word would count.
func byAddress(nodes []keyslot.NodeStats) iter.Seq[[]keyslot.NodeStats] {
	return func(yield func([]keyslot.NodeStats) bool) {
		for len(nodes) > 0 {
			addr, n := nodes[0].Node.Addr(), 1
			for n < len(nodes) && nodes[n].Node.Addr() == addr {
				n++
			}
			if !yield(nodes[:n]) {
				return
			}
			nodes = nodes[n:]
		}
	}
}

// state tells how the nodes at an address stand together, unless they have left for good.
func (i *instruments) state(t *Telemetry, to metric.Observer, rows []keyslot.NodeStats, addr string, peer []attribute.KeyValue) {
	var here, failing, silent bool
	var busy, conns, inFlight int
	for n := range rows {
		row := &rows[n]
		if row.Role == "" && row.Conns == 0 {
			continue
		}
		here, failing, silent = true, failing || row.DialError != "", silent || row.Silent
		busy, conns, inFlight = busy+row.Busy, conns+row.Conns, inFlight+row.InFlight
	}
	if !here {
		return
	}
	pool := t.pool(addr)
	to.ObserveInt64(i.conns, int64(busy), t.with(pool, semconv.DBClientConnectionStateUsed))
	to.ObserveInt64(i.conns, int64(conns-busy), t.with(pool, semconv.DBClientConnectionStateIdle))
	to.ObserveInt64(i.inFlight, int64(inFlight), t.with(peer...))
	to.ObserveInt64(i.failing, oneIf(failing), t.with(peer...))
	to.ObserveInt64(i.silent, oneIf(silent), t.with(peer...))
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
