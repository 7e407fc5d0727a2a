package keyslot

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// An honest answer has no use for more. They bound the work, and the memory, that a hostile one can cause; an
// ElastiCache shard has 6 nodes at most, a cluster 500. The specification recommends 1000 at most, for the nodes' own
// gossip, and four times as many take a megabyte or two.
const (
	maxRanges     = slotCount
	maxShardNodes = 1024
	maxNodes      = 4096 // and of their mentions as replicas, each once for a shard
	maxNameLen    = 255  // of a host (RFC 1035) or an id
)

// TopologyError reports that a node's answer to CLUSTER INFO or CLUSTER SLOTS cannot be used. The client asks other
// nodes and keeps the map it has; it is among the causes of the *BootstrapError that New returns (errors.As).
type TopologyError struct {
	Node   string // host:port of the node that was asked
	Reason string // what is wrong with the answer
	Reply  string // the error the server replied with, if it did
}

func (e *TopologyError) Error() string {
	if e.Reply != "" {
		return fmt.Sprintf("keyslot: topology from %s: %s: %s", e.Node, e.Reason, e.Reply)
	}
	return fmt.Sprintf("keyslot: topology from %s: %s", e.Node, e.Reason)
}

// Unwrap returns Reply as a ServerError; nil if there is none.
func (e *TopologyError) Unwrap() error {
	if e.Reply == "" {
		return nil
	}
	return ServerError(e.Reply)
}

// view is one node's answer about the topology, parsed and not yet believed. It does not change once parsed.
type view struct {
	layout
	from     Node      // the node asked
	fromID   string    // its id as far as the answer tells, else ""
	at       time.Time // when it was asked
	ok       bool      // cluster_state:ok, or not told
	epoch    uint64
	hasEpoch bool
	overlaps int // slots listed more than once; the last listing counts
	skipped  int // nodes listed without an address that could be dialled

	role       role // standalone: what from said of itself
	undisputed bool // standalone: so did whoever is behind the endpoints
}

// parseView reads the replies to CLUSTER INFO and CLUSTER SLOTS. from must hold the host and port that were dialled:
// they stand in for an empty or NULL host and a port 0. at is when the question was sent, so that a redirect received
// after it counts as newer. An error reply to CLUSTER INFO (refused by an ACL, serverless) leaves the epoch unknown;
// any other reply that makes no sense is a *TopologyError.
//
//	CLUSTER INFO   $ "cluster_state:ok\r\n...cluster_current_epoch:6\r\n..."
//	CLUSTER SLOTS  * of [start, end, primary, replica...]; node = [endpoint, port, id, metadata]
//	  endpoint     "10.0.0.1", "name", "" or NULL (the host of this connection), "?" (see metadata)
//	  metadata     RESP2 *["ip", ip, ...], RESP3 %{"ip": ip, ...}: ip, hostname, availability-zone; absent before 7.0
//
// Elements behind those known, and unknown metadata, are ignored: later servers add some.
func parseView(info, slots resp.Value, from Node, at time.Time) (*view, error) {
	p := slotsParser{
		view:   &view{from: from, at: at, ok: true},
		owner:  new([slotCount]int16),
		nodeAt: map[nodeKey]int{}, shardAt: map[nodeKey]int16{},
	}
	if err := p.info(info); err != nil {
		return nil, err
	}
	if err := p.slots(slots); err != nil {
		return nil, err
	}
	p.view.owner = makeOwners(p.owner)
	p.count()
	p.fromID = p.askedID()
	if p.isServerless() {
		p.kind = serverless
		p.hideBackends()
	}
	return p.view, nil
}

// slotsParser is the state of one parseView.
type slotsParser struct {
	*view
	owner   *[slotCount]int16 // becomes view.owner
	nodeAt  map[nodeKey]int   // to an index into nodes; -1: cannot be dialled
	shardAt map[nodeKey]int16 // from the primary, to an index into shards
	copies  int               // replicas of all shards
}

// nodeKey names a node within one answer: its id, or its address where it has none.
type nodeKey struct {
	id, host string
	port     int64
}

func (p *slotsParser) nonsense(format string, args ...any) error {
	return &TopologyError{Node: p.from.Addr(), Reason: fmt.Sprintf(format, args...)}
}

func (p *slotsParser) info(v resp.Value) error {
	if isError(v) {
		return nil
	}
	text, ok := textOf(v)
	if !ok {
		return p.nonsense("CLUSTER INFO is not a text but %q", byte(v.Kind))
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch name {
		case "cluster_state":
			p.ok = value == "ok"
		case "cluster_current_epoch":
			if epoch, err := strconv.ParseUint(value, 10, 64); err == nil {
				p.epoch, p.hasEpoch = epoch, true
			}
		}
	}
	return nil
}

func (p *slotsParser) slots(v resp.Value) error {
	for i := range p.owner {
		p.owner[i] = -1
	}
	if isError(v) {
		reply := v.Str[:min(len(v.Str), maxNameLen)]
		return &TopologyError{Node: p.from.Addr(), Reason: "CLUSTER SLOTS refused", Reply: reply}
	}
	if v.Kind != resp.Array {
		return p.nonsense("CLUSTER SLOTS is not an array but %q", byte(v.Kind))
	}
	if len(v.Elems) > maxRanges {
		return p.nonsense("%d slot ranges, more than there are slots", len(v.Elems))
	}
	for _, r := range v.Elems {
		if err := p.slotRange(r); err != nil {
			return err
		}
		if p.overlaps > slotCount {
			return p.nonsense("the slot ranges overlap in more than %d slots", slotCount)
		}
	}
	return nil
}

func (p *slotsParser) slotRange(v resp.Value) error {
	e := v.Elems
	if v.Kind != resp.Array || len(e) < 2 || e[0].Kind != resp.Integer || e[1].Kind != resp.Integer {
		return p.nonsense("a slot range is not [start, end, nodes...]")
	}
	first, last := e[0].Int, e[1].Int
	if first < 0 || last >= slotCount || first > last {
		return p.nonsense("slot range %d-%d", first, last)
	}
	if nodes := len(e) - 2; nodes < 1 || nodes > maxShardNodes {
		return p.nonsense("slot range %d-%d lists %d nodes", first, last, nodes)
	}
	owner, err := p.shard(e[2], e[3:])
	if err != nil {
		return err
	}
	for slot := first; slot <= last; slot++ {
		if p.owner[slot] >= 0 {
			p.overlaps++
		}
		p.owner[slot] = owner
	}
	return nil
}

// shard returns the index of the primary's shard. The server repeats the same nodes for each range of a shard, so they
// are read once. A primary that cannot be dialled leaves a shard whose replicas still serve reads.
func (p *slotsParser) shard(primary resp.Value, replicas []resp.Value) (int16, error) {
	key, err := p.key(primary)
	if err != nil {
		return 0, err
	}
	if at, ok := p.shardAt[key]; ok {
		return at, nil
	}
	s := shard{}
	if s.primary, err = p.node(key, primary); err != nil {
		return 0, err
	}
	for _, v := range replicas {
		if !looksLikeNode(v) {
			continue // what a later server may list behind the nodes
		}
		key, err := p.key(v)
		if err != nil {
			return 0, err
		}
		r, err := p.node(key, v)
		if err != nil {
			return 0, err
		}
		if r >= 0 && r != s.primary && !slices.Contains(s.replicas, r) {
			s.replicas = append(s.replicas, r)
			p.copies++
		}
		if p.copies > maxNodes {
			return 0, p.nonsense("nodes are listed more than %d times as replicas", maxNodes)
		}
	}
	at := int16(len(p.shards)) // maxRanges fits
	p.shards = append(p.shards, s)
	p.shardAt[key] = at
	return at, nil
}

// looksLikeNode reports whether v begins like [endpoint, port, ...].
func looksLikeNode(v resp.Value) bool {
	if v.Kind != resp.Array || len(v.Elems) < 2 || v.Elems[1].Kind != resp.Integer {
		return false
	}
	_, ok := textOf(v.Elems[0])
	return ok || v.Elems[0].Kind == resp.Null
}

// key checks the form of a node, and says which one it is.
func (p *slotsParser) key(v resp.Value) (nodeKey, error) {
	if !looksLikeNode(v) {
		return nodeKey{}, p.nonsense("a node is not [endpoint, port, ...]")
	}
	key := nodeKey{port: v.Elems[1].Int}
	if key.port < 0 || key.port > 65535 {
		return nodeKey{}, p.nonsense("a node has port %d", key.port)
	}
	if len(v.Elems) > 2 {
		key.id, _ = textOf(v.Elems[2])
	}
	if key.id != "" {
		return nodeKey{id: key.id}, p.checkName(key.id)
	}
	key.host, _ = textOf(v.Elems[0])
	return key, p.checkName(key.host)
}

// node returns the index of a node, which is added at its first mention; -1 if it has no address that could be dialled.
func (p *slotsParser) node(key nodeKey, v resp.Value) (int, error) {
	if at, ok := p.nodeAt[key]; ok {
		return at, nil
	}
	if len(p.nodeAt) == maxNodes {
		return 0, p.nonsense("more than %d nodes", maxNodes)
	}
	n := Node{ID: key.id, Port: int(v.Elems[1].Int)}
	n.Host, _ = textOf(v.Elems[0])
	if len(v.Elems) > 3 {
		n.readMetadata(v.Elems[3])
	}
	switch n.Host {
	case "": // NULL too: the host of this connection, and the name it was verified by
		n.Host = p.from.Host
		n.Hostname = cmp.Or(n.Hostname, p.from.Hostname)
	case "?": // prefers hostnames and announces none
		n.Host = n.IP
	}
	n.Port = cmp.Or(n.Port, p.from.Port)
	for _, name := range []string{n.Host, n.Hostname, n.IP, n.AZ} {
		if err := p.checkName(name); err != nil {
			return 0, err
		}
	}
	at := -1
	if n.Host != "" && n.Port != 0 {
		at = len(p.nodes)
		p.nodes = append(p.nodes, n.own())
	} else {
		p.skipped++
	}
	p.nodeAt[key] = at
	return at, nil
}

// readMetadata reads the flat list of names and values that a RESP2 array and a RESP3 map both decode to.
func (n *Node) readMetadata(v resp.Value) {
	if v.Kind != resp.Array && v.Kind != resp.Map {
		return
	}
	for pairs := v.Elems; len(pairs) >= 2; pairs = pairs[2:] {
		name, _ := textOf(pairs[0])
		value, _ := textOf(pairs[1])
		switch name {
		case "ip":
			n.IP = value
		case "hostname":
			n.Hostname = value
		case "availability-zone":
			n.AZ = value
		}
	}
}

// own returns n with strings of its own, so that a map that lives for days does not hold on to the reply it came from.
func (n Node) own() *Node {
	for _, s := range []*string{&n.ID, &n.Host, &n.Hostname, &n.IP, &n.AZ} {
		*s = strings.Clone(*s)
	}
	return &n
}

// checkName refuses what can be no host or id, and would spoil an error message or a log line.
func (p *slotsParser) checkName(s string) error {
	if len(s) > maxNameLen {
		return p.nonsense("a name of %d bytes", len(s))
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return p.nonsense("a node's name is %q", s)
		}
	}
	return nil
}

// askedID returns the id of the node that answered: the only one listed at the address that was asked; else the id it
// was asked by, if that is listed (all nodes may share the address of a proxy).
func (v *view) askedID() string {
	var id string
	here, known := 0, false
	for _, n := range v.nodes {
		known = known || n.ID == v.from.ID
		if n.Port == v.from.Port && n.answersTo(v.from.Host) {
			id = n.ID
			here++
		}
	}
	switch {
	case here == 1:
		return id
	case known:
		return v.from.ID
	}
	return ""
}

func isError(v resp.Value) bool { return v.Kind == resp.SimpleError || v.Kind == resp.BulkError }

func textOf(v resp.Value) (string, bool) {
	switch v.Kind {
	case resp.SimpleString, resp.BulkString, resp.Verbatim:
		return v.Str, true
	}
	return "", false
}
