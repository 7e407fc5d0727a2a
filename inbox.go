package keyslot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// How many messages an inbox holds, unless it is told otherwise; and what it can be told.
const (
	defaultInbox = 1 << 16
	maxInbox     = 1 << 20
	keepInbox    = 1 << 10 // room for so many waits for the next ones
)

// maxInboxBytes bounds what an inbox holds beside the number of its messages, of which each may have 512 MiB.
const maxInboxBytes = 64 << 20

var errSlowReader = errors.New("the reader is slow, and its buffer was full")

// delivery is a message, or a gap between two.
type delivery struct {
	Message
	topic string // what was subscribed to
	at    time.Time
	gap   *Gap
}

func (d *delivery) size() int { return len(d.Channel) + len(d.Payload) }

// inbox holds what has arrived and was not read yet. Whoever puts never waits: where it is full the oldest goes, and a
// gap in front says so. Safe for concurrent use.
type inbox struct {
	// immutable
	arrived chan struct{} // one slot; tells a reader to look
	ended   chan struct{} // closed by end

	mu sync.Mutex
	// guarded by mu
	limit   int
	items   []delivery
	head    int // of items: those before are taken
	bytes   int
	dropped *Gap            // in front of the items
	named   map[string]bool // the channels of dropped
	err     error
}

func (b *inbox) init() {
	b.limit, b.arrived, b.ended = defaultInbox, make(chan struct{}, 1), make(chan struct{})
}

// resize bounds the number of messages anew, and drops the oldest of those that are too many.
func (b *inbox) resize(limit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = limit
	b.makeRoom(0, 0)
}

// makeRoom drops the oldest until there is room for so many more messages, of so many bytes. mu is held.
func (b *inbox) makeRoom(messages, bytes int) {
	for n := len(b.items) - b.head; n > 0 && (n+messages > b.limit || b.bytes+bytes > maxInboxBytes); n-- {
		b.drop()
	}
}

// put adds what has arrived.
func (b *inbox) put(d delivery) {
	b.mu.Lock()
	b.makeRoom(1, d.size())
	if len(b.items) == cap(b.items) && b.head > len(b.items)/2 { // seldom enough
		b.items = slices.Delete(b.items, 0, b.head)
		b.head = 0
	}
	b.items = append(b.items, d)
	b.bytes += d.size()
	b.mu.Unlock()
	signal(b.arrived)
}

// pop takes the oldest item, of which there is one. mu is held.
func (b *inbox) pop() delivery {
	d := b.items[b.head]
	b.items[b.head] = delivery{}
	b.head++
	b.bytes -= d.size()
	if b.head == len(b.items) {
		if b.items, b.head = b.items[:0], 0; cap(b.items) > keepInbox {
			b.items = nil
		}
	}
	return d
}

// drop makes the oldest item part of the gap in front. mu is held.
func (b *inbox) drop() {
	d := b.pop()
	lost := d.gap
	if lost == nil {
		lost = &Gap{From: d.at, To: d.at, Channels: []string{d.topic}, Node: d.Node, Dropped: 1, Err: errSlowReader}
	}
	if b.dropped == nil {
		b.dropped, b.named = &Gap{From: lost.From, To: lost.To, Node: lost.Node, Err: lost.Err}, map[string]bool{}
	}
	lost.Channels = slices.DeleteFunc(lost.Channels, func(name string) bool {
		known := b.named[name]
		b.named[name] = true
		return known
	})
	b.dropped.add(lost)
}

// end lets readers have what is there, and then err.
func (b *inbox) end(err error) {
	b.mu.Lock()
	b.err = err
	b.mu.Unlock()
	close(b.ended)
}

// take returns the oldest message or gap. It waits for one, until ctx is done or the subscription has ended; then more
// is false, and err says why.
func (b *inbox) take(ctx context.Context) (d delivery, more bool, err error) {
	for {
		if ctx.Err() != nil {
			return delivery{}, false, ctx.Err()
		}
		over := isOver(b.ended)
		if d, more, err = b.next(); more || over {
			return d, more, err
		}
		select {
		case <-b.arrived:
		case <-b.ended:
		case <-ctx.Done():
		}
	}
}

func (b *inbox) next() (d delivery, more bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.dropped != nil:
		d.gap, b.dropped, b.named = b.dropped, nil, nil
	case b.head < len(b.items):
		d = b.pop()
	default:
		return d, false, b.err
	}
	if b.head < len(b.items) {
		signal(b.arrived) // another reader may wait
	}
	return d, true, nil
}
