package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/internal/fakenode"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// A server that ends a subscription when its slot leaves may do so while the end that the client asks for is on its way.

const elsewhere = "bar" // slot 5061, of lower

// endsTwice is a node's answer to SUNSUBSCRIBE of low: its own word comes first.
func endsTwice(refusal string) fakenode.Reaction {
	return fakenode.Reaction{Delay: 300 * time.Millisecond, Send: push(3, "sunsubscribe", low, 1) + "-" + refusal + "\r\n"}
}

func TestAnEndThatIsAnsweredTwiceAnswersNobodyElse(t *testing.T) {
	for _, refusal := range []string{"MOVED 866 " + upper, "NOSUB 'SUNSUBSCRIBE' command executed not in subscribed mode"} {
		listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			sub, err := s.client.SSubscribe(t.Context(), low, elsewhere)
			require.NoError(t, err)
			s.lower.On("SUNSUBSCRIBE", endsTwice(refusal))
			s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
				return confirm(3, r), r.Name() == "SSUBSCRIBE"
			})
			sub.Remove(low)
			for _, name := range []string{"{" + elsewhere + "}2", low} {
				require.NoError(t, sub.Add(within(t, time.Second), name), refusal)
			}
			for i, name := range []string{elsewhere, "{" + elsewhere + "}2", low} {
				says3(s.lower, name, fmt.Sprint(i))
			}
			heard, gaps := hear(t, sub, 3)
			require.Equal(t, []string{"0", "1", "2"}, heard)
			require.Empty(t, gaps)
			require.Equal(t, 2, s.lower.Open(), "one connection for commands, one for all channels")
		})
	}
}

// Nobody has to remove it: the client leaves a slot by itself if the node is slow to say that it has moved.
func TestALateEndOfASlotThatMovedTouchesNoOtherChannel(t *testing.T) {
	listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
		sub, err := s.client.SSubscribe(t.Context(), low, elsewhere)
		require.NoError(t, err)
		s.lower.On("SUNSUBSCRIBE", endsTwice("MOVED 866 "+upper))
		s.lower.On("SET", says("-MOVED 866 %s", upper))
		s.lower.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
			return confirm(3, r), r.Name() == "SSUBSCRIBE"
		})
		s.upper.On("SET", ok)
		s.net.Topology(2, fakenode.Shard{First: 0, Last: 865, Nodes: []string{lower}},
			fakenode.Shard{First: 866, Last: 866, Nodes: []string{upper}}, fakenode.Shard{First: 867, Last: 16383, Nodes: []string{lower}})
		require.NoError(t, s.client.Set(t.Context(), low, "x"))
		time.Sleep(time.Minute)
		says3(s.lower, elsewhere, "still here")
		heard, _ := hear(t, sub, 2)
		require.Equal(t, []string{"gap " + low, "still here"}, heard)
	})
}

func TestAnEndIsAnsweredWherePingIsRefused(t *testing.T) {
	for _, refusal := range []string{
		"NOPERM this user has no permissions to run the 'ping' command", "NOPERM User me has no permissions to run the 'ping' command",
	} {
		listening(t, keyslot.Options{}, func(t *testing.T, s *stage) {
			s.lower.On("PING", says("-%s", refusal))
			sub, err := s.client.SSubscribe(t.Context(), low, elsewhere)
			require.NoError(t, err)
			sub.Remove(low)
			require.NoError(t, sub.Add(within(t, time.Second), low))
			time.Sleep(time.Minute)
			says3(s.lower, elsewhere, "still here")
			heard, gaps := hear(t, sub, 1)
			require.Equal(t, []string{"still here"}, heard, gaps)
		})
	}
}

// churn adds and removes channels of the tags until ctx ends, and returns the first failure.
func churn(ctx context.Context, sub *keyslot.Subscription, tags []string, worker int) error {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("{%s}%d-%d", tags[rand.IntN(len(tags))], worker, i%3)
		if err := sub.Add(context.Background(), name); err != nil {
			return err
		}
		sub.Remove(name)
	}
	return nil
}

func TestChannelsComeAndGoWhileSlotsMove(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		var tags []string
		for i := 0; len(tags) < 6; i++ {
			if tag := fmt.Sprint("t", i); keyslot.Slot(tag) < 5461 {
				tags = append(tags, tag)
			}
		}
		sub, err := client.SSubscribe(t.Context(), "{"+tags[0]+"}", "foo")
		require.NoError(t, err)
		running, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		var (
			work   sync.WaitGroup
			failed [8]error
		)
		for w := range failed {
			work.Go(func() { failed[w] = churn(running, sub, tags, w) })
		}
		from, to := cluster.Node(0), cluster.Node(1)
		for running.Err() == nil {
			for _, tag := range tags {
				require.NoError(t, cluster.MoveSlot(t.Context(), int(keyslot.Slot(tag)), from, to, 0))
			}
			from, to = to, from
		}
		work.Wait()
		require.NoError(t, errors.Join(failed[:]...))
		require.NoError(t, sub.Close())
		for _, err := range sub.Messages(t.Context()) {
			var gap *keyslot.Gap
			require.ErrorAs(t, err, &gap)
			require.NotContains(t, gap.Channels, "foo", "its slot never moved: %v", gap.Err)
		}
	})
}
