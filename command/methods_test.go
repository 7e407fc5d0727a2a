package command_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec"
)

// read is a method of Commands whose result is not looked at for its type.
type read func(c command.Commands) (any, error)

// exchange is one call of a typed method: what it sends, and what it makes of replies.
type exchange struct {
	sends   string // the arguments, a space between them
	call    read
	want    any      // an error too; nil where the method returns an error alone
	replies []string // of one meaning, in RESP2 and in RESP3 where that differs
}

// in are the replies of one meaning.
func in(frames ...string) []string { return frames }

// lines are such replies with " | " between them, and a space for each end of a line.
func lines(replies string) (frames []string) {
	for reply := range strings.SplitSeq(replies, " | ") {
		frames = append(frames, strings.ReplaceAll(reply, " ", "\r\n")+"\r\n")
	}
	return frames
}

// only makes a result of a method that returns nothing but an error.
func only(err error) (any, error) { return nil, err }

// scribe answers every call with one frame, and notes what was sent.
type scribe struct {
	frame string
	call  *command.Call // the last one
}

func server(frame string) *scribe { return &scribe{frame: frame} }

// answering returns commands that are all answered with the same frame.
func answering(frame string) command.Commands { return command.New(server(frame)) }

func (s *scribe) Begin() *command.Call {
	call := new(command.Call)
	*call = command.NewCall(func(context.Context) error { call.Frame = []byte(s.frame); return call.Refused() }, func() {})
	s.call = call
	return call
}

// sent returns the arguments of the last call, a space between them.
func (s *scribe) sent() string {
	var args []string
	for i := range s.call.Request.Len() {
		args = append(args, string(s.call.Request.At(i)))
	}
	return strings.Join(args, " ")
}

// checkHead compares a request that begins with a constant with one that is encoded word by word, and looked up.
func (s *scribe) checkHead(t *testing.T) {
	t.Helper()
	if s.call.Cmd == nil {
		return
	}
	var plain resp.Request
	for i := range s.call.Request.Len() {
		plain.ArgBytes(s.call.Request.At(i))
	}
	require.Equal(t, string(plain.Frame()), string(s.call.Request.Frame()))
	cmd, _ := spec.Lookup(&plain)
	require.Same(t, cmd, s.call.Cmd)
}

// checkExchanges also gives each method replies that it does not expect.
func checkExchanges(t *testing.T, rows []exchange) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.sends, func(t *testing.T) {
			for _, frame := range row.replies {
				s := server(frame)
				got, err := row.call(command.New(s))
				require.Equal(t, row.sends, s.sent(), "%q", frame)
				s.checkHead(t)
				if want, ok := row.want.(error); ok {
					require.ErrorIs(t, err, want, "%q", frame)
				} else {
					require.NoError(t, err, "%q", frame)
					require.Equal(t, row.want, got, "%q", frame)
				}
				row.survivesAnyReply(t, frame)
			}
			if len(row.replies) > 0 && row.replies[0] != ok {
				row.refusesOtherReplies(t)
			}
		})
	}
}

const ok = "+OK\r\n"

// survivesAnyReply turns a reply into others, byte by byte: whatever a server says, there is an outcome.
func (x exchange) survivesAnyReply(t *testing.T, frame string) {
	t.Helper()
	for _, odd := range distorted(frame) {
		_, err := x.call(answering(odd))
		require.True(t, err == nil || errors.Is(err, command.Nil) || errors.As(err, new(*command.Error)), "%q: %v", odd, err)
	}
}

// refusesOtherReplies gives the method a null, which is Nil or an empty list, errors in places of elements, and other types.
func (x exchange) refusesOtherReplies(t *testing.T) {
	t.Helper()
	for _, null := range []string{"_\r\n", "$-1\r\n", "*-1\r\n"} {
		if got, err := x.call(answering(null)); err != nil {
			require.ErrorIs(t, err, command.Nil, "%q", null)
		} else {
			require.Empty(t, got, "%q", null)
		}
	}
	odd := "*0 | %0 | *1 #t"
	if strings.ContainsRune("*~%", rune(x.replies[0][0])) {
		odd = ":1 | $1 a | #t | *1 *1 *1 *0 | *1 *3 $1 a $1 b $1 c | *1 #t"
	}
	for _, frame := range lines(odd) {
		if !slices.Contains(x.replies, frame) {
			_, err := x.call(answering(frame))
			require.ErrorAs(t, err, new(*command.TypeError), "%q", frame)
		}
	}
	for _, frame := range lines("*1 -ERR | *2 -ERR -ERR") {
		_, err := x.call(answering(frame))
		require.ErrorAs(t, err, new(*command.Error), "%q", frame)
	}
}

// distorted returns the frames that differ from one in a byte or two.
func distorted(frame string) (out []string) {
	for i := range frame {
		for _, other := range []string{"*", "%", "~", "$", ":", ",", "_", "0", "1", "2", "3", "_\r\n", "*0\r\n", "*-1\r\n", ""} {
			odd := []byte(frame[:i] + other + frame[i+1:])
			var s resp.Scanner
			if n, err := s.Scan(odd); err == nil && n > 0 {
				out = append(out, string(odd[:n]))
			}
		}
	}
	return out
}

func TestNoMethodOfATableIsLeftOut(t *testing.T) {
	for group, names := range map[string][]string{
		"bitmap": {"bitmap"}, "generic": {"generic"}, "geo": {"geo"}, "hash": {"hash"}, "hyperloglog": {"set"}, "list": {"list"},
		"set": {"set"}, "stream": {"stream", "streaminfo"}, "zset": {"zset"},
	} {
		var tests strings.Builder
		for _, name := range names {
			text, err := os.ReadFile(name + "_test.go")
			require.NoError(t, err)
			tests.Write(text)
		}
		table, err := os.ReadFile("gen/" + group + ".txt")
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^(?:\tas )?([A-Z]\w*)(?:\(| \w+ //)`).FindAllStringSubmatch(string(table), -1) {
			require.Contains(t, tests.String(), "c."+m[1]+"(ctx", "%s is not asked", m[1])
		}
	}
}
