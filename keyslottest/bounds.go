package keyslottest

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// maxString is what a server allows a string to grow to. It is a limit of memory here as well: one command could
// ask for any size.
const maxString = 512 << 20

// setRange writes nothing, and creates no key, where there is nothing to write, and refuses what would grow beyond maxString.
func setRange(s *store, out *replies, r request) bool {
	offset, err := strconv.ParseInt(r.args[2], 10, 64)
	if err != nil || offset < 0 {
		return false
	}
	length := s.ask("STRLEN", r.args[1])
	switch {
	case length.Kind == resp.SimpleError:
		out.error(length.Str)
	case r.args[3] == "":
		out.int(length.Int)
	case offset > maxString-int64(len(r.args[3])):
		out.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	default:
		return false
	}
	return true
}

// bitOffset refuses the bits of strings beyond maxString.
func bitOffset(_ *store, out *replies, r request) bool {
	if offset, err := strconv.ParseInt(r.args[2], 10, 64); err != nil || offset < 8*maxString {
		return false
	}
	out.error("ERR bit offset is not an integer or out of range")
	return true
}

// scoreRange refuses bounds that are no number: miniredis compares with them.
func scoreRange(s *store, out *replies, r request) bool {
	args := slices.Clone(r.args)
	for i, bound := range args[2:4] {
		if score, _ := strconv.ParseFloat(strings.TrimPrefix(bound, "("), 64); math.IsNaN(score) {
			args[2+i] = "none" // which it refuses, once it has looked at the options
		}
	}
	s.do(out, args...)
	return true
}

// sortedRange refuses scores for ranges of names.
func sortedRange(s *store, out *replies, r request) bool {
	options := r.args[4:]
	byName := r.cmd.Name != "ZRANGE" || hasWord(options, "BYLEX")
	if byName && knownRange(options) && hasWord(options, "WITHSCORES") {
		out.error(errSyntax + ", WITHSCORES not supported in combination with BYLEX")
		return true
	}
	if hasWord(options, "BYSCORE") {
		return scoreRange(s, out, r)
	}
	return false
}

// knownRange says whether ZRANGE and ZRANGEBYLEX know all of these options.
func knownRange(options []string) bool {
	for i := 0; i < len(options); i++ {
		switch strings.ToUpper(options[i]) {
		case "WITHSCORES", "BYLEX", "REV":
		case "LIMIT":
			if i += 2; i >= len(options) {
				return false
			}
			for _, n := range options[i-1 : i+1] {
				if _, err := strconv.ParseInt(n, 10, 64); err != nil {
					return false
				}
			}
		default:
			return false
		}
	}
	return true
}

// randomElements refuses counts that have no opposite, or no double where every element comes with a value.
func randomElements(_ *store, out *replies, r request) bool {
	if len(r.args) < 3 {
		return false
	}
	count, err := strconv.ParseInt(r.args[2], 10, 64)
	paired := len(r.args) == 4 && strings.HasPrefix(strings.ToUpper(r.args[3]), "WITH")
	switch {
	case err != nil:
		return false
	case count == math.MinInt64:
		out.error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
	case paired && (count < -math.MaxInt64/2 || count > math.MaxInt64/2):
		out.error("ERR value is out of range")
	default:
		return false
	}
	return true
}

// position looks for no more elements than there are: miniredis makes room for all that are asked for.
func position(s *store, out *replies, r request) bool {
	args := slices.Clone(r.args)
	for i := 3; i+1 < len(args); i += 2 {
		count, err := strconv.ParseInt(args[i+1], 10, 64)
		if !strings.EqualFold(args[i], "COUNT") || err != nil {
			continue
		}
		if most := max(1, s.ask("LLEN", args[1]).Int); count > most {
			args[i+1] = strconv.FormatInt(most, 10)
		}
	}
	s.do(out, args...)
	return true
}

// popSome refuses to pop fewer than none before it looks for the key.
func popSome(_ *store, out *replies, r request) bool {
	if len(r.args) != 3 {
		return false
	}
	if count, err := strconv.ParseInt(r.args[2], 10, 64); err == nil && count >= 0 {
		return false
	}
	out.error("ERR value is out of range, must be positive")
	return true
}
