package keyslot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/realcluster"
)

// Pub/sub on real servers. What is published is numbered, so that what is missing can be told.

// published is a message that was accepted, and when.
type published struct {
	channel    string
	number     int
	began, end time.Time
}

// press publishes numbered messages to channels from several goroutines until it is stopped.
type press struct {
	client   *keyslot.Client
	command  string
	channels []string
	stop     context.CancelFunc
	presses  sync.WaitGroup // those who publish
	workers  sync.WaitGroup // those who hear

	mu    sync.Mutex
	sent  []published             // guarded by mu
	heard map[string]map[int]bool // guarded by mu
	last  map[string]int          // guarded by mu; the greatest number heard, by channel
	twice []published             // guarded by mu
	gaps  []*keyslot.Gap          // guarded by mu
	ended map[string]bool         // guarded by mu; the channels whose last word has come
	count atomic.Int64            // messages heard
}

// lastWord is published to a channel when nothing else will be.
const lastWord = 1 << 30

func startPress(t *testing.T, client *keyslot.Client, command string, channels []string) *press {
	running, stop := context.WithCancel(context.Background())
	p := &press{
		client: client, command: command, channels: channels, stop: stop,
		heard: map[string]map[int]bool{}, last: map[string]int{}, ended: map[string]bool{},
	}
	const workers = 4
	for w := range workers {
		p.presses.Go(func() {
			for n := w; running.Err() == nil; n += workers {
				channel := channels[n%len(channels)]
				began := time.Now()
				if _, err := client.Do(running, command, channel, n); err == nil {
					p.mu.Lock()
					p.sent = append(p.sent, published{channel, n, began, time.Now()})
					p.mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { stop(); p.presses.Wait(); p.workers.Wait() })
	return p
}

// hear notes what a subscription receives, until it is closed.
func (p *press) hear(t *testing.T, sub *keyslot.Subscription) {
	sub.Buffer(1 << 20)
	t.Cleanup(func() { _ = sub.Close() })
	p.workers.Go(func() {
		for m, err := range sub.Messages(context.Background()) {
			var gap *keyslot.Gap
			var n int
			switch {
			case errors.As(err, &gap):
				p.mu.Lock()
				p.gaps = append(p.gaps, gap)
				p.mu.Unlock()
				continue
			case err != nil:
				t.Errorf("the subscription has ended: %v", err)
				return
			}
			fmt.Sscan(m.Payload, &n)
			p.mu.Lock()
			if n == lastWord {
				p.ended[m.Channel] = true
				p.mu.Unlock()
				continue
			}
			if p.heard[m.Channel] == nil {
				p.heard[m.Channel] = map[int]bool{}
			}
			if p.heard[m.Channel][n] {
				p.twice = append(p.twice, published{channel: m.Channel, number: n})
			}
			p.heard[m.Channel][n] = true
			p.last[m.Channel] = max(p.last[m.Channel], n)
			p.mu.Unlock()
			p.count.Add(1)
		}
	})
}

// goesOn waits until each of the channels has delivered a message that was published from now on. On a machine at
// leisure that takes less than a second.
func (p *press) goesOn(t *testing.T, channels []string) {
	t.Helper()
	began := time.Now()
	p.mu.Lock()
	from := map[string]int{} // the last one of each channel
	for _, s := range p.sent {
		from[s.channel] = max(from[s.channel], s.number)
	}
	p.mu.Unlock()
	delivers := func(channel string) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.last[channel] > from[channel]+len(channels) // at least one may have been on its way
	}
	for _, channel := range channels {
		require.Eventually(t, func() bool { return delivers(channel) }, time.Minute, time.Millisecond, channel)
	}
	t.Logf("each of %d channels delivered within %v", len(channels), time.Since(began).Round(time.Millisecond))
}

// check ends everything, and requires that what is missing, or came twice, was published within a gap.
func (p *press) check(t *testing.T, sub *keyslot.Subscription) {
	t.Helper()
	p.stop()
	p.presses.Wait()
	for _, channel := range p.channels {
		p.sayLast(t, channel)
	}
	require.NoError(t, sub.Close())
	p.workers.Wait()
	missing := 0
	for _, s := range p.sent {
		if p.heard[s.channel][s.number] {
			continue
		}
		missing++
		require.True(t, p.covered(s), "%s %d, published at %v, is missing, and of no gap: %v", s.channel, s.number, s.began, p.gaps)
	}
	for _, s := range p.twice { // the bus between the servers brought it to the new node later than to the old one
		i := slices.IndexFunc(p.sent, func(o published) bool { return o.channel == s.channel && o.number == s.number })
		require.True(t, i < 0 || p.covered(p.sent[i]), "%s %d came twice, and not around a gap: %v", s.channel, s.number, p.gaps)
	}
	t.Logf("%d published, %d heard, %d missing, %d gaps", len(p.sent), p.count.Load(), missing, len(p.gaps))
}

// sayLast waits until a channel has delivered what was published after everything else, and with it whatever of that is
// still to come. It is published again as long as it may have been lost.
func (p *press) sayLast(t *testing.T, channel string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := p.client.Do(within(t, 10*time.Second), p.command, channel, lastWord)
		require.NoError(t, err)
		for again := time.Now().Add(time.Second); time.Now().Before(again); <-time.After(time.Millisecond) {
			if p.hasEnded(channel) {
				return
			}
		}
		require.True(t, time.Now().Before(deadline), "%s delivers nothing any more", channel)
	}
}

func (p *press) hasEnded(channel string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended[channel]
}

// told returns the gaps so far.
func (p *press) told() []*keyslot.Gap {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.gaps)
}

func (p *press) covered(s published) bool {
	for _, g := range p.gaps {
		for _, channel := range g.Channels {
			if channel == s.channel && !s.end.Before(g.From) && !s.began.After(g.To) {
				return true
			}
		}
	}
	return false
}

func numbered(prefix string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(prefix, i))
	}
	return names
}

// moveSlot moves a slot without keys, and returns once all nodes agree.
func moveSlot(t *testing.T, cluster *realcluster.Cluster, slot uint16, to *realcluster.Node) {
	t.Helper()
	from, err := cluster.Primary(t.Context(), int(slot))
	require.NoError(t, err)
	if from != to {
		require.NoError(t, cluster.MoveSlot(t.Context(), int(slot), from, to, 0))
		require.NoError(t, cluster.WaitHealthy(t.Context()))
	}
}

func TestShardChannelsFollowTheirSlots(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		publisher := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], CommandTimeout: 30 * time.Second})
		channels := numbered("shard:", 200)
		sub, err := client.SSubscribe(ctx, channels...)
		require.NoError(t, err)
		p := startPress(t, publisher, "SPUBLISH", channels)
		p.hear(t, sub)
		p.goesOn(t, channels)
		require.Empty(t, p.told())

		for i := 0; i < len(channels); i += 2 {
			moveSlot(t, cluster, keyslot.Slot(channels[i]), cluster.Node(i/2%3))
		}
		p.goesOn(t, channels)

		replicas, err := cluster.ReplicasOf(ctx, 16383)
		require.NoError(t, err)
		require.NoError(t, cluster.Failover(ctx, replicas[0]))
		p.goesOn(t, channels)

		require.NoError(t, cluster.Node(1).Kill())
		require.NoError(t, cluster.WaitRole(ctx, cluster.Node(4), "primary"))
		p.goesOn(t, channels)
		p.check(t, sub)
	})
}

// The slots of a shard that is stopped, and not dead, go to its replica. Its connections say nothing.
func TestAFrozenPrimaryIsLeftBySubscribers(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		endpoints := cluster.Addrs()[1:2]
		publisher := connect(t, keyslot.Options{Endpoints: endpoints, PeerTimeout: time.Second})
		client := connect(t, keyslot.Options{Endpoints: endpoints})
		channels := numbered("shard:", 30)
		sub, err := client.SSubscribe(ctx, channels...)
		require.NoError(t, err)
		p := startPress(t, publisher, "SPUBLISH", channels)
		p.hear(t, sub)
		p.goesOn(t, channels)
		require.NoError(t, cluster.Node(0).Freeze())
		require.NoError(t, cluster.WaitRole(ctx, cluster.Node(3), "primary"))
		p.goesOn(t, channels)
		require.NoError(t, cluster.Node(0).Thaw())
		p.goesOn(t, channels)
		p.check(t, sub)
	})
}

func TestAPlainSubscriptionOutlivesItsNode(t *testing.T) {
	onEngines(t, realcluster.Options{}, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]})
		channels := numbered("channel:", 50)
		sub, err := client.Subscribe(ctx, channels...)
		require.NoError(t, err)
		_, err = client.Do(ctx, "PUBLISH", channels[0], "where are you?")
		require.NoError(t, err)
		var at *realcluster.Node
		for m, err := range sub.Messages(ctx) {
			require.NoError(t, err)
			at = cluster.Nodes()[slices.IndexFunc(cluster.Nodes(), func(n *realcluster.Node) bool { return n.Addr() == m.Node })]
			break
		}
		p := startPress(t, connect(t, keyslot.Options{Endpoints: cluster.Addrs()}), "PUBLISH", channels)
		p.hear(t, sub)
		p.goesOn(t, channels)
		require.NoError(t, at.Kill())
		p.goesOn(t, channels)
		require.NotEmpty(t, p.told())
		p.check(t, sub)
	})
}

func TestKeyspaceEventsOfEveryPrimary(t *testing.T) {
	opts := realcluster.Options{Config: []string{"notify-keyspace-events KEA"}}
	onEngines(t, opts, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], RefreshAfter: time.Second})
		sub, err := client.KeyspaceEvents(ctx, "__keyspace@0__:key:*", "__keyevent@0__:expired")
		require.NoError(t, err)
		keys := numbered("key:", 60)
		var deleted []string
		tells := func() { // of each key, whoever owns it
			t.Helper()
			for _, key := range keys {
				require.NoError(t, client.Set(ctx, key, "v"))
			}
			told := map[string]bool{}
			for m, err := range sub.Messages(within(t, 20*time.Second)) {
				if errors.As(err, new(*keyslot.Gap)) {
					continue
				}
				require.NoError(t, err)
				event, ok := m.Keyspace()
				require.True(t, ok)
				if event.Event == "del" && slices.Contains(deleted, event.Key) { // its node told later than the newcomer was found
					continue
				}
				require.Equal(t, "set", event.Event)
				if told[event.Key] = true; len(told) == len(keys) {
					return
				}
			}
		}
		tells()

		newcomer, err := cluster.AddPrimary(ctx)
		require.NoError(t, err)
		deleted = keys[:10]
		for _, key := range deleted {
			_, err = client.Do(ctx, "DEL", key)
			require.NoError(t, err)
			moveSlot(t, cluster, keyslot.Slot(key), newcomer)
		}
		require.NoError(t, client.Set(ctx, keys[0], "v")) // a command is redirected, and the map learns of the newcomer
		for _, err := range sub.Messages(within(t, 20*time.Second)) {
			var gap *keyslot.Gap
			if errors.As(err, &gap) {
				require.Equal(t, newcomer.Addr(), gap.Node)
				break
			}
			require.NoError(t, err)
		}
		tells()

		require.NoError(t, client.Set(ctx, "other", "v", command.PX(10*time.Millisecond)))
		for m, err := range sub.Messages(within(t, 20*time.Second)) {
			require.NoError(t, err)
			if event, _ := m.Keyspace(); event.Event == "expired" {
				require.Equal(t, "other", event.Key)
				break
			}
		}
	})
}

// A server that knows no HELLO speaks RESP2.
func TestSubscriptionsOfAServerWithoutRESP3(t *testing.T) {
	opts := realcluster.Options{Config: []string{`rename-command HELLO ""`}}
	onEngines(t, opts, func(t *testing.T, cluster *realcluster.Cluster) {
		ctx := t.Context()
		client := connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1], IdleProbe: 50 * time.Millisecond})
		channels := numbered("shard:", 30)
		sub, err := client.SSubscribe(ctx, channels...)
		require.NoError(t, err)
		p := startPress(t, connect(t, keyslot.Options{Endpoints: cluster.Addrs()[:1]}), "SPUBLISH", channels)
		p.hear(t, sub)
		p.goesOn(t, channels)
		for _, channel := range channels[:10] {
			moveSlot(t, cluster, keyslot.Slot(channel), cluster.Node(0))
		}
		p.goesOn(t, channels)
		sub.Remove(channels[20:]...)
		require.NoError(t, sub.Add(ctx, "shard:more"))
		p.goesOn(t, channels[:20])
		p.stop()
		require.NoError(t, sub.Close())
	})
}
