package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/realcluster"
	"github.com/keyslot-go/keyslot/keyslottest"
)

// Two more keys of low's slot.
const low2, low3 = "{hello}2", "{hello}3"

var (
	queued    = fakenode.Reaction{Send: "+QUEUED\r\n"}
	both      = fakenode.Reaction{Send: "*2\r\n:1\r\n$5\r\nvalue\r\n"} // INCR and GET
	execAbort = says("-EXECABORT Transaction discarded because of previous errors.")
)

// takesTx lets a node queue INCR and GET and run them.
func takesTx(node *fakenode.Node) {
	node.On("MULTI", ok)
	node.On("INCR", queued)
	node.On("GET", queued)
	node.On("EXEC", both)
}

// incrAndGet queues the transaction of most stories.
func incrAndGet(tx *keyslot.Tx) (*keyslot.Future[int64], *keyslot.Future[string]) {
	return tx.Incr(low), tx.Get(low2)
}

// theTx is that transaction as a node receives it.
var theTx = []string{"MULTI", "INCR hello", "GET {hello}2", "EXEC"}

// lastOf returns the last n commands that a node received, those that the client sends of itself aside.
func lastOf(node *fakenode.Node, n int) []string {
	var tape []string
	for _, request := range names(node.Tape()) {
		if !strings.HasPrefix(request, "CLUSTER ") && !strings.HasPrefix(request, "CLIENT ") && !strings.HasPrefix(request, "HELLO ") {
			tape = append(tape, request)
		}
	}
	return tape[max(0, len(tape)-n):]
}

func TestATransactionIsOneWrite(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesTx(s.lower)
		require.NoError(t, s.client.Ping(t.Context()))
		s.writes.Store(0)
		require.NoError(t, execIncrAndGet(t, s.client))
		require.EqualValues(t, 1, s.writes.Load())
		require.Equal(t, theTx, lastOf(s.lower, 4))
	})
}

// Refused for the moment, or by the wrong node, nothing has run, and the whole transaction is sent again.
func TestATransactionIsSentAgainAsAWholeWhenNothingHasRun(t *testing.T) {
	busy := says("-EXECABORT Transaction discarded because of: %s", busyScript)
	noAuth := says("-NOAUTH Authentication required.")
	for name, row := range map[string]struct {
		incr, get, exec fakenode.Reaction // what the lower node says the first time
		to              string            // where the transaction goes then
		asking          bool
		pause           time.Duration
	}{
		"MOVED while queueing":       {says("-MOVED 866 %s", upper), says("-MOVED 866 %s", upper), execAbort, upper, false, 0},
		"MOVED after the first":      {queued, says("-MOVED 866 %s", upper), execAbort, upper, false, 0},
		"ASK while queueing":         {queued, says("-ASK 866 %s", upper), execAbort, upper, true, 0},
		"TRYAGAIN while queueing":    {queued, says("-%s", tryAgain), execAbort, lower, false, 5 * time.Millisecond},
		"CLUSTERDOWN while queueing": {says("-%s", clusterDown), queued, execAbort, lower, false, 50 * time.Millisecond},
		"LOADING while queueing":     {says("-%s", loading), queued, execAbort, lower, false, 50 * time.Millisecond},
		"NOREPLICAS while queueing":  {says("-%s", noReplicas), queued, execAbort, lower, false, 100 * time.Millisecond},
		"NOAUTH":                     {noAuth, noAuth, noAuth, lower, false, 0},
		"MOVED at EXEC":              {queued, queued, says("-MOVED 866 %s", upper), upper, false, 0},
		"ASK at EXEC":                {queued, queued, says("-ASK 866 %s", upper), upper, true, 0},
		"TRYAGAIN at EXEC":           {queued, queued, says("-%s", tryAgain), lower, false, 5 * time.Millisecond},
		"CLUSTERDOWN at EXEC":        {queued, queued, says("-CLUSTERDOWN Hash slot not served"), lower, false, 50 * time.Millisecond},
		"BUSY at EXEC":               {queued, queued, busy, lower, false, 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				takesTx(s.lower)
				takesTx(s.upper)
				s.lower.On("INCR", row.incr, queued)
				s.lower.On("GET", row.get, queued)
				s.lower.On("EXEC", row.exec, both)
				tx := s.client.Tx()
				n, v := incrAndGet(tx)
				require.NoError(t, tx.Exec(t.Context()))
				require.EqualValues(t, 1, valueOf(t, n))
				require.Equal(t, "value", valueOf(t, v))
				want := theTx
				if row.asking {
					want = append([]string{"ASKING"}, theTx...)
				}
				require.Equal(t, want, lastOf(map[string]*fakenode.Node{lower: s.lower, upper: s.upper}[row.to], len(want)))
				require.Len(t, append(sent(s.lower, "EXEC"), sent(s.upper, "EXEC")...), 2)
				require.LessOrEqual(t, time.Since(s.began), row.pause)
			})
		})
	}
}

// A migration can keep the keys of a transaction apart for a while: it stays with the node that it was sent to, and asks.
func TestATransactionAsksAsLongAsItIsTold(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesTx(s.lower)
		takesTx(s.upper)
		s.lower.On("GET", says("-ASK 866 %s", upper))
		s.lower.On("EXEC", execAbort)
		s.upper.On("EXEC", says("-%s", tryAgain), says("-%s", tryAgain), both)
		tx := s.client.Tx()
		incrAndGet(tx)
		require.NoError(t, tx.Exec(t.Context()))
		require.Len(t, sent(s.upper, "ASKING"), 3)
		require.Len(t, sent(s.lower, "EXEC"), 1)
	})
}

// Refused for good, the first refusal is the reason, and every future has it.
func TestATransactionThatIsRefusedHasNotRun(t *testing.T) {
	noPerm := says("-NOPERM this user has no permissions to run the 'multi' command")
	no, maybe := keyslot.ErrNotExecuted, keyslot.ErrUnknownOutcome
	const oneByOne = "MULTI was refused, and the commands may have run one by one: "
	for name, row := range map[string]struct {
		multi, incr, get, exec fakenode.Reaction
		outcome                error
		want                   string
	}{
		"OOM": {ok, says("-OOM command not allowed when used memory > 'maxmemory'."), queued, execAbort,
			no, "INCR was refused: OOM command not allowed"},
		"NOPERM of one": {ok, queued, says("-NOPERM no permissions to access a key"), execAbort,
			no, "GET was refused: NOPERM no permissions to access a key"},
		"unknown command": {ok, queued, says("-ERR unknown command 'GET', with args beginning with: 'secret' "), execAbort,
			no, "GET was refused: ERR unknown command 'GET' [not executed]"},
		"in its own words": {ok, says("-ERR Command not allowed inside a transaction"), queued, execAbort,
			no, "INCR was refused: ERR Command not allowed"},
		"a word at EXEC": {ok, queued, queued, says("-EXECABORT Transaction discarded because of: NEWCODE later servers"),
			no, lower + ": NEWCODE later servers [not executed]"},
		"two refusals": {ok, says("-OOM full"), says("-MOVED 866 %s", upper), execAbort, no, "INCR was refused: OOM full"},
		"OOM at EXEC": {ok, queued, queued, says("-EXECABORT Transaction discarded because of: OOM full"),
			no, lower + ": OOM full [not executed]"},
		"no reason":        {ok, queued, queued, execAbort, no, "EXECABORT"},
		"null":             {ok, queued, queued, says("_"), no, "transaction aborted"},
		"all but nothing":  {noPerm, noPerm, noPerm, noPerm, no, "MULTI was refused: NOPERM"},
		"MULTI alone":      {noPerm, one, value, says("-ERR EXEC without MULTI"), maybe, oneByOne + "NOPERM"},
		"MULTI, one error": {noPerm, says("-WRONGTYPE no"), noPerm, noPerm, maybe, oneByOne + "NOPERM"},
		"EXEC, unknown": {ok, queued, queued, says("-ERR upstream failure"),
			maybe, lower + ": ERR upstream failure [outcome unknown]"},
		"GET and EXEC": {ok, queued, says("-CLUSTERDOWN The cluster is down"), says("-ERR upstream failure"),
			maybe, "GET was refused: CLUSTERDOWN"},
		"NOPERM at EXEC": {ok, queued, queued, says("-NOPERM no"), no, lower + ": NOPERM no [not executed]"},
		"MULTI, retryable": {says("-LOADING Redis is loading"), one, value, says("-ERR EXEC without MULTI"),
			maybe, oneByOne + "LOADING"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				for command, reaction := range map[string]fakenode.Reaction{"MULTI": row.multi, "INCR": row.incr, "GET": row.get, "EXEC": row.exec} {
					s.lower.On(command, reaction)
				}
				tx := s.client.Tx()
				n, v := incrAndGet(tx)
				err := tx.Exec(t.Context())
				for _, err := range []error{err, n.Err(), v.Err()} {
					s.failsAt(t, 0, err, row.outcome)
					require.ErrorContains(t, err, row.want)
					require.NotContains(t, err.Error(), "secret")
				}
				require.Len(t, sent(s.lower, "EXEC"), 1)
				takesTx(s.lower)
				incrAndGet(tx)
				require.NoError(t, tx.Exec(t.Context()), "the transaction can be used again, and so can the connection")
				require.EqualValues(t, 1, s.open.Load())
			})
		})
	}
}

// What is not the replies to a transaction proves that the connection answers with replies to somebody else.
func TestStrangeRepliesToATransactionEndTheConnection(t *testing.T) {
	for name, row := range map[string][4]fakenode.Reaction{ // to MULTI, INCR, GET and EXEC
		"no transaction":          {one, one, one, one},
		"a value for a QUEUED":    {ok, value, queued, both},
		"another status":          {ok, ok, queued, both},
		"refused, and yet it ran": {ok, says("-OOM full"), queued, both},
		"one result too few":      {ok, queued, queued, says("*1\r\n:1")},
		"one result too many":     {ok, queued, queued, says("*3\r\n:1\r\n:1\r\n:1")},
		"no results":              {ok, queued, queued, says("+OK")},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				for i, command := range []string{"MULTI", "INCR", "GET", "EXEC"} {
					s.lower.On(command, row[i])
				}
				tx := s.client.Tx()
				n, v := incrAndGet(tx)
				for _, err := range []error{tx.Exec(t.Context()), n.Err(), v.Err()} {
					s.failsAt(t, 0, err, keyslot.ErrUnknownOutcome)
				}
				synctest.Wait()
				require.Zero(t, s.open.Load())
			})
		})
	}
}

// An error among the results is that command's alone, and never followed: the others have run.
func TestACommandThatFailsInATransactionFailsAlone(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesTx(s.lower)
		s.lower.On("EVAL", queued)
		s.lower.On("EXEC", says("*5\r\n:1\r\n-MOVED 866 %s\r\n-MOVED 866 %s\r\n-NOPERM no\r\n-WRONGTYPE no", upper, upper))
		tx := s.client.Tx()
		done, script := tx.Incr(low), tx.Do("EVAL", "return redis.error_reply(ARGV[1])", 1, low)
		moved, forbidden, wrong := tx.Get(low), tx.Get(low2), tx.Get(low3)
		err := tx.Exec(t.Context())
		require.EqualValues(t, 1, valueOf(t, done))
		require.ErrorIs(t, script.Err(), keyslot.ErrUnknownOutcome, "it may have run half-way")
		require.ErrorContains(t, moved.Err(), "MOVED 866")
		require.ErrorIs(t, forbidden.Err(), keyslot.ErrNotExecuted)
		require.ErrorContains(t, wrong.Err(), "keyslot: GET (slot 866) at 10.0.0.1:6379: WRONGTYPE no")
		var failed *keyslot.PipelineError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, 5, failed.Total)
		require.Equal(t, 4, failed.Failed)
		require.NotErrorIs(t, err, keyslot.ErrNotExecuted)
		require.Len(t, sent(s.lower, "EXEC"), 1)
	})
}

func TestATransactionThatWasSentAndNotAnsweredIsUnknownAndNotSentAgain(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesTx(s.lower)
		s.lower.On("EXEC", reset, both)
		tx := s.client.Tx()
		n, v := incrAndGet(tx)
		for _, err := range []error{tx.Exec(t.Context()), n.Err(), v.Err()} {
			s.failsAt(t, 0, err, keyslot.ErrUnknownOutcome)
		}
		time.Sleep(time.Minute)
		require.Len(t, sent(s.lower, "EXEC"), 1)

		s.lower.On("EXEC", reset, both)
		tx = s.client.Idempotent().Tx()
		incrAndGet(tx)
		require.NoError(t, tx.Exec(t.Context()), "unless it may run twice")

		s.lower.On("EXEC", reset, says("*1\r\n$5\r\nvalue"))
		tx = s.client.Tx()
		v = tx.Get(low)
		require.NoError(t, tx.Exec(t.Context()), "or only reads")
		require.Equal(t, "value", valueOf(t, v))
	})
}

// What could not be sent has not run, and is sent when the node is back.
func TestATransactionThatWasNotSentIsSentWhenTheNodeIsBack(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Close()
		var back *fakenode.Node
		time.AfterFunc(1500*time.Millisecond, func() {
			back = s.net.Node(upper)
			takesTx(back)
			back.On("EXEC", says("*1\r\n:1"))
		})
		tx := s.client.Tx()
		n := tx.Incr(up)
		require.NoError(t, tx.Exec(t.Context()))
		require.LessOrEqual(t, time.Since(s.began), 2500*time.Millisecond, "a pause of the call's, and one between dials, in which it came")
		require.EqualValues(t, 1, valueOf(t, n))
		require.Equal(t, []string{"MULTI", "INCR foo", "EXEC"}, lastOf(back, 3))
	})
}

func execIncrAndGet(t *testing.T, client *keyslot.Client) error {
	tx := client.Tx()
	n, v := incrAndGet(tx)
	err := tx.Exec(t.Context())
	if err == nil {
		require.EqualValues(t, 1, valueOf(t, n))
		require.Equal(t, "value", valueOf(t, v))
	}
	return err
}

// Its replies come when nobody waits any more, and reach no other caller: not the next one, and not the next transaction.
func TestATransactionThatWasGivenUpLeavesNoReplyToAnybody(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesTx(s.lower)
		late := make(chan struct{})
		s.lower.On("OBJECT", fakenode.Reaction{Send: "$4\r\nmine\r\n"})
		s.lower.On("GET", fakenode.Reaction{After: late, Send: "+QUEUED\r\n"}, queued)
		tx := s.client.Tx()
		n, v := incrAndGet(tx)
		for _, err := range []error{tx.Exec(within(t, time.Second)), n.Err(), v.Err()} {
			s.failsAt(t, time.Second, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
		}
		var callers sync.WaitGroup
		callers.Go(func() { require.NoError(t, execIncrAndGet(t, s.client)) })
		callers.Go(func() {
			echo, err := s.client.Do(t.Context(), "OBJECT", "ENCODING", low)
			require.NoError(t, err)
			require.Equal(t, "mine", echo.String())
		})
		synctest.Wait()
		close(late)
		callers.Wait()
		require.EqualValues(t, 1, s.dialsTo(lower).Load())
	})
}

func TestATransactionWithoutPatienceIsNotExecuted(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.BlackHole(upper)
		tx := s.client.Tx()
		n := tx.Incr(up)
		err := tx.Exec(within(t, time.Second))
		s.failsAt(t, time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		require.ErrorIs(t, n.Err(), keyslot.ErrNotExecuted)

		takesTx(s.lower)
		s.lower.On("INCR", says("-CLUSTERDOWN The cluster is down"))
		s.lower.On("EXEC", execAbort)
		n, _ = incrAndGet(tx)
		err = tx.Exec(within(t, time.Second))
		s.failsAt(t, 2*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		require.ErrorContains(t, n.Err(), "10.0.0.1:6379: context deadline exceeded; last answer: CLUSTERDOWN")
	})
}

// Whatever cannot be in a transaction is found before anything is sent.
func TestWhatCannotBeInATransactionIsSaidBeforeItIsSent(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	for want, queue := range map[string]func(tx *keyslot.Tx) error{
		"its key is in slot 3300 and the transaction in slot 15495": func(tx *keyslot.Tx) error { return tx.Get("b").Err() },
		"its key is in slot 7365 and":                               func(tx *keyslot.Tx) error { return tx.MGet("a", "c").Err() },
		"BLPOP would not wait in a transaction":                     func(tx *keyslot.Tx) error { return tx.Do("BLPOP", "a", 1).Err() },
		"use Client.Watch":                                          func(tx *keyslot.Tx) error { return tx.Do("WATCH", "a").Err() },
		"use Client.Tx":                                             func(tx *keyslot.Tx) error { return tx.Do("EXEC").Err() },
		"DBSIZE runs on several nodes":                              func(tx *keyslot.Tx) error { return tx.Do("DBSIZE").Err() },
		"RANDOMKEY runs on several nodes":                           func(tx *keyslot.Tx) error { return tx.RandomKey().Err() },
		"concerns slot 1 and the transaction slot 15495":            func(tx *keyslot.Tx) error { return tx.Do("CLUSTER", "COUNTKEYSINSLOT", 1).Err() },
		"GET, at index 1, cannot be sent: takes 1 argument":         func(tx *keyslot.Tx) error { return tx.Do("GET").Err() },
		"is not a whole number of seconds: use PX":                  func(tx *keyslot.Tx) error { return tx.Set("a", "v", command.EX(1)).Err() },
		"the name of the command is missing":                        func(tx *keyslot.Tx) error { return tx.Do().Err() },
	} {
		tx := client.Tx()
		first := tx.Incr("a")
		require.Error(t, queue(tx), "no outcome yet")
		last := tx.Incr("a")
		for _, err := range []error{tx.Exec(t.Context()), first.Err(), last.Err()} {
			require.ErrorContains(t, err, want)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
			require.ErrorAs(t, err, new(*keyslot.ArgumentError))
			require.ErrorAs(t, err, new(*keyslot.Error))
		}
		require.ErrorContains(t, tx.Exec(t.Context()), "the transaction has no commands")
	}
	n, err := client.Do(t.Context(), "DBSIZE")
	require.NoError(t, err)
	require.Equal(t, "0", n.String())
}

func TestATransactionThatCannotBeginExecutesNothing(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{ended, nil} {
		tx := client.Tx()
		n := tx.Incr("visits")
		require.ErrorIs(t, tx.Exec(ctx), keyslot.ErrNotExecuted)
		require.ErrorIs(t, n.Err(), keyslot.ErrNotExecuted)
	}
	tx := client.Tx()
	n := tx.Incr("visits")
	require.NoError(t, client.Close())
	require.ErrorIs(t, tx.Exec(t.Context()), keyslot.ErrClosed)
	require.ErrorIs(t, n.Err(), keyslot.ErrClosed)
}

// Many callers share one connection with transactions; each gets its own replies, though some are given up at any moment.
func TestTransactionsShareTheirConnectionWithEverybody(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	var callers sync.WaitGroup
	for i := range 24 {
		key, text := fmt.Sprintf("{%d}", i), fmt.Sprint("value of ", i)
		require.NoError(t, client.Set(t.Context(), key, text))
		callers.Go(func() {
			for n := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%10 == 9 {
					time.AfterFunc(time.Duration(n)*time.Microsecond, cancel)
				}
				err := []func() error{
					func() error { return readsItsOwn(ctx, t, client, key, text) },
					func() error { _, err := client.Incr(ctx, key+"n"); return err },
					func() error { return transacts(ctx, t, client, key, text) },
				}[i%3]()
				cancel()
				if !errors.Is(err, context.Canceled) {
					require.NoError(t, err)
				}
			}
		})
	}
	callers.Wait()
}

func readsItsOwn(ctx context.Context, t *testing.T, client *keyslot.Client, key, text string) error {
	got, err := client.Get(ctx, key)
	if err == nil {
		require.Equal(t, text, got)
	}
	return err
}

func transacts(ctx context.Context, t *testing.T, client *keyslot.Client, key, text string) error {
	tx := client.Tx()
	n, v, m := tx.Incr(key+"n"), tx.Get(key), tx.Incr(key+"n")
	err := tx.Exec(ctx)
	if err == nil {
		require.Equal(t, text, valueOf(t, v))
		require.Equal(t, valueOf(t, n)+1, valueOf(t, m), "nothing comes in between")
	}
	return err
}

// upset moves the slots of some keys to other shards, key by key, and fails all shards over.
func upset(t *testing.T, cluster *keyslottest.Cluster, keys ...string) {
	for _, key := range keys {
		require.NoError(t, cluster.MoveSlots(t.Context(), cluster.Owner(key).ID, other(cluster, key).ID, keyslot.Slot(key)))
	}
	for _, shard := range cluster.Shards() {
		require.NoError(t, cluster.Failover(shard.Replicas[0].ID))
	}
}

// Transfers between two accounts of each bank go on while slots move and primaries change: none fails, none is lost,
// none runs twice, and nobody sees half of one.
func TestTransactionsUnderPlannedChangesFailNothing(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Replicas: 1, StepPause: 20 * time.Microsecond}, keyslot.Options{})
	banks := []string{"{0}", "{1}", "{2}"}
	l := transfer(t, client, banks)
	for range 6 {
		upset(t, cluster, banks...)
		l.goesOn(t, 200)
	}
	l.check(t)
}

// transfers move money between the accounts of banks until they are stopped, and know what must be there then.
type transfers struct {
	client *keyslot.Client
	banks  []string
	moved  [3]atomic.Int64 // by bank
	stop   atomic.Bool
	work   sync.WaitGroup
}

func transfer(t *testing.T, client *keyslot.Client, banks []string) *transfers {
	l := &transfers{client: client, banks: banks}
	for worker := range 6 {
		l.work.Go(func() {
			for n := worker; !l.stop.Load(); n++ {
				tx := client.Tx()
				bank := banks[n%len(banks)]
				from, to := tx.Do("DECRBY", bank+"from", 1), tx.Incr(bank+"to")
				if !assert.NoError(t, tx.Exec(context.Background())) {
					return
				}
				left, err := valueOf(t, from).Int64()
				if !assert.NoError(t, err) || !assert.Equal(t, -left, valueOf(t, to), "somebody came in between") {
					return
				}
				l.moved[n%len(banks)].Add(1)
			}
		})
	}
	t.Cleanup(func() { l.stop.Store(true); l.work.Wait() })
	return l
}

func (l *transfers) total() (n int64) {
	for i := range l.moved {
		n += l.moved[i].Load()
	}
	return n
}

// goesOn waits until n more transfers were made.
func (l *transfers) goesOn(t *testing.T, n int64) {
	t.Helper()
	from := l.total()
	require.Eventually(t, func() bool { return t.Failed() || l.total() >= from+n }, 30*time.Second, time.Millisecond)
	require.False(t, t.Failed())
}

// check stops the transfers: what was acknowledged has happened once, on both sides.
func (l *transfers) check(t *testing.T) {
	t.Helper()
	l.stop.Store(true)
	l.work.Wait()
	for i, bank := range l.banks {
		both, err := l.client.MGet(t.Context(), bank+"from", bank+"to")
		require.NoError(t, err)
		n := l.moved[i].Load()
		require.Equal(t, []string{fmt.Sprint(-n), fmt.Sprint(n)}, []string{both[0].Value, both[1].Value})
	}
}

// tagsBelow returns hash tags of slots below limit, as many as there are banks.
func tagsBelow(limit uint16) (tags []string) {
	for i := 0; len(tags) < 3; i++ {
		if tag := fmt.Sprintf("{%d}", i); keyslot.Slot(tag) < limit {
			tags = append(tags, tag)
		}
	}
	return tags
}

func TestTransactionsWhileARealClusterMovesSlotsAndFailsOver(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		var asked, moved atomic.Int64
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], Trace: countRedirects(&moved, &asked)})
		const slots = 40
		banks := tagsBelow(slots)
		l, counted := transfer(t, client, banks), countWatched(t, client, banks[0]+"watched")
		for range 2 {
			require.NoError(t, cluster.Reshard(ctx, cluster.Node(0), cluster.Node(1), slots))
			require.NoError(t, cluster.Reshard(ctx, cluster.Node(1), cluster.Node(0), slots))
			l.goesOn(t, 200)
		}
		replicas, err := cluster.ReplicasOf(ctx, 0)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(ctx, replicas[0]))
		l.goesOn(t, 500)
		l.check(t)
		n := counted()
		got, err := client.Get(ctx, banks[0]+"watched")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(n), got)
		t.Logf("%d transactions, %d watched, %d MOVED, %d ASK", l.total(), n, moved.Load(), asked.Load())
	})
}

// The view's node does not own the slot, and nobody follows what it says.
func TestATransactionOfAViewForOneNodeGoesNowhereElse(t *testing.T) {
	story(t, keyslot.Options{Lazy: true}, func(t *testing.T, s *stage) {
		s.upper.On("MULTI", ok)
		s.upper.On("INCR", says("-MOVED 866 %s", lower))
		s.upper.On("EXEC", says("-EXECABORT Transaction discarded because of previous errors."))
		tx := s.client.On(keyslot.ToNode(upper)).Tx()
		tx.Incr(low)
		err := tx.Exec(t.Context())
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.ErrorContains(t, err, "MOVED 866")
		require.Empty(t, sent(s.lower, "MULTI"))

		err = s.client.On(keyslot.ToNode("10.0.0.9:1")).Watch(t.Context(), []string{low}, func(*keyslot.Watched) error { return nil })
		require.ErrorIs(t, err, keyslot.ErrUnknownNode)
	})
}

// Nobody but the caller knows which arguments of such commands are keys.
func TestATransactionOfAViewForASlotTakesCommandsThatNobodyKnows(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("MULTI", ok)
		s.lower.On("MOD.X", says("+QUEUED"))
		s.lower.On("EXEC", fakenode.Reaction{Send: "*2\r\n:1\r\n:2\r\n"})
		tx := s.client.On(keyslot.ToKey(low)).Tx()
		_, second := tx.Do("MOD.X", "b"), tx.Do("MOD.X", "c")
		require.NoError(t, tx.Exec(t.Context()))
		n, err := valueOf(t, second).Int64()
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}
