package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// worker is one goroutine of the load. Nobody else touches its fields.
type worker struct {
	run    *run
	index  int
	choose *chooser
	groups []int    // what the operation touches
	keys   []string // the keys of a pipeline
}

func newWorker(r *run, index int) *worker {
	return &worker{run: r, index: index, choose: newChooser(r.spec, len(r.groups), index)}
}

// loop does operations as they are due until the load is over.
func (w *worker) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	if !w.run.pace.join(w.index, timer) {
		return
	}
	for {
		from, ok := w.run.pace.next(timer)
		if !ok {
			return
		}
		w.once(from)
	}
}

// once does one operation, whose latency counts from then.
func (w *worker) once(from time.Duration) {
	r := w.run
	r.busy.Add(1)
	defer r.busy.Add(-1)
	read := w.choose.chance(r.spec.Reads)
	err := w.operate(read)
	if from < r.spec.WarmUp {
		return // begun before anybody measured
	}
	d := done{worker: w.index, read: read, took: r.pace.now() - from, groups: w.groups}
	if err != nil {
		d.failed = textOf(err)
	}
	r.meter.record(d, r.groups)
}

func (w *worker) operate(read bool) error {
	ctx := context.Background() // not cancellable unless that is asked for: clients treat such contexts differently
	if limit := w.run.spec.Timeout; limit > 0 {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		ctx = limited
	}
	w.draw()
	if read {
		return w.read(ctx)
	}
	return w.write(ctx)
}

// draw chooses what the operation touches.
func (w *worker) draw() {
	w.groups, w.keys = w.groups[:0], w.keys[:0]
	for range max(1, w.run.spec.Pipeline) {
		g := w.choose.group()
		w.groups = append(w.groups, g)
		w.keys = append(w.keys, w.run.groups[g].Keys...)
	}
}

func (w *worker) read(ctx context.Context) (err error) {
	read := 0
	switch client := w.run.client; {
	case w.run.spec.Pipeline > 1:
		read, err = client.GetEach(ctx, w.keys)
	case len(w.keys) > 1:
		read, err = client.MGet(ctx, w.keys)
	default:
		read, err = client.Get(ctx, w.keys[0])
	}
	if err == nil {
		err = w.run.checkSize(read, len(w.keys))
	}
	return err
}

func (w *worker) write(ctx context.Context) error {
	value := w.run.values[w.choose.below(len(w.run.values))]
	switch client := w.run.client; {
	case w.run.spec.Pipeline > 1:
		return client.SetEach(ctx, w.keys, value)
	case len(w.keys) > 1:
		return client.MSet(ctx, w.keys, value)
	default:
		return client.Set(ctx, w.keys[0], value)
	}
}

var errSize = errors.New("values of a size that nobody wrote")

// checkSize makes an error of values of a wrong size, so that no client is fast by not reading.
func (r *run) checkSize(bytes, keys int) error {
	if bytes < keys*len(r.values[0]) || bytes > keys*len(r.values[len(r.values)-1]) {
		return fmt.Errorf("%w: %d bytes for %d keys", errSize, bytes, keys)
	}
	return nil
}
