package worker

import (
	"math/rand/v2"
	"strconv"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/chaos/ledger"
)

const slots = 16384

// tags holds a hash tag for every slot.
type tags [slots]string

// tagEverySlot finds a tag for every slot among the numbers from 0: some 170,000 of them do.
func tagEverySlot() *tags {
	var t tags
	for n, missing := 0, slots; missing > 0; n++ {
		tag := strconv.Itoa(n)
		if slot := keyslot.Slot(tag); t[slot] == "" {
			t[slot] = tag
			missing--
		}
	}
	return &t
}

const (
	spread  = 192 // slots of a round, all over the cluster: 64 or so for each of three primaries
	focused = 32  // more of them, in what a nemesis is about to move
)

// place is one slot of a round and its keys.
type place struct {
	slot   uint16
	tag    string
	values int // keys that hold a value bound to them
}

// key names a key of the place.
func (p place) key(kind string, round int) string {
	return kind + ":" + strconv.Itoa(round) + ":{" + p.tag + "}"
}

// places chooses the slots of a round: some in the focus, and others spread over all, different ones in each round.
func (t *tags) places(round int, focus []ledger.SlotRange) (everywhere, inFocus []place) {
	for i := range spread {
		slot := uint16((i*slots/spread + round*31) % slots)
		everywhere = append(everywhere, place{slot, t[slot], 4})
	}
	total := 0
	for _, r := range focus {
		total += int(r.Last) - int(r.First) + 1
	}
	for i := range min(focused, total) {
		slot := within(focus, i*total/min(focused, total))
		// A slot with 64 keys and more takes MIGRATE several calls, and between two of them it says TRYAGAIN.
		inFocus = append(inFocus, place{slot, t[slot], 64})
	}
	return everywhere, inFocus
}

// within returns the n-th slot of ranges.
func within(ranges []ledger.SlotRange, n int) uint16 {
	for _, r := range ranges {
		if size := int(r.Last) - int(r.First) + 1; n >= size {
			n -= size
			continue
		}
		return r.First + uint16(n)
	}
	return 0
}

// pick draws a place, out of the focus three times of four, where there is one.
func (r *round) pick(draw *rand.Rand) place {
	if len(r.inFocus) > 0 && draw.IntN(4) > 0 {
		return r.inFocus[draw.IntN(len(r.inFocus))]
	}
	return r.everywhere[draw.IntN(len(r.everywhere))]
}

// homes is into how many parts the slots are divided for lanes that keep to one: two for each of three primaries.
const homes = 6

// home returns the n-th part of the places.
func (r *round) home(n int) []place {
	size := len(r.everywhere) / homes
	return r.everywhere[n%homes*size:][:size]
}

// pick draws a place for the lane's next operation.
func (l *lane) pick() place {
	if l.home != nil {
		return l.home[l.draw.IntN(len(l.home))]
	}
	return l.round.pick(l.draw)
}
