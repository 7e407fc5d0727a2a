package worker

import (
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

// element returns the record of the next push to a list, which only this lane pushes to.
func (l *lane) element(key string, slot uint16, via string) ledger.Record {
	l.pushed[key]++
	return ledger.Record{ID: l.id(), Kind: ledger.Push, Via: via, Key: key, Slot: slot, N: l.pushed[key]}
}

// ownList returns a list of a few that belong to the lane, so that each gets many elements.
func (l *lane) ownList() (key string, slot uint16) {
	places := l.round.everywhere
	switch {
	case l.home != nil:
		places = l.home
	case len(l.round.inFocus) > 0 && l.draw.IntN(2) == 0:
		places = l.round.inFocus
	}
	at := places[l.draw.IntN(min(6, len(places)))*len(places)/min(6, len(places))]
	return at.key("list", l.round.number) + strconv.Itoa(l.number), at.slot
}

func (l *lane) push() int {
	key, slot := l.ownList()
	return l.pushTo(key, slot)
}

func (l *lane) pushTo(key string, slot uint16) int {
	op := l.element(key, slot, "rpush")
	c := l.call()
	length, err := l.round.client.RPush(c.ctx, key, strconv.Itoa(op.N))
	c.returned()
	op.Got = strconv.FormatInt(length, 10)
	c.record(op, err)
	return 1
}

// pushPipeline pushes several elements to each of two lists.
func (l *lane) pushPipeline() int {
	type queued struct {
		op     ledger.Record
		length *keyslot.Future[int64]
	}
	p, via := l.pipeline()
	var pushes []queued
	for range 2 {
		key, slot := l.ownList()
		for range 4 {
			op := l.element(key, slot, via)
			pushes = append(pushes, queued{op, p.RPush(key, strconv.Itoa(op.N))})
		}
	}
	c := l.call()
	_ = p.Exec(c.ctx) // every future tells its own part of it
	c.returned()
	for _, q := range pushes {
		length, err := q.length.Get()
		q.op.Got, q.op.Reordered = strconv.FormatInt(length, 10), q.length.Reordered()
		c.record(q.op, err)
	}
	return len(pushes)
}

// queues are how many lists pass elements from one lane to another.
const queues = 8

// queue returns the list that is this lane's turn.
func (l *lane) queue() (key string, slot uint16) {
	at := l.round.everywhere[l.turn%queues*len(l.round.everywhere)/queues]
	l.turn++
	return at.key("queue", l.round.number), at.slot
}

func (l *lane) enqueue() int {
	key, slot := l.queue()
	return l.pushTo(key, slot)
}

// popPatience is how long a pop waits at the server. The other lane comes round to each queue about twice in that time.
const popPatience = 500 * time.Millisecond

// dequeue pops, and waits for an element where there is none.
func (l *lane) dequeue() int {
	key, slot := l.queue()
	op := ledger.Record{ID: l.id(), Kind: ledger.Pop, Via: "blpop", Key: key, Slot: slot}
	c := l.steadyCall()
	if c.kind == ledger.Patient {
		c.within += popPatience // comes on top of CommandTimeout
	}
	popped, err := l.round.client.BLPop(c.ctx, popPatience, key)
	c.returned()
	op.Got = popped.Element
	c.record(op, err)
	return 1
}
