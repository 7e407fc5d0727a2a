package worker

import (
	"context"
	"strconv"
	"sync"

	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

const (
	registerCells = 3
	// A key gets so many operations at most, and fewer where outcomes are unknown: the search for an order that
	// explains them takes time that grows with the first and explodes with the second.
	registerOps      = 200
	registerUnknowns = 6
)

// cell hands out one register after another. Its lanes share it.
type cell struct {
	// immutable
	round *round
	place place

	mu         sync.Mutex
	generation int // guarded by mu, as all below
	ops        int // begun on the key of this generation
	unknowns   int // ended unknown on it
}

// take returns the key for one more operation.
func (c *cell) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops >= registerOps || c.unknowns >= registerUnknowns {
		c.generation, c.ops, c.unknowns = c.generation+1, 0, 0
	}
	c.ops++
	return c.place.key("register", c.round.number) + strconv.Itoa(c.generation)
}

func (c *cell) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unknowns++
}

func (l *lane) registerGet() int {
	return l.register("get", func(ctx context.Context, op *ledger.Record) (err error) {
		op.Got, err = l.round.client.Get(ctx, op.Key)
		return err
	})
}

func (l *lane) registerSet() int {
	return l.register("set", func(ctx context.Context, op *ledger.Record) error {
		return l.round.client.Set(ctx, op.Key, op.Want)
	})
}

// swapped is what a swap that has happened returns.
const swapped = "1"

// swap puts ARGV[2] where ARGV[1] was; a missing key counts as empty.
const swap = `if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`

func (l *lane) registerSwap() int {
	return l.register("cas", func(ctx context.Context, op *ledger.Record) (err error) {
		op.Got, err = l.eval(ctx, swap, op.Key, op.From, op.Want)
		return err
	})
}

// register makes one call on a register and remembers what the lane has seen there, for the next swap.
func (l *lane) register(name string, do func(context.Context, *ledger.Record) error) int {
	cell := l.round.cells[l.draw.IntN(len(l.round.cells))]
	op := ledger.Record{ID: l.id(), Kind: ledger.Register, Via: name, Op: name, Key: cell.take(), Slot: cell.place.slot}
	if name != "get" {
		op.Want = op.ID
	}
	if name == "cas" {
		op.From = l.read[op.Key]
	}
	c := l.call()
	err := do(c.ctx, &op)
	c.returned()
	switch {
	case outcome(err) == ledger.Unknown:
		cell.lost()
	case err == nil && name == "get":
		l.read[op.Key] = op.Got
	case err == nil && (name == "set" || op.Got == swapped):
		l.read[op.Key] = op.Want
	}
	c.record(op, err)
	return 1
}
