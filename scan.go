package keyslot

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

// ScanOption is an optional argument of Client.Scan: a PageSize, OfType or OwnedBy.
type ScanOption interface{ scanOption(s *scan) }

// PageSize is about how many keys or elements each round trip of a scan looks at, COUNT to the server: more of them are
// fewer round trips, each of which holds the server up for longer. Without it, or at zero or less, it is 1000 for keys,
// which take a server about a third of a millisecond, and 100 for elements, which may be large.
type PageSize int

func (n PageSize) scanOption(s *scan) {
	if n > 0 {
		s.pageSize = n
	}
}

// OfType restricts Client.Scan to keys of one type, as the command TYPE names it: "string", "hash", "stream" ... (Redis 6.0).
type OfType string

func (t OfType) scanOption(s *scan) { s.ofType = string(t) }

// OwnedBy restricts Client.Scan to the slots that one primary, named by its id or by host:port, owns when the scan
// begins. Those that move meanwhile are followed to where they go. A node that the topology does not list is
// ErrUnknownNode; a replica owns no slot, so nothing is yielded.
type OwnedBy string

func (n OwnedBy) scanOption(s *scan) { s.owner = string(n) }

const (
	defaultKeys     PageSize = 1000
	defaultElements PageSize = 100
)

// Scan yields the keys of the whole cluster that match a glob-style pattern such as "user:*"; an empty one matches all.
// Each key that exists from the beginning to the end is yielded at least once, whatever slots move and whichever
// primaries fail over meanwhile; DESIGN.md says why. A key may be yielded more than once, and one that is made or
// removed meanwhile may be yielded or not; what comes first has no meaning. An error is the last thing yielded: an
// *Error, with an empty key. The loop may be left at any time; nothing goes on behind its back. What the error says, it
// says of the page that is missing: ErrNotExecuted of one that was not asked for, which is so wherever a scan ends
// between two pages, be it for ctx, for Close, or for slots that never stayed with a node for as long as a walk takes.
// The keys of the pages before were yielded.
//
// One primary is walked after the other, a page at a time: each is one write, SCAN and, to see which slots are all
// there, CLUSTER NODES and INFO. What moved meanwhile is walked again where it is then. A pattern that begins with a
// hash tag, like "{user:1}:*", can match in one slot only, so only that slot's primary is walked; since Valkey 8 that
// costs as much as the slot has keys.
//
// The primaries answer, whatever policy a view c has; one with a route (On) is refused before anything is sent: OwnedBy
// names one primary. ctx ends the whole scan. Without a deadline in it, Options.CommandTimeout bounds each page, and
// the waiting for slots that change hands faster than they can be walked. Where CLUSTER NODES is refused, the client's
// own slot map is what says where slots are: then a key that moves during the scan may be missed. SCAN: O(1) for each
// call, O(n) for them all.
func (c *Client) Scan(ctx context.Context, match string, opts ...ScanOption) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if slices.Contains(opts, nil) {
			yield("", misuse("SCAN", "an option is nil"))
			return
		}
		if c.terms.to != nil {
			yield("", misuse("SCAN", "it goes to every primary in turn, and takes no route of a view: use OwnedBy for the keys of one, or On(nil)"))
			return
		}
		s := newScan(c.terms.withCursor(), match, opts)
		if err := s.run(ctx, func(key string) bool { return yield(key, nil) }); err != nil && !errors.Is(err, errStopped) {
			yield("", err)
		}
	}
}

// errStopped is the end of a scan whose caller has left the loop.
var errStopped = errors.New("stopped")

// scan is one Scan. It belongs to its caller.
//
// A key is found by a walk if it is at the walked node at the moment when the cursor passes it. So a slot is covered by
// a walk during which it was all there, page by page; or, on its way from one node to another, by a walk of the source
// and then one of the target, for its keys move one way only.
type scan struct {
	terms    *terms
	match    string
	ofType   string
	pageSize PageSize
	owner    string  // only its slots; "": those of all
	wanted   slotSet // no walk has covered them yet
	pace     pacer
	waited   time.Duration // since a slot was covered
}

func newScan(t *terms, match string, opts []ScanOption) *scan {
	s := &scan{terms: t, match: match, pageSize: defaultKeys, wanted: allSlots()}
	s.pace = pacer{first: 50 * time.Millisecond, limit: 500 * time.Millisecond}
	for _, o := range opts {
		o.scanOption(s)
	}
	if slot, ok := patternSlot(match); ok {
		s.wanted = slotSet{}
		s.wanted.add(slot)
	}
	return s
}

// patternSlot returns the slot of all keys that a pattern can match, if they have but one: those of a hash tag which
// nothing that could match anything else stands in or before.
func patternSlot(match string) (slot uint16, ok bool) {
	special := strings.IndexAny(match, `*?[\`)
	if special < 0 {
		return Slot(match), match != ""
	}
	plain := match[:special]
	open := strings.IndexByte(plain, '{')
	if open < 0 {
		return 0, false
	}
	size := strings.IndexByte(plain[open+1:], '}')
	if size <= 0 { // "{}" is no hash tag: the whole key counts
		return 0, false
	}
	return Slot(plain), true
}

// keepOwned forgets the slots that OwnedBy leaves out.
func (s *scan) keepOwned() error {
	if s.owner == "" {
		return nil
	}
	r := s.terms.core.routes.Load()
	owner := r.named(s.owner)
	if owner == nil {
		return r.lacks(s.owner)
	}
	for slot := range s.wanted.all {
		if r.primary(slot) != owner {
			s.wanted.remove(slot)
		}
	}
	return nil
}

// run walks until every slot is covered.
func (s *scan) run(ctx context.Context, yield func(string) bool) error {
	if _, _, err := s.terms.enter(ctx); err != nil {
		return s.fail(err)
	}
	s.terms.core.running.leave()
	if err := s.keepOwned(); err != nil {
		return s.fail(err)
	}
	for {
		left := s.wanted.len()
		if err := s.pass(ctx, yield); err != nil {
			return err
		}
		now := s.wanted.len()
		switch {
		case now == 0:
			return nil
		case now < left:
			s.pace.reset()
			s.waited = 0
		default:
			if err := s.pause(ctx); err != nil {
				return err
			}
		}
	}
}

// pass walks each node once that owns slots which no walk has covered.
func (s *scan) pass(ctx context.Context, yield func(string) bool) error {
	c := s.terms.core
	todo := s.wanted
	for slot, ok := todo.first(); ok; slot, ok = todo.first() {
		todo.remove(slot)
		routes := c.routes.Load()
		n := routes.primary(slot)
		if n == nil {
			c.refresher.urgent("SCAN found a slot without a node")
			continue
		}
		for other := range todo.all {
			if routes.primary(other) == n {
				todo.remove(other)
			}
		}
		if err := s.visit(ctx, n, yield); err != nil {
			return err
		}
	}
	return nil
}

// visit walks a node, and then those that slots of it were moving to.
func (s *scan) visit(ctx context.Context, n *node, yield func(string) bool) error {
	source, err := s.walk(ctx, n, nil, yield)
	if err != nil {
		return s.unlessDeposed(n, err)
	}
	for _, to := range source.targets() {
		if target := s.terms.core.routes.Load().named(to); target != nil {
			w, err := s.walk(ctx, target, source, yield)
			if err == nil {
				err = s.coverMigrating(ctx, source, w)
			}
			if err := s.unlessDeposed(target, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// coverMigrating takes the slots for covered that were on their way from the source of one walk to the target of the
// next. Had the source got any slot back meanwhile, its epoch would have risen; had it called the migration off, it
// would say so. A slot that the source sends to a node which does not take it, as after a failover there, is covered by
// the source alone: what has left cannot be reached.
func (s *scan) coverMigrating(ctx context.Context, source, target *walk) error {
	now, err := s.askHoldings(ctx, source.node)
	if err != nil || now.epoch != source.holdings.epoch || now.id != source.holdings.id {
		return s.unlessDeposed(source.node, err)
	}
	for slot := range s.wanted.all {
		if !source.sends(slot, target) {
			continue
		}
		still, _ := now.of(slot)
		taken, _ := target.holdings.of(slot)
		crossed := target.at[slot] == importing || target.at[slot] == arrived
		if crossed && still != home || taken == away && still == migrating {
			s.wanted.remove(slot)
		}
	}
	return nil
}

// unlessDeposed returns err unless the node that it came from leads no shard any longer: then its slots are walked elsewhere.
func (s *scan) unlessDeposed(n *node, err error) error {
	switch c := s.terms.core; {
	case err == nil, errors.Is(err, errLostSlots):
		return nil
	case errors.Is(err, errStopped), isPatience(err), c.isClosed(), c.routes.Load().leads(n):
		return err
	}
	return nil
}

// pause waits for a new map, or until it is worth another try.
func (s *scan) pause(ctx context.Context) error {
	c := s.terms.core
	var until time.Time
	now := time.Now()
	if end := s.terms.patience(ctx, now); !end.IsZero() {
		until = end.Add(-s.waited)
	}
	_, err := c.sleep(ctx, until, now.Add(s.pace.next()), c.routes.Load().replaced)
	s.waited += time.Since(now)
	if err == nil {
		return nil
	}
	err = s.terms.named(err, until)
	slot, _ := s.wanted.first()
	if c.routes.Load().primary(slot) == nil {
		return s.fail(fmt.Errorf("%w: %w", err, errNoOwner))
	}
	return s.fail(fmt.Errorf("%w: %d slots, the first %d, never stayed with a node for as long as a walk takes", err, s.wanted.len(), slot))
}

// fail is the error of a scan that ends before its first page or between two: the next one was not asked for.
func (s *scan) fail(cause error) error {
	return &Error{Command: "SCAN", Slot: command.NoSlot, Outcome: NotExecuted, Retryable: passes(cause), Err: cause}
}
