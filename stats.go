package keyslot

import (
	"cmp"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/internal/wire"
)

// Stats is what a client has done since it was made, and how it stands. It is a snapshot, and the caller's own copy.
//
// What is called a counter never falls as long as the client lives, also when it is closed, and is no more exact than
// its parts: they are read one after the other while commands go on.
type Stats struct {
	// Nodes has a row for each address that a map has listed or that the client was connected to, by address. Nodes
	// that have left keep theirs, the last 1024 of them that were ever connected to; those that come back at their
	// address go on with it. The reader endpoint of a group has a row for each of its addresses, all under its name.
	Nodes []NodeStats
	// Elsewhere is the row of all other addresses together: of endpoints, until it is known which node answers there,
	// of those that only redirects name, of nodes that have left and lost their rows, and of commands for which no node
	// was known. It is no node's: of what is no counter, it has Conns, Busy and InFlight only.
	Elsewhere NodeStats
	// Refreshes counts attempts to refresh the slot map by why they were asked for (RefreshEvent.Reason), and
	// RefreshesFailed those of them in which no node answered. Reasons after the first 32 count as "other".
	Refreshes, RefreshesFailed map[string]int64
	// Epoch is the epoch of the map in use, 0 where the cluster does not tell or there is no map yet.
	Epoch uint64
	// MapAge is the time since the answer was asked for that the map in use is built on; 0 without a map.
	MapAge time.Duration
}

// NodeStats are the counters and the state of one node.
type NodeStats struct {
	Node Node // as it was last known
	// Role is "primary" or "replica" by the map in use, and empty for a node that it does not list.
	Role string

	// Commands is a counter of the commands given to connections of the node, each attempt of each; one that is given
	// up before it was written counts too. A transaction is one command. The client's own questions about topology and
	// roles count, its PINGs and what subscriptions send do not.
	Commands int64
	// InFlight is how many of them wait for their reply at this moment, those given up included.
	InFlight int
	// BytesWritten and BytesRead are counters of RESP on connections for commands, without handshakes and TLS.
	BytesWritten, BytesRead int64

	// Moved and Asked are counters of the redirects that the node answered with and that were followed.
	Moved, Asked int64
	// Retries are counters of the attempts at the node that were to be made again, by RetryEvent.Reason; nil
	// where there are none.
	Retries map[string]int64

	// Dials and DialsFailed are counters of the dials that succeeded and of those that failed, of all kinds of connections.
	Dials, DialsFailed int64
	// Conns is how many connections are open, those for blocking commands and subscriptions included; Busy is how many
	// of them wait for a reply or belong to a subscription.
	Conns, Busy int
	// Desyncs is a counter of connections that were closed because their replies were out of step (Trace.Desynced).
	Desyncs int64

	// DialError names the step at which the last dial failed: resolve, dial, tls, hello or auth. It is hello too where
	// the dial succeeded and its connection ended before it answered a command. Empty: nothing failed, or a connection
	// serves, unless a login was refused. While it is not empty the node is dialled by one connection at a time, and
	// not before NextDial.
	DialError string
	NextDial  time.Time
	// Silent means that a connection for commands that do not block has owed replies for 500 ms or more without
	// receiving a byte. The node is suspected, and others are asked about it.
	Silent bool
}

// Stats returns what the client has counted and how it stands. It blocks for nothing but short locks, and allocates
// in proportion to the nodes: calling it every second is cheap with 500 of them. A Lazy client has no Nodes before
// its first command.
func (c *Client) Stats() Stats {
	k := c.core.pool.takeStock()
	for _, open := range k.conns {
		open.row.use(open.conn.Usage(), open.accounted)
	}
	s := Stats{Elsewhere: k.elsewhere.NodeStats, Refreshes: k.refreshes, RefreshesFailed: k.failed}
	if r := c.core.routes.Load(); r != nil {
		s.Epoch, s.MapAge = r.epoch, time.Since(r.at)
		k.assignRoles(r)
	}
	for n, row := range k.nodes {
		row.Node = n.info()
		row.describe(&n.redial)
	}
	s.Nodes = make([]NodeStats, len(k.rows))
	slices.SortFunc(k.rows, func(a, b *stockRow) int {
		return cmp.Or(cmp.Compare(a.at.addr, b.at.addr), cmp.Compare(a.at.seat, b.at.seat))
	})
	for i, row := range k.rows {
		s.Nodes[i] = row.NodeStats
	}
	return s
}

// stock is what one call of Stats has found under the locks, and completes without them.
type stock struct {
	elsewhere         stockRow
	rows              []*stockRow
	nodes             map[*node]*stockRow // those that have not left
	conns             []stockConn
	refreshes, failed map[string]int64
}

type stockRow struct {
	NodeStats
	at     spot
	serves bool // a connection is open that has answered
}

// stockConn is an open connection, and what the row has of it already.
type stockConn struct {
	conn      *wire.Conn
	row       *stockRow
	accounted wire.Usage
}

// takeStock copies what has been counted and lists what is open: of a connection that ends meanwhile the row lacks
// nothing, for it goes on telling what it was used for.
func (p *pool) takeStock() *stock {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &p.tallies
	t.mu.Lock()
	defer t.mu.Unlock()
	k := &stock{nodes: make(map[*node]*stockRow, len(p.nodes)), refreshes: map[string]int64{}, failed: map[string]int64{}}
	k.elsewhere.NodeStats = t.elsewhere.stats()
	byTally := map[*tally]*stockRow{&t.elsewhere: &k.elsewhere}
	for at, tally := range t.rows {
		row := &stockRow{NodeStats: tally.stats(), at: at}
		k.rows = append(k.rows, row)
		byTally[tally] = row
	}
	for o := range p.open {
		k.conns = append(k.conns, stockConn{o.conn, byTally[t.home(o)], o.accounted})
	}
	for _, n := range p.nodes {
		if n.tally != nil {
			k.nodes[n] = byTally[n.tally]
		}
	}
	for reason, n := range t.refreshed {
		k.refreshes[reason] = n.all
		if n.failed > 0 {
			k.failed[reason] = n.failed
		}
	}
	return k
}

// stats returns what has been counted. tallies.mu is held.
func (t *tally) stats() NodeStats {
	s := NodeStats{
		Node: t.info, Commands: t.ended.Calls, BytesWritten: t.ended.Written, BytesRead: t.ended.Read,
		Moved: t.counts[countMoved], Asked: t.counts[countAsked], Dials: t.counts[countDialled], DialsFailed: t.counts[countDialFailed],
		Conns: t.streams, Busy: t.streams, Desyncs: t.counts[countDesynced],
	}
	for i, reason := range retryReasons {
		n := t.counts[int(countRetried)+i]
		if n > 0 && s.Retries == nil {
			s.Retries = make(map[string]int64)
		}
		if n > 0 {
			s.Retries[reason] = n
		}
	}
	return s
}

// use adds an open connection, of which so much was counted before.
func (r *stockRow) use(used, accounted wire.Usage) {
	r.Commands += used.Calls - accounted.Calls
	r.BytesWritten += used.Written - accounted.Written
	r.BytesRead += used.Read - accounted.Read
	r.InFlight += used.InFlight
	r.Conns++
	if used.InFlight > 0 {
		r.Busy++
	}
	r.Silent = r.Silent || used.Silent
	r.serves = r.serves || used.Proven
}

// describe says whether the node is dialled. A failure is over once a connection serves, though for the pace of dials
// older ones count for nothing; a login that is refused is not, for connections outlive their password.
func (r *stockRow) describe(pace *dialPace) {
	notyet, loginRefused, failed := pace.state()
	if failed != nil && (loginRefused || !r.serves) {
		r.DialError, r.NextDial = phaseOf(failed, false), notyet
	}
}

func (k *stock) assignRoles(r *routes) {
	for _, s := range r.shards {
		for _, i := range s.replicas {
			k.assignRole(r.nodes[i], "replica")
		}
		if s.primary >= 0 {
			k.assignRole(r.nodes[s.primary], "primary")
		}
	}
}

func (k *stock) assignRole(n *node, role string) {
	if row := k.nodes[n]; row != nil {
		row.Role = role
	}
}
