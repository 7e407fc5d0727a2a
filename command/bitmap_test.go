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
	holds(t, "bitmap", []exchange{
		{"BitCount", func(c cs) (any, error) { return c.BitCount(ctx, "k") }, "BITCOUNT k", int64(3), ":3"},
		{"BitCount", func(c cs) (any, error) { return c.BitCount(ctx, "k", command.ByteRange(0, -1)) }, "BITCOUNT k 0 -1", int64(3), ":3"},
		{"BitCount", func(c cs) (any, error) { return c.BitCount(ctx, "k", command.BitRange(1, 9)) }, "BITCOUNT k 1 9 BIT", int64(3), ":3"},
		{"BitField", func(c cs) (any, error) { return c.BitField(ctx, "k", i8.Get(), u16.Set(7)) }, "BITFIELD k GET i8 100 SET u16 #3 7", some, twoOf},
		{"BitField", func(c cs) (any, error) {
			return c.BitField(ctx, "k", command.Overflow(command.Fail), i8.IncrBy(-1), command.Overflow(command.Saturate), u16.IncrBy(2))
		}, "BITFIELD k OVERFLOW FAIL INCRBY i8 100 -1 OVERFLOW SAT INCRBY u16 #3 2", some, twoOf},
		{"BitField", func(c cs) (any, error) { return c.BitField(ctx, "k", command.Overflow(command.Wrap)) }, "BITFIELD k OVERFLOW WRAP",
			[]command.Optional[int64]{}, "*0"},
		{"BitFieldRO", func(c cs) (any, error) { return c.BitFieldRO(ctx, "k", i8, u16) }, "BITFIELD_RO k GET i8 100 GET u16 #3", []int64{5, 6}, "*2 :5 :6"},
		{"BitOpAnd", func(c cs) (any, error) { return c.BitOpAnd(ctx, "d", "k", "l") }, "BITOP AND d k l", int64(3), ":3"},
		{"BitOpAndOr", func(c cs) (any, error) { return c.BitOpAndOr(ctx, "d", "k", "l") }, "BITOP ANDOR d k l", int64(3), ":3"},
		{"BitOpDiff", func(c cs) (any, error) { return c.BitOpDiff(ctx, "d", "k", "l") }, "BITOP DIFF d k l", int64(3), ":3"},
		{"BitOpDiff1", func(c cs) (any, error) { return c.BitOpDiff1(ctx, "d", "k", "l") }, "BITOP DIFF1 d k l", int64(3), ":3"},
		{"BitOpNot", func(c cs) (any, error) { return c.BitOpNot(ctx, "d", "k") }, "BITOP NOT d k", int64(3), ":3"},
		{"BitOpOne", func(c cs) (any, error) { return c.BitOpOne(ctx, "d", "k", "l") }, "BITOP ONE d k l", int64(3), ":3"},
		{"BitOpOr", func(c cs) (any, error) { return c.BitOpOr(ctx, "d", "k", "l") }, "BITOP OR d k l", int64(3), ":3"},
		{"BitOpXor", func(c cs) (any, error) { return c.BitOpXor(ctx, "d", "k", "l") }, "BITOP XOR d k l", int64(3), ":3"},
		{"BitPos", func(c cs) (any, error) { return c.BitPos(ctx, "k", true) }, "BITPOS k 1", int64(-1), ":-1"},
		{"BitPos", func(c cs) (any, error) { return c.BitPos(ctx, "k", false, command.FromByte(2)) }, "BITPOS k 0 2", int64(3), ":3"},
		{"BitPos", func(c cs) (any, error) { return c.BitPos(ctx, "k", false, command.ByteRange(2, 3)) }, "BITPOS k 0 2 3", int64(3), ":3"},
		{"BitPos", func(c cs) (any, error) { return c.BitPos(ctx, "k", false, command.BitRange(2, 3)) }, "BITPOS k 0 2 3 BIT", int64(3), ":3"},
		{"GetBit", func(c cs) (any, error) { return c.GetBit(ctx, "k", 7) }, "GETBIT k 7", true, ":1"},
		{"SetBit", func(c cs) (any, error) { return c.SetBit(ctx, "k", 7, true) }, "SETBIT k 7 1", false, ":0"},
		{"SetBit", func(c cs) (any, error) { return c.SetBit(ctx, "k", 7, false) }, "SETBIT k 7 0", true, ":1"},
	})
}
