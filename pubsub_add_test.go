package keyslot_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// What Add and its like wait for.

// confirmLate lets both nodes take a subscription after a time.
func (s *stage) confirmLate(after time.Duration) {
	for _, node := range []*fakenode.Node{s.lower, s.upper} {
		node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			late := confirm(3, r)
			late.Delay = after
			return late, r.Name() == "SUBSCRIBE"
		})
	}
}

func TestANameThatIsAddedTwiceAtOnceIsConfirmedToBoth(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.Subscribe(t.Context(), "first")
		require.NoError(t, err)
		s.confirmLate(3 * time.Second)
		impatient, patient := make(chan error, 1), make(chan error, 1)
		began := time.Now()
		go func() { impatient <- sub.Add(within(t, time.Second), "x", "y") }()
		synctest.Wait()
		go func() { patient <- sub.Add(within(t, 10*time.Second), "z", "x") }()
		require.ErrorIs(t, sub.Add(within(t, time.Second/2), "x"), keyslot.ErrNotExecuted)
		require.Error(t, <-impatient)
		require.NoError(t, <-patient)
		require.GreaterOrEqual(t, time.Since(began), 3*time.Second, "until then nobody has confirmed it")
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			for _, name := range []string{"x", "y"} {
				node.Push(push(3, "message", name, "to "+name))
			}
		}
		heard, _ := hear(t, sub, 1)
		require.Equal(t, []string{"to x"}, heard)
	})
}

func TestANameThatIsRefusedToOneAddIsAskedForByTheNext(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), up)
		require.NoError(t, err)
		s.lower.On("SSUBSCRIBE", fakenode.Reaction{Delay: time.Second, Send: "-NOPERM no permissions\r\n"})
		s.lower.Handle(nil)
		first, second := make(chan error, 1), make(chan error, 1)
		for _, done := range []chan error{first, second} {
			go func() { done <- sub.Add(t.Context(), low) }()
			synctest.Wait()
		}
		for _, done := range []chan error{first, second} {
			var refusal keyslot.ServerError
			require.ErrorAs(t, <-done, &refusal)
			require.Equal(t, "NOPERM", refusal.Code())
		}
		require.Len(t, sent(s.lower, "SSUBSCRIBE"), 2)
	})
}

// When a confirmation and the end of the caller's patience coincide, either may come first, but both say the same.
func TestAnAddThatFailsLeavesNothingBehind(t *testing.T) {
	failed := 0
	for range 200 {
		listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			sub, err := s.client.Subscribe(t.Context(), "first")
			require.NoError(t, err)
			s.confirmLate(time.Second)
			withdrawn := 0
			if sub.Add(within(t, time.Second), "x") != nil {
				withdrawn = 1
			}
			time.Sleep(time.Second)
			require.Len(t, append(sent(s.lower, "UNSUBSCRIBE"), sent(s.upper, "UNSUBSCRIBE")...), withdrawn)
			failed += withdrawn
		})
	}
	require.Positive(t, failed, "of 200, about half")
	require.Less(t, failed, 200)
}

func TestKeyspaceEventsWaitForThePrimaryThatComesMeanwhile(t *testing.T) {
	const heir = "10.0.0.9:6379"
	story(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		confirms(s.lower)
		s.upper.On("PSUBSCRIBE", stuck())
		s.net.Node(heir).Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			late := confirm(3, r)
			late.Delay = 3 * time.Second
			return late, isSubscription(r)
		})
		time.AfterFunc(time.Second, func() {
			s.net.Topology(2, fakenode.Shard{First: 0, Last: 8191, Nodes: []string{lower}},
				fakenode.Shard{First: 8192, Last: 16383, Nodes: []string{heir}})
			s.upper.Close()
		})
		began := time.Now()
		_, err := s.client.KeyspaceEvents(within(t, time.Minute), "__keyevent@0__:*")
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), 4*time.Second, "it returned before the new primary had confirmed")
	})
}

// The dial for a subscription ends with it, which says nothing of the node.
func TestASubscriptionThatIsGivenUpWhileItDialsHoldsNobodyUp(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		s.upper.On("SET", ok)
		s.upper.On("HELLO", stuck(), fakenode.Reaction{Send: fakenode.Hello})
		_, err := s.client.SSubscribe(within(t, 100*time.Millisecond), up)
		s.failsAt(t, 100*time.Millisecond, err, keyslot.ErrNotExecuted, context.DeadlineExceeded)
		synctest.Wait()
		require.NoError(t, s.client.Set(t.Context(), up, "1"))
		require.Equal(t, 100*time.Millisecond, time.Since(s.began))
	})
}
