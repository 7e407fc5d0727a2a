package keyslot_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// calls records what Trace.Called is told.
type calls struct {
	collected[keyslot.CallEvent]
}

func (c *calls) trace() *keyslot.Trace {
	return &keyslot.Trace{Called: func(_ context.Context, e keyslot.CallEvent) { c.add(e) }}
}

// only returns the one event since the last time.
func (c *calls) only(t *testing.T) keyslot.CallEvent {
	t.Helper()
	events := c.take()
	require.Len(t, events, 1)
	return events[0]
}

func TestEachCallIsToldOnce(t *testing.T) {
	var told calls
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{Trace: told.trace()})
	ctx := t.Context()
	script := keyslot.NewScript("return 1")
	for _, try := range []struct {
		command, batch string
		size           int
		call           func() error
	}{
		{"SET", "", 1, func() error { return client.Set(ctx, "a", "1") }},
		{"GET", "", 1, func() error { _, err := client.Do(ctx, "get", "a"); return err }},
		{"GET", "", 1, func() error { _, err := client.GetAppend(ctx, nil, "a"); return err }},
		{"CLUSTER KEYSLOT", "", 1, func() error { _, err := client.Do(ctx, "cluster", "keyslot", "a"); return err }},
		{"MGET", "", 1, func() error { _, err := client.MGet(ctx, "a", "b", "c"); return err }},
		{"DBSIZE", "", 1, func() error { _, err := client.Do(ctx, "DBSIZE"); return err }},
		{"PING", "", 1, func() error { _, err := client.DoEach(ctx, "PING"); return err }},
		{"BLPOP", "", 1, func() error { _, err := client.Do(ctx, "BLPOP", "list", "0.01"); return err }},
		{"EVAL", "", 1, func() error { _, err := script.Run(ctx, client, []string{"a"}); return err }},
		{"EVALSHA", "", 1, func() error { _, err := script.Run(ctx, client, []string{"a"}); return err }},
		{"INCR", "PIPELINE", 2, func() error { p := client.Pipeline(); p.Incr("n"); p.Incr("m"); return p.Exec(ctx) }},
		{"", "PIPELINE", 2, func() error { p := client.Pipeline(); p.Incr("n"); p.MGet("n", "m"); return p.Exec(ctx) }},
		{"", "MULTI", 2, func() error { tx := client.Tx(); tx.Incr("n"); tx.Get("n"); return tx.Exec(ctx) }},
		{"HSCAN", "", 1, func() error { return drain(client.HScan(ctx, "hash", "")) }},
	} {
		require.NoError(t, try.call(), try.command)
		e := told.only(t)
		require.Equal(t, try.command, e.Command)
		require.Equal(t, try.batch, e.Batch)
		require.Equal(t, try.size, e.Size)
		require.NoError(t, e.Err)
		require.Empty(t, e.Steps)
		require.False(t, e.Start.IsZero())
	}
	for range client.Scan(ctx, "*") {
	}
	for _, e := range told.take() {
		require.Equal(t, "SCAN", e.Command, "a page")
	}
}

// drain runs an iterator to its end.
func drain[T any](all func(yield func(T, error) bool)) (err error) {
	all(func(_ T, e error) bool { err = e; return true })
	return err
}

func TestAWatchTellsItsCommands(t *testing.T) {
	var told calls
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{Trace: told.trace()})
	require.NoError(t, client.Watch(t.Context(), []string{"n"}, func(w *keyslot.Watched) error {
		_, _ = w.Get(t.Context(), "n")
		_, _ = w.Do(t.Context(), "SET", "n", "1")
		tx := w.Tx()
		tx.Incr("n")
		return tx.Exec(t.Context())
	}))
	events := told.take()
	require.Len(t, events, 4)
	for i, name := range []string{"WATCH", "GET", "SET", "INCR"} {
		require.Equal(t, name, events[i].Command)
		require.Equal(t, i == 2, events[i].Err != nil, "a write within a watch is refused")
	}
	require.Equal(t, "MULTI", events[3].Batch)
}

func TestACallTellsWhereItWas(t *testing.T) {
	var told calls
	story(t, keyslot.Options{Trace: told.trace()}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-TRYAGAIN Multiple keys request during rehashing of slot"), says("-MOVED 866 %s", upper))
		s.upper.On("SET", fakenode.Reaction{Delay: time.Second, Send: "+OK\r\n"})
		require.NoError(t, s.client.Set(t.Context(), low, "v"))
		e := told.only(t)
		require.Equal(t, time.Since(s.began), e.Duration)
		require.Equal(t, s.began, e.Start)
		require.Equal(t, 866, e.Slot)
		require.Equal(t, upper, e.Node)
		require.Equal(t, 3, e.Attempts)
		require.Equal(t, 1, e.Redirects)
		require.Len(t, e.Steps, 2)
		require.Equal(t, keyslot.CallStep{At: s.began, Node: lower, Reason: "TRYAGAIN"}, e.Steps[0])
		require.Equal(t, "MOVED", e.Steps[1].Reason)
		require.Equal(t, lower, e.Steps[1].Node)

		require.NoError(t, s.client.Set(t.Context(), up, "v"))
		require.Empty(t, told.only(t).Steps, "those were another call's")
	})
}

func TestABatchTellsTheStepsOfAll(t *testing.T) {
	var told calls
	story(t, keyslot.Options{Trace: told.trace()}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-MOVED 866 %s", upper))
		s.upper.On("SET", ok)
		s.lower.On("GET", value)
		s.upper.On("GET", value)
		p := s.client.Pipeline()
		p.Get(low)
		p.Get(up)
		require.NoError(t, p.Exec(t.Context()))
		e := told.only(t)
		require.Equal(t, 2, e.Attempts)
		require.Empty(t, e.Node, "more than one answered")

		p.Set(low, "v")
		p.Set(up, "v")
		require.NoError(t, p.Exec(t.Context()))
		e = told.only(t)
		require.Equal(t, 3, e.Attempts)
		require.Equal(t, 1, e.Redirects)
		require.Len(t, e.Steps, 1)
		require.Equal(t, upper, e.Node, "who answered in the end")
		require.Equal(t, -1, e.Slot, "of several")
	})
}

// What nobody serves is tried for as long as its caller waits. Memory is not to grow with it.
func TestStepsAreBounded(t *testing.T) {
	var told calls
	story(t, keyslot.Options{Trace: told.trace()}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-TRYAGAIN Multiple keys request during rehashing of slot"))
		require.Error(t, s.client.Set(within(t, 10*time.Second), low, "v"))
		e := told.only(t)
		require.Len(t, e.Steps, 8)
		require.Greater(t, e.Attempts, 20)
		p := s.client.Pipeline()
		for range 10 {
			p.Set(low, "v")
		}
		require.Error(t, p.Exec(within(t, 10*time.Second)))
		require.Len(t, told.only(t).Steps, 32)
	})
}

func TestACallThatFailsTellsWhatItReturns(t *testing.T) {
	var told calls
	story(t, keyslot.Options{Trace: told.trace()}, func(t *testing.T, s *stage) {
		s.lower.On("GET", says("-WRONGTYPE Operation against a key holding the wrong kind of value"), says("$-1"))
		s.lower.On("INCR", reset)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for _, call := range []func() error{
			func() error { _, err := s.client.Get(t.Context(), low); return err },
			func() error { _, err := s.client.Incr(t.Context(), low); return err },
			func() error { return s.client.Set(gone, low, "v") },
			func() error { _, err := s.client.Do(t.Context(), "GET", nil); return err },
			func() error { _, err := s.client.Do(t.Context()); return err },
			func() error { _, err := s.client.LPopCount(t.Context(), low, -1); return err },
			func() error { _, err := s.client.MGet(t.Context()); return err },
			func() error { p := s.client.Pipeline(); p.Incr(low); return p.Exec(t.Context()) },
		} {
			err := call()
			require.Error(t, err)
			require.Equal(t, err, told.only(t).Err)
		}
		_, err := s.client.Get(t.Context(), low)
		require.ErrorIs(t, err, keyslot.Nil)
		require.NoError(t, told.only(t).Err, "that there is no value is no failure")
	})
}

func TestTheHookHasTheCallersContext(t *testing.T) {
	type key struct{}
	var seen any
	trace := &keyslot.Trace{Called: func(ctx context.Context, _ keyslot.CallEvent) { seen = ctx.Value(key{}) }}
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{Trace: trace})
	require.NoError(t, client.Ping(context.WithValue(t.Context(), key{}, "request 7")))
	require.Equal(t, "request 7", seen)
	require.Error(t, client.Ping(nil)) //nolint:staticcheck // what must not be given, and must not panic in a hook
}

func TestWhatTheClientDoesByItselfIsNoCall(t *testing.T) {
	var told calls
	story(t, keyslot.Options{Trace: told.trace(), RefreshAfter: time.Second}, func(t *testing.T, s *stage) {
		s.lower.On("GET", value)
		s.lower.On("XREVRANGE", says("*0"))
		s.lower.On("XREAD", says("*-1"))
		time.Sleep(2 * time.Second)
		_, err := s.client.Get(t.Context(), low) // the map is old
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, "GET", told.only(t).Command)
		_, err = s.client.XRead(t.Context(), []command.Stream{{Key: low, After: "$"}}, command.Block(time.Second))
		require.True(t, err == nil || errors.Is(err, keyslot.Nil))
		require.Equal(t, "XREAD", told.only(t).Command, "and not what resolves the $")
	})
}

func TestAnArgumentThatIsNoNameCannotBeQueued(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	p := client.Pipeline()
	p.Do(nil)
	require.ErrorAs(t, p.Exec(t.Context()), new(*keyslot.ArgumentError))
}

// reportedCalls use a key in each of the ways that Trace.Called is told of.
var reportedCalls = map[string]func(ctx context.Context, c *keyslot.Client) error{
	"Set": func(ctx context.Context, c *keyslot.Client) error { return c.Set(ctx, low, "v") },
	"Exec": func(ctx context.Context, c *keyslot.Client) error {
		p := c.Pipeline()
		p.Set(low, "v")
		return p.Exec(ctx)
	},
	"Tx": func(ctx context.Context, c *keyslot.Client) error {
		tx := c.Tx()
		tx.Set(low, "v")
		return tx.Exec(ctx)
	},
	"Watch": func(ctx context.Context, c *keyslot.Client) error {
		return c.Watch(ctx, []string{low}, func(*keyslot.Watched) error { return nil })
	},
}

// Whoever recovers from a panic of the hook, as HTTP servers do, can still end the client.
func TestAHookThatPanicsHoldsNothingUp(t *testing.T) {
	for name, call := range reportedCalls {
		t.Run(name, func(t *testing.T) {
			trace := &keyslot.Trace{Called: func(context.Context, keyslot.CallEvent) { panic("hook") }}
			story(t, keyslot.Options{Trace: trace}, func(t *testing.T, s *stage) {
				s.lower.On("SET", ok)
				s.lower.On("WATCH", ok)
				s.lower.On("MULTI", ok)
				s.lower.On("EXEC", fakenode.Reaction{Send: "*1\r\n+OK\r\n"})
				require.PanicsWithValue(t, "hook", func() { _ = call(t.Context(), s.client) })
				require.NoError(t, s.client.Shutdown(within(t, time.Second)))
			})
		})
	}
}

// The first call of a client that dials nothing in advance takes as long as its caller waits.
func TestTheFirstCallOfALazyClientIncludesTheMap(t *testing.T) {
	for name, call := range reportedCalls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, node := oneNode()
				defer network.Close()
				node.On("HELLO", fakenode.Reaction{Delay: time.Second, Send: fakenode.Hello})
				var told calls
				client, err := keyslot.New(t.Context(), keyslot.Options{
					Lazy: true, Endpoints: []string{lower}, Dial: network.Dial, Trace: told.trace(),
				})
				require.NoError(t, err)
				defer client.Close()
				began := time.Now()
				_ = call(t.Context(), client) // how it ends does not matter here
				e := told.only(t)
				require.Equal(t, began, e.Start)
				require.GreaterOrEqual(t, e.Duration, time.Second)
			})
		})
	}
}

func TestAScriptThatIsSentTwiceTellsBothAttempts(t *testing.T) {
	var told calls
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{Trace: told.trace()})
	script := keyslot.NewScript("return 1")
	for i, name := range []string{"EVAL", "EVALSHA"} {
		_, err := script.Run(t.Context(), client, []string{"a"})
		require.NoError(t, err)
		e := told.only(t)
		require.Equal(t, name, e.Command)
		require.Equal(t, 2-i, e.Attempts, "by digest, and whole where the node lacked it")
	}
}

func TestWhatWasMeantForArgumentsIsNotTheNameOfACommand(t *testing.T) {
	var told calls
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{Trace: told.trace()})
	for _, words := range []string{"SET user s3cret", "SET\tuser\ts3cret", "SET\r\nuser\r\ns3cret"} {
		_, err := client.Do(t.Context(), words, struct{}{})
		require.ErrorAs(t, err, new(*keyslot.ArgumentError))
		require.NotContains(t, err.Error(), "s3cret")
		require.Equal(t, "SET", told.only(t).Command)
	}
}
