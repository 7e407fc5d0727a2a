package keyslottest

import (
	"slices"
	"strconv"
	"strings"
)

// scan goes over one slot after the other; its cursor is the next slot. So a key that stays in its slot and on its node
// is returned exactly once, however many others come and go.
func scan(cn *conn, args []string) {
	c := cn.cluster
	cursor, ok := parseCursor(args[1])
	if !ok {
		cn.out.error("ERR invalid cursor")
		return
	}
	o, refusal := parseScan(args[2:], true)
	if refusal != "" {
		cn.out.error(refusal)
		return
	}
	seen, found := 0, []string{}
	slot := cursor
	for ; slot < slotCount && seen < o.count; slot++ {
		for _, key := range c.keysIn(cn.node, uint16(slot)) {
			seen++
			if globMatch(o.match, key) && (o.kind == "" || strings.EqualFold(c.store.kind(key), o.kind)) {
				found = append(found, key)
			}
		}
	}
	if slot >= slotCount {
		slot = 0
	}
	cn.out.array(2)
	cn.out.bulk(strconv.FormatUint(slot, 10))
	cn.out.bulks(found)
}

type scanOptions struct {
	match, kind string
	count       int
}

// parseScan takes the options of SCAN, or of those that go over one value, whose elements have no types.
func parseScan(args []string, typed bool) (o scanOptions, refusal string) {
	o.match, o.count = "*", 10
	for i := 0; i < len(args); i += 2 {
		option := strings.ToUpper(args[i])
		if i+1 == len(args) {
			return o, errSyntax
		}
		switch {
		case option == "MATCH":
			o.match = args[i+1]
		case option == "TYPE" && typed:
			o.kind = args[i+1]
		case option == "COUNT":
			n, err := strconv.Atoi(args[i+1])
			if err != nil {
				return o, errNoInteger
			}
			if n < 1 {
				return o, errSyntax
			}
			o.count = n
		default:
			return o, errSyntax
		}
	}
	return o, ""
}

// parseCursor reads a number as a server's strtoul does: a sign wraps it around, and nothing is 0.
func parseCursor(text string) (cursor uint64, ok bool) {
	if text == "" {
		return 0, true
	}
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(text, "+")
	}
	cursor, err := strconv.ParseUint(digits, 10, 64)
	if negative {
		cursor = -cursor
	}
	return cursor, err == nil
}

// wholeSize is how many elements of a hash or a sorted set servers keep in one piece, and so return at once whatever
// COUNT and the cursor say.
const wholeSize = 128

// scanValue answers HSCAN, SSCAN and ZSCAN. The cursor is how many elements have been seen, and any number is
// one, as on a server.
func scanValue(s *store, out *replies, r request) bool {
	kind, width := "hash", 2
	switch r.cmd.Name {
	case "SSCAN":
		kind, width = "set", 1
	case "ZSCAN":
		kind = "zset"
	}
	cursor, ok := parseCursor(r.args[2])
	if !ok {
		out.error("ERR invalid cursor")
		return true
	}
	switch s.ask("TYPE", r.args[1]).Str {
	case "none":
		out.array(2)
		out.bulk("0")
		out.array(0)
		return true
	case kind:
	default:
		out.error(errWrongType)
		return true
	}
	o, refusal := parseScan(r.args[3:], false)
	if refusal != "" {
		out.error(refusal)
		return true
	}
	all := s.ask(r.cmd.Name, r.args[1], "0").Elems[1].Elems
	size := uint64(len(all) / width)
	whole := kind != "set" && size <= wholeSize
	if cursor >= size || whole {
		cursor = 0
	}
	next := cursor + uint64(o.count)
	if next >= size || whole {
		next = size
	}
	var found []string
	for _, page := range slices.Collect(slices.Chunk(all, width))[cursor:next] {
		if !globMatch(o.match, page[0].Str) {
			continue
		}
		for _, v := range page {
			found = append(found, v.Str)
		}
	}
	if next == size {
		next = 0
	}
	out.array(2)
	out.bulk(strconv.FormatUint(next, 10))
	out.bulks(found)
	return true
}
