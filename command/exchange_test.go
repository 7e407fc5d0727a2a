package command_test

import (
	"context"
	"errors"
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
				require.Equal(t, row.sent, s.sent(), "%q", frame)
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

// listener answers one call, and has heard what was asked.
type listener struct {
	frame string
	call  *command.Call
}

func server(frame string) *listener { return &listener{frame: frame} }

func (l *listener) Begin() *command.Call {
	l.call = new(command.Call)
	*l.call = command.NewCall(func(context.Context) error { l.call.Frame = []byte(l.frame); return nil }, func() {})
	return l.call
}

func (l *listener) sent() string {
	words := make([]string, l.call.Request.Len())
	for i := range words {
		words[i] = string(l.call.Request.At(i))
	}
	return strings.Join(words, " ")
}
