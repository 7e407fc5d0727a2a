package keyslot_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// Whenever the successor begins to serve, for the client asks by a rhythm of its own: a question is 500 ms behind the
// one before it at most, and the frozen node is waited for 200 ms. The rest of the second is for the machine.
func TestASubscriberIsBackWithinASecondOfThePromotion(t *testing.T) {
	nothing := func(*stage) {}
	for name, tc := range map[string]struct{ lost, promoted func(s *stage) }{
		"frozen":  {func(s *stage) { s.lower.StopReading() }, nothing},
		"killed":  {func(s *stage) { s.lower.Close() }, nothing},
		"cut off": {func(s *stage) { s.lower.StopReading(); s.net.BlackHole(lower) }, nothing},
		"demoted": {nothing, func(s *stage) {
			s.lower.Handle(nil)
			s.lower.On("SSUBSCRIBE", says("-MOVED 866 %s", spare))
			s.lower.Push(push(3, "sunsubscribe", low, 0))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var worst time.Duration
			for i := range 40 {
				failover(t, keyslot.Options{}, func(t *testing.T, s *stage, client *keyslot.Client) {
					confirms(s.lower)
					confirms(s.net.Node(spare))
					sub, err := client.SSubscribe(t.Context(), low)
					require.NoError(t, err)
					tc.lost(s)
					time.Sleep(2*time.Second + time.Duration(i)*25*time.Millisecond)
					shards(s, 3, spare, lower)
					promoted := time.Now()
					tc.promoted(s)
					_, gaps := hear(t, sub, 1)
					worst = max(worst, gaps[0].To.Sub(promoted))
				})
			}
			require.LessOrEqual(t, worst, 700*time.Millisecond)
			t.Log("the slowest of 40 took", worst)
		})
	}
}

func TestAPlainSubscriptionDoesNotWaitForANodeThatHangs(t *testing.T) {
	slow := fakenode.Reaction{Delay: 700 * time.Millisecond}
	for name, tc := range map[string]struct {
		trouble func(s *stage)
		most    time.Duration
	}{
		"one is gone":   {func(s *stage) { s.upper.Cut(fakenode.RST); s.net.BlackHole(upper) }, 500 * time.Millisecond},
		"all are slow":  {func(s *stage) { s.lower.Greet(slow); s.upper.Greet(slow) }, 1200 * time.Millisecond},
		"one is silent": {func(s *stage) { s.upper.Greet(stuck()) }, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			for range 12 { // any node will do, and the subscription chooses it at random
				listening(t, keyslot.Options{DialTimeout: 8 * time.Second}, func(t *testing.T, s *stage) {
					tc.trouble(s)
					sub, err := s.client.Subscribe(t.Context(), "news")
					require.NoError(t, err)
					require.LessOrEqual(t, time.Since(s.began), tc.most)
					time.Sleep(time.Minute)
					s.lower.Cut(fakenode.RST)
					s.upper.Cut(fakenode.RST)
					cut := time.Now()
					_, gaps := hear(t, sub, 1)
					require.LessOrEqual(t, gaps[0].To.Sub(cut), tc.most+50*time.Millisecond, "a first pause, and another dial may hang")
				})
			}
		})
	}
}

// A subscription that may be anywhere tries the nodes in turn, at one pace.
func TestPlainChannelsAreNotAskedForInALoop(t *testing.T) {
	for name, fail := range map[string]func(node *fakenode.Node){
		"nobody listens":  (*fakenode.Node).Close,
		"nobody has room": func(node *fakenode.Node) { node.Greet(noRoom) },
		"all hang up":     func(node *fakenode.Node) { node.Greet(greets(fakenode.RST)) },
		"all hang up later": func(node *fakenode.Node) {
			node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				return fakenode.Reaction{Send: confirm(3, r).Send, End: fakenode.RST}, isSubscription(r)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var dials collected[keyslot.ConnectEvent]
			opts := keyslot.Options{Trace: &keyslot.Trace{Connected: dials.add}}
			listening(t, opts, func(t *testing.T, s *stage) {
				sub, err := s.client.Subscribe(t.Context(), "news")
				require.NoError(t, err)
				time.Sleep(10 * time.Second)
				dials.take()
				for _, node := range []*fakenode.Node{s.lower, s.upper} {
					fail(node)
					node.Cut(fakenode.RST)
				}
				time.Sleep(10 * time.Second)
				require.Less(t, len(dials.take()), 120, "each of two nodes after 250 ms, on average")
				confirms(s.net.Node(lower))
				confirms(s.net.Node(upper))
				mended := time.Now()
				for _, err := range sub.Messages(t.Context()) {
					var gap *keyslot.Gap
					require.ErrorAs(t, err, &gap)
					if gap.To.After(mended) {
						require.LessOrEqual(t, gap.To.Sub(mended), time.Second)
						break
					}
				}
			})
		})
	}
}

func TestASubscriptionStaysWhileAYoungerConnectionIsDialledSlowly(t *testing.T) {
	listening(t, keyslot.Options{MaxConnAge: 10 * time.Second}, func(t *testing.T, s *stage) {
		sub, err := s.client.Subscribe(t.Context(), "news")
		require.NoError(t, err)
		for _, node := range []*fakenode.Node{s.lower, s.upper} {
			node.Greet(fakenode.Reaction{Delay: 700 * time.Millisecond})
		}
		time.Sleep(time.Minute)
		require.NoError(t, sub.Close())
		at, elsewhere := sent(s.lower, "SUBSCRIBE"), sent(s.upper, "SUBSCRIBE")
		if len(at) == 0 {
			at, elsewhere = elsewhere, at
		}
		require.Greater(t, len(at), 5)
		require.Empty(t, elsewhere)
	})
}

func TestAPlainSubscriptionLeavesAFrozenPrimaryOnceThatIsReplaced(t *testing.T) {
	for name, tc := range map[string]struct{ promoted, most time.Duration }{
		"while it is silent":     {3 * time.Second, 4 * time.Second},
		"before that is noticed": {0, 1750 * time.Millisecond}, // a second until PING, 500 ms, and the tick of a listener
	} {
		t.Run(name, func(t *testing.T) { leavesAFrozenPrimary(t, tc.promoted, tc.most) })
	}
}

// leavesAFrozenPrimary tells of a replica that is promoted so long after its primary has frozen.
func leavesAFrozenPrimary(t *testing.T, promoted, most time.Duration) {
	for found := 0; found < 4; { // the subscription chooses its node at random
		failover(t, keyslot.Options{PeerTimeout: 20 * time.Second}, func(t *testing.T, s *stage, client *keyslot.Client) {
			confirms(s.lower)
			confirms(s.upper)
			confirms(s.spare)
			sub, err := client.Subscribe(t.Context(), "news")
			require.NoError(t, err)
			if len(sent(s.lower, "SUBSCRIBE")) == 0 {
				return
			}
			found++
			time.Sleep(9500 * time.Millisecond)
			s.lower.StopReading()
			frozen := time.Now()
			time.AfterFunc(promoted, func() { shards(s, 3, spare, lower) })
			go func() { _, _ = client.Incr(within(t, most), low) }() // who finds out
			_, gaps := hear(t, sub, 1)
			require.LessOrEqual(t, gaps[0].To.Sub(frozen), most)
			s.lower.Resume()
		})
	}
}

func TestAGapCountsItsChannels(t *testing.T) {
	for names, want := range map[string]string{"a": "messages of one channel may", "a b": "messages of 2 channels may"} {
		gap := &keyslot.Gap{Channels: strings.Fields(names), Err: keyslot.ErrClosed}
		require.ErrorContains(t, gap, want)
	}
}
