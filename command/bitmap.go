package command

import (
	"strconv"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// BitWidth is how many bits an integer has, and whether it has a sign: Signed(8), Unsigned(16). With a place it is a
// BitInt, with a verb an operation of BitField:
//
//	command.Unsigned(8).At(100).Get()      // the 8 bits from bit 100 on
//	command.Signed(16).Nth(3).IncrBy(-1)   // of 16-bit integers one behind the other the fourth
//
// A width that servers do not know fails there.
type BitWidth struct {
	sign byte // i or u
	bits int
}

// Signed is the width of an integer of 1 to 64 bits with a sign, in two's complement.
func Signed(bits int) BitWidth { return BitWidth{'i', bits} }

// Unsigned is the width of an integer of 1 to 63 bits without a sign.
func Unsigned(bits int) BitWidth { return BitWidth{'u', bits} }

// At is the integer of that width from bit offset on.
func (w BitWidth) At(offset int64) BitInt { return BitInt{width: w, offset: offset} }

// Nth is integer n, counted from 0, where the string holds integers of that width one behind the other.
func (w BitWidth) Nth(n int64) BitInt { return BitInt{width: w, offset: n, counted: true} }

// BitInt is an integer within a string, for BitFieldRO and the operations of BitField: BitWidth makes it.
type BitInt struct {
	width   BitWidth
	offset  int64
	counted bool // offset counts integers in place of bits
}

// Get is the operation of BitField that reads the integer.
func (i BitInt) Get() BitOp { return BitOp{verb: "GET", at: i} }

// Set is the operation of BitField that sets the integer to v and returns what it was. A v that the width cannot hold
// is subject to Overflow.
func (i BitInt) Set(v int64) BitOp { return BitOp{verb: "SET", at: i, value: v} }

// IncrBy is the operation of BitField that adds n to the integer and returns the sum, subject to Overflow.
func (i BitInt) IncrBy(n int64) BitOp { return BitOp{verb: "INCRBY", at: i, value: n} }

// encode is for BitFieldRO.
func (i BitInt) encode(c *Call) { i.Get().encode(c) }

// BitOp is an operation of BitField: BitInt's Get, Set, IncrBy, or Overflow.
type BitOp struct {
	verb  string
	rule  OverflowRule
	at    BitInt
	value int64
}

// OverflowRule says what becomes of a value that the width of an integer cannot hold.
type OverflowRule string

// The rules for Overflow.
const (
	Wrap     OverflowRule = "WRAP" // it loses its highest bits; the rule where none is given
	Saturate OverflowRule = "SAT"  // it becomes the largest or the smallest that the width can hold
	Fail     OverflowRule = "FAIL" // it is not stored, and the operation's result has OK false
)

// Overflow sets the rule for the operations of BitField that follow it, up to the next Overflow.
func Overflow(rule OverflowRule) BitOp { return BitOp{verb: "OVERFLOW", rule: rule} }

func (o BitOp) encode(c *Call) {
	c.Request.Arg(o.verb)
	if o.verb == "OVERFLOW" {
		c.Request.Arg(string(o.rule))
		return
	}
	var text [24]byte // a letter and a number
	c.Request.ArgBytes(strconv.AppendInt(append(text[:0], o.at.width.sign), int64(o.at.width.bits), 10))
	if o.at.counted {
		c.Request.ArgBytes(strconv.AppendInt(append(text[:0], '#'), o.at.offset, 10))
	} else {
		c.Request.ArgInt(o.at.offset)
	}
	if o.verb != "GET" {
		c.Request.ArgInt(o.value)
	}
}

func optionalIntegers(c *Call, p *packer) ([]Optional[int64], error) {
	return list(c, p, "an array of integers", optional(func(frame []byte, _ *packer) (int64, bool) { return resp.Int(frame) }))
}
