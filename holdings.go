package keyslot

import (
	"math/bits"
	"strings"
)

// slotSet is a set of slots.
type slotSet [slotCount / 64]uint64

func (s *slotSet) has(slot uint16) bool { return s[slot/64]&(1<<(slot%64)) != 0 }
func (s *slotSet) add(slot uint16)      { s[slot/64] |= 1 << (slot % 64) }
func (s *slotSet) remove(slot uint16)   { s[slot/64] &^= 1 << (slot % 64) }

func (s *slotSet) len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// first returns the lowest slot of the set; false for an empty one.
func (s *slotSet) first() (slot uint16, ok bool) {
	for i, word := range s {
		if word != 0 {
			return uint16(i*64 + bits.TrailingZeros64(word)), true
		}
	}
	return 0, false
}

// all yields the slots of the set in ascending order.
func (s *slotSet) all(yield func(slot uint16) bool) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(uint16(i*64 + bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

func allSlots() (s slotSet) {
	for i := range s {
		s[i] = ^uint64(0)
	}
	return s
}

// holdings are the slots of one node as it sees them itself.
type holdings struct {
	words     string // what the rest was read from: equal words are equal holdings
	id, epoch string
	owned     slotSet           // those on their way out included
	migrating map[uint16]string // to which node id
	importing map[uint16]string // and not owned: from which node id
}

// slotState says where a slot's keys are, seen from one node.
type slotState uint8

const (
	away      slotState = iota // elsewhere, or who knows
	home                       // all of them are here
	migrating                  // here, or at the node they move to
	importing                  // at the node they come from, or here
	arrived                    // they came while somebody watched, and are all here now
)

// of returns where a slot is, and the id of the other node if it is in motion.
func (h *holdings) of(slot uint16) (at slotState, peer string) {
	if peer, ok := h.importing[slot]; ok {
		return importing, peer
	}
	if !h.owned.has(slot) {
		return away, ""
	}
	if peer, ok := h.migrating[slot]; ok {
		return migrating, peer
	}
	return home, ""
}

// ownLine finds what a node says of itself in the reply to CLUSTER NODES:
//
//	<id> <address> myself,master <primary|-> <ping> <pong> <epoch> <link> <slot> <first>-<last> [<slot>->-<id>] [<slot>-<-<id>]
func ownLine(nodes string) (fields []string, ok bool) {
	const fixed = 8
	for line := range strings.Lines(nodes) {
		if !strings.Contains(line, "myself") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) >= fixed && hasFlag(fields[2], "myself") {
			return fields, true
		}
	}
	return nil, false
}

func hasFlag(flags, flag string) bool {
	for f := range strings.SplitSeq(flags, ",") {
		if f == flag {
			return true
		}
	}
	return false
}

// parseHoldings reads the reply to CLUSTER NODES; false for one that is none. A replica holds nothing.
func parseHoldings(nodes string) (h holdings, ok bool) {
	fields, ok := ownLine(nodes)
	if !ok {
		return h, false
	}
	h.id, h.epoch = fields[0], fields[6]
	h.words = strings.Join(append([]string{h.id, fields[2], h.epoch}, fields[8:]...), " ")
	if !hasFlag(fields[2], "master") {
		return h, true
	}
	for _, f := range fields[8:] {
		if !h.read(f) {
			return h, false
		}
	}
	return h, true
}

// read adds one of the words behind the fixed fields.
func (h *holdings) read(word string) (ok bool) {
	if inner, found := strings.CutPrefix(word, "["); found {
		inner = strings.TrimSuffix(inner, "]")
		if number, id, found := strings.Cut(inner, "->-"); found {
			return mark(&h.migrating, number, id)
		}
		number, id, found := strings.Cut(inner, "-<-")
		return found && mark(&h.importing, number, id)
	}
	first, last, found := strings.Cut(word, "-")
	if !found {
		last = first
	}
	from, ok := decimal(first, slotCount-1)
	to, ok2 := decimal(last, slotCount-1)
	if !ok || !ok2 || from > to {
		return false
	}
	for slot := from; slot <= to; slot++ {
		h.owned.add(uint16(slot))
	}
	return true
}

func mark(marks *map[uint16]string, number, id string) (ok bool) {
	slot, ok := decimal(number, slotCount-1)
	if !ok {
		return false
	}
	if *marks == nil {
		*marks = map[uint16]string{}
	}
	(*marks)[uint16(slot)] = id
	return true
}
