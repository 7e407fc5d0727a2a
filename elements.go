package keyslot

import (
	"context"
	"errors"
	"iter"
	"strconv"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// HScan yields the fields and values of the hash at key whose field matches a glob-style pattern; an empty one matches
// all. Each field that exists from the beginning to the end is yielded at least once, even if the key's slot moves or
// its primary fails over: a cursor means nothing to another node, so the hash is then begun anew. (It means nothing
// either to a server that was restarted between two pages and has loaded its data again: that goes unnoticed.) A field
// may be yielded more than once. A missing key has no fields. An error is the last thing yielded: an *Error. The loop
// may be left at any time; nothing goes on behind its back.
//
// The primary answers, whatever policy a view c has; one with a route (On) is refused before anything is sent. ctx ends
// the whole iteration; without a deadline in it, Options.CommandTimeout bounds each page. HSCAN: O(1) for each call,
// O(n) for them all.
func (c *Client) HScan(ctx context.Context, key, match string, size ...PageSize) iter.Seq2[command.Field, error] {
	return elements(c, ctx, newCollection("HSCAN", key, match, size), func(e *resp.Elements) (f command.Field, ok bool) {
		if f.Name, ok = nextText(e); ok {
			f.Value, ok = nextText(e)
		}
		return f, ok
	})
}

// SScan yields the members of the set at key that match a glob-style pattern, on the terms of HScan. SSCAN: O(1) for
// each call, O(n) for them all.
func (c *Client) SScan(ctx context.Context, key, match string, size ...PageSize) iter.Seq2[string, error] {
	return elements(c, ctx, newCollection("SSCAN", key, match, size), nextText)
}

// ZScan yields the members of the sorted set at key that match a glob-style pattern, with their scores and in no order,
// on the terms of HScan. ZSCAN: O(1) for each call, O(n) for them all.
func (c *Client) ZScan(ctx context.Context, key, match string, size ...PageSize) iter.Seq2[command.Scored, error] {
	return elements(c, ctx, newCollection("ZSCAN", key, match, size), func(e *resp.Elements) (s command.Scored, ok bool) {
		if s.Member, ok = nextText(e); !ok {
			return s, false
		}
		score, ok := nextText(e)
		if !ok {
			return s, false
		}
		var err error
		s.Score, err = strconv.ParseFloat(score, 64)
		return s, err == nil
	})
}

// collection is a key whose elements are scanned.
type collection struct {
	name, key, match string
	size             PageSize
}

func newCollection(name, key, match string, size []PageSize) collection {
	c := collection{name, key, match, defaultElements}
	for _, n := range size {
		if n > 0 {
			c.size = n
		}
	}
	return c
}

// errMoved is the end of a walk over a collection whose node changed: its cursor means nothing there.
var errMoved = errors.New("moved")

// elements walks over a collection until one walk has stayed on one node.
func elements[T any](c *Client, ctx context.Context, of collection, next func(*resp.Elements) (T, bool)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if c.terms.to != nil {
			var none T
			yield(none, misuse(of.name, "the primary that owns the key answers it, whatever the route of a view: use On(nil)"))
			return
		}
		w := elementWalk[T]{collection: of, terms: c.terms.withCursor(), next: next}
		w.yield = func(elem T) bool { return yield(elem, nil) }
		err := errMoved
		for errors.Is(err, errMoved) {
			err = w.run(ctx)
		}
		if err != nil && !errors.Is(err, errStopped) {
			var none T
			yield(none, err)
		}
	}
}

type elementWalk[T any] struct {
	collection
	terms *terms
	next  func(*resp.Elements) (T, bool)
	yield func(T) bool
}

func (w *elementWalk[T]) run(ctx context.Context) error {
	var at *node
	for cursor := ""; cursor != "0"; {
		call := w.terms.begin()
		next, elems, err := w.page(ctx, call, cursor)
		from, again := call.node, int(call.attempts)-call.redirects > 1
		call.release()
		switch {
		case err != nil:
			return err
		case cursor != "" && (from != at || again):
			return errMoved
		}
		for _, elem := range elems {
			if !w.yield(elem) {
				return errStopped
			}
		}
		cursor, at = next, from
	}
	return nil
}

// page runs one command, whose cursor is "" for the first.
func (w *elementWalk[T]) page(ctx context.Context, call *call, cursor string) (next string, elems []T, err error) {
	if cursor == "" {
		cursor = "0"
	}
	r := &call.Request
	r.Arg(w.name)
	r.Key(w.key)
	r.Arg(cursor)
	r.Arg("COUNT")
	r.ArgInt(int64(w.size))
	if w.match != "" {
		r.Arg("MATCH")
		r.Arg(w.match)
	}
	if err := call.exec(ctx); err != nil {
		return "", nil, err
	}
	return readPage(call, w.next)
}

// readKeys reads the reply to SCAN.
func readKeys(call *call) (cursor string, keys []string, err error) { return readPage(call, nextText) }

// readPage reads a cursor and what goes with it.
func readPage[T any](call *call, next func(*resp.Elements) (T, bool)) (cursor string, elems []T, err error) {
	reply, ok := resp.Open(call.Frame)
	if !ok || reply.Left() != 2 {
		return "", nil, call.noPage()
	}
	cursor, ok = nextText(&reply)
	if _, err := strconv.ParseUint(cursor, 10, 64); !ok || err != nil {
		return "", nil, call.noPage()
	}
	page, _ := reply.Next()
	list, ok := resp.Open(page)
	if !ok {
		return "", nil, call.noPage()
	}
	elems = make([]T, 0, list.Left())
	for list.Left() > 0 {
		elem, ok := next(&list)
		if !ok {
			return "", nil, call.noPage()
		}
		elems = append(elems, elem)
	}
	return cursor, elems, nil
}

// noPage is the error for a reply that is no page.
func (call *call) noPage() error {
	return call.fail(Answered, &command.TypeError{Want: "a cursor with an array of elements", Got: "something else"})
}

// nextText returns the next element of an array as text of its own; false if it is none.
func nextText(e *resp.Elements) (text string, ok bool) {
	frame, ok := e.Next()
	if !ok {
		return "", false
	}
	switch resp.KindOf(frame) {
	case resp.BulkString, resp.SimpleString, resp.Double, resp.Integer:
		b, ok := resp.Payload(frame)
		return string(b), ok
	}
	return "", false
}

// withCursor returns the terms of calls with a cursor, which a primary answers: to another node it means nothing.
func (t *terms) withCursor() *terms {
	return &terms{core: t.core, timeout: t.timeout, idempotent: t.idempotent, called: t.called}
}
