package keyslot_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

func TestCommandsOverSlotsKeepOrderAndDuplicates(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	ctx := t.Context()
	var (
		pairs []command.Pair
		keys  []string
		want  []command.Optional[string]
	)
	for i := range 300 {
		key := fmt.Sprint("key:", i)
		keys = append(keys, key, "missing:"+key)
		if i < 250 {
			pairs = append(pairs, command.Pair{Key: key, Value: fmt.Sprint(i)})
			want = append(want, command.Optional[string]{Value: fmt.Sprint(i), OK: true}, command.Optional[string]{})
		} else {
			want = append(want, command.Optional[string]{}, command.Optional[string]{})
		}
	}
	require.NoError(t, client.MSet(ctx, pairs...))
	got, err := client.MGet(ctx, append(keys, keys...)...)
	require.NoError(t, err)
	require.Equal(t, append(want, want...), got)

	n, err := client.Exists(ctx, "key:1", "key:2", "key:1", "nowhere")
	require.NoError(t, err)
	require.EqualValues(t, 3, n, "a key given twice counts twice")
	for _, name := range []string{"TOUCH", "UNLINK"} {
		reply, err := client.Do(ctx, name, "key:1", "key:2", "nowhere")
		require.NoError(t, err)
		n, err := reply.Int64()
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	}
	n, err = client.Del(ctx, keys...)
	require.NoError(t, err)
	require.EqualValues(t, 248, n)
}

func TestOfTwoPairsWithOneKeyTheLaterWins(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	require.NoError(t, client.MSet(t.Context(), command.Pair{Key: "a", Value: "1"}, command.Pair{Key: "b", Value: "2"}, command.Pair{Key: "a", Value: "3"}))
	got, err := client.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "3", got)
}

// oneServer does what one server with all the keys would, and says so as Reply.String does.
type oneServer map[string]string

func (s oneServer) do(name string, args []string) string {
	if name == "MSET" {
		for i := 0; i < len(args); i += 2 {
			s[args[i]] = args[i+1]
		}
		return "OK"
	}
	values, found := []string{}, 0
	for _, key := range args {
		value, ok := s[key]
		if ok {
			found++
		} else {
			value = "(nil)"
		}
		values = append(values, value)
		if name == "DEL" || name == "UNLINK" {
			delete(s, key)
		}
	}
	if name == "MGET" {
		return fmt.Sprint(values)
	}
	return fmt.Sprint(found)
}

// Whatever keys a call names, of however many slots and however often: it says what one server would.
func TestSplitCommandsSayWhatOneServerWould(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	random, server := rand.New(rand.NewPCG(1, 2)), oneServer{}
	for round := range 500 {
		name := []string{"MSET", "MSET", "MGET", "EXISTS", "TOUCH", "DEL", "UNLINK"}[random.IntN(7)]
		args := []string{}
		for range 1 + random.IntN(9) {
			args = append(args, fmt.Sprintf("{%d}%d", random.IntN(5), random.IntN(3)))
			if name == "MSET" {
				args = append(args, fmt.Sprint(round, ".", len(args)))
			}
		}
		reply, err := client.Do(t.Context(), append([]any{name}, anys(args)...)...)
		require.NoError(t, err)
		require.Equal(t, server.do(name, args), reply.String(), "%s %v", name, args)
	}
}

// Keys of many slots reach each node as one write, with one command for each slot.
func TestASplitCommandIsOneWriteForEachNode(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.On("PING", says("+PONG"))
			node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				reply := fmt.Sprintf("*%d\r\n", len(r.Args)-1)
				for _, key := range r.Args[1:] {
					reply += fmt.Sprintf("$%d\r\n%s\r\n", len(key), key)
				}
				return fakenode.Reaction{Send: reply}, r.Name() == "MGET"
			})
		}
		_, err := s.client.MGet(t.Context(), low, up) // connects to both
		require.NoError(t, err)
		s.writes.Store(0)
		keys := []string{"hello", "foo", "bar", "{hello}2", "a", "{foo}2", "b", "hello", "c"}
		got, err := s.client.MGet(t.Context(), keys...)
		require.NoError(t, err)
		for i, key := range keys {
			require.Equal(t, key, got[i].Value)
		}
		require.EqualValues(t, 2, s.writes.Load())
		slots := map[uint16]bool{}
		for _, key := range keys {
			slots[keyslot.Slot(key)] = true
		}
		require.Equal(t, len(slots), len(sent(s.lower, "MGET"))+len(sent(s.upper, "MGET"))-2)
		require.Contains(t, names(sent(s.lower, "MGET")), "MGET hello {hello}2 hello")
	})
}

func TestAFailedPartListsItsKeys(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("DEL", one)
		s.upper.On("DEL", says("-NOPERM no permissions"))
		_, err := s.client.Del(t.Context(), "hello", "foo", "bar", "{foo}2", "foo")
		var parts *keyslot.PartsError
		require.ErrorAs(t, err, &parts)
		require.Equal(t, 5, parts.Total)
		var failed []string
		for _, part := range parts.Parts() {
			failed = append(failed, part.Key)
			require.Equal(t, upper, part.Node)
			require.ErrorIs(t, part.Err, keyslot.ErrNotExecuted)
		}
		require.Equal(t, []string{"foo", "{foo}2", "foo"}, failed)
		require.NotErrorIs(t, err, keyslot.ErrNotExecuted, "the other slot's keys are gone")
		require.NotErrorIs(t, err, keyslot.ErrUnknownOutcome)

		s.upper.On("DEL", reset)
		_, err = s.client.Del(t.Context(), "hello", "foo")
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		s.lower.On("DEL", says("-NOPERM no permissions"))
		s.upper.On("DEL", says("-NOPERM no permissions"))
		_, err = s.client.Del(t.Context(), "hello", "foo")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	})
}

// Each part has its own fate: one is redirected, one waits, one is lost and sent again, one is answered.
func TestPartsAreRetriedEachForItself(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		bar, foo, other := says("*1\r\n$1\r\n1"), says("*1\r\n$1\r\n2"), says("*1\r\n$1\r\n3")
		var tries sync.Map
		answer := func(r fakenode.Request) (fakenode.Reaction, bool) {
			if r.Name() != "MGET" {
				return fakenode.Reaction{}, false
			}
			n, _ := tries.LoadOrStore(r.Args[1], new(atomic.Int32))
			first := n.(*atomic.Int32).Add(1) == 1
			switch {
			case r.Args[1] == "bar" && first:
				return says("-ASK 5061 %s", upper), true
			case r.Args[1] == "bar":
				return bar, true
			case r.Args[1] == "foo" && first:
				return says("-CLUSTERDOWN The cluster is down"), true
			case r.Args[1] == "foo":
				return foo, true
			}
			return other, true
		}
		s.lower.Handle(answer)
		s.upper.Handle(answer)
		got, err := s.client.MGet(t.Context(), "bar", "foo", "hello")
		require.NoError(t, err)
		require.Equal(t, []command.Optional[string]{{Value: "1", OK: true}, {Value: "2", OK: true}, {Value: "3", OK: true}}, got)
		require.Len(t, sent(s.upper, "ASKING"), 1)
		require.Len(t, sent(s.lower, "MGET"), 2)
		require.Len(t, sent(s.upper, "MGET"), 3)
	})
}

// One node of a split command is dead and the caller gives up: no part is left behind, and each is told what is known.
func TestASplitCommandEndsWithItsContext(t *testing.T) {
	for _, patience := range []time.Duration{time.Millisecond, time.Second, 3 * time.Second} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.net.BlackHole(upper)
			s.lower.On("DEL", stuck())
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(patience, cancel)
			_, err := s.client.Do(ctx, "DEL", low, up, "bar", "{foo}2", "a", "b", "c")
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
			require.LessOrEqual(t, time.Since(s.began), patience)
			var parts *keyslot.PartsError
			require.ErrorAs(t, err, &parts)
			for _, part := range parts.Parts() {
				unknown := keyslot.Slot(part.Key) < 8192
				if unknown {
					require.ErrorIs(t, part.Err, keyslot.ErrUnknownOutcome)
				} else {
					require.ErrorIs(t, part.Err, keyslot.ErrNotExecuted)
				}
			}
		})
	}
}

func TestANodeThatHasToBeDialledHoldsUpNoOtherPart(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.BlackHole(upper)
		s.lower.On("DEL", one)
		_, err := s.client.Del(within(t, time.Second), up, low)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var parts *keyslot.PartsError
		require.ErrorAs(t, err, &parts)
		require.Len(t, parts.Parts(), 1)
		require.Equal(t, up, parts.Parts()[0].Key)
		require.ErrorIs(t, parts.Parts()[0].Err, keyslot.ErrNotExecuted)
	})
}

func TestRepliesThatDoNotFitTogetherAreAnError(t *testing.T) {
	for _, odd := range []string{"*2\r\n+a\r\n+b", "*0", "+OK", "_", "$1\r\na", "%1\r\n+a\r\n+b"} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On("MGET", says("*1\r\n$1\r\na"))
			s.upper.On("MGET", says("%s", odd))
			_, err := s.client.MGet(t.Context(), low, up)
			require.Error(t, err, odd)
			_, err = s.client.Do(t.Context(), "MGET", low, up)
			require.Error(t, err, odd)
			s.lower.On("DEL", one)
			s.upper.On("DEL", says("%s", odd))
			_, err = s.client.Del(t.Context(), low, up)
			require.Error(t, err, odd)
		})
	}
}

func TestCommandsForAllShardsAreJoined(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Replicas: 1}, keyslot.Options{})
	ctx := t.Context()
	for i := range 60 {
		require.NoError(t, client.Set(ctx, fmt.Sprint("key:", i), "v"))
	}
	reply, err := client.Do(ctx, "DBSIZE")
	require.NoError(t, err)
	n, err := reply.Int64()
	require.NoError(t, err)
	require.EqualValues(t, 60, n)

	reply, err = client.Do(ctx, "KEYS", "key:1*")
	require.NoError(t, err)
	keys, err := reply.Strings()
	require.NoError(t, err)
	require.Len(t, keys, 11)

	sha, err := client.Do(ctx, "SCRIPT", "LOAD", "return 1")
	require.NoError(t, err)
	digest, err := sha.Text()
	require.NoError(t, err)
	exists := func() (found []string) {
		reply, err := client.Do(ctx, "SCRIPT", "EXISTS", digest, "0000000000000000000000000000000000000000")
		if err == nil { // the node may be on its way out
			found, _ = reply.Strings()
		}
		return found
	}
	require.Equal(t, []string{"1", "0"}, exists())
	_, err = cluster.Replace(cluster.Shards()[0].Primary.ID) // forgets its scripts
	require.NoError(t, err)
	_, err = client.Get(ctx, "key:1")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return slices.Equal(exists(), []string{"0", "0"}) }, 5*time.Second, 10*time.Millisecond)

	_, err = client.Do(ctx, "FLUSHALL")
	require.NoError(t, err)
	reply, err = client.Do(ctx, "DBSIZE")
	require.NoError(t, err)
	n, err = reply.Int64()
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestACommandForAllShardsListsTheNodesThatFailed(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("FLUSHALL", ok)
		s.upper.On("FLUSHALL", says("-NOPERM no permissions"))
		_, err := s.client.Do(t.Context(), "FLUSHALL")
		var parts *keyslot.PartsError
		require.ErrorAs(t, err, &parts)
		require.Equal(t, 2, parts.Total)
		require.Len(t, parts.Parts(), 1)
		require.Equal(t, upper, parts.Parts()[0].Node)
		require.Empty(t, parts.Parts()[0].Key)
	})
}

// dialled counts connections to a real listener.
func dialled(counter *atomic.Int32) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		counter.Add(1)
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
}

func TestOneShardTakesOneDial(t *testing.T) {
	var dials atomic.Int32
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{Dial: dialled(&dials)})
	require.NoError(t, client.Set(t.Context(), "key", "v"))
	_, err := client.Get(t.Context(), "key")
	require.NoError(t, err)
	require.EqualValues(t, 1, dials.Load())
}

func TestManyCallersShareOneConnectionToANode(t *testing.T) {
	var dials atomic.Int32
	_, client := begin(t, keyslottest.Options{Shards: 3}, keyslot.Options{Dial: dialled(&dials)})
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			for j := range 20 {
				key := fmt.Sprint("key:", i, ":", j)
				require.NoError(t, client.Set(t.Context(), key, key))
				got, err := client.Get(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, key, got)
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 3, dials.Load())
}

func TestConnsPerNodeKeepsASlotOnItsConnection(t *testing.T) {
	story(t, keyslot.Options{ConnsPerNode: 4}, func(t *testing.T, s *stage) {
		s.lower.On("SET", ok)
		var callers sync.WaitGroup
		for range 5 {
			for _, key := range []string{"hello", "bar", "b", "{hello}x"} {
				callers.Go(func() { require.NoError(t, s.client.Set(t.Context(), key, "v")) })
			}
		}
		callers.Wait()
		synctest.Wait()
		conns := map[string]map[int]bool{}
		for _, r := range sent(s.lower, "SET") {
			key := fmt.Sprint(keyslot.Slot(r.Args[1]))
			if conns[key] == nil {
				conns[key] = map[int]bool{}
			}
			conns[key][r.Conn] = true
		}
		for slot, used := range conns {
			require.Len(t, used, 1, slot)
		}
	})
}
