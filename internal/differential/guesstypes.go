package differential

import "github.com/keyslot-go/keyslot/command"

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

func (g *Guess) fieldList(string) command.FieldList {
	return some(g, func() command.Field { return g.field("") })
}

func (g *Guess) fieldNames(string) command.FieldNames {
	return some(g, func() string { return g.text("field") })
}

func (g *Guess) getPatterns(string) command.GetPatterns {
	return some(g, func() string { return oneOf(g, "#", Tag+"*") })
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
