package keyslot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// feedFirst and feedLimit pace a feed, or its acknowledgements, that fails: what a command waits out by itself is over.
	feedFirst = 20 * time.Millisecond
	feedLimit = time.Second
	// claimPause is how long new entries may come first between two pages of claims.
	claimPause = 20 * time.Millisecond
)

// feed reads those of a consumer's streams that lie in one slot. It takes turns, each one command: make the group, read what
// this consumer has pending, claim a page of what others left, or read what is new. Whatever a turn brought is handled before
// the next one. It belongs to one goroutine.
type feed struct {
	*Consumer
	acks    *acks
	streams []string
	handle  func(ctx context.Context, e Entry) error

	missing bool     // the group is to be created
	from    string   // from which entry on
	own     []string // where the reading of pending entries has got to, stream by stream; nil: it is over
	claims  claims
	failing bool // what the logger was told last
}

// claims is a walk over what is pending in the group, page by page and stream by stream.
type claims struct {
	stream int       // index of the stream
	cursor string    // where its next page begins
	due    time.Time // when it is read
}

func newFeed(c *Consumer, acks *acks, streams []string) *feed {
	f := &feed{Consumer: c, acks: acks, streams: streams, missing: c.opts.CreateFrom != "", from: c.opts.CreateFrom}
	f.claims.cursor = "0-0"
	f.readOwnNext()
	return f
}

// readOwnNext makes the next turns read everything that is pending for this consumer: there may be entries whose delivery
// was lost on the way.
func (f *feed) readOwnNext() { f.own = slices.Repeat([]string{"0"}, len(f.streams)) }

// run takes turns until ctx ends, or one fails for good.
func (f *feed) run(ctx context.Context, handle func(ctx context.Context, e Entry) error) error {
	f.handle = handle
	retry := pacer{first: feedFirst, limit: feedLimit}
	for ctx.Err() == nil {
		f.acks.wait(ctx)
		err := f.turn(ctx)
		if err == nil {
			retry.reset()
			f.tell(nil)
			continue
		}
		lost := isRefusal(err, "NOGROUP") && f.opts.CreateFrom != ""
		switch {
		case ctx.Err() != nil:
			return nil
		case lost:
			f.missing = true
		case isLasting(err):
			return err
		}
		f.readOwnNext()
		f.tell(err)
		_, _ = f.client.core.sleep(ctx, time.Time{}, time.Now().Add(retry.next()), nil)
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

func (f *feed) turn(ctx context.Context) error {
	switch {
	case f.missing:
		return f.create(ctx)
	case f.own != nil:
		return f.readOwn(ctx)
	case f.opts.MinIdle > 0 && !time.Now().Before(f.claims.due):
		return f.claim(ctx)
	}
	return f.readNew(ctx)
}

// create makes the group on each of the streams, and the streams where they are missing.
func (f *feed) create(ctx context.Context) error {
	p := f.steady.Pipeline()
	made := make([]*Future[Reply], len(f.streams))
	for i, stream := range f.streams {
		made[i] = p.Do("XGROUP", "CREATE", stream, f.opts.Group, f.from, "MKSTREAM")
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
//
//	C: XREADGROUP GROUP g n COUNT 64 BLOCK 5000 STREAMS a b > >
//	S: RESP2: *1  *2 a *2 (entries)        RESP3: %1  a *2 (entries)        nothing new: a null
func (f *feed) readNew(ctx context.Context) error {
	block := f.opts.Block
	if f.opts.MinIdle > 0 {
		block = min(block, time.Until(f.claims.due))
	}
	read, err := f.read(ctx, slices.Repeat([]string{">"}, len(f.streams)), "BLOCK", max(block.Milliseconds(), 1))
	for _, r := range read {
		for i := range r.entries {
			r.entries[i].Deliveries = 1
		}
		f.deliver(ctx, r.entries)
	}
	return err
}

// readOwn reads what is pending for this consumer from f.own on. It is over when nothing is left. An entry that was deleted
// from its stream meanwhile comes without fields and is acknowledged: it would be pending for ever.
func (f *feed) readOwn(ctx context.Context) error {
	handled := f.unacked()
	read, err := f.read(ctx, f.own)
	if err != nil {
		return err
	}
	over := true
	for _, r := range read {
		for _, id := range r.deleted {
			f.acks.add(r.stream, id)
		}
		if r.last != "" {
			f.own[slices.Index(f.streams, r.stream)] = r.last
			over = false
		}
		if err := f.deliverAgain(ctx, r, handled[r.stream]); err != nil {
			return err
		}
	}
	if over {
		f.own = nil
	}
	return nil
}

// claim takes over a page of the entries of one stream that were delivered to any consumer, this one included, MinIdle ago or
// more and have not been acknowledged. The server drops those that were deleted from the stream. Redis 6.2 says null for such
// an entry and leaves it pending, now for this consumer.
//
//	C: XAUTOCLAIM a g n 60000 0-0 COUNT 64
//	S: *3 (cursor, 0-0 at the end)  *2 (entries)  *1 (ids dropped, since Redis 7)
func (f *feed) claim(ctx context.Context) error {
	handled := f.unacked()
	stream := f.streams[f.claims.stream]
	reply, err := f.client.Do(ctx, "XAUTOCLAIM", stream, f.opts.Group, f.opts.Name,
		max(f.opts.MinIdle.Milliseconds(), 1), f.claims.cursor, "COUNT", f.opts.Count)
	if err != nil {
		return err
	}
	parts, err := reply.Slice()
	if err == nil && len(parts) < 2 {
		err = errShortReply
	}
	if err != nil {
		return badReply("XAUTOCLAIM", err)
	}
	cursor, err := parts[0].Text()
	if err != nil {
		return badReply("XAUTOCLAIM", err)
	}
	page, err := readEntries(stream, parts[1])
	if err != nil {
		return badReply("XAUTOCLAIM", err)
	}
	f.claims.next(cursor, len(f.streams), f.opts.MinIdle)
	if page.nulls {
		f.readOwnNext()
	}
	return f.deliverAgain(ctx, page, handled[stream])
}

// next arranges the next page: soon within a walk, and the next walk after half of minIdle, so that no entry lies idle for
// more than one and a half of it.
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

// deliverAgain delivers the entries of r, with their number of deliveries, but for those that were handled before it was read,
// and those that another consumer has claimed or acknowledged meanwhile.
//
//	C: XPENDING a g <id> <id> 1
//	S: *1  *4 (id, consumer, idle, deliveries)  |  *0
func (f *feed) deliverAgain(ctx context.Context, r streamEntries, handled map[string]bool) error {
	entries := slices.DeleteFunc(r.entries, func(e Entry) bool { return handled[e.ID] })
	if len(entries) == 0 {
		return nil
	}
	p := f.client.Pipeline()
	counts := make([]*Future[Reply], len(entries))
	for i, e := range entries {
		counts[i] = p.Do("XPENDING", e.Stream, f.opts.Group, e.ID, e.ID, 1)
	}
	_ = p.Exec(ctx) // each future tells
	mine := entries[:0]
	for i, c := range counts {
		reply, err := c.Get()
		if err != nil {
			return err
		}
		owner, n, err := readPending(reply)
		if err != nil {
			return badReply("XPENDING", err)
		}
		if owner == f.opts.Name {
			entries[i].Deliveries = n
			mine = append(mine, entries[i])
		}
	}
	f.deliver(ctx, mine)
	return nil
}

// deliver has entries handled, one after the other. Those left when ctx ends stay pending.
func (f *feed) deliver(ctx context.Context, entries []Entry) {
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		if f.handle(ctx, e) == nil {
			f.acks.add(e.Stream, e.ID)
		}
	}
}

// read sends one XREADGROUP for the feed's streams, from ids on.
func (f *feed) read(ctx context.Context, ids []string, block ...any) ([]streamEntries, error) {
	args := append([]any{"XREADGROUP", "GROUP", f.opts.Group, f.opts.Name, "COUNT", f.opts.Count}, block...)
	args = append(args, "STREAMS")
	for _, stream := range f.streams {
		args = append(args, stream)
	}
	for _, id := range ids {
		args = append(args, id)
	}
	reply, err := f.client.Do(ctx, args...)
	if err != nil {
		return nil, err
	}
	read, err := readStreams(reply, f.streams)
	if err != nil {
		return nil, badReply("XREADGROUP", err)
	}
	return read, nil
}

// isRefusal reports whether err is an error reply of that code.
func isRefusal(err error, codes ...string) bool {
	var refusal ServerError
	return errors.As(err, &refusal) && slices.Contains(codes, refusal.Code())
}

// isLasting reports whether it is of no use to send the same command again later.
func isLasting(err error) bool {
	switch {
	case errors.Is(err, ErrClosed), errors.As(err, new(*ArgumentError)):
		return true
	case isPatience(err), isRefusal(err, "UNBLOCKED", "OOM", "MISCONF", "NOREPLICAS"):
		return false
	case errors.As(err, new(ServerError)):
		return true
	}
	return errors.As(err, new(*replyError))
}

// replyError is a reply of a shape that the command does not have.
type replyError struct {
	command string
	err     error
}

func badReply(name string, err error) error { return &replyError{name, err} }

func (e *replyError) Error() string {
	return fmt.Sprintf("unexpected reply to %s: %v", e.command, e.err)
}
func (e *replyError) Unwrap() error { return e.err }
