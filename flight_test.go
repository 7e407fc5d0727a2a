package keyslot_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What goes to one connection goes together, in its order, but ASKING is for one command.
func TestCommandsThatAreRedirectedTogetherAreAskedForEach(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", says("-MOVED 866 %s", upper))
		s.lower.On("SET", says("-ASK 866 %s", upper))
		s.lower.On("GET", says("-ASK 866 %s", upper))
		s.lower.On("STRLEN", says("-MOVED 866 %s", upper))
		s.upper.On("INCR", one)
		s.upper.On("SET", ok)
		s.upper.On("GET", value)
		s.upper.On("STRLEN", says(":5"))
		p := s.client.Pipeline()
		incr, set, get, strlen := p.Incr(low), p.Set(low, "v"), p.Get(low), p.StrLen(low)
		require.NoError(t, p.Exec(t.Context()))
		require.EqualValues(t, 1, valueOf(t, incr))
		require.NoError(t, set.Err())
		require.Equal(t, "value", valueOf(t, get))
		require.EqualValues(t, 5, valueOf(t, strlen))
		require.Equal(t, []string{"INCR", "ASKING", "SET", "ASKING", "GET", "STRLEN"}, commands(s.upper))
	})
}

// Of a batch that a silent replica is left with, the commands without a reply go elsewhere, and only those.
func TestAPipelineLeavesAFrozenReplicaWithTheRepliesItHas(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", itself(replica1), itself(replica1), stuck())
		before := len(sent(f.node[primary], "GET"))
		f.began = time.Now()
		p := f.client.Pipeline()
		var gets [5]*keyslot.Future[string]
		for i := range gets {
			gets[i] = p.Get(low)
		}
		require.NoError(t, p.Exec(t.Context()))
		require.LessOrEqual(t, time.Since(f.began), 750*time.Millisecond)
		for i, want := range []string{replica1, replica1, primary, primary, primary} {
			require.Equal(t, want, valueOf(t, gets[i]))
		}
		require.Len(t, sent(f.node[primary], "GET"), before+3)
	})
}

// Reads that a silent replica has no room for are answered as soon as those that it was sent.
func TestAPipelineThatWaitsForRoomLeavesAFrozenReplica(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.PreferReplica, MaxInFlight: 64}, three[:2], nil, func(t *testing.T, f *flock) {
		f.warm(t)
		f.node[replica1].On("GET", stuck())
		f.began = time.Now()
		var callers sync.WaitGroup
		for range 2 {
			callers.Go(func() {
				p := f.client.Pipeline()
				for range 60 {
					p.Get(low)
				}
				err := p.Exec(t.Context())
				if took := time.Since(f.began); err != nil || took > time.Second {
					t.Errorf("after %v: %v", took, err)
				}
			})
		}
		callers.Wait()
	})
}

// To one node a pipeline may be read by its caller, while nobody reads; to two it cannot.
func TestAPipelineFindsNobodyReading(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("GET", value)
		s.upper.On("GET", value)
		for _, keys := range [][]string{{low}, {up}, {low, low}, {low, up}} {
			unread := 0 // pipelines that found nobody reading
			for range 100 {
				synctest.Wait()
				if s.reading.Load() == 0 {
					unread++
				}
				p := s.client.Pipeline()
				var gets []*keyslot.Future[string]
				for _, key := range keys {
					gets = append(gets, p.Get(key))
				}
				require.NoError(t, p.Exec(within(t, time.Second)))
				for _, get := range gets {
					require.Equal(t, "value", valueOf(t, get))
				}
				time.Sleep(time.Millisecond)
			}
			require.Greater(t, unread, 30, "%v: nobody reads once 64 replies have come alone", keys)
		}
	})
}

// Of one pipeline no command can be sent at first, later one of two: where nothing is sent, nothing is waited for.
func TestAPipelineForSlotsThatNobodyServesWaitsForThem(t *testing.T) {
	serves := func(first, last uint16) fakenode.Shard {
		return fakenode.Shard{First: int(first), Last: int(last), Nodes: []string{primary}}
	}
	set := func(f *flock) { f.net.Topology(1, serves(0, 800)) }
	readStory(t, keyslot.Options{}, three[:1], set, func(t *testing.T, f *flock) {
		time.AfterFunc(time.Second, func() { f.net.Topology(2, serves(0, 9000)) })
		time.AfterFunc(2*time.Second, func() { f.net.Topology(3, serves(0, 16383)) })
		p := f.client.Pipeline()
		first, second := p.Get(low), p.Get(up)
		require.NoError(t, p.Exec(t.Context()))
		require.Equal(t, primary, valueOf(t, first))
		require.Equal(t, primary, valueOf(t, second))
		require.Greater(t, time.Since(f.began), 2*time.Second)
		p.Get(up)
		f.net.Topology(4, serves(0, 9000))
		require.NoError(t, p.Exec(t.Context()))
	})
}

// The kernel took some of a pipeline's bytes before the connection was lost. Those commands may run of which it took
// all; only the others are sent again.
func TestAPipelineThatWasPartlyWrittenIsSentAgainFromThere(t *testing.T) {
	client, node := onSocket(t)
	open := make(chan struct{})
	node.On("APPEND", fakenode.Reaction{After: open}, one)
	p := client.Pipeline()
	var appends [80]*keyslot.Future[keyslot.Reply]
	for i := range appends { // more than any buffers hold
		appends[i] = p.Do("APPEND", low, strings.Repeat("x", 200<<10))
	}
	done := make(chan error)
	go func() { done <- p.Exec(within(t, time.Minute)) }()
	require.Eventually(t, func() bool { return len(sent(node, "APPEND")) > 0 }, 10*time.Second, time.Millisecond)
	node.Cut(fakenode.RST)
	close(open)
	require.ErrorIs(t, <-done, keyslot.ErrUnknownOutcome)
	unknown := 0
	for ; appends[unknown].Err() != nil; unknown++ {
		require.ErrorIs(t, appends[unknown].Err(), keyslot.ErrUnknownOutcome)
	}
	require.NotZero(t, unknown)
	for _, later := range appends[unknown:] {
		require.NoError(t, later.Err())
	}
	require.Len(t, sent(node, "APPEND"), 1+len(appends)-unknown, "the first one, and those that were sent again")
}

// A command that no connection took has not run, whatever became of one whose memory it has.
func TestAPipelineThatIsNotSentHasNotRun(t *testing.T) {
	for _, n := range []int{1, 600} { // in one chunk, and in several
		story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On("INCR", reset)
			p := s.client.Pipeline()
			lost := p.Incr(low)
			require.Error(t, p.Exec(t.Context()))
			require.ErrorIs(t, lost.Err(), keyslot.ErrUnknownOutcome)

			s.net.BlackHole(lower)
			var unsent []*keyslot.Future[int64]
			for range n {
				unsent = append(unsent, p.Incr(low))
			}
			require.ErrorIs(t, p.Exec(within(t, time.Second)), keyslot.ErrNotExecuted)
			for _, incr := range unsent {
				require.ErrorIs(t, incr.Err(), keyslot.ErrNotExecuted)
			}
		})
	}
}

// Room is for commands, however few batches they are.
func TestAFullConnectionHoldsUpNoOtherPart(t *testing.T) {
	story(t, keyslot.Options{MaxInFlight: 4}, func(t *testing.T, s *stage) {
		s.lower.On("GET", fakenode.Reaction{Delay: 100 * time.Millisecond, Send: value.Send})
		s.upper.On("GET", value)
		_, err := s.client.MGet(t.Context(), low, up) // connects to both
		require.Error(t, err)
		go func() {
			p := s.client.Pipeline()
			for range 3 {
				p.Get(low)
			}
			_ = p.Exec(t.Context())
		}()
		synctest.Wait()
		done := make(chan error)
		go func() {
			p := s.client.Pipeline()
			p.Get(low)
			p.Get(low)
			p.Get(up)
			done <- p.Exec(t.Context())
		}()
		synctest.Wait()
		require.Len(t, sent(s.upper, "GET"), 1)
		require.NoError(t, <-done)
	})
}

// Who is read from must not seem ever busier.
func TestReadsOfPipelinesAreCountedWhileTheyLast(t *testing.T) {
	readStory(t, keyslot.Options{ReadFrom: keyslot.Any}, three, nil, func(t *testing.T, f *flock) {
		f.warm(t)
		for range 1000 {
			p := f.client.Pipeline()
			p.Get("key")
			p.Get("key")
			require.NoError(t, p.Exec(t.Context()))
		}
		for _, addr := range three {
			require.Greater(t, len(sent(f.node[addr], "GET")), 300, addr)
		}
	})
}

func TestARequestOfAPipelineThatHasASmallReplyAgainGoesWithTheOthers(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.largeAt(up)
		s.inBackground(t, up)()
		s.quick(t, up2)
		s.largeAt()
		for range 2 {
			p := s.client.Pipeline()
			p.Get(up)
			require.NoError(t, p.Exec(t.Context()))
		}
		require.Equal(t, []int{0, 0, 1, 0}, conns(s.upper, "GET"))
	})
}

// What is remembered of a transaction with a large reply is all of it, for each has an EXEC.
func TestATransactionWithALargeReplyDisturbsNobodyTheNextTime(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("MULTI", ok)
		s.upper.On("GET", queued)
		s.upper.On("INCR", queued)
		small := says("*1\r\n:1")
		large := fakenode.Reaction{Send: "*1\r\n" + bulk(300e3)}
		s.upper.On("EXEC", large, large, small, large)
		for _, reads := range []bool{true, true, false, true} {
			tx := s.client.Tx()
			if reads {
				tx.Get(up)
			} else {
				tx.Incr(up)
			}
			require.NoError(t, tx.Exec(t.Context()))
		}
		require.Equal(t, []int{0, 0, 0, 1}, conns(s.upper, "EXEC"), "the only connection is shared while it is idle")
	})
}
