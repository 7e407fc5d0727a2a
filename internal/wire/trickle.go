package wire

import "time"

// gettingOn is what a link must carry of a frame in PeerTimeout. Of a request it must carry more: a writePiece.
const gettingOn = 64 << 10

// Trickle notices a frame that has begun and does not get on. A peer that sends a byte a second is never silent, and
// would hold up everybody for ever.
type Trickle struct {
	since    time.Time // when it got on last
	ended    int64     // what told frames apart then
	received int64     // bytes by then
}

// Observe returns for how long a frame neither ended, which changes ended, nor grew by 64 KiB; received counts all
// bytes. What is excused begins anew: there is no such frame, nobody waits for it, or this process slept.
func (t *Trickle) Observe(now time.Time, ended, received int64, excused bool) time.Duration {
	if excused || t.since.IsZero() || ended != t.ended || received-t.received >= gettingOn {
		t.since, t.ended, t.received = now, ended, received
	}
	return now.Sub(t.since)
}
