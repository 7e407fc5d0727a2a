package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// valueOf returns what a future holds, which must be no error.
func valueOf[T any](t *testing.T, f *keyslot.Future[T]) T {
	t.Helper()
	v, err := f.Get()
	require.NoError(t, err)
	return v
}

func TestAPipelineRunsEveryTypedCommand(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	p := client.Pipeline()
	ping := p.Ping()
	set := p.Set("a", "1", command.EX(time.Minute))
	mset := p.MSet(command.Pair{Key: "b", Value: "2"}, command.Pair{Key: "c", Value: "3"}, command.Pair{Key: "{c}d", Value: "4"})
	get, missing := p.Get("a"), p.Get("nowhere")
	incr := p.Incr("a")
	mget := p.MGet("b", "nowhere", "{c}d", "c", "b")
	exists := p.Exists("a", "b", "b", "nowhere")
	expire := p.Expire("b", time.Hour)
	size := p.Do("DBSIZE")
	hset := p.Do("HSET", "h", "field", 7)
	hget := p.Do("HGET", "h", "field")
	del := p.Del("a", "b", "c", "{c}d", "nowhere")
	require.NoError(t, p.Exec(t.Context()), "Nil is no failure")

	require.NoError(t, errors.Join(ping.Err(), set.Err(), mset.Err(), hset.Err()))
	require.Equal(t, "1", valueOf(t, get))
	require.ErrorIs(t, missing.Err(), keyslot.Nil)
	require.EqualValues(t, 2, valueOf(t, incr))
	have := func(s string) keyslot.Optional[string] { return keyslot.Optional[string]{Value: s, OK: true} }
	require.Equal(t, []keyslot.Optional[string]{have("2"), {}, have("4"), have("3"), have("2")}, valueOf(t, mget))
	require.EqualValues(t, 3, valueOf(t, exists))
	require.True(t, valueOf(t, expire))
	require.False(t, valueOf(t, size).IsNil())
	field, err := valueOf(t, hget).Int64()
	require.NoError(t, err)
	require.EqualValues(t, 7, field)
	require.EqualValues(t, 4, valueOf(t, del))
}

// What commands have in common that end with their caller's patience is found out once; each still tells what became of it.
func TestEachCommandThatIsGivenUpTellsItsOwnStory(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("SET", says("-TRYAGAIN Multiple keys request during rehashing of slot"), stuck())
		s.upper.Close()
		p := s.client.Pipeline()
		refused := p.Set(low, "v")
		require.Error(t, p.Exec(within(t, time.Second)))
		unanswered, read := p.Incr(low), p.Get(low) // behind the SET
		unsent, unsentRead := p.Set(up, "v"), p.Get(up)
		require.Error(t, p.Exec(within(t, time.Second)))
		for _, row := range []struct {
			err   error
			want  keyslot.Error
			cause string
		}{
			{refused.Err(), keyslot.Error{Command: "SET", Slot: 866, Node: lower, Attempts: 2, Phase: "read", Outcome: keyslot.Unknown}, "last answer: TRYAGAIN"},
			{unanswered.Err(), keyslot.Error{Command: "INCR", Slot: 866, Node: lower, Attempts: 1, Phase: "read", Outcome: keyslot.Unknown}, ""},
			{read.Err(), keyslot.Error{Command: "GET", Slot: 866, Node: lower, Attempts: 1, Phase: "read", Outcome: keyslot.Unknown, Retryable: true}, ""},
			{unsent.Err(), keyslot.Error{Command: "SET", Slot: 12182, Node: upper, Phase: "dial", Outcome: keyslot.NotExecuted, Retryable: true}, "last attempt: dial"},
			{unsentRead.Err(), keyslot.Error{Command: "GET", Slot: 12182, Node: upper, Phase: "dial", Outcome: keyslot.NotExecuted, Retryable: true}, "last attempt: dial"},
		} {
			var got *keyslot.Error
			require.ErrorAs(t, row.err, &got)
			require.ErrorIs(t, row.err, context.DeadlineExceeded)
			require.ErrorContains(t, row.err, row.cause)
			row.want.Err = got.Err
			if row.want.Attempts == 0 {
				row.want.Attempts = got.Attempts
			}
			require.Equal(t, row.want, *got)
		}
	})
}

func TestAFutureHasNoReplyBeforeExec(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	p := client.Pipeline()
	visits := p.Incr("visits")
	_, err := visits.Get()
	require.ErrorContains(t, err, "call Exec first")
	require.NotErrorIs(t, err, keyslot.Nil)
	require.NoError(t, p.Exec(t.Context()))
	require.EqualValues(t, 1, valueOf(t, visits))
}

func TestAnEmptyPipelineDoesNothing(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	p := client.Pipeline()
	require.NoError(t, p.Exec(t.Context()))
	p.Incr("visits")
	require.NoError(t, p.Exec(t.Context()))
	require.NoError(t, p.Exec(t.Context()), "what was run is not run again")
	got, err := client.Get(t.Context(), "visits")
	require.NoError(t, err)
	require.Equal(t, "1", got)
}

// Futures of one Exec stay as they are while the pipeline, and other pipelines with the same memory, go on.
func TestFuturesOutliveTheirPipeline(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	type kept struct {
		want string
		*keyslot.Future[string]
	}
	var all []kept
	reused := client.Pipeline()
	for round := range 40 {
		fresh := client.Pipeline()
		for i := range 30 {
			key, value := fmt.Sprint("key:", i), strings.Repeat(fmt.Sprint(round, ":", i, " "), 1+i%29)
			for _, p := range []*keyslot.Pipeline{reused, fresh} {
				p.Set(key, value)
				all = append(all, kept{value, p.Get(key)})
			}
		}
		require.NoError(t, reused.Exec(t.Context()))
		require.NoError(t, fresh.Exec(t.Context()))
	}
	for _, f := range all {
		require.Equal(t, f.want, valueOf(t, f.Future))
	}
}

func TestErrorsInTheMiddleOfAPipelineAreThoseCommandsAlone(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	p := client.Pipeline()
	before := p.Set("a", "text")
	wrongType := p.Incr("a")
	unfit := p.Set("b", "v", command.EX(time.Millisecond))
	noArg := p.Do("SET", "b", time.Second)
	cross := p.Do("RENAME", "a", "b")
	arity := p.Do("GET")
	blocking := p.Do("BLPOP", "list", 1)
	nothing := p.Do()
	noKeys := p.Del()
	after := p.Get("a")
	err := p.Exec(t.Context())

	require.NoError(t, before.Err())
	require.Equal(t, "text", valueOf(t, after))
	require.ErrorAs(t, wrongType.Err(), new(keyslot.ServerError))
	for _, err := range []error{unfit.Err(), noArg.Err(), cross.Err(), arity.Err(), blocking.Err(), nothing.Err(), noKeys.Err()} {
		require.ErrorAs(t, err, new(*keyslot.ArgumentError))
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	}
	require.ErrorContains(t, blocking.Err(), "BLPOP waits at the server and would hold up the rest of the pipeline")

	var failed *keyslot.PipelineError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, 10, failed.Total)
	require.Equal(t, 8, failed.Failed)
	require.Equal(t, 1, failed.Parts()[0].Index)
	require.Equal(t, wrongType.Err(), failed.Parts()[0].Err)
	require.NotEmpty(t, failed.Parts()[0].Node)
	require.NotErrorIs(t, err, keyslot.ErrNotExecuted, "two commands ran")
	require.NotErrorIs(t, err, keyslot.ErrUnknownOutcome)
	require.ErrorContains(t, err, "8 of 10 queued commands failed, the first, at index 1: INCR")
}

func TestAPipelineThatCannotBeginExecutesNothing(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		ctx   context.Context
		cause error
	}{{ended, context.Canceled}, {nil, nil}} {
		p := client.Pipeline()
		incr, mget := p.Incr("visits"), p.MGet("a", "b")
		err := p.Exec(row.ctx)
		for _, err := range []error{err, incr.Err(), mget.Err()} {
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
			if row.cause != nil {
				require.ErrorIs(t, err, row.cause)
			}
		}
		require.NoError(t, p.Exec(t.Context()), "they are gone")
	}
	p := client.Pipeline()
	incr := p.Incr("visits")
	require.NoError(t, client.Close())
	require.ErrorIs(t, p.Exec(t.Context()), keyslot.ErrClosed)
	require.ErrorIs(t, incr.Err(), keyslot.ErrClosed)
}

// Each node gets its commands in one write, in their order; parts of split ones too.
func TestAPipelineIsOneWriteForEachNode(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.On("PING", says("+PONG"))
			node.On("SET", ok)
			node.On("INCR", one)
			node.On("DEL", one)
		}
		_, err := s.client.Del(t.Context(), low, up) // connects to both
		require.NoError(t, err)
		s.writes.Store(0)
		p := s.client.Pipeline()
		for i := range 20 {
			p.Set(low, fmt.Sprint(i))
			p.Set(up, fmt.Sprint(i))
			p.Incr(low)
		}
		p.Del(low, up)
		p.Set(low, "last")
		require.NoError(t, p.Exec(t.Context()))
		require.EqualValues(t, 2, s.writes.Load())
		sets := names(sent(s.lower, "SET"))
		require.Equal(t, "SET hello last", sets[20])
		for i := range 20 {
			require.Equal(t, fmt.Sprint("SET hello ", i), sets[i])
		}
		tape := names(s.lower.Tape())
		require.Equal(t, []string{"INCR hello", "DEL hello", "SET hello last"}, tape[len(tape)-3:])
	})
}

// With many nodes their groups are not found by looking at each.
func TestAPipelineForManyNodesSendsEachItsOwn(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 20}, keyslot.Options{})
	p := client.Pipeline()
	for range 2 { // the second time the memory of the first is used again
		var gets, many [3][100]*keyslot.Future[string]
		for round := range gets {
			for i := range gets[round] {
				key, value := fmt.Sprint("key:", i), fmt.Sprint(round, ":", i)
				p.Set(key, value)
				gets[round][i] = p.Get(key)
				p.MSet(command.Pair{Key: key, Value: "many " + value}, command.Pair{Key: "other:" + key, Value: value})
				many[round][i] = p.Get(key)
			}
		}
		require.NoError(t, p.Exec(t.Context()))
		for round := range gets {
			for i := range gets[round] {
				require.Equal(t, fmt.Sprint(round, ":", i), valueOf(t, gets[round][i]))
				require.Equal(t, fmt.Sprint("many ", round, ":", i), valueOf(t, many[round][i]))
			}
		}
	}
	for _, node := range client.Stats().Nodes {
		require.Zero(t, node.Moved, "what a node was sent belongs to another one")
	}
}

// Of one pipeline, one command is redirected, one refused for a while, one asked elsewhere: those are sent again, and
// what was answered is not.
func TestCommandsOfAPipelineAreRetriedEachForItself(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", one)
		s.lower.On("SET", says("-ASK 866 %s", upper))
		s.upper.On("SET", ok)
		s.upper.On("GET", says("-CLUSTERDOWN The cluster is down"))
		s.lower.On("GET", says("-LOADING Redis is loading the dataset in memory"), value)
		s.upper.On("INCR", says("-MOVED 12182 %s", lower))
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 16383, Nodes: []string{lower}}) // as MOVED says, or a refresh would undo it
		p := s.client.Pipeline()
		answered, asked, moved, down := p.Incr(low), p.Set(low, "v"), p.Incr(up), p.Get(up)
		require.NoError(t, p.Exec(t.Context()))
		require.EqualValues(t, 1, valueOf(t, answered))
		require.NoError(t, asked.Err())
		require.EqualValues(t, 1, valueOf(t, moved))
		require.Equal(t, "value", valueOf(t, down))
		require.Len(t, sent(s.lower, "INCR"), 2, "one of its own, one redirected to it")
		require.Len(t, sent(s.upper, "ASKING"), 1)
	})
}

// Refused commands wait for as long as chance says, but those of one slot for each other.
func TestRefusedCommandsOfASlotAreSentAgainInTheirOrder(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		const n = 20
		refusals := slices.Repeat([]fakenode.Reaction{says("-CLUSTERDOWN The cluster is down"), says("-NOREPLICAS Not enough good replicas to write.")}, n)
		s.lower.On("SET", append(refusals, ok)...)
		time.AfterFunc(time.Millisecond, func() { // a new map ends the pauses of some of them early
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 9000, Nodes: []string{lower}}, fakenode.Shard{First: 9001, Last: 16383, Nodes: []string{upper}})
		})
		p := s.client.Pipeline()
		var want []string
		for i := range n {
			p.Set(low, fmt.Sprint(i))
			want = append(want, fmt.Sprint("SET hello ", i))
		}
		require.NoError(t, p.Exec(t.Context()))
		sets := names(sent(s.lower, "SET"))
		require.Equal(t, slices.Repeat(want, 3), sets)
	})
}

// The connection dies half-way: what was answered stays answered, what only reads is sent again, a write is unknown.
func TestAConnectionLostUnderAPipelineLosesOnlyWhatItOwes(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", one, reset)
		s.lower.On("GET", value)
		s.upper.On("INCR", one)
		p := s.client.Pipeline()
		answered, lost, read, elsewhere := p.Incr(low), p.Incr(low), p.Get(low), p.Incr(up)
		err := p.Exec(t.Context())
		require.EqualValues(t, 1, valueOf(t, answered))
		require.ErrorIs(t, lost.Err(), keyslot.ErrUnknownOutcome)
		require.Equal(t, "value", valueOf(t, read))
		require.EqualValues(t, 1, valueOf(t, elsewhere))
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		var failed *keyslot.PipelineError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, 1, failed.Failed)
		require.Len(t, sent(s.lower, "INCR"), 2)
	})
}

func TestACancelledPipelineTellsWhatItKnows(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", one, stuck())
		s.net.BlackHole(upper)
		p := s.client.Pipeline()
		answered, stuck, unsent := p.Incr(low), p.Incr(low), p.Incr(up)
		err := p.Exec(within(t, time.Second))
		require.InDelta(t, 1, time.Since(s.began).Seconds(), 0.001)
		require.EqualValues(t, 1, valueOf(t, answered))
		require.ErrorIs(t, stuck.Err(), keyslot.ErrUnknownOutcome)
		require.ErrorIs(t, stuck.Err(), context.DeadlineExceeded)
		require.ErrorIs(t, unsent.Err(), keyslot.ErrNotExecuted)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		require.NotErrorIs(t, err, keyslot.ErrNotExecuted)

		s.lower.Cut(fakenode.RST)
		s.lower.On("GET", value)
		again := p.Get(low)
		require.NoError(t, p.Exec(t.Context()), "the pipeline is as good as before")
		require.Equal(t, "value", valueOf(t, again))
	})
}

// Replies that nobody waits for any longer reach no later pipeline, though it works with the memory of earlier ones.
func TestALateReplyReachesNoOtherPipeline(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		late, open := make(chan struct{}), make(chan struct{})
		s.lower.On("GET", fakenode.Reaction{After: late, Send: "$4\r\nlate\r\n"})
		s.upper.On("GET", fakenode.Reaction{After: open, Send: "$5\r\nvalue\r\n"})
		p := s.client.Pipeline()
		for range 100 {
			p.Get(low)
		}
		require.ErrorIs(t, p.Exec(within(t, time.Second)), keyslot.ErrUnknownOutcome)

		var gets []*keyslot.Future[string]
		for range 100 {
			gets = append(gets, p.Get(up))
		}
		var done sync.WaitGroup
		done.Go(func() { require.NoError(t, p.Exec(t.Context())) })
		synctest.Wait()
		close(late)
		synctest.Wait()
		close(open)
		done.Wait()
		for _, get := range gets {
			require.Equal(t, "value", valueOf(t, get))
		}
	})
}

func TestTenThousandCommandsInOnePipeline(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{MaxInFlight: 512})
	const n = 10_000
	p := client.Pipeline()
	for range 2 {
		var gets [n]*keyslot.Future[string]
		for i := range n {
			key := fmt.Sprint("key:", i)
			p.Set(key, key)
			gets[i] = p.Get(key)
		}
		require.NoError(t, p.Exec(within(t, time.Minute)))
		for i, get := range gets {
			require.Equal(t, fmt.Sprint("key:", i), valueOf(t, get))
		}
	}
}

// pipelines counts in pipelines while slots move, and knows what the counters must hold then.
type pipelines struct {
	client *keyslot.Client
	prefix string
	stop   context.CancelFunc
	work   sync.WaitGroup
	rounds [4]int // by worker: pipelines that were executed
	failed [4]error
}

func startPipelines(client *keyslot.Client) *pipelines {
	ctx, stop := context.WithCancel(context.Background())
	l := &pipelines{client: client, prefix: "pipelines:", stop: stop}
	for worker := range l.rounds {
		l.work.Go(func() {
			for p := client.Pipeline(); ctx.Err() == nil && l.failed[worker] == nil; l.rounds[worker]++ {
				l.failed[worker] = l.round(p, worker)
			}
		})
	}
	return l
}

func (l *pipelines) key(worker, i int) string { return fmt.Sprintf("%s%d:%d", l.prefix, worker, i) }

// round increments 20 counters of the worker's own, twice each, and checks every reply: nothing is lost, nothing runs
// twice, and the commands on one key run in order.
func (l *pipelines) round(p *keyslot.Pipeline, worker int) error {
	var first, second [20]*keyslot.Future[int64]
	var keys []string
	for i := range first {
		keys = append(keys, l.key(worker, i))
		first[i] = p.Incr(keys[i])
	}
	for i := range second {
		second[i] = p.Incr(keys[i])
	}
	all := p.MGet(keys...)
	if err := p.Exec(context.Background()); err != nil {
		return err
	}
	values, err := all.Get()
	if err != nil {
		return err
	}
	for i := range first {
		a, _ := first[i].Get()
		b, _ := second[i].Get()
		want := int64(2*l.rounds[worker] + 1)
		if a != want || b != want+1 || values[i].Value != fmt.Sprint(b) {
			return fmt.Errorf("counter %d: %d, %d, %s; wanted %d", i, a, b, values[i].Value, want)
		}
	}
	return nil
}

func (l *pipelines) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.work.Wait()
	require.NoError(t, errors.Join(l.failed[:]...))
	for _, rounds := range l.rounds {
		require.NotZero(t, rounds)
	}
}

func TestPipelinesWhileSlotsMoveFailNothingAndRunNothingTwice(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Replicas: 1, StepPause: 20 * time.Microsecond}, keyslot.Options{})
	l := startPipelines(client)
	_, err := cluster.AddShard()
	require.NoError(t, err)
	require.NoError(t, cluster.Rebalance(t.Context()))
	for _, shard := range cluster.Shards()[:2] {
		require.NoError(t, cluster.Failover(shard.Replicas[0].ID))
	}
	l.end(t)
}

func TestPipelinesWhileARealClusterMovesSlots(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		l := startPipelines(client)
		require.NoError(t, cluster.Reshard(t.Context(), cluster.Node(0), cluster.Node(1), 300))
		replicas, err := cluster.ReplicasOf(t.Context(), 2)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(t.Context(), replicas[0]))
		l.end(t)
	})
}
