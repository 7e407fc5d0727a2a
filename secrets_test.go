package keyslot_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/resp"
)

// What is secret: credentials everywhere, keys and arguments in everything that is logged.

const secret = "s3cretMark"

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#q", "%T"}

// hides requires that a value shows no secret, however it is printed.
func hides(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		odd := []string{"%d", "%t", "%c"} // of a struct package fmt shows what it can
		if _, isError := v.(error); isError {
			odd = nil
		}
		for _, verb := range append(odd, verbs...) {
			text := fmt.Sprintf(verb, v)
			for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))), fmt.Sprintf("% x", secret)} {
				require.NotContains(t, text, form, "%s of a %T", verb, v)
			}
		}
	}
}

func TestOptionsAndClientsShowNoPassword(t *testing.T) {
	opts, err := keyslot.ParseTarget("rediss://ann:" + secret + "@db.example.com:6379")
	require.NoError(t, err)
	require.Equal(t, secret, opts.Password)
	hides(t, opts, &opts, []keyslot.Options{opts}, struct{ Options keyslot.Options }{opts}, map[string]*keyslot.Options{"a": &opts})
	opts.Endpoints = append(opts.Endpoints, "redis://ann:"+secret+"@b") // where it does not belong
	hides(t, opts)
	require.Contains(t, fmt.Sprintf("%+v", opts), "Username:ann Password:***")
	require.Contains(t, fmt.Sprintf("%+v", keyslot.Options{}), "Password: ", "none is none")

	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "options", opts, "pointer", &opts)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "options", opts, "pointer", &opts)
	require.Contains(t, log.String(), "db.example.com")
	hides(t, log.String())

	opts.Endpoints, opts.Lazy = opts.Endpoints[:1], true
	client, err := keyslot.New(t.Context(), opts)
	require.NoError(t, err)
	defer client.Close()
	hides(t, client, client.Timeout(time.Second), client.Pipeline(), client.Tx())
}

// A server may quote what it was sent: an old one that knows no HELLO, a proxy that knows no AUTH.
func TestRefusedCredentialsAreNotQuoted(t *testing.T) {
	for name, refusals := range map[string]map[string]string{
		"AUTH unknown":         {"HELLO": "-NOPROTO no", "AUTH": "-ERR unknown command `AUTH`, with args beginning with: `ann`, `" + secret + "`, "},
		"HELLO's syntax":       {"HELLO": "-ERR Syntax error in HELLO option '" + secret + "'"},
		"wrong, says a proxy":  {"HELLO": "-WRONGPASS " + secret + " is not the password of ann"},
		"cut short":            {"HELLO": "-ERR wrong number of arguments near '" + secret[:6] + "'"},
		"in what is malformed": {"HELLO": secret},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				var log lockedBuffer
				for command, refusal := range refusals {
					s.upper.On(command, says("%s", refusal))
				}
				opts := keyslot.Options{
					Endpoints: []string{upper}, Dial: s.dial, Username: "ann", Password: secret,
					Logger: slog.New(slog.NewJSONHandler(&log, nil)), Trace: log.trace(),
				}
				_, err := keyslot.New(t.Context(), opts)
				require.ErrorAs(t, err, new(*keyslot.BootstrapError))
				hides(t, err)
				require.NotContains(t, err.Error(), secret[:6])

				opts.Endpoints = []string{lower}
				client, err := keyslot.New(t.Context(), opts)
				require.NoError(t, err)
				defer client.Close()
				_, err = client.Get(within(t, time.Second), up)
				require.ErrorIs(t, err, keyslot.ErrNotExecuted)
				hides(t, err, log.String())
				require.Contains(t, log.String(), "Phase:", "dials are traced")
			})
		})
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// trace writes down all that a client tells.
func (b *lockedBuffer) trace() *keyslot.Trace {
	return &keyslot.Trace{
		Redirected: func(e keyslot.RedirectEvent) { fmt.Fprintf(b, "%+v\n", e) },
		Retried:    func(e keyslot.RetryEvent) { fmt.Fprintf(b, "%+v\n", e) },
		Refreshed:  func(e keyslot.RefreshEvent) { fmt.Fprintf(b, "%+v\n", e) },
		Connected:  func(e keyslot.ConnectEvent) { fmt.Fprintf(b, "%+v\n", e) },
		Desynced:   func(e keyslot.DesyncEvent) { fmt.Fprintf(b, "%+v\n", e) },
		Called: func(_ context.Context, e keyslot.CallEvent) {
			if strings.HasPrefix(e.Command, "EVAL") || strings.HasPrefix(e.Command, "FCALL") {
				e.Err = nil // what a script raises is its own
			}
			fmt.Fprintf(b, "%+v\n", e)
		},
	}
}

// What a caller hands over arrives as it is, and is never more than one command.
func TestNothingCanBeInjected(t *testing.T) {
	for _, evil := range []string{"\r\nFLUSHALL\r\n", "x\r\n*1\r\n$8\r\nFLUSHALL\r\n", "$5\r\n", "\x00", "*3", " \n", "a b\r", "'\"`", strings.Repeat("\r\n", 1000)} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			everything := func(r fakenode.Request) (fakenode.Reaction, bool) {
				return ok, r.Name() != "HELLO" && !strings.HasPrefix(r.Name(), "CL")
			}
			s.lower.Handle(everything)
			s.upper.Handle(everything)
			onLower := s.client.On(keyslot.ToNode(lower))
			for _, args := range [][]any{
				{"SET", evil, evil}, {"PUBLISH", evil, evil}, {"EVAL", evil, 1, evil, evil}, {"NO-SUCH", evil, evil}, {"OBJECT", evil, evil},
				{"CLIENT", "KILL", evil},
			} {
				before := len(s.lower.Tape())
				_, _ = onLower.Do(within(t, time.Second), args...)
				tape := s.lower.Tape()[before:]
				require.NotEmpty(t, tape)
				last := tape[len(tape)-1]
				require.Len(t, last.Args, len(args))
				for i, arg := range args {
					require.Equal(t, fmt.Sprint(arg), last.Args[i])
				}
				require.Empty(t, sent(s.lower, "FLUSHALL"))
			}
			before := len(s.lower.Tape())
			_, err := onLower.Do(t.Context(), "GET"+evil+"\r\nx", low)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted, "the name of a command")
			require.Len(t, s.lower.Tape(), before)
			_, err = keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, ClientName: evil + " "})
			require.ErrorAs(t, err, new(*keyslot.OptionError))
		})
	}
}

func TestNothingCanBeInjectedByCredentialsAndChannels(t *testing.T) {
	const evil = "x\r\n*1\r\n$8\r\nFLUSHALL\r\n"
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{upper}, Dial: s.dial, Username: evil, Password: evil})
		require.NoError(t, err)
		defer client.Close()
		require.Equal(t, []string{"HELLO", "3", "AUTH", evil, evil}, sent(s.upper, "HELLO")[0].Args)
		confirmed := resp.AppendBulk(resp.AppendBulk([]byte(">3\r\n"), "subscribe"), evil)
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.On("SUBSCRIBE", fakenode.Reaction{Send: string(confirmed) + ":1\r\n"})
		}
		sub, err := client.Subscribe(t.Context(), evil)
		require.NoError(t, err)
		defer sub.Close()
		requests := append(sent(s.lower, "SUBSCRIBE"), sent(s.upper, "SUBSCRIBE")...)
		require.Equal(t, []string{evil}, requests[0].Args[1:])
		require.Empty(t, append(sent(s.lower, "FLUSHALL"), sent(s.upper, "FLUSHALL")...))
	})
}

// The handling of a failure must not tell what it was about.
func TestErrorsWithoutAReplyHoldNoArguments(t *testing.T) {
	for name, hurt := range map[string]func(s *stage){
		"refused dials": func(s *stage) { s.lower.Close() }, "resets": func(s *stage) { s.lower.On("SET", reset) },
		"silence": func(s *stage) { s.lower.On("SET", stuck()) }, "nonsense": func(s *stage) { s.lower.On("SET", says("$3\r\n%s", secret)) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				hurt(s)
				key := "{" + low + "}" + secret
				err := s.client.Set(within(t, time.Second), key, secret)
				require.Error(t, err)
				p := s.client.Pipeline()
				future := p.Set(key, secret)
				together := p.Exec(within(t, time.Second))
				_, split := s.client.Del(within(t, time.Second), key, up)
				require.Error(t, split)
				hides(t, err, future.Err(), together, split)
			})
		})
	}
}
