package keyslottest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// streamID is the ID of an entry: milliseconds and a sequence number.
type streamID struct{ ms, seq uint64 }

func parseStreamID(text string) (id streamID, ok bool) {
	ms, seq, both := strings.Cut(text, "-")
	var err error
	if id.ms, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return id, false
	}
	if both {
		id.seq, err = strconv.ParseUint(seq, 10, 64)
	}
	return id, err == nil
}

func noStreamID(text string) bool {
	_, ok := parseStreamID(text)
	return !ok
}

func (id streamID) String() string { return fmt.Sprintf("%d-%d", id.ms, id.seq) }

func (id streamID) compare(other streamID) int {
	return cmp.Or(cmp.Compare(id.ms, other.ms), cmp.Compare(id.seq, other.seq))
}

// pendingEntry is an entry that was delivered to a consumer and not acknowledged.
type pendingEntry struct {
	id               streamID
	consumer         string
	idle, deliveries int64
}

// pending returns what a group has pending, by ID, or the error to answer: mostly that there is no such group.
func (s *store) pending(key, group string) (entries []pendingEntry, refusal string) {
	reply := s.ask("XPENDING", key, group, "-", "+", strconv.Itoa(math.MaxInt32))
	if reply.Kind == resp.SimpleError {
		return nil, reply.Str
	}
	for _, e := range reply.Elems { // id consumer idle deliveries
		id, _ := parseStreamID(e.Elems[0].Str)
		entries = append(entries, pendingEntry{id, e.Elems[1].Str, e.Elems[2].Int, e.Elems[3].Int})
	}
	return entries, ""
}

// entry reads one entry; ok is false if it was deleted.
func (s *store) entry(key string, id streamID) (entry resp.Value, ok bool) {
	found := s.ask("XRANGE", key, id.String(), id.String()).Elems
	if len(found) == 0 {
		return resp.Value{}, false
	}
	return found[0], true
}

// acknowledge counts entries that were deleted, too. It asks for one after the other: for miniredis, which looks from
// the front, and for those who acknowledge in order, that is less than to read all that is pending.
func acknowledge(s *store, out *replies, r request) bool {
	key, group := r.args[1], r.args[2]
	if slices.ContainsFunc(r.args[3:], noStreamID) && s.ask("XPENDING", key, group, "-", "+", "1").Kind != resp.SimpleError {
		out.error(errStreamID)
		return true
	}
	pending := map[streamID]bool{}
	for _, arg := range r.args[3:] {
		id, ok := parseStreamID(arg)
		if ok && !pending[id] && len(s.ask("XPENDING", key, group, id.String(), id.String(), "1").Elems) > 0 {
			pending[id] = true
		}
	}
	from := len(out.buf)
	s.do(out, r.args...)
	if resp.IsError(out.buf[from:]) {
		return true
	}
	out.buf = out.buf[:from]
	out.int(int64(len(pending)))
	return true
}

// pendingSummary answers XPENDING key group, with the entries that were deleted.
func pendingSummary(s *store, out *replies, r request) bool {
	if len(r.args) != 3 {
		return false
	}
	entries, refusal := s.pending(r.args[1], r.args[2])
	if refusal != "" {
		return false
	}
	if len(entries) == 0 {
		out.array(4)
		out.int(0)
		out.null()
		out.null()
		out.nullArray()
		return true
	}
	count := map[string]int{}
	for _, e := range entries {
		count[e.consumer]++
	}
	out.array(4)
	out.int(int64(len(entries)))
	out.bulk(entries[0].id.String())
	out.bulk(entries[len(entries)-1].id.String())
	out.array(len(count))
	for _, consumer := range slices.Sorted(maps.Keys(count)) {
		out.bulks([]string{consumer, strconv.Itoa(count[consumer])})
	}
	return true
}

// deleteConsumer takes all that is pending for the consumer with it: miniredis loses count of that.
func deleteConsumer(s *store, out *replies, r request) bool {
	key, group, consumer := r.args[2], r.args[3], r.args[4]
	entries, refusal := s.pending(key, group)
	if refusal != "" {
		return false
	}
	entries = slices.DeleteFunc(entries, func(e pendingEntry) bool { return e.consumer != consumer })
	for _, e := range entries {
		s.ask("XACK", key, group, e.id.String())
	}
	s.ask(r.args...)
	out.int(int64(len(entries)))
	return true
}

// claimant is who claims entries, and how.
type claimant struct {
	key, group, consumer string
	minIdle              int64
	force, justID        bool
	options              []string // of XCLAIM, for miniredis
}

// take claims one entry, and returns what XCLAIM answers about it: taken is false if it is not to be had. One that was
// deleted is pending no longer.
func (s *store) take(c claimant, id streamID, pending *pendingEntry) (answer resp.Value, taken, deleted bool) {
	if _, there := s.entry(c.key, id); !there {
		if pending != nil {
			s.ask("XACK", c.key, c.group, id.String())
		}
		return resp.Value{}, false, pending != nil
	}
	deliveries := int64(1)
	switch {
	case pending == nil && !c.force, pending != nil && pending.idle < c.minIdle:
		return resp.Value{}, false, false
	case pending != nil:
		deliveries = pending.deliveries
	}
	args := append([]string{"XCLAIM", c.key, c.group, c.consumer, "0", id.String()}, c.options...)
	if c.justID && !hasWord(c.options, "RETRYCOUNT") {
		args = append(args, "RETRYCOUNT", strconv.FormatInt(deliveries, 10)) // it delivers nothing
	}
	answer = s.ask(args...)
	if answer.Kind == resp.Array && len(answer.Elems) == 1 {
		answer = answer.Elems[0]
	}
	return answer, true, false
}

// claim answers XCLAIM, whose least idle time miniredis ignores.
func claim(s *store, out *replies, r request) bool {
	c := claimant{key: r.args[1], group: r.args[2], consumer: r.args[3]}
	var err error
	if c.minIdle, err = strconv.ParseInt(r.args[4], 10, 64); err != nil {
		return false
	}
	var ids []streamID
	for _, arg := range r.args[5:] {
		id, ok := parseStreamID(arg)
		if !ok {
			break
		}
		ids = append(ids, id)
	}
	c.options = r.args[5+len(ids):]
	for i := 0; i < len(c.options); i++ {
		switch option := strings.ToUpper(c.options[i]); option {
		case "IDLE", "TIME", "RETRYCOUNT":
			if i+1 == len(c.options) {
				out.error(fmt.Sprintf("ERR Unrecognized XCLAIM option '%s'", c.options[i]))
				return true
			}
			i++
			if _, err := strconv.ParseInt(c.options[i], 10, 64); err != nil {
				out.error("ERR Invalid " + option + " option argument for XCLAIM")
				return true
			}
		case "FORCE":
			c.force = true
		case "JUSTID":
			c.justID = true
		default:
			out.error(fmt.Sprintf("ERR Unrecognized XCLAIM option '%s'", c.options[i]))
			return true
		}
	}
	entries, refusal := s.pending(c.key, c.group)
	if refusal != "" {
		out.error(refusal)
		return true
	}
	claimed := resp.Value{Kind: resp.Array}
	for _, id := range ids {
		var pending *pendingEntry
		if i := slices.IndexFunc(entries, func(e pendingEntry) bool { return e.id == id }); i >= 0 {
			pending = &entries[i]
		}
		answer, taken, _ := s.take(c, id, pending)
		if answer.Kind == resp.SimpleError { // of an option's value
			claimed = answer
			break
		}
		if taken {
			claimed.Elems = append(claimed.Elems, answer)
		}
	}
	out.buf = resp.AppendValue(out.buf, claimed, 2)
	return true
}

// autoClaim answers XAUTOCLAIM, which names what was deleted and so is pending no longer.
func autoClaim(s *store, out *replies, r request) bool {
	c := claimant{key: r.args[1], group: r.args[2], consumer: r.args[3]}
	var err error
	if c.minIdle, err = strconv.ParseInt(r.args[4], 10, 64); err != nil {
		return false
	}
	text, exclusive := strings.CutPrefix(r.args[5], "(")
	start, ok := parseStreamID(text)
	if !ok && (exclusive || text != "-") {
		return false
	}
	count := 100
	for i := 6; i < len(r.args); i++ {
		switch option := strings.ToUpper(r.args[i]); {
		case option == "COUNT" && i+1 < len(r.args):
			i++
			if count, err = strconv.Atoi(r.args[i]); err != nil {
				count = 0 // is refused below
			}
		case option == "JUSTID":
			c.justID, c.options = true, []string{option}
		default:
			out.error(errSyntax)
			return true
		}
	}
	if count < 1 {
		out.error("ERR COUNT must be > 0")
		return true
	}
	entries, refusal := s.pending(c.key, c.group)
	if refusal != "" {
		out.error(refusal)
		return true
	}
	entries = slices.DeleteFunc(entries, func(e pendingEntry) bool {
		return e.id.compare(start) < 0 || exclusive && e.id == start
	})
	s.takeSome(out, c, entries, count)
	return true
}

// takeSome claims up to count of the entries, and answers where to go on. As on a server, it looks at ten times as many
// at most, and what was deleted counts.
func (s *store) takeSome(out *replies, c claimant, entries []pendingEntry, count int) {
	next, claimed, deleted := "0-0", resp.Value{Kind: resp.Array}, []string{}
	for i := range entries {
		if i == 10*count || len(claimed.Elems)+len(deleted) == count {
			next = entries[i].id.String()
			break
		}
		answer, taken, gone := s.take(c, entries[i].id, &entries[i])
		if taken {
			claimed.Elems = append(claimed.Elems, answer)
		}
		if gone {
			deleted = append(deleted, entries[i].id.String())
		}
	}
	out.array(3)
	out.bulk(next)
	out.buf = resp.AppendValue(out.buf, claimed, 2)
	out.bulks(deleted)
}
