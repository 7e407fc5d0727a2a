package command

import (
	"slices"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// Scored is a member of a sorted set with its score.
type Scored struct {
	Member string
	Score  float64
}

func (s Scored) encode(c *Call) {
	c.Request.ArgFloat(s.Score)
	c.Request.Arg(s.Member)
}

// Ranked is where a member of a sorted set stands: its index, from 0, and its score.
type Ranked struct {
	Rank  int64
	Score float64
}

// PoppedMember is a member that was taken from the sorted set at Key.
type PoppedMember struct {
	Key string
	Scored
}

// PoppedMembers are members that were taken from the sorted set at Key.
type PoppedMembers struct {
	Key     string
	Members []Scored
}

// RangeBy says which members of a sorted set are meant: ByIndex, ByScore or ByLex.
type RangeBy interface{ rangeBy() }

// ScoredRangeBy is RangeBy where scores are returned too: ByIndex or ByScore.
type ScoredRangeBy interface {
	RangeBy
	scoredRangeBy()
}

// IndexRange is what ByIndex returns.
type IndexRange struct{ start, stop int64 }

// ByIndex is the members from index start to stop, both included. Negative ones count from the end, -1 being the last member.
func ByIndex(start, stop int64) IndexRange { return IndexRange{start, stop} }

// ScoreRange is what ByScore returns.
type ScoreRange struct{ min, max scoreBound }

// ByScore is the members with a score from min to max. Rev does not turn the two round.
func ByScore[Min, Max ScoreBound](min Min, max Max) ScoreRange {
	return ScoreRange{scoreBoundOf(min), scoreBoundOf(max)}
}

// ScoreBound is one end of ByScore: a score that belongs to the range, or an Exclusive one. math.Inf(-1) and
// math.Inf(1) leave the range open.
type ScoreBound interface {
	int | int64 | float64 | ExclusiveBound[int] | ExclusiveBound[int64] | ExclusiveBound[float64]
}

// LexRange is what ByLex returns.
type LexRange struct{ min, max lexBound }

// ByLex is the members from min to max in the order of their bytes. It makes sense only where all scores are the same.
// Rev does not turn the two round.
func ByLex[Min, Max LexBound](min Min, max Max) LexRange {
	return LexRange{lexBoundOf(min), lexBoundOf(max)}
}

// LexBound is one end of ByLex: a member that belongs to the range, an Exclusive one, LexMin or LexMax.
type LexBound interface {
	string | ExclusiveBound[string] | lexEnd
}

// LexMin and LexMax leave a range by name open.
const (
	LexMin lexEnd = "-"
	LexMax lexEnd = "+"
)

type lexEnd string

// ExclusiveBound is what Exclusive returns.
type ExclusiveBound[T int | int64 | float64 | string] struct{ at T }

// Exclusive is an end of ByScore or ByLex that does not itself belong to the range.
func Exclusive[T int | int64 | float64 | string](at T) ExclusiveBound[T] {
	return ExclusiveBound[T]{at}
}

func (IndexRange) rangeBy() {}
func (ScoreRange) rangeBy() {}
func (LexRange) rangeBy()   {}

func (IndexRange) scoredRangeBy() {}
func (ScoreRange) scoredRangeBy() {}

type scoreBound struct {
	score     float64
	exclusive bool
}

func scoreBoundOf[T ScoreBound](bound T) scoreBound {
	switch b := any(bound).(type) {
	case int:
		return scoreBound{score: float64(b)}
	case int64:
		return scoreBound{score: float64(b)}
	case float64:
		return scoreBound{score: b}
	case ExclusiveBound[int]:
		return scoreBound{float64(b.at), true}
	case ExclusiveBound[int64]:
		return scoreBound{float64(b.at), true}
	}
	b, _ := any(bound).(ExclusiveBound[float64]) // all that is left
	return scoreBound{b.at, true}
}

func (b scoreBound) encode(c *Call) {
	if !b.exclusive {
		c.Request.ArgFloat(b.score)
		return
	}
	var text [40]byte // ArgFloat's 32, the kind and CRLF
	double := resp.AppendDouble(text[:0], b.score)
	double[0] = '('
	c.Request.ArgBytes(double[:len(double)-len("\r\n")])
}

type lexBound struct {
	end       lexEnd // of an open range
	member    string // else
	exclusive bool
}

func lexBoundOf[T LexBound](bound T) lexBound {
	switch b := any(bound).(type) {
	case string:
		return lexBound{member: b}
	case lexEnd:
		return lexBound{end: b}
	}
	b, _ := any(bound).(ExclusiveBound[string]) // all that is left
	return lexBound{member: b.at, exclusive: true}
}

func (b lexBound) encode(c *Call) {
	switch {
	case b.end != "":
		c.Request.Arg(string(b.end))
	case b.exclusive:
		c.Request.Arg("(" + b.member)
	default:
		c.Request.Arg("[" + b.member)
	}
}

func (r IndexRange) encode(c *Call) {
	c.Request.ArgInt(r.start)
	c.Request.ArgInt(r.stop)
}

func (r ScoreRange) encode(c *Call) {
	r.min.encode(c)
	r.max.encode(c)
}

func (r LexRange) encode(c *Call) {
	r.min.encode(c)
	r.max.encode(c)
}

func (c *Call) zRange(key string, by RangeBy, opts []RangeOption) *Call {
	c.Request.Arg("ZRANGE")
	c.Request.Key(key)
	c.rangeBy(by, opts)
	return c
}

func (c *Call) zRangeWithScores(key string, by ScoredRangeBy, opts []RangeOption) *Call {
	c.zRange(key, by, opts)
	c.Request.Arg("WITHSCORES")
	return c
}

func (c *Call) zRangeStore(dst, src string, by RangeBy, opts []RangeOption) *Call {
	c.Request.Arg("ZRANGESTORE")
	c.Request.Key(dst)
	c.Request.Key(src)
	c.rangeBy(by, opts)
	return c
}

// rangeBy appends a range and its options. With REV the servers want the upper end of a range by score or name first.
func (c *Call) rangeBy(by RangeBy, opts []RangeOption) {
	rev := slices.Contains(opts, RangeOption(Rev))
	switch by := by.(type) {
	case IndexRange:
		if slices.ContainsFunc(opts, func(o RangeOption) bool { _, ok := o.(limitOption); return ok }) {
			c.refuse("a range by index takes no Limit")
		}
		by.encode(c)
	case ScoreRange:
		if rev {
			by.min, by.max = by.max, by.min
		}
		by.encode(c)
		c.Request.Arg("BYSCORE")
	case LexRange:
		if rev {
			by.min, by.max = by.max, by.min
		}
		by.encode(c)
		c.Request.Arg("BYLEX")
	default:
		c.refuse("the range is not one of ByIndex, ByScore and ByLex")
	}
	c.rangeOptions(opts)
}

func optionalNumbers(c *Call, p *packer) ([]Optional[float64], error) {
	return list(c, p, "an array of numbers", optional(numberOf))
}

// scoredMember reads [member, score], which is empty where there is none.
func scoredMember(c *Call, p *packer) (Scored, error) {
	if elems, ok := resp.Open(c.Frame); ok && elems.Left() == 0 {
		return Scored{}, Nil
	}
	if s, ok := scoredOf(c.Frame, p); ok {
		return s, nil
	}
	return Scored{}, c.mismatch("a member with its score")
}

func scoredMembers(c *Call, p *packer) ([]Scored, error) {
	out, ok := scoredListOf(c.Frame, c.packer(p))
	if !ok {
		return nil, c.mismatch("members with their scores")
	}
	return out, nil
}

// scoredListOf reads [member, score, member, score ...] or, as most replies of RESP3, [[member, score] ...].
func scoredListOf(frame []byte, p *packer) ([]Scored, bool) {
	elems, ok := resp.Open(frame)
	nested := ok && resp.KindOf(elems.Rest()) == resp.Array
	if !ok {
		return nil, false
	}
	n := elems.Left()
	if !nested {
		n /= 2
	}
	out := make([]Scored, 0, n)
	for elems.Left() > 0 {
		if nested {
			if n, ok := elems.Enter(); !ok || n != 2 {
				return nil, false
			}
		}
		s, ok := nextScored(&elems, p)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// scoredOf reads [member, score].
func scoredOf(frame []byte, p *packer) (s Scored, ok bool) {
	elems, ok := resp.Open(frame)
	if !ok || elems.Left() != 2 {
		return s, false
	}
	return nextScored(&elems, p)
}

func nextScored(elems *resp.Elements, p *packer) (Scored, bool) {
	member, memberOK := next(elems, p, textOf)
	score, scoreOK := next(elems, p, numberOf)
	return Scored{member, score}, memberOK && scoreOK
}

// poppedMember reads [key, member, score].
func poppedMember(c *Call, p *packer) (PoppedMember, error) {
	elems, ok := resp.Open(c.Frame)
	if ok && elems.Left() == 3 {
		key, keyOK := next(&elems, p, textOf)
		member, ok := nextScored(&elems, p)
		if keyOK && ok {
			return PoppedMember{key, member}, nil
		}
	}
	return PoppedMember{}, c.mismatch("a key, a member and its score")
}

// poppedMembers reads [key, [[member, score] ...]].
func poppedMembers(c *Call, p *packer) (out PoppedMembers, err error) {
	out.Key, out.Members, err = keyed(c, p, "a key, and members with their scores", listOf(scoredOf))
	return out, err
}

// ranked reads [rank, score].
func ranked(c *Call, _ *packer) (Ranked, error) {
	elems, ok := resp.Open(c.Frame)
	if ok && elems.Left() == 2 {
		rank, rankOK := next(&elems, nil, integerOf)
		score, scoreOK := next(&elems, nil, numberOf)
		if rankOK && scoreOK {
			return Ranked{rank, score}, nil
		}
	}
	return Ranked{}, c.mismatch("a rank and a score")
}
