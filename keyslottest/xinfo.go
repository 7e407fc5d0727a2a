package keyslottest

import (
	"cmp"
	"slices"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// streamBooks is what a server remembers of a stream, and miniredis does not.
type streamBooks struct {
	last       streamID // that the stream ever had: another one there says that these are the books of another stream
	added      int64
	maxDeleted streamID         // by XDEL
	read       map[string]int64 // entries read by each group; a group without is one that lost count, or has not begun
}

// streamState is what there is, and the books.
type streamState struct {
	*streamBooks
	key    string
	length int64
}

// stream looks at the stream at key; ok is false if there is none. Books that are missing begin with what there is.
func (s *store) stream(key string) (state streamState, ok bool) {
	info := s.ask("XINFO", "STREAM", key) // length n last-generated-id id
	if info.Kind == resp.SimpleError {
		return state, false
	}
	state.key, state.length = key, info.Elems[1].Int
	last, _ := parseStreamID(info.Elems[3].Str)
	state.streamBooks = s.streams[key]
	if state.streamBooks == nil || state.last != last {
		state.streamBooks = &streamBooks{last: last, added: state.length, read: map[string]int64{}}
		s.streams[key] = state.streamBooks
	}
	return state, true
}

// first is the first entry, and its ID: 0-0 if there is none.
func (s *store) first(key string) (entry resp.Value, id streamID) {
	if found := s.ask("XRANGE", key, "-", "+", "COUNT", "1").Elems; len(found) > 0 {
		entry = found[0]
		id, _ = parseStreamID(entry.Elems[0].Str)
	}
	return entry, id
}

// added notes what XADD answered; before are the books until then, if there was a stream.
func (s *store) added(key string, before *streamBooks, reply []byte) {
	id, _ := resp.Decode(reply)
	last, ok := parseStreamID(id.Str)
	if id.Kind != resp.BulkString || !ok {
		return
	}
	if before == nil {
		before = &streamBooks{read: map[string]int64{}}
	}
	before.added++
	before.last = last
	s.streams[key] = before
}

// delivered counts what a group reads for the first time.
func (s *store) delivered(key, group string, entries []resp.Value) {
	state, _ := s.stream(key)
	for _, entry := range entries {
		id, _ := parseStreamID(entry.Elems[0].Str)
		if read, counts := state.read[group]; counts && !s.hasGapFrom(state, id) {
			state.read[group] = read + 1
		} else if read, known := s.distance(state, id); known {
			state.read[group] = read
		} else {
			delete(state.read, group)
		}
	}
}

// hasGapFrom says whether something was deleted from id on, and not since at the front.
func (s *store) hasGapFrom(state streamState, id streamID) bool {
	if state.length == 0 || state.maxDeleted == (streamID{}) || id.compare(state.maxDeleted) > 0 {
		return false
	}
	_, first := s.first(state.key)
	return first.compare(state.maxDeleted) <= 0
}

// distance is how many entries there ever were up to id, where that is known.
func (s *store) distance(state streamState, id streamID) (entries int64, known bool) {
	switch end := id.compare(state.last); {
	case state.added == 0:
		return 0, true
	case end == 0, state.length == 0 && end < 0:
		return state.added, true
	case end > 0:
		return 0, false
	}
	_, first := s.first(state.key)
	if state.maxDeleted != (streamID{}) && state.maxDeleted.compare(first) >= 0 {
		return 0, false
	}
	switch gone, start := state.added-state.length, id.compare(first); {
	case start < 0:
		return gone, true
	case start == 0:
		return gone + 1, true
	}
	return 0, false
}

// streamInfo answers XINFO STREAM, but for its full form.
func streamInfo(s *store, out *replies, r request) bool {
	key := r.args[2]
	if len(r.args) > 3 {
		out.error(unsupported(r))
		return true
	}
	state, ok := s.stream(key)
	if !ok {
		return false
	}
	firstEntry, first := s.first(key)
	leaves := min(state.length, 1) // what a server has up to a hundred entries
	out.mapOf(10)
	out.namedInt("length", state.length)
	out.namedInt("radix-tree-keys", leaves)
	out.namedInt("radix-tree-nodes", leaves+1)
	out.namedBulk("last-generated-id", state.last.String())
	out.namedBulk("max-deleted-entry-id", state.maxDeleted.String())
	out.namedInt("entries-added", state.added)
	out.namedBulk("recorded-first-entry-id", first.String())
	out.namedInt("groups", int64(len(s.ask("XINFO", "GROUPS", key).Elems)))
	out.bulk("first-entry")
	if state.length == 0 {
		out.null()
		out.bulk("last-entry")
		out.null()
		return true
	}
	out.buf = resp.AppendValue(out.buf, firstEntry, 2)
	out.bulk("last-entry")
	out.buf = resp.AppendValue(out.buf, s.ask("XREVRANGE", key, "+", "-", "COUNT", "1").Elems[0], 2)
	return true
}

// groupsInfo answers XINFO GROUPS, which miniredis does not count right.
func groupsInfo(s *store, out *replies, r request) bool {
	state, ok := s.stream(r.args[2])
	if !ok {
		return false
	}
	groups := s.ask(r.args...).Elems // name n consumers n pending n last-delivered-id id ...
	slices.SortFunc(groups, func(a, b resp.Value) int { return cmp.Compare(a.Elems[1].Str, b.Elems[1].Str) })
	out.array(len(groups))
	for _, g := range groups {
		name := g.Elems[1].Str
		pending, _ := s.pending(r.args[2], name)
		last, _ := parseStreamID(g.Elems[7].Str)
		out.mapOf(6)
		out.namedBulk("name", name)
		out.namedInt("consumers", g.Elems[3].Int)
		out.namedInt("pending", int64(len(pending)))
		out.namedBulk("last-delivered-id", last.String())
		read, counts := state.read[name]
		out.bulk("entries-read")
		out.intOrNull(read, counts)
		if !counts || s.hasGapFrom(state, last) {
			read, counts = s.distance(state, last)
		}
		out.bulk("lag")
		out.intOrNull(state.added-read, counts)
	}
	return true
}

// consumersInfo answers XINFO CONSUMERS as version 7.0 does, with what was deleted and is pending.
func consumersInfo(s *store, out *replies, r request) bool {
	consumers := s.ask(r.args...)
	if consumers.Kind != resp.Array {
		return false
	}
	entries, _ := s.pending(r.args[2], r.args[3])
	out.array(len(consumers.Elems))
	for _, c := range consumers.Elems { // name n pending n idle n ...
		pending := int64(0)
		for _, e := range entries {
			if e.consumer == c.Elems[1].Str {
				pending++
			}
		}
		out.mapOf(3)
		out.namedBulk("name", c.Elems[1].Str)
		out.namedInt("pending", pending)
		out.namedInt("idle", max(c.Elems[5].Int, 0))
	}
	return true
}

// namedInt appends a field of a map.
func (r *replies) namedInt(name string, n int64) {
	r.bulk(name)
	r.int(n)
}

func (r *replies) namedBulk(name, value string) {
	r.bulk(name)
	r.bulk(value)
}

func (r *replies) intOrNull(n int64, known bool) {
	if known {
		r.int(n)
	} else {
		r.null()
	}
}
