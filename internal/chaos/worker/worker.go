package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// Main carries out the orders that in holds and writes an Answer to each to out, until in ends or ctx does. The error
// says why in or out could not be used; a failed order is in its Answer.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	w := &worker{tags: tagEverySlot()}
	defer w.leave()
	answers := json.NewEncoder(out)
	for orders := json.NewDecoder(in); ctx.Err() == nil; {
		var order Order
		err := orders.Decode(&order)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading orders: %w", err)
		}
		answer, err := w.carryOut(ctx, order)
		answer.Did = order.Do
		if err != nil {
			answer.Error = err.Error()
		}
		if err := answers.Encode(answer); err != nil {
			return fmt.Errorf("answering %s: %w", order.Do, err)
		}
	}
	return ctx.Err()
}

// worker is what lasts over rounds. It belongs to the goroutine that reads the orders.
type worker struct {
	tags    *tags
	options Options
	login   atomic.Pointer[Login] // read by dials
	guard   *guard
	client  *keyslot.Client // nil while closed
	round   *round          // nil between rounds
}

var errOutOfTurn = errors.New("this order is out of turn")

func (w *worker) carryOut(ctx context.Context, order Order) (Answer, error) {
	open, busy := w.client != nil, w.round != nil
	switch {
	case order.Do == Open && !open && order.Options != nil:
		return w.open(ctx, *order.Options)
	case order.Do == SetLogin && open && order.Login != nil:
		w.login.Store(order.Login)
		return Answer{}, nil
	case order.Do == Begin && open && !busy:
		return w.begin(ctx, order)
	case order.Do == Mark && busy:
		return Answer{At: w.round.now()}, nil
	case order.Do == End && busy:
		return w.end()
	case order.Do == Close && open && !busy:
		return w.close()
	}
	return Answer{}, errOutOfTurn
}

func (w *worker) open(ctx context.Context, options Options) (Answer, error) {
	if err := useNetwork(); err != nil {
		return Answer{}, err
	}
	before, err := measure()
	if err != nil {
		return Answer{}, err
	}
	w.options, w.guard = options, newGuard(options.Resolver)
	w.login.Store(options.Login)
	settings, err := w.settings()
	if err != nil {
		return Answer{}, err
	}
	w.client, err = keyslot.New(ctx, settings)
	return Answer{Resources: &before}, err
}

// useNetwork makes the runtime open what it needs to wait for sockets, which it keeps: two descriptors that are not the
// client's.
func useNetwork() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return listener.Close()
}

func (w *worker) begin(ctx context.Context, order Order) (Answer, error) {
	r, err := newRound(w, order)
	if err != nil {
		return Answer{}, err
	}
	if err := r.seed(ctx); err != nil {
		return Answer{}, errors.Join(err, r.file.Close())
	}
	w.guard.reset()
	r.start()
	w.round = r
	return Answer{Lanes: len(r.lanes)}, nil
}

func (w *worker) end() (Answer, error) {
	r := w.round
	w.round = nil
	beats, err := r.end()
	now, measured := measure()
	answer := Answer{
		File: r.path, Lanes: len(r.lanes), Beats: beats, Resources: &now, At: r.now(),
	}
	answer.Signs, answer.Violations = w.guard.told()
	return answer, errors.Join(err, measured)
}

func (w *worker) close() (Answer, error) {
	err := w.client.Close()
	w.client = nil
	after, measured := measure()
	return Answer{Resources: &after}, errors.Join(err, measured)
}

// leave ends what the driver has left open.
func (w *worker) leave() {
	if w.round != nil {
		_, _ = w.round.end() // nobody is there to be told
	}
	if w.client != nil {
		_ = w.client.Close() // nobody is there to be told
	}
}

// settled is how long measure waits for goroutines that are on their way out, such as those of connections that
// were just closed.
const settled = 200 * time.Millisecond

// measure tells what the process holds, once it does not become less any more.
func measure() (ledger.Resources, error) {
	now, err := holds()
	for until := time.Now().Add(settled); err == nil && time.Now().Before(until); {
		<-time.After(settled / 10)
		var next ledger.Resources
		next, err = holds()
		now.Goroutines, now.Descriptors = min(now.Goroutines, next.Goroutines), min(now.Descriptors, next.Descriptors)
	}
	now.Resident = resident()
	return now, err
}
