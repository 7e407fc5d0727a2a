package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// These stories are about single bytes and about time, which stands still in them unless everybody waits.

// Two scripted nodes share the slots, and a key of each.
const (
	lower = "10.0.0.1:6379"
	upper = "10.0.0.2:6379"

	low = "hello" // slot 866
	up  = "foo"   // slot 12182
)

// stage is what a story plays on.
type stage struct {
	net          *fakenode.Net
	lower, upper *fakenode.Node
	spare        *fakenode.Node // of failover's stories
	askedBefore  int
	client       *keyslot.Client
	began        time.Time
	open         atomic.Int32 // connections that the client has not closed
	writes       atomic.Int32 // Write calls on all connections
	dials        sync.Map     // from address to *atomic.Int32: dials, failed ones included
	reading      atomic.Int32 // goroutines that read from a connection, or wait until they can
}

// dial is what the client connects with.
func (s *stage) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s.dialsTo(addr).Add(1)
	conn, err := s.net.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s.open.Add(1)
	return lookable{&counted{Conn: conn, stage: s}, conn.(looker)}, nil
}

// dialsTo counts the dials to an address.
func (s *stage) dialsTo(addr string) *atomic.Int32 {
	n, _ := s.dials.LoadOrStore(addr, new(atomic.Int32))
	return n.(*atomic.Int32)
}

// counted is a connection that the stage keeps count of.
type counted struct {
	net.Conn
	stage  *stage
	closed atomic.Bool
}

func (c *counted) Write(b []byte) (int, error) {
	c.stage.writes.Add(1)
	return c.Conn.Write(b)
}

func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.stage.open.Add(-1)
	}
	return c.Conn.Close()
}

// lookable is a connection in memory with what it has in common with a socket: see internal/wire.
type lookable struct {
	*counted
	looker
}

func (l lookable) ReadElse(b []byte, empty func() (again bool)) (int, error) {
	l.stage.reading.Add(1)
	defer l.stage.reading.Add(-1)
	return l.looker.ReadElse(b, empty)
}

type looker interface {
	ReadElse(b []byte, empty func() (again bool)) (int, error)
	Peek() (unread, ended bool)
	SendBuffer() int
}

// story runs a story with a client of two scripted nodes.
func story(t *testing.T, opts keyslot.Options, tell func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{net: fakenode.New()}
		defer s.net.Close()
		s.lower, s.upper = s.net.Node(lower), s.net.Node(upper)
		s.net.Topology(1, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}}, fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{upper}})
		opts.Endpoints, opts.Dial = []string{lower}, s.dial
		var err error
		s.client, err = keyslot.New(t.Context(), opts)
		require.NoError(t, err)
		defer s.client.Close()
		s.began = time.Now()
		tell(t, s)
	})
}

// greets is a node's greeting, after which it hangs up.
func greets(end fakenode.End) fakenode.Reaction {
	return fakenode.Reaction{Send: fakenode.Hello, End: end}
}

// sent returns the requests of one name that a node received.
func sent(node *fakenode.Node, name string) (requests []fakenode.Request) {
	for _, r := range node.Tape() {
		if r.Name() == name {
			requests = append(requests, r)
		}
	}
	return requests
}

// within returns a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// failsAt requires that a command failed just then, with that outcome, for every cause.
func (s *stage) failsAt(t *testing.T, after time.Duration, err, outcome error, causes ...error) *keyslot.Error {
	t.Helper()
	require.InDelta(t, after.Seconds(), time.Since(s.began).Seconds(), 0.001, "%v", err)
	other := keyslot.ErrNotExecuted
	if errors.Is(outcome, other) {
		other = keyslot.ErrUnknownOutcome
	}
	require.ErrorIs(t, err, outcome)
	require.NotErrorIs(t, err, other)
	for _, cause := range causes {
		require.ErrorIs(t, err, cause)
	}
	var trail *keyslot.Error
	require.ErrorAs(t, err, &trail)
	return trail
}

var (
	ok    = fakenode.Reaction{Send: "+OK\r\n"}
	one   = fakenode.Reaction{Send: ":1\r\n"}
	value = fakenode.Reaction{Send: "$5\r\nvalue\r\n"}
	reset = fakenode.Reaction{End: fakenode.RST}
)

// stuck is a request after which the connection answers nothing any more.
func stuck() fakenode.Reaction { return fakenode.Reaction{After: make(chan struct{})} }

func says(format string, args ...any) fakenode.Reaction {
	return fakenode.Reaction{Send: fmt.Sprintf(format, args...) + "\r\n"}
}

func TestAWriteThatWasSentAndNotAnsweredIsUnknownAndNotSentAgain(t *testing.T) {
	for name, end := range map[string]fakenode.End{"reset": fakenode.RST, "closed": fakenode.FIN} {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				s.lower.On("INCR", fakenode.Reaction{End: end})
				_, err := s.client.Incr(t.Context(), low)
				trail := s.failsAt(t, 0, err, keyslot.ErrUnknownOutcome)
				require.Equal(t, "INCR", trail.Command)
				require.Equal(t, 866, trail.Slot)
				require.Equal(t, lower, trail.Node)
				require.Equal(t, 1, trail.Attempts)
				require.Equal(t, "read", trail.Phase)
				time.Sleep(time.Minute)
				require.Len(t, sent(s.lower, "INCR"), 1)
			})
		})
	}
}

func TestHalfAReplyIsNoReply(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("INCR", fakenode.Reaction{Send: ":1\r", End: fakenode.FIN})
		_, err := s.client.Incr(t.Context(), low)
		s.failsAt(t, 0, err, keyslot.ErrUnknownOutcome)
	})
}

func TestAReadThatWasLostIsSentAgain(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("GET", reset, value)
		got, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		require.Equal(t, "value", got)
		require.Len(t, sent(s.lower, "GET"), 2)
	})
}

// A node that drops the connection at each attempt is not hammered, and the read's end is its deadline.
func TestAReadThatIsLostEachTimeIsPacedUntilTheDeadline(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("GET", reset)
		_, err := s.client.Get(within(t, 3*time.Second), low)
		trail := s.failsAt(t, 3*time.Second, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
		require.Equal(t, len(sent(s.lower, "GET")), trail.Attempts)
		require.Greater(t, trail.Attempts, 5)
		require.Less(t, trail.Attempts, 100)
	})
}

func TestWhatMayHaveRunStaysUnknownWhateverIsSaidLater(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.lower.On("GET", reset, says("-CLUSTERDOWN The cluster is down"))
		_, err := s.client.Get(within(t, time.Second), low)
		s.failsAt(t, time.Second, err, keyslot.ErrUnknownOutcome, context.DeadlineExceeded)
		require.ErrorAs(t, err, new(keyslot.ServerError))
		s.lower.On("GET", reset, says("-NOPERM no permissions"))
		_, err = s.client.Get(t.Context(), low)
		require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
	})
}

func TestAWriteThatWasNotSentIsSentWhenTheNodeIsBack(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Close()
		var back *fakenode.Node
		time.AfterFunc(1500*time.Millisecond, func() {
			back = s.net.Node(upper)
			back.On("SET", ok)
		})
		require.NoError(t, s.client.Set(t.Context(), up, "v"))
		require.Len(t, sent(back, "SET"), 1)
		require.InDelta(t, 2, time.Since(s.began).Seconds(), 0.501, "not long after it is back: two pauses of 500 ms at most")
	})
}

func TestAWriteThatCannotBeSentIsNotExecutedAtTheDeadline(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.Close()
		err := s.client.Set(within(t, time.Second), up, "v")
		trail := s.failsAt(t, time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded, syscall.ECONNREFUSED)
		require.Equal(t, "dial", trail.Phase)
		require.Equal(t, upper, trail.Node)
	})
}

func TestCommandTimeoutBoundsACallWithoutDeadlineOnly(t *testing.T) {
	story(t, keyslot.Options{CommandTimeout: time.Second}, func(t *testing.T, s *stage) {
		s.upper.Close()
		err := s.client.Set(t.Context(), up, "v")
		s.failsAt(t, time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		err = s.client.Set(within(t, 2*time.Second), up, "v")
		s.failsAt(t, 3*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
	})
}

func TestWithoutCommandTimeoutACallEndsWithItsContextOnly(t *testing.T) {
	story(t, keyslot.Options{CommandTimeout: -1}, func(t *testing.T, s *stage) {
		s.upper.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		err := s.client.Set(ctx, up, "v")
		s.failsAt(t, time.Minute, err, keyslot.ErrNotExecuted, context.Canceled)
	})
}

// Wherever a call waits, its patience is what ends it.
func TestPatienceEndsWhereverACallWaits(t *testing.T) {
	const patience = 300 * time.Millisecond
	places := map[string]struct {
		set     func(s *stage)
		outcome error
	}{
		"dialling a black hole": {func(s *stage) { s.net.BlackHole(upper) }, keyslot.ErrNotExecuted},
		"in the handshake":      {func(s *stage) { s.upper.On("HELLO", stuck()) }, keyslot.ErrNotExecuted},
		"backing off":           {func(s *stage) { s.upper.On("SET", says("-CLUSTERDOWN The cluster is down")) }, keyslot.ErrNotExecuted},
		"for keys to arrive":    {func(s *stage) { s.upper.On("SET", says("-TRYAGAIN Multiple keys request during rehashing of slot")) }, keyslot.ErrNotExecuted},
		"for replicas":          {func(s *stage) { s.upper.On("SET", says("-NOREPLICAS Not enough good replicas to write.")) }, keyslot.ErrNotExecuted},
		"for the reply":         {func(s *stage) { s.upper.On("SET", stuck()) }, keyslot.ErrUnknownOutcome},
		"for half the reply":    {func(s *stage) { s.upper.On("SET", fakenode.Reaction{Send: "+O"}) }, keyslot.ErrUnknownOutcome},
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			story(t, keyslot.Options{CommandTimeout: patience}, func(t *testing.T, s *stage) {
				place.set(s)
				err := s.client.Set(within(t, patience), up, "v")
				s.failsAt(t, patience, err, place.outcome, context.DeadlineExceeded)
				s.began = time.Now()
				err = s.client.Set(t.Context(), up, "v")
				require.ErrorIs(t, err, place.outcome)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, patience, time.Since(s.began))
			})
		})
	}
}

func TestPatienceEndsWhileTheConnectionIsFull(t *testing.T) {
	story(t, keyslot.Options{MaxInFlight: 2}, func(t *testing.T, s *stage) {
		release := make(chan struct{})
		s.upper.On("GET", fakenode.Reaction{After: release, Send: "$5\r\nvalue\r\n"})
		var neighbours sync.WaitGroup
		for range 2 {
			neighbours.Go(func() {
				got, err := s.client.Get(within(t, time.Minute), up)
				require.NoError(t, err)
				require.Equal(t, "value", got)
			})
		}
		synctest.Wait()
		err := s.client.Set(within(t, time.Second), up, "v")
		s.failsAt(t, time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		close(release)
		neighbours.Wait()
		require.Empty(t, sent(s.upper, "SET"))
	})
}

func TestCancellingHarmsNoNeighbour(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		release := make(chan struct{})
		s.upper.On("INCR", fakenode.Reaction{After: release, Send: ":1\r\n"})
		s.upper.On("GET", value)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := s.client.Incr(ctx, up)
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
			require.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		callers.Go(func() {
			got, err := s.client.Get(t.Context(), up)
			require.NoError(t, err)
			require.Equal(t, "value", got, "not the reply of the one before")
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		callers.Wait()
		require.Equal(t, 1, s.upper.Open(), "the connection is the same")
		require.Equal(t, 0, sent(s.upper, "GET")[0].Conn)
	})
}

func TestRefusalsAreWaitedOutForSeconds(t *testing.T) {
	for _, refusal := range []string{
		"CLUSTERDOWN The cluster is down", "CLUSTERDOWN Hash slot not served", "LOADING Valkey is loading the dataset in memory",
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", "NOREPLICAS Not enough good replicas to write.",
	} {
		t.Run(refusal, func(t *testing.T) {
			story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
				over := s.began.Add(3 * time.Second)
				s.upper.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
					if r.Name() != "SET" {
						return fakenode.Reaction{}, false
					}
					if time.Now().Before(over) {
						return says("-%s", refusal), true
					}
					return ok, true
				})
				require.NoError(t, s.client.Set(t.Context(), up, "v"))
				require.InDelta(t, 3.5, time.Since(s.began).Seconds(), 0.501)
				require.Less(t, len(sent(s.upper, "SET")), 60, "paced")
				require.Equal(t, 1, s.upper.Open())
			})
		})
	}
}

func TestARefusalThatLastsIsNotExecutedInTheServersWords(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("SET", says("-CLUSTERDOWN The cluster is down"))
		err := s.client.Set(within(t, 2*time.Second), up, "v")
		s.failsAt(t, 2*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		var words keyslot.ServerError
		require.ErrorAs(t, err, &words)
		require.Equal(t, "CLUSTERDOWN", words.Code())
	})
}

// The deadline may come in the middle of an attempt; what the server said before is still the reason.
func TestTheServersWordsSurviveALastAttemptThatDidNotGetThrough(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("SET", fakenode.Reaction{Send: "-CLUSTERDOWN The cluster is down\r\n", End: fakenode.FIN})
		time.AfterFunc(time.Second, func() { s.net.BlackHole(upper) })
		err := s.client.Set(within(t, 2*time.Second), up, "v")
		s.failsAt(t, 2*time.Second, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		require.ErrorAs(t, err, new(keyslot.ServerError))
	})
}

func TestASilentNodeIsGivenUp(t *testing.T) {
	story(t, keyslot.Options{PeerTimeout: time.Second, CommandTimeout: time.Minute}, func(t *testing.T, s *stage) {
		s.upper.On("INCR", stuck())
		s.upper.On("GET", value)
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := s.client.Incr(t.Context(), up)
			require.ErrorIs(t, err, keyslot.ErrUnknownOutcome)
		})
		synctest.Wait()
		got, err := s.client.Get(t.Context(), up)
		require.NoError(t, err)
		require.Equal(t, "value", got)
		callers.Wait()
		require.InDelta(t, 1, time.Since(s.began).Seconds(), 0.5)
		require.Len(t, sent(s.upper, "INCR"), 1)
	})
}

func TestABlackHoleDoesNotDelayOtherShards(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.net.BlackHole(upper)
		s.lower.On("GET", value)
		for range 100 {
			go func() { _ = s.client.Set(within(t, 3*time.Second), up, "v") }()
		}
		synctest.Wait()
		for range 20 {
			before := time.Now()
			_, err := s.client.Get(t.Context(), low)
			require.NoError(t, err)
			require.Equal(t, before, time.Now())
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
	})
}

func TestAnErrorWithoutTextIsAnError(t *testing.T) {
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		for _, text := range []string{"", " ", " TRYAGAIN"} {
			s.lower.On("GET", says("-%s", text))
			_, err := s.client.Do(t.Context(), "GET", low)
			require.ErrorAs(t, err, new(keyslot.ServerError), "%q", text)
			_, err = s.client.Get(t.Context(), low)
			require.ErrorAs(t, err, new(keyslot.ServerError), "%q", text)
		}
	})
}
