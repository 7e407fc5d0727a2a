// Package load drives one client with one workload in this process, and measures what it does and costs.
package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/benchmarks/internal/client"
)

// Spec is what to run. Durations travel as nanoseconds.
type Spec struct {
	Client   string            // one of client.Names
	Workload string            // one of Workloads
	Addrs    []string          // nodes of the cluster, host:port
	Detour   map[string]string // where to dial a node, by the address it announces; nil: there
	CA       string            // certificate of the authority to trust, PEM; empty: no TLS
	Workers  int               // goroutines
	Context  Context
	Rate     int // operations per second over all workers; 0: each worker sends as soon as it has its reply
	Burners  int // goroutines that compute beside the workers, and yield every now and then
	Hogs     int // goroutines that compute and never yield
	Procs    int // GOMAXPROCS; 0: Go's default
	WarmUp   time.Duration
	Measure  time.Duration
	Profile  string // file for a CPU profile of the measured interval; empty: none
}

// Context is the kind of context that operations get.
type Context string

// The kinds of contexts: one without an end, one for each worker that could be cancelled but never is, and one with a
// deadline for each call.
const (
	Background  Context = ""
	Cancellable Context = "cancel"
	Timeout     Context = "timeout"
)

// callTimeout is the deadline of Timeout, long enough never to pass.
const callTimeout = 5 * time.Second

// ballast is how much heap, never touched, every process holds, so that the garbage collector runs about as often as in
// a service with a heap of that size, and not some hundred times a second because there is nothing else on the heap.
const ballast = 64 << 20

// Result is what a run measured.
type Result struct {
	Unsupported string `json:"unsupported,omitempty"` // why the client cannot do this workload; then all else is 0

	OpsPerSecond float64 `json:"ops_per_second"`
	P50          float64 `json:"p50_us"`           // µs, as P99 and P999; an upper bound at most 3 % too high
	P99          float64 `json:"p99_us,omitempty"` // 0 in a report: of too few operations, as P999
	P999         float64 `json:"p999_us,omitempty"`
	CPU          float64 `json:"cpu_us_per_op"` // µs, user and system, of this process alone: load, pacing and burners included
	Allocs       float64 `json:"allocs_per_op"`
	Bytes        float64 `json:"bytes_per_op"`
	Conns        int     `json:"connections"` // -1 where they cannot be counted
	Errors       uint64  `json:"errors"`
	WarmUpErrors uint64  `json:"warm_up_errors,omitempty"` // of operations that ended before anybody measured; not among Errors
	FirstError   string  `json:"first_error,omitempty"`    // of all of them; see ErrorText
}

// maxErrorText bounds the text of an error in a Result, in bytes. That of a child which panicked has all its goroutines in it.
const maxErrorText = 4 << 10

// ErrorText returns what an error says, as far as a Result keeps it: the beginning, which has the cause.
func ErrorText(err error) string {
	text := err.Error()
	if len(text) <= maxErrorText {
		return text
	}
	return strings.ToValidUTF8(text[:maxErrorText], "") + " ..."
}

// Run connects the client, warms up, measures and disconnects. Its error is one that kept it from measuring; failed
// operations are counted in the result.
func Run(spec Spec) (Result, error) {
	if spec.Procs > 0 {
		runtime.GOMAXPROCS(spec.Procs)
	}
	held := make([]byte, ballast)
	defer runtime.KeepAlive(held)
	op, known := operations()[spec.Workload]
	if !known {
		return Result{}, fmt.Errorf("no workload %q", spec.Workload)
	}
	// The load must not be cancellable unless the cell says so: clients treat such contexts differently.
	ctx := context.Background()
	c, err := connect(ctx, spec)
	if err != nil {
		return excuse(fmt.Errorf("connecting: %w", err))
	}
	defer c.Close()
	r := newRun(spec, c, op)
	if err := r.first(ctx); err != nil {
		return excuse(fmt.Errorf("first operation: %w", err))
	}
	return r.measure(ctx)
}

// excuse makes a result of the error of a client that cannot do the workload.
func excuse(err error) (Result, error) {
	if no, ok := errors.AsType[*client.Unsupported](err); ok {
		return Result{Unsupported: no.Reason}, nil
	}
	return Result{}, err
}

// run is one load under way.
type run struct {
	// immutable
	spec    Spec
	client  client.Client
	op      operation
	data    *data
	workers []*worker
	began   time.Time

	phase atomic.Int32 // of warming, measuring, stopped
}

const (
	warming = iota
	measuring
	stopped
)

func newRun(spec Spec, c client.Client, op operation) *run {
	if spec.Context == Timeout {
		op = withTimeout(op)
	}
	r := &run{spec: spec, client: c, op: op, data: newData()}
	for i := range spec.Workers {
		r.workers = append(r.workers, &worker{run: r, index: i, pick: newPicker(i)})
	}
	return r
}

// first does one operation, to learn whether the client can.
func (r *run) first(ctx context.Context) error {
	pick := newPicker(0)
	return r.op(ctx, r.client, r.data, &pick)
}

// measure runs all workers through the phases and sums up what they recorded.
func (r *run) measure(ctx context.Context) (Result, error) {
	var running sync.WaitGroup
	r.began = time.Now()
	for _, w := range r.workers {
		running.Go(func() { w.loop(ctx) }) // ends after the operation in which the phase becomes stopped
	}
	for range r.spec.Burners {
		running.Go(r.burn) // ends when the phase becomes stopped
	}
	for range r.spec.Hogs {
		running.Go(r.hog) // likewise
	}
	time.Sleep(r.spec.WarmUp)
	stopProfile, err := profile(r.spec.Profile)
	if err != nil {
		return Result{}, err
	}
	before, err := takeUsage()
	if err != nil {
		return Result{}, err
	}
	r.phase.Store(measuring)
	time.Sleep(r.spec.Measure)
	r.phase.Store(stopped)
	after, err := takeUsage()
	if err != nil {
		return Result{}, err
	}
	conns := countConns()
	stopProfile()
	running.Wait()
	return r.result(after.since(before), conns), nil
}

func (r *run) result(used usage, conns int) Result {
	var all histogram
	res := Result{Conns: conns}
	for _, w := range r.workers {
		all.add(&w.took)
		res.Errors += w.errors
		res.WarmUpErrors += w.warmUpErrors
		if w.firstError != nil {
			res.FirstError = ErrorText(w.firstError)
		}
	}
	total := all.total()
	ops := float64(max(total, 1))
	micros := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	res.OpsPerSecond = float64(total) / used.wall.Seconds()
	res.P50, res.P99, res.P999 = micros(all.quantile(0.5)), micros(all.quantile(0.99)), micros(all.quantile(0.999))
	res.CPU = micros(used.cpu) / ops
	res.Allocs = float64(used.allocs) / ops
	res.Bytes = float64(used.bytes) / ops
	return res
}

// profile starts a CPU profile into file and returns how to end it.
func profile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// withTimeout gives every call a deadline of its own, as a service does that passes one on.
func withTimeout(op operation) operation {
	return func(ctx context.Context, c client.Client, d *data, p *picker) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return op(ctx, c, d, p)
	}
}

// GC describes the garbage collection of every run.
func GC() string {
	percent := os.Getenv("GOGC")
	if percent == "" {
		percent = "100"
	}
	return fmt.Sprintf("GOGC=%s with %d MiB of ballast", percent, ballast>>20)
}
