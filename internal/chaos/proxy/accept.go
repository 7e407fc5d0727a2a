package proxy

import (
	"errors"
	"net"
	"time"
)

// acceptPause is between two tries when a process is out of descriptors.
const acceptPause = 10 * time.Millisecond

// accept takes connections from listener until it is closed.
func (f *Front) accept(listener net.Listener) {
	// Ends when Set or Close closes the listener; Close waits for it.
	f.running.Go(func() {
		for {
			conn, err := listener.Accept()
			switch {
			case err == nil:
				f.adopt(conn.(*net.TCPConn))
			case errors.Is(err, net.ErrClosed):
				return
			default:
				select {
				case <-f.ctx.Done():
				case <-time.After(acceptPause):
				}
			}
		}
	})
}

func (f *Front) adopt(client *net.TCPConn) {
	l := &link{front: f, client: client, done: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		_ = client.Close()
		return
	}
	f.links[l] = struct{}{}
	// Ends when both ends of the connection have, or one is reset, which Close sees to before it waits.
	f.running.Go(func() {
		l.run()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.links, l)
	})
}

// now returns the fault in effect, its number, and a channel that is closed when another one is set.
func (f *Front) now() (fault Fault, setting uint64, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault, f.setting, f.changed
}

// draw returns how many bytes a connection may pass before cut ends it.
func (f *Front) draw(cut Cut) int64 {
	if cut.After == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(0, cut.After())
}
