package load

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

const (
	// A burst ends when nothing of its kind has happened for quiet, or when it has lasted for longestBurst: so many
	// redirects as a migration causes stay readable, and still show when they were.
	quiet        = time.Second
	longestBurst = 5 * time.Second

	// mostBursts bounds what is open at once.
	mostBursts = 100
)

// bursts makes one event of many that are alike. Safe for concurrent use.
type bursts struct {
	now func() time.Duration // since measuring began; negative before

	mu   sync.Mutex
	open map[likeness]*burst // guarded by mu
}

// likeness is what events of a burst have in common.
type likeness struct{ kind, text string }

type burst struct {
	first, last time.Duration
	count       int64
}

func newBursts(now func() time.Duration) *bursts {
	return &bursts{now: now, open: map[likeness]*burst{}}
}

// note adds n events that are alike. Those of the warm-up are dropped.
func (b *bursts) note(kind, text string, n int64) {
	now := b.now()
	if now < 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	of := likeness{kind, text}
	if b.open[of] == nil {
		if len(b.open) >= mostBursts {
			return // counted elsewhere; the timeline has had its share
		}
		b.open[of] = &burst{first: now}
	}
	b.open[of].last = now
	b.open[of].count += n
}

// over returns the bursts that have ended, as events in the order of time; all of them with the run.
func (b *bursts) over(end bool) []record.Event {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	var events []record.Event
	for of, burst := range b.open {
		if end || now-burst.last >= quiet || now-burst.first >= longestBurst {
			events = append(events, burst.event(of))
			delete(b.open, of)
		}
	}
	slices.SortFunc(events, func(a, b record.Event) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Text, b.Text))
	})
	return events
}

func (b *burst) event(of likeness) record.Event {
	text := of.text
	if b.count > 1 {
		text = fmt.Sprintf("%s, %d times in %.1f s", of.text, b.count, (b.last - b.first).Seconds())
	}
	return record.Event{At: seconds(b.first), Kind: of.kind, Text: text}
}
