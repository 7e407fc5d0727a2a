package keyslottest

import (
	"context"
	"net"
	"time"
)

const (
	// pushLimit is how much may wait for a subscriber that does not read before it is cut off, as by the server's
	// client-output-buffer-limit for pubsub.
	pushLimit = 32 << 20
	pushSize  = 64 << 10 // written at once
)

// outbox is what waits to be sent to a connection that was subscribed once: its messages come from the goroutines of
// others, which must not wait for it. So a goroutine of its own, push, writes everything that it is sent, replies
// included, in the order in which it came to be while Cluster.mu was held.
type outbox struct {
	// guarded by Cluster.mu
	waiting []byte
	posted  uint64 // bytes that ever came in
	sent    uint64 // bytes that were written

	mail  chan struct{} // has one element when something came in
	wrote chan struct{} // has one element when something was written
}

// startPushing is called by serve; mu is held.
func (cn *conn) startPushing() {
	if cn.pushing {
		return
	}
	cn.pushing = true
	cn.outbox.mail, cn.outbox.wrote = make(chan struct{}, 1), make(chan struct{}, 1)
	cn.cluster.running.Go(cn.push) // ends with the connection
}

// post leaves b to push; mu is held.
func (cn *conn) post(b []byte) {
	select {
	case <-cn.gone:
		return
	default:
	}
	box := &cn.outbox
	box.waiting = append(box.waiting, b...)
	box.posted += uint64(len(b))
	if len(box.waiting) > pushLimit && cn.subscribed.any() {
		cn.kill()
		return
	}
	signal(box.mail)
}

// postReplies leaves what has been answered to push; mu is held.
func (cn *conn) postReplies() {
	if len(cn.out.buf) > 0 {
		cn.post(cn.out.buf)
		cn.out.buf = cn.out.buf[:0]
	}
}

// push writes what is posted until the connection is gone.
func (cn *conn) push() {
	piece := make([]byte, 0, pushSize)
	for {
		next, hung := cn.nextPiece(piece)
		piece = next
		switch {
		case hung != nil:
			select {
			case <-hung:
			case <-cn.gone:
				return
			}
		case len(piece) == 0:
			select {
			case <-cn.outbox.mail:
			case <-cn.gone:
				return
			}
		default:
			if _, err := cn.nc.Write(piece); err != nil {
				cn.kill()
				return
			}
		}
	}
}

// nextPiece takes away what was written, and copies what is to be written next into its place: nothing while the node hangs.
func (cn *conn) nextPiece(written []byte) (next []byte, hung <-chan struct{}) {
	cn.cluster.mu.Lock()
	defer cn.cluster.mu.Unlock()
	box := &cn.outbox
	box.waiting = box.waiting[len(written):]
	if len(written) > 0 {
		box.sent += uint64(len(written))
		signal(box.wrote)
	}
	if len(box.waiting) == 0 {
		box.waiting = nil // do not keep what a slow client once needed
	}
	if hung = cn.node.hung(); hung != nil {
		return written[:0], hung
	}
	return append(written[:0], box.waiting[:min(pushSize, len(box.waiting))]...), nil
}

// drain returns when everything that was answered or posted until now is written.
func (cn *conn) drain() error {
	if err := cn.flush(); err != nil || !cn.pushing {
		return err
	}
	for all := cn.posted(); cn.sent() < all; {
		select {
		case <-cn.outbox.wrote:
		case <-cn.gone:
			return net.ErrClosed
		}
	}
	return nil
}

func (cn *conn) posted() uint64 {
	cn.cluster.mu.Lock()
	defer cn.cluster.mu.Unlock()
	return cn.outbox.posted
}

func (cn *conn) sent() uint64 {
	cn.cluster.mu.Lock()
	defer cn.cluster.mu.Unlock()
	return cn.outbox.sent
}

// hung is closed when the node ends to hang as a whole, and nil unless it does. mu is held.
func (n *node) hung() <-chan struct{} {
	for _, f := range n.faults {
		if f.Stall && len(f.words) == 0 && f.Times == 0 && f.seen >= f.After {
			return f.removed
		}
	}
	return nil
}

// tellAll waits until the subscribers of s have been sent what they are told, but for a second at most: they might not read.
func (c *Cluster) tellAll(ctx context.Context, s *shard) {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	for c.owesMessages(s) && pause(ctx, time.Millisecond) == nil {
	}
}

func (c *Cluster) owesMessages(s *shard) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range s.nodes() {
		for cn := range n.conns {
			if len(cn.outbox.waiting) > 0 {
				return true
			}
		}
	}
	return false
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
