package keyslottest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// refuseExpiry refuses the expiries that a server does, those whose milliseconds do not fit into 64 bits, and shortens
// what miniredis's nanoseconds have no room for: 292 years.
func refuseExpiry(s *store, out *replies, r request) bool {
	const at = 2
	n, err := strconv.ParseInt(r.args[at], 10, 64)
	if err != nil {
		return false
	}
	unit, absolute := expiryUnit(r.cmd.Name)
	ms := int64(unit / time.Millisecond)
	if n > s.longestExpiry(absolute)/ms || n < math.MinInt64/ms {
		out.error(errExpiry(fullName(r.cmd)))
		return true
	}
	longest := int64(math.MaxInt64 / unit)
	if absolute || n >= -longest && n <= longest {
		return false
	}
	args := slices.Clone(r.args)
	args[at] = strconv.FormatInt(max(-longest, min(n, longest)), 10)
	s.do(out, args...)
	return true
}

// longestExpiry is how many milliseconds there are, since 1970 or from now on.
func (s *store) longestExpiry(absolute bool) int64 {
	if absolute {
		return math.MaxInt64
	}
	return math.MaxInt64 - s.clock.current().UnixMilli()
}

func errExpiry(command string) string { return "ERR invalid expire time in '" + command + "' command" }

// expiryUnit is what EXPIRE, SETEX and their like count in, and the options of SET.
func expiryUnit(name string) (unit time.Duration, absolute bool) {
	unit, absolute = time.Second, strings.HasSuffix(name, "AT")
	if name[0] == 'P' {
		unit = time.Millisecond
	}
	return unit, absolute
}

// setOptions are the options of SET and GETEX.
type setOptions struct {
	conditions []string // NX, XX, GET, KEEPTTL, PERSIST
	form       string   // of the expiry: EX, PX, EXAT, PXAT, or "" if there is none
	expiry     string
}

// parseSetOptions takes the options that are allowed, and EX and its like. As on a server, one may come twice.
func parseSetOptions(args []string, allowed ...string) (o setOptions, ok bool) {
	for i := 0; i < len(args); i++ {
		switch word := strings.ToUpper(args[i]); word {
		case "EX", "PX", "EXAT", "PXAT":
			if i+1 == len(args) || o.form != "" && o.form != word {
				return o, false
			}
			i++
			o.form, o.expiry = word, args[i]
		default:
			if !slices.Contains(allowed, word) {
				return o, false
			}
			o.conditions = append(o.conditions, word)
		}
	}
	if o.has("NX") && o.has("XX") {
		return o, false
	}
	return o, o.form == "" || !o.has("KEEPTTL") && !o.has("PERSIST")
}

func (o setOptions) has(condition string) bool { return slices.Contains(o.conditions, condition) }

// timeLeft returns the milliseconds until the expiry, which are none where it has passed. The fraction of one counts as one.
func (s *store) timeLeft(o setOptions, command string) (ms int64, refusal string) {
	n, err := strconv.ParseInt(o.expiry, 10, 64)
	if err != nil {
		return 0, errNoInteger
	}
	unit, absolute := expiryUnit(o.form)
	ms = int64(unit / time.Millisecond)
	if n <= 0 || n > s.longestExpiry(absolute)/ms {
		return 0, errExpiry(command)
	}
	ms *= n
	if absolute {
		ms -= s.clock.current().UnixMilli()
	}
	return max(0, min(ms, math.MaxInt64/int64(time.Millisecond))), ""
}

// setValue answers SET, whose options miniredis does not compare with each other. A value whose time has passed already
// is gone at once.
func setValue(s *store, out *replies, r request) bool {
	o, ok := parseSetOptions(r.args[3:], "NX", "XX", "GET", "KEEPTTL")
	if !ok {
		out.error(errSyntax)
		return true
	}
	args := slices.Concat(r.args[:3], o.conditions)
	if o.form == "" {
		s.do(out, args...)
		return true
	}
	ms, refusal := s.timeLeft(o, "set")
	if refusal != "" {
		out.error(refusal)
		return true
	}
	if ms > 0 {
		s.do(out, append(args, "PX", strconv.FormatInt(ms, 10))...)
		return true
	}
	exists := s.ask("EXISTS", r.args[1]).Int == 1
	from := len(out.buf)
	s.do(out, args...)
	if o.has("NX") && exists || o.has("XX") && !exists || resp.IsError(out.buf[from:]) {
		return true // nothing was set
	}
	s.ask("DEL", r.args[1])
	return true
}

// readAndExpire answers GETEX, which looks at the expiry only where there is a value.
func readAndExpire(s *store, out *replies, r request) bool {
	o, ok := parseSetOptions(r.args[2:], "PERSIST")
	if !ok {
		out.error(errSyntax)
		return true
	}
	key, from := r.args[1], len(out.buf)
	s.do(out, "GET", key)
	switch {
	case resp.IsError(out.buf[from:]), isNull(out.buf[from:]):
	case o.form != "":
		ms, refusal := s.timeLeft(o, "getex")
		if refusal != "" {
			out.buf = out.buf[:from]
			out.error(refusal)
		} else if ms > 0 {
			s.ask("PEXPIRE", key, strconv.FormatInt(ms, 10))
		} else {
			s.ask("DEL", key)
		}
	case o.has("PERSIST"):
		s.ask("PERSIST", key)
	}
	return true
}
