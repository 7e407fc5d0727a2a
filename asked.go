package keyslot

import (
	"sync/atomic"
	"time"
)

// askedLife is how long a slot counts as being migrated after its last ASK. While the migration goes on, keys that have moved
// are asked for again, and each ASK prolongs it.
const askedLife = 30 * time.Second

// askedSlots remembers which slots answered ASK a moment ago: before Valkey 8, their replicas do not know what has moved. It is
// safe for concurrent use; it costs one load until the first ASK, and 128 KiB from then on.
type askedSlots struct {
	until atomic.Pointer[[slotCount]atomic.Int64] // by slot: see core.now
}

func (a *askedSlots) note(slot uint16, now int64) {
	until := a.until.Load()
	if until == nil {
		a.until.CompareAndSwap(nil, new([slotCount]atomic.Int64))
		until = a.until.Load()
	}
	until[slot].Store(now + int64(askedLife))
}

// lately reports whether a slot is being migrated.
func (a *askedSlots) lately(slot uint16, core *core) bool {
	slots := a.until.Load()
	if slots == nil {
		return false
	}
	until := slots[slot].Load()
	return until > 0 && core.now() < until
}
