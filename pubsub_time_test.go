package keyslot_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
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

func TestAGapCountsItsChannels(t *testing.T) {
	for names, want := range map[string]string{"a": "messages of one channel may", "a b": "messages of 2 channels may"} {
		gap := &keyslot.Gap{Channels: strings.Fields(names), Err: keyslot.ErrClosed}
		require.ErrorContains(t, gap, want)
	}
}
