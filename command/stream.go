package command

import (
	"cmp"
	"strconv"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// StreamEntry is one entry of a stream.
type StreamEntry struct {
	ID string
	// Fields are in the order of XAdd; a name may come more than once. They are nil for an entry that was delivered to
	// a consumer and has been deleted since.
	Fields []Field
}

// Value returns the value of the first field called name, and whether there is one.
func (e StreamEntry) Value(name string) (value string, ok bool) {
	for _, f := range e.Fields {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// StreamEntries are entries of the stream at Key.
type StreamEntries struct {
	Key     string
	Entries []StreamEntry
}

// Stream is a stream that XRead or XReadGroup reads, and the ID behind which it begins.
type Stream struct{ Key, After string }

// Trim says which entries a stream keeps: MaxLen or MinID.
type Trim struct {
	by, threshold string
	approx        bool
	limit         int64 // with approx; negative is none given
}

// MaxLen keeps the n newest entries.
func MaxLen(n int64) Trim { return Trim{by: "MAXLEN", threshold: strconv.FormatInt(n, 10)} }

// MinID keeps the entries whose ID is id or higher. Redis 6.2.
func MinID(id string) Trim { return Trim{by: "MINID", threshold: id} }

// Approx is t where a few more entries may be kept, which is much faster.
func (t Trim) Approx() Trim {
	t.approx, t.limit = true, -1
	return t
}

// ApproxLimit is Approx that deletes up to n entries at once; as many as there are with 0. Redis 6.2.
func (t Trim) ApproxLimit(n int64) Trim {
	t.approx, t.limit = true, max(n, 0)
	return t
}

func (t Trim) encode(c *Call) {
	if t.by == "" {
		c.refuse("the Trim is neither MaxLen nor MinID")
	}
	c.Request.Arg(t.by)
	if t.approx {
		c.Request.Arg("~")
	}
	c.Request.Arg(t.threshold)
	if t.approx && t.limit >= 0 {
		c.Request.Arg("LIMIT")
		c.Request.ArgInt(t.limit)
	}
}

// EntryState is what became of an entry that was to be deleted. The numbers are the server's.
type EntryState int64

// What XDelEx and XAckDel return.
const (
	EntryMissing EntryState = -1 // there is no such entry
	EntryDeleted EntryState = 1
	EntryKept    EntryState = 2 // with Acked: a group has not acknowledged it
)

// Claimed is what XAutoClaim returns.
type Claimed struct {
	Next    string // where to go on, "0-0" when it was all
	Entries []StreamEntry
	Deleted []string // IDs of entries that had been deleted, which the group has forgotten now; since Redis 7.0
}

// ClaimedIDs is what XAutoClaimJustID returns.
type ClaimedIDs struct {
	Next    string // where to go on, "0-0" when it was all
	IDs     []string
	Deleted []string // as in Claimed
}

// PendingSummary sums up what was delivered to a group and is not acknowledged.
type PendingSummary struct {
	Count       int64
	First, Last string            // the lowest and the highest ID, "" when there is none
	Consumers   []PendingConsumer // that have any
}

// PendingConsumer is how many entries a consumer has not acknowledged.
type PendingConsumer struct {
	Name  string
	Count int64
}

// PendingEntry is an entry that was delivered and is not acknowledged.
type PendingEntry struct {
	ID, Consumer string
	Idle         time.Duration // since it was delivered, in milliseconds
	Deliveries   int64
}

// xAdd writes the ID behind all other options: the first word that is none of them is the ID.
func (c *Call) xAdd(key string, fields []Field, opts []XAddOption) *Call {
	c.Request.Arg("XADD")
	c.Request.Key(key)
	id := "*"
	for i, o := range opts {
		if given, ok := o.(idOption); ok {
			id = given.id
			continue
		}
		c.xAddOptions(opts[i : i+1])
	}
	c.Request.Arg(id)
	for _, f := range fields {
		f.encode(c)
	}
	return c
}

func (c *Call) xRead(streams []Stream, opts []XReadOption) *Call {
	c.Request.Arg("XREAD")
	c.xReadOptions(opts)
	c.streams(streams)
	return c
}

func (c *Call) xReadGroup(group, consumer string, streams []Stream, opts []XReadGroupOption) *Call {
	c.Request.Arg("XREADGROUP")
	c.Request.Arg("GROUP")
	c.Request.Arg(group)
	c.Request.Arg(consumer)
	c.xReadGroupOptions(opts)
	c.streams(streams)
	return c
}

// streams appends STREAMS, all keys, and then all IDs.
func (c *Call) streams(streams []Stream) {
	c.Request.Arg("STREAMS")
	for _, s := range streams {
		c.Request.Key(s.Key)
	}
	for _, s := range streams {
		c.Request.Arg(s.After)
	}
}

// xPendingRange appends XPENDING key group [IDLE ms] start end count [consumer].
func (c *Call) xPendingRange(key, group, start, end string, count int64, opts []XPendingRangeOption) *Call {
	c.Request.Arg("XPENDING")
	c.Request.Key(key)
	c.Request.Arg(group)
	var consumer []XPendingRangeOption
	for i, o := range opts {
		if _, ok := o.(ofConsumerOption); ok {
			consumer = opts[i : i+1]
			continue
		}
		c.xPendingRangeOptions(opts[i : i+1])
	}
	c.Request.Arg(start)
	c.Request.Arg(end)
	c.Request.ArgInt(count)
	c.xPendingRangeOptions(consumer)
	return c
}

func entryStates(c *Call, p *packer) ([]EntryState, error) {
	return list(c, p, "an array of integers", func(frame []byte, _ *packer) (EntryState, bool) {
		n, ok := resp.Int(frame)
		return EntryState(n), ok
	})
}

// streamEntries reads [[id, [name, value ...]] ...]. XRANGE answers null to COUNT 0.
func streamEntries(c *Call, p *packer) ([]StreamEntry, error) {
	if resp.KindOf(c.Frame) == resp.Null {
		return []StreamEntry{}, nil
	}
	elems, ok := resp.Open(c.Frame)
	if ok {
		var out []StreamEntry
		if out, ok = readEntries(&elems, elems.Left(), c.packer(p)); ok {
			return out, nil
		}
	}
	return nil, c.mismatch("entries of a stream")
}

// streamsRead reads {key: entries ...}, which RESP2 sends as [[key, entries] ...].
func streamsRead(c *Call, p *packer) ([]StreamEntries, error) {
	elems, ok := resp.Open(c.Frame)
	asMap := !ok
	if asMap {
		elems, ok = resp.OpenPairs(c.Frame)
	}
	p = c.packer(p)
	out := []StreamEntries{}
	for ok && elems.Left() > 0 {
		if !asMap {
			n, entered := elems.Enter()
			ok = entered && n == 2
		}
		if ok {
			var s StreamEntries
			s, ok = readStream(&elems, p)
			out = append(out, s)
		}
	}
	if !ok {
		return nil, c.mismatch("entries of streams")
	}
	return out, nil
}

// readStream reads a key and entries.
func readStream(elems *resp.Elements, p *packer) (s StreamEntries, ok bool) {
	if s.Key, ok = next(elems, p, textOf); !ok {
		return s, false
	}
	n, ok := elems.Enter()
	if !ok {
		return s, false
	}
	s.Entries, ok = readEntries(elems, n, p)
	return s, ok
}

// readEntries reads n entries. XCLAIM answers null for one that has been deleted, before Redis 7.0.
func readEntries(elems *resp.Elements, n int, p *packer) ([]StreamEntry, bool) {
	out := make([]StreamEntry, 0, n)
	for range n {
		if resp.KindOf(elems.Rest()) == resp.Null {
			elems.Next()
			continue
		}
		e, ok := readEntry(elems, p)
		if !ok {
			return nil, false
		}
		out = append(out, e)
	}
	return out, true
}

// readEntry reads [id, [name, value ...]]; newer servers may add more.
func readEntry(elems *resp.Elements, p *packer) (e StreamEntry, ok bool) {
	n, ok := elems.Enter()
	if !ok || n < 2 {
		return e, false
	}
	if e.ID, ok = next(elems, p, textOf); !ok {
		return e, false
	}
	if resp.KindOf(elems.Rest()) == resp.Null {
		elems.Next()
	} else if e.Fields, ok = readFields(elems, p); !ok {
		return e, false
	}
	for range n - 2 {
		if _, ok = elems.Next(); !ok {
			return e, false
		}
	}
	return e, true
}

func readFields(elems *resp.Elements, p *packer) ([]Field, bool) {
	n, ok := elems.Enter()
	if !ok || n%2 != 0 {
		return nil, false
	}
	out := make([]Field, n/2)
	for i := range out {
		var nameOK, valueOK bool
		out[i].Name, nameOK = next(elems, p, textOf)
		out[i].Value, valueOK = next(elems, p, textOf)
		if !nameOK || !valueOK {
			return nil, false
		}
	}
	return out, true
}

// entriesOf is readEntries for an element.
func entriesOf(frame []byte, p *packer) ([]StreamEntry, bool) {
	elems, ok := resp.Open(frame)
	if !ok {
		return nil, false
	}
	return readEntries(&elems, elems.Left(), p)
}

func claimed(c *Call, p *packer) (Claimed, error) {
	got, err := claims(c, p, entriesOf)
	return Claimed{got.next, got.what, got.deleted}, err
}

func claimedIDs(c *Call, p *packer) (ClaimedIDs, error) {
	got, err := claims(c, p, listOf(textOf))
	return ClaimedIDs{got.next, got.what, got.deleted}, err
}

// claim is a Claimed or a ClaimedIDs.
type claim[T any] struct {
	next    string
	what    T
	deleted []string
}

// claims reads [next, what was claimed, IDs of what was deleted], the last of which Redis 6.2 does not send.
func claims[T any](c *Call, p *packer, of element[T]) (claim[T], error) {
	var got claim[T]
	elems, ok := resp.Open(c.Frame)
	if n := elems.Left(); ok && n >= 2 {
		p = c.packer(p)
		var nextOK, whatOK bool
		got.next, nextOK = next(&elems, p, textOf)
		got.what, whatOK = next(&elems, p, of)
		if n > 2 {
			got.deleted, ok = next(&elems, p, listOf(textOf))
		}
		if ok && nextOK && whatOK {
			return got, nil
		}
	}
	return claim[T]{}, c.mismatch("claimed entries")
}

func pendingSummary(c *Call, _ *packer) (PendingSummary, error) {
	return tree(c, func(r Reply) (s PendingSummary, err error) {
		parts, err := r.Slice()
		if err != nil || len(parts) < 4 {
			return s, cmp.Or(err, r.mismatch("a summary"))
		}
		if s.Count, err = parts[0].Int64(); err != nil || s.Count == 0 && parts[3].IsNil() {
			return s, err
		}
		if s.First, err = parts[1].Text(); err != nil {
			return s, err
		}
		if s.Last, err = parts[2].Text(); err != nil {
			return s, err
		}
		s.Consumers, err = each(parts[3], pendingConsumer)
		return s, err
	})
}

// pendingConsumer reads [name, count].
func pendingConsumer(r Reply) (p PendingConsumer, err error) {
	parts, err := r.Slice()
	if err != nil || len(parts) < 2 {
		return p, cmp.Or(err, r.mismatch("a consumer"))
	}
	if p.Name, err = parts[0].Text(); err != nil {
		return p, err
	}
	p.Count, err = parts[1].Int64()
	return p, err
}

func pendingEntries(c *Call, _ *packer) ([]PendingEntry, error) {
	return tree(c, func(r Reply) ([]PendingEntry, error) { return each(r, pendingEntry) })
}

// pendingEntry reads [id, consumer, milliseconds, deliveries].
func pendingEntry(r Reply) (e PendingEntry, err error) {
	parts, err := r.Slice()
	if err != nil || len(parts) < 4 {
		return e, cmp.Or(err, r.mismatch("an entry"))
	}
	if e.ID, err = parts[0].Text(); err != nil {
		return e, err
	}
	if e.Consumer, err = parts[1].Text(); err != nil {
		return e, err
	}
	idle, err := parts[2].Int64()
	if err != nil {
		return e, err
	}
	e.Idle = time.Duration(idle) * time.Millisecond
	e.Deliveries, err = parts[3].Int64()
	return e, err
}
