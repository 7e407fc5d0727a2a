package keyslottest

import (
	"math"
	"strconv"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// fix does what a server does where miniredis does something else, or returns false to leave the request to miniredis.
// It is there for scripts and transactions as well.
type fix func(s *store, out *replies, r request) (done bool)

var fixes = map[string]fix{
	"SINTERSTORE": storeSome, "SDIFFSTORE": storeSome, "SUNIONSTORE": storeSome, "ZINTERSTORE": storeSome, "ZUNIONSTORE": storeSome,
	"SETRANGE": setRange, "COPY": copyKey, "TTL": ttl, "TYPE": typeOf,
	"PFADD": addElements, "PFCOUNT": count, "PFMERGE": merge,
	"BITCOUNT": countBits, "BITPOS": findBit,
	"GEOADD": addPlaces, "GEOPOS": findPlaces, "GEODIST": measure, "GEOSEARCH": searchPlaces,
	"GEORADIUS": searchPlaces, "GEORADIUS_RO": searchPlaces, "GEORADIUSBYMEMBER": searchPlaces, "GEORADIUSBYMEMBER_RO": searchPlaces,
	"DECRBY": decrementBy, "HINCRBY": incrementField, "HINCRBYFLOAT": incrementFieldByFloat, "INCRBYFLOAT": incrementByFloat,
	"SETBIT": bitOffset, "GETBIT": bitOffset,
	"HSCAN": scanValue, "SSCAN": scanValue, "ZSCAN": scanValue, "LPOS": position,
	"LPOP": popSome, "RPOP": popSome, "SPOP": popSome,
	"HRANDFIELD": randomElements, "SRANDMEMBER": randomElements, "ZRANDMEMBER": randomElements,
	"ZCOUNT": scoreRange, "ZRANGEBYSCORE": scoreRange, "ZREVRANGEBYSCORE": scoreRange, "ZREMRANGEBYSCORE": scoreRange,
	"ZRANGE": sortedRange, "ZRANGEBYLEX": sortedRange, "ZREVRANGEBYLEX": sortedRange,
	"ZPOPMIN": popNone, "ZPOPMAX": popNone, "ZADD": addScores, "ZINCRBY": addScores,
	"EXPIRE": refuseExpiry, "PEXPIRE": refuseExpiry, "EXPIREAT": refuseExpiry, "PEXPIREAT": refuseExpiry,
	"DUMP": dumpValue, "RESTORE": restoreValue,
	"SETEX": refuseExpiry, "PSETEX": refuseExpiry, "SET": setValue, "GETEX": readAndExpire,
	"XADD": addEntry, "XACK": acknowledge, "XPENDING": pendingSummary, "XCLAIM": claim, "XAUTOCLAIM": autoClaim,
	"XGROUP DELCONSUMER": deleteConsumer, "XGROUP CREATE": createGroup, "XREAD": readStreams, "XREADGROUP": readStreams,
	"XDEL": deleteEntries, "XTRIM": trimStream, "XRANGE": rangeOfStream, "XREVRANGE": rangeOfStream,
	"XINFO STREAM": streamInfo, "XINFO GROUPS": groupsInfo, "XINFO CONSUMERS": consumersInfo,
}

const (
	errSyntax    = "ERR syntax error"
	errNoInteger = "ERR value is not an integer or out of range"
	errNoFloat   = "ERR value is not a valid float"
	errWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
)

// storeSome leaves no key without elements, and leaves the destination as it is where a source is of another type.
func storeSome(s *store, out *replies, r request) bool {
	for _, key := range r.keys[min(1, len(r.keys)):] {
		switch kind := s.ask("TYPE", key).Str; {
		case kind == "none", kind == "set", kind == "zset" && r.cmd.Name[0] == 'Z':
		default:
			out.error(errWrongType)
			return true
		}
	}
	from := len(out.buf)
	s.do(out, r.args...)
	if string(out.buf[from:]) == ":0\r\n" {
		s.ask("DEL", r.args[1])
	}
	return true
}

// copyKey refuses other databases, which miniredis has, and replaces the destination as a whole: miniredis would leave
// its old value beside the new one, and its expiry.
func copyKey(s *store, out *replies, r request) bool {
	replace := false
	for i := 3; i < len(r.args); i++ {
		switch {
		case strings.EqualFold(r.args[i], "REPLACE"):
			replace = true
			continue
		case !strings.EqualFold(r.args[i], "DB") || i+1 == len(r.args):
			out.error(errSyntax)
			return true
		}
		i++
		switch db, err := strconv.Atoi(r.args[i]); {
		case err != nil:
			out.error(errNoInteger)
		case db < 0 || db > 15:
			out.error("ERR DB index is out of range")
		case db != 0:
			out.error("ERR Copying to another database is not allowed in cluster mode")
		default:
			continue
		}
		return true
	}
	from, to := r.args[1], r.args[2]
	kind := s.ask("TYPE", from).Str
	if from == to || kind == "none" {
		return false
	}
	if replace {
		s.ask("DEL", to)
	}
	if kind != "stream" || s.ask("EXISTS", to).Int == 1 {
		return false
	}
	s.copyStream(from, to)
	if ms := s.ask("PTTL", from).Int; ms > 0 {
		s.ask("PEXPIRE", to, strconv.FormatInt(ms, 10))
	}
	out.int(1)
	return true
}

// popNone pops none if so it is told.
func popNone(s *store, out *replies, r request) bool {
	if len(r.args) != 3 {
		return false
	}
	switch count, err := strconv.ParseInt(r.args[2], 10, 64); {
	case err != nil || count < 0:
		out.error("ERR value is out of range, must be positive")
	case count > 0:
		return false
	case s.ask("ZCARD", r.args[1]).Kind == resp.SimpleError:
		return false // WRONGTYPE
	default:
		out.array(0)
	}
	return true
}

// addScores refuses scores that are no number, or would become none, and increments that GT or LT forbids.
func addScores(s *store, out *replies, r request) bool {
	scores, increment := r.args[2:], r.cmd.Name == "ZINCRBY"
	for !increment && len(scores) > 0 && hasWord([]string{"NX", "XX", "GT", "LT", "CH", "INCR"}, scores[0]) {
		scores = scores[1:]
	}
	options := r.args[2 : len(r.args)-len(scores)]
	increment = increment || hasWord(options, "INCR")
	for i := 0; i+1 < len(scores); i += 2 {
		score, _ := strconv.ParseFloat(scores[i], 64)
		if math.IsNaN(score) {
			out.error(errNoFloat)
			return true
		}
		if increment && math.IsInf(score, 0) {
			before, _ := strconv.ParseFloat(s.ask("ZSCORE", r.args[1], scores[i+1]).Str, 64)
			if math.IsNaN(before + score) {
				out.error("ERR resulting score is not a number (NaN)")
				return true
			}
		}
	}
	if increment && len(scores) == 2 && s.forbids(options, r.args[1], scores[1], scores[0]) {
		out.null()
		return true
	}
	return false
}

// forbids says whether the options of ZADD keep a member from being incremented: miniredis minds GT and LT only for new scores.
func (s *store) forbids(options []string, key, member, by string) bool {
	greater, less := hasWord(options, "GT"), hasWord(options, "LT")
	increment, err := strconv.ParseFloat(by, 64)
	if greater == less || hasWord(options, "NX") || err != nil {
		return false // and with both it is an error
	}
	score := s.ask("ZSCORE", key, member)
	was, _ := strconv.ParseFloat(score.Str, 64)
	allowed := greater && was+increment > was || less && was+increment < was
	return score.Kind == resp.BulkString && !allowed
}

// ttl answers as a server does, which rounds to the nearest second; miniredis rounds down, so that a clock that runs
// would make 99 of 100 now and then.
func ttl(s *store, out *replies, r request) bool {
	left := s.ask("PTTL", r.args[1]).Int
	if left >= 0 { // -1 and -2 mean the same in both
		left = (left + 500) / 1000
	}
	out.int(left)
	return true
}
