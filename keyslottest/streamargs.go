package keyslottest

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

const errStreamID = "ERR Invalid stream ID specified as stream command argument"

// trimming is what the options of XADD and XTRIM say.
type trimming struct {
	strategy   string // MAXLEN, MINID, or "" for none
	threshold  string
	near       bool
	limit      int64 // noLimit unless it is given
	noMkStream bool
	rest       []string // from the ID of an XADD on
}

const noLimit = -1

// parseTrimming takes the arguments behind the key apart, and refuses what a server does, in its order.
func parseTrimming(args []string, adds bool) (t trimming, refusal string) {
	t.limit = noLimit
	for ; len(args) > 0 && t.rest == nil; args = args[1:] {
		word, more := strings.ToUpper(args[0]), len(args) > 1
		switch {
		case (word == "MAXLEN" || word == "MINID") && more:
			if t.strategy != "" {
				return t, "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
			}
			t.near = false
			if len(args) > 2 && (args[1] == "~" || args[1] == "=") {
				t.near = args[1] == "~"
				args = args[1:]
			}
			args = args[1:]
			if t.strategy, t.threshold = word, args[0]; word == "MAXLEN" {
				_, refusal = notNegative(word, t.threshold)
			} else if noStreamID(t.threshold) {
				refusal = errStreamID
			}
		case word == "LIMIT" && more:
			args = args[1:]
			t.limit, refusal = notNegative(word, args[0])
		case word == "NOMKSTREAM" && adds:
			t.noMkStream = true
		case adds:
			t.rest = args
		default:
			refusal = errSyntax
		}
		if refusal != "" {
			return t, refusal
		}
	}
	return t, t.refusal(adds)
}

func notNegative(option, text string) (n int64, refusal string) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return n, errNoInteger
	case n < 0:
		return n, "ERR The " + option + " argument must be >= 0."
	}
	return n, ""
}

// refusal says what is wrong with the options as a whole.
func (t trimming) refusal(adds bool) string {
	if adds && len(t.rest) > 0 && !validNewID(t.rest[0]) {
		return errStreamID
	}
	switch {
	case t.limit > 0 && t.strategy == "":
		return "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
	case t.strategy == "" && !adds:
		return "ERR syntax error, XTRIM must be called with a trimming strategy"
	case t.limit != noLimit && !t.near:
		return "ERR syntax error, LIMIT cannot be used without the special ~ option"
	}
	return ""
}

// validNewID says whether an entry may be added by this ID, which is one, or *, or the milliseconds of one and *.
func validNewID(id string) bool {
	if id == "*" {
		return true
	}
	if ms, generated := strings.CutSuffix(id, "-*"); generated {
		_, err := strconv.ParseUint(ms, 10, 64)
		return err == nil
	}
	return !noStreamID(id)
}

// args are the options as miniredis knows them.
func (t trimming) args() []string {
	if t.strategy == "" {
		return nil
	}
	return []string{t.strategy, t.threshold}
}

// addEntry refuses an ID that is not above the last one ever: miniredis compares with what is left.
func addEntry(s *store, out *replies, r request) bool {
	key := r.args[1]
	t, refusal := parseTrimming(r.args[2:], true)
	if fields := len(t.rest) - 1; refusal == "" && (fields < 2 || fields%2 == 1) {
		refusal = wrongArity("xadd")
	}
	if refusal != "" {
		out.error(refusal)
		return true
	}
	id, explicit := parseStreamID(t.rest[0])
	kind := s.ask("TYPE", key).Str
	var books *streamBooks
	switch {
	case explicit && id == streamID{}:
		out.error("ERR The ID specified in XADD must be greater than 0-0")
		return true
	case kind == "none" && t.noMkStream:
		out.null()
		return true
	case kind == "stream":
		state, _ := s.stream(key)
		books = state.streamBooks
		switch last := books.last; {
		case last == streamID{math.MaxUint64, math.MaxUint64}:
			out.error("ERR The stream has exhausted the last possible ID, unable to add more items")
			return true
		case explicit && id.compare(last) <= 0:
			out.error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
			return true
		}
	}
	from := len(out.buf)
	s.do(out, slices.Concat(r.args[:2], t.args(), t.rest)...)
	if kind == "none" && resp.IsError(out.buf[from:]) {
		s.ask("DEL", key) // which was made before the ID was looked at
	}
	s.added(key, books, out.buf[from:])
	return true
}

// trimStream checks the options of XTRIM: miniredis takes any word for an ID, and panics where a length is negative.
func trimStream(s *store, out *replies, r request) bool {
	t, refusal := parseTrimming(r.args[2:], false)
	if refusal != "" {
		out.error(refusal)
		return true
	}
	s.do(out, slices.Concat(r.args[:2], t.args())...)
	return true
}

// createGroup checks what follows the group's name in XGROUP CREATE, begins a count for a group that is told where it
// stands, and forgets one that had the same name.
func createGroup(s *store, out *replies, r request) bool {
	key, group, id := r.args[2], r.args[3], r.args[4]
	creates, read := false, int64(-1)
	for i := 5; i < len(r.args); i++ {
		switch option := strings.ToUpper(r.args[i]); {
		case option == "MKSTREAM":
			creates = true
		case option == "ENTRIESREAD" && i+1 < len(r.args):
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
		default:
			out.error("ERR unknown subcommand or wrong number of arguments for '" + r.args[1] + "'. Try XGROUP HELP.")
			return true
		}
	}
	kind := s.ask("TYPE", key).Str
	if (kind == "stream" || kind == "none" && creates) && id != "$" && noStreamID(id) {
		out.error(errStreamID)
		return true
	}
	args := r.args[:5:5]
	if creates {
		args = append(args, "MKSTREAM")
	}
	from := len(out.buf)
	s.do(out, args...)
	if state, ok := s.stream(key); ok && !resp.IsError(out.buf[from:]) {
		delete(state.read, group)
		if read >= 0 {
			state.read[group] = read
		}
	}
	return true
}

// rangeOfStream checks the bounds of XRANGE and XREVRANGE, and returns nothing where nothing is asked for.
func rangeOfStream(s *store, out *replies, r request) bool {
	for _, bound := range r.args[2:4] {
		id, exclusive := strings.CutPrefix(bound, "(")
		if noStreamID(id) && (exclusive || id != "-" && id != "+") {
			out.error(errStreamID)
			return true
		}
	}
	if len(r.args) != 6 || !strings.EqualFold(r.args[4], "COUNT") {
		return false
	}
	if count, err := strconv.ParseInt(r.args[5], 10, 64); err != nil || count > 0 {
		return false
	}
	if kind := s.ask("TYPE", r.args[1]).Str; kind != "stream" {
		return false
	}
	out.nullArray()
	return true
}

// deleteEntries deletes none where one of the IDs is none, and notes the greatest one that is deleted.
func deleteEntries(s *store, out *replies, r request) bool {
	state, ok := s.stream(r.args[1])
	if !ok {
		return false
	}
	if slices.ContainsFunc(r.args[2:], noStreamID) {
		out.error(errStreamID)
		return true
	}
	for _, arg := range r.args[2:] {
		id, _ := parseStreamID(arg)
		if _, there := s.entry(r.args[1], id); there && id.compare(state.maxDeleted) > 0 {
			state.maxDeleted = id
		}
	}
	return false
}
