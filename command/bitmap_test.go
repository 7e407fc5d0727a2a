package command_test

import (
	"testing"

	"github.com/keyslot-go/keyslot/command"
)

func TestMethodsOfBitmaps(t *testing.T) {
	ctx := t.Context()
	type cs = command.Commands
	some := []command.Optional[int64]{{Value: 5, OK: true}, {}}
	const twoOf = "*2 :5 $-1 | *2 :5 _"
	i8 := command.Signed(8).At(100)
	u16 := command.Unsigned(16).Nth(3)
	checkExchanges(t, []exchange{
		{"BITCOUNT k", func(c cs) (any, error) { return c.BitCount(ctx, "k") }, int64(3), lines(":3")},
		{"BITCOUNT k 0 -1", func(c cs) (any, error) { return c.BitCount(ctx, "k", command.ByteRange(0, -1)) }, int64(3), lines(":3")},
		{"BITCOUNT k 1 9 BIT", func(c cs) (any, error) { return c.BitCount(ctx, "k", command.BitRange(1, 9)) }, int64(3), lines(":3")},
		{"BITFIELD k GET i8 100 SET u16 #3 7", func(c cs) (any, error) { return c.BitField(ctx, "k", i8.Get(), u16.Set(7)) }, some, lines(twoOf)},
		{"BITFIELD k OVERFLOW FAIL INCRBY i8 100 -1 OVERFLOW SAT INCRBY u16 #3 2", func(c cs) (any, error) {
			return c.BitField(ctx, "k", command.Overflow(command.Fail), i8.IncrBy(-1), command.Overflow(command.Saturate), u16.IncrBy(2))
		}, some, lines(twoOf)},
		{"BITFIELD k OVERFLOW WRAP", func(c cs) (any, error) { return c.BitField(ctx, "k", command.Overflow(command.Wrap)) },
			[]command.Optional[int64]{}, lines("*0")},
		{"BITFIELD_RO k GET i8 100 GET u16 #3", func(c cs) (any, error) { return c.BitFieldRO(ctx, "k", i8, u16) }, []int64{5, 6}, lines("*2 :5 :6")},
		{"BITOP AND d k l", func(c cs) (any, error) { return c.BitOpAnd(ctx, "d", "k", "l") }, int64(3), lines(":3")},
		{"BITOP ANDOR d k l", func(c cs) (any, error) { return c.BitOpAndOr(ctx, "d", "k", "l") }, int64(3), lines(":3")},
		{"BITOP DIFF d k l", func(c cs) (any, error) { return c.BitOpDiff(ctx, "d", "k", "l") }, int64(3), lines(":3")},
		{"BITOP DIFF1 d k l", func(c cs) (any, error) { return c.BitOpDiff1(ctx, "d", "k", "l") }, int64(3), lines(":3")},
		{"BITOP NOT d k", func(c cs) (any, error) { return c.BitOpNot(ctx, "d", "k") }, int64(3), lines(":3")},
		{"BITOP ONE d k l", func(c cs) (any, error) { return c.BitOpOne(ctx, "d", "k", "l") }, int64(3), lines(":3")},
		{"BITOP OR d k l", func(c cs) (any, error) { return c.BitOpOr(ctx, "d", "k", "l") }, int64(3), lines(":3")},
		{"BITOP XOR d k l", func(c cs) (any, error) { return c.BitOpXor(ctx, "d", "k", "l") }, int64(3), lines(":3")},
		{"BITPOS k 1", func(c cs) (any, error) { return c.BitPos(ctx, "k", true) }, int64(-1), lines(":-1")},
		{"BITPOS k 0 2", func(c cs) (any, error) { return c.BitPos(ctx, "k", false, command.FromByte(2)) }, int64(3), lines(":3")},
		{"BITPOS k 0 2 3", func(c cs) (any, error) { return c.BitPos(ctx, "k", false, command.ByteRange(2, 3)) }, int64(3), lines(":3")},
		{"BITPOS k 0 2 3 BIT", func(c cs) (any, error) { return c.BitPos(ctx, "k", false, command.BitRange(2, 3)) }, int64(3), lines(":3")},
		{"GETBIT k 7", func(c cs) (any, error) { return c.GetBit(ctx, "k", 7) }, true, lines(":1")},
		{"SETBIT k 7 1", func(c cs) (any, error) { return c.SetBit(ctx, "k", 7, true) }, false, lines(":0")},
		{"SETBIT k 7 0", func(c cs) (any, error) { return c.SetBit(ctx, "k", 7, false) }, true, lines(":1")},
	})
}
