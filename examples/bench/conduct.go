package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
	"github.com/keyslot-go/keyslot/examples/bench/internal/live"
	"github.com/keyslot-go/keyslot/examples/bench/internal/load"
	"github.com/keyslot-go/keyslot/examples/bench/internal/output"
	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
	"github.com/keyslot-go/keyslot/examples/bench/internal/stage"
	"github.com/keyslot-go/keyslot/examples/bench/internal/watch"
)

// conductor leads one run: it starts the process that makes the load, does the experiments, watches the cluster, and
// puts together what all of them tell. Its fields are for the goroutine of conduct; others send to its channels.
type conductor struct {
	bench *bench
	one   one
	run   record.Run
	state live.State
	began time.Time // time 0; zero in the warm-up
	child *child
	watch *watch.Watch

	owners chan record.Ownership
	notes  chan note
	over   chan struct{} // closed when nobody reads the other two any more

	lastSlots time.Duration // when a line about moved slots was last put on the timeline
	structure string        // of the owners told last
	failed    string        // why the process has no result
	done      bool          // it has one
}

// note is what an experiment does, for the timeline.
type note struct {
	at    time.Time
	text  string
	phase string // a phase of this name begins; empty: none
}

// slotsEvery is how often the timeline says that slots have moved. Ownership has it all.
const slotsEvery = 5 * time.Second

func newConductor(b *bench, r one, title string) *conductor {
	s := b.opts.load
	c := &conductor{
		bench: b, one: r, lastSlots: -slotsEvery,
		owners: make(chan record.Ownership, 16), notes: make(chan note, 16), over: make(chan struct{}),
		state: live.State{Title: title, Duration: s.Duration, WarmUp: s.WarmUp},
	}
	c.run = record.Run{
		Client: r.client, Version: client.Version(r.client), Conns: r.conns, Repetition: r.repetition,
		Warmup: s.WarmUp.Seconds(), Errors: []record.Error{}, Windows: []record.Window{}, Phases: []record.Phase{},
		Events: []record.Event{}, Ownership: []record.Ownership{},
	}
	return c
}

// conduct returns the run when it is over. An interrupt ends it early, and cleanly.
func (c *conductor) conduct(interrupted context.Context) (record.Run, error) {
	var err error
	c.child, err = startChild(c.bench.spec(c.one))
	if err != nil {
		return record.Run{}, err
	}
	c.watch = watch.Start(c.bench.client, c.bench.watched(), func(o record.Ownership) {
		select {
		case c.owners <- o:
		case <-c.over:
		}
	})
	experiments, cancel := context.WithCancel(context.WithoutCancel(interrupted))
	var running sync.WaitGroup
	c.listen(interrupted, func() {
		running.Go(func() { c.experiment(experiments) }) // ends with the plan, or cancel
	})
	cancel()
	close(c.over)
	running.Wait()
	c.watch.Stop()
	c.bench.view.Done(c.state)
	switch {
	case c.done:
		return c.run, nil
	case c.failed != "":
		return record.Run{}, errors.New(c.failed)
	}
	return record.Run{}, c.child.died()
}

// listen hears everybody until the process has ended. begin is called when measuring begins.
func (c *conductor) listen(interrupted context.Context, begin func()) {
	stop := interrupted.Done()
	for {
		select {
		case m, more := <-c.child.messages:
			if !more {
				c.child.stop()
				return
			}
			if m.Began != nil {
				c.begin(*m.Began)
				begin()
			}
			c.hear(m)
		case o := <-c.owners:
			c.see(o)
		case n := <-c.notes:
			c.note(n)
		case <-stop:
			stop = nil
			c.run.CutShort = true
			c.bench.view.Say("interrupted: ending the run; once more to stop at once")
			c.child.stop()
		}
	}
}

// begin is time 0. The owners known until then are those that the run begins with.
func (c *conductor) begin(at time.Time) {
	for len(c.owners) > 0 {
		c.see(<-c.owners)
	}
	c.began = at
	c.state.Measuring = true
	first := c.state.Owners
	c.see(first)
	if c.bench.before == nil {
		c.bench.before = &first
	}
}

// hear takes up what the process of the run tells.
func (c *conductor) hear(m load.Message) {
	switch {
	case m.Live != nil:
		c.state.Live = *m.Live
		c.bench.view.Show(c.state)
	case m.Window != nil:
		c.run.Windows = append(c.run.Windows, *m.Window)
		c.state.Last = *m.Window
		c.bench.view.Window(c.state, *m.Window)
		if c.bench.opts.emf {
			at := c.began.Add(time.Duration((m.Window.At + m.Window.Seconds) * float64(time.Second)))
			_ = output.EMF(c.bench.stdout, c.run, *m.Window, at) // a closed standard output ends the program soon enough
		}
	case m.Phase != nil:
		c.run.Phases = append(c.run.Phases, *m.Phase)
	case m.Event != nil:
		c.event(*m.Event)
	case m.Result != nil:
		r := m.Result
		c.done = true
		c.run.Duration, c.run.Reads, c.run.Writes, c.run.Errors, c.run.Usage = r.Duration, r.Reads, r.Writes, r.Errors, r.Usage
	case m.Failed != "":
		c.failed = m.Failed
	}
}

// see takes up who owns which slots now.
func (c *conductor) see(o record.Ownership) {
	c.state.Owners = o
	c.child.order(load.Order{Owners: &o})
	structure := watch.Structure(o)
	changed := structure != c.structure && c.structure != ""
	c.structure = structure
	if n := len(c.run.Ownership); c.began.IsZero() || n > 0 && reflect.DeepEqual(c.run.Ownership[n-1].Shards, o.Shards) {
		return
	}
	now := time.Since(c.began)
	o.At = seconds(now)
	if len(c.run.Ownership) == 0 {
		o.At = 0
	}
	c.run.Ownership = append(c.run.Ownership, o)
	switch {
	case changed:
		c.event(record.Event{At: seconds(now), Kind: record.Topology, Text: structure})
	case len(c.run.Ownership) > 1 && now-c.lastSlots >= slotsEvery:
		c.lastSlots = now
		c.event(record.Event{At: seconds(now), Kind: record.Topology, Text: watch.Brief(o)})
	}
}

// seconds are to the millisecond, as those of the load.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

func (c *conductor) note(n note) {
	c.event(record.Event{At: seconds(n.at.Sub(c.began)), Kind: record.Experiment, Text: n.text})
	if n.phase != "" {
		c.child.order(load.Order{Phase: n.phase})
	}
}

// event puts an event on the timeline, where those before it are; bursts are told when they are over.
func (c *conductor) event(e record.Event) {
	at := len(c.run.Events)
	for at > 0 && c.run.Events[at-1].At > e.At {
		at--
	}
	c.run.Events = slices.Insert(c.run.Events, at, e)
	c.state.Events = slices.Clone(c.run.Events[max(0, len(c.run.Events)-live.MostEvents):])
	c.bench.view.Event(c.state, e)
}

// experiment does what is planned, one after the other, each at its time or when the one before it is over.
func (c *conductor) experiment(ctx context.Context) {
	for _, p := range c.bench.opts.plan {
		timer := time.NewTimer(p.at - time.Since(c.began))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		name, began := string(p.what), time.Now()
		c.send(note{time.Now(), name + " began", name})
		err := c.bench.stage.Do(ctx, p.what, stage.Scene{
			Note:   func(text string) { c.send(note{time.Now(), name + ": " + text, ""}) },
			Tell:   c.bench.view.Say,
			Owners: c.watch.Owners,
			Until:  c.watch.Until,
		})
		if ctx.Err() != nil {
			c.bench.view.Say(name + " was cut off by the end of the run: -duration is too short for it")
			return
		}
		text := fmt.Sprintf("%s ended, after %.1f s", name, time.Since(began).Seconds())
		if err != nil {
			text = fmt.Sprintf("%s failed: %v", name, err)
			c.bench.view.Say(text)
		}
		c.send(note{time.Now(), text, "after " + name})
	}
}

// send puts a note on the timeline, while the run goes on.
func (c *conductor) send(n note) {
	select {
	case c.notes <- n:
	case <-c.over:
	}
}
