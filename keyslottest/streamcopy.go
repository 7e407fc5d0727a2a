package keyslottest

import (
	"maps"
	"slices"
	"strconv"
)

// copyStream makes to a stream of its own, with all that from has: miniredis would let both share their entries, and
// what is written to one of them appear in the other.
func (s *store) copyStream(from, to string) {
	fields := map[streamID][]string{}
	for _, e := range s.ask("XRANGE", from, "-", "+").Elems { // id and fields
		id, _ := parseStreamID(e.Elems[0].Str)
		for _, v := range e.Elems[1].Elems {
			fields[id] = append(fields[id], v.Str)
		}
	}
	// What was deleted is known as the last ID, and as pending: so it is added, and deleted once more.
	var deleted []streamID
	remember := func(id streamID) {
		if fields[id] == nil {
			fields[id] = []string{"", ""}
			deleted = append(deleted, id)
		}
	}
	if state, ok := s.stream(from); ok && state.last != (streamID{}) {
		remember(state.last)
	}
	pending := map[string][]pendingEntry{}
	groups := s.ask("XINFO", "GROUPS", from).Elems // name <name> consumers <n> pending <n> last-delivered-id <id>
	for _, g := range groups {
		name := g.Elems[1].Str
		pending[name], _ = s.pending(from, name)
		for _, e := range pending[name] {
			remember(e.id)
		}
	}
	s.ask("XGROUP", "CREATE", to, "", "0", "MKSTREAM") // which may have no entry
	s.ask("XGROUP", "DESTROY", to, "")
	for _, id := range slices.SortedFunc(maps.Keys(fields), streamID.compare) {
		s.ask(append([]string{"XADD", to, id.String()}, fields[id]...)...)
	}
	for _, g := range groups {
		name := g.Elems[1].Str
		s.ask("XGROUP", "CREATE", to, name, g.Elems[7].Str)
		for _, consumer := range s.ask("XINFO", "CONSUMERS", from, name).Elems {
			s.ask("XGROUP", "CREATECONSUMER", to, name, consumer.Elems[1].Str)
		}
		for _, e := range pending[name] {
			s.ask("XCLAIM", to, name, e.consumer, "0", e.id.String(), "IDLE", strconv.FormatInt(e.idle, 10),
				"RETRYCOUNT", strconv.FormatInt(e.deliveries, 10), "FORCE", "JUSTID")
		}
	}
	for _, id := range deleted {
		s.ask("XDEL", to, id.String())
	}
}
