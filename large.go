package keyslot

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// Large values (wire.Large) have a connection of their own beside the shared one, so that small ones do not wait behind them:
//
//   - a large request goes there, and everything that one batch sends to the lane with it;
//   - a request whose reply turns out to be large stays where it is, but its connection becomes the one for large values, and
//     whoever comes next uses the other one;
//   - the same request goes there at once the next time.

// foundLarge is told that a reply on conn is large.
func (c *core) foundLarge(n *node, conn *wire.Conn, request []byte) {
	c.larges.add(request)
	for i := range n.lanes {
		n.lanes[i].makeWay(conn)
		n.reading.lanes[i].makeWay(conn)
	}
}

// makeWay gives newcomers another connection than conn, unless that one is busy with large values too: a lane has no third.
func (l *lane) makeWay(conn *wire.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	other := l.large.conn.Load()
	if l.small.conn.Load() != conn || other != nil && other.InFlight() > 0 {
		return
	}
	l.small.conn.Store(other)
	l.large.conn.Store(conn)
}

// merge gives the small track, which has no connection, the large one's if that is idle, and reports whether it did: a
// dial for want of a free connection is not wanted any more. One that is being probed is not idle. mu is held.
func (l *lane) merge() bool {
	conn := l.large.conn.Load()
	if conn == nil || conn.Err() != nil || conn.InFlight() > 0 {
		return false
	}
	l.large.conn.Store(nil)
	l.small.conn.Store(conn)
	return true
}

// largeRequests remembers which requests had large replies, by hash: as many as it has places, the later of two that
// fall into one place. It is safe for concurrent use, allocates nothing, and costs one load as long as it is empty.
type largeRequests struct {
	seed   maphash.Seed // immutable
	used   atomic.Int32 // places that are not 0
	places [512]atomic.Uint64
}

func newLargeRequests() *largeRequests { return &largeRequests{seed: maphash.MakeSeed()} }

// isLarge reports whether a request is large, or its last reply was.
func (r *largeRequests) isLarge(request []byte) bool {
	if len(request) >= wire.Large {
		return true
	}
	if r.used.Load() == 0 {
		return false
	}
	hash, place := r.find(request)
	return place.Load() == hash
}

// answered forgets a request that is small and had a small reply this time.
func (r *largeRequests) answered(request, reply []byte) {
	if len(request) >= wire.Large || len(reply) >= wire.Large {
		return
	}
	if hash, place := r.find(request); place.CompareAndSwap(hash, 0) {
		r.used.Add(-1)
	}
}

func (r *largeRequests) add(request []byte) {
	hash, place := r.find(request)
	if place.Swap(hash) == 0 {
		r.used.Add(1)
	}
}

// find returns a request's hash, which is not 0, and its place.
func (r *largeRequests) find(request []byte) (hash uint64, place *atomic.Uint64) {
	hash = maphash.Bytes(r.seed, request) | 1
	return hash, &r.places[hash>>32%uint64(len(r.places))]
}
