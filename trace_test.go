package keyslot_test

import (
	"context"
	"errors"
	"slices"
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

// collected is what a function of Trace was called with.
type collected[E any] struct {
	mu     sync.Mutex
	events []E // guarded by mu
}

func (c *collected[E]) add(e E) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// take returns the events since the last time.
func (c *collected[E]) take() []E {
	c.mu.Lock()
	defer c.mu.Unlock()
	events := c.events
	c.events = nil
	return events
}

func TestTraceTellsEveryAttemptThatIsMadeAgain(t *testing.T) {
	for _, try := range []struct {
		reaction fakenode.Reaction
		reason   string
		unknown  bool
	}{
		{says("-TRYAGAIN Multiple keys request during rehashing of slot"), "TRYAGAIN", false},
		{says("-CLUSTERDOWN Hash slot not served"), "CLUSTERDOWN", false},
		{says("-LOADING Valkey is loading the dataset in memory"), "LOADING", false},
		{says("-NOAUTH Authentication required."), "NOAUTH", false},
		{says("-ERR max number of clients reached"), "ERR", false},
		{says("-MOVED 866 ?:6379"), "MOVED", false},
		{reset, "lost", true},
	} {
		t.Run(try.reason, func(t *testing.T) {
			var retries collected[keyslot.RetryEvent]
			opts := keyslot.Options{Trace: &keyslot.Trace{Retried: retries.add}, PeerTimeout: time.Second}
			story(t, opts, func(t *testing.T, s *stage) {
				s.lower.On("GET", try.reaction, value)
				_, err := s.client.Get(t.Context(), low)
				require.NoError(t, err)
				require.Equal(t, []keyslot.RetryEvent{{Slot: 866, Node: lower, Reason: try.reason, Unknown: try.unknown}}, retries.take())
			})
		})
	}
}

func TestTraceTellsThatANodeWasSilent(t *testing.T) {
	var retries collected[keyslot.RetryEvent]
	opts := keyslot.Options{Trace: &keyslot.Trace{Retried: retries.add}, PeerTimeout: time.Second}
	story(t, opts, func(t *testing.T, s *stage) {
		s.lower.On("GET", stuck(), value)
		_, err := s.client.Get(t.Context(), low)
		require.NoError(t, err)
		require.Equal(t, []keyslot.RetryEvent{{Slot: 866, Node: lower, Reason: "silent", Unknown: true}}, retries.take())
	})
}

func TestTraceTellsNoRetryOfWhatIsAnsweredRedirectedOrNotSentAgain(t *testing.T) {
	var retries collected[keyslot.RetryEvent]
	story(t, keyslot.Options{Trace: &keyslot.Trace{Retried: retries.add}}, func(t *testing.T, s *stage) {
		s.lower.On("SET", ok, says("-MOVED 866 %s", upper), says("-OOM command not allowed"), reset)
		s.upper.On("SET", says("-MOVED 866 %s", lower))
		require.NoError(t, s.client.Set(t.Context(), low, "v"))
		require.ErrorContains(t, s.client.Set(t.Context(), low, "v"), "OOM")
		require.ErrorIs(t, s.client.Set(t.Context(), low, "v"), keyslot.ErrUnknownOutcome)
		require.Empty(t, retries.take())
	})
}

func TestTraceTellsWhenNoConnectionIsToBeHad(t *testing.T) {
	var retries collected[keyslot.RetryEvent]
	story(t, keyslot.Options{Trace: &keyslot.Trace{Retried: retries.add}}, func(t *testing.T, s *stage) {
		s.upper.Close()
		require.Error(t, s.client.Set(within(t, 100*time.Millisecond), up, "v"))
		events := retries.take()
		require.NotEmpty(t, events)
		require.Equal(t, keyslot.RetryEvent{Slot: 12182, Node: upper, Reason: "dial"}, events[0])
	})
}

func TestTraceTellsEveryDial(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	refused := errors.New("the token service is down")
	var asked atomic.Int32 // the third time is within the second dial, which was refused
	opts := keyslot.Options{
		Trace: &keyslot.Trace{Connected: dials.add},
		Credentials: func(ctx context.Context, node keyslot.Node) (user, password string, err error) {
			if node.Addr() == upper {
				return "", "", refused
			}
			if asked.Add(1) <= 2 {
				time.Sleep(time.Second)
			}
			return "app", "secret", nil
		},
	}
	story(t, opts, func(t *testing.T, s *stage) {
		require.Equal(t, []keyslot.ConnectEvent{{Node: lower, Took: time.Second}}, dials.take())

		s.lower.On("HELLO", says("-WRONGPASS invalid username-password pair or user is disabled."))
		s.lower.Cut(fakenode.FIN)
		synctest.Wait()
		require.Error(t, s.client.Set(within(t, 1100*time.Millisecond), low, "v"))
		failed := lastDial(t, dials.take(), lower) // that it took so long made the client ask upper who serves the slots
		require.Equal(t, "auth", failed.Phase)
		require.ErrorContains(t, failed.Err, "WRONGPASS")

		require.Error(t, s.client.Set(within(t, time.Second), up, "v"))
		failed = lastDial(t, dials.take(), upper)
		require.Equal(t, "auth", failed.Phase)
		require.ErrorIs(t, failed.Err, refused)
	})
}

// lastDial returns the last dial to addr.
func lastDial(t *testing.T, dials []keyslot.ConnectEvent, addr string) keyslot.ConnectEvent {
	t.Helper()
	for _, e := range slices.Backward(dials) {
		if e.Node == addr {
			return e
		}
	}
	require.Fail(t, "no dial", "to %s among %v", addr, dials)
	return keyslot.ConnectEvent{}
}

func TestTraceTellsThePhaseOfADialThatFailed(t *testing.T) {
	var dials collected[keyslot.ConnectEvent]
	story(t, keyslot.Options{Trace: &keyslot.Trace{Connected: dials.add}}, func(t *testing.T, s *stage) {
		dials.take()
		s.upper.On("HELLO", reset)
		require.Error(t, s.client.Set(within(t, time.Millisecond), up, "v"))
		require.Equal(t, "hello", dials.take()[0].Phase)
		s.upper.Close()
		require.Error(t, s.client.Set(within(t, time.Second), up, "v"))
		failed := dials.take()[0]
		require.Equal(t, "dial", failed.Phase)
		require.ErrorIs(t, failed.Err, syscall.ECONNREFUSED)
	})
}
