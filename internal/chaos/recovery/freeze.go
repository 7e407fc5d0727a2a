package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// frozen is how long the client's process does not run.
const frozen = 20 * time.Second

// freezes measures the first commands of a process that was frozen, as a Lambda is, and whose connections are no more.
func freezes(ctx context.Context, b *bench) error {
	for _, loss := range []loss{
		{"connections killed", killConnections},
		{"connections black-holed", func(_ context.Context, _ *rig, f *fronts) error { return f.swallow() }},
	} {
		err := b.withFronts(ctx, func(r *rig, f *fronts) error { return b.freeze(ctx, r, f, loss) })
		if err != nil {
			return fmt.Errorf("%s: %w", loss.name, err)
		}
	}
	return nil
}

// loss is how the connections of the frozen process come to an end.
type loss struct {
	name string
	cut  func(ctx context.Context, r *rig, f *fronts) error
}

func (b *bench) freeze(ctx context.Context, r *rig, f *fronts, loss loss) error {
	w, err := newWorker(ctx, r, f)
	if err != nil {
		return err
	}
	defer w.close()
	if a, err := w.ask(order{Round: 1}); err != nil || a.Failed != "" {
		return errors.Join(err, errors.New(a.Failed))
	}
	progress("freeze: %s", loss.name)
	if err := errors.Join(w.signal(signalFreeze), realcluster.Wait(ctx, frozen/2), loss.cut(ctx, r, f), realcluster.Wait(ctx, frozen/2)); err != nil {
		return err
	}
	// The order is there before the process is.
	if err := errors.Join(w.send(order{Round: 2, Direct: true}), w.signal(signalThaw)); err != nil {
		return err
	}
	a, err := w.receive()
	if err != nil {
		return err
	}
	failed := 0
	if a.Failed != "" {
		progress("first failure: %s", a.Failed)
		failed = 1
	}
	b.atMost("freeze", loss.name+": first command of any shard failed", float64(failed), 0, "")
	b.atMost("freeze", loss.name+": first command of a shard, slowest", milliseconds(a.Slowest), 1000, "ms")
	doubled, err := r.countedTwice(ctx)
	if err != nil {
		return err
	}
	b.atMost("freeze", loss.name+": commands that ran twice", float64(doubled), 0, "")
	return nil
}

// killConnections ends what clients have open at each node.
func killConnections(ctx context.Context, r *rig, _ *fronts) error {
	for _, n := range r.Nodes() {
		if _, err := r.Do(ctx, n, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"); err != nil {
			return err
		}
	}
	return nil
}

// countedTwice returns how many of the counters that a worker increments once a round are above 2, or missing.
func (r *rig) countedTwice(ctx context.Context) (wrong int, err error) {
	for shard := range primaries {
		n, err := r.Primary(ctx, firstSlot(shard))
		if err != nil {
			return 0, err
		}
		got, err := r.Do(ctx, n, "GET", counterKey(shard))
		if err != nil {
			return 0, err
		}
		if got != "2" {
			wrong++
		}
	}
	return wrong, nil
}

func counterKey(shard int) string { return "counter:{" + fmt.Sprint(anyTag(shard)) + "}" }

// anyTag is the same tag of a shard in every process.
func anyTag(shard int) int {
	return tagsOf(func(slot int) bool { return shardOf(slot) == shard })[0]
}

// order is what the child is told to do, answer what came of it. One JSON object a line.
type order struct {
	Endpoints []string          // with the first order
	Fronts    map[string]string // node to front, with the first order
	Round     int
	Direct    bool // new connections pass by the fronts
}

type answer struct {
	Slowest time.Duration
	Failed  string // the first error
}

// worker is a child process with a client in it.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	how order // of the first order
}

func newWorker(ctx context.Context, r *rig, f *fronts) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &worker{cmd: exec.CommandContext(ctx, self, "-child"), how: order{Endpoints: r.Addrs(), Fronts: f.by}}
	w.cmd.Stderr = os.Stderr
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = bufio.NewScanner(out)
	return w, w.cmd.Start()
}

func (w *worker) signal(s syscall.Signal) error { return w.cmd.Process.Signal(s) }

func (w *worker) ask(o order) (answer, error) {
	o.Endpoints, o.Fronts = w.how.Endpoints, w.how.Fronts
	if err := w.send(o); err != nil {
		return answer{}, err
	}
	return w.receive()
}

func (w *worker) send(o order) error { return json.NewEncoder(w.in).Encode(o) }

func (w *worker) receive() (a answer, err error) {
	if !w.out.Scan() {
		return a, errors.Join(errors.New("the child has ended"), w.out.Err())
	}
	return a, json.Unmarshal(w.out.Bytes(), &a)
}

// close ends the child, which ends with its input.
func (w *worker) close() {
	_ = w.signal(signalThaw)
	_ = w.in.Close()
	_ = w.cmd.Wait()
}

// child is the process that is frozen: a client that increments a counter of each shard when it is told to.
func child() {
	if err := obey(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "recovery child:", err)
		os.Exit(1)
	}
}

func obey(in io.Reader, out io.Writer) error {
	var way detour
	var client *keyslot.Client
	answers := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var o order
		if err := json.NewDecoder(strings.NewReader(lines.Text())).Decode(&o); err != nil {
			return err
		}
		way.direct.Store(o.Direct)
		if client == nil {
			way.by = o.Fronts
			var err error
			if client, err = keyslot.New(context.Background(), keyslot.Options{Endpoints: o.Endpoints, Dial: way.dial}); err != nil {
				return err
			}
			defer client.Close()
		}
		if err := answers.Encode(increment(client)); err != nil {
			return err
		}
	}
	return nil
}

// increment increments the counter of each shard.
func increment(client *keyslot.Client) (a answer) {
	for shard := range primaries {
		begin := time.Now()
		_, err := client.Incr(context.Background(), counterKey(shard))
		a.Slowest = max(a.Slowest, time.Since(begin))
		if err != nil && a.Failed == "" {
			a.Failed = err.Error()
		}
	}
	return a
}
