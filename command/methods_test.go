package command_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
)

// exchange is one call of a typed method: what it sends, and what it makes of replies.
type exchange struct {
	method string
	call   read
	sends  string // the arguments, a space between them
	want   any    // nil where the method returns an error alone
	// replies mean want, in RESP2 and in RESP3 where that differs: " | " between them, a space for each end of a line.
	replies string
}

// scribe answers every call with one frame, and notes what was sent.
type scribe struct{ frame, sent string }

func (s *scribe) Begin() *command.Call {
	call := new(command.Call)
	*call = command.NewCall(func(context.Context) error {
		call.Frame = []byte(s.frame)
		var args []string
		for i := range call.Request.Len() {
			args = append(args, string(call.Request.At(i)))
		}
		s.sent = strings.Join(args, " ")
		return nil
	}, func() {})
	return call
}

func frameOf(lines string) string { return strings.ReplaceAll(lines, " ", "\r\n") + "\r\n" }

// holds checks the exchanges, and that they leave out no method of the group's table.
func holds(t *testing.T, group string, exchanges []exchange) {
	t.Helper()
	table, err := os.ReadFile("gen/" + group + ".txt")
	require.NoError(t, err)
	missing := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:\tas )?([A-Z]\w*)(?:\(| \w+ //)`).FindAllStringSubmatch(string(table), -1) {
		missing[m[1]] = true
	}
	for _, x := range exchanges {
		delete(missing, x.method)
		x.holds(t)
		if x.want != nil {
			x.refusesOtherReplies(t)
		}
	}
	require.Empty(t, missing, "methods of the table without an exchange")
}

func (x exchange) holds(t *testing.T) {
	t.Helper()
	for reply := range strings.SplitSeq(x.replies, " | ") {
		s := &scribe{frame: frameOf(reply)}
		got, err := x.call(command.New(s))
		require.NoError(t, err, "%s %s", x.method, reply)
		require.Equal(t, x.sends, s.sent, x.method)
		require.Equal(t, x.want, got, "%s %s", x.method, reply)
	}
}

// refusesOtherReplies gives the method a null, which is Nil, another type, and errors in places of elements.
func (x exchange) refusesOtherReplies(t *testing.T) {
	t.Helper()
	for _, null := range []string{"_", "$-1", "*-1"} {
		_, err := x.call(command.New(&scribe{frame: frameOf(null)}))
		require.ErrorIs(t, err, command.Nil, "%s %s", x.method, null)
	}
	odd := []string{"*0", "%0"}
	if strings.ContainsRune("*~%", rune(x.replies[0])) {
		odd = []string{":1", "$1 a", "#t", "*1 -ERR", "*2 -ERR -ERR", "*1 *1 *1 *0", "*1 %0", "*1 *3 $1 a $1 b $1 c", "*3 $1 k *0 *0"}
	}
	for _, reply := range odd {
		_, err := x.call(command.New(&scribe{frame: frameOf(reply)}))
		require.ErrorAs(t, err, new(*command.TypeError), "%s %s", x.method, reply)
	}
}

// only makes a result of a method that returns nothing but an error.
func only(err error) (any, error) { return nil, err }
