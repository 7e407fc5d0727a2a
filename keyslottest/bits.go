package keyslottest

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// bitRange is the part of a string that BITCOUNT and BITPOS look at, in bits.
type bitRange struct {
	from, to int64 // to is not in it
	reversed bool  // both ends were counted from behind, and the first comes after the last
}

// countBits answers BITCOUNT, whose unit miniredis does not know.
func countBits(s *store, out *replies, r request) bool {
	value := s.ask("GET", r.args[1])
	if value.Kind != resp.BulkString {
		return s.answerNoString(out, value, 0)
	}
	part, refusal := parseBitRange(value.Str, r.args[2:])
	if refusal == "" && len(r.args) == 3 {
		refusal = errSyntax // a start needs an end
	}
	if refusal != "" {
		out.error(refusal)
		return true
	}
	if part.reversed { // which BITPOS does not mind, where both ends are before the first bit
		out.int(0)
		return true
	}
	count := 0
	for i := part.from; i < part.to; i++ {
		if i%8 == 0 && i+8 <= part.to {
			count += bits.OnesCount8(value.Str[i/8])
			i += 7
			continue
		}
		count += bitAt(value.Str, i)
	}
	out.int(int64(count))
	return true
}

// findBit answers BITPOS, whose unit miniredis does not know.
func findBit(s *store, out *replies, r request) bool {
	wanted, err := strconv.Atoi(r.args[2])
	if err != nil {
		out.error(errNoInteger)
		return true
	}
	if wanted != 0 && wanted != 1 {
		out.error("ERR The bit argument must be 1 or 0.")
		return true
	}
	value := s.ask("GET", r.args[1])
	if value.Kind != resp.BulkString {
		return s.answerNoString(out, value, int64(-wanted))
	}
	part, refusal := parseBitRange(value.Str, r.args[3:])
	if refusal != "" {
		out.error(refusal)
		return true
	}
	for i := part.from; i < part.to; i++ {
		if bitAt(value.Str, i) == wanted {
			out.int(i)
			return true
		}
	}
	if wanted == 0 && len(r.args) < 5 && part.from < part.to {
		out.int(part.to) // without an end, zeros follow
		return true
	}
	out.int(-1)
	return true
}

// answerNoString answers missing for a key that is not there, and else the error about its type.
func (s *store) answerNoString(out *replies, value resp.Value, missing int64) bool {
	if value.Kind == resp.SimpleError {
		out.error(value.Str)
	} else {
		out.int(missing)
	}
	return true
}

func bitAt(value string, i int64) int { return int(value[i/8]>>(7-i%8)) & 1 }

// parseBitRange parses [start [end [BYTE | BIT]]].
func parseBitRange(value string, args []string) (part bitRange, refusal string) {
	total, unit := int64(len(value)), int64(8)
	if len(args) > 3 {
		return part, errSyntax
	}
	ends := [2]int64{0, -1}
	for i, arg := range args[:min(len(args), 2)] {
		n, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return part, errNoInteger
		}
		ends[i] = n
	}
	if len(args) == 3 {
		switch strings.ToUpper(args[2]) {
		case "BIT":
			total, unit = 8*total, 1
		case "BYTE":
		default:
			return part, errSyntax
		}
	}
	part.reversed = ends[0] < 0 && ends[1] < 0 && ends[0] > ends[1]
	for i, end := range ends {
		if end < 0 {
			end += total
		}
		ends[i] = max(end, 0)
	}
	part.from, part.to = min(ends[0], total)*unit, (min(ends[1], total-1)+1)*unit
	return part, ""
}
