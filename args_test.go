package keyslot_test

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/spec"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// begin starts a cluster in this process and a client of it.
func begin(t *testing.T, shape keyslottest.Options, opts keyslot.Options) (*keyslottest.Cluster, *keyslot.Client) {
	t.Helper()
	cluster := keyslottest.Run(t, shape)
	opts.Endpoints = []string{cluster.Endpoint()}
	return cluster, connect(t, opts)
}

type id [2]byte

func (i id) MarshalBinary() ([]byte, error) { return append([]byte("id:"), i[:]...), nil }

type broken struct{ secret string }

func (broken) MarshalBinary() ([]byte, error) { return nil, errors.New("cannot be marshalled") }

// pointed marshals through a pointer only, and panics on a nil one, as most types do.
type pointed struct{ text string }

func (p *pointed) MarshalBinary() ([]byte, error) { return []byte(p.text), nil }

func TestDoSendsEachTypeInOneForm(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	for _, arg := range []struct {
		sent any
		want string
	}{
		{"text", "text"}, {"", ""}, {"\x00\r\n\xff", "\x00\r\n\xff"},
		{[]byte("bytes"), "bytes"}, {[]byte(nil), ""}, {[]byte{}, ""},
		{int(-1), "-1"}, {int8(math.MinInt8), "-128"}, {int16(math.MaxInt16), "32767"}, {int32(math.MinInt32), "-2147483648"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{uint(7), "7"}, {uint8(255), "255"}, {uint16(65535), "65535"}, {uint32(math.MaxUint32), "4294967295"},
		{uint64(math.MaxUint64), "18446744073709551615"}, {uintptr(9), "9"},
		{float32(0.1), "0.1"}, {float32(3e6), "3000000"}, {float32(math.Inf(-1)), "-inf"},
		{0.1, "0.1"}, {3e6, "3000000"}, {1e300, "1e+300"}, {-0.5, "-0.5"}, {math.Inf(1), "inf"},
		{true, "1"}, {false, "0"},
		{id{'a', 0}, "id:a\x00"}, {&id{'b', 'c'}, "id:bc"}, {&pointed{"p"}, "p"},
		{netip.MustParseAddr("10.0.0.1"), "\x0a\x00\x00\x01"},
	} {
		reply, err := client.Do(t.Context(), "ECHO", arg.sent)
		require.NoError(t, err, "%T", arg.sent)
		text, err := reply.Text()
		require.NoError(t, err)
		require.Equal(t, arg.want, text, "%T", arg.sent)
	}
}

// refusedBeforeSending runs a command that must be refused before anything is sent, for an argument at that index.
func refusedBeforeSending(t *testing.T, cluster *keyslottest.Cluster, client *keyslot.Client, index int, args ...any) *keyslot.ArgumentError {
	t.Helper()
	before := cluster.Stats("").Commands
	_, err := client.Do(t.Context(), args...)
	require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	require.NotErrorIs(t, err, keyslot.ErrUnknownOutcome)
	var argument *keyslot.ArgumentError
	require.ErrorAs(t, err, &argument)
	require.Equal(t, index, argument.Index, "%v", err)
	require.Equal(t, before, cluster.Stats("").Commands)
	return argument
}

func TestDoRefusesOtherTypes(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	number, text := 1, "text"
	for _, arg := range []struct {
		sent any
		says string
	}{
		{nil, "<nil>"},
		{time.Second, "typed method such as Expire"},
		{time.Now(), "Unix()"},
		{&number, "*int"}, {&text, "*string"}, {(*int)(nil), "*int"}, {(*pointed)(nil), "nil *keyslot_test.pointed"},
		{struct{ A int }{1}, "struct"}, {pointed{"value"}, "keyslot_test.pointed"},
		{make(chan int), "chan int"}, {func() {}, "func()"}, {map[string]int{}, "map"}, {[]string{"a"}, "[]string"},
		{[]any{"a"}, "[]interface {}"}, {[2]byte{}, "[2]uint8"}, {complex(1, 1), "complex128"}, {errors.New("x"), "errorString"},
		{broken{"hunter2"}, "cannot be marshalled"},
	} {
		refused := refusedBeforeSending(t, cluster, client, 2, "SET", "key", arg.sent)
		require.Contains(t, refused.Reason, arg.says)
		require.NotContains(t, refused.Error(), "hunter2")
	}
	refusedBeforeSending(t, cluster, client, 0)
	refusedBeforeSending(t, cluster, client, 0, "")
	refusedBeforeSending(t, cluster, client, 0, nil)
	refusedBeforeSending(t, cluster, client, 0, []byte(nil), "key")
}

func TestNilMarshalersOfEveryKindAreRefused(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	refusedBeforeSending(t, cluster, client, 1, "ECHO", table(nil))
	refusedBeforeSending(t, cluster, client, 1, "ECHO", maker(nil))
}

type table map[string]int

func (m table) MarshalBinary() ([]byte, error) { m["x"]++; return nil, nil }

type maker func() []byte

func (f maker) MarshalBinary() ([]byte, error) { return f(), nil }

func TestWrongArityIsRefused(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	for _, args := range [][]any{
		{"GET"}, {"get", "a", "b"}, {"SET", "a"}, {"MGET"}, {"DEL"}, {"HSET", "h", "f"}, {"OBJECT", "ENCODING"}, {"MSET", "a"},
	} {
		refusedBeforeSending(t, cluster, client, 0, args...)
	}
	before := cluster.Stats("").Commands
	_, err := client.MGet(t.Context())
	require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	require.ErrorIs(t, client.MSet(t.Context()), keyslot.ErrNotExecuted)
	_, err = client.Del(t.Context())
	require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	require.Equal(t, before, cluster.Stats("").Commands)
}

// MSET with a key that lacks its value must not come out as two parts, of which one runs.
func TestHalfAPairIsRefused(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	refusedBeforeSending(t, cluster, client, 0, "MSET", "a", "1", "b")
	_, err := client.Do(t.Context(), "MSET", "a", "1", "b")
	require.ErrorContains(t, err, "keyslot: MSET (slot 15495): the last key has no value [not executed]")
	refusedBeforeSending(t, cluster, client, 0, "MSET", "a", "1", "b", "2", "c")
}

func TestKeysOfSeveralSlotsAreRefusedWhereACommandCannotBeSplit(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	for _, row := range []struct {
		index int
		args  []any
	}{
		{2, []any{"RENAME", "a", "b"}}, {3, []any{"MSETNX", "a", "1", "b", "2"}}, {2, []any{"SINTER", "a", "b"}},
		{3, []any{"SUNIONSTORE", "{a}", "{a}1", "b"}}, {4, []any{"EVAL", "return 1", 2, "a", "b"}}, {2, []any{"BLPOP", "a", "b", 1}},
		{3, []any{"ZUNIONSTORE", "a", 1, "b"}}, {2, []any{"PFCOUNT", "a", "b"}}, {4, []any{"XREAD", "STREAMS", "a", "a", "b", 0, 0, 0}},
	} {
		refused := refusedBeforeSending(t, cluster, client, row.index, row.args...)
		require.Contains(t, refused.Reason, "hash tag")
	}
}

func TestArgumentsThatDoNotTellTheirKeysAreRefused(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	for _, args := range [][]any{
		{"EVAL", "return 1", "many"}, {"EVAL", "return 1", -1}, {"EVAL", "return 1", 3, "a"}, {"XREAD", "COUNT", 1, "a", 0},
		{"ZUNION", 2, "a"}, {"EVAL", "return 1", "99999999999999999999"},
	} {
		refusedBeforeSending(t, cluster, client, 0, args...)
	}
}

// What would disturb others on a shared connection is refused by the table, and the text says what to use instead.
func TestCommandsForAConnectionOfTheirOwnAreRefused(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	refused := map[string]bool{}
	for cmd := range spec.All() {
		if cmd.Refuse == "" {
			continue
		}
		refused[cmd.Name] = true
		var args []any
		for word := range strings.FieldsSeq(strings.ToLower(cmd.Name)) {
			args = append(args, word)
		}
		for len(args) < 5 {
			args = append(args, "x")
		}
		reason := refusedBeforeSending(t, cluster, client, 0, args...).Reason
		require.Contains(t, reason, cmd.Name)
	}
	for _, name := range []string{
		"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR", "CLIENT REPLY",
		"CLIENT TRACKING", "CLIENT CACHING", "CLIENT NO-TOUCH", "CLIENT CAPA", "CLIENT SETNAME", "SYNC", "PSYNC", "REPLCONF",
		"HELLO", "RESET", "QUIT", "AUTH", "SELECT", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "ASKING", "READONLY",
		"READWRITE", "SHUTDOWN", "DEBUG", "WAIT",
	} {
		require.True(t, refused[name], name)
	}
	require.NoError(t, client.Ping(t.Context()), "the connection is as it was")
}

func TestTypedMethodsRefuseWhatTheyCannotSend(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	before := cluster.Stats("").Commands
	for _, opt := range []command.SetOption{
		command.EX(0), command.EX(-time.Second), command.EX(1500 * time.Millisecond), command.PX(0), command.PX(-1),
	} {
		err := client.Set(t.Context(), "key", "value", opt)
		var argument *keyslot.ArgumentError
		require.ErrorAs(t, err, &argument)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	}
	_, err := client.Expire(t.Context(), "key", time.Millisecond)
	require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	require.Equal(t, before, cluster.Stats("").Commands)
	require.NoError(t, client.Set(t.Context(), "key", "value", command.EX(time.Second)), "the refusal is not left behind")
}

func TestDeadContextsSendNothing(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	before := cluster.Stats("")
	for _, ctx := range []context.Context{nil, cancelled, expired} {
		_, err := client.Do(ctx, "SET", "key", "value")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		if ctx != nil {
			require.ErrorIs(t, err, ctx.Err())
		}
		require.ErrorIs(t, client.Set(ctx, "key", "value"), keyslot.ErrNotExecuted)
		require.ErrorIs(t, client.MSet(ctx, command.Pair{Key: "a"}, command.Pair{Key: "b"}), keyslot.ErrNotExecuted)
		_, err = keyslot.New(ctx, keyslot.Options{Endpoints: []string{cluster.Endpoint()}})
		require.Error(t, err)
		if ctx != nil {
			require.ErrorIs(t, err, ctx.Err())
		}
	}
	require.Equal(t, before, cluster.Stats(""))
}

func TestClosedClientRefusesEverything(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	require.NoError(t, client.Close())
	require.NoError(t, client.Close())
	require.NoError(t, client.Shutdown(t.Context()))
	before := cluster.Stats("").Commands
	_, err := client.Do(t.Context(), "GET", "key")
	require.ErrorIs(t, err, keyslot.ErrClosed)
	require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	require.ErrorIs(t, client.Ping(t.Context()), keyslot.ErrClosed)
	_, err = client.MGet(t.Context(), "a", "b")
	require.ErrorIs(t, err, keyslot.ErrClosed)
	require.Equal(t, before, cluster.Stats("").Commands)
}

// The text of an error may end up in a log that is open to many.
func TestErrorsHoldNeitherKeysNorArguments(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{CommandTimeout: 300 * time.Millisecond})
	ctx := t.Context()
	require.NoError(t, client.Set(ctx, "top-secret", "hush-hush"))
	for _, args := range [][]any{
		{"LPUSH", "top-secret", "hush-hush"}, {"NOSUCH", "top-secret", "hush-hush"}, {"RENAME", "top-secret", "hush-hush"},
		{"OBJECT", "NOSUCH", "top-secret"}, {"GETEX", "top-secret", "hush-hush"}, {"EVAL", "hush-hush", "top-secret"},
	} {
		_, err := client.Do(ctx, args...)
		require.Error(t, err, "%v", args)
		require.NotContains(t, err.Error(), "top-secret")
		require.NotContains(t, err.Error(), "hush-hush")
	}
	_, err := cluster.Inject(cluster.Owner("top-secret").ID, keyslottest.Fault{Error: "CLUSTERDOWN The cluster is down"})
	require.NoError(t, err)
	_, err = client.MGet(ctx, "top-secret", "hush-hush", "x", "y", "z")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "top-secret")
	require.NotContains(t, err.Error(), "hush-hush")
}

func TestDoTakesTheNameAndEachArgumentByItself(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	_, err := client.Do(t.Context(), "GET secret")
	require.EqualError(t, err, "keyslot: GET: the name of a command has no spaces: "+
		`pass the name and each argument by itself, as in "GET", "key" [not executed]`)

	_, err = client.MGet(t.Context())
	require.EqualError(t, err, "keyslot: MGET: takes at least 1 argument, got 0 [not executed]")
}

// marshals runs a program's code in the middle of Do.
type marshals func() ([]byte, error)

func (m marshals) MarshalBinary() ([]byte, error) { return m() }

// What a program's marshalers do finds no request half written.
func TestMarshalersMayPanicAndQueueCommands(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	panics := marshals(func() ([]byte, error) { panic("no") })
	script := keyslot.NewScript("return ARGV[1]")
	for name, row := range map[string]struct {
		batch interface {
			Get(key string) *keyslot.Future[string]
			Do(args ...any) *keyslot.Future[keyslot.Reply]
			Exec(ctx context.Context) error
		}
	}{
		"pipeline":    {client.Pipeline()},
		"transaction": {client.Tx()},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, client.Set(t.Context(), low, "before"))
			before := row.batch.Get(low)
			require.Panics(t, func() { row.batch.Do("DEL", low, panics) })
			inner := []*keyslot.Future[string]{}
			set := row.batch.Do("SET", low, marshals(func() ([]byte, error) {
				inner = append(inner, row.batch.Get(low))
				return []byte("after"), nil
			}))
			after := row.batch.Get(low)
			if p, ok := row.batch.(*keyslot.Pipeline); ok {
				require.Panics(t, func() { script.Queue(p, []string{low}, panics) })
			}
			require.NoError(t, row.batch.Exec(t.Context()))
			require.NoError(t, set.Err())
			require.Equal(t, "before", valueOf(t, before))
			require.Len(t, inner, 1, "it is marshalled once")
			require.Equal(t, "before", valueOf(t, inner[0]))
			require.Equal(t, "after", valueOf(t, after))
		})
	}
}
