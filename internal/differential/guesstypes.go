package differential

import (
	"math"

	"github.com/keyslot-go/keyslot/command"
)

// Guesses of the types of package command.

func (g *Guess) pair(string) command.Pair {
	return command.Pair{Key: g.key("key"), Value: g.text("value")}
}

func (g *Guess) pairList(string) command.PairList {
	return some(g, func() command.Pair { return g.pair("") })
}

func (g *Guess) field(string) command.Field {
	return command.Field{Name: g.text("field"), Value: g.text("value")}
}

func (g *Guess) side(string) command.Side { return oneOf(g, command.Left, command.Right) }

func (g *Guess) bit(string) bool { return g.rng.IntN(2) == 0 }

func (g *Guess) bitInt(string) command.BitInt {
	width := oneOf(g, command.Signed(8), command.Unsigned(5), command.Unsigned(63), command.Signed(64), command.Unsigned(64))
	if g.rng.IntN(2) == 0 {
		return width.At(oneOf[int64](g, 0, 3, 8, -1))
	}
	return width.Nth(oneOf[int64](g, 0, 1, 2))
}

func (g *Guess) bitOp(string) command.BitOp {
	i := g.bitInt("")
	n := oneOf[int64](g, 0, 1, -1, 100, 1<<40)
	return oneOf(g, i.Get(), i.Set(n), i.IncrBy(n), command.Overflow(command.Saturate), command.Overflow(command.Fail), command.Overflow(command.Wrap))
}

func (g *Guess) scored(string) command.Scored {
	return command.Scored{Member: g.text("member"), Score: oneOf(g, 0, 1, 2.5, -3, 1e10, 0.1, math.Inf(1), math.Inf(-1))}
}

func (g *Guess) scoreRange(string) command.ScoreRange {
	return oneOf(g,
		command.ByScore(0, 3), command.ByScore(command.Exclusive(1), 2.5), command.ByScore(int64(1), command.Exclusive(2.5)),
		command.ByScore(math.Inf(-1), math.Inf(1)), command.ByScore(command.Exclusive(int64(0)), math.Inf(1)), command.ByScore(3, 0),
	)
}

func (g *Guess) lexRange(string) command.LexRange {
	return oneOf(g,
		command.ByLex("a", "c"), command.ByLex(command.Exclusive("a"), command.LexMax), command.ByLex(command.LexMin, command.LexMax),
		command.ByLex(command.LexMin, command.Exclusive("c")), command.ByLex("c", "a"), command.ByLex("", "b"),
	)
}

func (g *Guess) rangeBy(string) command.RangeBy {
	if g.rng.IntN(3) == 0 {
		return g.lexRange("")
	}
	return g.scoredRangeBy("")
}

func (g *Guess) scoredRangeBy(string) command.ScoredRangeBy {
	if g.rng.IntN(2) == 0 {
		return command.ByIndex(g.integer(""), g.integer(""))
	}
	return g.scoreRange("")
}

func (g *Guess) geoLocation(string) command.GeoLocation {
	return command.GeoLocation{
		Member: g.text("member"), Longitude: oneOf(g, 0, 13.5, -180, 15.087269), Latitude: oneOf(g, 0, 38, -85, 86, 37.502669),
	}
}

func (g *Guess) geoUnit(string) command.GeoUnit {
	return oneOf(g, "", command.Meters, command.Kilometers, command.Feet, command.Miles)
}

func (g *Guess) geoFrom(string) command.GeoFrom {
	return oneOf(g, command.FromMember("a"), command.FromMember("nothing"), command.FromLonLat(15, 37), command.FromLonLat(2, 48.5))
}

func (g *Guess) geoArea(string) command.GeoArea {
	return oneOf(g,
		command.ByRadius(200, command.Kilometers), command.ByRadius(1e7, command.Feet), command.ByRadius(5, ""),
		command.ByBox(400, 300, command.Miles), command.ByBox(1e7, 1e7, command.Meters), command.ByRadius(-1, command.Miles),
	)
}

func (g *Guess) stream(string) command.Stream {
	return command.Stream{Key: g.key("key"), After: oneOf(g, "0", "1-1", "1-2", "$", ">", ">")}
}

func (g *Guess) trim(string) command.Trim {
	return oneOf(g,
		command.MaxLen(2), command.MaxLen(100), command.MaxLen(1).Approx(), command.MaxLen(0).ApproxLimit(10),
		command.MinID("1-2"), command.MinID("2").Approx(), command.MinID("1-2").ApproxLimit(0), command.MaxLen(-1), command.Trim{},
	)
}
