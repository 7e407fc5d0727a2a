package keyslottest

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// streamRead is an XREAD or an XREADGROUP taken apart.
type streamRead struct {
	group, consumer string   // of XREADGROUP
	count           int      // how much of each stream to return
	options         []string // COUNT and NOACK, but not BLOCK
	keys, ids       []string // as many of both
}

// parseRead refuses what a server does before it looks at any key.
func parseRead(args []string, grouped bool) (g streamRead, refusal string) {
	g.count = math.MaxInt
	inGroup := false
	for i := 1; i < len(args) && g.keys == nil; i++ {
		more := len(args) - 1 - i
		switch option := strings.ToUpper(args[i]); {
		case option == "BLOCK" && more > 0:
			i++
			switch ms, err := strconv.ParseInt(args[i], 10, 64); {
			case err != nil:
				return g, "ERR timeout is not an integer or out of range"
			case ms < 0:
				return g, "ERR timeout is negative"
			}
		case option == "COUNT" && more > 0:
			i++
			count, err := strconv.Atoi(args[i])
			if err != nil {
				return g, errNoInteger
			}
			if count > 0 {
				g.count = count
				g.options = append(g.options, "COUNT", args[i])
			}
		case option == "STREAMS" && more > 0:
			if more%2 != 0 {
				return g, "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
			}
			g.keys, g.ids = args[i+1:i+1+more/2], args[i+1+more/2:]
		case option == "GROUP" && more > 1:
			if !grouped {
				return g, "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
			}
			inGroup, g.group, g.consumer = true, args[i+1], args[i+2]
			i += 2
		case option == "NOACK":
			if !grouped {
				return g, "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
			}
			g.options = append(g.options, option)
		default:
			return g, errSyntax
		}
	}
	switch {
	case g.keys == nil:
		return g, errSyntax
	case grouped && !inGroup:
		return g, "ERR Missing GROUP option for XREADGROUP"
	}
	return g, ""
}

// refuse looks at one stream after the other, before any of them is read: at its type, its group and its ID.
func (g streamRead) refuse(s *store, grouped bool) (refusal string) {
	for i, key := range g.keys {
		if kind := s.ask("TYPE", key).Str; kind != "stream" && kind != "none" {
			return errWrongType
		}
		if grouped {
			if refusal := s.ask("XPENDING", key, g.group, "-", "+", "1"); refusal.Kind == resp.SimpleError {
				return refusal.Str + " in XREADGROUP with GROUP option"
			}
		}
		_, valid := parseStreamID(g.ids[i])
		switch id := g.ids[i]; {
		case valid, id == ">" && grouped, id == "$" && !grouped:
		case id == ">":
			return "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
		case id == "$":
			return "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by " +
				"specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
		default:
			return errStreamID
		}
	}
	return ""
}

// readStreams answers XREAD and XREADGROUP, with a null where they would have to wait. Each stream is read by a command
// of its own: miniredis takes keys of other types for empty streams, and loses count where a stream is named twice.
//
// Other IDs than > make XREADGROUP ask again for what a consumer has pending, where entries that were deleted are
// nulls. Such a command never blocks.
func readStreams(s *store, out *replies, r request) bool {
	grouped := r.cmd.Name == "XREADGROUP"
	g, refusal := parseRead(r.args, grouped)
	if refusal == "" {
		refusal = g.refuse(s, grouped)
	}
	if refusal != "" {
		out.error(refusal)
		return true
	}
	streams, body := 0, replies{resp3: out.resp3}
	for i, key := range g.keys {
		from := len(body.buf)
		if !body.resp3 { // an array of pairs; in RESP3 it is a map
			body.array(2)
		}
		body.bulk(key)
		if s.readStream(&body, g, key, g.ids[i]) {
			streams++
		} else {
			body.buf = body.buf[:from]
		}
	}
	switch {
	case streams == 0:
		out.nullArray()
	case out.resp3:
		out.mapOf(streams)
	default:
		out.array(streams)
	}
	out.buf = append(out.buf, body.buf...)
	return true
}

// readStream appends the entries of one stream, or returns false if there is nothing new.
func (s *store) readStream(out *replies, g streamRead, key, id string) bool {
	after, history := parseStreamID(id)
	if g.group == "" || !history {
		args := []string{"XREAD"}
		if g.group != "" {
			args = []string{"XREADGROUP", "GROUP", g.group, g.consumer}
		}
		fresh := s.ask(slices.Concat(args, g.options, []string{"STREAMS", key, id})...).Elems // key and entries
		if len(fresh) == 0 {
			return false
		}
		entries := fresh[0].Elems[1]
		if g.group != "" {
			s.delivered(key, g.group, entries.Elems)
		}
		out.buf = resp.AppendValue(out.buf, entries, 2)
		return true
	}
	s.ask("XGROUP", "CREATECONSUMER", key, g.group, g.consumer)
	entries, _ := s.pending(key, g.group)
	entries = slices.DeleteFunc(entries, func(e pendingEntry) bool { return e.consumer != g.consumer || e.id.compare(after) <= 0 })
	entries = entries[:min(len(entries), g.count)]
	out.array(len(entries))
	for _, e := range entries {
		entry, there := s.entry(key, e.id)
		if !there {
			out.array(2)
			out.bulk(e.id.String())
			out.nullArray()
			continue
		}
		s.ask("XCLAIM", key, g.group, g.consumer, "0", e.id.String()) // one more delivery, just now
		out.buf = resp.AppendValue(out.buf, entry, 2)
	}
	return true
}
