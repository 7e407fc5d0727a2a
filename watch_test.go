package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/keyslottest"
)

var hello = []string{low}

// takesWatch lets a node watch keys, and answer a read and then take a transaction.
func takesWatch(node *fakenode.Node) {
	takesTx(node)
	node.On("WATCH", ok)
	node.On("UNWATCH", ok)
	node.On("GET", value)
	node.On("EXEC", says("*1\r\n:1"))
}

// checkAndSet reads and then increments a watched key.
func checkAndSet(ctx context.Context, client *keyslot.Client) error {
	return client.Watch(ctx, hello, func(w *keyslot.Watched) error {
		if _, err := w.Get(ctx, low); err != nil {
			return err
		}
		return execOne(ctx, w)
	})
}

func TestAWatchHasAConnectionOfItsOwnFromReadToExec(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesWatch(s.lower)
		for range 3 {
			require.NoError(t, checkAndSet(t.Context(), s.client))
		}
		require.Equal(t, []string{"WATCH hello", "GET hello", "MULTI", "INCR hello", "EXEC"}, lastOf(s.lower, 5))
		for _, r := range append(sent(s.lower, "WATCH"), sent(s.lower, "EXEC")...) {
			require.Equal(t, 1, r.Conn, "the first is shared; the second is used again, for EXEC has ended the watch")
		}
		require.Empty(t, sent(s.lower, "UNWATCH"))
	})
}

// What is not ended by EXEC is ended by UNWATCH, or by the connection's end.
func TestAWatchLeavesNothingBehind(t *testing.T) {
	failure := errors.New("changed my mind")
	for name, row := range map[string]struct {
		set     func(s *stage)
		fn      func(ctx context.Context, w *keyslot.Watched) error
		unwatch int
		open    int32 // connections, the shared one included
	}{
		"nothing done": {nil, func(context.Context, *keyslot.Watched) error { return failure }, 1, 2},
		"a read": {nil, func(ctx context.Context, w *keyslot.Watched) error {
			_, err := w.Get(ctx, low)
			return errors.Join(failure, err)
		}, 1, 2},
		"UNWATCH refused": {
			func(s *stage) { s.lower.On("UNWATCH", says("-NOPERM no")) },
			func(context.Context, *keyslot.Watched) error { return failure }, 1, 1,
		},
		"MULTI refused": {func(s *stage) {
			s.lower.On("MULTI", says("-NOPERM no"))
			s.lower.On("INCR", one)
			s.lower.On("EXEC", says("-ERR EXEC without MULTI"))
		}, execOne, 1, 2},
		"null": {func(s *stage) { s.lower.On("EXEC", says("_")) }, execOne, 0, 2},
		"a command given up": {
			func(s *stage) { s.lower.On("GET", stuck()) },
			func(ctx context.Context, w *keyslot.Watched) error {
				ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
				defer cancel()
				_, err := w.Get(ctx, low)
				return err
			}, 0, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				takesWatch(s.lower)
				if row.set != nil {
					row.set(s)
				}
				err := s.client.Watch(t.Context(), hello, func(w *keyslot.Watched) error { return row.fn(t.Context(), w) })
				require.Error(t, err)
				require.LessOrEqual(t, time.Since(s.began), 10*time.Millisecond)
				synctest.Wait()
				require.Len(t, sent(s.lower, "UNWATCH"), row.unwatch)
				require.Equal(t, row.open, s.open.Load())
			})
		})
	}
}

func execOne(ctx context.Context, w *keyslot.Watched) error {
	tx := w.Tx()
	tx.Incr(low)
	return tx.Exec(ctx)
}

func TestAWatchThatIsRefusedGivesItsConnectionBack(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesWatch(s.lower)
		s.lower.On("WATCH", says("-NOPERM no"), says("-CLUSTERDOWN The cluster is down"), ok)
		require.ErrorContains(t, checkAndSet(t.Context(), s.client), "keyslot: WATCH (slot 866) at 10.0.0.1:6379: NOPERM no [not executed]")
		require.NoError(t, checkAndSet(t.Context(), s.client))
		require.EqualValues(t, 2, s.dialsTo(lower).Load(), "one is shared")
	})
}

func TestAPanicInAWatchEndsItsConnection(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesWatch(s.lower)
		require.PanicsWithValue(t, "oops", func() {
			_ = s.client.Watch(t.Context(), hello, func(*keyslot.Watched) error { panic("oops") })
		})
		synctest.Wait()
		require.EqualValues(t, 1, s.open.Load())
		require.Empty(t, sent(s.lower, "UNWATCH"))
		require.NoError(t, checkAndSet(t.Context(), s.client))
		require.NoError(t, s.client.Shutdown(within(t, time.Second)), "and it does not count as under way")
	})
}

// Before it has begun a watch goes where it is sent, like a read.
func TestWatchItselfIsRedirectedAndSentAgain(t *testing.T) {
	for name, row := range map[string]struct {
		first fakenode.Reaction
		to    string
		tape  []string
	}{
		"MOVED":       {says("-MOVED 866 %s", upper), upper, []string{"WATCH hello", "GET hello", "MULTI", "INCR hello", "EXEC"}},
		"ASK":         {says("-ASK 866 %s", upper), upper, []string{"ASKING", "WATCH hello", "ASKING", "GET hello", "ASKING", "MULTI", "INCR hello", "EXEC"}},
		"CLUSTERDOWN": {says("-CLUSTERDOWN The cluster is down"), lower, []string{"WATCH hello", "GET hello", "MULTI", "INCR hello", "EXEC"}},
		"lost":        {reset, lower, []string{"WATCH hello", "GET hello", "MULTI", "INCR hello", "EXEC"}},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				takesWatch(s.lower)
				takesWatch(s.upper)
				s.lower.On("WATCH", row.first, ok)
				require.NoError(t, checkAndSet(t.Context(), s.client))
				require.Equal(t, row.tape, lastOf(map[string]*fakenode.Node{lower: s.lower, upper: s.upper}[row.to], len(row.tape)))
			})
		})
	}
}

// Once it has begun nothing is sent elsewhere, where nothing is watched: the caller begins anew.
func TestAWatchedTransactionIsNeverSentElsewhere(t *testing.T) {
	for _, refusal := range []string{
		"-MOVED 866 " + upper, "-ASK 866 " + upper, "-TRYAGAIN Multiple keys request during rehashing of slot",
		"-CLUSTERDOWN The cluster is down", "-LOADING Redis is loading the dataset in memory",
	} {
		for _, at := range []string{"GET", "INCR", "EXEC"} {
			t.Run(at+" "+refusal, func(t *testing.T) {
				story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
					takesWatch(s.lower)
					s.lower.On(at, says("%s", refusal))
					if at == "INCR" {
						s.lower.On("EXEC", execAbort)
					}
					err := checkAndSet(t.Context(), s.client)
					require.ErrorIs(t, err, keyslot.ErrTxAborted)
					require.ErrorIs(t, err, keyslot.ErrNotExecuted)
					require.ErrorContains(t, err, refusal[1:])
					paused := time.Since(s.began)
					require.Less(t, paused, 50*time.Millisecond)
					require.Equal(t, strings.HasPrefix(refusal, "-MOVED"), paused == 0, "so that nobody begins anew in a hurry")
					require.Empty(t, append(sent(s.upper, "GET"), sent(s.upper, "MULTI")...))
				})
			})
		}
	}
}

// What will be refused next time as well is no reason to begin anew.
func TestAWatchedTransactionThatIsRefusedForGoodIsNotAborted(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesWatch(s.lower)
		s.lower.On("INCR", says("-OOM command not allowed when used memory > 'maxmemory'."))
		s.lower.On("EXEC", execAbort)
		err := checkAndSet(t.Context(), s.client)
		require.ErrorContains(t, err, "INCR was refused: OOM")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.NotErrorIs(t, err, keyslot.ErrTxAborted)
	})
}

func TestAWatchWhoseConnectionEnds(t *testing.T) {
	for name, row := range map[string]struct {
		at      string
		outcome error
		aborted bool
	}{
		"while reading": {"GET", keyslot.ErrUnknownOutcome, true},
		"at EXEC":       {"EXEC", keyslot.ErrUnknownOutcome, false},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				takesWatch(s.lower)
				s.lower.On(row.at, reset)
				err := checkAndSet(t.Context(), s.client.Idempotent())
				require.ErrorIs(t, err, row.outcome)
				require.Equal(t, row.aborted, errors.Is(err, keyslot.ErrTxAborted), "%v", err)
				require.Len(t, sent(s.lower, row.at), 1)
			})
		})
	}
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesWatch(s.lower)
		err := s.client.Watch(t.Context(), hello, func(w *keyslot.Watched) error {
			s.lower.Cut(fakenode.RST)
			synctest.Wait()
			return execOne(t.Context(), w)
		})
		require.ErrorIs(t, err, keyslot.ErrTxAborted, "before EXEC was sent")
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
	})
}

func TestAWatchEndsWithItsCallersPatience(t *testing.T) {
	for at, outcome := range map[string]error{
		"WATCH": keyslot.ErrNotExecuted, "GET": keyslot.ErrUnknownOutcome, "EXEC": keyslot.ErrUnknownOutcome,
	} {
		t.Run(at, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				takesWatch(s.lower)
				s.lower.On(at, stuck())
				err := checkAndSet(within(t, time.Second), s.client)
				s.failsAt(t, time.Second, err, outcome, context.DeadlineExceeded)
				require.NotErrorIs(t, err, keyslot.ErrTxAborted)
				synctest.Wait()
				require.LessOrEqual(t, s.open.Load(), int32(2), "the shared ones: a silent node has the other asked")
			})
		})
	}
}

// A node to which a slot is being moved takes what has not arrived for what does not exist.
func TestOnlyWatchedKeysAreUsedWhileTheirSlotIsMoved(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesWatch(s.upper)
		s.lower.On("WATCH", says("-ASK 866 %s", upper))
		err := s.client.Watch(t.Context(), []string{low, low2}, func(w *keyslot.Watched) error {
			_, err := w.Get(t.Context(), low2)
			require.NoError(t, err)
			_, err = w.Get(t.Context(), low3)
			require.ErrorIs(t, err, keyslot.ErrTxAborted)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
			tx := w.Tx()
			tx.Incr(low3)
			return tx.Exec(t.Context())
		})
		require.ErrorIs(t, err, keyslot.ErrTxAborted)
		require.ErrorContains(t, err, "watch this one too")
		require.Empty(t, sent(s.upper, "MULTI"))
		require.Less(t, time.Since(s.began), 5*time.Millisecond)
	})
}

func TestWhatAWatchRefusesBeforeItSendsAnything(t *testing.T) {
	_, client := begin(t, keyslottest.Options{}, keyslot.Options{})
	ctx := t.Context()
	read := func(*keyslot.Watched) error { return nil }
	require.ErrorContains(t, client.Watch(ctx, nil, read), "WATCH needs a key")
	require.ErrorContains(t, client.Watch(ctx, []string{"a", "b"}, read), "give the keys a common hash tag")
	require.ErrorIs(t, client.Watch(nil, []string{"a"}, read), keyslot.ErrNotExecuted) //nolint:staticcheck // that is the point
	require.EqualError(t, client.Watch(ctx, []string{"a"}, nil), "keyslot: WATCH: the function to run is nil [not executed]")
	require.NoError(t, client.Watch(ctx, []string{"a"}, func(w *keyslot.Watched) error {
		for want, run := range map[string]func() error{
			"its key is in slot 3300 and the watched": func() error { _, err := w.Get(ctx, "b"); return err },
			"its key is in slot 7365 and":             func() error { _, err := w.MGet(ctx, "a", "c"); return err },
			"SET writes, and would run at once":       func() error { return w.Set(ctx, "a", "v") },
			"BLPOP waits at the server":               func() error { _, err := w.Do(ctx, "BLPOP", "a", 1); return err },
			"DBSIZE runs on several nodes":            func() error { _, err := w.Do(ctx, "DBSIZE"); return err },
			"RANDOMKEY runs on several nodes":         func() error { _, err := w.RandomKey(ctx); return err },
			"RANDOMKEY runs on several nodes, a":      func() error { tx := w.Tx(); tx.RandomKey(); return tx.Exec(ctx) },
			"EVAL may write, and would run at once":   func() error { _, err := w.Eval(ctx, "return 1", []string{"a"}); return err },
			"EVALSHA may write, and would run":        func() error { _, err := w.EvalSHA(ctx, "0", []string{"a"}); return err },
			"FCALL may write, and would run at once":  func() error { _, err := w.FCall(ctx, "f", []string{"a"}); return err },
			"MODULE.GET may write, and would":         func() error { _, err := w.Do(ctx, "MODULE.GET", "a"); return err },
			"concerns slot 3300 and the watched":      func() error { _, err := w.ClusterCountKeysInSlot(ctx, 3300); return err },
			"slot 3300 and the watched keys slot 154": func() error { tx := w.Tx(); tx.ClusterCountKeysInSlot(3300); return tx.Exec(ctx) },
			"SUBSCRIBE":                          func() error { _, err := w.Do(ctx, "SUBSCRIBE", "a"); return err },
			"use Client.Tx":                      func() error { _, err := w.Do(ctx, "MULTI"); return err },
			"argument 1":                         func() error { _, err := w.Do(ctx, "GET", nil); return err },
			"and the watched keys in slot 15495": func() error { tx := w.Tx(); tx.Incr("b"); return tx.Exec(ctx) },
			"the transaction has no commands":    func() error { return w.Tx().Exec(ctx) },
		} {
			err := run()
			require.ErrorContains(t, err, want)
			require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		}
		_, err := w.Do(ctx, "EXISTS", "a", "{a}b")
		require.NoError(t, err)
		tx := w.Tx()
		tx.Set("a", "v")
		return tx.Exec(ctx)
	}))
}

func TestAWatchIsOverAfterExecAndAfterItsFunction(t *testing.T) {
	_, client := begin(t, keyslottest.Options{Shards: 1}, keyslot.Options{})
	ctx := t.Context()
	var kept *keyslot.Watched
	var late *keyslot.Tx
	require.NoError(t, client.Watch(ctx, []string{"a"}, func(w *keyslot.Watched) error {
		kept, late = w, w.Tx()
		tx := w.Tx()
		tx.Incr("a")
		require.NoError(t, tx.Exec(ctx))
		tx.Incr("a")
		require.ErrorContains(t, tx.Exec(ctx), ": the watch has ended with Exec: call Watch again")
		_, err := w.Get(ctx, "a")
		require.ErrorContains(t, err, "call Watch again")
		return nil
	}))
	late.Incr("a")
	_, err := kept.Do(ctx, "GET", "a")
	for _, err := range []error{late.Exec(ctx), err, kept.Tx().Do("GET", "a").Err()} {
		require.Error(t, err)
	}
	require.ErrorContains(t, err, "has returned")
	got, err := client.Get(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, "1", got)
}

func TestCloseDuringAWatch(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesWatch(s.lower)
		err := s.client.Watch(t.Context(), hello, func(w *keyslot.Watched) error {
			require.NoError(t, s.client.Close())
			return execOne(t.Context(), w)
		})
		require.ErrorIs(t, err, keyslot.ErrClosed)
		require.ErrorIs(t, err, keyslot.ErrNotExecuted)
		require.NotErrorIs(t, err, keyslot.ErrTxAborted)
		require.ErrorIs(t, checkAndSet(t.Context(), s.client), keyslot.ErrClosed)
	})
}

// A goroutine that the function has left behind gets nobody else's replies, and its connection is not used again.
func TestAWatchIsForOneGoroutine(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		takesWatch(s.lower)
		s.lower.On("GET", stuck())
		var left sync.WaitGroup
		require.NoError(t, s.client.Watch(t.Context(), hello, func(w *keyslot.Watched) error {
			left.Go(func() {
				_, err := w.Get(t.Context(), low)
				require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
			})
			synctest.Wait()
			_, err := w.Get(t.Context(), low)
			require.ErrorContains(t, err, "one goroutine at a time")
			return nil
		}))
		left.Wait()
		require.Equal(t, s.began, time.Now(), "nobody waits for it")
		synctest.Wait()
		require.EqualValues(t, 1, s.open.Load(), "the client's own: nobody looks for a node that serves on it")
	})
}

// Many increment a few counters, each by reading and then setting: none is lost, and none counts twice.
func TestCountersThatAreWatchedLoseNothing(t *testing.T) {
	cluster, client := begin(t, keyslottest.Options{Replicas: 1, StepPause: 20 * time.Microsecond}, keyslot.Options{})
	const workers, each, keys = 8, 100, 3
	var done sync.WaitGroup
	for i := range workers {
		done.Go(func() {
			for n := range each {
				require.NoError(t, incrWatched(t.Context(), client, fmt.Sprintf("{%d}", (i+n)%keys)))
			}
		})
	}
	for range 6 {
		upset(t, cluster, "{0}", "{1}", "{2}")
	}
	done.Wait()
	total := 0
	for i := range keys {
		text, err := client.Get(t.Context(), fmt.Sprintf("{%d}", i))
		require.NoError(t, err)
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		total += n
	}
	require.Equal(t, workers*each, total)
}

// incrWatched increments a counter by reading it and setting it, as often as it takes.
func incrWatched(ctx context.Context, client *keyslot.Client, key string) error {
	for {
		err := client.Watch(ctx, []string{key}, func(w *keyslot.Watched) error {
			text, err := w.Get(ctx, key)
			if err != nil && !errors.Is(err, keyslot.Nil) {
				return err
			}
			n, _ := strconv.Atoi(text)
			tx := w.Tx()
			tx.Set(key, strconv.Itoa(n+1))
			return tx.Exec(ctx)
		})
		if !errors.Is(err, keyslot.ErrTxAborted) {
			return err
		}
	}
}

// countWatched lets four goroutines increment a counter until counted is called, which returns how often they did.
func countWatched(t *testing.T, client *keyslot.Client, key string) (counted func() int64) {
	var n atomic.Int64
	var stop atomic.Bool
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for !stop.Load() && assert.NoError(t, incrWatched(context.Background(), client, key)) {
				n.Add(1)
			}
		})
	}
	counted = func() int64 {
		stop.Store(true)
		work.Wait()
		return n.Load()
	}
	t.Cleanup(func() { counted() })
	return counted
}

// In RESP2 the null by which EXEC says that a watched key has changed is that of an array.
func TestTransactionsInRESP2(t *testing.T) {
	_, client := begin(t, keyslottest.Options{RESP2Only: true}, keyslot.Options{})
	ctx := t.Context()
	require.NoError(t, client.Watch(ctx, hello, func(w *keyslot.Watched) error { return execOne(ctx, w) }))
	err := client.Watch(ctx, hello, func(w *keyslot.Watched) error {
		require.NoError(t, client.Set(ctx, low, "7"))
		return execOne(ctx, w)
	})
	require.ErrorIs(t, err, keyslot.ErrTxAborted)
	tx := client.Tx()
	v, missing := tx.Get(low), tx.Get(low2)
	require.NoError(t, tx.Exec(ctx))
	require.Equal(t, "7", valueOf(t, v))
	require.ErrorIs(t, missing.Err(), keyslot.Nil)
}
