package keyslot

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// walk is one walk over a node's keys, from cursor 0 to cursor 0.
type walk struct {
	node     *node
	source   *walk                // walked just before; slots that were leaving it for this node may be covered by the two
	process  string               // the run id of the server; a cursor means nothing to another process
	holdings holdings             // as of the last page
	useful   bool                 // it can still cover a slot
	at       [slotCount]slotState // what became of each slot so far: away once it was not all there
	peer     map[uint16]string    // of slots that are migrating, importing or arrived: the other node's id
}

// page is a part of a walk.
type page struct {
	cursor   string // where the next one begins; "0": nowhere
	keys     []string
	holdings holdings
	process  string
}

// walk walks over a node and takes the slots off s.wanted that were all there at every page. An error of a node that
// leads no shard any longer is for the caller to tell from others.
func (s *scan) walk(ctx context.Context, n *node, source *walk, yield func(string) bool) (*walk, error) {
	w := &walk{node: n, source: source}
	for cursor, first := "0", true; first || cursor != "0"; first = false {
		p, err := s.page(ctx, n, cursor)
		if err != nil {
			return nil, err
		}
		if !w.note(&p, first, &s.wanted) {
			s.terms.core.refresher.urgent("SCAN met slots that move")
			return w, nil
		}
		for _, key := range p.keys {
			if slot := Slot(key); s.wanted.has(slot) && w.counts(slot) && !yield(key) {
				return nil, errStopped
			}
		}
		cursor = p.cursor
	}
	for slot := range s.wanted.all {
		if w.at[slot] == home {
			s.wanted.remove(slot)
		}
	}
	return w, nil
}

// note takes what a page tells of the slots, and reports whether the walk can still cover any.
func (w *walk) note(p *page, first bool, wanted *slotSet) (useful bool) {
	switch {
	case first:
		w.process = p.process
	case p.process != w.process, p.holdings.id != w.holdings.id:
		w.at, w.useful = [slotCount]slotState{}, false
		return false
	case p.holdings.words == w.holdings.words: // as nearly always
		return w.useful
	}
	before := w.peer
	w.holdings, w.peer, w.useful = p.holdings, map[uint16]string{}, false
	for slot := range wanted.all {
		now, peer := p.holdings.of(slot)
		if !first {
			now = w.at[slot].then(now, peer == before[slot])
		}
		w.at[slot] = now
		switch now {
		case migrating, importing:
			w.peer[slot] = peer
		case arrived:
			w.peer[slot] = before[slot]
		}
		w.useful = w.useful || w.counts(slot)
	}
	return w.useful
}

// then returns where a slot is that was at p one page ago and is at now. Keys move from the source of a migration to
// its target: what went the other way, or somewhere else, may have passed the cursor unseen.
func (p slotState) then(now slotState, samePeer bool) slotState {
	switch {
	case p == home && (now == home || now == migrating):
		return now
	case p == migrating && now == migrating && samePeer, p == importing && now == importing && samePeer:
		return now
	case (p == importing || p == arrived) && now == home:
		return arrived
	}
	return away
}

// counts reports whether the walk may cover the slot, alone or together with another one.
func (w *walk) counts(slot uint16) bool {
	switch w.at[slot] {
	case home, migrating:
		return true
	case importing, arrived:
		return w.source != nil && w.source.sends(slot, w)
	}
	return false
}

// sends reports whether the slot was on its way to the node of another walk when this one ended, and to it alone.
func (w *walk) sends(slot uint16, to *walk) bool {
	if w.at[slot] != migrating || w.peer[slot] != to.holdings.id {
		return false
	}
	from, inMotion := to.peer[slot]
	return !inMotion || from == w.holdings.id
}

// targets returns the ids of the nodes that slots were on their way to when the walk ended.
func (w *walk) targets() (ids []string) {
	for slot, at := range w.at {
		if id := w.peer[uint16(slot)]; at == migrating && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// page asks a node for a page of keys, and right behind it, in the same write, where its slots are.
//
//	C: SCAN cursor ... | CLUSTER NODES | INFO server
//	S: * cursor, keys  | $ text        | $ text        each of the last two may be an error: refused by an ACL
//
// Where no slot can move, nobody is asked for them. Behind the proxy of a serverless cache INFO would be that of any server.
func (s *scan) page(ctx context.Context, n *node, cursor string) (p page, err error) {
	request := []string{"SCAN", cursor, "COUNT", strconv.Itoa(int(s.pageSize))}
	if s.match != "" {
		request = append(request, "MATCH", s.match)
	}
	if s.ofType != "" {
		request = append(request, "TYPE", s.ofType)
	}
	requests := [][]string{request}
	switch s.terms.core.kind() {
	case sharded:
		requests = append(requests, []string{"CLUSTER", "NODES"}, []string{"INFO", "server"})
	case standalone:
		requests = append(requests, []string{"INFO", "server"})
	}
	err = s.ask(ctx, question{n, requests, func(calls []*call) error {
		scan := calls[0]
		if scan.err != nil {
			return scan.err
		}
		if p.cursor, p.keys, err = readKeys(scan); err != nil {
			return err
		}
		if len(calls) > 2 {
			p.holdings, err = s.holdings(calls[1])
		} else {
			p.holdings = s.terms.core.routes.Load().holdings(n)
		}
		if len(calls) > 1 && err == nil {
			p.process, err = processOf(calls[len(calls)-1])
		}
		return err
	}})
	return p, err
}

// askHoldings asks a node where its slots are.
func (s *scan) askHoldings(ctx context.Context, n *node) (h holdings, err error) {
	err = s.ask(ctx, question{n, [][]string{{"CLUSTER", "NODES"}}, func(calls []*call) error {
		h, err = s.holdings(calls[0])
		return err
	}})
	return h, err
}

// question is what a node is asked in one write.
type question struct {
	node     *node
	requests [][]string
	read     func(calls []*call) error // what was answered; the calls are valid until it returns
}

// ask asks again as long as an answer does not come at once, for the answers belong together.
func (s *scan) ask(ctx context.Context, q question) error {
	c := s.terms.core
	_, until, err := s.terms.enter(ctx)
	if err != nil {
		return s.fail(err)
	}
	defer c.running.leave()
	for again := true; again && err == nil; {
		again, err = s.askOnce(ctx, until, q)
	}
	return err
}

func (s *scan) askOnce(ctx context.Context, until time.Time, q question) (again bool, err error) {
	f := s.terms.core.flight()
	defer f.release()
	calls := make([]*call, len(q.requests))
	for i, args := range q.requests {
		calls[i] = f.toLeader(s.terms, q.node, args)
	}
	began := s.terms.began()
	s.terms.core.run(ctx, until, f.calls, f)
	calls[0].report(ctx, began, calls[0].err)
	for _, call := range calls {
		again = again || call.attempts > 1
	}
	return again, q.read(calls)
}

// toLeader adds a call for one node to the flight, which ends when the node leads no shard any longer.
func (f *flight) toLeader(t *terms, n *node, args []string) *call {
	call := f.call()
	call.terms, call.pinned, call.leads = t, n, true
	f.begin(&call.Request)
	for _, arg := range args {
		call.Request.Arg(arg)
	}
	call.identify()
	f.calls = append(f.calls, call)
	return call
}

// holdings reads the reply to CLUSTER NODES. Where that is refused, what the client's own map says has to do.
func (s *scan) holdings(call *call) (h holdings, err error) {
	if call.err != nil {
		if isRefused(call.err) {
			return s.terms.core.routes.Load().holdings(call.pinned), nil
		}
		return h, call.err
	}
	text, _ := resp.Payload(call.Frame)
	h, ok := parseHoldings(string(text))
	if !ok {
		return h, call.fail(Answered, &command.TypeError{Want: "a list of nodes", Got: "something else"})
	}
	return h, nil
}

// holdings returns what the map says of a node.
func (r *routes) holdings(n *node) holdings {
	h := holdings{id: n.info().ID}
	for slot := range uint16(slotCount) {
		if r.primary(slot) == n {
			h.owned.add(slot)
		}
	}
	return h
}

// processOf returns what tells one process at an address from the next one; nothing where INFO is refused.
func processOf(info *call) (id string, err error) {
	switch {
	case isRefused(info.err):
		return "", nil
	case info.err != nil:
		return "", info.err
	}
	text, _ := resp.Payload(info.Frame)
	_, rest, _ := strings.Cut(string(text), "\nrun_id:")
	id, _, _ = strings.Cut(rest, "\r\n")
	return id, nil
}

// isRefused reports whether err is an error reply that a command ended with.
func isRefused(err error) bool {
	_, refused := replyIn(err)
	return refused && !isPatience(err) && !errors.Is(err, ErrClosed)
}
