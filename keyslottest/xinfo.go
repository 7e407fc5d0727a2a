package keyslottest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

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

// deleteEntries notes the greatest ID that XDEL deletes.
func deleteEntries(s *store, _ *replies, r request) bool {
	state, ok := s.stream(r.args[1])
	if !ok {
		return false
	}
	most := state.maxDeleted
	for _, arg := range r.args[2:] {
		id, valid := parseStreamID(arg)
		if !valid {
			return false
		}
		if _, there := s.entry(r.args[1], id); there && id.compare(most) > 0 {
			most = id
		}
	}
	state.maxDeleted = most
	return false
}

// createGroup refuses options that there are not, begins a count for a group that is told where it stands, and forgets one that had
// the same name.
func createGroup(s *store, out *replies, r request) bool {
	args, read := r.args[:5], int64(-1) // XGROUP CREATE key group id
	for i := 5; i < len(r.args); i++ {
		switch option := strings.ToUpper(r.args[i]); {
		case option == "MKSTREAM":
			args = append(slices.Clip(args), option)
			continue
		case option != "ENTRIESREAD" || i+1 == len(r.args):
			out.error("ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.")
			return true
		}
		i++
		n, err := strconv.ParseInt(r.args[i], 10, 64)
		if err != nil {
			out.error(errNoInteger)
			return true
		}
		if n < -1 {
			out.error("ERR value for ENTRIESREAD must be positive or -1")
			return true
		}
		read = n
	}
	from := len(out.buf)
	s.do(out, args...)
	if state, ok := s.stream(r.args[2]); ok && !resp.IsError(out.buf[from:]) {
		delete(state.read, r.args[3])
		if read >= 0 {
			state.read[r.args[3]] = read
		}
	}
	return true
}

// delivered counts what XREADGROUP has read for the first time.
func (s *store) delivered(r request, reply []byte) {
	g, ok := parseGroupRead(r)
	streams, err := resp.Decode(reply)
	if !ok || err != nil || len(streams.Elems) == 0 {
		return
	}
	pairs := streams.Elems // of key and entries, nested in RESP2
	if streams.Kind == resp.Array {
		pairs = nil
		for _, pair := range streams.Elems {
			pairs = append(pairs, pair.Elems...)
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		key := pairs[i].Str
		state, ok := s.stream(key)
		if at := slices.Index(r.keys, key); !ok || at < 0 || g.ids[at] != ">" {
			continue
		}
		for _, entry := range pairs[i+1].Elems {
			id, _ := parseStreamID(entry.Elems[0].Str)
			if read, counts := state.read[g.group]; counts && !s.hasGapFrom(state, id) {
				state.read[g.group] = read + 1
			} else if read, known := s.distance(state, id); known {
				state.read[g.group] = read
			} else {
				delete(state.read, g.group)
			}
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
