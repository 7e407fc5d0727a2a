package command_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// question is what a typed command sends, and what it makes of the replies that a server gives in RESP2 and RESP3.
type question struct {
	sent    string // words
	call    read
	want    any // an error too
	replies []string
}

// in are the replies of one meaning.
func in(frames ...string) []string { return frames }

// checkExchanges also turns every reply into others, byte by byte: whatever a server says, there is an outcome.
func checkExchanges(t *testing.T, rows []question) {
	for _, row := range rows {
		t.Run(row.sent, func(t *testing.T) {
			for _, frame := range row.replies {
				s := server(frame)
				got, err := row.call(command.New(s))
				require.Equal(t, row.sent, s.sent, "%q", frame)
				if want, ok := row.want.(error); ok {
					require.ErrorIs(t, err, want, "%q", frame)
				} else {
					require.NoError(t, err, "%q", frame)
					require.Equal(t, row.want, got, "%q", frame)
				}
				for _, odd := range distorted(frame) {
					_, err := row.call(command.New(server(odd)))
					require.True(t, err == nil || errors.Is(err, command.Nil) || errors.As(err, new(*command.Error)), "%q: %v", odd, err)
				}
			}
			_, err := row.call(command.New(server("*1\r\n#t\r\n")))
			if len(row.replies) > 0 && row.replies[0] != ok {
				require.ErrorAs(t, err, new(*command.TypeError))
			}
		})
	}
}

const ok = "+OK\r\n"

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

func server(frame string) *scribe { return &scribe{frame: frame} }

func TestNoMethodOfSortedSetsPlacesAndStreamsIsLeftOut(t *testing.T) {
	var tests string
	for _, name := range []string{"zset", "geo", "stream", "streaminfo"} {
		text, err := os.ReadFile(name + "_test.go")
		require.NoError(t, err)
		tests += string(text)
	}
	for _, name := range []string{"zset", "geo", "stream"} {
		table, err := os.ReadFile("gen/" + name + ".txt")
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^([A-Z]\w*)\(`).FindAllStringSubmatch(string(table), -1) {
			require.True(t, strings.Contains(tests, "c."+m[1]+"(ctx"), "%s is not asked", m[1])
		}
	}
}

func TestRepliesWithTooFewOrTooManyElementsAreRefused(t *testing.T) {
	scores := func(c command.Commands) (any, error) { return c.ZRangeWithScores(ctx, "z", command.ByIndex(0, 1)) }
	matches := func(c command.Commands) (any, error) {
		return c.GeoSearchWith(ctx, "g", command.FromMember("a"), command.ByRadius(1, command.Miles))
	}
	for _, row := range []struct {
		call  read
		frame string
	}{
		{scores, "*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n"},
		{scores, "*1\r\n*3\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n"},
		{matches, "*1\r\n*3\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n"},
		{matches, "*1\r\n*5\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n" + palermo3 + ":1\r\n"},
		{func(c command.Commands) (any, error) { return c.XRange(ctx, "s", "-", "+") }, "*1\r\n*2\r\n$3\r\n1-1\r\n*3\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\nf\r\n"},
		{func(c command.Commands) (any, error) { return c.XPending(ctx, "s", "g") }, "*4\r\n:1\r\n$3\r\n1-1\r\n$3\r\n1-1\r\n*1\r\n*1\r\n$1\r\nc\r\n"},
	} {
		_, err := row.call(command.New(server(row.frame)))
		require.ErrorAs(t, err, new(*command.TypeError), "%q", row.frame)
	}
}
