package keyslot

import (
	"bytes"
	"sync/atomic"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// askedLife is how long a slot counts as being migrated after its last ASK. While the migration goes on, keys that have
// moved are asked for again, and each ASK prolongs it.
const askedLife = 30 * time.Second

// askedSlots remembers which slots answered ASK a moment ago: before Valkey 8, their replicas do not know what has
// moved. It is safe for concurrent use; it costs one load until the first ASK, and 128 KiB from then on.
type askedSlots struct {
	anyAt atomic.Int64                            // when any slot was last redirected: see core.now; 0: never
	until atomic.Pointer[[slotCount]atomic.Int64] // by slot: see core.now
}

// redirected notes a redirect of any slot.
func (a *askedSlots) redirected(now int64) { a.anyAt.Store(max(now, 1)) }

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

// doubts sends a read to the primary that a replica has answered as if a key did not exist, while slots are moving:
// nothing tells the first keys that have moved from such as never were.
func (c *core) doubts(call *call) bool {
	moved := c.asked.anyAt.Load()
	if moved == 0 || call.terms.reads == Replica || !isEmptyHanded(call.Frame) || c.now()-moved > int64(askedLife) {
		return false
	}
	if c.routes.Load().primary(uint16(call.slot)) == nil { // it is listed without an address: the replica would be asked again
		return false
	}
	c.traceRetry(call, retryDoubt)
	call.noteStep(retryDoubt)
	call.ownTrouble() // as every call that goes on
	call.node, call.readonly, call.spurned = nil, false, true
	return true
}

// isEmptyHanded reports whether a reply may be that of a key that does not exist: null, 0, nothing, or with a null in it.
func isEmptyHanded(frame []byte) bool {
	return resp.KindOf(frame) == resp.Null || bytes.HasPrefix(frame[1:], []byte("0\r\n")) ||
		bytes.Contains(frame, []byte("\n_\r\n")) || bytes.Contains(frame, []byte("\n$-1\r\n"))
}
