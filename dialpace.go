package keyslot

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// forgetFailure is how long after the last pause a failure counts.
const forgetFailure = 10 * time.Second

// dialPace decides when a node may be dialled again, for all its connections. It is a circuit breaker: a failure opens
// it, after a pause one dial at a time goes ahead to see, and a connection made since that serves closes it. Older ones
// say nothing of new dials. Safe for concurrent use.
type dialPace struct {
	mu           sync.Mutex
	err          error        // guarded by mu: why the last dial, or the connection that it made, was useless; nil: closed
	since        []*wire.Conn // guarded by mu: made since then
	trying       bool         // guarded by mu: one dial goes ahead to see
	notyet       time.Time    // guarded by mu: no dial before this time
	loginRefused bool         // guarded by mu: the last dial was refused its login
	pace         pacer        // guarded by mu: after dials that failed
	login        pacer        // guarded by mu: after logins that were refused
}

// allow returns nil if the node may be dialled now, or why the last dial failed. ended must follow a dial allowed, or
// withdrawn.
func (r *dialPace) allow(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.isOpen(now) {
		return nil
	}
	if r.trying || now.Before(r.notyet) {
		return r.err
	}
	r.trying = true
	return nil
}

// ended notes what became of a dial to the node, whether it was allowed here or not; conn is nil if a subscription owns it, or
// a replica was found unfit to be read. Success alone ends nothing but that a login was refused: the connection has to serve.
func (r *dialPace) ended(conn *wire.Conn, err error, now time.Time) {
	if err != nil {
		r.failed(err, now)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trying = false
	switch {
	case r.loginRefused:
		r.close()
	case conn != nil && r.isOpen(now):
		r.since = slices.DeleteFunc(r.since, func(c *wire.Conn) bool { return c.Err() != nil })
		r.since = append(r.since, conn)
	}
}

// withdrawn notes that whoever dialled has ended the dial, which says nothing of the node.
func (r *dialPace) withdrawn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trying = false
}

func (r *dialPace) failed(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pace := &r.pace
	if r.loginRefused = isRefusedLogin(err); r.loginRefused {
		pace = &r.login
	}
	r.err, r.since, r.trying, r.notyet = err, nil, false, now.Add(pace.next())
}

// served notes that a subscription's connection served to its end, as it may have been made since the failure. That
// says nothing of new logins: it outlived its password.
func (r *dialPace) served() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.loginRefused {
		r.close()
	}
}

// isOpen reports whether the last failure counts, and closes the breaker if a connection made since has served, or if
// nobody has wanted to dial for a while: it says nothing of the node any more. mu is held.
func (r *dialPace) isOpen(now time.Time) bool {
	isOld := !r.loginRefused && !r.trying && now.Sub(r.notyet) >= forgetFailure
	if isOld || slices.ContainsFunc(r.since, (*wire.Conn).Proven) {
		r.close()
	}
	return r.err != nil
}

// close forgets the last failure. mu is held.
func (r *dialPace) close() {
	r.err, r.since, r.notyet, r.loginRefused = nil, nil, time.Time{}, false
	r.pace.reset()
	r.login.reset()
}

// state returns why the last dial failed, nil if none did, and then when the next one may be tried, and whether the
// login was refused.
func (r *dialPace) state() (notyet time.Time, loginRefused bool, failed error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isOpen(time.Now())
	return r.notyet, r.loginRefused, r.err
}

func (r *dialPace) failing() bool {
	_, _, err := r.state()
	return err != nil
}

// loginPace decides when an address behind an endpoint, which is no node yet and has no dialPace, may be dialled again
// after a refused login: the endpoints are asked each time that the nodes lead to nothing. Safe for concurrent use.
type loginPace struct {
	mu      sync.Mutex
	refused map[netip.AddrPort]*refusedLogin // guarded by mu
}

type refusedLogin struct {
	err    error
	notyet time.Time
	pace   pacer
}

// allow returns nil if an address may be dialled now, or why the last login there was refused.
func (l *loginPace) allow(addr netip.AddrPort, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := l.refused[addr]; last != nil && now.Before(last.notyet) {
		return last.err
	}
	return nil
}

// ended notes what became of a dial.
func (l *loginPace) ended(addr netip.AddrPort, err error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		delete(l.refused, addr)
	}
	if !isRefusedLogin(err) { // a dial that was given up says nothing of logins
		return
	}
	last := l.refused[addr]
	if last == nil {
		if l.refused == nil || len(l.refused) >= maxNames {
			l.refused = map[netip.AddrPort]*refusedLogin{}
		}
		last = &refusedLogin{pace: pacer{first: minLogin, limit: maxLogin}}
		l.refused[addr] = last
	}
	last.err, last.notyet = err, now.Add(last.pace.next())
}

// isRefusedLogin reports whether a server has refused a dial for its credentials.
func isRefusedLogin(err error) bool {
	var dial *wire.DialError
	var refused wire.Refusal
	return errors.As(err, &dial) && dial.Phase == wire.PhaseAuth && errors.As(err, &refused)
}
