package keyslot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// run runs a consumer of the group "g" until the end of the test, or until stop, which returns what Run returned.
func run(t *testing.T, client *keyslot.Client, opts keyslot.ConsumerOptions, handle func(context.Context, keyslot.Entry) error) (stop func() error) {
	t.Helper()
	opts.Group, opts.Name = "g", "me"
	consumer, err := keyslot.NewConsumer(client, opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- consumer.Run(ctx, handle) }() // ends with ctx; stop waits for it
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return stop
}

// entries collects what a consumer handles.
type entries struct {
	mu  sync.Mutex
	all []keyslot.Entry // guarded by mu
}

func (es *entries) note(_ context.Context, e keyslot.Entry) error {
	es.mu.Lock()
	defer es.mu.Unlock()
	es.all = append(es.all, e)
	return nil
}

func (es *entries) list() []keyslot.Entry {
	es.mu.Lock()
	defer es.mu.Unlock()
	return es.all[:len(es.all):len(es.all)]
}

// field returns the value of a field, or "".
func field(e keyslot.Entry, name string) string {
	v, _ := e.Value(name)
	return v
}

// become waits until n entries have been handled and no more, and returns them.
func (es *entries) become(t *testing.T, n int) []keyslot.Entry {
	t.Helper()
	require.Eventually(t, func() bool { return len(es.list()) >= n }, 10*time.Second, time.Millisecond)
	require.Len(t, es.list(), n)
	return es.list()
}

// do runs a command that must not fail.
func do(t *testing.T, client *keyslot.Client, args ...any) keyslot.Reply {
	t.Helper()
	reply, err := client.Do(t.Context(), args...)
	require.NoError(t, err)
	return reply
}

// noneIsPending waits until the group has nothing pending on the streams.
func noneIsPending(t *testing.T, client *keyslot.Client, streams ...string) {
	t.Helper()
	for _, stream := range streams {
		becomes(t, 10*time.Second, func() bool {
			summary, err := do(t, client, "XPENDING", stream, "g").Slice()
			require.NoError(t, err)
			return summary[0].String() == "0"
		})
	}
}

func TestAConsumerHandlesEachEntryOnceAndInOrder(t *testing.T) {
	for _, resp2 := range []bool{false, true} {
		_, client := begin(t, keyslottest.Options{RESP2Only: resp2}, keyslot.Options{})
		streams := []string{"a", "b", "c", "{a}2", "{a}3", "e"}
		for _, stream := range streams {
			for n := range 100 {
				do(t, client, "XADD", stream, "*", "n", n, "twice", "x", "twice", "y")
			}
		}
		var handled entries
		stop := run(t, client, keyslot.ConsumerOptions{Streams: streams, CreateFrom: "0", Count: 7}, handled.note)
		next := map[string]int{}
		for _, e := range handled.become(t, 600) {
			require.Equal(t, []command.Field{{Name: "n", Value: fmt.Sprint(next[e.Stream])}, {Name: "twice", Value: "x"}, {Name: "twice", Value: "y"}}, e.Fields)
			require.Equal(t, "x", field(e, "twice"))
			require.EqualValues(t, 1, e.Deliveries)
			require.NotEmpty(t, e.ID)
			next[e.Stream]++
		}
		noneIsPending(t, client, streams...)
		do(t, client, "XADD", "b", "*", "n", 100)
		require.Equal(t, "b", handled.become(t, 601)[600].Stream, "it goes on")
		require.NoError(t, stop())
		noneIsPending(t, client, streams...)
	}
}

func TestAnEntryWhoseHandlerFailsComesAgain(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	do(t, client, "XADD", "s", "*", "k", "v")
	var handled entries
	run(t, client, keyslot.ConsumerOptions{Streams: []string{"s"}, CreateFrom: "0", MinIdle: 50 * time.Millisecond},
		func(ctx context.Context, e keyslot.Entry) error {
			_ = handled.note(ctx, e)
			if e.Deliveries < 4 {
				return errors.New("not yet")
			}
			return nil
		})
	for i, e := range handled.become(t, 4) {
		require.EqualValues(t, i+1, e.Deliveries)
		require.Equal(t, "v", field(e, "k"))
	}
	noneIsPending(t, client, "s")
}

// What was delivered to a consumer of the same name, or long ago to another one, was not handled as far as anybody knows.
func TestAConsumerTakesUpWhatOthersLeft(t *testing.T) {
	for name, minIdle := range map[string]time.Duration{"me": -1, "a dead one": 50 * time.Millisecond} {
		_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
		do(t, client, "XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
		for n := range 200 {
			do(t, client, "XADD", "s", "*", "n", n)
		}
		do(t, client, "XREADGROUP", "GROUP", "g", name, "COUNT", 100, "STREAMS", "s", ">")
		var handled entries
		run(t, client, keyslot.ConsumerOptions{Streams: []string{"s"}, MinIdle: minIdle}, handled.note)
		times := map[int64]int{}
		for _, e := range handled.become(t, 200) {
			times[e.Deliveries]++
		}
		require.Equal(t, map[int64]int{1: 100, 2: 100}, times)
		noneIsPending(t, client, "s")
	}
}

func TestLostRepliesLoseAndRepeatNothing(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	producer := connect(t, keyslot.Options{Endpoints: []string{cluster.Endpoint()}}) // whose connections are not lost
	var handled entries
	entered, ready := make(chan struct{}, 200), make(chan struct{})
	run(t, client, keyslot.ConsumerOptions{Streams: []string{"s"}, CreateFrom: "0", Count: 3, AckCount: 5},
		func(ctx context.Context, e keyslot.Entry) error {
			entered <- struct{}{}
			<-ready
			return handled.note(ctx, e)
		})
	do(t, producer, "XADD", "s", "*", "n", 0)
	<-entered
	for n := range 99 {
		do(t, producer, "XADD", "s", "*", "n", n+1)
	}
	for _, command := range []string{"XREADGROUP", "XACK", "XAUTOCLAIM", "XPENDING"} {
		_, err := cluster.Inject(cluster.Owner("s").ID, keyslottest.Fault{Command: command, Reset: true, Times: 3})
		require.NoError(t, err)
	}
	close(ready) // every read finds entries at once, and its reply is lost with them
	for n, e := range handled.become(t, 100) {
		require.Equal(t, fmt.Sprint(n), field(e, "n"))
	}
	noneIsPending(t, producer, "s")
	require.Len(t, handled.list(), 100)
}

// Between the reading of its pending entries and their handling another consumer may have claimed them.
func TestAnEntryThatAnotherConsumerHasClaimedIsLeftToIt(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", batchOf(2), says("_"), stuck())
		s.lower.On("XPENDING", says("*1\r\n*4\r\n$3\r\n1-1\r\n$5\r\nother\r\n:0\r\n:2"), says("*1\r\n*4\r\n$3\r\n1-2\r\n$2\r\nme\r\n:0\r\n:2"))
		s.lower.On("XACK", one)
		var handled entries
		stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1}, handled.note)
		time.Sleep(time.Second)
		require.NoError(t, stop())
		require.Len(t, handled.list(), 1)
		require.Equal(t, "1-2", handled.list()[0].ID)
	})
}

func TestAMissingGroupIsTheCallersUnlessHeWantsItCreated(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	var handled entries
	consumer, err := keyslot.NewConsumer(client, keyslot.ConsumerOptions{Group: "g", Name: "me", Streams: []string{"s", "other"}})
	require.NoError(t, err)
	err = consumer.Run(t.Context(), handled.note)
	var refusal keyslot.ServerError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "NOGROUP", refusal.Code())
	require.Regexp(t, `, streams \["(s|other)"\]: XREADGROUP `, err.Error(), "where the server's words have none")

	stop := run(t, client, keyslot.ConsumerOptions{Streams: []string{"s", "other"}, CreateFrom: "$", Block: 10 * time.Millisecond}, handled.note)
	for round := range 3 {
		becomes(t, 5*time.Second, func() bool { return do(t, client, "EXISTS", "s", "other").String() == "2" })
		do(t, client, "XADD", "s", "*", "k", "v")
		handled.become(t, round+1)
		noneIsPending(t, client, "s")
		do(t, client, "FLUSHALL")
	}
	require.NoError(t, stop())
}

func TestAConsumerEndsWithAnErrorThatLasts(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	do(t, client, "SET", "string", "v")
	consumer, err := keyslot.NewConsumer(client, keyslot.ConsumerOptions{Group: "g", Name: "me", Streams: []string{"s", "string"}, CreateFrom: "0"})
	require.NoError(t, err)
	err = consumer.Run(t.Context(), new(entries).note)
	require.ErrorContains(t, err, "WRONGTYPE")
	require.Regexp(t, `^keyslot: consumer "me" of group "g", streams \["string"\]: X[A-Z]+ `, err.Error())

	do(t, client, "DEL", "string")
	time.AfterFunc(50*time.Millisecond, func() { _ = client.Close() })
	require.ErrorIs(t, consumer.Run(t.Context(), new(entries).note), keyslot.ErrClosed)
}

func TestOneConsumerRunsOnce(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	consumer, err := keyslot.NewConsumer(client, keyslot.ConsumerOptions{Group: "g", Name: "me", Streams: []string{"s"}, CreateFrom: "0"})
	require.NoError(t, err)
	do(t, client, "XADD", "s", "*", "k", "v")
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, consumer.Run(ctx, func(context.Context, keyslot.Entry) error {
		require.ErrorContains(t, consumer.Run(ctx, nobody), "running already")
		cancel()
		return nil
	}))
	noneIsPending(t, client, "s")
	require.ErrorIs(t, consumer.Run(ctx, nobody), nil, "it may run again, and sees that ctx has ended")
}

func TestConsumerOptionsThatCannotWork(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	for option, wrong := range map[string]func(o *keyslot.ConsumerOptions){
		"Group":      func(o *keyslot.ConsumerOptions) { o.Group = "" },
		"Name":       func(o *keyslot.ConsumerOptions) { o.Name = "" },
		"Streams":    func(o *keyslot.ConsumerOptions) { o.Streams = []string{"a", "b", "a"} },
		"CreateFrom": func(o *keyslot.ConsumerOptions) { o.CreateFrom = "bogus" },
		"Count":      func(o *keyslot.ConsumerOptions) { o.Count = -1 },
		"AckDelay":   func(o *keyslot.ConsumerOptions) { o.AckDelay = -1 },
	} {
		opts := keyslot.ConsumerOptions{Group: "g", Name: "n", Streams: []string{"s"}}
		wrong(&opts)
		_, err := keyslot.NewConsumer(client, opts)
		require.ErrorContains(t, err, "keyslot: ConsumerOptions."+option+": ")
		require.ErrorAs(t, err, new(*keyslot.OptionError))
	}
}

// batchOf is a reply to XREADGROUP with so many entries of the stream low.
func batchOf(n int) fakenode.Reaction {
	var b strings.Builder
	fmt.Fprintf(&b, "%%1\r\n$5\r\n%s\r\n*%d\r\n", low, n)
	for i := range n {
		id := fmt.Sprintf("1-%d", i+1)
		fmt.Fprintf(&b, "*2\r\n$%d\r\n%s\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n", len(id), id)
	}
	return fakenode.Reaction{Send: b.String()}
}

// acked returns how many ids each XACK had.
func acked(node *fakenode.Node) (sizes []int) {
	for _, r := range sent(node, "XACK") {
		sizes = append(sizes, len(r.Args)-3)
	}
	return sizes
}

func TestEntriesAreAcknowledgedTogether(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", says("_"), batchOf(25), stuck())
		s.lower.On("XACK", one)
		opts := keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1, AckCount: 10, AckDelay: time.Second}
		stop := run(t, s.client, opts, func(context.Context, keyslot.Entry) error { time.Sleep(time.Millisecond); return nil })
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, []int{10, 10}, acked(s.lower), "by their number")
		time.Sleep(time.Second)
		require.Equal(t, []int{10, 10, 5}, acked(s.lower), "by time")
		require.NoError(t, stop())
	})
}

func TestRepliesOfAnyShapeAreReadOrRefused(t *testing.T) {
	entry := func(id, fields string) string { return fmt.Sprintf("*2\r\n$%d\r\n%s\r\n%s", len(id), id, fields) }
	const fields = "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
	for reply, want := range map[string]int{
		"%1\r\n$5\r\nhello\r\n*2\r\n" + entry("1-1", fields) + entry("1-2", fields):       2,
		"*1\r\n*2\r\n$5\r\nhello\r\n*2\r\n" + entry("1-1", fields) + entry("1-2", fields): 2,
		"%1\r\n$5\r\nhello\r\n*2\r\n" + entry("1-1", "_\r\n") + entry("1-2", fields):      1, // one was deleted
		"*1\r\n*2\r\n$5\r\nhello\r\n*1\r\n" + entry("1-1", "*-1\r\n"):                     0,
		"_\r\n":   0,
		"*-1\r\n": 0,
		"*0\r\n":  0,
		"%1\r\n$5\r\nhello\r\n*1\r\n" + entry("1-1", "*0\r\n"):            1,
		"%1\r\n$5\r\nwrong\r\n*0\r\n":                                     -1,
		"%1\r\n$5\r\nhello\r\n$1\r\nx\r\n":                                -1,
		"*1\r\n*1\r\n$5\r\nhello\r\n":                                     -1,
		"*1\r\n*3\r\n$5\r\nhello\r\n*0\r\n*0\r\n":                         -1,
		"*1\r\n$5\r\nhello\r\n":                                           -1,
		"%1\r\n:5\r\n:6\r\n":                                              -1,
		"+OK\r\n":                                                         -1,
		"%1\r\n$5\r\nhello\r\n*1\r\n" + entry("1-1", "*1\r\n$1\r\nf\r\n"): -1,
		"%1\r\n$5\r\nhello\r\n*1\r\n*1\r\n$3\r\n1-1\r\n":                  -1,
		"%1\r\n$5\r\nhello\r\n*1\r\n*2\r\n*0\r\n" + fields:                -1,
	} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On("XREADGROUP", fakenode.Reaction{Send: reply}, says("_"), stuck())
			s.lower.On("XPENDING", says("*1\r\n*4\r\n$3\r\n1-1\r\n$2\r\nme\r\n:5\r\n:7"))
			s.lower.On("XACK", one)
			var handled entries
			stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1}, handled.note)
			time.Sleep(time.Second)
			if want < 0 {
				require.ErrorContains(t, stop(), "XREADGROUP", reply)
				return
			}
			require.Len(t, handled.list(), want, reply)
			for _, e := range handled.list() {
				require.EqualValues(t, 7, e.Deliveries)
			}
			require.NoError(t, stop(), reply)
			if deleted := strings.Contains(reply, "_\r\n") || strings.Contains(reply, "*-1\r\n"); deleted && want > 0 {
				require.Equal(t, []int{want + 1}, acked(s.lower), "an entry that was deleted is not left pending")
			}
		})
	}
}

func TestRepliesToClaimsAreReadOrRefused(t *testing.T) {
	const entry = "*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
	for reply, want := range map[string]int{
		"*3\r\n$3\r\n0-0\r\n*1\r\n" + entry + "*1\r\n$3\r\n1-0\r\n": 1,
		"*2\r\n$3\r\n0-0\r\n*2\r\n_\r\n" + entry:                    1, // Redis 6.2, with one that was deleted
		"*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n":                           0,
		"*1\r\n$3\r\n0-0\r\n":                                       -1,
		"*3\r\n*0\r\n*0\r\n*0\r\n":                                  -1,
		"*3\r\n$3\r\n0-0\r\n:1\r\n*0\r\n":                           -1,
		"_\r\n":                                                     -1,
	} {
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On("XREADGROUP", says("_"))
			s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				if r.Name() == "XREADGROUP" && r.Args[len(r.Args)-1] == ">" {
					return stuck(), true
				}
				return fakenode.Reaction{}, false
			})
			s.lower.On("XAUTOCLAIM", fakenode.Reaction{Send: reply})
			s.lower.On("XPENDING", says("*1\r\n*4\r\n$3\r\n1-1\r\n$2\r\nme\r\n:5\r\n:2"))
			s.lower.On("XACK", one)
			var handled entries
			stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}}, handled.note)
			time.Sleep(time.Second)
			synctest.Wait()
			if want < 0 {
				require.ErrorContains(t, stop(), "XAUTOCLAIM", reply)
				return
			}
			require.Len(t, handled.list(), want, reply)
			require.NoError(t, stop(), reply)
		})
	}
}

// What was delivered a moment ago, a replica may not have heard of.
func TestAConsumerAsksThePrimaryWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := fakenode.New()
		defer net.Close()
		primary, replica := net.Node(lower), net.Node(upper)
		net.Topology(1, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower, upper}})
		primary.On("XREADGROUP", batchOf(2), says("_"), stuck())
		primary.On("XPENDING", says("*1\r\n*4\r\n$3\r\n1-1\r\n$2\r\nme\r\n:0\r\n:2"))
		primary.On("XACK", one)
		replica.On("XPENDING", says("*0"))
		replica.On("EXISTS", one)
		client, err := keyslot.New(t.Context(), keyslot.Options{Endpoints: []string{lower}, Dial: net.Dial, ReadFrom: keyslot.Replica})
		require.NoError(t, err)
		defer client.Close()
		_, err = client.Exists(t.Context(), low)
		require.NoError(t, err, "the replica is read from")
		var handled entries
		stop := run(t, client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1}, handled.note)
		time.Sleep(time.Minute)
		require.NoError(t, stop())
		require.Len(t, handled.list(), 2)
	})
}

// A node that is away holds up neither the acknowledgements of others nor, thereby, their reading.
func TestSlotsOfOtherNodesGoOn(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", says("_"), batchOf(5), stuck())
		s.lower.On("XACK", stuck())
		batch := fakenode.Reaction{Send: strings.Replace(batchOf(5).Send, "$5\r\n"+low, "$3\r\n"+up, 1), Delay: 100 * time.Millisecond}
		s.upper.On("XREADGROUP", says("_"), batch, batch, batch, batch, batch, batch, batch, batch, batch, batch, batch, batch, stuck())
		s.upper.On("XACK", says(":5"))
		var handled entries
		run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low, up}, MinIdle: -1, AckCount: 1}, handled.note)
		time.Sleep(2 * time.Second)
		handled.become(t, 65)
	})
}

// The turns that lead back to the one that fails succeed, and prove nothing.
func TestAFeedThatCannotReadOnIsPaced(t *testing.T) {
	for name, reply := range map[string]fakenode.Reaction{
		"lost":    reset,
		"refused": says("-OOM command not allowed when used memory > 'maxmemory'."),
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			story(t, keyslot.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, s *stage) {
				s.lower.On("XREADGROUP", says("_"))
				back := s.began.Add(time.Minute)
				s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
					if time.Now().After(back) {
						return nothing, readsNew(r)
					}
					return reply, readsNew(r)
				})
				stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1}, new(entries).note)
				time.Sleep(time.Minute - time.Second)
				require.Less(t, len(sent(s.lower, "XREADGROUP")), 500)
				time.Sleep(20 * time.Second)
				require.NoError(t, stop())
				require.Equal(t, 1, strings.Count(log.String(), "consumer waits"), log.String())
				require.Equal(t, 1, strings.Count(log.String(), "consumer reads again"))
			})
		})
	}
}

// readsNew reports whether r asks for entries that nobody was given yet.
func readsNew(r fakenode.Request) bool {
	return r.Name() == "XREADGROUP" && r.Args[len(r.Args)-1] == ">"
}

// nothing answers that there are none.
var nothing = fakenode.Reaction{Delay: 10 * time.Millisecond, Send: "_\r\n"}

func TestNewEntriesAreReadWhileNoneCanBeClaimed(t *testing.T) {
	var log bytes.Buffer
	story(t, keyslot.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, s *stage) {
		s.lower.On("XREADGROUP", says("_"))
		delivered := false
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			switch {
			case !readsNew(r):
				return fakenode.Reaction{}, false
			case delivered:
				return nothing, true
			}
			delivered = true
			return batchOf(3), true
		})
		s.lower.On("XAUTOCLAIM", reset)
		s.lower.On("XACK", one)
		var handled entries
		stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}}, handled.note)
		time.Sleep(time.Minute)
		synctest.Wait()
		handled.become(t, 3)
		require.Less(t, len(sent(s.lower, "XAUTOCLAIM")), 250)
		require.Equal(t, 1, strings.Count(log.String(), "keyslot: consumer"), log.String())
		require.NoError(t, stop())
	})
}

// What a handler returns nobody else is told. Of many entries that fail, over and over, a few records tell.
func TestWhatAHandlerReturnsIsLoggedNowAndThen(t *testing.T) {
	var log bytes.Buffer
	story(t, keyslot.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, s *stage) {
		every := batchOf(2)
		every.Delay = 100 * time.Millisecond
		s.lower.On("XREADGROUP", says("_"))
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) { return every, readsNew(r) })
		fail := func(ctx context.Context, _ keyslot.Entry) error {
			if time.Since(s.began) > 25*time.Second {
				<-ctx.Done()
				return ctx.Err()
			}
			return errors.New("no room on the shelf")
		}
		stop := run(t, s.client, keyslot.ConsumerOptions{Streams: []string{low}, MinIdle: -1}, fail)
		time.Sleep(30 * time.Second)
		require.NoError(t, stop())
		require.Equal(t, 3, strings.Count(log.String(), "entry not handled"), log.String())
		require.Contains(t, log.String(), "level=WARN")
		require.Contains(t, log.String(), `group=g stream=hello id=1-1 deliveries=1 error="no room on the shelf" failures=1`)
		require.Contains(t, log.String(), "failures=200")
	})
}
