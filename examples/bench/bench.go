package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/examples/bench/internal/live"
	"github.com/keyslot-go/keyslot/examples/bench/internal/load"
	"github.com/keyslot-go/keyslot/examples/bench/internal/output"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
	"github.com/keyslot-go/keyslot/examples/bench/internal/report"
	"github.com/keyslot-go/keyslot/examples/bench/internal/stage"
	"github.com/keyslot-go/keyslot/examples/bench/internal/watch"
)

// bench is one benchmark: all runs of one command line, one after the other.
type bench struct {
	opts           options
	stdout, stderr io.Writer
	view           *live.View
	record         record.Record

	stage  stage.Stage       // nil: none yet
	client *keyslot.Client   // beside the runs: fills, watches, removes; nil: none yet
	before *record.Ownership // of the first run, where somebody else's cluster must be as it was for each
}

func newBench(opts options, args []string, stdout, stderr io.Writer) *bench {
	b := &bench{opts: opts, stdout: stdout, stderr: stderr, view: live.New(stderr)}
	b.record = record.Record{
		Title: title(opts), Command: commandLine(args), Started: time.Now(), Machine: machine(), Settings: settings(opts),
	}
	return b
}

// one is a run that is to be measured.
type one struct {
	client, conns string
	repetition    int
}

// runs returns all runs in the order in which clients take turns: noise that lasts longer than a run hits all of them.
func (o options) runs() []one {
	var all []one
	for repetition := range o.repeat {
		for _, conns := range o.conns {
			for _, name := range o.clients {
				all = append(all, one{name, conns, repetition + 1})
			}
		}
	}
	return all
}

// measureAll measures all runs, or those that end before the interrupt and the one that it ends.
func (b *bench) measureAll(interrupted context.Context) error {
	defer b.leave(interrupted)
	all := b.opts.runs()
	for i, r := range all {
		if err := b.prepare(interrupted, r); err != nil {
			return unlessInterrupted(interrupted, err)
		}
		c := newConductor(b, r, fmt.Sprintf("%s, %s, run %d of %d", r.client, r.conns, i+1, len(all)))
		done, err := c.conduct(interrupted)
		if err != nil {
			return unlessInterrupted(interrupted, err)
		}
		b.record.Runs = append(b.record.Runs, done)
		if done.CutShort {
			break
		}
	}
	return nil
}

var errInterrupted = errors.New("interrupted before anything was measured")

// unlessInterrupted returns err, or nothing where it comes from the interrupt: what was measured before is shown then.
func unlessInterrupted(interrupted context.Context, err error) error {
	select {
	case <-interrupted.Done():
		return nil
	default:
		return err
	}
}

// prepare sees to a cluster in the state that every run begins with: of our own, a new one for each run that has experiments.
func (b *bench) prepare(ctx context.Context, r one) error {
	if b.stage != nil && len(b.opts.plan) > 0 && b.opts.local {
		b.leave(ctx)
	}
	if b.stage != nil {
		return b.awaitRestored(ctx)
	}
	b.view.Say(fmt.Sprintf("starting, for %s", r.client))
	if err := b.enter(ctx); err != nil {
		return err
	}
	version := b.version(ctx)
	b.record.Server = record.Server{Endpoint: b.stage.Target().Name(), Version: version, Where: b.stage.Where()}
	if err := b.spec(r).Fill(ctx, b.client); err != nil {
		return fmt.Errorf("writing the keys: %w", err)
	}
	return nil
}

// enter starts the cluster, or finds it, and connects to it.
func (b *bench) enter(ctx context.Context) (err error) {
	switch {
	case b.opts.inProcess:
		b.stage, err = stage.InProcess(b.opts.cluster)
	case b.opts.local:
		b.stage, err = stage.Local(ctx, b.opts.cluster, b.view.Say)
	default:
		b.stage = stage.Remote(b.opts.target)
	}
	if err != nil {
		return err
	}
	opts, err := b.stage.Target().Options(ctx)
	if err != nil {
		return err
	}
	opts.RefreshAfter = watch.MapAge
	opts.ClientName = "keyslot-bench"
	b.client, err = keyslot.New(ctx, opts)
	return err
}

// leave ends what enter began. Somebody else's cluster is left without our keys; one of our own goes as a whole.
func (b *bench) leave(ctx context.Context) {
	if b.client != nil {
		if !b.opts.local {
			if err := b.spec(one{}).Remove(ctx, b.client); err != nil {
				b.view.Say(fmt.Sprintf("keys that begin with %s may remain: %v", b.opts.load.Prefix, err))
			}
		}
		_ = b.client.Close()
		b.client = nil
	}
	if b.stage != nil {
		b.stage.Close()
		b.stage = nil
	}
}

// awaitRestored waits until somebody else's cluster has as many shards as it had for the first run, where experiments
// have changed that.
func (b *bench) awaitRestored(ctx context.Context) error {
	if len(b.opts.plan) == 0 || b.before == nil {
		return nil
	}
	w := watch.Start(b.client, b.watched(), func(record.Ownership) {})
	defer w.Stop()
	if stage.Restored(*b.before, w.Owners()) {
		return nil
	}
	b.view.Say(fmt.Sprintf("before the next run: bring the cluster back to %d shards; waiting for that", len(b.before.Shards)))
	return w.Until(ctx, func(now record.Ownership) bool { return stage.Restored(*b.before, now) })
}

// watched is the key that the watch asks for. It is never written.
func (b *bench) watched() string { return b.opts.load.Prefix + "watch" }

// version asks a server what it is.
func (b *bench) version(ctx context.Context) string {
	if b.opts.inProcess {
		return "keyslottest"
	}
	reply, err := b.client.On(keyslot.ToSlot(0)).Do(ctx, "INFO", "server")
	if err != nil {
		return "unknown"
	}
	text, err := reply.Text()
	if err != nil {
		return "unknown"
	}
	return serverVersion(text)
}

// serverVersion reads INFO: Valkey tells its own version beside that of the Redis it is compatible with.
func serverVersion(info string) string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields[name] = value
	}
	switch {
	case fields["valkey_version"] != "":
		return "valkey-server " + fields["valkey_version"]
	case fields["redis_version"] != "":
		return "redis-server " + fields["redis_version"]
	}
	return "unknown"
}

// spec is what a run does.
func (b *bench) spec(r one) load.Spec {
	s := b.opts.load
	s.Client, s.PerCall = r.client, r.conns == perCall
	if b.stage != nil {
		s.Target = b.stage.Target()
	}
	return s
}

// publish shows what was measured, and writes the files asked for.
func (b *bench) publish() error {
	b.view.Close()
	if len(b.record.Runs) == 0 {
		return errInterrupted
	}
	table := b.stdout
	if b.opts.json || b.opts.emf {
		table = b.stderr
	}
	errs := []error{output.Summary(table, b.record)}
	if b.opts.json {
		out := json.NewEncoder(b.stdout)
		out.SetIndent("", "  ")
		errs = append(errs, out.Encode(b.record))
	}
	errs = append(errs,
		b.write(b.opts.csv, output.CSV),
		b.write(b.opts.report, report.Write),
		b.write(b.opts.chart, report.Chart),
	)
	return errors.Join(errs...)
}

// write writes a file, if there is a name for it.
func (b *bench) write(name string, form func(io.Writer, record.Record) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(form(f, b.record), f.Close())
}
