package keyslot

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// Connections are replaced before they are too old. Nobody logs in on a connection that is in use: a server may swallow
// the answer to a refused AUTH, and then every later reply goes to the wrong caller.

// minConnAge is the least MaxConnAge: connections are looked at four times a second.
const minConnAge = time.Second

var errAged = errors.New("the connection has reached MaxConnAge")

// jitteredAge returns when a connection is to be replaced: not all at once, but all before limit.
func jitteredAge(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return limit - rand.N(limit/4)
}

// replace is told, four times a second, that a shared connection is in use and old. The node's dial pace decides when
// another one is tried; meanwhile the old one serves.
func (n *node) replace(conn *wire.Conn) {
	for i := range n.lanes {
		n.lanes[i].replace(conn)
		n.reading.lanes[i].replace(conn)
	}
}

// replace dials a successor for old, if old is the lane's, unless one is being dialled.
func (l *lane) replace(old *wire.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.retired || l.replacing || now.Before(l.notyet) || l.trackOf(old) == nil || l.node.redial.allow(now) != nil {
		return
	}
	l.replacing = true
	l.node.pool.work.Add(1)
	go l.dialSuccessor(old) // ends with the dial, or when old has answered what it owes; pool.close waits for it
}

func (l *lane) dialSuccessor(old *wire.Conn) {
	defer l.node.pool.work.Done()
	next, err := l.connect(nil)
	failed := exceptUnfit(err)
	l.node.redial.ended(next, failed, time.Now())
	l.mu.Lock()
	if err != nil && failed == nil { // which paces no dial, and while the old one answers the replica's rests are short
		l.notyet = time.Now().Add(maxRest)
	}
	surplus := err == nil && (l.retired || !l.succeed(old, next))
	l.mu.Unlock()
	switch {
	case surplus:
		next.Drain()
	case err == nil:
		old.Drain()
		old.Wait()
	}
	l.mu.Lock()
	l.replacing, l.leaving = false, nil
	l.mu.Unlock()
}

// succeed puts next in the place of old, or where old has gone meanwhile in the one it left, and reports whether there
// was one. Whoever finds next from now on is served behind all who found old. mu is held.
func (l *lane) succeed(old, next *wire.Conn) bool {
	t := l.trackOf(old)
	if t == nil {
		return l.small.conn.CompareAndSwap(nil, next)
	}
	next.Follow(old)
	t.conn.Store(next)
	l.leaving = old
	return true
}

// predecessor returns the connection that has a successor and may still owe replies; nil if there is none.
func (l *lane) predecessor() *wire.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaving
}

// trackOf returns the track whose connection conn is; nil if it is none of the lane's. mu is held.
func (l *lane) trackOf(conn *wire.Conn) *track {
	for _, t := range l.tracks() {
		if t.conn.Load() == conn {
			return t
		}
	}
	return nil
}
