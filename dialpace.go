package keyslot

import (
	"errors"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// dialPace decides when a node may be dialled again, for all its connections. Safe for concurrent use.
type dialPace struct {
	mu     sync.Mutex
	err    error      // guarded by mu: why the last dial, or the connection that it made, was useless
	heir   *wire.Conn // guarded by mu: a connection made since, which is to serve before err is forgotten
	notyet time.Time  // guarded by mu: no dial before this time
	pace   pacer      // guarded by mu: after dials that failed
	login  pacer      // guarded by mu: after logins that were refused
	barred bool       // guarded by mu: the last dial was refused its login
	trying bool       // guarded by mu: after a failure, one dial goes ahead to see
}

// allow returns nil if the node may be dialled now, or why the last dial failed. ended must follow a dial allowed.
func (r *dialPace) allow(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settleLocked()
	if r.err == nil {
		return nil
	}
	if r.trying || now.Before(r.notyet) {
		return r.err
	}
	r.trying = true
	return nil
}

// ended notes what became of a dial; conn is nil unless it is shared. Success alone resets nothing but that a login was refused:
// the connection has to serve.
func (r *dialPace) ended(conn *wire.Conn, err error, now time.Time) {
	if err != nil {
		r.failed(err, now)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trying = false
	r.madeLocked(conn)
}

// made notes a shared connection that was made by no dial allowed here, such as one that a topology came over.
func (r *dialPace) made(conn *wire.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.madeLocked(conn)
}

func (r *dialPace) madeLocked(conn *wire.Conn) {
	r.settleLocked()
	if r.barred {
		r.resetLocked()
	}
	if r.err != nil && conn != nil {
		r.heir = conn
	}
}

// settleLocked forgets the last failure if a connection that was made since has served. Older ones say nothing of new dials.
func (r *dialPace) settleLocked() {
	if r.heir != nil && r.heir.Proven() {
		r.resetLocked()
	}
}

func (r *dialPace) failed(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trying = false
	pace := &r.pace
	var dial *wire.DialError
	var refused wire.Refusal
	r.barred = errors.As(err, &dial) && dial.Phase == wire.PhaseAuth && errors.As(err, &refused)
	if r.barred {
		pace = &r.login
	}
	r.err, r.heir, r.notyet = err, nil, now.Add(pace.next())
}

// served notes that a connection of the node serves, or did. That says nothing of new logins: an old one outlives its password.
func (r *dialPace) served() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.barred {
		r.resetLocked()
	}
}

func (r *dialPace) resetLocked() {
	r.err, r.heir, r.notyet, r.barred = nil, nil, time.Time{}, false
	r.pace.reset()
	r.login.reset()
}

// state returns why the last dial failed, nil if none did, and then when the next one may be tried, and whether the login was
// refused.
func (r *dialPace) state() (notyet time.Time, barred bool, failed error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settleLocked()
	return r.notyet, r.barred, r.err
}

func (r *dialPace) failing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settleLocked()
	return r.err != nil
}
