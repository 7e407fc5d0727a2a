package spec

import "time"

// blockSpec says where the timeout of a blocking command stands.
type blockSpec struct {
	// at is the argument; a negative one counts from the end, -1 being the last. 0 is none.
	at   int
	unit time.Duration
	// option tells that the timeout is the value of the option BLOCK, looked for from argument at on.
	option bool
}

// BlockTimeout returns which argument says how long the server may wait, and the unit of its number (one second, with
// fractions allowed, or one millisecond; 0 waits for ever). blocks is false for a call that cannot wait, such as XREAD
// without BLOCK, or one that lacks the argument.
func (c *Command) BlockTimeout(a Args) (index int, unit time.Duration, blocks bool) {
	at := c.block.at
	switch {
	case at == 0:
		return 0, 0, false
	case c.block.option:
		_, at = streamOptions(a, at)
	case at < 0:
		at += a.Len()
	}
	if at <= 0 || at >= a.Len() {
		return 0, 0, false
	}
	return at, c.block.unit, true
}
