package worker

import (
	"strconv"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// write returns the record of a write to a ledger of the place. kind tells apart the ledgers of one slot. Its field is
// new, so it must be told what it adds, and no two writes of a round add the same: else they could change replies, and
// nobody would see it.
func (l *lane) write(at place, kind, via string) ledger.Record {
	op := ledger.Record{ID: l.id(), Kind: ledger.Write, Via: via, Key: at.key(kind, l.round.number), Slot: at.slot}
	op.N = l.issued*len(l.round.lanes) + l.number
	op.Want = strconv.Itoa(op.N)
	return op
}

// increment writes by HINCRBY.
func (l *lane) increment() int {
	op := l.write(l.pick(), "ledger", "plain")
	c := l.call()
	count, err := l.round.client.HIncrBy(c.ctx, op.Key, op.ID, int64(op.N))
	c.returned()
	op.Got = strconv.FormatInt(count, 10)
	c.record(op, err)
	return 1
}

// writeTwice writes to two ledgers of one slot, which a migration may have torn apart, as one.
const writeTwice = `redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[3])
return redis.call('HINCRBY', KEYS[2], ARGV[2], ARGV[3])`

// script writes the same by EVAL to two keys, and is told one count.
func (l *lane) script() int {
	at := l.pick()
	first, second := l.write(at, "ledger", "eval"), l.write(at, "twin", "eval")
	first.Group, second.Group = first.ID, first.ID
	second.N, second.Want = first.N, first.Want
	c := l.call()
	reply, err := l.round.client.Eval(c.ctx, writeTwice, []string{first.Key, second.Key}, first.ID, second.ID, first.Want)
	c.returned()
	if err == nil {
		second.Got, err = reply.Text()
	}
	first.Got = second.Got
	c.record(first, err)
	c.record(second, err)
	return 1
}

// queuedWrite is a write in a pipeline or a transaction.
type queuedWrite struct {
	op    ledger.Record
	count *keyslot.Future[int64]
}

func (q queuedWrite) record(c *call) {
	count, err := q.count.Get()
	q.op.Got = strconv.FormatInt(count, 10)
	q.op.Reordered = q.count.Reordered()
	c.record(q.op, err)
}

// queuedRead is a read, of a value bound to its key, in a pipeline.
type queuedRead struct {
	op    ledger.Record
	value *keyslot.Future[string]
}

func (q queuedRead) record(c *call) {
	var err error
	q.op.Got, err = q.value.Get()
	q.op.Reordered = q.value.Reordered()
	c.record(q.op, err)
}

// mixedPipeline writes to three slots, several times to each, and reads between.
func (l *lane) mixedPipeline() int {
	p, via := l.pipeline()
	var writes []queuedWrite
	var reads []queuedRead
	for range 3 {
		at := l.pick()
		for range 2 {
			op := l.write(at, "ledger", via)
			writes = append(writes, queuedWrite{op, p.HIncrBy(op.Key, op.ID, int64(op.N))})
		}
		op := l.bound(at, via)
		reads = append(reads, queuedRead{op, p.Get(op.Key)})
		op = l.nonce(l.pick(), via)
		reads = append(reads, queuedRead{op, p.Echo(op.Want)})
	}
	c := l.call()
	_ = p.Exec(c.ctx) // every future tells its own part of it
	c.returned()
	for _, q := range writes {
		q.record(c)
	}
	for _, q := range reads {
		q.record(c)
	}
	return len(writes) + len(reads)
}

// pipeline returns an empty pipeline, which keeps the order of its commands for each key or only tries to.
func (l *lane) pipeline() (p *keyslot.Pipeline, via string) {
	if l.draw.IntN(2) == 0 {
		return l.round.client.Pipeline().Ordered(), "ordered pipeline"
	}
	return l.round.client.Pipeline(), "pipeline"
}

// transaction writes to both ledgers of a slot.
func (l *lane) transaction() int {
	tx := l.round.client.Tx()
	writes := l.queueWrites(tx, l.pick(), "tx")
	c := l.call()
	_ = tx.Exec(c.ctx) // every future tells its own part of it
	c.returned()
	for _, q := range writes {
		q.record(c)
	}
	return len(writes)
}

// queueWrites queues three writes that run together or not at all.
func (l *lane) queueWrites(tx *keyslot.Tx, at place, via string) []queuedWrite {
	var writes []queuedWrite
	for _, kind := range []string{"ledger", "twin", "ledger"} {
		op := l.write(at, kind, via)
		op.Group = op.ID
		if len(writes) > 0 {
			op.Group = writes[0].op.ID
		}
		writes = append(writes, queuedWrite{op, tx.HIncrBy(op.Key, op.ID, int64(op.N))})
	}
	return writes
}

// watch runs a transaction on what it has read before. Now and then it writes to the watched key itself, in between,
// and then the transaction must not run.
func (l *lane) watch() int {
	at := l.pick()
	watched := at.key("watched", l.round.number)
	c := l.steadyCall()
	if c.kind == ledger.Patient {
		c.within *= 4 // each step has CommandTimeout for itself
	}
	var writes []queuedWrite
	var spoilt bool
	err := l.round.client.Watch(c.ctx, []string{watched}, func(w *keyslot.Watched) error {
		if _, err := w.Exists(c.ctx, watched); err != nil {
			return err
		}
		if l.draw.IntN(4) == 0 {
			spoilt = l.round.client.Set(c.ctx, watched, l.id()) == nil
		}
		tx := w.Tx()
		writes = l.queueWrites(tx, at, "watch")
		return tx.Exec(c.ctx)
	})
	c.returned()
	if len(writes) == 0 { // it has not come as far as that
		c.record(l.write(at, "ledger", "watch"), err)
		return 1
	}
	for _, q := range writes {
		q.op.Spoilt = spoilt
		q.record(c)
	}
	return len(writes) + 1
}

// steadyCall begins a call that has a connection to itself. Cancelling ends the connection, so a storm spares it: its
// dials would hide those that the storm must not cause.
func (l *lane) steadyCall() *call {
	if l.round.mode.CancelStorm {
		return l.patientCall()
	}
	return l.call()
}
