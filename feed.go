package keyslot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyslot-go/keyslot/command"
)

const (
	// feedFirst and feedLimit pace a feed, or its acknowledgements, that fails: what a command waits out by itself is over.
	feedFirst = 20 * time.Millisecond
	feedLimit = time.Second
	// claimPause is how long new entries may come first between two pages of claims.
	claimPause = 20 * time.Millisecond
	// complainEvery is how often at most the logger is told that entries fail.
	complainEvery = 10 * time.Second
)

// feed reads those of a consumer's streams that lie in one slot. It takes turns, each one command: make the group, read
// what this consumer has pending, claim a page of what others left, or read what is new. Whatever a turn brought is
// handled before the next one. It belongs to one goroutine.
type feed struct {
	*Consumer
	acks    *acks
	streams []string
	handle  func(ctx context.Context, e Entry) error

	missing bool     // the group is to be created
	from    string   // from which entry on
	own     []string // where the reading of pending entries has got to, stream by stream; nil: it is over
	claims  claims
	failed  turn // those that have failed, and not succeeded since
	failing bool // what the logger was told last

	complained time.Time // when the logger was told last that an entry failed
	unhandled  int       // entries that have failed since
}

// turn is what a feed does next, or a set of such.
type turn uint8

const (
	toCreate turn = 1 << iota
	toReadOwn
	toClaim
	toReadNew
)

// claims is a walk over what is pending in the group, page by page and stream by stream.
type claims struct {
	stream int       // index of the stream
	cursor string    // where its next page begins
	due    time.Time // when it is read
}

func newFeed(c *Consumer, streams []string) *feed {
	f := &feed{Consumer: c, acks: newAcks(c), streams: streams, missing: c.opts.CreateFrom != "", from: c.opts.CreateFrom}
	f.claims.cursor = "0-0"
	f.readOwnNext()
	return f
}

// readOwnNext makes the next turns read everything that is pending for this consumer: there may be entries whose
// delivery was lost on the way.
func (f *feed) readOwnNext() { f.own = slices.Repeat([]string{"0"}, len(f.streams)) }

// run takes turns until ctx ends, or one fails for good. Where one fails, it works again when that one succeeds: those
// that lead back to it prove nothing.
func (f *feed) run(ctx context.Context, handle func(ctx context.Context, e Entry) error) error {
	f.handle = handle
	retry := pacer{first: feedFirst, limit: feedLimit}
	for ctx.Err() == nil {
		f.acks.wait(ctx)
		now := f.next()
		err := f.take(ctx, now)
		switch {
		case err == nil:
			if f.failed &^= now; f.failed == 0 {
				retry.reset()
				f.tell(nil)
			}
			continue
		case ctx.Err() != nil:
			continue
		case isRefusal(err, "NOGROUP") && f.opts.CreateFrom != "":
			f.missing = true
		case isLasting(err):
			return err
		}
		f.failed |= now
		f.readOwnNext()
		f.tell(err)
		again := time.Now().Add(retry.next())
		if now == toClaim { // new entries are read until then
			f.claims.due = again
			continue
		}
		_, _ = f.client.core.sleep(ctx, time.Time{}, again, nil) // which ctx or a closed client ends
	}
	return nil
}

// tell logs when the feed begins to fail, and when it works again.
func (f *feed) tell(err error) {
	if f.failing == (err != nil) {
		return
	}
	f.failing = err != nil
	log := f.client.core.opts.Logger
	if err != nil {
		log.Warn("keyslot: consumer waits", "group", f.opts.Group, "streams", f.streams, "error", err)
	} else {
		log.Info("keyslot: consumer reads again", "group", f.opts.Group, "streams", f.streams)
	}
}

func (f *feed) next() turn {
	switch {
	case f.missing:
		return toCreate
	case f.own != nil:
		return toReadOwn
	case f.opts.MinIdle > 0 && !time.Now().Before(f.claims.due):
		return toClaim
	}
	return toReadNew
}

func (f *feed) take(ctx context.Context, t turn) error {
	switch t {
	case toCreate:
		return f.create(ctx)
	case toReadOwn:
		return f.readOwn(ctx)
	case toClaim:
		return f.claim(ctx)
	}
	return f.readNew(ctx)
}

// create makes the group on each of the streams, and the streams where they are missing.
func (f *feed) create(ctx context.Context) error {
	p := f.steady.Pipeline()
	made := make([]*Future[struct{}], len(f.streams))
	for i, stream := range f.streams {
		made[i] = p.XGroupCreate(stream, f.opts.Group, f.from, command.MkStream)
	}
	_ = p.Exec(ctx) // each future tells
	for _, m := range made {
		if err := m.Err(); err != nil && !isRefusal(err, "BUSYGROUP") { // it is there already
			return err
		}
	}
	f.missing, f.from = false, "0"
	return nil
}

// readNew waits for entries that nobody was given yet.
func (f *feed) readNew(ctx context.Context) error {
	block := f.opts.Block
	if f.opts.MinIdle > 0 {
		block = min(block, time.Until(f.claims.due))
	}
	ids := slices.Repeat([]string{">"}, len(f.streams))
	read, err := f.read(ctx, ids, command.Block(max(block, time.Millisecond))) // 0 would be for ever
	if err != nil {
		return err
	}
	for _, r := range read {
		entries := entriesOf(r.Key, r.Entries)
		for i := range entries {
			entries[i].Deliveries = 1
		}
		f.deliver(ctx, entries)
	}
	return nil
}

// readOwn reads what is pending for this consumer from f.own on. It is over when nothing is left.
func (f *feed) readOwn(ctx context.Context) error {
	handled := f.unacked()
	read, err := f.read(ctx, f.own)
	if err != nil {
		return err
	}
	over := true
	for _, r := range read {
		if n := len(r.Entries); n > 0 {
			f.own[slices.Index(f.streams, r.Key)] = r.Entries[n-1].ID
			over = false
		}
		if err := f.deliverAgain(ctx, r.Key, r.Entries, handled[r.Key]); err != nil {
			return err
		}
	}
	if over {
		f.own = nil
	}
	return nil
}

// claim takes over a page of the entries of one stream that were delivered to any consumer, this one included, MinIdle
// ago or more and have not been acknowledged. The server drops those that were deleted from the stream; Redis 6.2
// leaves them pending, now for this consumer, who finds them when it reads its own.
func (f *feed) claim(ctx context.Context) error {
	handled := f.unacked()
	stream := f.streams[f.claims.stream]
	page, err := f.client.XAutoClaim(ctx, stream, f.opts.Group, f.opts.Name, f.opts.MinIdle, f.claims.cursor, command.Count(int64(f.opts.Count)))
	if err != nil {
		return noNil(err, "XAUTOCLAIM")
	}
	f.claims.next(page.Next, len(f.streams), f.opts.MinIdle)
	return f.deliverAgain(ctx, stream, page.Entries, handled[stream])
}

// next arranges the next page: soon within a walk, and the next walk after half of minIdle, so that no entry lies idle
// for more than one and a half of it.
func (c *claims) next(cursor string, streams int, minIdle time.Duration) {
	pause := claimPause
	c.cursor = cursor
	if cursor == "0-0" {
		c.stream++
	}
	if c.stream == streams {
		c.stream, pause = 0, max(minIdle/2, time.Millisecond)
	}
	c.due = time.Now().Add(pause)
}

// unacked returns by stream what was handled before entries are read: the acknowledgement of one of those may be on its way.
func (f *feed) unacked() map[string]map[string]bool {
	all := make(map[string]map[string]bool, len(f.streams))
	for _, stream := range f.streams {
		all[stream] = f.acks.of(stream)
	}
	return all
}

// deliverAgain delivers entries of a stream, with their number of deliveries, but for those that were handled before
// they were read, and those that another consumer has claimed or acknowledged meanwhile. One that was deleted from its
// stream, and so has no fields, is acknowledged: it would be pending for ever.
func (f *feed) deliverAgain(ctx context.Context, stream string, read []command.StreamEntry, handled map[string]bool) error {
	var left []command.StreamEntry
	for _, e := range read {
		switch {
		case e.Fields == nil:
			f.acks.add(stream, e.ID)
		case !handled[e.ID]:
			left = append(left, e)
		}
	}
	p := f.client.Pipeline()
	pending := make([]*Future[[]command.PendingEntry], len(left))
	for i, e := range left {
		pending[i] = p.XPendingRange(stream, f.opts.Group, e.ID, e.ID, 1)
	}
	_ = p.Exec(ctx) // each future tells
	entries := entriesOf(stream, left)
	mine := entries[:0]
	for i, e := range entries {
		now, err := pending[i].Get()
		if err != nil {
			return noNil(err, "XPENDING")
		}
		if len(now) > 0 && now[0].Consumer == f.opts.Name {
			e.Deliveries = now[0].Deliveries
			mine = append(mine, e)
		}
	}
	f.deliver(ctx, mine)
	return nil
}

func entriesOf(stream string, read []command.StreamEntry) []Entry {
	out := make([]Entry, len(read))
	for i, e := range read {
		out[i] = Entry{StreamEntry: e, Stream: stream}
	}
	return out
}

// deliver has entries handled, one after the other. Those left when ctx ends stay pending.
func (f *feed) deliver(ctx context.Context, entries []Entry) {
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		err := f.handle(ctx, e)
		switch {
		case err == nil:
			f.acks.add(e.Stream, e.ID)
		case ctx.Err() == nil: // else it was told to end
			f.complain(e, err)
		}
	}
}

// complain logs that an entry has failed, which nobody else is told: every one may, again and again.
func (f *feed) complain(e Entry, err error) {
	f.unhandled++
	if now := time.Now(); f.complained.IsZero() || now.Sub(f.complained) >= complainEvery {
		f.client.core.opts.Logger.Warn("keyslot: entry not handled", "group", f.opts.Group, "stream", e.Stream, "id", e.ID,
			"deliveries", e.Deliveries, "error", err, "failures", f.unhandled)
		f.complained, f.unhandled = now, 0
	}
}

// read sends one XREADGROUP for the feed's streams, from ids on.
func (f *feed) read(ctx context.Context, ids []string, opts ...command.XReadGroupOption) ([]command.StreamEntries, error) {
	streams := make([]command.Stream, len(ids))
	for i, id := range ids {
		streams[i] = command.Stream{Key: f.streams[i], After: id}
	}
	opts = append(opts, command.Count(int64(f.opts.Count)))
	read, err := f.client.XReadGroup(ctx, f.opts.Group, f.opts.Name, streams, opts...)
	if errors.Is(err, Nil) {
		return nil, nil
	}
	for _, r := range read {
		if !slices.Contains(f.streams, r.Key) {
			return nil, fmt.Errorf("XREADGROUP: %w", errStrange)
		}
	}
	return read, err
}

// errStrange is a reply that no server gives to the command.
var errStrange = errors.New("the reply does not fit")

// noNil returns err, or what a null instead of a list is.
func noNil(err error, name string) error {
	if errors.Is(err, Nil) {
		return fmt.Errorf("%s: %w", name, errStrange)
	}
	return err
}

// isRefusal reports whether err is an error reply of that code.
func isRefusal(err error, codes ...string) bool {
	said, ok := replyIn(err)
	return ok && slices.Contains(codes, said.Code())
}

// isLasting reports whether it is of no use to send the same command again later.
func isLasting(err error) bool {
	_, refused := replyIn(err)
	switch {
	case errors.Is(err, ErrClosed), errors.As(err, new(*ArgumentError)):
		return true
	case isPatience(err), isRefusal(err, "UNBLOCKED", "OOM", "MISCONF", "NOREPLICAS"):
		return false
	case refused:
		return true
	}
	return errors.Is(err, errStrange) || errors.As(err, new(*command.TypeError))
}
