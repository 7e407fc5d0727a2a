package keyslot

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

const (
	// maxDeparted is how many nodes that have left keep a row of their own. A cluster of 500 nodes can be replaced twice.
	maxDeparted = 1024
	// maxTriggers is how many reasons for a refresh are told apart. The client has a dozen, and names them after few replies.
	maxTriggers = 32
)

// counter is what is counted at each address.
type counter uint8

const (
	countDialled counter = iota // and connected
	countDialFailed
	countMoved
	countAsked
	countDesynced
	countRetried // the first of those by reason: see retryReasons
)

// retryReasons are those of RetryEvent. The last one is for what is none of them.
var retryReasons = [...]string{
	"TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "NOREPLICAS", "BUSY", "UNBLOCKED", "NOAUTH", "ERR", "MOVED", "ASK",
	"unserved", "dial", "unsent", "lost", "silent", "desync", "deposed", retryDoubt, otherReason,
}

const otherReason = "other"

func retriedFor(reason string) counter {
	at := slices.Index(retryReasons[:], reason)
	if at < 0 {
		at = len(retryReasons) - 1
	}
	return countRetried + counter(at)
}

// tally is what has happened at one address. Nothing here is counted command by command: what they are comes from the
// connections, when those have ended or when somebody asks. Guarded by tallies.mu.
type tally struct {
	info    Node // of the last node here
	counts  [int(countRetried) + len(retryReasons)]int64
	ended   wire.Usage // of the connections that have: what is counted of them
	streams int        // open connections of subscriptions
	met     bool       // a connection was made
	left    time.Time  // when the last node here left; zero: one is here
	heir    *tally     // where this one was added to when it lost its row
}

// add adds what a connection has been used for since then.
func (t *tally) add(now, then wire.Usage) {
	t.ended.Calls += now.Calls - then.Calls
	t.ended.Written += now.Written - then.Written
	t.ended.Read += now.Read - then.Read
}

// tallies count for Client.Stats, by the addresses of nodes. An address has a row once a map has listed it or a
// connection to it was made: what redirects invent has none, and is counted elsewhere. Safe for concurrent use.
type tallies struct {
	mu sync.Mutex
	// guarded by mu
	rows      map[spot]*tally
	departed  int   // rows of nodes that have left
	elsewhere tally // for what has no row
	refreshed map[string]*refreshCount
}

// refreshCount is how many refreshes there were for one reason.
type refreshCount struct{ all, failed int64 }

func (s *tallies) init() {
	s.rows, s.refreshed = make(map[spot]*tally), make(map[string]*refreshCount)
}

// count counts something at a node, or elsewhere where that is nil. The first connection to a node gives it its row.
func (s *tallies) count(n *node, what counter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what == countDialled {
		s.meet(n)
	}
	s.of(n).counts[what]++
}

// countDesync counts the end of a connection out of step, where the connection is counted by now.
func (s *tallies) countDesync(o *openConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.home(o).counts[countDesynced]++
}

// home returns where a connection is counted. mu is held.
func (s *tallies) home(o *openConn) *tally {
	if o.of == nil {
		return &s.elsewhere
	}
	return o.of.last()
}

// countRefresh counts a refresh by its reason.
func (s *tallies) countRefresh(reason string, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.refreshed[reason]
	if c == nil && len(s.refreshed) >= maxTriggers {
		reason = otherReason
		c = s.refreshed[reason]
	}
	if c == nil {
		c = new(refreshCount)
		s.refreshed[reason] = c
	}
	c.all++
	if failed {
		c.failed++
	}
}

// countStreams notes that subscriptions have so many connections more to a node, or less.
func (s *tallies) countStreams(n *node, more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(n).streams += more
}

// of returns where a node is counted. mu is held.
func (s *tallies) of(n *node) *tally {
	if n == nil || n.tally == nil {
		return &s.elsewhere
	}
	return n.tally.last()
}

// last returns the tally itself, or the one that it was added to.
func (t *tally) last() *tally { return cmp.Or(t.heir, t) }

// arrive gives a new node the row of its address, if there is one, or if a map has listed the node.
func (s *tallies) arrive(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows[n.at] != nil || n.info().ID != "" {
		s.list(n)
	}
}

// meet is list for a node that was connected to. mu is held.
func (s *tallies) meet(n *node) {
	if n != nil {
		s.list(n)
		s.of(n).met = true
	}
}

// list gives a node that is known by now its row. mu is held.
func (s *tallies) list(n *node) {
	if n.tally != nil || n.gone { // a dial may end when the node has left
		return
	}
	row := s.rows[n.at]
	if row == nil {
		row = new(tally)
		s.rows[n.at] = row
	}
	if !row.left.IsZero() {
		row.left = time.Time{}
		s.departed--
	}
	if info := n.info(); info.ID != "" || row.info == (Node{}) { // what a redirect tells is less
		row.info = info
	}
	n.tally = row
}

// leave notes that a node has left. Its row stays, unless it was never connected to, or too many have left since.
func (s *tallies) leave(n *node, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.gone = true
	row := n.tally
	switch {
	case row == nil:
		return
	case !row.met:
		s.forget(n.at, row)
		return
	}
	row.left, row.info = now, n.info()
	s.departed++
	if s.departed <= maxDeparted {
		return
	}
	oldest := n.at
	for at, other := range s.rows {
		if !other.left.IsZero() && other.left.Before(s.rows[oldest].left) {
			oldest = at
		}
	}
	s.departed--
	s.forget(oldest, s.rows[oldest])
}

// forget takes a row away. What was counted there stays counted. mu is held.
func (s *tallies) forget(at spot, row *tally) {
	delete(s.rows, at)
	row.heir = &s.elsewhere
	for i, n := range row.counts {
		s.elsewhere.counts[i] += n
	}
	s.elsewhere.add(row.ended, wire.Usage{})
	s.elsewhere.streams += row.streams
}

// account counts what a connection has been used for since it was last accounted. It goes on as a connection of now,
// or, where that is nil, has ended.
func (s *tallies) account(o *openConn, now *node) {
	used := o.conn.Usage()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.home(o).add(used, o.accounted)
	o.accounted = used
	if now != nil {
		s.meet(now)
		o.of = s.of(now)
	}
}
