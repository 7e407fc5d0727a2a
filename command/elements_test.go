package command_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

// The reply of a command that ran in parts is read as that of one that did not.
func TestElementsAreReadAsTheArrayTheyAre(t *testing.T) {
	for array, elements := range map[string][]string{
		"*3\r\n$1\r\na\r\n_\r\n$0\r\n\r\n": {"$1\r\na\r\n", "_\r\n", "$0\r\n\r\n"},
		"*2\r\n$1\r\na\r\n*1\r\n+b\r\n":    {"$1\r\na\r\n", "*1\r\n+b\r\n"},
		"*1\r\n!5\r\nERR a\r\n":            {"!5\r\nERR a\r\n"},
	} {
		want := outcomes(func(c *command.Call) { c.Frame = []byte(array) })
		got := outcomes(func(c *command.Call) {
			c.Elements = new(command.Elements)
			c.Elements.Add([]byte("+of another\r\n"), true)
			c.Elements.Reset()
			for i, frame := range elements {
				c.Elements.Add([]byte(frame), i%2 == 0)
			}
		})
		require.Equal(t, want, got, "%q", array)
	}
}

// outcomes returns what becomes of MGET as a typed command, and by Do, with a reply.
func outcomes(reply func(*command.Call)) []string {
	var d desk
	q := command.NewQueued(&d)
	values := q.MGet("k")
	d.Begin().Request.Arg("MGET")
	whole := command.QueueReply(&q, d.calls[1])
	for _, call := range d.calls {
		reply(call)
		_ = command.Settle(&q, call, nil)
	}
	typed, typedErr := values.Get()
	untyped, untypedErr := whole.Get()
	return []string{fmt.Sprint(typed, typedErr), fmt.Sprint(untyped, untypedErr)}
}
